"""What the tests of the transmit path share: memory, the descriptor stream, the wire, and scapy's opinion.

`fdw_tx_path` is all of transmit between descriptors and XGMII. Memory is cocotbext-axi's, the far end
of the wire cocotbext-eth's; what should be on the wire comes from scapy, which knows nothing of the design.
"""

import logging
import random
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cocotb
from clocked import rng, start
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.eth import XgmiiSink
from dma_bench import BASE, SIZE, ReadMemory, ReadWatch
from mac_bench import Pulses, Wire, until

from tb.buses.memory import pauses

SOURCES = [
    "lib/fdw_fifo.v",
    "lib/fdw_byte_rotate.v",
    "lib/fdw_byte_packer.v",
    "lib/fdw_byte_slicer.v",
    "lib/fdw_sum_words.v",
    "dma/fdw_dma_read.v",
    "tx/fdw_tx_engine.v",
    "tx/fdw_tx_header.v",
    "tx/fdw_tx_checksum.v",
    "tx/fdw_tx_segment_parse.v",
    "tx/fdw_tx_segment_patch.v",
    "tx/fdw_tx_segment.v",
    "tx/fdw_tx_offload.v",
    "mac/fdw_tx_fifo.v",
    "mac/fdw_crc32.v",
    "mac/fdw_mac_tx.v",
    "tx/fdw_tx_path.v",
]
PARAMETERS: dict[str, object] = {"DESCRIPTORS": 64, "CUT_THROUGH": 2}
NEEDS_CSUM = 1
TCPV4, TCPV6, UDP_L4, ECN = 1, 4, 5, 0x80
MTU_FRAME = 1518
"""Longest frame without FCS for an MTU of 1500, with VLAN tag."""


@dataclass
class Header:
    """struct virtio_net_hdr (virtio 1.2 §5.1.6)."""

    flags: int = 0
    gso_type: int = 0
    hdr_len: int = 0
    gso_size: int = 0
    csum_start: int = 0
    csum_offset: int = 0
    num_buffers: int = 0

    def __bytes__(self) -> bytes:
        return struct.pack(
            "<BBHHHHH",
            self.flags,
            self.gso_type,
            self.hdr_len,
            self.gso_size,
            self.csum_start,
            self.csum_offset,
            self.num_buffers,
        )


def pieces(generator: random.Random, length: int, count: int) -> list[int]:
    """`length` split into at most `count` parts of at least one byte."""
    cuts = sorted(generator.sample(range(1, length), min(count, length) - 1)) if length > 1 else []
    return [b - a for a, b in zip([0, *cuts], [*cuts, length], strict=True)]


@dataclass
class Caught:
    """What the far end has got: `good` frames without FCS, and the beginnings of those `cut` off by /E/."""

    good: list[bytes] = field(default_factory=list)
    cut: list[bytes] = field(default_factory=list)

    @property
    def broken(self) -> int:
        return len(self.cut)


class TxBench:
    """The transmit path with everything around it. `slow`: chance of a pause on every channel."""

    def __init__(self, dut: Any, latency: int, slow: float) -> None:
        self.dut = dut
        self.random = rng()
        self.watch = ReadWatch(dut)
        self.memory = ReadMemory(dut, self.watch, latency, memory=bytearray(SIZE))
        self.sink = XgmiiSink(dut.xgmii_txd, dut.xgmii_txc, dut.clk, dut.rst)
        self.sink.log.setLevel(logging.ERROR)
        self.wire = Wire(dut)
        self.caught = Caught()
        self.stats = {
            name: Pulses(dut, f"stat_{name}")
            for name in ("frame", "tso", "oversize", "bad_offload", "underflow")
        }
        self.errors = Pulses(dut, "chain_error")
        self.used: list[tuple[int, int]] = []
        self.posted: deque[tuple[int, int]] = deque()
        self._descriptors: deque[tuple[int, int, int, bool, int]] = deque()
        self._at = 0
        self._id = 0
        self._stop = False
        self.hold = False
        self.desc_pause = pauses(self.random, slow)
        self.used_pause = pauses(self.random, slow)
        if slow:
            self.memory.ar_channel.set_pause_generator(pauses(self.random, slow))
            self.memory.r_channel.set_pause_generator(pauses(self.random, slow))
        cocotb.start_soon(self._drive())

    @classmethod
    async def create(
        cls,
        dut: Any,
        *,
        csum: bool = True,
        tso4: bool = True,
        tso6: bool = True,
        max_frame: int = MTU_FRAME,
        latency: int = 0,
        slow: float = 0.0,
    ) -> "TxBench":
        inputs = ("desc_valid", "desc_addr", "desc_len", "desc_id", "desc_last", "desc_slots", "used_ready")
        for name in inputs:
            getattr(dut, name).value = 0
        features = {"feat_csum": int(csum), "feat_tso4": int(tso4), "feat_tso6": int(tso6)}
        await start(dut, enable=0, calm=0, used_busy=0, max_frame=max_frame, **features)
        bench = cls(dut, latency, slow)
        await ClockCycles(dut.clk, 4)
        dut.enable.value = 1
        return bench

    async def _drive(self) -> None:
        dut = self.dut
        edge = RisingEdge(dut.clk)
        offered: tuple[int, int, int, bool, int] | None = None
        used_ready = False
        while True:
            await edge
            if self._stop:
                offered = None
                self._stop = False
            elif offered is not None and dut.desc_ready.value == 1:
                offered = None
            if used_ready and dut.used_valid.value == 1:
                assert int(dut.used_len.value) == 0
                got = (int(dut.used_id.value), int(dut.used_count.value))
                assert self.posted, f"used {got}, and nothing was posted"
                assert got == self.posted.popleft()
                self.used.append(got)
            if offered is None and self._descriptors and not self.hold and not next(self.desc_pause):
                offered = self._descriptors.popleft()
            dut.desc_valid.value = offered is not None
            if offered is not None:
                address, length, chain, last, slots = offered
                dut.desc_addr.value = BASE + address
                dut.desc_len.value = length
                dut.desc_id.value = chain
                dut.desc_last.value = last
                dut.desc_slots.value = slots
            used_ready = not next(self.used_pause)
            dut.used_ready.value = used_ready

    # ------------------------------------------------------------------ what goes in

    def place(self, data: bytes, align: int | None = None) -> int:
        """Offset of `data` in memory; places are used again, the oldest first."""
        at = (self._at + 63) // 64 * 64 + (self.random.randrange(64) if align is None else align)
        if at + len(data) > SIZE:
            at = align or 0
        self._at = at + len(data)
        self.memory.mem[at : at + len(data)] = data
        return at

    def post(
        self,
        header: Header | bytes,
        frame: bytes,
        lengths: Sequence[int] | int | None = None,
        align: int | None = None,
    ) -> None:
        """A chain of `header` and `frame` in buffers of `lengths`, or in so many, or in a few."""
        data = bytes(header) + frame
        if lengths is None:
            lengths = self.random.choice((1, 1, 2, 3, 5))
        if isinstance(lengths, int):
            lengths = pieces(self.random, len(data), lengths)
        assert sum(lengths) == len(data)
        self._id += 1
        slots = self.random.choice((1, len(lengths)))
        at = 0
        for number, length in enumerate(lengths):
            address = self.place(data[at : at + length], align)
            self._descriptors.append((address, length, self._id, number == len(lengths) - 1, slots))
            at += length
        self.posted.append((self._id, slots))

    def raw(self, address: int, length: int, last: bool) -> None:
        """A descriptor, whatever it is."""
        self._descriptors.append((address, length, self._id, last, 1))

    async def stop(self, *, device: bool = False) -> None:
        """Stop the queue, wait until it is quiet, forget what was posted, and start it again."""
        dut = self.dut
        self._descriptors.clear()
        self._stop = True
        dut.desc_valid.value = 0
        dut.enable.value = 0
        dut.calm.value = int(device)
        await ClockCycles(dut.clk, 8)
        await until(dut, lambda: dut.dma_busy.value == 0 and dut.fifo_busy.value == 0, 5000)
        self.posted.clear()
        dut.calm.value = 0
        dut.enable.value = 1

    # ------------------------------------------------------------------ what comes out

    def collect(self) -> Caught:
        """Everything that has come out of the wire in all."""
        while not self.sink.empty():
            frame = self.sink.recv_nowait()
            if frame.ctrl is not None and any(frame.ctrl):
                self.caught.cut.append(bytes(frame.data[8 : frame.ctrl.index(1)]))
            else:
                assert frame.check_fcs(), "a bad FCS and no /E/"
                self.caught.good.append(bytes(frame.get_payload()))
        return self.caught

    def count(self, name: str) -> int:
        """Pulses of statistic `name` so far."""
        return len(self.stats[name].seen)

    async def settle(self, cycles: int = 30_000) -> None:
        """Wait until everything posted is used and nothing is left to be sent."""
        dut = self.dut
        await until(
            dut,
            lambda: not self._descriptors and not self.posted and dut.fifo_busy.value == 0,
            cycles,
        )
        await ClockCycles(dut.clk, 30)

    async def expect(self, frames: Sequence[bytes], cycles: int = 30_000) -> None:
        """In all, `frames` and nothing else came out whole, padded, and the counters agree."""
        await self.settle(cycles)
        caught = self.collect()
        wanted = [frame.ljust(60, b"\0") for frame in frames]
        for number, (got, want) in enumerate(zip(caught.good, wanted, strict=False)):
            assert got == want, f"frame {number}:\n{got.hex()}\nand not\n{want.hex()}"
        assert len(caught.good) == len(wanted), f"{len(caught.good)} frames for {len(wanted)}"
        assert self.count("frame") == len(wanted)
        assert self.count("underflow") == caught.broken
        assert self.watch.pending == 0
