// Waves of the whole design, from time 0 up to a time: FST or VCD, whichever the build has.
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
    // `until`: ps; later changes are not recorded.
    void open(Vtop& top, const std::string& path, uint64_t until) {
        until_ = until;
        top.trace(&file_, 99);
        file_.set_time_unit("ps");
        file_.set_time_resolution("ps");
        file_.open(path.c_str());
        open_ = true;
    }
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
    void open(Vtop&, const std::string&, uint64_t) {}
    void dump() {}
    void close() {}
};
#endif
