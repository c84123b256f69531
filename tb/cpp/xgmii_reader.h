// What a receiver must make of the words that it is shown (IEEE 802.3 clause 46), whatever they are.
//
// A frame begins with /S/ in lane 0 or 4, also in the middle of another one; an /S/ that is followed by
// another four bytes later begins nothing. It ends with /T/ or the first other control character. Each
// is logged as kWireIn when it has ended: a = 1 for a wrong control character, b = 1 if its eighth byte is no SFD.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "event_log.h"

namespace fdw {

class XgmiiReader {
public:
    explicit XgmiiReader(EventLog& log) : log_(log) {}

    // Half a word: four characters, the first one at `time`.
    void column(uint32_t data, uint8_t control, uint64_t time) {
        const bool start = (control & 1) && (data & 0xff) == kStart;
        if (state_ == State::kPreamble && !start) {
            finish_preamble(data, control, time);
        } else if (state_ == State::kData) {
            for (uint32_t lane = 0; lane < 4; ++lane) {
                const uint8_t byte = static_cast<uint8_t>(data >> (8 * lane));
                if (control >> lane & 1) {
                    end(byte != kTerminate, false, time + lane * kLanePs);
                    break;
                }
                bytes_.push_back(byte);
            }
        }
        if (start && state_ != State::kData) {
            state_ = State::kPreamble;
            first_ = data;
            first_control_ = control;
            start_ = time;
        }
    }

    // Inside a frame: it will take a further column to end it.
    bool open() const { return state_ != State::kIdle; }

    void reset() {
        state_ = State::kIdle;
        bytes_.clear();
    }

private:
    static constexpr uint8_t kStart = 0xfb, kTerminate = 0xfd, kSfd = 0xd5;
    enum class State { kIdle, kPreamble, kData };

    void finish_preamble(uint32_t data, uint8_t control, uint64_t time) {
        if ((control >> 3 & 1) || data >> 24 != kSfd) {
            end(false, true, time);
        } else if ((first_control_ & 0xe) || (control & 7)) {
            end(true, false, time);
        } else {
            state_ = State::kData;
        }
    }

    void end(bool error, bool bad_preamble, uint64_t time) {
        if (log_.wants(Event::kWireIn)) {
            uint8_t* p = log_.add(Event::kWireIn, error, bad_preamble, start_, bytes_.size(), time);
            std::copy(bytes_.begin(), bytes_.end(), p);
        }
        reset();
    }

    EventLog& log_;
    State state_ = State::kIdle;
    std::vector<uint8_t> bytes_;
    uint32_t first_ = 0;
    uint8_t first_control_ = 0;
    uint64_t start_ = 0;
};

}  // namespace fdw
