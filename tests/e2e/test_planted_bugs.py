"""A bug planted between the RTL and its surroundings is caught by the lockstep checker."""

import contextlib
from typing import Any

import cocotb
import pytest
from echo import planted_echo

from pymodel.socket import AsyncSocket
from tb.block import run_nic
from tb.cosim.loop import SimulationTimeout
from tb.cosim.rtl_nic import ProtocolViolation
from tb.testbench import Disagreement, Testbench

BUGS = {
    "none": "",
    "used length": "used entry",
    "used twice": "used entry",
    "swapped byte": "frame sent",
    "interrupt": "interrupt",
}


@cocotb.test()
@cocotb.parametrize(bug=list(BUGS))
async def planted(dut: Any, bug: str) -> None:
    bench = await Testbench.start(dut, seed=1)

    if bug == "none":
        assert await planted_echo(bench) == bytes(range(200))
        await bench.finish()
        return
    # A lost interrupt stalls the host: what counts is that the checker says so.
    with contextlib.suppress(SimulationTimeout):
        await planted_echo(bench, bug)
    with pytest.raises(Disagreement) as caught:
        await bench.finish()
    assert BUGS[bug] in str(caught.value), str(caught.value)
    print(f"planted {bug!r}, reported: {str(caught.value).splitlines()[0]}")


@cocotb.test()
async def entry_used_twice_is_noticed_without_the_checker(dut: Any) -> None:
    bench = await Testbench.start(dut, lockstep=False)
    bench.rtl.plant("used twice")

    async def client() -> None:
        with pytest.raises(ConnectionRefusedError):
            await AsyncSocket().connect(("b", 9))

    await bench.run(bench.a.spawn(client))
    with pytest.raises(ProtocolViolation, match=r"ring_violations: 1, first [RT]X: used entry unknown"):
        await bench.finish()


def test_planted_bugs() -> None:
    run_nic(__name__)
