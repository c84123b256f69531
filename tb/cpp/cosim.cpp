// The two faces of the co-simulation: DPI-C towards fdw_tb.sv (once a clock), C towards Python (ctypes).
#include "cosim.h"

#include <algorithm>
#include <cstring>

namespace fdw {

uint64_t now_ps = 0;
uint64_t cycles = 0;
Cosim cosim;

}  // namespace fdw

using fdw::Channel;
using fdw::cosim;
using fdw::Event;
using fdw::Step;

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
    kMemWaits = 1u << 13,  // a valid without its ready on AR, AW or W
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
    if (cosim.sent.word(static_cast<uint64_t>(data), static_cast<uint8_t>(control))) {
        if (cosim.wire_slack) {
            cosim.alarm = std::min(cosim.alarm, fdw::now_ps + cosim.wire_slack);
        } else {
            cosim.wake = true;
        }
    }
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
        cosim.log.note(Event::kLink, cosim.link_up);
    }
    if (cosim.reset_cycles) {
        --cosim.reset_cycles;
        cosim.memory.reset();
        cosim.rules.reset();
        cosim.sent.reset();
        cosim.irq = false;
        cosim.quiet = 0;
        cosim.at_rest = false;
        return static_cast<int>(kReset | (cosim.link_up ? kLinkUp : 0));
    }
    bool wake = cosim.wake;
    cosim.wake = false;
    wake |= cosim.registers.clock(in & kAwTaken, in & kWTaken, in & kBValid, in & kArTaken, in & kRValid,
                                  static_cast<uint32_t>(rdata));
    if (in & kMemRTaken) observe({Channel::kR, cosim.memory.read_beat().id, 0, 0, 0, cosim.memory.read_beat().last});
    if (in & kMemBTaken) observe({Channel::kB, cosim.memory.response_id()});
    cosim.memory.clock(in & kMemRTaken, in & kMemBTaken, in & kMemWaits);
    if (in & kRxTap) cosim.log.note(Event::kRxDecision, static_cast<uint8_t>(in >> 9 & 15));
    bool irq = in & kIrq;
    if (cosim.plant_no_irq && irq && !cosim.irq) irq = false;
    if (irq != cosim.irq) {
        cosim.irq = irq;
        cosim.log.note(Event::kIrq, irq);
        wake = true;
    }
    const bool due = fdw::now_ps >= cosim.alarm;
    if (due) cosim.alarm = UINT64_MAX;
    bool tell_cocotb = false;
    if ((wake || due) && cosim.on_wake) {
        // Called straight from here, Python's loop costs a fifth of a trip through VPI and cocotb's scheduler.
        const std::vector<uint8_t>& log = cosim.log.take();
        cosim.script.inside = true;
        const uint64_t next = cosim.on_wake(fdw::now_ps, log.data(), log.size());
        cosim.script.step(Step::kAlarm, next);
        cosim.script.inside = false;
        tell_cocotb = !next;
        cosim.alarm = next ? next : UINT64_MAX;
    }
    // An alarm alone moves nothing: what Python does about it shows at registers or wire.
    const bool active = wake || tell_cocotb || cosim.tx_active || in & kMemWaits || cosim.registers.busy() || cosim.memory.busy() ||
                        cosim.received.busy();
    cosim.quiet = active ? 0 : cosim.quiet + 1;
    cosim.at_rest &= !active;
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
void fdw_set_alarm(uint64_t when) {
    cosim.script.step(Step::kAlarm, when);
    cosim.alarm = when;
}
// Nothing changes in the NIC until Python orders something, which it has not just done.
int fdw_quiet() { return cosim.at_rest && cosim.steady(); }

const uint8_t* fdw_log_bytes() { return cosim.log.bytes().data(); }
uint64_t fdw_log_size() { return cosim.log.bytes().size(); }
void fdw_log_clear() { cosim.log.clear(); }
// What is logged of the NIC's ports, besides what the seams need: 0 nothing, 1 everything, DMA included, 2 registers.
void fdw_log_all(int level) {
    cosim.memory.log_transfers(level == fdw::EventLog::kAll);
    cosim.log.select(static_cast<fdw::EventLog::Level>(level));
}
// Cycles in a row, up to now, in which nothing moved at any port.
uint64_t fdw_idle() { return cosim.quiet; }

void fdw_memory_attach(uint8_t* bytes, uint64_t base, uint64_t size) {
    cosim.script.step(Step::kAttach, base, size);
    cosim.memory.attach(bytes, base, size);
}
// `count` regions of three words each (base, size, pointer) instead. Not in a script: their owner writes to them, too.
void fdw_memory_regions(const uint64_t* words, uint64_t count) {
    std::vector<fdw::AxiMemory::Region> regions;
    for (uint64_t i = 0; i < count; ++i, words += 3) regions.push_back({words[0], words[1], reinterpret_cast<uint8_t*>(words[2])});
    cosim.memory.attach(std::move(regions));
}
// `packed`: the words of a MemoryConfig.
void fdw_memory_configure(const uint8_t* packed) {
    fdw::MemoryConfig config;
    std::memcpy(&config, packed, sizeof config);
    cosim.script.step(Step::kMemory, 0, 0, &config, sizeof config);
    cosim.memory.configure(config);
    cosim.at_rest = false;
}
// Not in a script: there each fault is a failure of its own.
void fdw_memory_translate(const uint16_t* pages) { cosim.memory.translate(pages); }
void fdw_memory_fail_nth(int write, uint32_t nth, uint32_t response) {
    cosim.script.step(Step::kFail, uint64_t{write != 0} << 32 | nth, response);
    cosim.memory.fail_nth(write != 0, nth, static_cast<uint8_t>(response));
}

void fdw_mmio_write(uint32_t offset, uint32_t value, uint32_t strobes) {
    cosim.script.step(Step::kMmioWrite, offset, uint64_t{strobes} << 32 | value);
    cosim.registers.write(static_cast<uint16_t>(offset), value, static_cast<uint8_t>(strobes));
}
void fdw_mmio_read(uint32_t offset) {
    cosim.script.step(Step::kMmioRead, offset);
    cosim.registers.read(static_cast<uint16_t>(offset));
}

void fdw_wire_send(const uint8_t* frame, uint64_t length, uint64_t start, int error) {
    cosim.script.step(Step::kWireSend, start, error != 0, frame, length);
    cosim.received.queue(frame, length, start, error != 0);
}
// `count` frames, one behind the other in `frames`, from `start` on as close as the gap allows.
void fdw_wire_send_many(const uint8_t* frames, const uint32_t* lengths, uint64_t count, uint64_t start) {
    for (uint64_t i = 0; i < count; frames += lengths[i++]) fdw_wire_send(frames, lengths[i], start, 0);
}
void fdw_wire_send_raw(const uint64_t* words, uint64_t count) {
    cosim.script.step(Step::kWireRaw, count, 0, words, 2 * count * sizeof *words);
    cosim.received.queue_raw(words, count);
}
void fdw_wire_gap(uint32_t bytes) {
    cosim.script.step(Step::kWireGap, bytes);
    cosim.received.minimum_gap = bytes;
}
// Python may hear of a frame sent so many ps late.
void fdw_wire_slack(uint64_t slack) {
    cosim.script.step(Step::kWireSlack, slack);
    cosim.wire_slack = slack;
}
void fdw_link(int up) {
    cosim.script.step(Step::kLink, up != 0);
    cosim.link_wanted = up != 0;
    cosim.quiet = 0;
    cosim.at_rest = false;
}
void fdw_on_wake(fdw::WakeCallback callback) { cosim.on_wake = callback; }

// Hold the reset pin; what was queued towards the NIC is forgotten.
void fdw_reset(uint32_t held) {
    cosim.script.step(Step::kReset, held);
    cosim.reset_cycles = held;
    cosim.registers.reset();
    cosim.received.reset();
    cosim.memory.plant_length_bit = cosim.memory.plant_twice = false;
    cosim.sent.plant_swap = cosim.plant_no_irq = false;
    cosim.log.note(Event::kReset, 0);
}

// Plant a bug: 0 a flipped bit in a used length, 1 a used entry written twice, 2 two swapped bytes in a
// frame sent, 3 the interrupt line stuck low from its next rise on.
void fdw_plant(uint32_t which) {
    cosim.script.step(Step::kPlant, which);
    if (which == 0) cosim.memory.plant_length_bit = true;
    if (which == 1) cosim.memory.plant_twice = true;
    if (which == 2) cosim.sent.plant_swap = true;
    if (which == 3) cosim.plant_no_irq = true;
}

// For a script: a moment that matters, and the last one.
void fdw_mark(int last) { cosim.script.step(last ? Step::kEnd : Step::kMark, cosim.sent.digest); }

// Waves. False: a build without them, or it is not the time for that (cosim.h).
int fdw_waves_format() { return cosim.waves ? cosim.waves->format() : 0; }
int fdw_waves_start(const char* path, uint64_t until) { return cosim.waves && cosim.waves->start(path, until); }
int fdw_waves_stop() { return cosim.waves && cosim.waves->stop(); }
int fdw_waves_keep(const char* files, uint64_t cycles) { return cosim.waves && cosim.waves->keep(files, cycles); }
int fdw_waves_show(const char* path, uint64_t from) { return cosim.waves && cosim.waves->show(path, from); }

// Figures: 0 reads, 1 writes, 2 read beats, 3 write beats, 4 AXI violations, 5 wire frames out,
// 6 XGMII violations, 7 shortest gap, 8 breaches of the ring's rules, 9 bursts that overtook another, 10 and 11 most
// reads and writes outstanding at once.
uint64_t fdw_figure(uint32_t which) {
    const uint64_t figures[] = {cosim.memory.reads,      cosim.memory.writes,    cosim.memory.read_beats,
                                cosim.memory.write_beats, cosim.memory.violations, cosim.sent.frames,
                                cosim.sent.violations,    cosim.sent.shortest_gap, cosim.rules.violations,
                                cosim.memory.overtakes,   cosim.memory.most_reads, cosim.memory.most_writes};
    return which < sizeof figures / sizeof *figures ? figures[which] : 0;
}

// Where the NIC is in a queue's ring: positions, counted without end, of the oldest chain that it has read and not used,
// and of the descriptor that it reads next. False: it is not known.
int fdw_ring_place(uint32_t queue, uint64_t* oldest, uint64_t* next) { return cosim.rules.place(queue, oldest, next); }

// Slots of a queue's ring that the NIC has given back since it started last, also after it has stopped.
uint64_t fdw_ring_used(uint32_t queue) { return cosim.rules.given_back(queue); }

// Breaches of the ring's rules: forget them; the first one, in words.
void fdw_rules_clear() { cosim.rules.clear(); }
const char* fdw_first_breach() { return cosim.rules.first.c_str(); }

}  // extern "C"
