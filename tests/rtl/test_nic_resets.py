"""Device reset and RING_RESET while a transfer of the queue stands at any point of its way through AXI.

virtio 1.2 §2.4.1, §2.6.1, docs/device.md, "Registers and life". `nic_gate.v` holds the transfer; until it has
ended the reset must not be over, and once it is over nothing of that queue may be touched.
"""

from dataclasses import dataclass
from typing import Any

import cocotb
from clocked import rng
from cocotb.triggers import ClockCycles
from nic_bench import (
    FEATURES,
    QUEUE_NOTIFY,
    QUEUE_READY,
    QUEUE_RESET,
    QUEUE_SEL,
    RX,
    SOURCES,
    STATUS,
    TX,
    Nic,
    echo_works,
    ethernet,
    pieces,
)
from ring_bench import WRITE, DriverRing
from simulators import SIMULATORS, whole

from tb.block import run_block

INDIRECT_DESC, RING_RESET = 1 << 28, 1 << 40
GATES = ("hold_ar", "hold_r", "hold_aw", "hold_w", "hold_b")
MIDDLE = 2
"""Beats of a burst that pass before it is held in its middle."""


@dataclass(frozen=True)
class Point:
    """`gate` holds the transfers of ID `ident` (see fdw_nic.v) of `queue`, after `beats` beats."""

    what: str
    queue: int
    gate: str
    ident: int
    beats: int = 0

    @property
    def table(self) -> bool:
        return self.what == "table"

    def __str__(self) -> str:
        return f"{('RX', 'TX')[self.queue]} {self.what}, {self.gate} after {self.beats}"


READS = [("descriptors", 1, 2), ("table", 5, 6), ("event suppression", 3, 4), ("frame", None, 0)]
WRITES = [("frame", 0, None), ("device event", 1, 2), ("used entry", 3, 4)]
POINTS = [
    *(
        Point(what, queue, gate, ident, beats)
        for what, *idents in READS
        for queue, ident in enumerate(idents)
        for gate, beats in (("hold_ar", 0), ("hold_r", 0), ("hold_r", MIDDLE))
        if ident is not None and not (what == "event suppression" and beats)
    ),
    *(
        Point(what, queue, gate, ident, beats)
        for what, *idents in WRITES
        for queue, ident in enumerate(idents)
        for gate, beats in (("hold_aw", 0), ("hold_w", MIDDLE), ("hold_b", 0))
        if ident is not None and not (what != "frame" and beats)
    ),
]


def points(nic: Nic) -> list[Point]:
    """All of POINTS, or a third of them at random."""
    return POINTS if whole() else nic.random.sample(POINTS, len(POINTS) // 3)


def close(dut: Any, point: Point | None) -> None:
    """Close the gate of `point`, or open all."""
    for gate in GATES:
        getattr(dut, gate).value = 0
    if point is not None:
        getattr(dut, point.gate).value = 1 if point.gate == "hold_w" else 1 << point.ident
        dut.beats.value = point.beats


def post(nic: Nic, queue: int, table: bool) -> None:
    """Something for `queue` to do: a frame of 700 bytes, or room for one."""
    ring = nic.rings[queue]
    lengths = pieces(nic.random, 712, 4)
    if queue == TX:
        chain = nic.chain(nic.random.randbytes(712), lengths)
    else:
        chain = [(nic.place(n), n, WRITE) for n in lengths]
        for address, length, _ in chain:
            nic.ram.give(address, length)
    if table:
        ident = ring.post_table(chain, nic.place(16 * len(chain), 0))
    else:
        ident = ring.post(chain)
    if queue == TX:
        nic.tx_order.append(ident)
    else:
        nic.buffers[ident] = [(address, length) for address, length, _ in chain]


async def held_at(nic: Nic, point: Point) -> None:
    """Bring the NIC to `point`."""
    close(nic.dut, None)
    await nic.init(8, 8, features=FEATURES | INDIRECT_DESC | RING_RESET)
    nic.bus.latency = nic.random.choice((0, 0, 30))
    await ClockCycles(nic.dut.clk, nic.random.choice((0, 200)))
    close(nic.dut, point)
    for queue in (TX, RX):
        post(nic, queue, point.table)
        await nic.kick(queue, force=True)
    nic.inject(ethernet(nic.random, 700))
    await nic.until(lambda: nic.dut.held.value == 1, f"{point}: held", step=1)
    await ClockCycles(nic.dut.clk, nic.random.randrange(12))


async def quiet(nic: Nic) -> None:
    """Nothing is on its way on the wire any more."""
    await nic.until(nic.source.empty, "the wire is quiet")
    await ClockCycles(nic.dut.clk, 250)
    nic.frames()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def device_reset_at_any_point_of_a_transfer_waits_for_its_end_and_nothing_comes_after(dut: Any) -> None:
    nic = Nic(dut, rng())
    close(dut, None)
    await nic.start()
    for point in points(nic):
        await held_at(nic, point)
        await nic.write(STATUS, 0)
        await ClockCycles(dut.clk, 60)
        assert await nic.read(STATUS) != 0, f"{point}: over while a transfer is in flight"
        assert dut.held.value == 1, f"{point}: taken back, which AXI4 A3.2.1 forbids"
        close(dut, None)
        await nic.reset()
        done = len(nic.ram.log)
        nic.ram.take_back()
        nic.rings.clear()
        for queue in (RX, TX):
            await nic.write(QUEUE_NOTIFY, queue)
        nic.inject(ethernet(nic.random, 100))
        await quiet(nic)
        assert len(nic.ram.log) == done and not nic.ram.failed, f"{point}: an access after Status read 0"
        await nic.init(8, 8)
        await echo_works(nic)
    nic.finish()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def ring_reset_at_any_point_of_a_transfer_waits_for_its_end_and_the_other_queue_goes_on(
    dut: Any,
) -> None:
    nic = Nic(dut, rng())
    close(dut, None)
    await nic.start()
    for point in points(nic):
        queue, other = point.queue, 1 - point.queue
        await held_at(nic, point)
        await nic.write(QUEUE_SEL, queue)
        await nic.write(QUEUE_RESET, 1)
        await ClockCycles(dut.clk, 60)
        assert await nic.read(QUEUE_RESET) == 1, f"{point}: over while a transfer is in flight"
        assert dut.held.value == 1, f"{point}: taken back, which AXI4 A3.2.1 forbids"
        close(dut, None)
        for _ in range(1000):
            if await nic.read(QUEUE_RESET) == 0:
                break
        assert await nic.read(QUEUE_RESET) == 0 and await nic.read(QUEUE_READY) == 0
        nic.poll()
        old = nic.rings[queue]
        nic.rings[queue] = DriverRing(nic.ram, 6)
        for area in ((old.ring, 16 * old.size), (old.device_area, 4)):
            nic.ram.take_back(*area)
        if queue == RX:
            for buffers in nic.buffers.values():
                for buffer in buffers:
                    nic.ram.take_back(*buffer)
            nic.buffers.clear()
        else:
            nic.tx_order.clear()
        done = len(nic.ram.accesses(False, old.ring, 16 * old.size))
        await nic.kick(queue, force=True)
        await quiet(nic)
        assert len(nic.ram.accesses(False, old.ring, 16 * old.size)) == done, f"{point}: the ring was read"
        assert not nic.ram.stray and not nic.ram.failed, f"{point}: written to after QueueReset read 0"
        # The other queue finishes what it had; then this one begins anew at slot 0.
        if other == TX:
            await nic.until(lambda: not nic.tx_order, f"{point}: the other queue's frame")
        await nic.queue(queue)
        nic.received.clear()
        up, down = ethernet(nic.random, 100), ethernet(nic.random, 100)
        nic.transmit(up, 2)
        nic.receive([50, 2000])
        await nic.kick(TX, force=True)
        await nic.kick(RX, force=True)
        nic.inject(down)
        await nic.until(lambda down=down: any(down in data for _, data in nic.received), f"{point}: receive")
        await nic.leaves(up, f"{point}: transmit")
        await nic.until(lambda: not nic.tx_order, f"{point}: used")
    nic.finish()


@SIMULATORS
def test_nic_resets(simulator: str) -> None:
    run_block("nic_gate", SOURCES, __name__, simulator=simulator, wrappers=["nic_gate.v"])
