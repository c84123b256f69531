// The yardstick: the same RTL, memory and wire, driven by C++ alone. No Python, no VPI.
//
// Both rings are kept full: every frame that was sent is posted again, every buffer that was filled is
// given back, and the wire offers frames back to back.
// Arguments: FRAME_BYTES (with FCS) CYCLES [tx|rx|both [MEMORY_LATENCY_CYCLES]].
// Prints one line of JSON: {"frame_bytes", "cycles", "frames_tx", "frames_rx", "seconds"}.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "Vtop.h"
#include "cosim.h"
#include "verilated.h"

double sc_time_stamp() { return static_cast<double>(fdw::now_ps); }

namespace {

using fdw::cosim;

constexpr uint64_t kBase = 0x100000000ull;
constexpr uint64_t kMemory = 8u << 20;
constexpr uint16_t kSlots = 256;
constexpr uint32_t kBuffer = 2048, kHeader = 12, kFcs = 4;
constexpr uint16_t kWrite = 2, kAvail = 1u << 7, kUsed = 1u << 15;

std::vector<uint8_t> memory(kMemory + 4096);
std::unique_ptr<Vtop> top;

uint8_t* at(uint64_t address) { return memory.data() + (address - kBase); }

// One packed ring whose slot i always holds buffer i (virtio 1.2 §2.8).
struct Ring {
    uint32_t index;
    uint64_t descriptors, driver_event, device_event, buffers;
    uint32_t length;
    uint16_t flags;
    uint16_t slot = 0;
    bool wrap = true;
    uint64_t done = 0;

    void post(uint16_t i, bool phase) {
        uint8_t* d = at(descriptors + 16u * i);
        const uint64_t address = buffers + uint64_t{kBuffer} * i;
        const uint16_t f = static_cast<uint16_t>(flags | (phase ? kAvail : kUsed));
        std::memcpy(d, &address, 8);
        std::memcpy(d + 8, &length, 4);
        std::memcpy(d + 12, &i, 2);
        std::memcpy(d + 14, &f, 2);
    }
    // Gives every used slot straight back, for the next lap.
    bool recycle() {
        bool any = false;
        for (;;) {
            uint16_t f;
            std::memcpy(&f, at(descriptors + 16u * slot + 14), 2);
            if (bool(f & kAvail) != wrap || bool(f & kUsed) != wrap) return any;
            post(slot, !wrap);
            ++done;
            any = true;
            if (++slot == kSlots) {
                slot = 0;
                wrap = !wrap;
            }
        }
    }
    bool wants_kick() const {
        uint16_t f;
        std::memcpy(&f, at(device_event + 2), 2);
        return f == 0;
    }
};

void write(uint16_t offset, uint32_t value) { cosim.registers.write(offset, value, 15); }

void half_cycle() {
    fdw::now_ps += fdw::kHalfPs;
    top->clk = !top->clk;
    top->eval();
}

void run(uint64_t cycles) {
    for (uint64_t i = 0; i < 2 * cycles; ++i) half_cycle();
}

void start_queue(const Ring& r) {
    write(0x30, r.index);
    write(0x38, kSlots);
    const uint64_t addresses[] = {r.descriptors, r.driver_event, r.device_event};
    const uint16_t registers[] = {0x80, 0x90, 0xa0};
    for (int i = 0; i < 3; ++i) {
        write(registers[i], static_cast<uint32_t>(addresses[i]));
        write(static_cast<uint16_t>(registers[i] + 4), static_cast<uint32_t>(addresses[i] >> 32));
    }
    write(0x44, 1);
}

}  // namespace

int main(int argc, char** argv) {
    const uint32_t frame_bytes = argc > 1 ? static_cast<uint32_t>(std::atoi(argv[1])) : 1514 + kFcs;
    const uint64_t cycles = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1000000;
    const std::string direction = argc > 3 ? argv[3] : "both";
    const bool send = direction != "rx", receive = direction != "tx";
    if (argc > 4) {
        fdw::MemoryConfig config;
        config.read_latency = config.write_latency = static_cast<uint32_t>(std::atoi(argv[4]));
        cosim.memory.configure(config);
    }
    Verilated::commandArgs(argc, argv);
    top = std::make_unique<Vtop>("");
    cosim.memory.attach(memory.data(), kBase, kMemory);

    const uint32_t payload = frame_bytes - kFcs;
    Ring rx{0, kBase, kBase + 0x2000, kBase + 0x2010, kBase + 0x100000, kBuffer, kWrite};
    Ring tx{1, kBase + 0x1000, kBase + 0x2020, kBase + 0x2030, kBase + 0x200000, kHeader + payload, 0};
    for (Ring* ring : {&rx, &tx}) {
        const uint16_t no_interrupts = 1;
        std::memcpy(at(ring->driver_event + 2), &no_interrupts, 2);
        for (uint16_t i = 0; i < kSlots; ++i) {
            for (uint32_t b = 0; b < kBuffer; ++b) at(ring->buffers + uint64_t{kBuffer} * i)[b] = static_cast<uint8_t>(b >= kHeader ? b * 7 + i : 0);
            ring->post(i, true);
        }
    }
    // The frame that the wire offers: one that the NIC itself has sent, so its FCS is right.
    top->clk = 0;
    top->eval();
    run(32);
    for (uint32_t status : {0u, 1u, 3u}) write(0x70, status);
    write(0x24, 1);
    write(0x20, 1u << 0 | 1u << 2);  // VERSION_1, RING_PACKED
    write(0x70, 11);
    start_queue(rx);
    start_queue(tx);
    write(0x70, 15);
    write(0x50, 0);
    write(0x50, 1);
    std::vector<uint8_t> sample;
    for (int tries = 0; sample.empty() && tries < 10000; ++tries) {
        run(16);
        const std::vector<uint8_t>& log = cosim.log.bytes();
        for (size_t p = 0; p < log.size();) {
            uint32_t length;
            std::memcpy(&length, &log[p + 4], 4);
            if (log[p] == static_cast<uint8_t>(fdw::Event::kWireOut)) sample.assign(&log[p + 24], &log[p + 24] + length);
            p += 24 + ((length + 7) & ~7u);
        }
        cosim.log.clear();
    }
    if (sample.size() != frame_bytes) {
        std::fprintf(stderr, "the NIC sent %zu bytes instead of a frame of %u\n", sample.size(), frame_bytes);
        return 1;
    }

    uint64_t tx_before = 0, rx_before = 0, cycles_before = 0;
    auto began = std::chrono::steady_clock::now();
    // The first lap fills the pipeline and is not counted.
    for (const uint64_t lap : {uint64_t{20000}, cycles}) {
        tx_before = tx.done;
        rx_before = rx.done;
        cycles_before = fdw::cycles;
        began = std::chrono::steady_clock::now();
        while (fdw::cycles - cycles_before < lap) {
            while (receive && cosim.received.waiting() < 16) cosim.received.queue(sample.data(), sample.size(), 0, false);
            run(64);
            if (send && tx.recycle() && tx.wants_kick()) write(0x50, 1);
            if (rx.recycle() && rx.wants_kick()) write(0x50, 0);
            cosim.log.clear();
        }
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    std::printf("{\"frame_bytes\": %u, \"cycles\": %llu, \"frames_tx\": %llu, \"frames_rx\": %llu, \"seconds\": %.6f}\n", frame_bytes,
                static_cast<unsigned long long>(fdw::cycles - cycles_before), static_cast<unsigned long long>(tx.done - tx_before),
                static_cast<unsigned long long>(rx.done - rx_before), seconds);
    // Before the library's own statics go: a model destroyed after them never returns.
    top->final();
    top.reset();
    return 0;
}
