// Host memory behind the NIC's AXI4 master: an AXI4 slave of 128 bits over memory that Python owns.
//
// Each burst is answered `read_latency` or `write_latency` cycles (plus jitter) after its request, or its last beat;
// in order within an id, so that bursts of different ids may overtake (AXI4 A5.3). Writes take effect with their last
// beat, or, where ids are reordered, with their response: no earlier may a master count on it (A5.3.1). Outside the
// attached memory: DECERR; in a page that the IOMMU does not map: SLVERR; nothing is stored. A burst that breaks AXI4's
// rules (A3.4.1: INCR, not across 4 KiB, several beats only at full width) is counted in `violations`.
// What each knob does: docs/memory.md.
#pragma once
#include <algorithm>
#include <cstdint>
#include <deque>
#include <random>
#include <vector>

#include "event_log.h"
#include "ring_rules.h"
#include "script.h"

namespace fdw {

// tb/memory_settings.py packs the same words.
struct MemoryConfig {
    uint32_t read_latency = 32;
    uint32_t write_latency = 16;
    uint32_t jitter = 0;          // up to this many cycles more, seeded
    uint32_t stall[5] = {};       // per cent of cycles in which ready or valid is withheld: AR, R, AW, W, B
    uint32_t seed = 1;
    uint32_t read_rate = 0, write_rate = 0;    // 1/256 byte a cycle; 0: what the bus can
    uint32_t read_limit = 0, write_limit = 0;  // bursts accepted and not answered; 0: as many as fit here
    uint32_t reorder = 0;         // per cent of bursts that wait until one of another id has overtaken them
};

struct ReadBeat {
    uint8_t id, resp;
    bool last;
    uint32_t data[4];
};

class AxiMemory {
public:
    AxiMemory(EventLog& log, ScriptWriter& script, RingRules& rules) : log_(log), script_(script), rules_(rules) {}

    // The one piece of memory there is.
    void attach(uint8_t* bytes, uint64_t base, uint64_t size);
    // Pieces instead, of whole pages; they do not overlap. Transfers in flight are answered from these.
    struct Region {
        uint64_t base, size;
        uint8_t* bytes;
    };
    void attach(std::vector<Region> regions);
    // Of each 4 KiB page two counts: who lets the NIC read it, and who lets it write it (pymodel/iommu.py). Null: no IOMMU.
    void translate(const uint16_t* pages) { pages_ = pages; }
    void configure(const MemoryConfig& config);
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

    // Once a cycle, after the requests above; `r_taken`/`b_taken`: the beat shown was accepted; `waits`: a valid was
    // shown to a ready that is withheld.
    void clock(bool r_taken, bool b_taken, bool waits);
    bool busy() const { return !reads_.empty() || !writes_.empty() || !beats_.empty() || !responses_.empty() || r_valid_ || b_valid_; }
    // Nothing is under way, and what is left of its rates will not change.
    bool steady() const { return !busy() && read_bucket_.full(config_.read_rate) && write_bucket_.full(config_.write_rate); }
    bool read_valid() const { return r_valid_; }
    bool read_is_new() const { return r_new_; }
    const ReadBeat& read_beat() const { return r_beat_; }
    bool response_valid() const { return b_valid_; }
    uint8_t response_id() const { return b_id_; }
    uint8_t response() const { return b_resp_; }
    bool ar_ready() const { return ar_ready_; }
    bool aw_ready() const { return aw_ready_; }
    bool w_ready() const { return w_ready_; }

    // What reads are answered with instead of the memory's content: a beat after the other (script.h).
    const uint8_t* replayed = nullptr;

    // Planted bugs, for the tests of the checker: each spoils the next used entry and is then spent.
    bool plant_length_bit = false, plant_twice = false;

    uint64_t reads = 0, writes = 0, read_beats = 0, write_beats = 0, violations = 0;
    uint64_t overtakes = 0;  // bursts answered before an older one of another id
    uint32_t most_reads = 0, most_writes = 0;  // outstanding at once

private:
    enum Stall { kStallAr, kStallR, kStallAw, kStallW, kStallB };

    static constexpr uint64_t kNotYet = UINT64_MAX;
    struct Burst {
        uint64_t address;
        uint64_t ready;  // cycle from which it may be answered
        uint32_t beats, done, logged;
        uint8_t id, resp;
        uint64_t held;  // cycle until which it waits to be overtaken; kNotYet: its turn has not come
        std::vector<uint8_t> data, strobes;
        bool late = false;  // it is stored with its response
    };

    // What may pass at a rate: nothing is saved up beyond the next beat.
    struct Bucket {
        uint32_t level = 0;
        bool open(uint32_t rate) const { return !rate || level >= kBeatUnits; }
        void take(uint32_t rate) { level -= rate ? std::min(level, kBeatUnits) : 0; }
        void fill(uint32_t rate) { level = std::min(level + rate, kBeatUnits + rate); }
        bool full(uint32_t rate) const { return !rate || level == kBeatUnits + rate; }
        static constexpr uint32_t kBeatUnits = 16 * 256;
    };

    struct WriteBeat {
        uint32_t data[4];
        uint16_t strobes;
        bool last;
    };

    bool legal(uint64_t address, uint8_t len, uint8_t size, uint8_t burst);
    uint8_t* at(uint64_t address);
    uint8_t* elsewhere(uint64_t address);
    uint8_t response_for(uint8_t id, uint64_t address, uint32_t beats, bool write);
    bool stalled(Stall channel);
    uint32_t delay(uint32_t base);
    uint64_t hold();
    size_t choose(std::deque<Burst>& bursts);
    uint32_t open_writes() const { return static_cast<uint32_t>(writes_.size() + responses_.size() + b_valid_); }
    void next_read_beat();
    void next_response();
    void log_read(Burst& burst, uint32_t done);
    void take_beats();
    void store(const Burst& burst);
    void finish_write(Burst& burst);

    EventLog& log_;
    ScriptWriter& script_;
    RingRules& rules_;
    MemoryConfig config_;
    std::mt19937 random_{1};
    Bucket read_bucket_, write_bucket_;
    uint8_t* bytes_ = nullptr;  // of the region in which the last address was, or of the only one
    const uint16_t* pages_ = nullptr;
    uint64_t base_ = 0, size_ = 0;
    std::vector<Region> regions_;
    std::deque<Burst> reads_, writes_, responses_;
    std::deque<WriteBeat> beats_;  // data whose address has not come yet
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
    bool ar_stalled_ = false, aw_stalled_ = false, w_stalled_ = false;
    size_t r_open_ = SIZE_MAX;  // index in reads_ of the burst being answered
};

}  // namespace fdw
