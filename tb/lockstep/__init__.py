"""The golden model in lockstep with the RTL, and the checks of the ring protocol beside it."""
