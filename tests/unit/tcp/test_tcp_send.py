"""Sending: RFC 9293 §3.7.4, §3.8.6.1, §3.8.6.2.1; PSH and options as Linux sets them."""

import itertools
from dataclasses import replace
from errno import ETIMEDOUT

import pytest
from tcp_bench import TS, Bench, established

from pymodel.simtime import MS, SEC, US
from pymodel.tcp import State
from pymodel.tcp.profile import LINUX

FULL = 1460


def lengths(bench: Bench) -> list[int]:
    found = [len(seg.payload) for seg in bench.out]
    bench.out.clear()
    return found


def test_data_goes_out_in_full_segments_with_psh_on_the_last() -> None:
    bench = established()
    assert bench.conn.send(b"a" * (3 * FULL + 100)) == 3 * FULL + 100
    for n in range(3):
        bench.expect("A", seq=1 + n * FULL, ack=1, length=FULL)
    assert bench.expect("PA", seq=1 + 3 * FULL, length=100).payload == b"a" * 100
    bench.silent()


def test_initial_window_is_ten_segments() -> None:
    bench = established()
    bench.conn.send(bytes(50 * FULL))
    assert lengths(bench) == [FULL] * 10


def test_full_send_buffer_takes_the_rest_of_an_sk_buff_and_then_nothing() -> None:
    bench = established(window=0)
    bench.conn.sndbuf = 1000
    goal = (65_536 - 321) // FULL * FULL
    assert bench.conn.send(bytes(100)) == 100 and bench.conn.writable == 1000 - 832 - 100
    assert bench.conn.send(bytes(100_000)) == goal - 100 and bench.conn.send(b"x") == 0


def test_send_buffer_of_an_embedded_stack_is_never_exceeded() -> None:
    bench = established(window=0, profile=replace(LINUX, skb_overhead=0, sndbuf=1000, moderate_sndbuf=False))
    assert bench.conn.writable == 1000
    assert bench.conn.send(bytes(1500)) == 1000 and bench.conn.writable == 0 and bench.conn.send(b"x") == 0


def test_acknowledgment_frees_the_buffer_and_wakes_the_writer() -> None:
    bench = established()
    bench.conn.set_option("sndbuf", 2000)
    bench.conn.send(bytes(1000))
    woken: list[int] = []
    bench.conn.queue.add(lambda: woken.append(bench.conn.writable))
    bench.peer("A", ack=601)
    assert woken == [2000 - 400 - 832]


def test_segments_carry_timestamps_as_nop_nop_option() -> None:
    bench = established(options=[("MSS", 1460), ("NOP", None), ("NOP", None), ("Timestamp", (TS, 0))])
    bench.conn.send(b"abc")
    seg = bench.expect("PA", length=3)
    assert [name for name, _ in seg.options] == ["NOP", "NOP", "Timestamp"]
    first = seg.option("Timestamp")[0]
    bench.run(100 * MS)
    bench.conn.nodelay = True
    bench.conn.send(b"d")
    assert (bench.expect("PA").option("Timestamp")[0] - first) % 2**32 == 100  # 1 ms clock


def test_send_beyond_the_peer_s_window_waits_for_it() -> None:
    bench = established(window=2 * FULL)
    bench.conn.send(bytes(5 * FULL))
    assert lengths(bench) == [FULL] * 2
    bench.peer("A", ack=1 + FULL)
    assert lengths(bench) == [FULL]
    bench.peer("A", ack=1 + 3 * FULL)
    assert lengths(bench) == [FULL] * 2


def test_window_is_taken_from_the_newest_segment_only() -> None:
    bench = established(window=5000)
    bench.conn.send(b"x")
    bench.peer("A", ack=2, window=4000)
    bench.peer("A", ack=1, window=9000)  # an older ACK that was overtaken
    assert bench.conn.snd_wnd == 4000


def test_overtaken_segment_does_not_bring_back_its_old_window() -> None:
    bench = established(window=5000)
    bench.peer("PA", seq=6, payload=b"later", window=4000)
    bench.peer("PA", seq=1, payload=b"first", window=9000)
    assert bench.conn.readable == 10 and bench.conn.snd_wnd == 4000  # SND.WL1


# --- Nagle ----------


def test_small_segment_waits_while_another_small_one_is_out() -> None:
    bench = established()
    bench.conn.send(b"a")
    bench.expect("PA", length=1)
    bench.conn.send(b"b")
    bench.conn.send(b"c")
    bench.silent()
    bench.peer("A", ack=2)
    assert bench.expect("PA", seq=2).payload == b"bc"


def test_small_segment_behind_full_ones_does_not_wait() -> None:
    bench = established()
    bench.conn.send(bytes(FULL))
    bench.conn.send(b"tail")
    assert lengths(bench) == [FULL, 4]


def test_nodelay_sends_every_small_segment() -> None:
    bench = established()
    bench.conn.nodelay = True
    bench.conn.send(b"a")
    bench.conn.send(b"b")
    assert lengths(bench) == [1, 1]


def test_fin_is_not_held_by_nagle() -> None:
    bench = established()
    bench.conn.send(b"a")
    bench.conn.send(b"b")
    bench.conn.shutdown_write()
    bench.expect("PA", length=1)
    bench.expect("FPA", seq=2, length=1)


# --- silly windows, persist ----------


def test_silly_window_is_not_filled_until_the_override_timer() -> None:
    bench = established(window=8 * FULL)
    bench.conn.send(bytes(8 * FULL))
    bench.out.clear()
    bench.conn.send(bytes(FULL))
    bench.peer("A", window=100)  # everything acknowledged, a little room
    bench.silent()
    bench.run(250 * MS)
    bench.expect("PA", seq=1 + 8 * FULL, length=100)


def test_half_of_the_largest_window_is_worth_sending() -> None:
    bench = established(window=1000)
    bench.conn.send(bytes(1000))
    bench.conn.send(bytes(3000))
    bench.out.clear()
    bench.peer("A", ack=1001, window=499)
    bench.silent()
    bench.peer("A", ack=1001, window=500)
    bench.expect("A", seq=1001, length=500)


def test_closed_window_is_probed_with_back_off_and_never_given_up_while_answered() -> None:
    bench = established(window=1000)
    bench.conn.send(bytes(1000))
    bench.out.clear()
    start = bench.now
    bench.peer("A", window=0)
    bench.conn.send(b"more")
    bench.silent()
    times = []
    for _ in range(40):
        while not bench.out:
            assert bench.scheduler.step()
        seg = bench.expect("A", length=0)
        assert (seg.seq - bench.iss) % 2**32 == 1000  # one to the left of the window
        times.append(seg.when - start)
        bench.peer("A", window=0)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert gaps[0] == 2 * times[0] and gaps[1] == 2 * gaps[0] and gaps[-1] == 120 * SEC
    assert bench.conn.state is State.ESTABLISHED
    bench.peer("A", window=1000)
    bench.expect("PA", seq=1001, length=4)


def test_window_update_ends_probing() -> None:
    bench = established(window=0)
    bench.conn.send(b"abc")
    bench.peer("A", window=1000)
    bench.expect("PA", seq=1, length=3)
    bench.peer("A")
    bench.run(600 * SEC)
    bench.silent()


def test_probing_starts_anew_when_a_window_has_opened_in_between() -> None:
    bench = established(window=0)
    bench.conn.send(bytes(3000))
    bench.run(10 * SEC)
    assert bench.conn.rtt.backoff > 3
    bench.peer("A", window=2000)
    bench.out.clear()
    bench.peer("A", window=0)
    start = bench.now
    bench.run(201 * MS)
    assert bench.expect("A", length=0).when - start == bench.conn.rtt.rto


def test_closed_window_without_any_answer_times_out_after_15_probes() -> None:
    bench = established(window=0)
    bench.conn.send(b"abc")
    bench.run(3000 * SEC)
    assert len(bench.out) == 15 and bench.conn.state is State.CLOSED and bench.conn.error == ETIMEDOUT


def test_closed_window_of_a_peer_that_answers_retransmissions_does_not_time_out() -> None:
    bench = established(window=1000)
    bench.conn.send(bytes(1000))
    bench.peer("A", ack=501, window=0)  # the window shrank over what is in flight
    for _ in range(30):
        bench.out.clear()
        while not bench.out:
            assert bench.scheduler.step()
        bench.peer("A", ack=501, window=0)
    assert bench.conn.state is State.ESTABLISHED


# --- the network layer says no ----------


@pytest.mark.parametrize("error", [101, 105])
def test_segment_that_ip_refuses_is_retransmitted(error: int) -> None:
    bench = established()
    bench.send_error = error
    bench.conn.send(b"abc")
    bench.send_error = 0
    bench.out.clear()
    bench.run(300 * MS)
    bench.expect("PA", seq=1, length=3)
    assert bench.stat("out_errors") == 1 and bench.conn.error == 0


def test_interactive_answer_turns_quick_acks_off() -> None:
    bench = established(quick=True)
    bench.peer("PA", payload=b"ping")
    bench.expect("A", ack=5)
    bench.run(10 * US)
    bench.conn.send(b"pong")
    bench.expect("PA", ack=5)
    bench.peer("PA", payload=b"ping")
    bench.silent()
    bench.run(40 * MS)
    bench.expect("A", ack=9)
