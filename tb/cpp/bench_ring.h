// Host memory of the measurements, and a driver just good enough for them: one packed ring (virtio 1.2 §2.8)
// whose slot i always holds buffer i.
#pragma once
#include <cstdint>
#include <cstring>
#include <vector>

namespace fdw::bench {

constexpr uint64_t kBase = 0x100000000ull;
constexpr uint64_t kMemory = 16u << 20;
constexpr uint16_t kSlots = 256;
constexpr uint64_t kStride = 0x4000;  // from buffer to buffer: room for the longest frame
constexpr uint32_t kHeader = 12;      // struct virtio_net_hdr
constexpr uint16_t kNext = 1, kWrite = 2, kIndirect = 4, kAvail = 1u << 7, kUsed = 1u << 15;
constexpr uint16_t kEnable = 0, kDisable = 1, kDesc = 2;  // event flags (§2.8.10)

enum Region : uint8_t { kDescriptors, kDriverEvent, kDeviceEvent, kTables, kBuffers, kRegions };
constexpr const char* kRegionNames[] = {"descriptor", "driver event", "device event", "table", "buffer"};
constexpr const char* kQueueNames[] = {"rx", "tx"};

inline std::vector<uint8_t>& memory() {
    static std::vector<uint8_t> bytes(kMemory + 4096);
    return bytes;
}
inline uint8_t* at(uint64_t address) { return memory().data() + (address - kBase); }

// Each queue's areas: of a queue's mebibyte 0x00000 descriptors, 0x10000 and 0x10040 event structures,
// 0x20000 indirect tables; the buffers are 4 MiB at 4 and 8 MiB.
inline uint64_t area(uint32_t queue, Region region) {
    static const uint64_t offsets[] = {0, 0x10000, 0x10040, 0x20000, 0};
    return region == kBuffers ? kBase + (uint64_t{queue} + 1) * (kSlots * kStride)
                              : kBase + (uint64_t{queue} << 20) + offsets[region];
}

struct Place {
    uint8_t queue;
    Region region;
};
inline Place place_of(uint64_t address) {
    const uint64_t offset = address - kBase;
    if (offset >= kSlots * kStride) return {static_cast<uint8_t>(offset / (kSlots * kStride) - 1), kBuffers};
    const uint8_t queue = static_cast<uint8_t>(offset >> 20);
    const uint64_t within = offset & 0xfffff;
    return {queue, within >= 0x20000 ? kTables : within >= 0x10040 ? kDeviceEvent : within >= 0x10000 ? kDriverEvent : kDescriptors};
}

struct Ring {
    uint32_t queue;
    uint32_t length;   // of each buffer, header included
    bool indirect;     // header and frame as a table of two entries
    bool event_idx;
    uint16_t slot = 0;
    bool wrap = true;
    uint64_t done = 0;

    // One that is longer than the stride, a TSO chain, is the same for every slot.
    uint64_t buffer(uint16_t i) const { return area(queue, kBuffers) + (length > kStride ? 0 : kStride * i); }

    static void descriptor(uint64_t where, uint64_t address, uint32_t length, uint16_t id, uint32_t flags) {
        uint8_t* d = at(where);
        const uint16_t f = static_cast<uint16_t>(flags);
        std::memcpy(d, &address, 8);
        std::memcpy(d + 8, &length, 4);
        std::memcpy(d + 12, &id, 2);
        std::memcpy(d + 14, &f, 2);
    }
    void post(uint16_t i, bool phase) const {
        const uint32_t flags = (queue == 0 ? kWrite : 0u) | (phase ? kAvail : kUsed);
        const uint64_t where = area(queue, kDescriptors) + 16u * i;
        if (!indirect) return descriptor(where, buffer(i), length, i, flags);
        const uint64_t table = area(queue, kTables) + 32u * i;
        const uint32_t writable = flags & kWrite;
        descriptor(table, buffer(i), kHeader, 0, writable);
        descriptor(table + 16, buffer(i) + kHeader, length - kHeader, 0, writable);
        descriptor(where, table, 32, i, (flags & ~uint32_t{kWrite}) | kIndirect);
    }
    bool used() const {
        uint16_t f;
        std::memcpy(&f, at(area(queue, kDescriptors) + 16u * slot + 14), 2);
        return bool(f & kAvail) == wrap && bool(f & kUsed) == wrap;
    }
    void advance() {
        ++done;
        if (++slot == kSlots) {
            slot = 0;
            wrap = !wrap;
        }
    }
    // Gives every used slot straight back, for the next lap; true when the device wants to hear of it.
    bool recycle() {
        const uint64_t before = done;
        while (used()) {
            post(slot, !wrap);
            advance();
        }
        return done != before && wants_kick(before + kSlots, done + kSlots);
    }
    // Slots `from` to `to` (counted since the start) have been made available.
    bool wants_kick(uint64_t from, uint64_t to) const {
        uint16_t event[2];
        std::memcpy(event, at(area(queue, kDeviceEvent)), 4);
        if (event[1] != kDesc) return event[1] == kEnable;
        const bool event_wrap = event[0] >> 15;
        for (uint64_t i = from; i < to; ++i)
            if (i % kSlots == (event[0] & 0x7fff) && (i / kSlots % 2 == 0) == event_wrap) return true;
        return false;
    }
    void want_interrupts(bool wanted) const {
        const uint16_t event[2] = {static_cast<uint16_t>(slot | wrap << 15), wanted ? event_idx ? kDesc : kEnable : kDisable};
        std::memcpy(at(area(queue, kDriverEvent)), event, 4);
    }
};

}  // namespace fdw::bench
