"""The cocotb test behind the goodput of `fdwire bench`: one TCP stream from host A, on the RTL NIC, to B."""

from typing import Any

import cocotb

from pymodel.regs import Side
from pymodel.simtime import SEC
from pymodel.socket import AsyncSocket
from tb.cosim import errand
from tb.testbench import Testbench

_SEGMENTS = 1600
"""Of the transfer; the rate is that of the second half."""


@cocotb.test()
async def goodput(dut: Any) -> None:
    """Transfer, and leave the rate of the second half in Gb/s."""
    with errand.received() as job:
        job.outcome["gbps"] = await _transfer(dut, job.given["mtu"])


async def _transfer(dut: Any, mtu: int) -> float:
    size = _SEGMENTS * mtu
    bench = Testbench(dut, seed=1, lockstep=False)
    for port in (bench.rtl, bench.b.port):
        port.write(int(Side.MTU), mtu)
    await bench.bring_up()
    scheduler = bench.scheduler
    marks: list[tuple[int, int]] = []

    async def server() -> None:
        listener = AsyncSocket()
        listener.bind(("b", 7))
        listener.listen()
        sock, _ = await listener.accept()
        total = 0
        while data := await sock.recv(1 << 20):
            total += len(data)
            marks.append((scheduler.now, total))

    async def client() -> None:
        async with AsyncSocket() as sock:
            await sock.connect(("b", 7))
            await sock.sendall(bytes(size))

    program = bench.b.spawn(server)
    bench.a.spawn(client)
    await bench.run(program)
    await bench.finish()
    began, before = next(mark for mark in marks if mark[1] >= size // 2)
    ended, after = marks[-1]
    assert after == size
    return (after - before) * 8 * SEC / (ended - began) / 1e9
