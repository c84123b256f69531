// Whether the design has come to rest: a whole clock cycle went by and nothing in it changed.
//
// Then no further cycle changes anything, as long as its inputs stay as they are, and clock edges may be left out;
// whatever the NIC is, with timers or without. What is compared is all that Verilator keeps of the design
// (registers, memories, wires, fdw_tb's own): an object of its making, byte by byte. A design that reads the time
// (`$time`) in a cycle has not come to rest in it. What it keeps outside of that object, it must not have:
// SystemVerilog's queues, strings and classes, the state of `$random`, C code of its own.
#pragma once
#include <cstdint>
#include <cstring>
#include <vector>

#include "Vtop.h"
#include "Vtop__Syms.h"
#include "cosim.h"

class Rest {
public:
    explicit Rest(Vtop& top)
        : state_(reinterpret_cast<const char*>(&top.rootp->vlSymsp->TOP)),
#if VM_COVERAGE
          size_(static_cast<size_t>(reinterpret_cast<const char*>(&top.rootp->vlSymsp->__Vcoverage) - state_)),
#else
          size_(static_cast<size_t>(reinterpret_cast<const char*>(top.rootp->vlSymsp + 1) - state_)),
#endif
          before_(size_) {
    }

    // How often somebody has asked for the time.
    static inline uint64_t asked_time = 0;

    // An edge was evaluated that called nobody.
    void edge(bool clk) {
        fdw::Cosim& cosim = fdw::cosim;
        if (clk || cosim.at_rest) return;
        if (cosim.quiet < kFirst || !cosim.steady()) {
            next_ = kFirst;
            taken_ = false;
        } else if (taken_) {
            taken_ = false;
            cosim.at_rest = asked_ == asked_time && !std::memcmp(before_.data(), state_, size_);
            next_ = cosim.quiet + cosim.quiet / 4;
        } else if (cosim.quiet >= next_) {
            std::memcpy(before_.data(), state_, size_);
            asked_ = asked_time;
            taken_ = true;
        }
    }
    // Somebody was called, who may have changed anything.
    void disturb() {
        fdw::cosim.at_rest = taken_ = false;
        next_ = kFirst;
    }

private:
    // Quiet cycles before the first look; a look costs as much as a few cycles.
    static constexpr uint64_t kFirst = 8;

    const char* state_;
    size_t size_;
    std::vector<char> before_;
    uint64_t asked_ = 0;
    uint64_t next_ = kFirst;  // quiet cycles before the next look
    bool taken_ = false;      // `before_` is the state of a cycle ago
};
