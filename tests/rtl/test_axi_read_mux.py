"""fdw_axi_read_mux with three masters and a slave that answers them out of order."""

from collections import deque
from typing import Any

import cocotb
import pytest
from clocked import rng, start
from cocotb.triggers import ClockCycles, RisingEdge
from dma_bench import Watch
from simulators import SIMULATORS

from tb.block import run_block

MASTERS = 3
SOURCES = ["lib/fdw_skid.v", "lib/fdw_arbiter.v", "dma/fdw_axi_read_mux.v"]


class Masters:
    """Three masters: each asks for the bursts in `todo` (address, length), and gets `answers`, a list of
    (data, resp, last). `ready` is the probability that it takes a beat, `valid` that it asks."""

    def __init__(self, dut: Any, ready: float = 1.0, valid: float = 1.0) -> None:
        self.dut = dut
        self.random = rng()
        self.ready = ready
        self.valid = valid
        self.todo: list[deque[tuple[int, int]]] = [deque() for _ in range(MASTERS)]
        self.answers: list[list[tuple[int, int, int]]] = [[] for _ in range(MASTERS)]
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        dut = self.dut
        offered: list[tuple[int, int] | None] = [None] * MASTERS
        edge = RisingEdge(dut.clk)
        while True:
            await edge
            if dut.rst.value != 0:
                continue
            arready = int(dut.s_axi_arready.value)
            taken = int(dut.s_axi_rvalid.value) & int(dut.s_axi_rready.value)
            for i in range(MASTERS):
                if arready >> i & 1:
                    offered[i] = None
                if offered[i] is None and self.todo[i] and self.random.random() < self.valid:
                    offered[i] = self.todo[i].popleft()
                if taken >> i & 1:
                    beat = (
                        int(dut.s_axi_rdata.value),
                        int(dut.s_axi_rresp.value),
                        int(dut.s_axi_rlast.value),
                    )
                    self.answers[i].append(beat)
            valid = address = length = ready = 0
            for i, ar in enumerate(offered):
                ready |= (self.random.random() < self.ready) << i
                if ar:
                    valid |= 1 << i
                    address |= ar[0] << 64 * i
                    length |= ar[1] << 8 * i
            dut.s_axi_arvalid.value = valid
            dut.s_axi_araddr.value = address
            dut.s_axi_arlen.value = length
            dut.s_axi_rready.value = ready

    @property
    def beats(self) -> int:
        return sum(map(len, self.answers))


class Slave(Watch):
    """Answers in order within an ID, at random between IDs, even inside bursts (AXI4 A6.1).

    The data of a beat is its address, its ID above; the response comes from the address too.
    """

    def __init__(self, dut: Any, ready: float = 1.0, valid: float = 1.0) -> None:
        self.random = rng()
        self.ready = ready
        self.valid = valid
        self.grants: list[tuple[int, int]] = []
        self.r_cycles: list[int] = []
        self._bursts: dict[int, deque[list[tuple[int, int, int, int]]]] = {i: deque() for i in range(MASTERS)}
        self._now: tuple[int, int, int, int] | None = None
        super().__init__(dut)

    def step(self) -> None:
        dut = self.dut
        offered, accepted = self.sample(
            "m_axi_arvalid",
            "m_axi_arready",
            ("m_axi_arid", "m_axi_araddr", "m_axi_arlen", "m_axi_arsize", "m_axi_arburst"),
        )
        if offered and accepted:
            master, address, length, size, burst = offered
            assert (size, burst) == (4, 1)
            self.grants.append((self.cycle, master))
            beats = [beat_of(master, address, n, length) for n in range(length + 1)]
            self._bursts[master].append([(master, *beat) for beat in beats])
        if self._now and dut.m_axi_rready.value == 1:
            self.r_cycles.append(self.cycle)
            self._now = None
        waiting = [q for q in self._bursts.values() if q]
        if self._now is None and waiting and self.random.random() < self.valid:
            queue = self.random.choice(waiting)
            self._now = queue[0].pop(0)
            if not queue[0]:
                queue.popleft()
        dut.m_axi_rvalid.value = self._now is not None
        if self._now:
            dut.m_axi_rid.value, dut.m_axi_rdata.value, dut.m_axi_rresp.value, dut.m_axi_rlast.value = (
                self._now
            )
        dut.m_axi_arready.value = self.random.random() < self.ready


def beat_of(master: int, address: int, n: int, length: int) -> tuple[int, int, int]:
    return (master << 120 | address + 16 * n, (address >> 4) & 3, int(n == length))


def expected(master: int, bursts: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
    return [beat_of(master, address, n, length) for address, length in bursts for n in range(length + 1)]


async def begin(dut: Any) -> None:
    sizes = sum(4 << 3 * i for i in range(MASTERS))
    bursts = sum(1 << 2 * i for i in range(MASTERS))
    await start(
        dut, s_axi_arvalid=0, s_axi_arsize=sizes, s_axi_arburst=bursts, s_axi_rready=0, m_axi_arready=0,
        m_axi_rvalid=0, m_axi_rid=0, m_axi_rdata=0, m_axi_rresp=0, m_axi_rlast=0,
    )  # fmt: skip


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(ready=[1.0, 0.5], valid=[1.0, 0.4])
async def answers_out_of_order_reach_their_own_master_in_its_order(
    dut: Any, ready: float, valid: float
) -> None:
    generator = rng()
    masters = Masters(dut, ready, valid)
    slave = Slave(dut, ready, valid)
    await begin(dut)
    todo = [
        [(generator.getrandbits(60) << 4, generator.choice((0, 0, 3, 15))) for _ in range(60)]
        for _ in range(MASTERS)
    ]
    for queue, bursts in zip(masters.todo, todo, strict=True):
        queue.extend(bursts)
    wanted = [expected(i, bursts) for i, bursts in enumerate(todo)]
    while masters.beats < sum(map(len, wanted)):
        await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 10)
    assert masters.answers == wanted
    assert len(slave.grants) == 3 * 60


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def masters_that_always_ask_get_their_turns_and_one_burst_every_cycle(dut: Any) -> None:
    """Equal ones, or some of master 0 before each one of the others, which are equal among themselves."""
    masters = Masters(dut)
    slave = Slave(dut)
    preferred = int(dut.PREFERRED.value)
    await begin(dut)
    for queue in masters.todo:
        queue.extend((16 * n, 0) for n in range(100))
    while masters.beats < 300:
        await RisingEdge(dut.clk)
    turn = [0] * preferred + [1] + [0] * preferred + [2] if preferred else [0, 1, 2]
    both = 100 if not preferred else 100 // preferred  # while master 0 has something to ask for
    assert sum(master == 0 for _, master in slave.grants) == 100
    granted = [master for _, master in slave.grants][1:both]
    starts = [(turn * 100)[n : n + len(granted)] for n in range(len(turn))]
    assert granted in starts, f"{granted}"
    assert slave.grants[-1][0] - slave.grants[0][0] == 299, "AR was not full every cycle"
    assert slave.r_cycles[-1] - slave.r_cycles[0] == 299, "R was not full every cycle"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def master_0_that_asks_now_and_then_goes_before_those_that_always_ask_if_it_is_preferred(
    dut: Any,
) -> None:
    if int(dut.PREFERRED.value) == 0:
        return
    masters = Masters(dut)
    slave = Slave(dut)
    await begin(dut)
    for queue in masters.todo[1:]:
        queue.extend((16 * n, 0) for n in range(150))
    for _ in range(20):
        masters.todo[0].append((0x1000, 0))
        before = len(slave.grants)
        while not any(master == 0 for _, master in slave.grants[before:]):
            await RisingEdge(dut.clk)
        # Two were on their way through the skid buffer and one more is seen late.
        assert [m for _, m in slave.grants[before:]].index(0) <= 3
        await ClockCycles(dut.clk, masters.random.randint(1, 6))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def one_master_alone_gets_one_burst_every_cycle(dut: Any) -> None:
    masters = Masters(dut)
    slave = Slave(dut)
    await begin(dut)
    masters.todo[1].extend((16 * n, 0) for n in range(100))
    while masters.beats < 100:
        await RisingEdge(dut.clk)
    assert slave.grants[-1][0] - slave.grants[0][0] == 99
    assert {master for _, master in slave.grants} == {1}


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def answer_for_nobody_is_dropped_and_the_next_arrives(dut: Any) -> None:
    masters = Masters(dut)
    await begin(dut)
    await ClockCycles(dut.clk, 2)
    dut.m_axi_rvalid.value = 1
    dut.m_axi_rlast.value = 1
    for master, data in ((3, 0xBAD), (15, 0xBAD), (2, 0x600D)):
        dut.m_axi_rid.value = master
        dut.m_axi_rdata.value = data
        await RisingEdge(dut.clk)
        assert dut.m_axi_rready.value == 1
    dut.m_axi_rvalid.value = 0
    await ClockCycles(dut.clk, 4)
    assert masters.answers == [[], [], [(0x600D, 0, 1)]]


@SIMULATORS
@pytest.mark.parametrize("preferred", [0, 3])
def test_axi_read_mux(simulator: str, preferred: int) -> None:
    parameters = {"N": MASTERS, "PREFERRED": preferred}
    run_block("fdw_axi_read_mux", SOURCES, __name__, parameters=parameters, simulator=simulator)
