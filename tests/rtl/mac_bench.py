"""What the MAC tests share: views of XGMII that know nothing of the design.

cocotbext-eth's source and sink are the model of the far end. Their time stamps are wrong after a pause,
so `Wire` below measures positions and gaps on the signals itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cocotb
from clocked import now
from cocotb.triggers import RisingEdge

IDLE, START, TERMINATE, ERROR = 0x07, 0xFB, 0xFD, 0xFE
IDLES = int.from_bytes(bytes([IDLE] * 8), "little")


async def assert_known(dut: Any, outputs: Sequence[str], cycles: int) -> None:
    """No X or Z on any of `outputs` for `cycles` cycles (means something in Icarus only)."""
    for cycle in range(cycles):
        await RisingEdge(dut.clk)
        for name in outputs:
            value = getattr(dut, name).value
            assert value.is_resolvable, f"{name} is {value} in cycle {cycle} after reset"


async def until(dut: Any, condition: Callable[[], bool], cycles: int = 20_000) -> None:
    """Wait for `condition`, looked at once a cycle; AssertionError after `cycles`."""
    edge = RisingEdge(dut.clk)
    for _ in range(cycles):
        if condition():
            return
        await edge
    raise AssertionError(f"did not happen within {cycles} cycles")


class Pulses:
    """Collects what `names` read in each cycle in which the first of them is high."""

    def __init__(self, dut: Any, *names: str) -> None:
        self.seen: list[tuple[int, ...]] = []
        self._signals = [getattr(dut, name) for name in names]
        self._edge = RisingEdge(dut.clk)
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        first, *others = self._signals
        while True:
            await self._edge
            if int(first.value):
                self.seen.append(tuple(int(signal.value) for signal in others))


class PacketSink:
    """Takes the 128-bit packet stream m_*; `frames` holds (bytes, m_tuser). Checks the stream's rules.

    Payload stands while valid and not ready, valid does not fall, keep is contiguous and full but on the last
    beat, m_tuser is the same throughout a frame. `ready` is asked once a cycle.
    """

    def __init__(self, dut: Any) -> None:
        self.frames: list[tuple[bytes, int]] = []
        self.beats = 0
        self.ready: Callable[[], bool] = lambda: True
        self._dut = dut
        self._partial: list[bytes] = []
        self._held: tuple[int, ...] | None = None
        cocotb.start_soon(self._run())

    def clear(self) -> None:
        """Forget everything, the frame partly taken and the beat on offer too: the stream was reset."""
        self.frames.clear()
        self._partial.clear()
        self._held = None

    async def _run(self) -> None:
        dut = self._dut
        edge = RisingEdge(dut.clk)
        taking = False
        while True:
            await edge
            if int(dut.m_tvalid.value):
                beat = tuple(int(s.value) for s in (dut.m_tdata, dut.m_tkeep, dut.m_tlast, dut.m_tuser))
                assert self._held in (None, beat), f"payload changed from {self._held} to {beat}"
                self._held = None if taking else beat
                if taking:
                    self._take(*beat)
            else:
                assert self._held is None, "valid fell without ready"
            taking = self.ready()
            dut.m_tready.value = taking

    def _take(self, data: int, keep: int, last: int, user: int) -> None:
        size = keep.bit_length()
        assert keep == (1 << size) - 1, f"keep {keep:04x}"
        assert size > 0 if last else size == 16, f"keep {keep:04x} with last {last}"
        self.beats += 1
        self._partial.append(data.to_bytes(16, "little")[:size])
        if last:
            self.frames.append((b"".join(self._partial), user))
            self._partial.clear()
        assert 16 * len(self._partial) < user or last, f"{user} bytes announced and more given"


@dataclass
class Span:
    """A frame on the wire: positions of /S/ and /T/ in bytes, eight times `now()` for lane 0."""

    start: int
    end: int


class Wire:
    """Watches XGMII output: /S/ in lane 0 or 4 only, idle between frames, and where frames begin and end."""

    def __init__(self, dut: Any) -> None:
        self.spans: list[Span] = []
        self.starts = 0
        self.errors = 0
        self._dut = dut
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        dut = self._dut
        edge = RisingEdge(dut.clk)
        inside = False
        began = 0
        while True:
            await edge
            control = int(dut.xgmii_txc.value)
            data = int(dut.xgmii_txd.value)
            if int(dut.rst.value):
                inside = False
                continue
            if (control == 0 and inside) or (control == 0xFF and data == IDLES and not inside):
                continue
            at = 8 * now()
            for lane in range(8):
                byte = data >> 8 * lane & 0xFF
                if not control >> lane & 1:
                    assert inside, f"data outside a frame: {data:016x}/{control:02x}"
                elif inside and byte == TERMINATE:
                    self.spans.append(Span(began, at + lane))
                    inside = False
                elif inside and byte == ERROR:
                    self.errors += 1
                elif not inside and byte == START and lane in (0, 4):
                    began, inside = at + lane, True
                    self.starts += 1
                else:
                    assert not inside and byte == IDLE, f"lane {lane} of {data:016x}/{control:02x}"

    @property
    def gaps(self) -> list[int]:
        """Bytes between frames, /T/ included and /S/ not (IEEE 802.3 §46.3.1.4)."""
        return [b.start - a.end for a, b in zip(self.spans, self.spans[1:], strict=False)]
