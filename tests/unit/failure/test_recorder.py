"""What is kept of a run: bounded, and enough to go on from."""

from pymodel.regs import Reg
from tb.cosim.recorder import LIMIT, FlightRecorder


class Clock:
    now = 0

    def __call__(self) -> int:
        return self.now


def recorder(clock: Clock) -> FlightRecorder:
    return FlightRecorder(clock, lambda queue: (clock.now, clock.now + queue))


def test_short_run_is_kept_whole_from_its_beginning() -> None:
    kept = recorder(Clock())
    kept.log(b"ab")
    kept.log(b"c")
    recording = kept.recording()
    assert (recording.log, recording.began, recording.places) == (b"abc", 0, [None, None])


def test_long_run_keeps_between_one_and_two_stretches_and_says_where_the_first_began() -> None:
    clock = Clock()
    kept = recorder(clock)
    part = 1 << 16
    for clock.now in range(1, 10 * LIMIT // part):
        kept.log(bytes([clock.now & 0xFF]) * part)
        assert len(kept.recording().log) <= 2 * LIMIT + 2 * part
    recording = kept.recording()
    assert len(recording.log) >= LIMIT
    assert recording.log[0] == (recording.began + 1) & 0xFF  # what came first after that moment
    assert recording.places == [(recording.began, recording.began), (recording.began, recording.began + 1)]


def test_registers_are_remembered_beyond_the_stretch_but_for_doorbells() -> None:
    kept = recorder(Clock())
    kept.register(Reg.QUEUE_NUM, 256, 4)
    for _ in range(10_000):
        kept.register(Reg.QUEUE_NOTIFY, 1, 4)
        kept.register(Reg.INTERRUPT_ACK, 1, 4)
    kept.reset()
    assert [(w.offset, w.value) for w in kept.recording().writes] == [(Reg.QUEUE_NUM, 256), (Reg.STATUS, 0)]


def test_what_belongs_to_an_earlier_test_is_forgotten() -> None:
    kept = recorder(Clock())
    kept.log(b"theirs")
    kept.forget()
    kept.log(b"ours")
    assert kept.recording().log == b"ours"
