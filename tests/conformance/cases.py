"""All conformance cases by name: `CASES[name](bench)` runs one. See `bench` for what a runner provides."""

import cases_driver
import cases_errors
import cases_receive
import cases_registers
import cases_transmit
from bench import Case

MODULES = (cases_registers, cases_transmit, cases_receive, cases_errors, cases_driver)

CASES: dict[str, Case] = {case.__name__: case for module in MODULES for case in module.CASES}
