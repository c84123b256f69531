// Rules of the packed ring (virtio 1.2 §2.8) that cost next to nothing to watch, with a checker in Python or without.
//
// Fed with register writes, beats that the NIC has read, and bursts that it has written. Breaches are counted, the
// first one is kept in words:
//   a used entry is one whole write of 16 bytes to a slot of its ring;
//   it gives back a chain that the NIC has read and not used yet, at that chain's first slot, with that lap's flags;
//   received frames are written into buffers of such chains and nowhere else.
// It judges a life of a queue only while that is plain: not after an error response, a descriptor that no device takes,
// or a start right behind a stop, when transfers of the life before may still come.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "clock.h"

namespace fdw {

class RingRules {
public:
    uint64_t violations = 0;
    std::string first;

    void clear() {
        violations = 0;
        first.clear();
    }

    // Reset pin.
    void reset() {
        for (Queue& queue : queues_) queue = Queue{};
        features_ = {};
        selected_ = word_ = status_ = 0;
    }

    void register_write(uint32_t offset, uint32_t value) {
        Queue& queue = queues_[std::min(selected_, 2u)];
        // Where its areas are cannot be changed while it runs.
        if (queue.running && (offset == 0x038 || offset == 0x080 || offset == 0x084)) return;
        switch (offset) {
            case 0x024: word_ = value; break;
            case 0x020:
                if (word_ < 2 && !(status_ & kFeaturesOk)) features_[word_] = value;
                break;
            case 0x030: selected_ = value; break;
            case 0x038: queue.next_size = value; break;
            case 0x080: queue.next_base = (queue.next_base & ~uint64_t{0xffffffff}) | value; break;
            case 0x084: queue.next_base = (queue.next_base & 0xffffffff) | uint64_t{value} << 32; break;
            case 0x0c0:
                if ((value & 1) && (features_[1] & kFeatureRingReset)) stop(queue);
                break;
            case 0x044:
                if (value & 1) {
                    start(queue);
                } else {
                    stop(queue);
                }
                break;
            case 0x070:
                status_ = value ? status_ | value : 0;
                if (!value)
                    for (Queue& one : queues_) stop(one);
                break;
        }
    }

    // A beat of 16 bytes that the NIC has taken, with any ID but the frames'.
    void read_beat(uint64_t address, const uint8_t* data) {
        for (Queue& queue : queues_) {
            if (!queue.judged) continue;
            if (address - queue.base < 16ull * queue.size) {
                descriptor(queue, address, data);
            } else {
                table_entry(queue, address, data);
            }
        }
    }

    // An access was answered with an error, or broke off: what the NIC still does is its own affair.
    void fault() {
        for (Queue& queue : queues_) queue.judged = false;
    }

    // See fdw_ring_place.
    bool place(uint32_t index, uint64_t* oldest, uint64_t* next) const {
        const Queue& queue = queues_[std::min(index, 2u)];
        *next = queue.next;
        *oldest = !queue.chains.empty() ? queue.chains.front().position : queue.inside ? queue.open.position : queue.next;
        return queue.judged;
    }

    // Of a life that is judged, or was when it was stopped: slots given back.
    uint64_t given_back(uint32_t index) const {
        uint64_t oldest = 0, next = 0;
        place(index, &oldest, &next);
        return oldest;
    }

    // A received frame's bytes, as far as their strobe is set.
    void payload(uint64_t address, const uint8_t* strobes, uint32_t beats) {
        const Queue& queue = queues_[0];
        if (!queue.judged) return;
        const uint32_t bytes = 16 * beats;
        uint32_t from = 0;
        while (from < bytes && !(strobes[from / 8] >> from % 8 & 1)) ++from;
        uint32_t to = bytes;
        while (to > from && !(strobes[(to - 1) / 8] >> (to - 1) % 8 & 1)) --to;
        if (from == to) return;
        const uint64_t start = address + from, end = address + to;
        for (const Chain& chain : queue.chains)
            for (const auto& [first, last] : chain.buffers)
                if (first <= start && end <= last) return;
        for (const auto& [first, last] : queue.open.buffers)
            if (first <= start && end <= last) return;
        breach("write outside buffers", 0, start);
    }

    // What queue `index`'s writer of used entries has written.
    void used(uint32_t index, uint64_t address, const uint8_t* data, const uint8_t* strobes, uint32_t beats) {
        Queue& queue = queues_[index];
        if (queue.ending) {
            settle(queue, data);
            return;
        }
        if (!queue.judged) return;
        if (beats != 1 || strobes[0] != 0xff || strobes[1] != 0xff || address - queue.base >= 16ull * queue.size)
            return breach("used entry torn", index, address);
        uint16_t id, flags;
        std::memcpy(&id, data + 12, 2);
        std::memcpy(&flags, data + 14, 2);
        for (size_t i = 0; i < queue.chains.size(); ++i) {
            const Chain& chain = queue.chains[i];
            if (chain.id != id) continue;
            if (address != queue.base + 16ull * (chain.position % queue.size)) breach("used entry slot", index, address);
            const bool lap = chain.position / queue.size % 2 == 0;
            if (bool(flags & kAvail) != lap || bool(flags & kUsed) != lap) breach("used entry flags", index, address);
            queue.chains.erase(queue.chains.begin() + static_cast<std::ptrdiff_t>(i));
            return;
        }
        breach("used entry unknown", index, address);
    }

private:
    static constexpr uint16_t kNext = 1, kWrite = 2, kIndirect = 4, kAvail = 1u << 7, kUsed = 1u << 15;
    static constexpr uint32_t kFeaturesOk = 8;  // from then on features cannot be changed (§3.1.1)
    static constexpr uint32_t kFeatureIndirect = 1u << 28;   // of the lower word
    static constexpr uint32_t kFeatureRingReset = 1u << 8;  // of the upper word
    static constexpr uint64_t kAfterlife = 16'000'000;  // ps

    struct Chain {
        uint64_t position = 0;  // of its first slot, counted without end
        uint16_t id = 0;
        std::vector<std::pair<uint64_t, uint64_t>> buffers;  // start, end
        uint64_t table = 0, table_end = 0;  // what has not been read of its table
    };
    struct Queue {
        uint64_t base = 0, next_base = 0;  // of this life, and of the next
        uint32_t size = 0, next_size = 0;
        bool running = false, judged = false;
        bool ending = false;  // stopped while it was judged: what is written of it still counts
        bool has_stopped = false;
        uint64_t stopped_at = 0;
        uint64_t next = 0;  // position of the descriptor that the NIC takes next
        bool inside = false;
        uint32_t tables = 0;  // chains of which the table has not been read whole
        Chain open;
        std::deque<Chain> chains;
    };

    void start(Queue& queue) {
        if (queue.running) return;
        const bool fresh = !queue.has_stopped || now_ps > queue.stopped_at + kAfterlife;
        queue.running = true;
        queue.ending = false;
        queue.base = queue.next_base;
        queue.size = queue.next_size;
        queue.judged = fresh && queue.size != 0 && &queue != &queues_[2];
        queue.next = queue.tables = 0;
        queue.inside = false;
        queue.open = {};
        queue.chains.clear();
    }
    void stop(Queue& queue) {
        // Again, too: what looked like a stop need not have been one for the NIC.
        queue.has_stopped |= queue.running;
        queue.stopped_at = now_ps;
        queue.ending |= queue.judged;
        queue.running = queue.judged = false;
    }

    // A used entry that was on its way when the queue stopped.
    static void settle(Queue& queue, const uint8_t* data) {
        uint16_t id;
        std::memcpy(&id, data + 12, 2);
        const auto found = std::find_if(queue.chains.begin(), queue.chains.end(), [id](const Chain& chain) { return chain.id == id; });
        if (found != queue.chains.end()) queue.chains.erase(found);
    }

    void descriptor(Queue& queue, uint64_t address, const uint8_t* data) {
        if (address != queue.base + 16 * (queue.next % queue.size)) return;
        uint64_t start;
        uint32_t length;
        uint16_t id, flags;
        std::memcpy(&start, data, 8);
        std::memcpy(&length, data + 8, 4);
        std::memcpy(&id, data + 12, 2);
        std::memcpy(&flags, data + 14, 2);
        const bool lap = queue.next / queue.size % 2 == 0;
        if (bool(flags & kAvail) != lap || bool(flags & kUsed) == lap) return;
        if (!queue.inside) {
            queue.open = {};
            queue.open.position = queue.next;
            queue.inside = true;
        }
        const bool indirect = flags & kIndirect;
        const bool plain = length && (!indirect || ((features_[0] & kFeatureIndirect) && !(flags & kNext) && queue.open.buffers.empty() &&
                                                    length % 16 == 0 && start % 16 == 0));
        if (!plain || ++queue.next - queue.open.position > queue.size) {
            queue.judged = false;
            return;
        }
        if (indirect) {
            queue.open.table = start;
            queue.open.table_end = start + length;
            ++queue.tables;
        } else {
            queue.open.buffers.emplace_back(start, start + length);
        }
        if (flags & kNext) return;
        queue.inside = false;
        queue.open.id = id;
        queue.chains.push_back(std::move(queue.open));
        queue.open = {};
    }

    void table_entry(Queue& queue, uint64_t address, const uint8_t* data) {
        if (!queue.tables) return;
        for (Chain& chain : queue.chains) {
            if (chain.table == chain.table_end || chain.table != address) continue;
            uint64_t start;
            uint32_t length;
            std::memcpy(&start, data, 8);
            std::memcpy(&length, data + 8, 4);
            chain.buffers.emplace_back(start, start + length);
            chain.table += 16;
            queue.tables -= chain.table == chain.table_end;
            return;
        }
    }

    void breach(const char* rule, uint32_t index, uint64_t address) {
        if (!violations++) {
            char text[96];
            std::snprintf(text, sizeof text, "%s: %s at %#llx, %.1f ns", index ? "TX" : "RX", rule,
                          static_cast<unsigned long long>(address), static_cast<double>(now_ps) / 1000);
            first = text;
        }
    }

    std::array<Queue, 3> queues_;  // the last one is none of the NIC's
    std::array<uint32_t, 2> features_{};
    uint32_t selected_ = 0, word_ = 0, status_ = 0;
};

}  // namespace fdw
