"""Keepalive (RFC 9293 §3.8.4) with the figures and the probe of Linux."""

from dataclasses import replace
from errno import EHOSTUNREACH, ETIMEDOUT

import pytest
from tcp_bench import (
    Bench,
    close_wait,
    established,
    fin_wait_1,
    fin_wait_2,
    syn_received,
    syn_sent,
    time_wait,
)

from pymodel.simtime import MS, SEC
from pymodel.tcp import LINUX, State

IDLE, INTERVAL, COUNT = 10 * SEC, 2 * SEC, 3
QUICK = replace(LINUX, keepalive_idle=IDLE, keepalive_interval=INTERVAL, keepalive_count=COUNT)


def keepalive(**kw: object) -> Bench:
    bench = established(profile=QUICK, **kw)  # type: ignore[arg-type]
    bench.conn.set_keepalive(True)
    return bench


def times(bench: Bench, start: int) -> list[tuple[str, int]]:
    found = [(seg.flags, seg.when - start) for seg in bench.out]
    bench.out.clear()
    return found


def test_silent_peer_is_probed_nine_times_after_two_hours_and_then_given_up() -> None:
    bench = established()
    start = bench.now
    bench.conn.set_keepalive(True)
    bench.run(3 * 3600 * SEC)
    probes = [("A", (7200 + 75 * n) * SEC) for n in range(9)]
    assert times(bench, start) == [*probes, ("RA", (7200 + 75 * 9) * SEC)]
    assert (bench.conn.state, bench.conn.error) == (State.CLOSED, ETIMEDOUT)
    assert bench.stat("keepalive_probes") == 9 and bench.stat("keepalive_timeouts") == 1
    assert bench.scheduler.next_deadline() is None


def test_keepalive_is_off_by_default() -> None:
    bench = established()
    bench.run(24 * 3600 * SEC)
    bench.silent()
    assert bench.conn.state is State.ESTABLISHED


def test_probe_is_an_empty_segment_just_left_of_what_was_sent() -> None:
    bench = keepalive()
    bench.conn.send(b"abc")
    bench.expect("PA", seq=1)
    bench.peer("A", ack=4)
    bench.run(IDLE)
    bench.expect("A", seq=3, ack=1, length=0)
    assert bench.conn.flight == 0 and bench.conn.rtx_timer.deadline is None


def test_peer_that_answers_probes_is_kept_for_ever() -> None:
    bench = keepalive()
    for _ in range(20):
        bench.run(IDLE)
        bench.expect("A", seq=0)
        bench.silent()
        bench.peer("A", ack=1)
    assert bench.conn.state is State.ESTABLISHED and bench.conn.probes == 0


def test_answer_to_the_last_probe_starts_the_count_anew() -> None:
    bench = keepalive()
    bench.run(IDLE + 2 * INTERVAL)
    assert len(bench.out) == COUNT
    bench.out.clear()
    bench.peer("A", ack=1)
    start = bench.now
    bench.run(IDLE + COUNT * INTERVAL)
    probes = [("A", IDLE + n * INTERVAL) for n in range(COUNT)]
    assert times(bench, start) == [*probes, ("RA", IDLE + COUNT * INTERVAL)]


@pytest.mark.parametrize("payload", [b"", b"x"], ids=["ack", "data"])
def test_any_acceptable_segment_puts_the_probe_off(payload: bytes) -> None:
    bench = keepalive()
    bench.run(IDLE - 1 * SEC)
    bench.peer("A", ack=1, payload=payload)
    bench.run(1 * MS * 900)
    bench.out.clear()
    bench.run(IDLE - 901 * MS)
    bench.silent()
    bench.run(1 * MS)
    bench.expect("A", seq=0)


def test_unacceptable_segment_is_no_sign_of_life() -> None:
    bench = keepalive()
    bench.run(IDLE - 1 * SEC)
    bench.peer("A", seq=1 << 30, ack=1)
    bench.expect("A", seq=1)
    bench.run(1 * SEC)
    bench.expect("A", seq=0)


def test_unacknowledged_data_is_left_to_the_retransmission_timer() -> None:
    bench = keepalive()
    bench.conn.send(b"abc")
    bench.run(60 * SEC)
    assert {seg.flags for seg in bench.out} == {"PA"} and bench.stat("keepalive_probes") == 0
    bench.out.clear()
    bench.peer("A", ack=4)
    bench.run(IDLE)
    assert [seg.flags for seg in bench.out] == ["A"]


def test_data_before_a_closed_window_is_left_to_the_persist_timer() -> None:
    bench = keepalive(window=0)
    bench.conn.send(b"abc")
    for _ in range(60):
        bench.run(SEC)
        if bench.out:
            bench.out.clear()
            bench.peer("A", ack=1, window=0)
    assert bench.stat("keepalive_probes") == 0 and bench.conn.state is State.ESTABLISHED


def test_error_from_below_is_the_reason_when_giving_up() -> None:
    bench = keepalive()
    bench.send_error = EHOSTUNREACH
    bench.run(IDLE + COUNT * INTERVAL)
    assert bench.conn.error == EHOSTUNREACH


def test_error_from_below_that_has_passed_is_not_the_reason() -> None:
    bench = keepalive()
    bench.send_error = EHOSTUNREACH
    bench.run(IDLE)
    bench.send_error = 0
    bench.peer("A", ack=1)
    bench.run(IDLE + COUNT * INTERVAL)
    assert bench.conn.error == ETIMEDOUT


def test_turning_it_off_between_probes_keeps_the_connection() -> None:
    bench = keepalive()
    bench.run(IDLE)
    bench.expect("A", seq=0)
    bench.conn.set_keepalive(False)
    bench.run(3600 * SEC)
    bench.silent()
    assert bench.conn.state is State.ESTABLISHED


def test_turning_it_on_after_long_silence_waits_for_the_idle_time_once() -> None:
    bench = established(profile=QUICK)
    bench.run(100 * SEC)
    bench.conn.set_keepalive(True)
    bench.run(5 * SEC)
    bench.conn.set_keepalive(True)  # again: nothing changes
    bench.run(IDLE - 5 * SEC - 1)
    bench.silent()
    bench.run(1)
    bench.expect("A", seq=0)


def test_shorter_idle_time_counts_from_the_last_segment() -> None:
    bench = keepalive()
    bench.run(4 * SEC)
    bench.conn.set_keepalive_idle(5 * SEC)
    bench.run(1 * SEC)
    bench.expect("A", seq=0)
    bench = keepalive()
    bench.run(4 * SEC)
    bench.conn.set_keepalive_idle(3 * SEC)
    bench.run(0)
    bench.expect("A", seq=0)


def test_interval_and_count_may_change_between_probes() -> None:
    bench = keepalive()
    start = bench.now
    bench.run(IDLE)
    bench.conn.keepalive_interval, bench.conn.keepalive_count = 1 * SEC, 2
    bench.run(60 * SEC)
    assert times(bench, start) == [("A", IDLE), ("A", IDLE + INTERVAL), ("RA", IDLE + INTERVAL + SEC)]


def test_choice_before_the_handshake_takes_effect_after_it() -> None:
    bench = syn_sent(profile=QUICK)
    bench.conn.set_keepalive(True)
    assert bench.conn.keepalive_timer.deadline is None
    bench.run(5 * SEC)
    bench.out.clear()
    bench.peer("SA")
    bench.out.clear()
    bench.run(IDLE - 1)
    bench.silent()
    bench.run(1)
    bench.expect("A", seq=0)


def test_half_open_connection_is_probed_only_once_it_is_open() -> None:
    bench = syn_received(profile=QUICK)
    bench.conn.set_keepalive(True)
    assert bench.conn.keepalive_timer.deadline is None
    bench.peer("A", ack=1)
    bench.run(IDLE)
    bench.expect("A", seq=0)


@pytest.mark.parametrize(("build", "seq", "ack"), [(close_wait, 0, 2), (fin_wait_2, 1, 1)])
def test_half_closed_connection_is_probed_too(build: object, seq: int, ack: int) -> None:
    bench: Bench = build(profile=QUICK)  # type: ignore[operator]
    bench.conn.set_keepalive(True)
    bench.run(IDLE)
    bench.expect("A", seq=seq, ack=ack, length=0)


def test_unacknowledged_fin_is_left_to_the_retransmission_timer() -> None:
    bench = fin_wait_1(profile=QUICK)
    bench.conn.set_keepalive(True)
    bench.run(30 * SEC)
    assert {seg.flags for seg in bench.out} == {"FA"}


def test_connection_whose_program_has_gone_is_not_probed() -> None:
    bench = fin_wait_2(profile=replace(QUICK, fin_timeout=100 * SEC))
    bench.conn.set_keepalive(True)
    bench.conn.close()
    bench.run(99 * SEC)
    bench.silent()
    assert bench.conn.state is State.FIN_WAIT_2


def test_time_wait_stops_keepalive() -> None:
    bench = keepalive()
    bench.conn.shutdown_write()
    bench.peer("A", ack=2)
    bench.peer("FA")
    bench.out.clear()
    assert bench.conn.state is State.TIME_WAIT
    bench.run(59 * SEC)
    bench.silent()
    bench = time_wait(profile=QUICK)
    bench.conn.set_keepalive(True)
    assert bench.conn.keepalive_timer.deadline is None


def test_two_probing_stacks_do_not_keep_each_other_busy() -> None:
    bench = keepalive()
    bench.peer("A", seq=0, ack=1)  # the peer's own probe: answered by one ACK, as unacceptable
    bench.expect("A", seq=1, ack=1, length=0)
    bench.run(IDLE - 1)
    bench.silent()
