// Everything beside the RTL, in one object: memory, registers, wire, the event log, and the alarm.
#pragma once
#include "axi_memory.h"
#include "axil_master.h"
#include "clock.h"
#include "event_log.h"
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
    bool link_up = true;
    bool wake = false;  // something that Python waits for has happened
    bool irq = false;
};

extern Cosim cosim;

}  // namespace fdw
