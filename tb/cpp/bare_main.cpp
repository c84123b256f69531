// The NIC driven by C++ alone: no Python, no VPI. Measures rate and latency, and is the co-simulation's yardstick.
//
// Arguments are NAME=VALUE: mode (rate, latency, replay), script (replay: the file, see script.h), frame (bytes with FCS), direction (tx, rx, both), memory (latency in
// cycles), features (accepted, 64 bits), offload (1: transmitted frames ask for their checksum), indirect (1: transmit
// chains are tables), mtu_register, mtu; rate: cycles, tso (1: the driver posts TSO chains that become frames of this
// size); latency: count (frames measured).
//
// rate: both rings are kept full, the wire offers frames back to back; one line of JSON with flat figures.
// latency: one frame at a time, the NIC at rest before each; a JSON list with one object per frame: {"direction",
// "moments": [[name, edge], …]}, names as in bench_bus.h, and doorbell, wire start, wire end, irq.
// replay: what Python did in a recorded run, at the same clock edges; cycles and seconds between its two marks.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "Vtop.h"
#include "bench_bus.h"
#include "bench_frame.h"
#include "bench_ring.h"
#include "cosim.h"
#include "replay.h"
#include "verilated.h"

double sc_time_stamp() { return static_cast<double>(fdw::now_ps); }

namespace {

using namespace fdw::bench;
using fdw::cosim;
using Event = fdw::Event;

constexpr uint64_t kMrgRxbuf = 1u << 15, kEventIdx = 1u << 29;
constexpr uint8_t kNeedsCsum = 1, kTcpV4 = 1;
constexpr uint8_t kStored = 7;  // tap status of a good frame
constexpr uint32_t kTsoFrame = 54 + 44 * 1460;

std::unique_ptr<Vtop> top;
BusProbe probe;

struct Arguments : std::map<std::string, std::string> {
    Arguments(int argc, char** argv) {
        for (int i = 1; i < argc; ++i) {
            const std::string text = argv[i];
            const size_t equals = text.find('=');
            if (equals == std::string::npos) throw std::runtime_error("not NAME=VALUE: " + text);
            (*this)[text.substr(0, equals)] = text.substr(equals + 1);
        }
    }
    uint64_t number(const char* name, uint64_t otherwise) const {
        const auto found = find(name);
        return found == end() ? otherwise : std::stoull(found->second, nullptr, 0);
    }
    std::string text(const char* name, const char* otherwise) const {
        const auto found = find(name);
        return found == end() ? otherwise : found->second;
    }
};

void write(uint16_t offset, uint32_t value) { cosim.registers.write(offset, value, 15); }

void run(uint64_t cycles) {
    for (uint64_t i = 0; i < 2 * cycles; ++i) {
        fdw::now_ps += fdw::kHalfPs;
        top->clk = !top->clk;
        top->eval();
    }
}

void run_until_written() {
    while (cosim.registers.busy()) run(1);
}

struct Record {
    Event type;
    uint8_t a;
    uint16_t b;
    uint64_t time, c;
    const uint8_t* payload;
    uint32_t length;
};

// Hands every record of the log to `take` and empties it.
template <class Take>
void drain(Take take) {
    const std::vector<uint8_t>& log = cosim.log.bytes();
    for (size_t p = 0; p < log.size();) {
        Record r{static_cast<Event>(log[p]), log[p + 1], 0, 0, 0, &log[p] + fdw::EventLog::kHeader, 0};
        std::memcpy(&r.b, &log[p + 2], 2);
        std::memcpy(&r.length, &log[p + 4], 4);
        std::memcpy(&r.time, &log[p + 8], 8);
        std::memcpy(&r.c, &log[p + 16], 8);
        take(r);
        p += fdw::EventLog::kHeader + ((r.length + 7) & ~7u);
    }
    cosim.log.clear();
}

// Both queues, memory and the NIC, ready to run.
struct Bench {
    uint32_t frame_bytes;
    uint64_t features;
    bool offload, tso;
    std::vector<uint8_t> on_wire;  // with FCS
    Ring rx, tx;
    uint32_t rx_slots_per_frame;

    explicit Bench(const Arguments& arguments)
        : frame_bytes(static_cast<uint32_t>(arguments.number("frame", 1518))),
          features(arguments.number("features", 0)),
          offload(arguments.number("offload", 0) != 0),
          tso(arguments.number("tso", 0) != 0),
          on_wire(fdw::with_fcs(fdw::build_frame(frame_bytes - fdw::kFcsBytes, false))),
          rx{0, 2048, false, (features & kEventIdx) != 0},
          tx{1, kHeader + (tso ? kTsoFrame : frame_bytes - fdw::kFcsBytes), arguments.number("indirect", 0) != 0, (features & kEventIdx) != 0} {
        const uint32_t stored = kHeader + frame_bytes - fdw::kFcsBytes;
        if (!(features & kMrgRxbuf) && stored > rx.length) rx.length = stored;
        rx_slots_per_frame = (stored + rx.length - 1) / rx.length;
        probe.per_frame[rx.queue] = rx_slots_per_frame;
        const uint32_t cycles = static_cast<uint32_t>(arguments.number("memory", 32));
        fdw::MemoryConfig config;
        config.read_latency = config.write_latency = cycles;
        cosim.memory.configure(config);
        cosim.memory.attach(memory().data(), kBase, kMemory);
        cosim.observer = &probe;
        fill();
        top->clk = 0;
        top->eval();
        run(32);
        // Status is 0 after rst: the only time when the register can be written.
        if (const uint64_t offset = arguments.number("mtu_register", 0)) write(static_cast<uint16_t>(offset), static_cast<uint32_t>(arguments.number("mtu", 1500)));
        for (uint32_t status : {1u, 3u}) write(0x70, status);
        const uint64_t accepted = features | 5ull << 32;  // VERSION_1, RING_PACKED
        for (uint32_t half = 0; half < 2; ++half) {
            write(0x24, half);
            write(0x20, static_cast<uint32_t>(accepted >> (32 * half)));
        }
        write(0x70, 11);
        for (const Ring* ring : {&rx, &tx}) start(*ring);
        write(0x70, 15);
        run_until_written();
        run(16);
    }

    void fill() const {
        const std::vector<uint8_t> frame = fdw::build_frame(tso ? kTsoFrame : frame_bytes - fdw::kFcsBytes, offload || tso);
        uint8_t header[kHeader] = {};
        if (offload || tso) {
            header[0] = kNeedsCsum;
            header[6] = fdw::kEthernet + fdw::kIpv4;
            header[8] = fdw::kTcpChecksum;
        }
        if (tso) {
            const uint16_t size = static_cast<uint16_t>(frame_bytes - fdw::kFcsBytes - fdw::kEthernet - fdw::kIpv4 - fdw::kTcp);
            header[1] = kTcpV4;
            header[2] = fdw::kEthernet + fdw::kIpv4 + fdw::kTcp;
            std::memcpy(header + 4, &size, 2);
        }
        // A TSO chain reaches over its neighbours' buffers: then all slots show the same bytes.
        for (uint16_t i = 0; i < (tso ? 1 : kSlots); ++i) {
            std::memcpy(at(tx.buffer(i)), header, kHeader);
            std::memcpy(at(tx.buffer(i)) + kHeader, frame.data(), frame.size());
        }
    }

    static void start(const Ring& ring) {
        ring.want_interrupts(false);
        write(0x30, ring.queue);
        write(0x38, kSlots);
        const Region regions[] = {kDescriptors, kDriverEvent, kDeviceEvent};
        const uint16_t registers[] = {0x80, 0x90, 0xa0};
        for (int i = 0; i < 3; ++i) {
            const uint64_t address = area(ring.queue, regions[i]);
            write(registers[i], static_cast<uint32_t>(address));
            write(static_cast<uint16_t>(registers[i] + 4), static_cast<uint32_t>(address >> 32));
        }
        write(0x44, 1);
    }
};

int measure_rate(const Arguments& arguments) {
    Bench bench(arguments);
    const uint64_t cycles = arguments.number("cycles", 1000000);
    const std::string direction = arguments.text("direction", "both");
    const bool send = direction != "rx", receive = direction != "tx";
    for (uint16_t i = 0; i < kSlots; ++i) {
        if (receive) bench.rx.post(i, true);
        if (send) bench.tx.post(i, true);
    }
    if (receive) write(0x50, 0);
    if (send) write(0x50, 1);

    uint64_t sent = 0, broken = 0, lost = 0, rx_before = 0, cycles_before = 0, first_sent = 0, last_sent = 0;
    bool checked = !send || bench.tso;
    auto began = std::chrono::steady_clock::now();
    const auto look = [&](const Record& r) {
        if (r.type == Event::kWireOut) {
            broken += r.a;
            if (!r.a && !sent++) first_sent = r.c;
            if (!r.a) last_sent = r.c;
            if (!checked && !r.a) {
                checked = true;
                if (std::vector<uint8_t>(r.payload, r.payload + r.length) != bench.on_wire) throw std::runtime_error("the NIC sent another frame than it was given");
            }
        } else if (r.type == Event::kRxDecision) {
            lost += r.a != kStored;
        }
    };
    // The first lap fills the pipeline and is not counted.
    for (const uint64_t lap : {uint64_t{20000}, cycles}) {
        sent = broken = lost = 0;
        probe.restart();
        rx_before = bench.rx.done;
        cycles_before = fdw::cycles;
        began = std::chrono::steady_clock::now();
        while (fdw::cycles - cycles_before < lap) {
            while (receive && cosim.received.waiting() < 16) cosim.received.queue(bench.on_wire.data(), bench.on_wire.size(), 0, false);
            run(64);
            if (send && bench.tx.recycle()) write(0x50, 1);
            if (receive && bench.rx.recycle()) write(0x50, 0);
            drain(look);
        }
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    if (!checked) throw std::runtime_error("the NIC sent nothing");
    // From the first of a kind to the last: free of what the window's ends cut off.
    const double tx_cycles = sent > 1 ? static_cast<double>(last_sent - first_sent) / static_cast<double>(fdw::kCyclePs * (sent - 1)) : 0;
    const double rx_cycles = probe.used[0].spacing();
    std::printf("{\"cycles_per_frame_tx\": %.4f, \"cycles_per_frame_rx\": %.4f, ", tx_cycles, rx_cycles);
    std::printf("\"frame_bytes\": %u, \"cycles\": %llu, \"frames_tx\": %llu, \"frames_rx\": %llu, \"broken_tx\": %llu, \"lost_rx\": %llu, ", bench.frame_bytes,
                static_cast<unsigned long long>(fdw::cycles - cycles_before), static_cast<unsigned long long>(sent),
                static_cast<unsigned long long>((bench.rx.done - rx_before) / bench.rx_slots_per_frame), static_cast<unsigned long long>(broken),
                static_cast<unsigned long long>(lost));
    for (int queue = 0; queue < 2; ++queue)
        for (int region = 0; region < kRegions; ++region)
            std::printf("\"%s %s read\": %llu, \"%s %s written\": %llu, ", kQueueNames[queue], kRegionNames[region],
                        static_cast<unsigned long long>(probe.read[queue][region]), kQueueNames[queue], kRegionNames[region],
                        static_cast<unsigned long long>(probe.written[queue][region]));
    std::printf("\"seconds\": %.6f}\n", seconds);
    return 0;
}

int measure_latency(const Arguments& arguments) {
    Bench bench(arguments);
    const std::string direction = arguments.text("direction", "tx");
    const bool send = direction == "tx";
    const uint64_t count = arguments.number("count", 1);
    constexpr uint64_t kRest = 3000, kPatience = 100000;
    Ring& ring = send ? bench.tx : bench.rx;
    if (!send) {
        for (uint16_t i = 0; i < kSlots; ++i) ring.post(i, true);
        write(0x50, 0);
    }
    std::printf("[");
    for (uint64_t i = 0; i < count; ++i) {
        run(kRest + i);  // whatever the last frame has left to do, and another phase for this one
        ring.want_interrupts(true);
        cosim.log.clear();
        probe.moments.clear();
        probe.record = true;
        if (send) {
            ring.post(ring.slot, ring.wrap);
            write(0x50, 1);
        } else {
            // Every second frame starts in lane 4.
            cosim.received.queue(bench.on_wire.data(), bench.on_wire.size(), fdw::now_ps + 2 * fdw::kCyclePs + i % 2 * 4 * fdw::kLanePs, false);
        }
        bool interrupted = false, wire = false;
        const uint64_t began = fdw::cycles;
        std::vector<Moment> moments;
        while (!(interrupted && wire)) {
            if (fdw::cycles - began > kPatience) throw std::runtime_error("no interrupt for a " + direction + " frame");
            run(1);
            drain([&](const Record& r) {
                const uint64_t edge = edge_of(r.time);
                if (r.type == Event::kMmioWrite && r.b == 0x50) moments.push_back({"doorbell", edge});
                if (r.type == Event::kIrq && r.a) {
                    moments.push_back({"irq", edge});
                    interrupted = true;
                }
                if (r.type == Event::kWireOut || r.type == Event::kWireIn) {
                    // Words offered at one edge are sampled by the NIC at the next.
                    const uint64_t later = r.type == Event::kWireIn;
                    moments.push_back({"wire start", edge_of(r.c) + later});
                    moments.push_back({"wire end", edge + later});
                    wire = true;
                }
            });
        }
        probe.record = false;
        moments.insert(moments.end(), probe.moments.begin(), probe.moments.end());
        if (!ring.used()) throw std::runtime_error("an interrupt without a used entry");
        if (send) {
            ring.advance();
        } else {
            ring.recycle();
        }
        write(0x64, 1);
        run_until_written();
        std::printf("%s{\"direction\": \"%s\", \"moments\": [", i ? ",\n " : "", direction.c_str());
        for (size_t m = 0; m < moments.size(); ++m)
            std::printf("%s[\"%s\", %llu]", m ? ", " : "", moments[m].what.c_str(), static_cast<unsigned long long>(moments[m].edge));
        std::printf("]}");
    }
    std::printf("]\n");
    return 0;
}

std::vector<std::pair<uint64_t, std::chrono::steady_clock::time_point>> marks;

int replay(const Arguments& arguments) {
    fdw::Replay script({arguments.text("script", "")});
    script.on_mark = [] { marks.emplace_back(fdw::cycles, std::chrono::steady_clock::now()); };
    top->clk = 0;
    top->eval();
    uint64_t next_edge = fdw::kHalfPs;
    while (!script.ended) script.edge(*top, next_edge);
    if (!script.whole) throw std::runtime_error("the script has no end");
    if (marks.size() != 2) throw std::runtime_error("the script has not two marks");
    if (cosim.sent.digest != script.digest) throw std::runtime_error("the NIC sent other frames than in the recorded run");
    std::printf("{\"cycles\": %llu, \"seconds\": %.6f}\n", static_cast<unsigned long long>(marks[1].first - marks[0].first),
                std::chrono::duration<double>(marks[1].second - marks[0].second).count());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    int result = 1;
    Verilated::commandArgs(argc, argv);
    try {
        const Arguments arguments(argc, argv);
        top = std::make_unique<Vtop>("");
        const std::string mode = arguments.text("mode", "rate");
        result = mode == "replay" ? replay(arguments) : mode == "latency" ? measure_latency(arguments) : measure_rate(arguments);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
    }
    // Before the library's own statics go: a model destroyed after them never returns.
    if (top) top->final();
    top.reset();
    return result;
}
