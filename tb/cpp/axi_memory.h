// Host memory behind the NIC's AXI4 master: an AXI4 slave of 128 bits over memory that Python owns.
//
// Reads: in order within an id, each burst ready `read_latency` (plus jitter) cycles after its request,
// so bursts of different ids may overtake. Writes take effect with their last beat; the response comes
// `write_latency` cycles later. Outside the attached memory: DECERR, nothing stored. A burst that breaks
// AXI4's rules (A3.4.1: INCR, not across 4 KiB, several beats only at full width) is counted in `violations`.
#pragma once
#include <cstdint>
#include <deque>
#include <random>
#include <vector>

#include "event_log.h"

namespace fdw {

struct MemoryConfig {
    uint32_t read_latency = 32;
    uint32_t write_latency = 16;
    uint32_t jitter = 0;          // up to this many cycles more, seeded
    uint32_t stall[5] = {};       // per cent of cycles in which ready or valid is withheld: AR, R, AW, W, B
    uint32_t seed = 1;
};

struct ReadBeat {
    uint8_t id, resp;
    bool last;
    uint32_t data[4];
};

class AxiMemory {
public:
    explicit AxiMemory(EventLog& log) : log_(log) {}

    void attach(uint8_t* bytes, uint64_t base, uint64_t size);
    void configure(const MemoryConfig& config);
    // The next burst touching [address, address + 1) answers SLVERR; used once.
    void fail_once(uint64_t address) { fail_at_.push_back(address); }
    // The `nth` read, or write, burst from now on (0: the next) answers with `response`; used once.
    void fail_nth(bool write, uint32_t nth, uint8_t response);
    // Log every transfer (for the lockstep checker), not only count them.
    void log_transfers(bool on) { log_transfers_ = on; }
    // Log what the NIC has got of a burst that has not ended.
    void log_begun();
    // Reset pin: forget every transfer.
    void reset();

    void read_request(uint8_t id, uint64_t address, uint8_t len, uint8_t size, uint8_t burst);
    void write_request(uint8_t id, uint64_t address, uint8_t len, uint8_t size, uint8_t burst);
    void write_beat(const uint32_t* data, uint16_t strobes, bool last);

    // Once a cycle, after the requests above; `r_taken`/`b_taken`: the beat shown was accepted.
    void clock(bool r_taken, bool b_taken);
    bool busy() const { return !reads_.empty() || !writes_.empty() || !beats_.empty() || !responses_.empty() || r_valid_ || b_valid_; }
    bool read_valid() const { return r_valid_; }
    bool read_is_new() const { return r_new_; }
    const ReadBeat& read_beat() const { return r_beat_; }
    bool response_valid() const { return b_valid_; }
    uint8_t response_id() const { return b_id_; }
    uint8_t response() const { return b_resp_; }
    bool ar_ready() const { return ar_ready_; }
    bool aw_ready() const { return aw_ready_; }
    bool w_ready() const { return w_ready_; }

    // Planted bugs, for the tests of the checker: each spoils the next used entry and is then spent.
    bool plant_length_bit = false, plant_twice = false;

    uint64_t reads = 0, writes = 0, read_beats = 0, write_beats = 0, violations = 0;

private:
    enum Stall { kStallAr, kStallR, kStallAw, kStallW, kStallB };

    struct Burst {
        uint64_t address;
        uint64_t ready;  // cycle from which it may be answered
        uint32_t beats, done, logged;
        uint8_t id, resp;
        std::vector<uint8_t> data, strobes;
    };

    struct WriteBeat {
        uint32_t data[4];
        uint16_t strobes;
        bool last;
    };

    bool legal(uint64_t address, uint8_t len, uint8_t size, uint8_t burst);
    uint8_t* at(uint64_t address);
    uint8_t response_for(uint64_t address, uint32_t beats, bool write);
    bool stalled(Stall channel);
    uint32_t delay(uint32_t base);
    void next_read_beat();
    void log_read(Burst& burst, uint32_t done);
    void take_beats();
    void store(const Burst& burst);
    void finish_write(Burst& burst);

    EventLog& log_;
    MemoryConfig config_;
    std::mt19937 random_{1};
    uint8_t* bytes_ = nullptr;
    uint64_t base_ = 0, size_ = 0;
    std::deque<Burst> reads_, writes_, responses_;
    std::deque<WriteBeat> beats_;  // data whose address has not come yet
    std::vector<uint64_t> fail_at_;
    struct Failure {
        bool write;
        uint64_t at;  // number of the burst
        uint8_t response;
    };
    std::vector<Failure> failures_;
    ReadBeat r_beat_{};
    bool r_valid_ = false, r_new_ = false, b_valid_ = false;
    uint8_t b_id_ = 0, b_resp_ = 0;
    bool ar_ready_ = false, aw_ready_ = false, w_ready_ = false, log_transfers_ = false;
    size_t r_open_ = SIZE_MAX;  // index in reads_ of the burst being answered
};

}  // namespace fdw
