"""A bug planted between the RTL and its surroundings is caught by the lockstep checker."""

import contextlib
from typing import Any

import cocotb
import pytest

from pymodel.simtime import MS
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

    async def server() -> None:
        listener = AsyncSocket()
        listener.bind(("b", 7))
        listener.listen()
        connection, _ = await listener.accept()
        while data := await connection.recv(1000):
            await connection.sendall(data)

    async def client() -> bytes:
        async with AsyncSocket() as sock:
            await sock.connect(("b", 7))
            await sock.sendall(b"before")
            await sock.recv_exactly(6)
            if bug != "none":
                bench.rtl.plant(bug)
            await sock.sendall(bytes(range(200)))
            return await sock.recv_exactly(200)

    bench.b.spawn(server)
    run = bench.a.spawn(client)
    if bug == "none":
        assert await bench.run(run) == bytes(range(200))
        await bench.finish()
        return
    # A lost interrupt stalls the host: what counts is that the checker says so.
    with contextlib.suppress(SimulationTimeout):
        await bench.run(run, timeout=2 * MS)
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
