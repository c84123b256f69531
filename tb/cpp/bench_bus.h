// What the NIC does on its AXI4 port, by queue and region of memory: bytes in all, and each handshake's edge.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "bench_ring.h"
#include "clock.h"
#include "port_observer.h"

namespace fdw::bench {

// The number of the clock edge at which the time `ps` was sampled (the first edge is half a cycle in).
inline uint64_t edge_of(uint64_t ps) { return (ps - kHalfPs) / kCyclePs; }

struct Moment {
    std::string what;
    uint64_t edge;
};

class BusProbe : public PortObserver {
public:
    bool record = false;           // keep the moments
    std::vector<Moment> moments;
    // Bytes asked for by reads, and bytes with a strobe in writes.
    std::array<std::array<uint64_t, kRegions>, 2> read{}, written{};
    // Used entries, of which a frame has `per_frame`: one of each frame is looked at, always the same one.
    struct Series {
        uint64_t count = 0, frames = 0, first = 0, last = 0;
        // Cycles from frame to frame.
        double spacing() const { return frames > 1 ? static_cast<double>(last - first) / static_cast<double>(frames - 1) : 0; }
    };
    std::array<Series, 2> used{};
    std::array<uint32_t, 2> per_frame{1, 1};

    void restart() {
        read = written = {};
        used = {};
    }

    void handshake(const Handshake& what) override {
        switch (what.channel) {
            case Channel::kAr:
                reads_[what.id].push_back(place_of(what.address));
                count(read, reads_[what.id].back(), what.bytes);
                note("AR", reads_[what.id].back(), true);
                break;
            case Channel::kR:
                note("R", reads_[what.id].front(), what.last);
                if (what.last) reads_[what.id].pop_front();
                break;
            case Channel::kAw:
                writes_.push_back(place_of(what.address));
                answers_[what.id].push_back(writes_.back());
                note("AW", writes_.back(), true);
                break;
            case Channel::kW:
                count(written, writes_.front(), static_cast<uint64_t>(__builtin_popcount(what.strobes)));
                note("W", writes_.front(), what.last);
                if (writes_.front().region == kDescriptors) {
                    Series& series = used[writes_.front().queue];
                    if (series.count++ % per_frame[writes_.front().queue] == 0) {
                        if (!series.frames++) series.first = cycles;
                        series.last = cycles;
                    }
                }
                if (what.last) writes_.pop_front();
                break;
            case Channel::kB:
                note("B", answers_[what.id].front(), true);
                answers_[what.id].pop_front();
                break;
        }
    }

private:
    static void count(std::array<std::array<uint64_t, kRegions>, 2>& where, Place place, uint64_t bytes) {
        where[place.queue][place.region] += bytes;
    }
    void note(const char* channel, Place place, bool last) {
        if (!record) return;
        moments.push_back({std::string(kQueueNames[place.queue]) + " " + kRegionNames[place.region] + " " + channel + (last ? " last" : ""),
                           edge_of(now_ps)});
    }

    std::array<std::deque<Place>, 16> reads_, answers_;
    std::deque<Place> writes_;
};

}  // namespace fdw::bench
