"""fdw_axi_write_mux with three masters and a slave that answers them out of order."""

from collections import deque
from typing import Any, NamedTuple

import cocotb
from clocked import rng, start
from cocotb.triggers import ClockCycles, RisingEdge
from dma_bench import Watch
from simulators import SIMULATORS

from tb.block import run_block

MASTERS = 3
SOURCES = ["lib/fdw_fifo.v", "lib/fdw_skid.v", "lib/fdw_arbiter.v", "dma/fdw_axi_write_mux.v"]


class Burst(NamedTuple):
    address: int
    data: tuple[int, ...]

    def beats(self) -> list[tuple[int, int, int]]:
        """(data, strobes, last); the strobes are taken from the data, so that they must come along."""
        return [(d, d >> 7 & 0xFFFF, int(n == len(self.data) - 1)) for n, d in enumerate(self.data)]


class Masters:
    """Three masters that send the bursts in `todo`: W at any time after its AW was offered.

    `valid` is the probability that a master has something to say, `ready` that it takes a B; `answers` are
    the responses of each.
    """

    def __init__(self, dut: Any, ready: float = 1.0, valid: float = 1.0) -> None:
        self.dut = dut
        self.random = rng()
        self.ready = ready
        self.valid = valid
        self.todo: list[deque[Burst]] = [deque() for _ in range(MASTERS)]
        self.answers: list[list[int]] = [[] for _ in range(MASTERS)]
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        dut = self.dut
        aw: list[Burst | None] = [None] * MASTERS
        w: list[tuple[int, int, int] | None] = [None] * MASTERS
        owed: list[deque[tuple[int, int, int]]] = [deque() for _ in range(MASTERS)]
        edge = RisingEdge(dut.clk)
        while True:
            await edge
            if dut.rst.value != 0:
                continue
            awready, wready = int(dut.s_axi_awready.value), int(dut.s_axi_wready.value)
            answered = int(dut.s_axi_bvalid.value) & int(dut.s_axi_bready.value)
            signals = dict.fromkeys(
                ("awvalid", "awaddr", "awlen", "wvalid", "wdata", "wstrb", "wlast", "bready"), 0
            )
            for i in range(MASTERS):
                if awready >> i & 1:
                    aw[i] = None
                if wready >> i & 1:
                    w[i] = None
                if answered >> i & 1:
                    self.answers[i].append(int(dut.s_axi_bresp.value))
                if aw[i] is None and self.todo[i] and self.random.random() < self.valid:
                    burst = aw[i] = self.todo[i].popleft()
                    owed[i].extend(burst.beats())
                if w[i] is None and owed[i] and self.random.random() < self.valid:
                    w[i] = owed[i].popleft()
                signals["bready"] |= (self.random.random() < self.ready) << i
                if offer := aw[i]:
                    signals["awvalid"] |= 1 << i
                    signals["awaddr"] |= offer.address << 64 * i
                    signals["awlen"] |= len(offer.data) - 1 << 8 * i
                if beat := w[i]:
                    data, strobes, last = beat
                    signals["wvalid"] |= 1 << i
                    signals["wdata"] |= data << 128 * i
                    signals["wstrb"] |= strobes << 16 * i
                    signals["wlast"] |= last << i
            for name, value in signals.items():
                getattr(dut, "s_axi_" + name).value = value


class Slave(Watch):
    """Takes AW and W; puts each burst together by the order of AW (`bursts`: (master, Burst)).

    B in order within an ID, at random between IDs; the response is in the burst's address.
    """

    def __init__(self, dut: Any, ready: float = 1.0, valid: float = 1.0) -> None:
        self.random = rng()
        self.ready = ready
        self.w_ready = ready
        self.valid = valid
        self.bursts: list[tuple[int, Burst]] = []
        self.aw_cycles: list[int] = []
        self.w_cycles: list[int] = []
        self._aw: deque[tuple[int, int, int]] = deque()
        self._w: list[tuple[int, int, int]] = []
        self._answers: list[deque[int]] = [deque() for _ in range(MASTERS)]
        self._now: tuple[int, int] | None = None
        super().__init__(dut)

    def step(self) -> None:
        dut = self.dut
        offered, accepted = self.sample(
            "m_axi_awvalid",
            "m_axi_awready",
            ("m_axi_awid", "m_axi_awaddr", "m_axi_awlen", "m_axi_awsize", "m_axi_awburst"),
        )
        if offered and accepted:
            assert offered[3:] == (4, 1)
            self._aw.append(offered[:3])  # type: ignore[arg-type]
            self.aw_cycles.append(self.cycle)
        beat, accepted = self.sample(
            "m_axi_wvalid", "m_axi_wready", ("m_axi_wdata", "m_axi_wstrb", "m_axi_wlast")
        )
        if beat and accepted:
            self._w.append(beat)  # type: ignore[arg-type]
            self.w_cycles.append(self.cycle)
        while self._aw and any(last for _, _, last in self._w):
            master, address, length = self._aw.popleft()
            burst = Burst(address, tuple(d for d, _, _ in self._w[: length + 1]))
            assert self._w[: length + 1] == burst.beats(), "beats of another burst, or wrong strobes or WLAST"
            del self._w[: length + 1]
            self.bursts.append((master, burst))
            self._answers[master].append(response_of(burst))
        if self._now and dut.m_axi_bready.value == 1:
            self._now = None
        waiting = [i for i, answers in enumerate(self._answers) if answers]
        if self._now is None and waiting and self.random.random() < self.valid:
            master = self.random.choice(waiting)
            self._now = (master, self._answers[master].popleft())
        dut.m_axi_bvalid.value = self._now is not None
        if self._now:
            dut.m_axi_bid.value, dut.m_axi_bresp.value = self._now
        dut.m_axi_awready.value = self.random.random() < self.ready
        dut.m_axi_wready.value = self.random.random() < self.w_ready


def response_of(burst: Burst) -> int:
    return burst.address >> 4 & 3


async def begin(dut: Any) -> None:
    sizes = sum(4 << 3 * i for i in range(MASTERS))
    bursts = sum(1 << 2 * i for i in range(MASTERS))
    await start(
        dut, s_axi_awvalid=0, s_axi_awsize=sizes, s_axi_awburst=bursts, s_axi_wvalid=0, s_axi_wlast=0,
        s_axi_bready=0, m_axi_awready=0, m_axi_wready=0, m_axi_bvalid=0, m_axi_bid=0, m_axi_bresp=0,
    )  # fmt: skip


async def finish(dut: Any, masters: Masters, todo: list[list[Burst]]) -> None:
    for queue, bursts in zip(masters.todo, todo, strict=True):
        queue.extend(bursts)
    while sum(map(len, masters.answers)) < sum(map(len, todo)):
        await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 10)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(ready=[1.0, 0.5], valid=[1.0, 0.4])
async def bursts_of_three_masters_arrive_whole_and_each_gets_its_own_answers(
    dut: Any, ready: float, valid: float
) -> None:
    generator = rng()
    masters = Masters(dut, ready, valid)
    slave = Slave(dut, ready, valid)
    await begin(dut)
    todo = [
        [
            Burst(generator.getrandbits(60) << 4, tuple(generator.getrandbits(128) for _ in range(length)))
            for length in generator.choices((1, 1, 2, 16), k=60)
        ]
        for _ in range(MASTERS)
    ]
    await finish(dut, masters, todo)
    for i in range(MASTERS):
        assert [burst for master, burst in slave.bursts if master == i] == todo[i]
        assert masters.answers[i] == [response_of(burst) for burst in todo[i]]


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(length=[1, 4])
async def masters_that_always_write_get_equal_turns_and_fill_every_cycle(dut: Any, length: int) -> None:
    masters = Masters(dut)
    slave = Slave(dut)
    await begin(dut)
    await finish(
        dut,
        masters,
        [[Burst(16 * n, tuple(range(n, n + length))) for n in range(60)] for _ in range(MASTERS)],
    )
    order = [master for master, _ in slave.bursts]
    assert order[3:-3] == [order[n % 3] for n in range(3, 177)]
    assert slave.w_cycles[-1] - slave.w_cycles[0] == 180 * length - 1, "W was not full every cycle"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def slave_that_takes_no_data_gets_no_more_addresses_than_the_order_fifo_holds(dut: Any) -> None:
    masters = Masters(dut)
    slave = Slave(dut)
    await begin(dut)
    slave.w_ready = 0.0
    for i, queue in enumerate(masters.todo):
        queue.extend(Burst(i << 20 | 16 * n, (n, n + 1)) for n in range(30))
    await ClockCycles(dut.clk, 100)
    assert len(slave.aw_cycles) == 17, "16 in the order FIFO, and one whose two beats wait in the skid buffer"
    slave.w_ready = 1.0
    while sum(map(len, masters.answers)) < 90:
        await RisingEdge(dut.clk)
    assert len(slave.bursts) == 90


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def answer_for_nobody_is_dropped_and_the_next_arrives(dut: Any) -> None:
    masters = Masters(dut)
    await begin(dut)
    await ClockCycles(dut.clk, 2)
    dut.m_axi_bvalid.value = 1
    for master, response in ((3, 3), (15, 3), (2, 2)):
        dut.m_axi_bid.value = master
        dut.m_axi_bresp.value = response
        await RisingEdge(dut.clk)
        assert dut.m_axi_bready.value == 1
    dut.m_axi_bvalid.value = 0
    await ClockCycles(dut.clk, 4)
    assert masters.answers == [[], [], [2]]


@SIMULATORS
def test_axi_write_mux(simulator: str) -> None:
    run_block("fdw_axi_write_mux", SOURCES, __name__, parameters={"N": MASTERS}, simulator=simulator)
