"""The descriptor trace of a failure, from reads and writes made by hand."""

import struct

import pytest

from pymodel.regs import Reg
from tb.cosim.recorder import Posted, RegisterWrite
from tb.failure.rings import RingTrace

NEXT, WRITE, INDIRECT, AVAIL, USED = 1, 2, 4, 0x80, 0x8000
RING, DRIVER, DEVICE, SIZE = 0x1000, 0x2000, 0x2010, 4
BUFFER = 0x10000


def desc(address: int, length: int, ident: int, flags: int) -> bytes:
    return struct.pack("<QIHH", address, length, ident, flags)


def trace(queue: int, places: list[tuple[int, int] | None] | None = None) -> RingTrace:
    """Of one ring of four slots, INDIRECT_DESC accepted."""
    rings = RingTrace(places or [None, None])
    for offset, value in (
        (Reg.DRIVER_FEATURES_SEL, 0),
        (Reg.DRIVER_FEATURES, 1 << 28),
        (Reg.QUEUE_SEL, queue),
        (Reg.QUEUE_NUM, SIZE),
        (Reg.QUEUE_DESC_LOW, RING),
        (Reg.QUEUE_DRIVER_LOW, DRIVER),
        (Reg.QUEUE_DEVICE_LOW, DEVICE),
        (Reg.QUEUE_READY, 1),
    ):
        rings.catch_up(RegisterWrite(0, offset, value, 4))
    rings.began()
    return rings


def said(rings: RingTrace, what: str) -> list[str]:
    return [step.text for step in rings.steps if step.what == what]


def test_burst_over_slots_that_are_not_available_takes_only_those_before_them() -> None:
    rings = trace(1)
    burst = desc(BUFFER, 12, 5, AVAIL | NEXT) + desc(BUFFER + 64, 60, 5, AVAIL) + bytes(32)
    rings.read(100, RING, burst)
    assert [text.split()[:4] for text in said(rings, "fetched")] == [
        ["slot", "0", "id", "5"],
        ["slot", "1", "id", "5"],
    ]
    assert len(rings.outstanding()) == 1 and "72 bytes, 0 transferred" in rings.outstanding()[0]


def test_slot_of_the_lap_before_is_not_taken_again() -> None:
    rings = trace(1)
    lap = b"".join(desc(BUFFER + 64 * i, 60, i, AVAIL) for i in range(SIZE))
    rings.read(100, RING, lap)
    rings.read(200, RING, lap)  # as they were: AVAIL is the old wrap counter now
    assert len(said(rings, "fetched")) == SIZE
    rings.read(300, RING, desc(BUFFER, 60, 0, USED))
    assert len(said(rings, "fetched")) == SIZE + 1


def test_frame_sent_is_what_was_read_of_an_indirect_chain() -> None:
    rings = trace(1)
    rings.read(100, RING, desc(0x3000, 32, 7, AVAIL | INDIRECT))
    rings.read(200, 0x3000, desc(BUFFER, 12, 0, 0) + desc(BUFFER + 0x100, 5, 0, 0))
    rings.read(300, BUFFER, bytes(12))
    rings.read(310, BUFFER + 0x100, b"frame+more")
    rings.write(400, RING, desc(0, 0, 7, AVAIL | USED))
    (frame,) = rings.frames
    assert frame.data == bytes(12) + b"frame" and frame.time == 100 and frame.note == "id 7, slot 0"
    assert said(rings, "indirect") == [
        "entry 0 of id 7: len 12 at 0x10000",
        "entry 1 of id 7: len 5 at 0x10100",
    ]


def test_bytes_never_read_are_told() -> None:
    rings = trace(1)
    rings.read(100, RING, desc(BUFFER, 72, 7, AVAIL))
    rings.read(300, BUFFER, bytes(40))
    rings.write(400, RING, desc(0, 0, 7, AVAIL | USED))
    assert rings.frames[0].note == "id 7, slot 0, 32 of 72 bytes never read"


def test_merged_frame_is_there_when_its_first_chain_is_used_which_is_last() -> None:
    rings = trace(0)
    rings.read(100, RING, b"".join(desc(BUFFER + 0x100 * i, 16, i, AVAIL | WRITE) for i in range(3)))
    rings.write(200, BUFFER, struct.pack("<10xH", 3) + b"abcd")
    rings.write(210, BUFFER + 0x100, b"e" * 16)
    rings.write(220, BUFFER + 0x200, b"f" * 3)
    for ident, length in ((1, 16), (2, 3)):
        rings.write(300 + ident, RING + 16 * ident, desc(0, length, ident, AVAIL | USED | WRITE))
        assert rings.frames == []
    rings.write(310, RING, desc(0, 16, 0, AVAIL | USED | WRITE))
    (frame,) = rings.frames
    assert frame.data[12:] == b"abcd" + b"e" * 16 + b"fff" and frame.time == 310
    assert frame.note == "id 0, slot 0 and 2 more"


def test_recording_that_began_later_goes_on_where_the_nic_was() -> None:
    rings = trace(1, [None, (5, 6)])  # slot 1 of the second lap is out, slot 2 is read next
    rings.read(100, RING + 16, desc(BUFFER, 60, 1, USED) + desc(BUFFER, 61, 2, USED))
    assert said(rings, "fetched") == ["slot   2  id   2  len    61  at 0x10000  0x8000 USED"]
    rings.write(200, RING + 16, desc(0, 0, 1, 0))
    assert "no chain with this id is known to be out" in said(rings, "used")[0]


@pytest.mark.parametrize(
    ("places", "lines"),
    [
        ([0x8002], ["slots 0 to 1 (2)"]),
        ([0x8000 ^ 0x8000], ["slots 0 to 3 (4)"]),
        ([0x8003, 0x8003, 0x0001], ["slots 0 to 2 (3)", "slots 3 to 0 (2)"]),
        ([0x8001], ["slot   0"]),
    ],
)
def test_slots_made_available_are_those_between_two_places(places: list[int], lines: list[str]) -> None:
    rings = trace(1)
    for time, place in enumerate(places):
        rings.made_available(Posted(time, 1, place))
    assert said(rings, "available") == lines


def test_write_to_nobodys_memory_is_told() -> None:
    rings = trace(0)
    rings.write(100, 0x7000, b"abc")
    assert said(rings, "stray write") == ["3 bytes at 0x7000, which is no buffer's"]
