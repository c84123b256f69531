"""In which simulators a block's tests run, and how thoroughly."""

import os

import cocotb
import pytest

SIMULATORS = pytest.mark.parametrize(
    "simulator",
    [
        "verilator",
        pytest.param("icarus", marks=pytest.mark.slow),
        pytest.param("icarus-scattered", marks=pytest.mark.slow),
    ],
)
"""Icarus has four states; scattered, its registers begin with random bits: `make icarus`."""


def fast() -> bool:
    """True in Verilator: the long sweeps are thinned out elsewhere."""
    return "verilator" in cocotb.SIM_NAME.lower()


def whole() -> bool:
    """True if FDWIRE_WHOLE is set, as `make test-all` does: the longest sweeps are random parts otherwise."""
    return bool(os.environ.get("FDWIRE_WHOLE"))
