// The wire: XGMII of 64 bits (IEEE 802.3 clause 46) to and from whole frames.
#pragma once
#include <cstdint>
#include <deque>
#include <vector>

#include "event_log.h"
#include "xgmii_reader.h"

namespace fdw {

// Frames that the NIC sends. Each is logged as kWireOut when it ends, also one that is broken off with /E/;
// breaches of clause 46 are counted.
class XgmiiMonitor {
public:
    explicit XgmiiMonitor(EventLog& log) : log_(log) {}
    // One word that is not all idle. True when a frame has just ended.
    bool word(uint64_t data, uint8_t control);
    void reset() { in_frame_ = false; }
    bool in_frame() const { return in_frame_; }

    bool plant_swap = false;  // planted bug: swap two bytes of the next frame
    uint64_t frames = 0, violations = 0;
    uint64_t digest = 0;  // of every word that was not all idle
    uint32_t shortest_gap = UINT32_MAX;  // bytes from /T/ up to the next start

private:
    bool end(uint64_t time);

    EventLog& log_;
    std::vector<uint8_t> bytes_;
    bool in_frame_ = false, error_ = false;
    uint64_t start_ = 0, ended_ = 0;
};

// Frames that the NIC receives, played from a queue at or after their start times, in lane 0 or 4. What a
// receiver must make of them is logged as kWireIn.
class XgmiiPlayer {
public:
    explicit XgmiiPlayer(EventLog& log) : reader_(log) {}
    // `frame`: DA..FCS; `start`: ps, when the preamble should begin; `error`: put /E/ into its middle.
    void queue(const uint8_t* frame, size_t length, uint64_t start, bool error);
    // Raw words instead of frames: for what no well-formed frame can do. (data, control) pairs.
    void queue_raw(const uint64_t* words, size_t count);
    // The word of this cycle; false when it is idle.
    bool word(uint64_t& data, uint8_t& control);
    bool busy() const { return !frames_.empty() || at_ < columns_.size() || !raw_.empty() || reader_.open(); }
    size_t waiting() const { return frames_.size(); }
    void reset();

    uint32_t minimum_gap = 12;  // bytes, kept on average by the deficit idle count

private:
    struct Pending {
        std::vector<uint8_t> bytes;
        uint64_t start;
        bool error;
    };
    struct Column {
        uint32_t data;
        uint8_t control;
    };
    Column next_column(uint64_t time);
    void load(const Pending& frame, uint64_t time);

    XgmiiReader reader_;
    std::deque<Pending> frames_;
    std::deque<std::pair<uint64_t, uint8_t>> raw_;
    std::vector<Column> columns_;
    size_t at_ = 0;
    uint64_t free_ = 0;     // ps from which the next preamble may begin
    uint32_t deficit_ = 0;  // bytes by which past gaps were short
};

}  // namespace fdw
