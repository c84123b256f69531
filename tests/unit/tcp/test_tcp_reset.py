"""RST and the answers of CLOSED: RFC 9293 §3.5.2, §3.5.3, §3.10.7.1, §3.10.7.4; RFC 5961."""

from dataclasses import replace
from errno import ECONNREFUSED, ECONNRESET, EPIPE

import pytest
from tcp_bench import (
    BUILDERS,
    MSS_ONLY,
    PEER_ISS,
    Bench,
    established,
    in_every_state,
    syn_received,
    time_wait,
)

from pymodel.simtime import SEC
from pymodel.tcp import LINUX, State


def test_closed_syn_is_answered_with_rst_ack_of_zero() -> None:
    bench = Bench()
    bench.peer("S", seq=0, payload=b"abc", options=MSS_ONLY)
    seg = bench.expect("RA", seq=0, length=0)
    assert seg.ack == PEER_ISS + 4 and seg.options == [] and seg.window == 0
    assert (seg.sport, seg.dport) == (bench.lport, bench.rport)


def test_closed_fin_counts_in_the_acknowledgment() -> None:
    bench = Bench()
    bench.peer("F", seq=0, payload=b"abc")
    assert bench.expect("RA", seq=0).ack == PEER_ISS + 4


def test_closed_ack_is_answered_with_rst_at_its_number() -> None:
    bench = Bench()
    bench.peer("PA", seq=0, ack=1234, payload=b"abc")
    seg = bench.expect("R", seq=1234, length=0)
    assert seg.ack == 0


def test_closed_rst_is_not_answered() -> None:
    bench = Bench()
    bench.peer("R", seq=0)
    bench.peer("RA", seq=0, ack=0)
    bench.silent()


@in_every_state
def test_rst_exactly_at_rcv_nxt_closes(state: State) -> None:
    bench = BUILDERS[state]()
    bench.peer("R")
    assert bench.conn.state is State.CLOSED and not bench.tcp.connections
    expected = {State.SYN_RECEIVED: ECONNREFUSED, State.CLOSE_WAIT: EPIPE, State.TIME_WAIT: 0}
    assert bench.conn.error == expected.get(state, ECONNRESET)
    bench.silent()


@in_every_state
def test_rst_elsewhere_in_the_window_gets_a_challenge_ack(state: State) -> None:
    bench = BUILDERS[state]()
    seq = bench.peer_nxt - PEER_ISS
    bench.peer("R", seq=seq + 1)
    bench.expect("A", seq=bench.conn.snd_nxt - bench.iss, ack=seq, length=0)
    assert bench.conn.state is state


@in_every_state
def test_rst_outside_the_window_is_ignored(state: State) -> None:
    bench = BUILDERS[state]()
    seq = bench.peer_nxt - PEER_ISS
    bench.peer("R", seq=seq - 2)
    bench.peer("R", seq=seq + 70000)
    assert bench.conn.state is state
    bench.silent()


@in_every_state
def test_syn_in_a_synchronized_state_gets_a_challenge_ack(state: State) -> None:
    bench = BUILDERS[state]()
    bench.listener = None  # type: ignore[assignment]
    seq = bench.peer_nxt - PEER_ISS
    bench.peer("S", seq=seq + 100, options=MSS_ONLY)
    bench.expect("A", seq=bench.conn.snd_nxt - bench.iss, ack=seq)
    assert bench.conn.state is state


@in_every_state
def test_segment_without_ack_is_dropped(state: State) -> None:
    bench = BUILDERS[state]()
    bench.peer("P", payload=b"x")
    assert bench.conn.state is state and bench.conn.readable == 0
    bench.silent()


@pytest.mark.parametrize("state", [s for s in BUILDERS if s is not State.SYN_RECEIVED], ids=lambda s: s.name)
def test_ack_of_something_never_sent_is_answered_and_changes_nothing(state: State) -> None:
    bench = BUILDERS[state]()
    una, nxt = bench.conn.snd_una, bench.conn.snd_nxt - bench.iss
    bench.peer("PA", ack=nxt + 1, payload=b"x")
    bench.expect("A", seq=nxt)
    assert bench.conn.snd_una == una and bench.conn.readable == 0 and bench.conn.state is state


def test_ack_older_than_the_largest_window_is_challenged() -> None:
    bench = established(window=1000)
    bench.peer("PA", ack=1 - 1001, payload=b"x")
    bench.expect("A", seq=1, ack=1)
    assert bench.conn.readable == 0  # RFC 5961 §5.2


def test_slightly_old_ack_still_delivers_its_text() -> None:
    bench = established(window=1000)
    bench.conn.send(bytes(600))
    bench.peer("A")
    bench.out.clear()
    bench.peer("PA", ack=1, payload=b"x")
    assert bench.conn.recv(9) == b"x"


def test_challenge_acks_of_one_connection_are_half_a_second_apart() -> None:
    bench = established()
    for _ in range(5):
        bench.peer("R", seq=2)
    bench.expect("A", seq=1, ack=1)
    bench.silent()
    bench.run(SEC)
    bench.peer("R", seq=2)
    bench.expect("A", seq=1, ack=1)


def test_challenge_acks_of_the_stack_are_bounded_per_second() -> None:
    bench = established(profile=replace(LINUX, challenge_ack_limit=3, challenge_ack_interval=0))
    for _ in range(5):
        bench.peer("R", seq=2)
    assert len(bench.out) == 3
    bench.run(SEC)
    bench.peer("R", seq=2)
    assert len(bench.out) == 4


@in_every_state
def test_segment_left_of_the_window_is_acknowledged_and_dropped(state: State) -> None:
    bench = BUILDERS[state]()
    bench.peer("PA", seq=-5, payload=b"abc")
    bench.expect("A", seq=bench.conn.snd_nxt - bench.iss, ack=bench.peer_nxt - PEER_ISS)
    assert bench.conn.readable == 0 and bench.conn.state is state


def test_time_wait_ignores_rst_under_rfc_1337() -> None:
    bench = time_wait(profile=replace(LINUX, rfc1337=True))
    bench.peer("R")
    assert bench.conn.state is State.TIME_WAIT
    bench.silent()


# --- what cannot be parsed ----------


def test_segment_with_bad_checksum_is_counted_and_dropped() -> None:
    bench = established()
    raw = bytearray(bench.build("PA", payload=b"abc"))
    raw[-1] ^= 1
    bench.raw(bytes(raw))
    assert bench.stat("bad_checksum") == 1 and bench.conn.readable == 0
    bench.silent()


@pytest.mark.parametrize(("cut", "reason"), [(0, "tcp_truncated"), (19, "tcp_truncated")])
def test_segment_shorter_than_a_header_is_counted_and_dropped(cut: int, reason: str) -> None:
    from pymodel.skbuff import Checksum

    bench = established()
    skb = bench.alloc_skb(cut + 1)
    skb.put(cut)[:] = bench.build("A")[:cut]
    skb.ip_summed = Checksum.UNNECESSARY
    bench.tcp.input(skb, b"\x0a\0\0\x02", b"\x0a\0\0\x01")
    assert bench.stat(reason) == 1
    bench.silent()


@pytest.mark.parametrize("offset", [0, 4, 15])
def test_segment_with_absurd_data_offset_is_counted_and_dropped(offset: int) -> None:
    from pymodel.skbuff import Checksum

    bench = syn_received()
    raw = bytearray(bench.build("A"))
    raw[12] = offset << 4
    skb = bench.alloc_skb(len(raw))
    skb.put(len(raw))[:] = raw
    skb.ip_summed = Checksum.UNNECESSARY
    bench.tcp.input(skb, b"\x0a\0\0\x02", b"\x0a\0\0\x01")
    assert bench.stat("tcp_bad_offset") == 1 and bench.conn.state is State.SYN_RECEIVED
    bench.silent()


def test_verified_by_the_device_checksum_is_not_looked_at() -> None:
    from pymodel.skbuff import Checksum

    bench = established()
    raw = bytearray(bench.build("PA", payload=b"abc"))
    raw[16] ^= 0xFF
    skb = bench.alloc_skb(len(raw))
    skb.put(len(raw))[:] = raw
    skb.ip_summed = Checksum.UNNECESSARY
    bench.tcp.input(skb, b"\x0a\0\0\x02", b"\x0a\0\0\x01")
    assert bench.conn.recv(9) == b"abc"
