// The clock of the co-simulation: 156.25 MHz, counted in picoseconds.
#pragma once
#include <cstdint>

namespace fdw {

constexpr uint64_t kCyclePs = 6400;
constexpr uint64_t kHalfPs = kCyclePs / 2;
constexpr uint64_t kLanePs = kCyclePs / 8;

// Simulated time in ps and rising edges so far; only the main loop moves them.
extern uint64_t now_ps;
extern uint64_t cycles;

}  // namespace fdw
