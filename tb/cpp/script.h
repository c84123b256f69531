// What Python did to the NIC, and what host memory held when the NIC read it, written down: enough to send the
// NIC through the same again without Python (replay.h).
//
// PATH: records (little-endian) of u8 step, u8 inside (1: called from a clock edge), u16 0, u32 length, u64 cycle,
// u64 a, u64 b, then `length` bytes padded to 8. PATH.reads: 16 bytes for each beat that a read was answered with.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "clock.h"

namespace fdw {

enum class Step : uint8_t {
    kMmioWrite = 1,  // a = offset, b = value, strobes above it
    kMmioRead,       // a = offset
    kWireSend,       // a = start, b = error; payload = the frame
    kWireRaw,        // a = words; payload = the words
    kWireGap,        // a = bytes
    kWireSlack,      // a = ps
    kLink,           // a = up
    kReset,          // a = cycles
    kPlant,          // a = which
    kFail,           // a = nth, write above it, b = response
    kMemory,         // payload = MemoryConfig
    kAttach,         // a = base, b = size
    kAlarm,          // a = time, 0: cocotb was woken
    kMark,           // a moment that the measurement names
    kEnd,            // a = digest of the frames sent
    kLeaveOut,       // a = when the next rising edge comes
};

struct StepHead {
    Step step;
    uint8_t inside;
    uint16_t zero;
    uint32_t length;
    uint64_t cycle, a, b;
};

class ScriptWriter {
public:
    // Opens nothing, and writes nothing, until then.
    void open(const std::string& path) {
        steps_ = create(path);
        reads_ = create(path + ".reads");
    }
    bool on() const { return steps_ != nullptr; }
    void step(Step step, uint64_t a = 0, uint64_t b = 0, const void* payload = nullptr, size_t length = 0) {
        if (!steps_) return;
        static const char padding[8] = {};
        const StepHead head{step, inside, 0, static_cast<uint32_t>(length), cycles, a, b};
        std::fwrite(&head, sizeof head, 1, steps_);
        if (length) std::fwrite(payload, 1, length, steps_);
        std::fwrite(padding, 1, -length & 7, steps_);
    }
    void read_beat(const uint32_t* data) {
        if (reads_) std::fwrite(data, 16, 1, reads_);
    }
    void flush() {
        if (steps_) std::fflush(steps_);
        if (reads_) std::fflush(reads_);
    }
    void close() {
        if (steps_) std::fclose(steps_);
        if (reads_) std::fclose(reads_);
        steps_ = reads_ = nullptr;
    }

    bool inside = false;

private:
    static std::FILE* create(const std::string& path) {
        std::FILE* file = std::fopen(path.c_str(), "wb");
        if (!file) throw std::runtime_error("cannot write " + path);
        return file;
    }

    std::FILE* steps_ = nullptr;
    std::FILE* reads_ = nullptr;
};

}  // namespace fdw
