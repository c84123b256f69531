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


def broken(wire: WireSide, data: bytes) -> None:
    wire.broke_off(0, Frame(data, 0, 0, error=True))


def found(wire: WireSide) -> list[str]:
    wire.finish(0)
    return [m.text for m in wire._tally.mismatches]


@pytest.mark.parametrize("length", [0, 1, 63])
def test_frame_broken_off_and_sent_again_whole_is_right(wire, length):
    wire.expect(A)
    broken(wire, A[:length])
    assert send(wire, A) == []
    assert found(wire) == []


def test_frame_broken_off_and_another_one_next_is_found(wire):
    wire.expect(A)
    wire.expect(B)
    broken(wire, B[:9])
    send(wire, A, B)
    assert found(wire) == ["9 bytes of a frame had been sent, which did not come again"]


def test_frame_broken_off_and_never_sent_again_is_found(wire):
    broken(wire, A[:9])
    assert found(wire) == ["a frame broke off and never came again"]


def test_frame_broken_off_twice_is_found(wire):
    wire.expect(A)
    broken(wire, A[:9])
    broken(wire, A[:20])
    assert send(wire, A) == ["two frames broke off, one behind the other"]


@pytest.mark.parametrize("reset", [False, True])
def test_second_frame_broken_off_that_began_too_early_is_found_unless_a_reset_was_between(wire, reset):
    for data in (A, B):
        wire.expect(data)
        broken(wire, data[:31])
        send(wire, data)
        if reset:
            wire.release()
    expected = [] if reset else ["a frame broke off after 31 bytes, and began when 32 had to be there"]
    assert found(wire) == expected


def test_frames_broken_off_where_they_may_are_right_and_one_too_early_is_found(wire):
    frames = [(32, ()), (64, ()), (128, ()), (255, "256")]
    for number, (length, complaint) in enumerate([(9, ()), *frames]):
        data = bytes([number]) * 400
        wire.expect(data)
        broken(wire, data[:length])
        send(wire, data)
        texts = found(wire)
        assert bool(texts) == bool(complaint) and all(str(complaint) in text for text in texts)


@pytest.mark.parametrize("good", [1022, 1023])
def test_need_is_halved_after_so_many_good_frames(wire, good):
    for data in [A, *[B] * good]:  # the frame that was broken off comes again, and counts
        wire.expect(data)
    broken(wire, A[:9])
    send(wire, A, *[B] * good)
    wire.expect(C)
    broken(wire, C[:9])
    send(wire, C)
    assert bool(found(wire)) == (good < 1023)


def test_frame_with_offload_work_broken_off_is_found(wire):
    wire.expect(A, plain=False)
    broken(wire, A[:9])
    send(wire, A)
    (text,) = found(wire)
    assert "began before it was whole" in text


@pytest.mark.parametrize("stop", [WireSide.release, WireSide.excuse])
@pytest.mark.parametrize("after", [(), (C,), (A, C)])
def test_frame_broken_off_by_a_stop_need_not_come_again(wire, stop, after):
    wire.allow(lambda: [A])
    stop(wire)
    broken(wire, A[:9])
    wire.expect(C)
    send(wire, *(after or (C,)))
    assert found(wire) == []


@pytest.mark.parametrize("sent", [(), (A,), (A, B)])
def test_first_frames_of_a_stopped_chain_may_come(wire, sent):
    wire.allow(lambda: [A, B])
    wire.expect(C)
    assert send(wire, *sent, C) == []
    assert found(wire) == []


def test_frames_of_a_stopped_chain_with_a_gap_are_found(wire):
    wire.allow(lambda: [A, B])
    assert send(wire, B) == ["64 bytes that no chain asked for"]


def test_frame_whose_data_came_after_the_stop_is_right(wire):
    frames = [B]
    wire.allow(lambda: frames)
    frames[0] = A
    assert send(wire, A) == []


def test_regression_frames_of_a_stopped_chain_are_not_made_of_memory_that_is_used_again(wire):
    frames = [B]
    wire.allow(lambda: list(frames))
    wire.freeze()
    frames[0] = A
    assert not wire.foresees(A)
    assert wire.foresees(B)
