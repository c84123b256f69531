"""Frames due on the wire: required ones, and those that a reset made optional."""

import pytest

from pymodel.ports import Frame
from tb.lockstep.tally import Tally
from tb.lockstep.wire_side import WireSide

A, B, C = b"a" * 64, b"b" * 64, b"c" * 64


@pytest.fixture
def wire() -> WireSide:
    return WireSide(Tally())


def send(wire: WireSide, *frames: bytes) -> list[str]:
    for data in frames:
        wire.sent(0, Frame(data, 0, 0))
    return [m.text for m in wire._tally.mismatches]


def test_frames_in_order_are_right_and_nothing_stays_due(wire):
    for data in (A, B, A):
        wire.expect(data)
    assert send(wire, A, B, A) == []
    assert wire.required == 0


@pytest.mark.parametrize("sent", [(), (A,), (B,), (A, B)])
def test_frames_released_by_a_reset_may_come_or_not(wire, sent):
    wire.expect(A)
    wire.expect(B)
    wire.release()
    assert wire.required == 0
    assert all(wire.foresees(data) for data in (A, B))
    assert not wire.foresees(C)
    wire.expect(C)
    assert send(wire, *sent, C) == []
    assert wire.required == 0


def test_released_frames_out_of_order_are_found(wire):
    wire.expect(A)
    wire.expect(B)
    wire.release()
    assert send(wire, B, A) == ["64 bytes that no chain asked for"]


def test_required_frame_skipped_is_found_and_the_next_ones_match_again(wire):
    for data in (A, B, C):
        wire.expect(data)
    assert send(wire, B, C) == ["1 frames before this one are missing"]
    assert wire.required == 0


def test_frame_with_a_code_error_is_found(wire):
    wire.expect(A)
    wire.sent(0, Frame(A, 0, 0, error=True))
    assert len(wire._tally.mismatches) == 1
