// Everything beside the RTL, in one object: memory, registers, wire, the event log, and the alarm.
#pragma once
#include "axi_memory.h"
#include "axil_master.h"
#include "clock.h"
#include "event_log.h"
#include "port_observer.h"
#include "ring_rules.h"
#include "script.h"
#include "xgmii.h"

namespace fdw {

// Python's event loop: gets the time and the log, and says when it wants to be called again at the latest
// (ps), or 0 when cocotb itself is to be woken.
using WakeCallback = uint64_t (*)(uint64_t now, const uint8_t* log, uint64_t size);

// What Python may ask of the main loop about waves; each is false if it cannot be.
class WaveControl {
public:
    virtual ~WaveControl() = default;
    virtual int format() const = 0;  // 0 none, 1 VCD, 2 FST
    // Record from now until `until` (ps), or until `stop`.
    virtual bool start(const char* path, uint64_t until) = 0;
    virtual bool stop() = 0;
    // Be ready to `show` at least the last `cycles`; 0: no longer.
    virtual bool keep(const char* files, uint64_t cycles) = 0;
    virtual bool show(const char* path, uint64_t from) = 0;
};

struct Cosim {
    EventLog log;
    ScriptWriter script;
    RingRules rules;
    AxiMemory memory{log, script, rules};
    AxilMaster registers{log, rules};
    XgmiiMonitor sent{log};
    XgmiiPlayer received{log};
    uint64_t alarm = UINT64_MAX;  // ps; Python is woken at the first edge at or after it
    uint64_t wire_slack = 0;      // ps by which Python may hear of a frame sent too late
    uint32_t reset_cycles = 8;    // left to hold the reset pin
    bool link_up = true;      // as the NIC sees it
    bool link_wanted = true;  // as Python wants it; taken over at the next clock edge
    uint64_t quiet = 0;      // cycles in a row, those left out among them, in which nothing moved at any port
    bool at_rest = false;    // no cycle changes anything in the design as long as its inputs stay (rest.h)
    bool tx_active = false;
    bool wake = false;  // something that Python waits for has happened
    WakeCallback on_wake = nullptr;
    bool irq = false;
    PortObserver* observer = nullptr;
    WaveControl* waves = nullptr;
    bool plant_no_irq = false;  // planted bug: the interrupt line stays low from its next rise on

    // All that was ordered has been done: of itself nothing here changes the NIC's inputs.
    bool steady() const {
        return !reset_cycles && link_up == link_wanted && !registers.busy() && !received.busy() && memory.steady();
    }
};

extern Cosim cosim;

// Nothing changes in the NIC, and the next edge would be a rising one: it, and more, can be left out.
inline bool can_leave_out(bool clk) { return cosim.at_rest && !clk && cosim.steady(); }

// The last of the rising edges from `next` on that are not after `until` (both ps): those before it are left out.
inline uint64_t leave_out(uint64_t next, uint64_t until) {
    if (until == UINT64_MAX || until < next + kCyclePs) return next;
    const uint64_t count = (until - next) / kCyclePs;
    cosim.quiet += count;
    next += count * kCyclePs;
    cosim.script.step(Step::kLeaveOut, next);
    return next;
}

}  // namespace fdw
