"""The cocotb test behind the table of copies: the same bytes sent through the RTL in every way there is."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

import cocotb

from pymodel.lwip import LwipHost
from pymodel.simtime import CYCLE, SEC, US
from pymodel.socket import AsyncSocket, sleep
from pymodel.socket import constants as c
from pymodel.task import Task
from pymodel.tcp.profile import LINUX, Profile
from tb import lwip, toolchain
from tb.cosim import errand
from tb.testbench import Testbench

SIZE: Final = 400_000
"""Bytes sent in each way."""

_DATAGRAM: Final = 1472
_WHOLE: Final = replace(LINUX, scatter_gather=False)

Figures = dict[str, float]


async def _count(bench: Testbench, work: Callable[[], Awaitable[Any]]) -> Figures:
    """What the RTL's bus and wire did during `work`."""
    before, began = bench.rtl.figures(), bench.scheduler.now
    await work()
    after = bench.rtl.figures()
    read = (after["dma_read_beats"] - before["dma_read_beats"]) * 16
    frames = after["frames_out"] - before["frames_out"]
    return {
        "bus_bytes_per_byte": read / SIZE,
        "bursts_per_frame": (after["dma_reads"] - before["dma_reads"]) / frames,
        "cycles_per_frame": (bench.scheduler.now - began) / CYCLE / frames,
    }


async def _sink() -> int:
    listener = AsyncSocket()
    listener.bind(("b", 7))
    listener.listen()
    sock, _ = await listener.accept()
    total = 0
    while data := await sock.recv(1 << 20):
        total += len(data)
    return total


async def _sockets(dut: Any, profile: Profile, lend: bool) -> Figures:
    """send(2), with MSG_ZEROCOPY if `lend`."""
    bench = await Testbench.start(dut, seed=1, lockstep=False, profile=profile)
    memory = bench.a.registered(SIZE)

    async def client() -> int:
        async with AsyncSocket() as sock:
            await sock.connect(("b", 7))
            sock.setsockopt(c.SOL_SOCKET, c.SO_ZEROCOPY, 1)
            sent = 0
            while sent < SIZE:
                sent += await sock.send(memory[sent:], c.MSG_ZEROCOPY if lend else 0)
            (connection,) = (each for each in bench.a.tcp.connections.values() if each.dport == 7)
        while connection.unacknowledged:
            await sleep(1e-6)
        return connection.send_queue.copied

    sink, program = bench.b.spawn(_sink), bench.a.spawn(client)
    figures = await _count(bench, lambda: bench.run(sink))
    copied = await bench.run(program)
    if sink.result() != SIZE:
        raise RuntimeError(f"{sink.result()} of {SIZE} bytes arrived")
    figures["copies_per_byte"] = (copied + bench.a.device.stats.tx_copied) / SIZE
    await bench.finish()
    return figures


async def _lwip_host(dut: Any) -> tuple[Testbench, LwipHost]:
    bench = Testbench(dut, seed=1, lockstep=False)
    host = LwipHost(lwip.load(), bench.scheduler, bench.rtl, address="10.0.0.1/24")
    for program in (bench.b.bring_up(), host.bring_up()):
        await bench.run(Task(bench.scheduler, program, "bring up"), timeout=SEC)
    await bench.run(Task(bench.scheduler, host.pinger().ping(b"\x0a\0\0\2", 1, 8, SEC), "ping"))
    return bench, host


def _lwip_copies(host: LwipHost) -> float:
    return (host.stack.figures().copied + host.netif.stats.tx_copied) / SIZE


async def _lwip_tcp(dut: Any) -> Figures:
    """tcp_write of lwIP."""
    bench, host = await _lwip_host(dut)

    async def client() -> None:
        connection = await host.connect(b"\x0a\0\0\2", 7)
        await connection.send(bytes(SIZE))
        await connection.close()

    sink = bench.b.spawn(_sink)
    task = Task(bench.scheduler, client(), "client")
    figures = await _count(bench, lambda: bench.run(sink))
    await bench.run(task)
    figures["copies_per_byte"] = _lwip_copies(host)
    host.stack.close()
    await bench.finish()
    return figures


async def _lwip_udp(dut: Any) -> Figures:
    """udp_sendto of lwIP with PBUF_ROM, from memory of the program's."""
    bench, host = await _lwip_host(dut)
    before = host.stack.figures().copied
    address = host.memory.alloc(SIZE)
    sock = host.udp()

    def send(at: int) -> None:
        sock.send([(address + at, min(_DATAGRAM, SIZE - at))], (b"\x0a\0\0\2", 9))

    step = 2 * US  # somewhat below the line rate: datagrams have no flow control
    for number, at in enumerate(range(0, SIZE, _DATAGRAM), 1):
        bench.scheduler.after(number * step, lambda at=at: send(at))  # type: ignore[misc]
    duration = (SIZE // _DATAGRAM + 10) * step
    figures = await _count(bench, lambda: bench.loop.run_for(duration))
    del figures["cycles_per_frame"]  # of the schedule above, not of the path
    figures["copies_per_byte"] = (host.stack.figures().copied - before + host.netif.stats.tx_copied) / SIZE
    host.stack.close()
    await bench.finish()
    return figures


@cocotb.test()
async def copies(dut: Any) -> None:
    """Send in every way, and leave the figures by the name of the way."""
    ways: dict[str, Callable[[], Awaitable[Figures]]] = {
        "send()": lambda: _sockets(dut, LINUX, False),
        "send(), no scatter-gather": lambda: _sockets(dut, _WHOLE, False),
        "send(MSG_ZEROCOPY)": lambda: _sockets(dut, LINUX, True),
        "lwIP tcp_write()": lambda: _lwip_tcp(dut),
        "lwIP udp_sendto(), PBUF_ROM": lambda: _lwip_udp(dut),
    }
    with errand.received() as job:
        for name, way in ways.items():
            try:
                job.outcome[name] = await way()
            except toolchain.ToolMissing:
                continue  # lwIP is not installed: its rows are missing
