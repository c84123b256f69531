"""Cocotb tests that fail, each in its way; tests/e2e/test_failures.py looks at what they leave."""

import contextlib
import os
from typing import Any

import cocotb

from pymodel.simtime import MS
from pymodel.socket import AsyncSocket
from tb.cosim.loop import SimulationTimeout
from tb.testbench import Testbench

BUG = os.environ.get("FAILING_RUN_BUG", "")


async def echo(bench: Testbench, bug: str = "") -> bytes:
    """200 bytes to B and back; the answer. `bug` is planted in between."""

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
            if bug:
                bench.rtl.plant(bug)
            await sock.sendall(bytes(range(200)))
            return await sock.recv_exactly(200)

    bench.b.spawn(server)
    return await bench.run(bench.a.spawn(client), timeout=2 * MS)


@cocotb.test()
async def disagrees(dut: Any) -> None:
    bench = await Testbench.start(dut, seed=1)
    with contextlib.suppress(SimulationTimeout):  # a lost interrupt stalls the host
        await echo(bench, BUG)
    await bench.finish()


@cocotb.test()
async def asserts(dut: Any) -> None:
    bench = await Testbench.start(dut, seed=1)
    assert await echo(bench) == b"something else"


@cocotb.test()
async def passes(dut: Any) -> None:
    bench = await Testbench.start(dut, seed=1)
    assert await echo(bench) == bytes(range(200))
    await bench.finish()
