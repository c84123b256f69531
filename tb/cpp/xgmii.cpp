#include "xgmii.h"

#include <algorithm>

namespace fdw {

namespace {
constexpr uint8_t kIdle = 0x07, kStart = 0xfb, kTerminate = 0xfd, kError = 0xfe;
constexpr uint8_t kPreamble = 0x55, kSfd = 0xd5;
constexpr uint64_t kColumnPs = 4 * kLanePs;
}  // namespace

bool XgmiiMonitor::end(uint64_t time) {
    in_frame_ = false;
    ended_ = time;
    ++frames;
    // Eight bytes of preamble (the start character stands for the first) are not part of the frame.
    bool framed = bytes_.size() >= 8 && bytes_[7] == kSfd;
    for (size_t i = 1; framed && i < 7; ++i) framed = bytes_[i] == kPreamble;
    if (!framed) ++violations;
    for (size_t i = 24; plant_swap && i + 1 < bytes_.size(); ++i) {
        if (bytes_[i] != bytes_[i + 1]) {
            std::swap(bytes_[i], bytes_[i + 1]);
            plant_swap = false;
        }
    }
    const size_t skip = std::min<size_t>(bytes_.size(), 8);
    uint8_t* p = log_.add(Event::kWireOut, error_ || !framed, 0, start_, bytes_.size() - skip, time);
    std::copy(bytes_.begin() + static_cast<std::ptrdiff_t>(skip), bytes_.end(), p);
    return true;
}

bool XgmiiMonitor::word(uint64_t data, uint8_t control) {
    bool done = false;
    digest = (digest ^ data ^ control) * 0x9e3779b97f4a7c15ull;
    for (uint32_t lane = 0; lane < 8; ++lane) {
        const uint8_t byte = static_cast<uint8_t>(data >> (8 * lane));
        const bool is_control = control >> lane & 1;
        const uint64_t time = now_ps + lane * kLanePs;
        if (in_frame_) {
            if (!is_control) {
                bytes_.push_back(byte);
            } else if (byte == kTerminate) {
                done |= end(time);
            } else {
                error_ = true;
                if (byte != kError) ++violations;
                if (byte == kIdle) done |= end(time);  // cut off without /T/
            }
        } else if (is_control && byte == kStart) {
            if (lane % 4) ++violations;
            if (ended_) shortest_gap = std::min<uint32_t>(shortest_gap, static_cast<uint32_t>((time - ended_) / kLanePs));
            in_frame_ = true;
            error_ = false;
            start_ = time;
            bytes_.assign(1, byte);
        } else if (!is_control || (byte != kIdle && byte != kTerminate)) {
            ++violations;  // data or an unknown control character between frames
        }
    }
    return done;
}

void XgmiiPlayer::queue(const uint8_t* frame, size_t length, uint64_t start, bool error) {
    frames_.push_back({std::vector<uint8_t>(frame, frame + length), start, error});
}

void XgmiiPlayer::queue_raw(const uint64_t* words, size_t count) {
    for (size_t i = 0; i < count; ++i) raw_.emplace_back(words[2 * i], static_cast<uint8_t>(words[2 * i + 1]));
}

void XgmiiPlayer::reset() {
    frames_.clear();
    raw_.clear();
    columns_.clear();
    at_ = 0;
    free_ = 0;  // the rest of a frame that was being played is gone: nothing waits for it
    deficit_ = 0;
    reader_.reset();
}

void XgmiiPlayer::load(const Pending& frame, uint64_t time) {
    std::vector<uint8_t> bytes{kStart};
    std::vector<bool> control{true};
    bytes.insert(bytes.end(), 6, kPreamble);
    bytes.push_back(kSfd);
    bytes.insert(bytes.end(), frame.bytes.begin(), frame.bytes.end());
    control.resize(bytes.size(), false);
    if (frame.error) {
        const size_t middle = 8 + frame.bytes.size() / 2;
        if (middle < bytes.size()) {
            bytes[middle] = kError;
            control[middle] = true;
        }
    }
    free_ = time + bytes.size() * kLanePs;
    bytes.push_back(kTerminate);
    control.push_back(true);
    while (bytes.size() % 4) {
        bytes.push_back(kIdle);
        control.push_back(true);
    }
    columns_.clear();
    for (size_t i = 0; i < bytes.size(); i += 4) {
        Column column{0, 0};
        for (size_t lane = 0; lane < 4; ++lane) {
            column.data |= uint32_t{bytes[i + lane]} << (8 * lane);
            column.control |= static_cast<uint8_t>(control[i + lane] << lane);
        }
        columns_.push_back(column);
    }
    at_ = 0;
}

XgmiiPlayer::Column XgmiiPlayer::next_column(uint64_t time) {
    constexpr Column idle{0x07070707, 0xf};
    if (at_ < columns_.size()) return columns_[at_++];
    if (frames_.empty() || frames_.front().start > time) {
        if (time >= free_ + minimum_gap * kLanePs) deficit_ = 0;
        return idle;
    }
    // 46.3.1.4: a start must be in lane 0 or 4, so a gap may be up to 3 bytes short if earlier or later
    // ones make up for it.
    const uint64_t wanted = free_ ? free_ + minimum_gap * kLanePs : 0;
    if (time < wanted) {
        const uint32_t missing = static_cast<uint32_t>((wanted - time) / kLanePs);
        if (missing > 3 || deficit_ + missing > 3) return idle;
        deficit_ += missing;
    } else {
        const uint64_t surplus = (time - wanted) / kLanePs;
        deficit_ -= static_cast<uint32_t>(std::min<uint64_t>(deficit_, surplus));
    }
    load(frames_.front(), time);
    frames_.pop_front();
    return columns_[at_++];
}

bool XgmiiPlayer::word(uint64_t& data, uint8_t& control) {
    if (!raw_.empty() && at_ >= columns_.size()) {
        data = raw_.front().first;
        control = raw_.front().second;
        raw_.pop_front();
        free_ = now_ps + kCyclePs;
    } else {
        const Column low = next_column(now_ps);
        const Column high = next_column(now_ps + kColumnPs);
        data = uint64_t{high.data} << 32 | low.data;
        control = static_cast<uint8_t>(high.control << 4 | low.control);
    }
    reader_.column(static_cast<uint32_t>(data), control & 0xf, now_ps);
    reader_.column(static_cast<uint32_t>(data >> 32), control >> 4, now_ps + kColumnPs);
    return control != 0xff || data != 0x0707070707070707ull;
}

}  // namespace fdw
