"""Formal proofs of the RTL: Yosys (through sby) and z3, both from pip packages (the extra `formal`)."""
