// Waves of the whole design, between any two moments: FST or VCD, whichever the build has. A build without them
// records nothing, and costs nothing.
#pragma once
#include <memory>
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
    explicit Waves(Vtop& top) : top_(top) { Verilated::traceEverOn(true); }
    // Record into a new file up to `until` (ps); false if a file is open already. Each has a writer of its own:
    // VerilatedFst does not take the enumerations of a design twice.
    bool open(const std::string& path, uint64_t until) {
        if (file_) return false;
        until_ = until;
        file_ = std::make_unique<TraceFile>();
        top_.trace(file_.get(), 99);
        file_->set_time_unit("ps");
        file_->set_time_resolution("ps");
        file_->open(path.c_str());
        return true;
    }
    bool is_open() const { return file_ != nullptr; }
    void dump() {
        if (!file_) return;
        if (fdw::now_ps > until_) {
            close();
            return;
        }
        file_->dump(fdw::now_ps);
    }
    void close() {
        if (file_) file_->close();
        file_.reset();
    }

private:
    Vtop& top_;
    std::unique_ptr<TraceFile> file_;
    uint64_t until_ = 0;
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
