// A script (script.h) played again: what Python did, at the same clock edges, without Python.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "cosim.h"

// The C functions that Python calls (cosim.cpp).
extern "C" {
void fdw_mmio_write(uint32_t offset, uint32_t value, uint32_t strobes);
void fdw_mmio_read(uint32_t offset);
void fdw_wire_send(const uint8_t* frame, uint64_t length, uint64_t start, int error);
void fdw_wire_send_raw(const uint64_t* words, uint64_t count);
void fdw_wire_gap(uint32_t bytes);
void fdw_wire_slack(uint64_t slack);
void fdw_link(int up);
void fdw_reset(uint32_t held);
void fdw_plant(uint32_t which);
void fdw_memory_fail_nth(int write, uint32_t nth, uint32_t response);
void fdw_set_alarm(uint64_t when);
void fdw_log_all(int on);
}

namespace fdw {

class Replay {
public:
    // The script in `parts`, one behind the other. There is one at a time.
    explicit Replay(const std::vector<std::string>& parts) {
        for (const std::string& part : parts) {
            append(steps_, part);
            append(reads_, part + ".reads");
        }
        reads_.resize(reads_.size() + 16);  // so that its end has an address
        current() = this;
        cosim.memory.replayed = reads_.data();
        cosim.memory.translate(nullptr);
        cosim.on_wake = [](uint64_t, const uint8_t*, uint64_t) { return current()->wake(); };
        fdw_log_all(0);
    }

    // One edge of the clock of `top`, the next one that was not left out; `next` (ps) moves on behind it.
    template <class Top>
    void edge(Top& top, uint64_t& next) {
        due(false);
        if (rising_ && !top.clk) {
            next = rising_;
            rising_ = 0;
        }
        now_ps = next;
        next += kHalfPs;
        top.clk = !top.clk;
        top.eval();
    }

    bool ended = false;   // by its last step, or by the file's end
    bool whole = false;   // it had a last step
    uint64_t digest = 0;  // of the frames sent in the recorded run
    void (*on_mark)() = nullptr;

private:
    static Replay*& current() {
        static Replay* replay = nullptr;
        return replay;
    }

    static void append(std::vector<uint8_t>& bytes, const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        if (!file) throw std::runtime_error("cannot read " + path);
        bytes.insert(bytes.end(), std::istreambuf_iterator<char>(file), {});
    }

    // Every step that is due: those of this edge (`inside`), or those from outside up to it.
    void due(bool inside) {
        while (!ended) {
            StepHead head;
            if (at_ + sizeof head > steps_.size()) {
                ended = true;
                return;
            }
            std::memcpy(&head, steps_.data() + at_, sizeof head);
            if (head.cycle > cycles || bool(head.inside) != inside) return;
            if (head.cycle < cycles && inside) throw std::runtime_error("the run is not the recorded one: a step was due earlier");
            at_ += sizeof head;
            perform(head, steps_.data() + at_);
            at_ += (head.length + 7) & ~7u;
        }
    }

    uint64_t wake() {
        answer_ = cosim.alarm;
        due(true);
        return answer_;
    }

    void perform(const StepHead& head, const uint8_t* payload) {
        switch (head.step) {
            case Step::kMmioWrite: return fdw_mmio_write(static_cast<uint32_t>(head.a), static_cast<uint32_t>(head.b), static_cast<uint32_t>(head.b >> 32));
            case Step::kMmioRead: return fdw_mmio_read(static_cast<uint32_t>(head.a));
            case Step::kWireSend: return fdw_wire_send(payload, head.length, head.a, head.b != 0);
            case Step::kWireRaw: return fdw_wire_send_raw(reinterpret_cast<const uint64_t*>(payload), head.a);
            case Step::kWireGap: return fdw_wire_gap(static_cast<uint32_t>(head.a));
            case Step::kWireSlack: return fdw_wire_slack(head.a);
            case Step::kLink: return fdw_link(head.a != 0);
            case Step::kReset: return fdw_reset(static_cast<uint32_t>(head.a));
            case Step::kPlant: return fdw_plant(static_cast<uint32_t>(head.a));
            case Step::kFail: return fdw_memory_fail_nth(head.a >> 32 & 1, static_cast<uint32_t>(head.a), static_cast<uint32_t>(head.b));
            case Step::kAlarm:
                if (head.inside) {
                    answer_ = head.a;
                } else {
                    fdw_set_alarm(head.a);
                }
                return;
            case Step::kMark: return on_mark();
            case Step::kMemory: {
                MemoryConfig config;
                std::memcpy(&config, payload, sizeof config);
                return cosim.memory.configure(config);
            }
            case Step::kAttach:
                memory_.assign(head.b, 0);
                return cosim.memory.attach(memory_.data(), head.a, head.b);
            case Step::kLeaveOut: rising_ = head.a; return;
            case Step::kEnd:
                digest = head.a;
                ended = whole = true;
                return;
        }
        throw std::runtime_error("a step of an unknown kind: the script is damaged");
    }

    std::vector<uint8_t> steps_, reads_, memory_;
    size_t at_ = 0;
    uint64_t answer_ = 0;
    uint64_t rising_ = 0;  // when the next rising edge comes, if edges before it were left out
};

}  // namespace fdw
