"""RACK-TLP (RFC 8985), PRR (RFC 6937), D-SACK (RFC 2883) and undo (RFC 3708, 4015, 5682) as in Linux."""

from dataclasses import replace
from typing import Any

import tcp_bench
from tcp_bench import TS, Bench

from pymodel.simtime import MS
from pymodel.tcp import LINUX
from pymodel.tcp.tcb import Recovery

FULL = 1000
RENO = replace(LINUX, congestion="reno")
SACK = [("MSS", FULL), ("NOP", None), ("NOP", None), ("SAckOK", b"")]
SACK_TS = [("MSS", FULL + 12), ("SAckOK", b""), ("Timestamp", (TS, 0))]
RTT = 100 * MS


def flight(segments: int, options: list[tuple[Any, Any]] = SACK) -> Bench:
    """An established connection with an RTT of 100 ms and so many segments out for that long."""
    bench = tcp_bench.syn_sent(profile=RENO)
    bench.run(RTT)
    bench.peer("SA", options=options)
    bench.out.clear()
    if any(name == "Timestamp" for name, _ in options):
        bench.ts = TS
    bench.conn.send(bytes(segments * FULL))
    assert len(bench.out) == segments
    bench.out.clear()
    return bench


def ack(bench: Bench, at: int, *blocks: tuple[int, int], ecr: int | None = None) -> None:
    options: list[tuple[str, Any]] = []
    if ecr is not None:
        options += [("NOP", None), ("NOP", None), ("Timestamp", (TS, ecr))]
    if blocks:
        edges = tuple((bench.iss + 1 + n * FULL) % 2**32 for block in blocks for n in block)
        options += [("NOP", None), ("NOP", None), ("SAck", edges)]
    bench.peer("A", ack=1 + at * FULL, options=options)


def sent(bench: Bench) -> list[int]:
    found = [((s.seq - bench.iss) % 2**32 - 1) // FULL for s in bench.out]
    bench.out.clear()
    return found


def test_one_sack_above_a_hole_waits_a_quarter_of_the_round_trip_for_reordering() -> None:
    bench = flight(4)
    bench.run(RTT)
    ack(bench, 0, (1, 2))
    bench.silent()
    bench.run(25 * MS)
    bench.silent()
    bench.run(3 * MS)
    assert sent(bench) == [0]
    assert bench.conn.recovery is Recovery.RECOVERY


def test_hole_filled_in_the_reordering_window_is_not_retransmitted() -> None:
    bench = flight(4)
    bench.run(RTT)
    ack(bench, 0, (1, 2))
    bench.run(10 * MS)
    ack(bench, 4)
    bench.run(1000 * MS)
    bench.silent()
    assert bench.conn.reord_seen == 1 and bench.conn.recovery is Recovery.OPEN


def test_three_sacked_segments_start_recovery_at_once_while_no_reordering_was_seen() -> None:
    bench = flight(10)
    bench.run(RTT)
    ack(bench, 0, (1, 4))
    assert sent(bench) == [0]
    # PRR: 10 × 0.5 = 5 is the target; in flight 6 + 1.
    assert (bench.conn.cc.ssthresh, bench.conn.cc.cwnd) == (5, 8)


def test_lost_retransmission_is_found_by_what_was_sent_after_it() -> None:
    bench = flight(10)
    bench.conn.send(bytes(10 * FULL))
    bench.run(RTT)
    ack(bench, 0, (1, 10))
    again = sent(bench)
    assert again[0] == 0 and again[1:] == list(range(10, 10 + len(again) - 1))
    bench.run(RTT)
    ack(bench, 0, (1, 11))
    assert 0 in sent(bench)


def test_tail_loss_is_probed_after_two_round_trips_by_the_last_segment() -> None:
    bench = flight(3)
    start = bench.now
    bench.run(2 * RTT + 2 * MS)
    assert [(s.when - start) // MS for s in bench.out] == [202]
    assert sent(bench) == [2]
    assert bench.stat("tail_loss_probes") == 1 and bench.conn.recovery is Recovery.OPEN


def test_probe_that_repaired_the_loss_of_the_last_segment_reduces_the_window_once() -> None:
    bench = flight(3)
    bench.run(2 * RTT + 2 * MS)
    bench.out.clear()
    ack(bench, 3)
    bench.conn.send(bytes(FULL))
    ack(bench, 4)
    assert bench.conn.cc.ssthresh == 5 and bench.stat("tail_losses_repaired") == 1


def test_probe_that_was_not_needed_is_told_by_a_dsack_and_costs_nothing() -> None:
    bench = flight(3)
    bench.run(2 * RTT + 2 * MS)
    ack(bench, 3, (2, 3))
    assert bench.conn.cc.ssthresh > 1 << 20 and bench.conn.probe_high < 0


def test_recovery_whose_only_retransmission_was_a_duplicate_is_undone() -> None:
    bench = flight(10)
    bench.run(RTT)
    ack(bench, 0, (1, 4))
    assert sent(bench) == [0]
    ack(bench, 10)
    assert bench.conn.cc.cwnd == 6  # 5, and the growth that this ACK earned
    ack(bench, 10, (0, 1))
    assert bench.conn.cc.cwnd >= 10 and bench.conn.cc.ssthresh > 1 << 20
    assert bench.stat("undone") == 1


def test_recovery_is_undone_when_the_echo_is_older_than_the_retransmission() -> None:
    bench = flight(10, SACK_TS)
    original = (bench.now // MS + bench.conn.ts_offset) % 2**32
    bench.run(RTT)
    ack(bench, 0, (1, 4), ecr=original)
    assert sent(bench) == [0]
    ack(bench, 10, ecr=original)
    assert bench.conn.cc.cwnd >= 10 and bench.stat("undone") == 1


def test_time_out_is_found_spurious_when_data_never_retransmitted_arrives() -> None:
    bench = flight(4)
    bench.conn.probe_high = bench.conn.snd_nxt  # no tail loss probe in between
    bench.run(301 * MS)
    assert sent(bench) == [0] and bench.conn.recovery is Recovery.LOSS
    ack(bench, 2)
    assert bench.conn.recovery is Recovery.OPEN and bench.conn.cc.cwnd >= 10
    bench.silent()


def test_time_out_with_real_loss_stays_in_loss() -> None:
    bench = flight(4)
    bench.conn.probe_high = bench.conn.snd_nxt
    bench.run(301 * MS)
    bench.out.clear()
    ack(bench, 1)
    assert bench.conn.recovery is Recovery.LOSS and sent(bench) == [1, 2]


def test_duplicate_segment_is_reported_in_the_first_block() -> None:
    bench = flight(1)
    bench.peer("PA", payload=b"abcdef")
    bench.out.clear()
    bench.peer("PA", seq=1, payload=b"abc")
    assert bench.expect("A", ack=7).option("SAck") == (tcp_bench.PEER_ISS + 1, tcp_bench.PEER_ISS + 4)
    bench.peer("PA", seq=8, payload=b"hij")
    bench.out.clear()
    bench.peer("PA", seq=8, payload=b"hi")
    left = tcp_bench.PEER_ISS + 8
    assert bench.expect("A", ack=7).option("SAck") == (left, left + 2, left, left + 3)
