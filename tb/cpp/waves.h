// Waves of the whole design, between any two moments: FST or VCD, whichever the build has. A build without them
// records nothing, and costs nothing.
#pragma once
#include <string>

#include "Vtop.h"
#include "clock.h"

#if VM_TRACE
#if VM_TRACE_FST
#include <verilated_fst_c.h>
using TraceFile = VerilatedFstC;
#else
#include <verilated_vcd_c.h>
using TraceFile = VerilatedVcdC;
#endif

class Waves {
public:
    static constexpr int kFormat = VM_TRACE_FST ? 2 : 1;

    // Before the design is first evaluated.
    explicit Waves(Vtop& top) {
        Verilated::traceEverOn(true);
        top.trace(&file_, 99);
        file_.set_time_unit("ps");
        file_.set_time_resolution("ps");
    }
    // Record into a new file up to `until` (ps); false if a file is open already.
    bool open(const std::string& path, uint64_t until) {
        if (open_) return false;
        until_ = until;
        file_.open(path.c_str());
        open_ = true;
        return true;
    }
    bool is_open() const { return open_; }
    void dump() {
        if (!open_) return;
        if (fdw::now_ps > until_) {
            close();
            return;
        }
        file_.dump(fdw::now_ps);
    }
    void close() {
        if (open_) file_.close();
        open_ = false;
    }

private:
    TraceFile file_;
    uint64_t until_ = 0;
    bool open_ = false;
};
#else
class Waves {
public:
    static constexpr int kFormat = 0;
    explicit Waves(Vtop&) {}
    bool open(const std::string&, uint64_t) { return false; }
    bool is_open() const { return false; }
    void dump() {}
    void close() {}
};
#endif
