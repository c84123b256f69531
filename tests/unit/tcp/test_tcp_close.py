"""Closing: RFC 9293 §3.6, §3.10.4, §3.10.5, §3.10.7.4 "eighth"; RFC 2525 §2.17; RFC 6191, RFC 1337."""

import pytest
from tcp_bench import (
    MSS_ONLY,
    TS,
    Bench,
    close_wait,
    closing,
    established,
    fin_wait_1,
    fin_wait_2,
    last_ack,
    time_wait,
)

from pymodel.simtime import MS, SEC
from pymodel.tcp import State

TS_OPTIONS = [("MSS", 1460), ("NOP", None), ("NOP", None), ("Timestamp", (TS, 0))]


def test_established_fin_wakes_the_reader_and_is_eof_after_what_is_queued() -> None:
    bench = established()
    bench.peer("PA", payload=b"abc")
    assert not bench.conn.eof
    woken: list[bool] = []
    bench.conn.queue.add(lambda: woken.append(True))
    bench.peer("FA")
    bench.run(40 * MS)  # an answer, or our FIN, could carry it
    bench.expect("A", seq=1, ack=5)
    assert woken and not bench.conn.eof
    assert bench.conn.recv(10) == b"abc" and bench.conn.eof
    assert bench.conn.state is State.CLOSE_WAIT


def test_fin_with_text_delivers_both() -> None:
    bench = established()
    bench.peer("FPA", payload=b"abc")
    bench.run(40 * MS)
    bench.expect("A", ack=5)
    assert bench.conn.recv(10) == b"abc" and bench.conn.eof


def test_fin_ahead_of_missing_text_waits_for_it() -> None:
    bench = established()
    bench.peer("FA", seq=4)
    bench.expect("A", seq=1, ack=1)
    assert bench.conn.state is State.ESTABLISHED
    bench.peer("PA", seq=1, payload=b"abc")
    bench.expect("A", seq=1, ack=5)
    assert bench.conn.state is State.CLOSE_WAIT and bench.conn.recv(10) == b"abc" and bench.conn.eof


def test_text_behind_a_fin_is_ignored() -> None:
    bench = established()
    bench.peer("FA", seq=4)
    bench.peer("PA", seq=1, payload=b"abcdef")
    assert bench.conn.recv(10) == b"abc" and bench.conn.state is State.CLOSE_WAIT


def test_half_closed_connection_still_sends_and_receives() -> None:
    bench = fin_wait_2()
    bench.peer("PA", payload=b"late")
    assert bench.conn.recv(10) == b"late"
    bench = close_wait()
    assert bench.conn.send(b"reply") == 5
    bench.expect("PA", seq=1, ack=2, length=5)


def test_shutdown_sends_the_fin_behind_queued_data_and_refuses_more() -> None:
    bench = established(window=100)
    bench.conn.send(bytes(150))
    bench.out.clear()
    bench.conn.shutdown_write()
    assert bench.conn.state is State.FIN_WAIT_1 and bench.conn.writable == 0 and bench.conn.send(b"x") == 0
    bench.silent()
    bench.peer("A")
    bench.expect("FPA", seq=101, length=50)
    bench.conn.shutdown_write()
    bench.silent()


def test_fin_waits_for_a_window_to_stand_in() -> None:
    bench = established(window=10)
    bench.conn.send(bytes(10))
    bench.expect("PA", length=10)
    bench.conn.shutdown_write()
    bench.silent()
    bench.peer("A", window=0)
    bench.silent()
    bench.peer("A", window=1)
    bench.expect("FA", seq=11)


def test_fin_wait_1_ack_of_fin_and_its_own_fin_go_straight_to_time_wait() -> None:
    bench = fin_wait_1()
    bench.peer("FA")
    bench.expect("A", seq=2, ack=2)
    assert bench.conn.state is State.TIME_WAIT


def test_closing_ack_of_fin_goes_to_time_wait() -> None:
    bench = closing()
    bench.peer("A")
    assert bench.conn.state is State.TIME_WAIT
    bench.silent()


def test_last_ack_ack_of_fin_closes() -> None:
    bench = last_ack()
    bench.peer("A")
    assert bench.conn.state is State.CLOSED and not bench.tcp.connections and bench.conn.error == 0
    bench.silent()


def test_lost_fin_is_retransmitted() -> None:
    bench = fin_wait_1()
    bench.run(300 * MS)
    bench.expect("FA", seq=1, ack=1)


def test_fin_retransmitted_with_its_text_after_a_time_out() -> None:
    bench = established()
    bench.conn.send(b"abc")
    bench.conn.shutdown_write()
    bench.out.clear()
    bench.run(300 * MS)
    bench.expect("FPA", seq=1, length=3)  # the small segment and the FIN behind it in one
    bench.peer("A", ack=4)
    bench.run(500 * MS)
    bench.expect("FPA", seq=4, length=0)


def test_time_wait_lasts_60_seconds() -> None:
    bench = time_wait()
    bench.run(60 * SEC - 1)
    assert bench.conn.state is State.TIME_WAIT
    bench.run(1)
    assert bench.conn.state is State.CLOSED and not bench.tcp.connections


def test_time_wait_repeated_fin_is_acknowledged_and_restarts_2_msl() -> None:
    bench = time_wait()
    bench.run(50 * SEC)
    bench.peer("FA", seq=1)
    bench.expect("A", seq=2, ack=2)
    bench.run(50 * SEC)
    assert bench.conn.state is State.TIME_WAIT
    bench.run(10 * SEC)
    assert bench.conn.state is State.CLOSED


def _listen_too(bench: Bench) -> None:
    bench.listener = bench.tcp.listen((bytes(4), bench.lport), 4)


def test_time_wait_syn_beyond_the_old_numbers_opens_anew() -> None:
    bench = time_wait()
    _listen_too(bench)
    old_nxt = bench.conn.snd_nxt
    bench.peer("S", seq=100_000, options=MSS_ONLY)
    seg = bench.expect("SA")
    assert (seg.seq - old_nxt) % 2**32 == 65537 and bench.listener.half_open == 1


def test_time_wait_syn_with_old_number_is_not_a_new_connection() -> None:
    bench = time_wait()
    _listen_too(bench)
    bench.peer("S", seq=-10, options=MSS_ONLY)
    bench.expect("A", seq=2, ack=2)
    assert bench.conn.state is State.TIME_WAIT


@pytest.mark.parametrize(("step", "reopens"), [(1, True), (0, False), (-1, False)])
def test_time_wait_syn_is_judged_by_timestamp_if_there_are_some(step: int, reopens: bool) -> None:
    bench = time_wait(options=TS_OPTIONS)
    _listen_too(bench)
    options = [("MSS", 1460), ("NOP", None), ("NOP", None), ("Timestamp", (TS + step, 0))]
    bench.peer("S", seq=-10 if reopens else 5, options=options)  # the number alone says the opposite
    assert (bench.out[0].flags == "SA") is reopens


def test_time_wait_without_a_listener_does_not_give_way_to_a_syn() -> None:
    bench = time_wait()
    bench.peer("S", seq=100, options=MSS_ONLY)
    bench.expect("A", seq=2, ack=2)
    assert bench.conn.state is State.TIME_WAIT


def test_close_with_unread_data_resets() -> None:
    bench = established()
    bench.peer("PA", payload=b"abc")
    bench.conn.close()
    bench.expect("RA", seq=1, ack=4)
    assert bench.conn.state is State.CLOSED and not bench.tcp.connections


def test_close_with_everything_read_sends_fin() -> None:
    bench = established()
    bench.peer("PA", payload=b"abc")
    bench.conn.recv(3)
    bench.expect("A", ack=4)
    bench.conn.close()
    bench.expect("FA", seq=1, ack=4)


def test_text_after_close_is_answered_with_a_reset() -> None:
    bench = established()
    bench.conn.close()
    bench.expect("FA", seq=1)
    bench.peer("PA", payload=b"late")
    assert "R" in bench.out.pop(0).flags
    assert bench.conn.state is State.CLOSED and not bench.tcp.connections


def test_fin_wait_2_of_an_orphan_ends_after_fin_timeout() -> None:
    bench = established()
    bench.conn.close()
    bench.peer("A")
    assert bench.conn.state is State.FIN_WAIT_2
    bench.run(60 * SEC)
    assert bench.conn.state is State.CLOSED
    bench = fin_wait_2()
    bench.run(600 * SEC)
    assert bench.conn.state is State.FIN_WAIT_2  # a program still holds it
    bench.conn.close()
    bench.run(60 * SEC)
    assert bench.conn.state is State.CLOSED


def test_abort_sends_rst_and_closes_at_once() -> None:
    bench = established()
    bench.conn.send(b"abc")
    bench.out.clear()
    bench.conn.abort()
    bench.expect("RA", seq=4, ack=1)
    assert bench.conn.state is State.CLOSED
    bench.run(100 * SEC)
    bench.silent()


def test_release_hook_tells_when_the_port_is_free() -> None:
    bench = time_wait()
    released: list[object] = []
    bench.tcp.on_release = released.append
    bench.run(59 * SEC)
    assert released == []
    bench.run(2 * SEC)
    assert released == [bench.conn]


def test_orphan_gives_up_retransmitting_sooner_than_a_held_connection() -> None:
    bench = established()
    bench.conn.send(b"abc")
    bench.conn.close()
    bench.run(2000 * SEC)
    assert bench.conn.state is State.CLOSED
    # tcp_orphan_retries: the 102 s that 8 repetitions take, and then the next time-out
    assert len([s for s in bench.out if s.payload]) == 1 + 9
