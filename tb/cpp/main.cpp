// The simulator's main loop under cocotb, with the clock in C++.
//
// cocotb's callbacks keep their order (value change, read-write, read-only, next time step), so ordinary
// cocotb code works: RisingEdge(clk) is called before the registers change, as it samples then.
// While no callback is due and nobody watches the clock, an inner loop only toggles the clock and evaluates.
// While the NIC is at rest (rest.h), too, edges are left out, as they would change nothing: a retransmission
// timer of seconds costs nothing.
//
// Arguments: --trace-file PATH, --trace-until PS; --record PATH: write a script (script.h) of the run.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "Vtop.h"
#include "cosim.h"
#include "history.h"
#include "rest.h"
#include "verilated.h"
#include "verilated_vpi.h"
#include "waves.h"

extern "C" void vlog_startup_routines_bootstrap(void);

// The design, or VPI, asks for the time.
double sc_time_stamp() {
    ++Rest::asked_time;
    return static_cast<double>(fdw::now_ps);
}

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

// Of a stretch at rest waves show so many cycles, counted from when the ports became quiet.
constexpr uint64_t kShown = 4096;

// The next edge, and more, would change nothing, and nobody wants to see it.
bool can_leave_out(const Vtop& top, const Waves& waves, const History& history) {
    const bool seen = waves.is_open() || history.is_kept();
    return fdw::can_leave_out(top.clk) && (!seen || fdw::cosim.quiet >= kShown);
}

// Edges before `deadline` (ps) as long as they call nobody and cannot be left out. True when one has called:
// its time step is not at its end then.
bool run_unwatched(Vtop& top, uint64_t& next_edge, uint64_t deadline, Waves& waves, const History& history, Rest& rest) {
    while (next_edge < deadline && !history.due() && !can_leave_out(top, waves, history) && !Verilated::gotFinish()) {
        fdw::now_ps = next_edge;
        next_edge += fdw::kHalfPs;
        top.clk = !top.clk;
        top.eval();
        if (value_callbacks() || callbacks_waiting()) return true;
        waves.dump();
        rest.edge(top.clk);
    }
    return false;
}

class Control : public fdw::WaveControl {
public:
    Control(Waves& waves, History& history) : waves_(waves), history_(history) {}
    int format() const override { return Waves::kFormat; }
    bool start(const char* path, uint64_t until) override { return !kept_ && waves_.open(path, until); }
    bool stop() override {
        const bool was = waves_.is_open();
        waves_.close();
        return was;
    }
    bool keep(const char* files, uint64_t cycles) override {
        if (!Waves::kFormat || waves_.is_open() || (fdw::cosim.script.on() && !kept_)) return false;
        kept_ = cycles != 0;
        // A copy of the process costs as much as some thousand cycles.
        if (kept_) {
            history_.keep(files, std::max(cycles, kLeastPeriod));
        } else {
            history_.forget();
        }
        return true;
    }
    bool show(const char* path, uint64_t from) override { return kept_ && history_.show(path, from); }

private:
    static constexpr uint64_t kLeastPeriod = 1u << 17;

    Waves& waves_;
    History& history_;
    bool kept_ = false;
};

}  // namespace

int main(int argc, char** argv) {
    std::string trace_file;
    uint64_t trace_until = UINT64_MAX;
    for (int i = 1; i + 1 < argc; ++i) {
        if (!std::strcmp(argv[i], "--trace-file")) trace_file = argv[i + 1];
        if (!std::strcmp(argv[i], "--record")) fdw::cosim.script.open(argv[i + 1]);
        if (!std::strcmp(argv[i], "--trace-until")) trace_until = std::strtoull(argv[i + 1], nullptr, 10);
    }
    Verilated::commandArgs(argc, argv);
    auto top = std::make_unique<Vtop>("");
    Verilated::fatalOnVpiError(false);
    Waves waves(*top);
    History history(*top, waves);
    Control control(waves, history);
    Rest rest(*top);
    fdw::cosim.waves = &control;
    if (!trace_file.empty()) waves.open(trace_file, trace_until);
    vlog_startup_routines_bootstrap();
    top->clk = 0;
    VerilatedVpi::callCbs(cbStartOfSimulation);
    value_callbacks();
    settle(*top);
    waves.dump();

    uint64_t next_edge = fdw::kHalfPs;
    uint32_t unwatched = 0;  // edges in a row at which no callback was called
    while (!Verilated::gotFinish()) {
        const uint64_t deadline = VerilatedVpi::cbNextDeadline();
        if (history.due()) history.snapshot(next_edge);
        // Only callbacks can ask for further ones: when both edges went by without any, no edge calls one.
        if (unwatched >= 2 && run_unwatched(*top, next_edge, deadline, waves, history, rest)) {
            unwatched = 0;
            rest.disturb();
            settle(*top);
            waves.dump();
            continue;
        }
        // Nothing moves until Python's alarm or cocotb's next timer: be just in time for it.
        if (can_leave_out(*top, waves, history)) next_edge = fdw::leave_out(next_edge, std::min(fdw::cosim.alarm, deadline));
        const bool edge = next_edge <= deadline;
        fdw::now_ps = edge ? next_edge : deadline;
        bool called = VerilatedVpi::hasCbs(cbNextSimTime) && VerilatedVpi::callCbs(cbNextSimTime);
        if (edge) {
            top->clk = !top->clk;
            next_edge += fdw::kHalfPs;
            called |= value_callbacks();  // somebody watches the clock
        }
        if (deadline <= fdw::now_ps) {
            VerilatedVpi::callTimedCbs();
            value_callbacks();
            called = true;
        }
        if (!called && !callbacks_waiting()) {
            top->eval();
            if (!value_callbacks() && !callbacks_waiting()) {
                ++unwatched;
                waves.dump();
                rest.edge(top->clk);
                continue;
            }
        }
        unwatched = 0;
        rest.disturb();
        settle(*top);
        waves.dump();
    }
    top->final();
#if VM_COVERAGE
    VerilatedCov::write();  // where +verilator+coverage+file+ says
#endif
    VerilatedVpi::callCbs(cbEndOfSimulation);
    waves.close();
    fdw::cosim.script.close();
    return Verilated::threadContextp()->errorCount() > 0;
}
