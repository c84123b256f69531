"""Traces of a run: what happened in stack, driver, NIC and on the wire, on the one simulated clock."""
