// Seam 1's register side: an AXI-Lite master that issues posted writes and reads in order.
#pragma once
#include <cstdint>
#include <deque>

#include "event_log.h"
#include "ring_rules.h"

namespace fdw {

class AxilMaster {
public:
    AxilMaster(EventLog& log, RingRules& rules) : log_(log), rules_(rules) {}

    void write(uint16_t offset, uint32_t value, uint8_t strobes) { queue_.push_back({offset, value, strobes, true}); }
    void read(uint16_t offset) { queue_.push_back({offset, 0, 0, false}); }
    void reset() {
        queue_.clear();
        state_ = State::kIdle;
    }

    // Once a cycle with the handshakes that happened. True when a read has finished.
    bool clock(bool aw_taken, bool w_taken, bool b_valid, bool ar_taken, bool r_valid, uint32_t rdata) {
        bool finished = false;
        if (aw_taken) aw_ = false;
        if (w_taken) w_ = false;
        if (ar_taken) ar_ = false;
        if ((aw_taken || w_taken) && !aw_ && !w_) {  // both parts are in: from here on it may take effect
            log_.note(Event::kMmioWrite, now_.strobes, now_.offset, now_.value);
            if (now_.strobes == 15) rules_.register_write(now_.offset, now_.value);
        }
        if (state_ == State::kWriting && b_valid) {
            state_ = State::kIdle;
        } else if (state_ == State::kReading && r_valid) {
            log_.note(Event::kMmioRead, 0, now_.offset, rdata);
            state_ = State::kIdle;
            finished = true;
        }
        if (state_ == State::kIdle && !queue_.empty()) {
            now_ = queue_.front();
            queue_.pop_front();
            aw_ = w_ = now_.is_write;
            ar_ = !now_.is_write;
            state_ = now_.is_write ? State::kWriting : State::kReading;
        }
        return finished;
    }

    bool aw() const { return aw_; }
    bool w() const { return w_; }
    bool ar() const { return ar_; }
    bool busy() const { return state_ != State::kIdle || !queue_.empty(); }
    uint16_t offset() const { return now_.offset; }
    uint32_t value() const { return now_.value; }
    uint8_t strobes() const { return now_.strobes; }

private:
    struct Access {
        uint16_t offset;
        uint32_t value;
        uint8_t strobes;
        bool is_write;
    };
    enum class State { kIdle, kWriting, kReading };

    EventLog& log_;
    RingRules& rules_;
    std::deque<Access> queue_;
    Access now_{};
    State state_ = State::kIdle;
    bool aw_ = false, w_ = false, ar_ = false;
};

}  // namespace fdw
