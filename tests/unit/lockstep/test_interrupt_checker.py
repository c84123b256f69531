"""The model of InterruptStatus on its own: what it claims, and where it must not claim anything."""

import pytest

from pymodel.simtime import CYCLE
from tb.lockstep.interrupts import REASON, WINDOW, InterruptChecker
from tb.lockstep.tally import Tally

T = 1_000_000_000


@pytest.fixture
def checker() -> InterruptChecker:
    return InterruptChecker(Tally())


def kinds(checker: InterruptChecker) -> list[str]:
    checker.finish(T + 1000 * WINDOW)
    return [m.kind for m in checker._tally.mismatches]


def test_cause_and_rise_within_the_window_is_right(checker):
    checker.used(T)
    checker.changed(T + WINDOW, True)
    assert kinds(checker) == []


def test_cause_without_rise_is_lost(checker):
    checker.used(T)
    assert kinds(checker) == ["lost interrupt"]


def test_rise_after_the_window_is_late_and_reported_once(checker):
    checker.used(T)
    checker.changed(T + WINDOW + 1, True)
    assert kinds(checker) == ["lost interrupt"]


def test_cause_while_the_line_is_high_needs_no_rise(checker):
    checker.used(T)
    checker.changed(T, True)
    checker.used(T + 5 * WINDOW)
    assert kinds(checker) == []


def test_cause_meets_its_ack_either_outcome_is_right(checker):
    checker.used(T)
    checker.changed(T, True)
    checker.acknowledge(T + 5 * WINDOW, 1)
    checker.used(T + 5 * WINDOW + CYCLE)
    checker.changed(T + 5 * WINDOW + 2 * CYCLE, False)
    assert kinds(checker) == []


def test_cause_right_after_the_line_was_seen_to_fall_must_raise_it(checker):
    checker.used(T)
    checker.changed(T, True)
    checker.acknowledge(T + 5 * WINDOW, 1)
    checker.changed(T + 5 * WINDOW + 2 * CYCLE, False)
    checker.used(T + 5 * WINDOW + 3 * CYCLE)
    assert kinds(checker) == ["lost interrupt"]


def test_rise_without_a_cause_is_spurious(checker):
    checker.changed(T, True)
    assert kinds(checker) == ["spurious interrupt"]


def test_rise_whose_reason_shows_soon_after_is_right(checker):
    checker.changed(T, True)
    checker.advance(T + REASON)
    checker.config_allowed = True
    assert kinds(checker) == []


def test_second_rise_after_an_ack_without_a_new_cause_is_spurious(checker):
    checker.used(T)
    checker.changed(T, True)
    checker.acknowledge(T + 5 * WINDOW, 1)
    checker.changed(T + 5 * WINDOW, False)
    checker.changed(T + 20 * WINDOW, True)
    assert kinds(checker) == ["spurious interrupt"]


def test_line_falls_long_after_the_last_ack_is_wrong(checker):
    checker.used(T)
    checker.changed(T, True)
    checker.changed(T + 5 * WINDOW, False)
    assert kinds(checker) == ["interrupt fell"]


def test_device_reset_lowers_the_line_and_forgets_what_was_due(checker):
    checker.used(T)
    checker.changed(T, True)
    checker.used(T + 5 * WINDOW)
    checker.reset(T + 5 * WINDOW)
    checker.changed(T + 5 * WINDOW + CYCLE, False)
    assert kinds(checker) == []


@pytest.mark.parametrize(("value", "found"), [(0, ["InterruptStatus"]), (1, []), (3, ["InterruptStatus"])])
def test_status_read_long_after_a_used_buffer_shows_bit_0_alone(checker, value, found):
    checker.used(T)
    checker.changed(T, True)
    checker.read(T + 5 * WINDOW, value)
    assert kinds(checker) == found


@pytest.mark.parametrize(("value", "found"), [(0, []), (1, ["InterruptStatus"])])
def test_status_read_long_after_the_ack_shows_no_bit(checker, value, found):
    checker.used(T)
    checker.changed(T, True)
    checker.acknowledge(T + 5 * WINDOW, 1)
    checker.changed(T + 5 * WINDOW, False)
    checker.read(T + 20 * WINDOW, value)
    assert kinds(checker) == found


def test_ack_of_one_bit_leaves_the_other(checker):
    checker.used(T)
    checker.config(T)
    checker.changed(T, True)
    checker.acknowledge(T + 5 * WINDOW, 1)
    checker.read(T + 20 * WINDOW, 2)
    assert kinds(checker) == []
    checker.read(T + 30 * WINDOW, 0)
    assert kinds(checker) == ["InterruptStatus"]


def test_undefined_bits_in_the_status_are_reported(checker):
    checker.read(T, 4)
    assert kinds(checker) == ["InterruptStatus"]
