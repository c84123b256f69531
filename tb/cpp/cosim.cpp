// The two faces of the co-simulation: DPI-C towards fdw_tb.sv (once a clock), C towards Python (ctypes).
#include "cosim.h"

#include <cstring>

namespace fdw {

uint64_t now_ps = 0;
uint64_t cycles = 0;
Cosim cosim;

}  // namespace fdw

using fdw::Channel;
using fdw::cosim;
using fdw::Event;

namespace {

// Bits of fdw_clock's argument; fdw_tb.sv packs them in this order.
enum In : uint32_t {
    kArTaken = 1u << 0,  // AXI-Lite
    kAwTaken = 1u << 1,
    kWTaken = 1u << 2,
    kBValid = 1u << 3,
    kRValid = 1u << 4,
    kMemRTaken = 1u << 5,  // AXI4
    kMemBTaken = 1u << 6,
    kIrq = 1u << 7,
    kRxTap = 1u << 8,  // status in bits 12:9
};

// Bits of fdw_clock's result.
enum Out : uint32_t {
    kReset = 1u << 0,
    kLinkUp = 1u << 1,
    kAr = 1u << 2,  // AXI-Lite
    kAw = 1u << 3,
    kW = 1u << 4,
    kMemArReady = 1u << 5,
    kMemAwReady = 1u << 6,
    kMemWReady = 1u << 7,
    kMemRValid = 1u << 8,
    kMemRNew = 1u << 9,
    kMemBValid = 1u << 10,
    kMemBId = 1u << 11,  // bits 14:11
    kMemBResp = 1u << 15,  // bits 16:15
    kRxWord = 1u << 17,
    kWake = 1u << 18,
};

uint64_t rx_data;
uint8_t rx_control;

void observe(const fdw::Handshake& what) {
    if (cosim.observer) cosim.observer->handshake(what);
}

}  // namespace

extern "C" {

// ---- DPI-C, called by fdw_tb.sv -------------------------------------------------------------------

void fdw_ar(int id, long long address, int len, int size, int burst) {
    observe({Channel::kAr, static_cast<uint8_t>(id), static_cast<uint64_t>(address), (static_cast<uint32_t>(len) + 1) << size});
    cosim.memory.read_request(static_cast<uint8_t>(id), static_cast<uint64_t>(address), static_cast<uint8_t>(len),
                              static_cast<uint8_t>(size), static_cast<uint8_t>(burst));
}

void fdw_aw(int id, long long address, int len, int size, int burst) {
    observe({Channel::kAw, static_cast<uint8_t>(id), static_cast<uint64_t>(address), (static_cast<uint32_t>(len) + 1) << size});
    cosim.memory.write_request(static_cast<uint8_t>(id), static_cast<uint64_t>(address), static_cast<uint8_t>(len),
                               static_cast<uint8_t>(size), static_cast<uint8_t>(burst));
}

void fdw_w(const uint32_t* data, int strobes, int last) {
    observe({Channel::kW, 0, 0, 0, static_cast<uint16_t>(strobes), last != 0});
    cosim.memory.write_beat(data, static_cast<uint16_t>(strobes), last != 0);
}

void fdw_tx_word(long long data, int control) {
    cosim.tx_active = true;
    // A segment may be gone before the burst that holds its end, and more, has ended.
    if (control && cosim.sent.in_frame()) cosim.memory.log_begun();
    cosim.wake |= cosim.sent.word(static_cast<uint64_t>(data), static_cast<uint8_t>(control));
}

void fdw_rx_word(long long* data, int* control) {
    *data = static_cast<long long>(rx_data);
    *control = rx_control;
}

void fdw_r_beat(int* id, uint32_t* data, int* resp, int* last) {
    const fdw::ReadBeat& beat = cosim.memory.read_beat();
    *id = beat.id;
    *resp = beat.resp;
    *last = beat.last;
    std::memcpy(data, beat.data, sizeof beat.data);
}

void fdw_axil(int* offset, int* value, int* strobes) {
    *offset = cosim.registers.offset();
    *value = static_cast<int>(cosim.registers.value());
    *strobes = cosim.registers.strobes();
}

int fdw_clock(int in_flags, int rdata) {
    const uint32_t in = static_cast<uint32_t>(in_flags);
    ++fdw::cycles;
    if (cosim.link_up != cosim.link_wanted) {
        cosim.link_up = cosim.link_wanted;
        cosim.log.add(Event::kLink, cosim.link_up, 0, 0, 0);
    }
    if (cosim.reset_cycles) {
        --cosim.reset_cycles;
        cosim.memory.reset();
        cosim.sent.reset();
        cosim.irq = false;
        return static_cast<int>(kReset | (cosim.link_up ? kLinkUp : 0));
    }
    bool wake = cosim.wake;
    cosim.wake = false;
    wake |= cosim.registers.clock(in & kAwTaken, in & kWTaken, in & kBValid, in & kArTaken, in & kRValid,
                                  static_cast<uint32_t>(rdata));
    if (in & kMemRTaken) observe({Channel::kR, cosim.memory.read_beat().id, 0, 0, 0, cosim.memory.read_beat().last});
    if (in & kMemBTaken) observe({Channel::kB, cosim.memory.response_id()});
    cosim.memory.clock(in & kMemRTaken, in & kMemBTaken);
    if (in & kRxTap) cosim.log.add(Event::kRxDecision, static_cast<uint8_t>(in >> 9 & 15), 0, 0, 0);
    bool irq = in & kIrq;
    if (cosim.plant_no_irq && irq && !cosim.irq) irq = false;
    if (irq != cosim.irq) {
        cosim.irq = irq;
        cosim.log.add(Event::kIrq, irq, 0, 0, 0);
        wake = true;
    }
    const bool due = fdw::now_ps >= cosim.alarm;
    if (due) cosim.alarm = UINT64_MAX;
    // Called straight from here, Python's loop costs a fifth of a trip through VPI and cocotb's scheduler.
    const bool tell_cocotb = (wake || due) && cosim.on_wake && cosim.on_wake();
    // An alarm alone moves nothing: what Python does about it shows at registers or wire.
    const bool active = wake || tell_cocotb || cosim.tx_active || cosim.registers.busy() || cosim.memory.busy() || cosim.received.busy();
    cosim.quiet = active ? 0 : cosim.quiet + 1;
    cosim.tx_active = false;
    uint32_t out = 0;
    if (cosim.link_up) out |= kLinkUp;
    if (cosim.registers.ar()) out |= kAr;
    if (cosim.registers.aw()) out |= kAw;
    if (cosim.registers.w()) out |= kW;
    if (cosim.memory.ar_ready()) out |= kMemArReady;
    if (cosim.memory.aw_ready()) out |= kMemAwReady;
    if (cosim.memory.w_ready()) out |= kMemWReady;
    if (cosim.memory.read_valid()) out |= kMemRValid;
    if (cosim.memory.read_is_new()) out |= kMemRNew;
    if (cosim.memory.response_valid())
        out |= kMemBValid | kMemBId * cosim.memory.response_id() | kMemBResp * cosim.memory.response();
    // Reset may just have been ordered: a frame queued behind it begins when it is over.
    if (!cosim.reset_cycles && cosim.received.busy() && cosim.received.word(rx_data, rx_control)) out |= kRxWord;
    if (tell_cocotb) out |= kWake;
    return static_cast<int>(out);
}

// ---- C, called by Python through ctypes (tb/cosim/library.py) ----------------------------------------

uint64_t fdw_now() { return fdw::now_ps; }
uint64_t fdw_cycles() { return fdw::cycles; }
void fdw_set_alarm(uint64_t when) { cosim.alarm = when; }
int fdw_quiet() {  // also of what Python has just ordered
    return cosim.quiet > fdw::kQuietCycles && !cosim.registers.busy() && !cosim.received.busy();
}

const uint8_t* fdw_log_bytes() { return cosim.log.bytes().data(); }
uint64_t fdw_log_size() { return cosim.log.bytes().size(); }
void fdw_log_clear() { cosim.log.clear(); }
void fdw_log_transfers(int on) { cosim.memory.log_transfers(on != 0); }

void fdw_memory_attach(uint8_t* bytes, uint64_t base, uint64_t size) { cosim.memory.attach(bytes, base, size); }
// `stalls`: five bytes of per cent, for AR, R, AW, W and B.
void fdw_memory_configure(uint32_t read_latency, uint32_t write_latency, uint32_t jitter, const uint8_t* stalls,
                          uint32_t seed) {
    fdw::MemoryConfig config{read_latency, write_latency, jitter, {}, seed};
    for (int i = 0; i < 5; ++i) config.stall[i] = stalls[i];
    cosim.memory.configure(config);
}
void fdw_memory_fail_nth(int write, uint32_t nth, uint32_t response) {
    cosim.memory.fail_nth(write != 0, nth, static_cast<uint8_t>(response));
}
void fdw_memory_fail_once(uint64_t address) { cosim.memory.fail_once(address); }

void fdw_mmio_write(uint32_t offset, uint32_t value, uint32_t strobes) {
    cosim.registers.write(static_cast<uint16_t>(offset), value, static_cast<uint8_t>(strobes));
}
void fdw_mmio_read(uint32_t offset) { cosim.registers.read(static_cast<uint16_t>(offset)); }

void fdw_wire_send(const uint8_t* frame, uint64_t length, uint64_t start, int error) {
    cosim.received.queue(frame, length, start, error != 0);
}
void fdw_wire_send_raw(const uint64_t* words, uint64_t count) { cosim.received.queue_raw(words, count); }
void fdw_wire_gap(uint32_t bytes) { cosim.received.minimum_gap = bytes; }
void fdw_link(int up) {
    cosim.link_wanted = up != 0;
    cosim.quiet = 0;
}
void fdw_on_wake(int (*callback)()) { cosim.on_wake = callback; }

// Hold the reset pin; what was queued towards the NIC is forgotten.
void fdw_reset(uint32_t held) {
    cosim.reset_cycles = held;
    cosim.registers.reset();
    cosim.received.reset();
    cosim.memory.plant_length_bit = cosim.memory.plant_twice = false;
    cosim.sent.plant_swap = cosim.plant_no_irq = false;
    cosim.log.add(Event::kReset, 0, 0, 0, 0);
}

// Plant a bug: 0 a flipped bit in a used length, 1 a used entry written twice, 2 two swapped bytes in a
// frame sent, 3 the interrupt line stuck low from its next rise on.
void fdw_plant(uint32_t which) {
    if (which == 0) cosim.memory.plant_length_bit = true;
    if (which == 1) cosim.memory.plant_twice = true;
    if (which == 2) cosim.sent.plant_swap = true;
    if (which == 3) cosim.plant_no_irq = true;
}

// Figures: 0 reads, 1 writes, 2 read beats, 3 write beats, 4 AXI violations, 5 wire frames out,
// 6 XGMII violations, 7 shortest gap.
uint64_t fdw_figure(uint32_t which) {
    const uint64_t figures[] = {cosim.memory.reads,      cosim.memory.writes,    cosim.memory.read_beats,
                                cosim.memory.write_beats, cosim.memory.violations, cosim.sent.frames,
                                cosim.sent.violations,    cosim.sent.shortest_gap};
    return which < sizeof figures / sizeof *figures ? figures[which] : 0;
}

}  // extern "C"
