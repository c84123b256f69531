"""In which simulators a block's tests run: both, with four-state Icarus in `make test` where it is quick."""

import pytest

BOTH = pytest.mark.parametrize("simulator", ["verilator", "icarus"])
ICARUS_SLOW = pytest.mark.parametrize(
    "simulator", ["verilator", pytest.param("icarus", marks=pytest.mark.slow)]
)
"""Icarus takes above ten seconds: `make icarus`."""
