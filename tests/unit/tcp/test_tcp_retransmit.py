"""Loss: RFC 6298 (timer), RFC 5681 and 6582 (NewReno), RFC 3042, RFC 2018 and 6675 (SACK), RFC 1191."""

import itertools
from dataclasses import replace
from errno import EHOSTUNREACH, EMSGSIZE, ETIMEDOUT
from typing import Any

import pytest
import tcp_bench
from tcp_bench import HERE, LPORT, RPORT, THERE, TS, Bench, syn_sent

from pymodel.simtime import MS, SEC, US
from pymodel.tcp import LINUX, State
from pymodel.tcp.rtt import RttEstimator
from pymodel.tcp.tcb import Recovery

FULL = 1460
SACK = [("MSS", 1460), ("NOP", None), ("NOP", None), ("SAckOK", b"")]
TIMESTAMPS = [("MSS", 1460), ("NOP", None), ("NOP", None), ("Timestamp", (TS, 0))]

RENO = replace(LINUX, congestion="reno", rack=False, tail_loss_probe=False, frto=False)


def established(**kw: Any) -> Bench:
    """As the bench's, by the classic RFCs: Reno, and SACKs counted (RFC 6675)."""
    return tcp_bench.established(profile=RENO, **kw)


def seg(n: int) -> int:
    """Relative sequence number of the n-th full segment."""
    return 1 + n * FULL


def flight(bench: Bench, segments: int) -> Bench:
    """Send that many full segments (cwnd permitting) and take note."""
    bench.conn.send(bytes(segments * FULL))
    assert [s.seq for s in bench.out] == [(bench.iss + seg(n)) % 2**32 for n in range(segments)]
    bench.out.clear()
    return bench


def sent(bench: Bench) -> list[int]:
    """Which full segments left, by number."""
    found = [((s.seq - bench.iss) % 2**32 - 1) // FULL for s in bench.out]
    bench.out.clear()
    return found


def dup(bench: Bench, at: int, *blocks: tuple[int, int]) -> None:
    """An ACK for segment `at`, with SACK blocks given in segment numbers."""
    options: list[tuple[str, object]] = []
    if blocks:
        edges = [(bench.iss + seg(n)) % 2**32 for block in blocks for n in block]
        options = [("NOP", None), ("NOP", None), ("SAck", tuple(edges))]
    bench.peer("A", ack=seg(at), options=options)


# --- the estimator ----------


def test_rto_follows_rfc_6298() -> None:
    rtt = RttEstimator(replace(LINUX, rto_variance_min=0, rtt_peak_variance=False))
    assert rtt.rto == 1 * SEC
    rtt.sample(800 * MS)
    assert (rtt.srtt, rtt.deviation, rtt.rto) == (800 * MS, 400 * MS, 2400 * MS)
    rtt.sample(400 * MS)
    assert (rtt.srtt, rtt.deviation, rtt.rto) == (750 * MS, 400 * MS, 2350 * MS)
    rtt.back_off()
    rtt.back_off()
    assert rtt.rto == 9400 * MS
    for _ in range(10):
        rtt.back_off()
    assert rtt.rto == 120 * SEC
    rtt.sample(750 * MS)
    assert (rtt.rto, rtt.backoff) == (750 * MS + 4 * 300 * MS, 0)


def test_rto_of_a_fast_path_is_its_rtt_plus_200_ms() -> None:
    rtt = RttEstimator(LINUX)
    for _ in range(100):
        rtt.sample(10 * US)
    assert rtt.rto == 200 * MS + 10 * US


# --- the timer ----------


def test_unanswered_data_is_retransmitted_with_back_off_and_given_up_after_924_seconds() -> None:
    bench = established()
    start = bench.now
    bench.conn.send(b"abc")
    bench.run(2000 * SEC)
    times = [s.when - start for s in bench.out]
    assert {(s.flags, s.seq, s.payload) for s in bench.out} == {("PA", (bench.iss + 1) % 2**32, b"abc")}
    assert len(times) == 1 + 16  # the first RTO above tcp_retries2's 924.6 s after the first repetition
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert gaps[0] == 200 * MS + 10 * US
    assert all(b == min(2 * a, 120 * SEC) for a, b in itertools.pairwise(gaps))
    assert (bench.conn.state, bench.conn.error) == (State.CLOSED, ETIMEDOUT)


def test_acknowledgment_of_new_data_restarts_the_timer() -> None:
    bench = flight(established(), 2)
    bench.run(150 * MS)
    bench.peer("A", ack=seg(1))
    bench.run(150 * MS)
    bench.silent()
    bench.run(250 * MS)
    assert sent(bench) == [1]


def test_timer_stops_when_everything_is_acknowledged() -> None:
    bench = flight(established(), 2)
    bench.peer("A")
    bench.run(100 * SEC)
    bench.silent()


def test_time_out_goes_back_to_one_segment_and_slow_starts_through_the_rest() -> None:
    bench = flight(established(), 10)
    bench.run(250 * MS)
    assert sent(bench) == [0]
    assert bench.conn.cc.cwnd == 1 and bench.conn.cc.ssthresh == 5
    dup(bench, 1)
    assert sent(bench) == [1, 2]
    dup(bench, 3)
    assert sent(bench) == [3, 4, 5, 6]
    dup(bench, 10)
    assert bench.conn.in_flight == 0


def test_second_time_out_of_the_same_data_does_not_halve_ssthresh_again() -> None:
    bench = flight(established(), 10)
    bench.run(250 * MS)
    assert bench.conn.cc.ssthresh == 5
    bench.run(500 * MS)
    assert sent(bench) == [0, 0]
    assert bench.conn.cc.ssthresh == 5  # RFC 5681 §3.1


def test_karn_no_sample_from_a_retransmitted_segment_and_the_back_off_stays() -> None:
    bench = flight(established(), 1)
    srtt = bench.conn.rtt.srtt
    bench.run(250 * MS)
    bench.peer("A", ack=seg(1))
    assert bench.conn.rtt.srtt == srtt and bench.conn.rtt.rto == 2 * (200 * MS + 10 * US)
    bench.conn.send(bytes(FULL))
    bench.run(30 * US)
    bench.peer("A", ack=seg(2))
    assert bench.conn.rtt.srtt > srtt and bench.conn.rtt.rto < 201 * MS


def test_karn_no_sample_from_an_ack_that_covers_a_retransmitted_segment_too() -> None:
    bench = flight(established(), 2)
    srtt = bench.conn.rtt.srtt
    bench.run(250 * MS)
    assert sent(bench) == [0]
    bench.peer("A", ack=seg(2))
    assert bench.conn.rtt.srtt == srtt and bench.conn.rtt.backoff == 1


def test_timestamps_give_a_sample_although_retransmitted() -> None:
    bench = established(options=TIMESTAMPS)
    bench.conn.send(b"abc")
    bench.out.clear()
    bench.run(250 * MS)
    value = bench.expect("PA", seq=1).option("Timestamp")[0]
    bench.run(50 * MS)
    bench.peer("A", ack=4, options=[("NOP", None), ("NOP", None), ("Timestamp", (TS + 1, value))])
    assert bench.conn.rtt.backoff == 0 and bench.conn.rtt.latest == 100 * MS


def test_soft_error_becomes_the_reason_when_giving_up() -> None:
    bench = established()
    bench.conn.send(b"abc")
    bench.tcp.unreachable(EHOSTUNREACH, HERE, THERE, LPORT, RPORT, bench.conn.snd_una)
    assert bench.conn.error == 0 and bench.conn.state is State.ESTABLISHED
    bench.run(2000 * SEC)
    assert bench.conn.error == EHOSTUNREACH


# --- ICMP ----------


def test_unreachable_while_opening_ends_the_attempt() -> None:
    bench = syn_sent()
    bench.tcp.unreachable(EHOSTUNREACH, HERE, THERE, LPORT, RPORT, bench.conn.iss)
    assert (bench.conn.state, bench.conn.error) == (State.CLOSED, EHOSTUNREACH)


@pytest.mark.parametrize("offset", [-1, 1])
def test_unreachable_about_a_number_not_in_flight_is_ignored(offset: int) -> None:
    bench = syn_sent()
    bench.tcp.unreachable(EHOSTUNREACH, HERE, THERE, LPORT, RPORT, (bench.conn.iss + offset) % 2**32)
    assert bench.conn.state is State.SYN_SENT and bench.stat("unreachable_out_of_window") == 1
    bench.tcp.unreachable(EHOSTUNREACH, HERE, THERE, LPORT, 9, bench.conn.iss)
    assert bench.stat("unreachable_no_connection") == 1


def test_packet_too_big_sends_again_in_smaller_segments_without_halving_the_window() -> None:
    bench = flight(established(), 3)
    bench.mtu = 1000
    bench.tcp.unreachable(EMSGSIZE, HERE, THERE, LPORT, RPORT, bench.conn.snd_una)
    assert all(len(s.payload) <= 960 for s in bench.out)
    assert b"".join(s.payload for s in bench.out) == bytes(3 * FULL)
    assert bench.conn.cc.cwnd == 10


# --- NewReno ----------


def test_two_duplicate_acks_send_new_data_by_limited_transmit() -> None:
    bench = established()
    bench.conn.send(bytes(20 * FULL))
    assert sent(bench) == list(range(10))
    dup(bench, 0)
    assert sent(bench) == [10]
    dup(bench, 0)
    assert sent(bench) == [11]
    assert bench.conn.cc.cwnd == 10


def test_third_duplicate_ack_retransmits_and_halves() -> None:
    bench = flight(established(), 10)
    dup(bench, 0)
    dup(bench, 0)
    bench.silent()
    dup(bench, 0)
    assert sent(bench) == [0]
    assert (bench.conn.cc.ssthresh, bench.conn.cc.cwnd) == (5, 7)  # RFC 6937: on its way from 10
    assert bench.conn.recovery is Recovery.RECOVERY
    dup(bench, 10)
    assert bench.conn.recovery is Recovery.RECOVERY  # RFC 6582: until something above is acknowledged
    bench.conn.send(b"x")
    bench.peer("A")
    assert bench.conn.recovery is Recovery.OPEN and bench.conn.cc.cwnd == 5


def test_limited_transmit_does_not_count_in_ssthresh() -> None:
    bench = established()
    bench.conn.send(bytes(20 * FULL))
    for _ in range(3):
        dup(bench, 0)
    assert bench.conn.flight == 12 * FULL and bench.conn.cc.ssthresh == 5


def test_further_duplicates_in_recovery_release_new_data() -> None:
    bench = established()
    bench.conn.send(bytes(30 * FULL))
    bench.out.clear()
    for _ in range(3):
        dup(bench, 0)
    assert sent(bench) == [10, 11, 0]
    released = []
    for _ in range(9):
        dup(bench, 0)
        released += sent(bench)
    # RFC 6582 §3.2: cwnd is inflated to 5 + 3, then by one each; beyond the 12 in flight it admits new data.
    assert released == [12, 13, 14, 15, 16]
    # Partial ACK of 4: cwnd 17 - 4 + 1 = 14 over the 13 now in flight admits one besides the retransmission.
    dup(bench, 4)
    assert sent(bench) == [4, 17]


def test_partial_ack_retransmits_the_next_hole_at_once() -> None:
    bench = flight(established(), 10)
    for _ in range(9):
        dup(bench, 0)
    assert sent(bench) == [0]
    dup(bench, 4)
    assert sent(bench) == [4]
    assert bench.conn.recovery is Recovery.RECOVERY and bench.conn.cc.ssthresh == 5
    dup(bench, 9)
    assert sent(bench) == [9] and bench.conn.cc.cwnd <= 5  # it does not grow in recovery
    dup(bench, 10)
    assert bench.conn.in_flight == 0


def test_duplicates_after_a_time_out_do_not_start_another_recovery() -> None:
    bench = flight(established(), 10)
    bench.run(250 * MS)
    assert sent(bench) == [0]
    for _ in range(5):
        dup(bench, 0)
    bench.silent()
    assert bench.conn.cc.cwnd == 1


def test_duplicates_of_the_very_end_of_a_recovery_do_not_start_another() -> None:
    bench = flight(established(), 10)
    bench.run(250 * MS)
    dup(bench, 10)
    bench.out.clear()
    bench.conn.cc.cwnd = 10
    bench.conn.send(bytes(5 * FULL))
    bench.out.clear()
    for _ in range(4):
        dup(bench, 10)  # RFC 6582 §3.2 step 2: more than "recover" must be covered
    assert bench.conn.recovery is not Recovery.RECOVERY and bench.conn.total_retrans == 1


def test_ack_with_data_or_with_another_window_is_no_duplicate() -> None:
    bench = flight(established(), 10)
    for n in range(4):
        bench.peer("PA", ack=1, payload=b"x")
        bench.peer("A", ack=1, window=60000 - n)
    bench.out.clear()
    assert bench.conn.recovery is Recovery.OPEN and bench.conn.dup_acks == 0


# --- SACK ----------


def test_sack_of_three_segments_above_retransmits_the_hole_only() -> None:
    bench = flight(established(options=SACK), 10)
    dup(bench, 0, (1, 2))
    dup(bench, 0, (1, 3))
    bench.silent()
    dup(bench, 0, (1, 4))
    assert sent(bench) == [0]
    dup(bench, 10)
    assert bench.conn.recovery is Recovery.OPEN and bench.conn.sacked_out == bench.conn.lost_out == 0


def test_single_ack_that_sacks_three_segments_is_enough() -> None:
    bench = flight(established(options=SACK), 10)
    dup(bench, 0, (1, 3))
    bench.silent()
    bench = flight(established(options=SACK), 10)
    dup(bench, 0, (1, 4))  # more than 2·SMSS above the hole (RFC 6675 §4), although one duplicate only
    assert sent(bench) == [0]


def test_sack_shows_several_holes_and_each_is_sent_once() -> None:
    bench = flight(established(options=SACK), 10)
    dup(bench, 0, (1, 2))
    dup(bench, 0, (3, 4), (1, 2))
    dup(bench, 0, (5, 10), (3, 4), (1, 2))
    assert sent(bench) == [0, 2, 4]
    dup(bench, 2, (5, 10), (3, 4))
    dup(bench, 4, (5, 10))
    bench.silent()
    dup(bench, 10)
    assert bench.conn.recovery is Recovery.OPEN and bench.conn.total_retrans == 3
    assert bench.conn.cc.cwnd == 5  # halved once for all three


def test_sack_without_new_information_is_no_duplicate() -> None:
    bench = flight(established(options=SACK), 10)
    for _ in range(5):
        dup(bench, 0, (1, 2))
    bench.silent()


@pytest.mark.parametrize("block", [(-3, -1), (8, 12), (4, 4), (5, 3)])
def test_absurd_sack_block_is_ignored(block: tuple[int, int]) -> None:
    bench = flight(established(options=SACK), 10)
    dup(bench, 0, block)
    assert bench.conn.sacked_out == 0


def test_time_out_keeps_what_is_sacked() -> None:
    bench = flight(established(options=SACK), 4)
    dup(bench, 0, (2, 3))
    bench.run(250 * MS)
    assert sent(bench) == [0]
    dup(bench, 1, (2, 3))
    assert sent(bench) == [1, 3]


def test_peer_that_forgot_what_it_sacked_gets_it_again() -> None:
    bench = flight(established(options=SACK), 4)
    dup(bench, 0, (1, 2))
    bench.run(250 * MS)
    assert sent(bench) == [0]
    dup(bench, 1)  # segment 1 had been reported; now it is asked for
    assert 1 not in sent(bench)
    bench.run(500 * MS)
    assert sent(bench)[-1] == 1  # RFC 2018 §8
    dup(bench, 4)
    assert bench.conn.in_flight == 0


def test_dropped_retransmission_is_recovered_by_the_timer() -> None:
    bench = flight(established(options=SACK), 10)
    for n in range(2, 5):
        dup(bench, 0, (1, n))
    assert sent(bench) == [0]
    bench.run(300 * MS)
    assert sent(bench) == [0]


# --- the congestion window ----------


def test_slow_start_grows_by_what_is_acknowledged_while_the_window_is_the_limit() -> None:
    bench = established()
    bench.conn.send(bytes(30 * FULL))
    bench.peer("A", ack=seg(2))
    assert bench.conn.cc.cwnd == 12


def test_unused_window_does_not_grow() -> None:
    bench = established()
    for n in range(20):
        bench.conn.send(bytes(FULL))
        bench.peer("A", ack=seg(n + 1))
    assert bench.conn.cc.cwnd == 10


def test_congestion_avoidance_grows_by_one_segment_per_window() -> None:
    bench = established()
    bench.conn.cc.ssthresh = bench.conn.cc.cwnd
    bench.conn.send(bytes(100 * FULL))
    for n in range(1, 11):
        assert bench.conn.cc.cwnd == 10
        bench.peer("A", ack=seg(n))
    assert bench.conn.cc.cwnd == 11


def test_idle_sender_restarts_from_the_initial_window() -> None:
    bench = established()
    bench.conn.send(bytes(40 * FULL))
    at = 0
    while bench.conn.flight:
        at += 1
        bench.peer("A", ack=seg(at))
    assert bench.conn.cc.cwnd > 20
    bench.out.clear()
    bench.run(5 * SEC)
    bench.conn.send(bytes(40 * FULL))
    assert len(bench.out) == 10


def test_regression_echo_of_a_copy_before_the_last_repetition_is_no_round_trip() -> None:
    # The receiver had the first copy, and its ACKs were lost: the time until one got through is not the
    # path's. Under heavy loss such samples made SRTT, and so RTO, grow to tens of seconds.
    bench = established(options=TIMESTAMPS)
    bench.conn.send(b"abc")
    first = bench.expect("PA", seq=1).option("Timestamp")[0]
    srtt = bench.conn.rtt.srtt
    bench.run(10 * SEC)
    bench.peer("A", ack=4, options=[("NOP", None), ("NOP", None), ("Timestamp", (TS + 1, first))])
    assert bench.conn.snd_una == bench.conn.snd_nxt
    assert bench.conn.rtt.srtt == srtt and bench.conn.rtt.backoff > 0
