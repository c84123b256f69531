"""The rings as they were seen at the NIC's ports: each descriptor's way, and the frames of the driver's side.

Decoded from what the NIC read and wrote (virtio 1.2 §2.8), by code of its own: a checker may be what failed.
"""

import struct
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pymodel.regs import DESC_BYTES, EVENT_BYTES, DescFlag, EventFlag, Feature, Queue, Reg, Status
from pymodel.simtime import NS
from tb.cosim.recorder import Posted, RegisterWrite
from tb.lockstep.buffers import Buffer, ChainRecord

NAMES: Final = {int(Queue.RX): "RX", int(Queue.TX): "TX"}

_DESC = struct.Struct("<QIHH")
_AREAS: Final = {
    Reg.QUEUE_DESC_LOW: ("ring", 0),
    Reg.QUEUE_DESC_HIGH: ("ring", 32),
    Reg.QUEUE_DRIVER_LOW: ("driver", 0),
    Reg.QUEUE_DRIVER_HIGH: ("driver", 32),
    Reg.QUEUE_DEVICE_LOW: ("device", 0),
    Reg.QUEUE_DEVICE_HIGH: ("device", 32),
}
_WORD: Final = 0xFFFFFFFF
_WRAP: Final = 0x8000
_UNKNOWN: Final = "?"


class Step(NamedTuple):
    """One line of the trace; `ring` is "RX", "TX" or empty."""

    time: int
    ring: str
    what: str
    text: str

    def __str__(self) -> str:
        return f"{self.time / NS:14.1f} ns  {self.ring:2}  {self.what:11}  {self.text}"


class HostFrame(NamedTuple):
    """A chain's content as the driver gave it (TX) or gets it (RX): virtio_net_hdr and frame, no FCS.

    `time`: when the NIC read its first descriptor (TX), or wrote its used entry (RX). `note`: id and slot.
    """

    time: int
    queue: int
    data: bytes
    note: str


class _Chain(ChainRecord):
    """A chain, and when it was first seen."""

    __slots__ = ("time",)

    def __init__(self, position: int, time: int) -> None:
        super().__init__(position)
        self.time = time


@dataclass
class _Ring:
    """What the registers say of a queue, and what has been seen of it."""

    queue: int
    areas: dict[str, int] = field(default_factory=dict)
    size: int = 0
    ready: bool = False
    next: int | None = None
    """Position of the descriptor that is read next, counted without end; None: not known yet."""
    posted: int | None = None
    """The slot that the driver fills next, with its wrap counter (`Posted.place`)."""
    frame: int | None = None
    """Position of the chain in which the next received frame begins."""
    open: _Chain | None = None
    out: list[_Chain] = field(default_factory=list)
    stored: dict[int, tuple[int, bytes, str, int]] = field(default_factory=dict)
    """Used RX chains by position: time, content, note, slots; until their frame is whole."""

    @property
    def name(self) -> str:
        """RX or TX."""
        return NAMES.get(self.queue, f"queue {self.queue}")

    def restart(self, next_: int | None) -> None:
        """It begins anew, at `next_`."""
        self.next = self.frame = next_
        self.posted, self.open = None, None
        self.out.clear()
        self.stored.clear()

    def holds(self, address: int) -> bool:
        """Is `address` one of its slots?"""
        base = self.areas.get("ring", 0)
        return self.ready and base <= address < base + DESC_BYTES * self.size

    def slot(self, address: int) -> int:
        """The slot at `address`."""
        return (address - self.areas["ring"]) // DESC_BYTES


class RingTrace:
    """Give it register writes, what was made available, reads and writes; then look at `steps`, `frames`.

    `places`: where the NIC was in each ring when the recording began (`RtlNic.ring_place`).
    """

    def __init__(self, places: list[tuple[int, int] | None]) -> None:
        self.steps: list[Step] = []
        self.frames: list[HostFrame] = []
        self._places = places
        self._rings = {queue: _Ring(queue) for queue in NAMES}
        self._selected = 0
        self._feature_word = 0
        self._features = 0

    def catch_up(self, write: RegisterWrite) -> None:
        """A register was written before the recording began."""
        self._write(write.offset, write.value)

    def began(self) -> None:
        """The recording begins: the rings that run are where they were."""
        for queue, place in enumerate(self._places):
            if place is not None and self._rings[queue].ready:
                self._rings[queue].restart(place[1])
                self._rings[queue].frame = place[0]

    def _say(self, time: int, ring: str, what: str, text: str) -> None:
        self.steps.append(Step(time, ring, what, text))

    # ---- the driver

    def written(self, time: int, offset: int, value: int) -> None:
        """The NIC took a register write."""
        if offset == Reg.QUEUE_NOTIFY:
            self._say(time, NAMES.get(value & 0xFFFF, _UNKNOWN), "doorbell", f"QueueNotify = {value}")
        elif offset == Reg.STATUS:
            names = "|".join(bit.name or "" for bit in Status if value & bit) or "0: reset"
            self._say(time, "", "status", f"Status = {names}")
        elif offset == Reg.INTERRUPT_ACK:
            self._say(time, "", "acknowledge", f"InterruptACK = {value:#x}")
        self._write(offset, value)

    def _write(self, offset: int, value: int) -> None:
        ring = self._rings.get(self._selected)
        if offset == Reg.QUEUE_SEL:
            self._selected = value
        elif offset == Reg.DRIVER_FEATURES_SEL:
            self._feature_word = value
        elif offset == Reg.DRIVER_FEATURES and self._feature_word < 2:
            shift = 32 * self._feature_word
            self._features = self._features & ~(_WORD << shift) | value << shift
        elif offset == Reg.STATUS and not value:
            self._features = 0
            for each in self._rings.values():
                each.ready = False
                each.areas.clear()
        elif ring is None:
            return
        elif offset == Reg.QUEUE_NUM:
            ring.size = value
        elif offset in _AREAS:
            area, shift = _AREAS[Reg(offset)]
            ring.areas[area] = ring.areas.get(area, 0) & ~(_WORD << shift) | value << shift
        elif offset == Reg.QUEUE_READY:
            ring.ready = bool(value & 1) and ring.size > 0
            ring.restart(0)
        elif offset == Reg.QUEUE_RESET and value & 1:
            ring.ready = False

    def made_available(self, posted: Posted) -> None:
        """The driver has filled slots."""
        ring = self._rings[posted.queue]
        if not ring.ready:
            return
        before, ring.posted = ring.posted, posted.place
        if before is None:
            if ring.next not in (0, None):
                return  # the recording began later: since when, is not known
            before = _WRAP  # §2.8.1: a ring begins at slot 0 with wrap counter 1
        if before == posted.place:
            return
        first, slot = before & ~_WRAP, posted.place & ~_WRAP
        count = (slot - first) % ring.size or ring.size
        slots = f"slot {first:3}" if count == 1 else f"slots {first} to {(slot - 1) % ring.size} ({count})"
        self._say(posted.time, ring.name, "available", slots)

    # ---- what the NIC reads

    def read(self, time: int, address: int, data: bytes) -> None:
        """A read burst, or a part of one."""
        for ring in self._rings.values():
            if ring.holds(address):
                self._descriptors(ring, time, address, data)
                return
            driver = ring.areas.get("driver", -1)
            if ring.ready and address <= driver and driver + EVENT_BYTES <= address + len(data):
                at = driver - address
                self._say(time, ring.name, "driver event", f"read: {_event(data[at : at + EVENT_BYTES])}")
        for ring in self._rings.values():
            for chain in ring.out:
                if chain.table is not None and chain.reads(address):
                    self._table(ring, chain, time, address, data)
        tx = self._rings[int(Queue.TX)]
        for chain in [*tx.out, *([tx.open] if tx.open is not None else [])]:
            for buffer in chain.buffers:
                if buffer.start < address + len(data) and address < buffer.end:
                    buffer.store(address, data)

    def _descriptors(self, ring: _Ring, time: int, first: int, data: bytes) -> None:
        for at in range(0, len(data) - DESC_BYTES + 1, DESC_BYTES):
            slot = ring.slot(first + at)
            start, length, ident, flags = _DESC.unpack_from(data, at)
            wrap = bool(flags & DescFlag.AVAIL)
            if wrap == bool(flags & DescFlag.USED):
                return  # not available, in either lap
            if ring.next is None:  # the first that is seen says where the NIC is
                ring.next = slot if wrap else slot + ring.size
            if slot != ring.next % ring.size or wrap != (not ring.next // ring.size & 1):
                continue
            self._take(ring, time, start, length, ident, flags)

    def _take(self, ring: _Ring, time: int, start: int, length: int, ident: int, flags: int) -> None:
        assert ring.next is not None
        chain = ring.open
        if chain is None:
            chain = ring.open = _Chain(ring.next, time)
        slot = ring.next % ring.size
        text = f"slot {slot:3}  id {ident:3}  len {length:5}  at {start:#x}  {_flags(flags)}"
        self._say(time, ring.name, "fetched", text)
        if flags & DescFlag.INDIRECT and self._features >> Feature.INDIRECT_DESC & 1:
            chain.table = Buffer(start, min(length, DESC_BYTES * ring.size))
        else:
            chain.buffers.append(Buffer(start, length))
        chain.slots += 1
        ring.next += 1
        if not flags & DescFlag.NEXT:
            chain.buffer_id = ident
            ring.out.append(chain)
            ring.open = None

    def _table(self, ring: _Ring, chain: _Chain, time: int, address: int, data: bytes) -> None:
        known = len(chain.buffers)
        chain.read_table(address, data)
        for number, buffer in enumerate(chain.buffers[known:], known):
            text = f"entry {number} of id {chain.buffer_id}: len {len(buffer)} at {buffer.start:#x}"
            self._say(time, ring.name, "indirect", text)

    # ---- what the NIC writes

    def write(self, time: int, address: int, data: bytes) -> None:
        """A run of bytes is in memory."""
        for ring in self._rings.values():
            if ring.holds(address):
                self._used(ring, time, address, data)
                return
            if ring.ready and address == ring.areas.get("device"):
                self._say(time, ring.name, "device event", f"written: {_event(data)}")
                return
        for chain in self._rings[int(Queue.RX)].out:
            for buffer in chain.buffers:
                if buffer.start <= address < buffer.end:
                    buffer.store(address, data)
                    return
        self._say(time, "", "stray write", f"{len(data)} bytes at {address:#x}, which is no buffer's")

    def _used(self, ring: _Ring, time: int, address: int, data: bytes) -> None:
        slot = ring.slot(address)
        if len(data) != DESC_BYTES:
            text = f"slot {slot}: {len(data)} bytes of a used entry: {data.hex()}"
            self._say(time, ring.name, "torn", text)
            return
        _, length, ident, flags = _DESC.unpack(data)
        text = f"slot {slot:3}  id {ident:3}  len {length:5}  {_flags(flags)}"
        found = [chain for chain in ring.out if chain.buffer_id == ident]
        if not found:
            self._say(time, ring.name, "used", f"{text}  (no chain with this id is known to be out)")
            ring.frame = None
            return
        chain = found[0]
        ring.out.remove(chain)
        self._say(time, ring.name, "used", text)
        note = f"id {ident}, slot {chain.position % ring.size}"
        if ring.queue == Queue.TX:
            self._sent(chain, note)
        else:
            ring.stored[chain.position] = time, chain.content(min(length, chain.length)), note, chain.slots
            if ring.frame is None:
                ring.frame = chain.position
            self._received(ring)

    def _sent(self, chain: _Chain, note: str) -> None:
        missing = chain.missing(chain.length)
        if missing:
            note += f", {missing} of {chain.length} bytes never read"
        self.frames.append(HostFrame(chain.time, int(Queue.TX), chain.content(chain.length), note))

    def _received(self, ring: _Ring) -> None:
        """The driver sees a frame when its first chain is used, which is last (§5.1.6.4)."""
        while ring.frame in ring.stored:
            time, data, note, slots = ring.stored[ring.frame]
            buffers, position = int.from_bytes(data[10:12], "little"), ring.frame + slots
            parts, taken = [data], [ring.frame]
            for _ in range(1, buffers):
                if position not in ring.stored:
                    return
                _, part, _, slots = ring.stored[position]
                parts.append(part)
                taken.append(position)
                position += slots
            for each in taken:
                del ring.stored[each]
            ring.frame = position
            if data:  # else it was given up: used with length 0
                note += f" and {buffers - 1} more" if buffers > 1 else ""
                self.frames.append(HostFrame(time, ring.queue, b"".join(parts), note))

    # ---- the end

    def outstanding(self) -> list[str]:
        """The chains that the NIC has read and not used, oldest first, in words.

        Receive buffers of which it has written nothing are one line.
        """
        lines = []
        for ring in self._rings.values():
            untouched = []
            for chain in ring.out:
                left = chain.missing(chain.length)
                slot = chain.position % ring.size
                if ring.queue == Queue.RX and left == chain.length:
                    untouched.append(slot)
                    continue
                lines.append(
                    f"{ring.name}  slot {slot:3}  id {chain.buffer_id:3}  {chain.length} bytes, "
                    f"{chain.length - left} transferred, fetched at {chain.time / NS:.1f} ns"
                )
            if untouched:
                slots = f"slots {untouched[0]} to {untouched[-1]}"
                lines.append(f"{ring.name}  {len(untouched)} chains of which nothing was written, {slots}")
        return lines


def _flags(flags: int) -> str:
    return f"{flags:#06x} " + ("|".join(flag.name or "" for flag in DescFlag if flags & flag) or "-")


def _event(data: bytes) -> str:
    """An event suppression structure (§2.8.10)."""
    if len(data) != EVENT_BYTES:
        return data.hex()
    place, flags = struct.unpack("<HH", data)
    if flags & 3 == EventFlag.DESC:
        return f"DESC, slot {place & ~_WRAP}, wrap {place >> 15}"
    try:
        return EventFlag(flags).name
    except ValueError:
        return f"flags {flags:#x}"
