"""All of receive but the ring: where frames and their headers land, merged buffers, frames that break off.

The far end is cocotbext-eth's, memory cocotbext-axi's, frames and checksums are scapy's. Every byte of memory
is compared: what is outside posted buffers must stay as it was.
"""

import logging
import struct
from collections import deque
from dataclasses import dataclass
from typing import Any

import cocotb
import pytest
from clocked import rng, start
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.eth import XgmiiFrame, XgmiiSource
from dma_bench import BASE, SIZE, WriteMemory, WriteWatch
from mac_bench import Pulses, until
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from simulators import SIMULATORS

from tb.block import run_block
from tb.buses.memory import pauses

SOURCES = [
    "lib/fdw_fifo.v", "lib/fdw_byte_slicer.v", "lib/fdw_replay_fifo.v", "dma/fdw_dma_write.v",
    "mac/fdw_mac_rx.v", "mac/fdw_crc32.v", "mac/fdw_rx_fifo.v", "rx/fdw_rx_checksum.v",
    "rx/fdw_rx_engine.v", "rx/fdw_rx_frame.v", "rx/fdw_rx_header.v", "rx/fdw_rx_used.v",
    "rx/fdw_rx_path.v",
]  # fmt: skip
HEADER, DATA_VALID = 12, 2
"""virtio 1.2 §5.1.6"""
FRAME_CHAINS = 64
PARAMETERS: dict[str, object] = {"FIFO_BYTES": 16384, "FRAME_CHAINS": FRAME_CHAINS}
UNTOUCHED = 0xEE


@dataclass
class Chain:
    """`pieces`: offsets into memory and lengths."""

    ident: int
    pieces: list[tuple[int, int]]
    slots: int

    @property
    def length(self) -> int:
        return sum(length for _, length in self.pieces)


Used = tuple[int, int, int, bool, bool]
"""id, length, count, hold, release"""


class Expected:
    """What must be used, in order, and what then must be in memory. `ring`: slots."""

    def __init__(self, merge: bool, checks: bool, ring: int) -> None:
        self.merge, self.checks, self.ring = merge, checks, ring
        self.used: list[Used] = []
        self.contents: list[tuple[Chain, bytes]] = []
        self.truncated = 0

    def frame(self, data: bytes, right: bool, chains: deque[Chain]) -> None:
        """A good frame goes to the next of `chains` (virtio 1.2 §5.1.6.3.1, §5.1.6.4)."""
        need, room, taken = HEADER + len(data), 0, []
        while room < need:
            limit = len(taken) == FRAME_CHAINS or sum(c.slots for c in taken) >= self.ring
            if taken and (not self.merge or limit):
                break
            taken.append(chains.popleft())
            room += taken[-1].length
        lost = room < need
        self.truncated += lost
        flags = DATA_VALID if self.checks and right else 0
        left = struct.pack("<BxHHHHH", flags, 0, 0, 0, 0, len(taken)) + data
        lengths = []
        for chain in taken:
            part, left = left[: chain.length], left[chain.length :]
            lengths.append(0 if lost else len(part))
            # Of a frame given up under MRG_RXBUF nothing is promised.
            self.contents.append((chain, b"" if lost and self.merge else part))
        first, *others = zip(taken, lengths, strict=True)
        head, length = first
        if not others:
            self.used.append((head.ident, length, head.slots, False, False))
            return
        self.used.append((-1, -1, head.slots, True, False))
        self.used += [(c.ident, n, c.slots, False, False) for c, n in others]
        self.used.append((head.ident, length, 0, False, True))


class Fixes:
    """How often `frame` (fdw_rx_frame) has written a header anew, which shows in memory only by chance."""

    def __init__(self, frame: Any) -> None:
        self.seen = 0
        cocotb.start_soon(self._run(frame))

    async def _run(self, frame: Any) -> None:
        fix, before = int(frame.FIX.value), False
        while True:
            await RisingEdge(frame.clk)
            now = int(frame.state.value) == fix
            self.seen += now and not before
            before = now


class RxBench:
    """The receive path with everything around it. `slow`: chance of a pause on every channel."""

    def __init__(self, dut: Any, latency: int, slow: float, merge: bool, checks: bool, ring: int) -> None:
        self.dut = dut
        self.random = rng()
        self.watch = WriteWatch(dut)
        self.memory = WriteMemory(dut, latency)
        self.memory.mem[:] = bytes([UNTOUCHED]) * SIZE
        self.source = XgmiiSource(dut.xgmii_rxd, dut.xgmii_rxc, dut.clk, dut.rst)
        self.source.log.setLevel(logging.ERROR)
        self.model = Expected(merge, checks, ring)
        self.chains: deque[Chain] = deque()
        self.truncated, self.rollbacks = Pulses(dut, "truncated"), Pulses(dut.engine, "rollback")
        self.fixes = Fixes(dut.engine.frame)
        self.taps = Pulses(dut, "tap_valid", "tap_status")
        self.used: list[Used] = []
        self._descriptors: deque[tuple[int, int, int, int, bool]] = deque()
        self._ident = self._at = self.sent = 0
        self.desc_pause, self.used_pause = pauses(self.random, slow), pauses(self.random, slow)
        if slow:
            for channel in (self.memory.aw_channel, self.memory.w_channel):
                channel.set_pause_generator(pauses(self.random, slow))
        cocotb.start_soon(self._drive())

    @classmethod
    async def create(
        cls,
        dut: Any,
        *,
        merge: bool = True,
        checks: bool = True,
        ring: int = 256,
        latency: int = 0,
        slow: float = 0.0,
        max_frame: int = 1518,
    ) -> "RxBench":
        await start(
            dut, enable=1, mergeable=int(merge), checks=int(checks), ring_size=ring, max_frame=max_frame,
            xgmii_rxd=0x0707070707070707, xgmii_rxc=255, desc_valid=0, used_ready=0,
        )  # fmt: skip
        return cls(dut, latency, slow, merge, checks, ring)

    async def _drive(self) -> None:
        """Descriptors in, used entries out."""
        dut, edge = self.dut, RisingEdge(self.dut.clk)
        offered = False
        taking = False
        while True:
            await edge
            if offered and dut.desc_ready.value == 1:
                self._descriptors.popleft()
                offered = False
            if taking and dut.used_valid.value == 1:
                hold, release = bool(dut.used_hold.value), bool(dut.used_release.value)
                ident, length = int(dut.used_id.value), int(dut.used_len.value)
                assert dut.used_write.value == 1
                entry = (-1, -1) if hold else (ident, length)
                self.used.append((*entry, int(dut.used_count.value), hold, release))
            if not offered and self._descriptors and not next(self.desc_pause):
                offered = True
                address, length, ident, slots, last = self._descriptors[0]
                dut.desc_addr.value, dut.desc_len.value = BASE + address, length
                dut.desc_id.value, dut.desc_slots.value, dut.desc_last.value = ident, slots, last
            dut.desc_valid.value = offered
            taking = not next(self.used_pause)
            dut.used_ready.value = taking

    def post(self, *lengths: int, slots: int | None = None) -> None:
        """A chain of buffers of these lengths; in the ring it takes `slots`, or one for each buffer."""
        self._ident = self._ident + 1 & 0xFFFF
        pieces = []
        for length in lengths:
            self._at += self.random.randrange(1, 20)
            pieces.append((self._at, length))
            self._at += length
        assert self._at < SIZE, "the test's memory is too small"
        chain = Chain(self._ident, pieces, len(lengths) if slots is None else slots)
        self.chains.append(chain)
        for n, (address, length) in enumerate(pieces):
            last = n + 1 == len(pieces)
            self._descriptors.append((address, length, chain.ident if last else 0xDEAD, chain.slots, last))

    def send(self, data: bytes, right: bool = False, *, broken: str = "") -> None:
        """A frame; `broken`: by a wrong "fcs", or an "error" in it, else it must land in the next chains."""
        frame = XgmiiFrame.from_payload(data)
        if broken == "fcs":
            frame.data[-1] ^= 0x10
        elif broken:
            frame.ctrl = [0] * len(frame.data)
            at = self.random.randrange(8, len(frame.data))
            frame.data[at], frame.ctrl[at] = 0xFE, 1
        else:
            self.model.frame(data, right, self.chains)
        self.sent += 1
        self.source.send_nowait(frame)

    def packet(self, length: int) -> tuple[bytes, bool]:
        """A frame of `length` bytes, and whether its checksum is right: it is in two of three."""
        kind = self.random.randrange(3)
        if kind == 0 or length < 60:
            return self.random.randbytes(length), False
        head = (
            Ether(dst="02:00:00:00:00:01", src="02:00:00:00:00:02") / IP() / (TCP() if kind == 1 else UDP())
        )
        return bytes(head / Raw(self.random.randbytes(length - len(head)))), True

    def split(self, length: int, count: int) -> list[int]:
        """`length` in at most `count` parts of at least a byte."""
        count = min(length, count)
        cuts = sorted(self.random.sample(range(1, length), count - 1)) if count > 1 else []
        return [b - a for a, b in zip([0, *cuts], [*cuts, length], strict=True)]

    async def finish(self) -> None:
        """All must be used as predicted, and memory hold what is due and nothing else."""
        await until(self.dut, lambda: len(self.taps.seen) == self.sent, 200_000)
        moved, since = -1, 0
        while len(self.used) < len(self.model.used):
            assert self.watch.cycle - since < 3000 or moved != len(self.used), (
                f"hangs at used entry {len(self.used)} of {len(self.model.used)}"
            )
            if moved != len(self.used):
                moved, since = len(self.used), self.watch.cycle
            await RisingEdge(self.dut.clk)
        await ClockCycles(self.dut.clk, 100)
        assert self.used == self.model.used
        assert len(self.truncated.seen) == self.model.truncated
        memory = self.memory.mem
        for chain, content in self.model.contents:
            got = b"".join(bytes(memory[at : at + n]) for at, n in chain.pieces)
            assert got[: len(content)] == content, f"chain {chain.ident} of {chain.pieces}"
        outside = bytearray(memory)
        for chain in [c for c, _ in self.model.contents] + list(self.chains):
            for at, n in chain.pieces:
                outside[at : at + n] = bytes([UNTOUCHED]) * n
        assert outside == bytes([UNTOUCHED]) * SIZE, "written outside buffers"


def lengths_of(bench: RxBench, count: int) -> list[int]:
    near = (60, 61, 63, 64, 65, 116, 117, 244, 500, 1514, 1518)
    return [bench.random.choice((*near, bench.random.randint(60, 1518))) for _ in range(count)]


@cocotb.test()
@cocotb.parametrize(slow=[0.0, 0.3], checks=[False, True])
async def frame_in_one_chain_of_any_shape_lies_behind_a_right_header(
    dut: Any, slow: float, checks: bool
) -> None:
    bench = await RxBench.create(dut, merge=False, checks=checks, slow=slow, latency=int(slow * 100))
    for length in lengths_of(bench, 60):
        spare = bench.random.choice((0, 0, 1, 15, 16, 17, 300))
        bench.post(*bench.split(HEADER + length + spare, bench.random.choice((1, 1, 2, 5, 20))))
        bench.send(*bench.packet(length))
    await bench.finish()
    # A frame that is whole when it begins needs no guess.
    assert bool(bench.fixes.seen) == (checks and bool(int(dut.CUT_THROUGH.value)))


@cocotb.test()
async def chain_too_small_without_merging_filled_and_used_with_length_0(dut: Any) -> None:
    bench = await RxBench.create(dut, merge=False)
    for length in lengths_of(bench, 40):
        room = bench.random.choice(
            (1, 11, 12, 13, 71, HEADER + length - 1, HEADER + length, HEADER + length + 1)
        )
        bench.post(*bench.split(room, bench.random.choice((1, 1, 3))))
        bench.send(*bench.packet(length))
    await bench.finish()
    assert bench.model.truncated > 10


@cocotb.test()
@cocotb.parametrize(slow=[0.0, 0.3])
async def merged_frames_fill_chains_of_all_sizes_and_the_first_is_released_last(
    dut: Any, slow: float
) -> None:
    bench = await RxBench.create(dut, slow=slow, latency=int(slow * 100))
    for length in lengths_of(bench, 60):
        most = bench.random.choice((1, 2, 3, 10, 40))
        for size in bench.split(HEADER + length, most):
            bench.post(
                *bench.split(size, bench.random.choice((1, 1, 2))), slots=bench.random.choice((None, 1))
            )
    while (
        sum(chain.length for chain in bench.chains) > FRAME_CHAINS * 24 and len(bench.chains) > FRAME_CHAINS
    ):
        bench.send(*bench.packet(bench.random.choice((60, 200, bench.random.randint(60, 1518)))))
    await bench.finish()
    assert any(release for *_, release in bench.used) and bench.fixes.seen


@cocotb.test()
async def header_over_one_byte_chains_says_how_many_there_are(dut: Any) -> None:
    bench = await RxBench.create(dut)
    for chains in (1, 2, 11, 12, 13, 30):
        for _ in range(chains):
            bench.post(1)
        bench.post(100)
        bench.send(*bench.packet(72))
    await bench.finish()


@cocotb.test()
async def frame_over_64_chains_merged_and_over_65_given_up(dut: Any) -> None:
    bench = await RxBench.create(dut, max_frame=1600)
    for length in (FRAME_CHAINS * 24 - HEADER, FRAME_CHAINS * 24 - HEADER + 1):
        for _ in range(FRAME_CHAINS):
            bench.post(24)
        bench.send(*bench.packet(length))
    bench.post(2048)
    bench.send(*bench.packet(1000))
    await bench.finish()
    assert bench.model.truncated == 1


@cocotb.test()
@cocotb.parametrize(ring=[1, 3], table=[False, True])
async def frame_larger_than_all_slots_of_the_ring_given_up(dut: Any, ring: int, table: bool) -> None:
    bench = await RxBench.create(dut, ring=ring)
    for _ in range(15):
        bench.post(60, 60, slots=1) if table else bench.post(120)
    for length in (60, 1000, 340, 348, 349):
        bench.send(*bench.packet(length))
    await bench.finish()
    assert 0 < bench.model.truncated < 5


@cocotb.test()
@cocotb.parametrize(merge=[False, True], slow=[0.0, 0.3])
async def frames_that_break_off_leave_no_trace_and_take_no_buffer(dut: Any, merge: bool, slow: float) -> None:
    bench = await RxBench.create(dut, merge=merge, slow=slow, latency=int(slow * 100))
    for length in lengths_of(bench, 100):
        if bench.random.random() < 0.5:
            bench.send(bench.random.randbytes(length), broken=bench.random.choice(("fcs", "error")))
        else:
            most = bench.random.choice((1, 1, 3, 9)) if merge else 1
            for size in bench.split(HEADER + length, most):
                bench.post(*bench.split(size, bench.random.choice((1, 1, 2, 4))))
            bench.send(*bench.packet(length))
    await bench.finish()
    assert bool(bench.rollbacks.seen) == bool(int(dut.CUT_THROUGH.value))


def stray(bench: RxBench, data: bytes) -> list[bool]:
    """Which of the posted chains hold their part of `data`, sent in a frame that broke off?"""
    stream, found = bytes(HEADER) + data, []
    for chain in bench.chains:
        for at, n in chain.pieces:
            part, stream = stream[:n], stream[n:]
            skip = 0 if found else HEADER
            if len(part) > skip:
                found.append(bytes(bench.memory.mem[at + skip : at + len(part)]) == part[skip:])
    return found


@cocotb.test()
@cocotb.parametrize(merge=[False, True])
async def bad_fcs_of_a_frame_written_already_gives_its_buffers_to_the_next_one(dut: Any, merge: bool) -> None:
    """Nothing is used; the next good frame, longer or shorter, finds all the chains that the bad one took."""
    bench = await RxBench.create(dut, merge=merge)
    early = bool(int(dut.CUT_THROUGH.value))
    for bad, good in ((1518, 60), (300, 1518), (700, 700), (1000, 400), (64, 64)):
        for size in [90] * 17 if merge else [1600]:
            bench.post(size)
        used, rollbacks = len(bench.used), len(bench.rollbacks.seen)
        data = bench.random.randbytes(bad)
        bench.send(data, broken="fcs")
        await until(dut, lambda: len(bench.taps.seen) == bench.sent)
        await ClockCycles(dut.clk, 100)
        written = stray(bench, data[:-100])  # of the last words nobody knows
        assert len(written) == ((HEADER + bad - 100 + 89) // 90 if merge else 1) * (bad > 100)
        assert all(written) if early else not any(written), f"{written}"
        assert len(bench.rollbacks.seen) == rollbacks + early and len(bench.used) == used
        bench.send(*bench.packet(good))
        await bench.finish()
        if merge:  # the rest of this round's chains: the next round begins with fresh ones
            while bench.chains:
                bench.send(*bench.packet(60))
            await bench.finish()


@cocotb.test()
async def frame_that_breaks_off_while_memory_takes_nothing_is_waited_for(dut: Any) -> None:
    """What was begun of it must be on its way before the next frame may be written over it."""
    bench = await RxBench.create(dut)
    for _ in range(80):
        bench.post(20)
    bench.memory.aw_channel.pause = True
    bench.send(bench.random.randbytes(1518), broken="fcs")
    await until(dut, lambda: len(bench.taps.seen) == bench.sent)
    await ClockCycles(dut.clk, 50)
    frame = dut.engine.frame
    waits = frame.state.value == frame.BAD.value
    assert waits == bool(int(dut.CUT_THROUGH.value))
    bench.send(*bench.packet(1000))
    await ClockCycles(dut.clk, 300)
    assert frame.state.value == (frame.BAD.value if waits else frame.COPY.value), "over it at once"
    bench.memory.aw_channel.pause = False
    await bench.finish()


@cocotb.test()
async def frame_given_up_for_want_of_chains_that_turns_out_bad_leaves_no_trace(dut: Any) -> None:
    """64 chains are taken and the rest thrown away when its FCS proves wrong: nothing is truncated."""
    bench = await RxBench.create(dut)
    for broken in ("fcs", "error", "fcs"):
        for _ in range(FRAME_CHAINS + 6):
            bench.post(10)
        bench.post(100)
        bench.send(bench.random.randbytes(1518), broken=broken)
        bench.send(*bench.packet(FRAME_CHAINS * 10 - HEADER))
        bench.send(*bench.packet(60))
        await bench.finish()
        assert not bench.chains
    assert bench.model.truncated == 0


@cocotb.test()
async def frame_without_buffers_waits_whether_it_turns_out_good_or_bad(dut: Any) -> None:
    bench = await RxBench.create(dut)
    for broken in ("", "fcs", ""):
        data, right = bench.packet(700)
        for size in (300, 412):  # its first chain comes before it, its second long after
            bench.post(size)
        held = [bench._descriptors.pop()]
        if broken:
            bench.send(data, broken=broken)
        else:
            bench.send(data, right)
        await ClockCycles(dut.clk, 300)
        bench._descriptors.extend(held)
    await bench.finish()


@SIMULATORS
def test_rx_path(simulator: str) -> None:
    run_block("fdw_rx_path", SOURCES, __name__, PARAMETERS, simulator=simulator)


@pytest.mark.slow
def test_rx_path_without_cut_through() -> None:
    run_block("fdw_rx_path", SOURCES, __name__, PARAMETERS | {"CUT_THROUGH": 0})
