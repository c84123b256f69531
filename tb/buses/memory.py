"""Host memory behind the AXI4 master port of a NIC: cocotbext-axi's slaves and `MemorySettings`."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol

import cocotb
from cocotb.triggers import Event, First, RisingEdge, Timer
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiReadBus, AxiResp, AxiSlaveRead, AxiSlaveWrite, AxiWriteBus

from tb.memory_settings import BUS_BYTES, CHANNELS, MemorySettings

PERIOD_PS = 6400
"""156.25 MHz"""

_HOLD = 200
"""Cycles that an answer waits to be overtaken."""


def pauses(generator: random.Random, probability: float) -> Iterator[bool]:
    """True (pause) with `probability`, in runs, for ever."""
    while True:
        pause = generator.random() < probability
        for _ in range(generator.choice((1, 1, 1, 2, 5, 20))):
            yield pause


class Target(Protocol):
    """What is read and written; an exception is answered SLVERR."""

    async def read(self, address: int, length: int) -> bytes:
        """`length` bytes at `address`."""

    async def write(self, address: int, data: bytes) -> None:
        """Store `data` at `address`."""


class _Burst:
    """An address, or a response, on its way. `number`: of its address, counted from 0; `due`: ps.

    `held`: the time until which it waits to be overtaken, once its turn has come; None: it does not wait.
    """

    def __init__(self, item: Any, ident: int, number: int, due: int, held: bool) -> None:
        self.item, self.ident, self.number, self.due = item, ident, number, due
        self.held: float | None = float("inf") if held else None


class _Delay:
    """Bursts stay here until they are due, however many; those of one id keep their order.

    `settings`: tells latency, jitter and reordering; `name`: the setting that is the latency.
    """

    def __init__(self, settings: Callable[[], MemorySettings], name: str, rng: random.Random) -> None:
        self._settings = settings
        self._name = name
        self._rng = rng
        self._waiting: list[_Burst] = []
        self._came = Event()

    def put(self, item: Any, ident: int, number: int) -> None:
        settings = self._settings()
        latency = getattr(settings, self._name) + self._rng.randint(0, settings.jitter)
        held = self._rng.random() * 100 < settings.reorder_percent
        due = _now() + latency * PERIOD_PS
        self._waiting.append(_Burst(item, ident, number, due, held))
        self._came.set()

    async def get(self) -> _Burst:
        """Of each id the oldest may go, once it is due and not held: the oldest of those."""
        while True:
            now, again, seen = _now(), float("inf"), set[int]()
            for at, burst in enumerate(self._waiting):
                if burst.ident in seen:
                    continue
                seen.add(burst.ident)
                if burst.due <= now and burst.held == float("inf"):
                    burst.held = now + _HOLD * PERIOD_PS
                ready = max(burst.due, burst.held or 0)
                if ready <= now:
                    for older in self._waiting[:at]:
                        older.held = None
                    del self._waiting[at]
                    return burst
                again = min(again, burst.due if burst.due > now else ready)
            self._came.clear()
            coming = self._came.wait()
            await (coming if again == float("inf") else First(coming, Timer(int(again) - now, "ps")))

    def clear(self) -> None:
        self._waiting.clear()


class _Addresses:
    """In place of an address channel's sink: numbers bursts, delays them, and accepts only so many.

    `current`: the burst that the slave works on.
    """

    def __init__(self, sink: Any, ident: str, delay: _Delay | None, limit: Callable[[], int]) -> None:
        self.current = _Burst(None, 0, -1, 0, held=False)
        self.accepted = self.answered = 0
        self._sink = sink
        self._ident = ident
        self._delay = delay
        self._limit = limit
        self._full = sink.full
        sink.full = self._closed
        if delay is not None:
            sink.queue_occupancy_limit = -1
            cocotb.start_soon(self._run(delay))

    def _closed(self) -> bool:
        limit = self._limit()
        outstanding = self.accepted + self._sink.count() - self.answered
        return bool(self._full() or (limit and outstanding >= limit))

    def number(self) -> int:
        """Of the next burst that is accepted."""
        return self.accepted + int(self._sink.count())

    def done(self) -> None:
        """A burst has been answered."""
        self.answered += 1
        self._sink.wake_event.set()

    async def _take(self) -> tuple[Any, int, int]:
        item = await self._sink.recv()
        self.accepted += 1
        return item, int(getattr(item, self._ident)), self.accepted - 1

    async def _run(self, delay: _Delay) -> None:
        while True:
            delay.put(*await self._take())

    async def recv(self) -> Any:
        if self._delay is not None:
            self.current = await self._delay.get()
        else:
            item, ident, number = await self._take()
            self.current = _Burst(item, ident, number, 0, held=False)
        return self.current.item

    def clear(self) -> None:
        """Reset: nothing is outstanding any more."""
        self._sink.clear()
        self.answered = self.accepted
        if self._delay is not None:
            self._delay.clear()


class _Pace:
    """Lets a beat pass as often as a bandwidth says, and saves nothing up."""

    def __init__(self, bandwidth: Callable[[], float]) -> None:
        self._bandwidth = bandwidth
        self._free = 0

    async def wait(self) -> None:
        bandwidth = self._bandwidth()
        if not bandwidth:
            return
        now = _now()
        start = max(now, self._free)
        self._free = start + round(BUS_BYTES / bandwidth * PERIOD_PS)
        if start > now:
            await Timer(start - now, "ps")


class _PacedSink:
    """In place of the W channel's sink."""

    def __init__(self, sink: Any, pace: _Pace) -> None:
        self._sink = sink
        self._pace = pace
        self.clear = sink.clear

    async def recv(self) -> Any:
        await self._pace.wait()
        return await self._sink.recv()


class _PacedSource:
    """In place of the R channel's source; `answer(beat)` may still change what is sent."""

    def __init__(self, source: Any, pace: _Pace, answer: Callable[[Any], None]) -> None:
        self._source = source
        self._pace = pace
        self._answer = answer
        self._transaction_obj = source._transaction_obj
        self.clear = source.clear

    async def send(self, beat: Any) -> None:
        self._answer(beat)
        await self._pace.wait()
        await self._source.send(beat)


class _LateSource:
    """In place of the B channel's source; `answer(response)` may still change what is sent."""

    def __init__(self, source: Any, delay: _Delay, answer: Callable[[Any], None]) -> None:
        self._source = source
        self._delay = delay
        self._answer = answer
        self._transaction_obj = source._transaction_obj
        source.queue_occupancy_limit = -1
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        while True:
            await self._source.send((await self._delay.get()).item)

    async def send(self, response: Any) -> None:
        self._answer(response)
        self._delay.put(response, int(response.bid), 0)

    def clear(self) -> None:
        self._source.clear()
        self._delay.clear()


class HostBus:
    """`target` behind the AXI4 master ports `m_axi` of `dut`, at first with no latency and no limits.

    `configure` says how it behaves, at any time; `latency` and `pause` are short for parts of that. The
    slaves check WLAST and the 4 KiB rule (AXI4 A3.4.1). Not as in C++: bursts are begun one after the other,
    and writes take effect with their data also where ids are reordered.
    """

    def __init__(self, dut: Any, target: Target, latency: int = 0) -> None:
        self.settings = MemorySettings(read_latency=latency, write_latency=latency)
        self._dut = dut
        self._target = target
        self._rng = random.Random(1)
        self._failures: dict[tuple[bool, int], int] = {}
        self._watching = False
        self.read_if = AxiSlaveRead(AxiReadBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, target=self)
        self.write_if = AxiSlaveWrite(AxiWriteBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, target=self)
        read, write = self.read_if, self.write_if
        self._channels = [read.ar_channel, read.r_channel, write.aw_channel, write.w_channel, write.b_channel]
        for channel in (*self._channels, read, write):
            channel.log.setLevel("ERROR")
        read.r_channel.queue_occupancy_limit = 4
        write.aw_channel.queue_occupancy_limit = 4
        write.w_channel.queue_occupancy_limit = 4

        def delay(name: str) -> _Delay:
            return _Delay(lambda: self.settings, name, self._rng)

        self._reads = _Addresses(
            read.ar_channel, "arid", delay("read_latency"), lambda: self.settings.read_limit
        )
        self._writes = _Addresses(write.aw_channel, "awid", None, lambda: self.settings.write_limit)
        read.ar_channel, write.aw_channel = self._reads, self._writes
        read.r_channel = _PacedSource(
            read.r_channel, _Pace(lambda: self.settings.read_bandwidth), self._answer_read
        )
        write.w_channel = _PacedSink(write.w_channel, _Pace(lambda: self.settings.write_bandwidth))
        write.b_channel = _LateSource(write.b_channel, delay("write_latency"), self._answer_write)

    @property
    def latency(self) -> int:
        """Cycles from a read's address to its data, and from a write's data to its response."""
        return self.settings.read_latency

    @latency.setter
    def latency(self, cycles: int) -> None:
        self.settings = replace(self.settings, read_latency=cycles, write_latency=cycles)

    def configure(self, settings: MemorySettings) -> None:
        """From now on the memory behaves so."""
        self.settings = settings
        self._rng.seed(settings.seed)
        for name, channel in zip(CHANNELS, self._channels, strict=True):
            share = settings.stall(name) / 100
            channel.set_pause_generator(pauses(random.Random(self._rng.random()), share) if share else None)
            channel.pause = False
        if not self._watching and (settings.read_limit or settings.write_limit):
            # From now on, for what is outstanding already is not known.
            self._watching = True
            for addresses in (self._reads, self._writes):
                addresses.answered = addresses.accepted
            cocotb.start_soon(self._watch())

    def pause(self, generator: random.Random, probability: float) -> None:
        """Random backpressure: each channel withholds its valid or ready with `probability`."""
        for channel in self._channels:
            channel.set_pause_generator(pauses(generator, probability))

    def fail_nth(self, nth: int, *, write: bool, response: int = int(AxiResp.SLVERR)) -> None:
        """The `nth` burst from now on (0: the next) that reads, or writes, is answered with `response`."""
        addresses = self._writes if write else self._reads
        self._failures[write, addresses.number() + nth] = response

    async def _watch(self) -> None:
        """Count what has been answered, at the handshakes."""
        dut, edge = self._dut, RisingEdge(self._dut.clk)
        while True:
            await edge
            if dut.m_axi_rvalid.value and dut.m_axi_rready.value and dut.m_axi_rlast.value:
                self._reads.done()
            if dut.m_axi_bvalid.value and dut.m_axi_bready.value:
                self._writes.done()

    def _answer_read(self, beat: Any) -> None:
        response = self._failures.get((False, self._reads.current.number))
        if response is not None:
            beat.rresp, beat.rdata = response, 0

    def _answer_write(self, response: Any) -> None:
        planned = self._failures.get((True, self._writes.current.number))
        if planned is not None:
            response.bresp = planned

    # ---- what the slaves call ----

    async def read(self, address: int, length: int) -> bytes:
        """As `Target.read`."""
        return await self._target.read(address, length)

    async def write(self, address: int, data: bytes) -> None:
        """As `Target.write`, but of a burst that is to fail nothing is stored."""
        if (True, self._writes.current.number) not in self._failures:
            await self._target.write(address, data)


def _now() -> int:
    return int(get_sim_time("ps"))
