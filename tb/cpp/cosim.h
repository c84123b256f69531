// Everything beside the RTL, in one object: memory, registers, wire, the event log, and the alarm.
#pragma once
#include "axi_memory.h"
#include "axil_master.h"
#include "clock.h"
#include "event_log.h"
#include "port_observer.h"
#include "xgmii.h"

namespace fdw {

struct Cosim {
    EventLog log;
    AxiMemory memory{log};
    AxilMaster registers{log};
    XgmiiMonitor sent{log};
    XgmiiPlayer received{log};
    uint64_t alarm = UINT64_MAX;  // ps; Python is woken at the first edge at or after it
    uint32_t reset_cycles = 8;    // left to hold the reset pin
    bool link_up = true;      // as the NIC sees it
    bool link_wanted = true;  // as Python wants it; taken over at the next clock edge
    uint32_t quiet = 0;      // cycles in a row in which nothing moved at any port
    bool tx_active = false;
    bool wake = false;  // something that Python waits for has happened
    int (*on_wake)() = nullptr;  // Python's event loop; true when cocotb itself is to be woken
    bool irq = false;
    PortObserver* observer = nullptr;
    bool plant_no_irq = false;  // planted bug: the interrupt line stays low from its next rise on
};

extern Cosim cosim;

// After so many quiet cycles nothing in the NIC can still be moving of itself: it has no timers, its
// longest internal pipeline is a frame of 9 KiB. A clock edge then changes no register.
constexpr uint32_t kQuietCycles = 4096;

}  // namespace fdw
