// The simulator's main loop under cocotb, with the clock in C++.
//
// cocotb's callbacks keep their order (value change, read-write, read-only, next time step), so ordinary
// cocotb code works: RisingEdge(clk) is called before the registers change, as it samples then.
// While no callback is due, the loop only toggles the clock and evaluates. While the NIC is quiet and
// nobody watches the clock, edges that would change nothing are left out: a retransmission timer of seconds
// costs nothing.
//
// Arguments: --trace-file PATH, --trace-until PS.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "Vtop.h"
#include "cosim.h"
#include "verilated.h"
#include "verilated_vpi.h"
#include "waves.h"

extern "C" void vlog_startup_routines_bootstrap(void);

double sc_time_stamp() { return static_cast<double>(fdw::now_ps); }

namespace {

bool value_callbacks() {
    bool any = false;
    while (VerilatedVpi::callValueCbs()) any = true;
    return any;
}

// The rest of a time step once something other than the clock has changed.
void settle(Vtop& top) {
    do {
        do {
            top.eval_step();
            VerilatedVpi::clearEvalNeeded();
            VerilatedVpi::doInertialPuts();
            value_callbacks();
        } while (VerilatedVpi::evalNeeded());
        VerilatedVpi::callCbs(cbReadWriteSynch);
        VerilatedVpi::doInertialPuts();
        value_callbacks();
    } while (VerilatedVpi::evalNeeded());
    VerilatedVpi::callCbs(cbReadOnlySynch);
}

bool callbacks_waiting() {
    return VerilatedVpi::evalNeeded() || VerilatedVpi::hasCbs(cbReadWriteSynch) ||
           VerilatedVpi::hasCbs(cbReadOnlySynch) || VerilatedVpi::hasCbs(cbNextSimTime);
}

}  // namespace

int main(int argc, char** argv) {
    std::string trace_file;
    uint64_t trace_until = UINT64_MAX;
    for (int i = 1; i + 1 < argc; ++i) {
        if (!std::strcmp(argv[i], "--trace-file")) trace_file = argv[i + 1];
        if (!std::strcmp(argv[i], "--trace-until")) trace_until = std::strtoull(argv[i + 1], nullptr, 10);
    }
    Verilated::commandArgs(argc, argv);
    auto top = std::make_unique<Vtop>("");
    Verilated::fatalOnVpiError(false);
    Waves waves;
#if VM_TRACE
    Verilated::traceEverOn(true);
    if (!trace_file.empty()) waves.open(*top, trace_file, trace_until);
#endif
    vlog_startup_routines_bootstrap();
    top->clk = 0;
    VerilatedVpi::callCbs(cbStartOfSimulation);
    value_callbacks();
    settle(*top);
    waves.dump();

    uint64_t next_edge = fdw::kHalfPs;
    while (!Verilated::gotFinish()) {
        const uint64_t deadline = VerilatedVpi::cbNextDeadline();
        if (fdw::cosim.quiet > fdw::kQuietCycles && !top->clk) {
            // Nothing moves until Python's alarm or cocotb's next timer: be just in time for it.
            const uint64_t until = std::min(fdw::cosim.alarm, deadline);
            if (until != UINT64_MAX && until > next_edge)
                next_edge += (until - next_edge) / fdw::kCyclePs * fdw::kCyclePs;
        }
        const bool edge = next_edge <= deadline;
        fdw::now_ps = edge ? next_edge : deadline;
        bool called = VerilatedVpi::hasCbs(cbNextSimTime) && VerilatedVpi::callCbs(cbNextSimTime);
        if (edge) {
            top->clk = !top->clk;
            next_edge += fdw::kHalfPs;
            if (value_callbacks()) {  // somebody watches the clock: show every edge
                called = true;
                fdw::cosim.quiet = 0;
            }
        }
        if (deadline <= fdw::now_ps) {
            VerilatedVpi::callTimedCbs();
            value_callbacks();
            called = true;
        }
        if (!called && !callbacks_waiting()) {
            top->eval();
            if (!value_callbacks() && !callbacks_waiting()) {
                waves.dump();
                continue;
            }
        }
        settle(*top);
        waves.dump();
    }
    top->final();
#if VM_COVERAGE
    VerilatedCov::write();  // where +verilator+coverage+file+ says
#endif
    VerilatedVpi::callCbs(cbEndOfSimulation);
    waves.close();
    return Verilated::threadContextp()->errorCount() > 0;
}
