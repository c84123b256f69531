"""Links: delay, spacing, seeded impairments, counters, taps."""

import os
import random
import zlib
from collections import Counter
from collections.abc import Callable

import pytest

from pymodel.link import GAP, Direction, Impairments, Link
from pymodel.ports import Frame
from pymodel.scheduler import Scheduler
from pymodel.simtime import BYTE_TIME_10G, US

SEED = int(os.environ.get("FDWIRE_SEED", random.randrange(1 << 32)))


class Port:
    """A wire port of a test: sends at once, keeps what arrives."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.arrived: list[Frame] = []
        self.called_at: list[int] = []
        self.plugged = True

    def deliver(self, frame: Frame) -> None:
        self.arrived.append(frame)
        self.called_at.append(self.scheduler.now)

    def set_wire_handler(self, handler: Callable[[Frame], None]) -> None:
        self.handler = handler

    def set_link(self, up: bool) -> None:
        self.plugged = up

    def send(self, data: bytes, start: int) -> Frame:
        frame = Frame(data, start, start + (8 + len(data)) * BYTE_TIME_10G)
        self.scheduler.at(frame.end, lambda: self.handler(frame))
        return frame


def sealed(n: int, length: int = 64) -> bytes:
    body = n.to_bytes(4, "big").ljust(length - 4, b"\x5a")
    return body + zlib.crc32(body).to_bytes(4, "little")


def fcs_good(data: bytes) -> bool:
    return zlib.crc32(data) == 0x2144DF1C  # the residue of a whole frame, IEEE 802.3 §3.2.9


def number(frame: Frame) -> int:
    return int.from_bytes(frame.data[:4], "big")


def build(impairments: Impairments | None = None, seed: int = 1, delay: int = US):
    scheduler = Scheduler()
    a, b = Port(scheduler), Port(scheduler)
    return scheduler, a, b, Link(scheduler, a, b, delay=delay, impairments=impairments, seed=seed)


def back_to_back(port: Port, count: int, length: int = 64, start: int = 0) -> list[Frame]:
    frames = []
    for n in range(count):
        frame = port.send(sealed(n, length), start)
        start = frame.end + GAP
        frames.append(frame)
    return frames


def drain(scheduler: Scheduler) -> None:
    while scheduler.step():
        pass


def test_perfect_link_one_frame_arrives_whole_after_the_delay():
    scheduler, a, b, link = build(delay=3 * US)
    sent = a.send(sealed(7), 1000)
    drain(scheduler)
    assert [f.data for f in b.arrived] == [sent.data]
    assert b.arrived[0].start == sent.end + 3 * US
    assert b.arrived[0].end - b.arrived[0].start == sent.end - sent.start
    assert a.arrived == []
    assert link.counters(Direction.A_TO_B).delivered == 1
    assert link.counters(Direction.B_TO_A).sent == 0


def test_both_directions_busy_frames_do_not_mix():
    scheduler, a, b, _ = build()
    back_to_back(a, 5)
    back_to_back(b, 3, 128)
    drain(scheduler)
    assert [len(f.data) for f in b.arrived] == [64] * 5
    assert [len(f.data) for f in a.arrived] == [128] * 3


def test_reordered_and_duplicated_traffic_keeps_the_gap_and_is_announced_before_its_start():
    print(f"FDWIRE_SEED={SEED}")
    scheduler, a, b, _ = build(Impairments(duplicate=0.3, reorder=0.3, reorder_delay=2 * US), SEED)
    generator = random.Random(SEED)
    start = 0
    for n in range(300):
        start = a.send(sealed(n, generator.choice([64, 65, 1500, 9000])), start).end + GAP
    drain(scheduler)
    assert len(b.arrived) > 300
    for before, after in zip(b.arrived, b.arrived[1:], strict=False):
        assert after.start >= before.end + GAP
    assert all(at <= f.start for at, f in zip(b.called_at, b.arrived, strict=True))


def test_lossy_link_counts_add_up_and_survivors_keep_their_order():
    scheduler, a, b, link = build(Impairments(loss=0.25), seed=3)
    back_to_back(a, 400)
    drain(scheduler)
    counters = link.counters(Direction.A_TO_B)
    assert counters.sent == 400
    assert counters.delivered == len(b.arrived) == 400 - counters.lost
    assert 60 < counters.lost < 140
    numbers = [number(f) for f in b.arrived]
    assert numbers == sorted(numbers)


def test_total_loss_nothing_arrives():
    scheduler, a, b, _ = build(Impairments(loss=1.0))
    back_to_back(a, 20)
    drain(scheduler)
    assert b.arrived == []


def test_duplicating_link_each_copy_is_equal_and_counted():
    scheduler, a, b, link = build(Impairments(duplicate=0.5), seed=4)
    back_to_back(a, 100)
    drain(scheduler)
    copies = Counter(number(f) for f in b.arrived)
    assert set(copies) == set(range(100))
    assert sum(1 for c in copies.values() if c == 2) == link.counters(Direction.A_TO_B).duplicated
    assert max(copies.values()) == 2


def test_reordering_link_held_frames_are_passed_by_later_ones():
    scheduler, a, b, link = build(Impairments(reorder=0.1, reorder_delay=10 * US), seed=5)
    back_to_back(a, 200)
    drain(scheduler)
    numbers = [number(f) for f in b.arrived]
    assert sorted(numbers) == list(range(200))
    assert numbers != sorted(numbers)
    assert link.counters(Direction.A_TO_B).reordered > 5


def test_corrupting_link_every_touched_frame_fails_its_fcs():
    scheduler, a, b, link = build(Impairments(corrupt=0.5), seed=6)
    sent = back_to_back(a, 300, 200)
    drain(scheduler)
    bad = [f for f in b.arrived if not fcs_good(f.data)]
    assert len(bad) == link.counters(Direction.A_TO_B).corrupted > 100
    for before, after in zip(sent, b.arrived, strict=True):
        flipped = sum((x ^ y).bit_count() for x, y in zip(before.data, after.data, strict=True))
        assert flipped == 0 if fcs_good(after.data) else 1 <= flipped <= 3


def run_seed(seed: int, with_reverse: bool = False) -> list[tuple[bytes, int]]:
    scheduler, a, b, _ = build(Impairments(0.1, 0.1, 0.1, 0.1), seed)
    back_to_back(a, 150)
    if with_reverse:
        back_to_back(b, 77)
    drain(scheduler)
    return [(f.data, f.start) for f in b.arrived]


def test_same_seed_same_fates_another_seed_others():
    assert run_seed(11) == run_seed(11)
    assert run_seed(11) != run_seed(12)


def test_reverse_traffic_does_not_change_this_direction():
    assert run_seed(11) == run_seed(11, with_reverse=True)


def test_loss_switched_on_the_same_frames_are_corrupted():
    def corrupted(loss: float) -> set[bytes]:
        scheduler, a, b, _ = build(Impairments(loss=loss, corrupt=0.3), seed=9)
        back_to_back(a, 100)
        drain(scheduler)
        return {f.data for f in b.arrived if not fcs_good(f.data)}

    assert corrupted(0.3) < corrupted(0.0)


def test_cable_pulled_frames_are_lost_and_both_ports_know():
    scheduler, a, b, link = build()
    a.send(sealed(1), 0)
    scheduler.run_until(US // 2)
    link.plug(False)
    assert not a.plugged and not b.plugged
    a.send(sealed(2), scheduler.now)
    drain(scheduler)
    link.plug(True)
    assert a.plugged and b.plugged
    a.send(sealed(3), scheduler.now)
    drain(scheduler)
    assert [number(f) for f in b.arrived] == [3]
    assert link.counters(Direction.A_TO_B).unplugged == 2


def test_taps_show_frames_as_sent_and_as_delivered():
    scheduler, a, b, link = build(Impairments(loss=0.5), seed=8)
    sent: list[tuple[Direction, Frame]] = []
    delivered: list[tuple[Direction, Frame]] = []
    link.on_frame = lambda direction, frame: sent.append((direction, frame))
    link.on_deliver = lambda direction, frame: delivered.append((direction, frame))
    frames = back_to_back(b, 40)
    drain(scheduler)
    assert sent == [(Direction.B_TO_A, f) for f in frames]
    assert delivered == [(Direction.B_TO_A, f) for f in a.arrived]
    assert len(delivered) < 40


def test_code_error_in_a_frame_travels_with_it():
    scheduler, a, b, _ = build()
    frame = Frame(sealed(1), 0, 1000, error=True)
    scheduler.at(1000, lambda: a.handler(frame))
    drain(scheduler)
    assert b.arrived[0].error


@pytest.mark.parametrize("bad", [{"loss": 1.5}, {"corrupt": -0.1}, {"reorder_delay": -1}])
def test_impossible_impairments_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Impairments(**bad)


def test_negative_delay_is_refused():
    with pytest.raises(ValueError, match="delay"):
        build(delay=-1)
