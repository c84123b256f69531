// What happened at the NIC's ports since Python last looked, as one byte buffer of records.
//
// Record (little-endian): u8 type, u8 a, u16 b, u32 length, u64 time, u64 c, then `length` bytes of
// payload padded to 8. tb/cosim/rtl_nic.py reads the same layout.
#pragma once
#include <cstdint>
#include <cstring>
#include <vector>

#include "clock.h"

namespace fdw {

enum class Event : uint8_t {
    kMmioWrite = 1,   // a = write strobes, b = offset, c = value; at the handshake
    kMmioRead = 2,    // b = offset, c = value; at the response
    kDmaRead = 3,     // a = response, b = AXI id, c = address; payload = the burst's data
    kDmaWrite = 4,    // a = response, b = AXI id, c = address of the first beat; payload = data, then strobes
    kWireOut = 5,     // a = broken off, c = start of the preamble; time = end; payload = DA..FCS
    kWireIn = 6,      // the same, for a frame that the NIC was shown; b = bad preamble (see xgmii_reader.h)
    kRxDecision = 7,  // a = status (the tap)
    kIrq = 8,         // a = level
    kReset = 9,       // the reset pin was pulsed
    kRequest = 10,    // a = 0 read 1 write, b = AXI id, c = address, length 0: the request was accepted
    kLink = 11,       // a = the PHY's link signal
    kIommuFault = 12, // a = 0 read 1 write, b = AXI id, c = address: the IOMMU does not map it
};

class EventLog {
public:
    static constexpr size_t kHeader = 24;

    bool wants(Event type) const { return wanted_ >> static_cast<unsigned>(type) & 1; }
    enum Level { kSeams, kAll, kRegisters };
    // Without a checker only what the seams themselves need; or that and what is done to the registers.
    void select(Level level) {
        wanted_ = level != kAll ? 1u << static_cast<unsigned>(Event::kMmioRead) | 1u << static_cast<unsigned>(Event::kWireOut) |
                           1u << static_cast<unsigned>(Event::kIrq) | 1u << static_cast<unsigned>(Event::kIommuFault)
                     : ~0u;
        if (level == kRegisters)
            wanted_ |= 1u << static_cast<unsigned>(Event::kMmioWrite) | 1u << static_cast<unsigned>(Event::kReset) |
                       1u << static_cast<unsigned>(Event::kLink);
    }

    // Appends a record without payload, if it is wanted.
    void note(Event type, uint8_t a, uint16_t b = 0, uint64_t c = 0) {
        if (wants(type)) add(type, a, b, c, 0);
    }

    // Appends a record and returns where its payload goes (`length` bytes, zero-padded to 8).
    uint8_t* add(Event type, uint8_t a, uint16_t b, uint64_t c, size_t length, uint64_t time = now_ps) {
        const size_t padded = (length + 7) & ~size_t{7};
        const size_t at = bytes_.size();
        bytes_.resize(at + kHeader + padded);
        uint8_t* p = bytes_.data() + at;
        const uint32_t len32 = static_cast<uint32_t>(length);
        p[0] = static_cast<uint8_t>(type);
        p[1] = a;
        std::memcpy(p + 2, &b, 2);
        std::memcpy(p + 4, &len32, 4);
        std::memcpy(p + 8, &time, 8);
        std::memcpy(p + 16, &c, 8);
        return p + kHeader;
    }

    const std::vector<uint8_t>& bytes() const { return bytes_; }
    void clear() { bytes_.clear(); }
    // The records so far; what is added from now on is not among them. Valid until the next call.
    const std::vector<uint8_t>& take() {
        bytes_.swap(taken_);
        bytes_.clear();
        return taken_;
    }

private:
    uint32_t wanted_ = ~0u;
    std::vector<uint8_t> bytes_, taken_;
};

}  // namespace fdw
