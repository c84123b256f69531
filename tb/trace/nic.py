"""The NIC's part of a trace, from what is seen at its ports alone: registers, AXI4, XGMII, interrupt line.

Descriptors are decoded from what the NIC read and wrote (virtio 1.2 §2.8), so the trace shows what the NIC
saw. Who reads or writes what is told by the AXI ID (fdw_nic.v).
"""

import struct
from collections import deque
from typing import NamedTuple

from pymodel.regs import GsoType, NetHdrFlag, Reg, RxStatus
from pymodel.wire import virtio_net_hdr
from pymodel.wire.oneline import one_line
from tb.lockstep import events as ev
from tb.trace.flows import Flows, of_frame
from tb.trace.frames import Frames
from tb.trace.moments import Moment, Trace, Track, Value

RX, TX = 0, 1
RING = ("RX ring", "TX ring")
_READERS = {0: "frame", 1: "descriptors", 2: "descriptors", 3: "event", 4: "event", 5: "table", 6: "table"}
_WRITERS = {0: "frame", 1: "event", 2: "event", 3: "used", 4: "used"}
_READER_QUEUE = {1: RX, 2: TX, 3: RX, 4: TX, 5: RX, 6: TX}
_WRITER_QUEUE = {0: RX, 1: RX, 2: TX, 3: RX, 4: TX}
_NEXT, _WRITE, _INDIRECT, _AVAIL, _USED = 1, 2, 4, 1 << 7, 1 << 15
_DESCRIPTOR = struct.Struct("<QIHH")
_NET_HEADER = 12


class Handed:
    """What the driver gave to the NIC: which flow the bytes at a bus address belong to."""

    def __init__(self) -> None:
        self.at: dict[int, list[int]] = {}
        self.fresh: list[int] = []
        """Flows put on the transmit ring since its last doorbell."""


class NicRecorder:
    """Takes every event at the ports of `host`'s NIC (`event`) and adds to `trace` what it means."""

    def __init__(
        self, trace: Trace, flows: Flows, frames: Frames, handed: Handed, host: str, far: str
    ) -> None:
        self._trace = trace
        self._flows = flows
        self._frames = frames
        self._handed = handed
        group = (f"host {host}", "NIC")
        self._doorbell: Track = (*group, "1 doorbells")
        self._fetch: Track = (*group, "2 descriptor reads")
        self._read: Track = (*group, "3 frame reads (DMA)")
        self._pipeline: Track = (*group, "4 checksum, TSO, FIFO")
        self._decide: Track = (*group, "5 receive decisions")
        self._write: Track = (*group, "6 frame writes (DMA)")
        self._use: Track = (*group, "7 used descriptors")
        self._line: Track = (*group, "8 interrupt line")
        self._out: Track = ("wire", f"{host} → {far}")
        self._in: Track = ("wire", f"{far} → {host}")
        self._asked: dict[tuple[bool, int], deque[tuple[int, int]]] = {}
        self._burst: dict[tuple[bool, int], tuple[int, Moment]] = {}
        self._chain: tuple[list[int], list[int]] = ([], [])
        self._within = False
        self._tables: dict[int, int] = {}
        self._reading = [0, 0]
        self._sent: dict[int, list[int]] = {}
        self._buffers: dict[int, int] = {}
        self._headers: set[int] = set()
        self._received: dict[int, _Carried] = {}
        self._storing = _Carried([], [])
        self._first_read: dict[int, int] = {}
        self._arrived: deque[_Carried] = deque()
        self._unsignalled = _Carried([], [])
        self._raised: Moment | None = None

    def event(self, event: ev.Event) -> None:
        """One event, in the order of time."""
        match event:
            case ev.MmioWrite(time, Reg.QUEUE_NOTIFY, value):
                self._notified(time, value & 0xFFFF)
            case ev.DmaRequest(time, address, write, ident):
                self._asked.setdefault((write, ident), deque()).append((time, address))
            case ev.DmaRead(time, address, data, ident, resp):
                self._was_read(time, address, data, ident, resp)
            case ev.DmaWrite(time, address, data, ident, resp):
                self._was_written(time, address, data, ident, resp)
            case ev.WireOut(time, frame):
                self._left(time, frame.start, frame.data)
            case ev.WireIn(time, frame):
                flows, frames = carried = self._carried(frame.data)
                details: dict[str, Value] = {"frame": one_line(frame.data), "bytes with FCS": len(frame.data)}
                self._trace.say(
                    frame.start,
                    self._in,
                    _called(frame.data),
                    flows,
                    end=time,
                    details=details,
                    frames=frames,
                )
                self._arrived.append(carried)
            case ev.RxDecision(time, status):
                flows, frames = self._arrived.popleft() if self._arrived else _Carried([], [])
                self._trace.say(time, self._decide, _said(status), flows, frames=frames)
            case ev.Irq(time, level):
                self._interrupt(time, level)
            case _:
                pass

    def _carried(self, data: bytes) -> "_Carried":
        """What is known of the frame that begins with `data`."""
        frames = self._frames.seen(data)
        if frames:
            return _Carried(self._frames.flows[frames[0] - 1], frames)
        segment = of_frame(data)
        return _Carried([], []) if segment is None else _Carried(self._flows.find(segment), [])

    def _notified(self, time: int, queue: int) -> None:
        flows = []
        if queue == TX:
            flows, self._handed.fresh = self._handed.fresh, []
        name = RING[queue] if queue < len(RING) else f"queue {queue}, which is not there"
        self._trace.say(time, self._doorbell, name, flows)

    # ---- DMA reads

    def _was_read(self, time: int, address: int, data: bytes, ident: int, resp: int) -> None:
        kind, queue = _READERS.get(ident, "?"), _READER_QUEUE.get(ident, TX)
        flows: list[int] = []
        details: dict[str, Value] = {"address": f"{address:#x}", "bytes": len(data), "AXI ID": ident}
        if resp:
            details["RRESP"] = resp
        if kind == "frame":
            flows = [f for start, handed in self._starts(address, len(data)) for f in handed]
            for start in self._headers.intersection(range(address, address + len(data) - _NET_HEADER + 1)):
                self._headers.discard(start)
                details["virtio_net_hdr"] = _header(data[start - address :])
            track, name = self._read, "frame"
        elif kind == "descriptors":
            flows = self._descriptors(queue, address, data, details)
            track, name = self._fetch, RING[queue]
        elif kind == "table":
            flows = self._table(queue, address, data, details)
            track, name = self._fetch, f"{RING[queue]}: indirect table"
        else:
            track, name = self._fetch, f"{RING[queue]}: event suppression"
        moment = self._transferred(False, ident, address, len(data), time, track, name, flows, details)
        for flow in moment.flows if kind == "frame" else ():
            self._first_read.setdefault(flow, time)

    def _starts(self, address: int, length: int) -> list[tuple[int, list[int]]]:
        at = self._handed.at
        return [(start, at[start]) for start in range(address, address + length) if start in at]

    def _descriptors(self, queue: int, first: int, data: bytes, details: dict[str, Value]) -> list[int]:
        flows: list[int] = []
        for at in range(0, len(data) - 15, 16):
            address, length, ident, flags = _DESCRIPTOR.unpack_from(data, at)
            if bool(flags & _AVAIL) == bool(flags & _USED):
                continue  # not available, in either lap
            details[f"descriptor at {first + at:#x}"] = _told(address, length, ident, flags)
            chain = self._chain[queue]
            if queue == TX and not self._within and not flags & _INDIRECT:
                self._headers.add(address)
            if queue == TX:
                self._within = bool(flags & _NEXT)
            if flags & _INDIRECT:
                self._tables[address] = ident
            elif flags & _WRITE:
                self._buffers[address] = ident
            chain += self._handed.at.get(address, [])
            if not flags & _NEXT:
                flows += chain
                if queue == TX and not flags & _INDIRECT:
                    self._sent[ident] = list(chain)
                chain.clear()
        return flows

    def _table(self, queue: int, first: int, data: bytes, details: dict[str, Value]) -> list[int]:
        flows: list[int] = []
        if first in self._tables:
            self._reading[queue] = ident = self._tables[first]
            self._sent[ident] = []
            if queue == TX and len(data) >= 16:
                self._headers.add(_DESCRIPTOR.unpack_from(data)[0])
        ident = self._reading[queue]
        for at in range(0, len(data) - 15, 16):
            address, length, own, flags = _DESCRIPTOR.unpack_from(data, at)
            details[f"descriptor at {first + at:#x}"] = _told(address, length, own, flags)
            flows += self._handed.at.get(address, [])
            if flags & _WRITE:
                self._buffers[address] = ident
        if queue == TX:
            self._sent.setdefault(ident, []).extend(flows)
        return flows

    # ---- DMA writes

    def _was_written(self, time: int, address: int, data: bytes, ident: int, resp: int) -> None:
        kind, queue = _WRITERS.get(ident, "?"), _WRITER_QUEUE.get(ident, RX)
        details: dict[str, Value] = {"address": f"{address:#x}", "bytes": len(data), "AXI ID": ident}
        if resp:
            details["BRESP"] = resp
        flows: list[int] = []
        frames: list[int] = []
        if kind == "frame":
            if address in self._buffers:
                if of_frame(data[_NET_HEADER:]) is not None:
                    self._storing = self._carried(data[_NET_HEADER:])
                    details["virtio_net_hdr"] = _header(data)
                self._received[self._buffers.pop(address)] = self._storing
            flows, frames = self._storing
            track, name = self._write, "frame"
        elif kind == "used":
            flows, frames = self._used(queue, address, data, details)
            track, name = self._use, RING[queue]
        else:
            track, name = self._use, f"{RING[queue]}: event suppression"
        moment = self._transferred(True, ident, address, len(data), time, track, name, flows, details)
        moment.frames = list(dict.fromkeys((*moment.frames, *frames)))

    def _used(self, queue: int, first: int, data: bytes, details: dict[str, Value]) -> "_Carried":
        """Used elements (§2.8.7): the device writes length, id and flags of a slot."""
        flows: list[int] = []
        frames: list[int] = []
        for slot in range(first & ~15, first + len(data), 16):
            at = slot + 8 - first
            if at < 0 or at + 8 > len(data):
                continue
            length, ident, flags = struct.unpack_from("<IHH", data, at)
            details[f"used at {slot:#x}"] = {"length written": length, "id": ident, "flags": _flags(flags)}
            if queue == TX:
                flows += self._sent.pop(ident, [])
            elif ident in self._received:
                stored = self._received.pop(ident)
                flows += stored.flows
                frames += stored.frames
        self._unsignalled.flows.extend(flows)
        self._unsignalled.frames.extend(frames)
        return _Carried(flows, frames)

    def _transferred(
        self,
        write: bool,
        ident: int,
        address: int,
        length: int,
        time: int,
        track: Track,
        name: str,
        flows: list[int],
        details: dict[str, Value],
    ) -> Moment:
        """A burst, from its address to its last data; one that is told in parts is drawn as one."""
        asked = self._asked.get((write, ident))
        end, last = self._burst.get((write, ident), (0, None))
        began = asked.popleft()[0] if asked and asked[0][1] == address else None
        if last is not None and end == address and began in (None, last.time):
            moment = last
            moment.duration = time - moment.time
            moment.flows += flows
            bytes_ = moment.details["bytes"]
            assert isinstance(bytes_, int)
            moment.details = moment.details | details | {"address": moment.details["address"]}
            moment.details["bytes"] = bytes_ + length
        else:
            moment = self._trace.say(
                time if began is None else began, track, name, flows, end=time, details=details
            )
        self._burst[write, ident] = (address + length, moment)
        return moment

    # ---- wire and interrupt

    def _left(self, end: int, start: int, frame: bytes) -> None:
        number = self._frames.left(frame, self._flows)
        flows = self._frames.flows[number - 1]
        for flow in flows:
            read = self._first_read.pop(flow, None)
            if read is not None and read < start:
                self._trace.say(read, self._pipeline, "to the wire", [flow], end=start)
        details: dict[str, Value] = {"frame": one_line(frame), "bytes with FCS": len(frame)}
        self._trace.say(start, self._out, _called(frame), flows, end=end, details=details, frames=[number])

    def _interrupt(self, time: int, level: bool) -> None:
        if level:
            (flows, frames), self._unsignalled = self._unsignalled, _Carried([], [])
            self._raised = self._trace.say(time, self._line, "interrupt", flows, frames=frames)
        elif self._raised is not None:
            self._raised.duration = time - self._raised.time
            self._raised = None


class _Carried(NamedTuple):
    """Segments, and the frames that they came in."""

    flows: list[int]
    frames: list[int]


def _called(frame: bytes) -> str:
    """A frame as it is named on the wire: a segment as TCP's line names it."""
    segment = of_frame(frame)
    return str(segment) if segment is not None and segment.size >= 0 else one_line(frame)


def _told(address: int, length: int, ident: int, flags: int) -> dict[str, str | int]:
    """A descriptor's fields (§2.8.13)."""
    return {"address": f"{address:#x}", "length": length, "id": ident, "flags": _flags(flags)}


def _flags(flags: int) -> str:
    names = ((_NEXT, "NEXT"), (_WRITE, "WRITE"), (_INDIRECT, "INDIRECT"), (_AVAIL, "AVAIL"), (_USED, "USED"))
    said = "|".join(name for bit, name in names if flags & bit)
    return f"{flags:#06x} {said}".rstrip()


def _header(data: bytes) -> dict[str, str | int]:
    """The header's fields (§5.1.6)."""
    found = virtio_net_hdr.parse(data)
    flags = "|".join(flag.name or "" for flag in NetHdrFlag if found.flags & flag)
    named = next((kind.name for kind in GsoType if kind == found.gso_type), "?")
    return found._asdict() | {
        "flags": f"{found.flags:#04x} {flags}".rstrip(),
        "gso_type": f"{found.gso_type} {named}",
    }


def _said(status: int) -> str:
    return RxStatus(status).name.lower().replace("_", " ")
