"""The test bench: everything that knows Verilator, cocotb or the RTL."""
