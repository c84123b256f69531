"""Receiving: RFC 9293 §3.8.6.2.2, §3.8.6.3, §3.10.7.4; RFC 5681 §4.2; RFC 7323; RFC 2018."""

import os
import random

import pytest
from tcp_bench import HERE, PEER_ISS, SYN_OPTIONS, THERE, TS, Bench, established

from pymodel.simtime import MS, SEC
from pymodel.skbuff import Checksum
from pymodel.tcp import State
from pymodel.tcp.reassembly import Reassembly

SACK = [("MSS", 1460), ("NOP", None), ("NOP", None), ("SAckOK", b"")]
TIMESTAMPS = [("MSS", 1460), ("NOP", None), ("NOP", None), ("Timestamp", (TS, 0))]
FULL = 1460


def stamped(value: int) -> list[tuple[str, object]]:
    return [("NOP", None), ("NOP", None), ("Timestamp", (value, 0))]


# --- acknowledging ----------


def test_single_segment_is_acknowledged_after_40_ms() -> None:
    bench = established()
    bench.peer("PA", payload=b"abc")
    bench.silent()
    bench.run(40 * MS - 1)
    bench.silent()
    bench.run(1)
    bench.expect("A", seq=1, ack=4)
    bench.run(SEC)
    bench.silent()


def test_every_second_full_segment_is_acknowledged_at_once() -> None:
    bench = established()
    for _ in range(30):  # while the window grows each one is acknowledged
        bench.peer("A", payload=bytes(FULL))
        bench.conn.recv(FULL)
    bench.run(50 * MS)
    bench.out.clear()
    for n in range(1, 7):
        bench.peer("A", payload=bytes(FULL))
        bench.conn.recv(FULL)
        assert len(bench.out) == n // 2


def joined(bench: Bench, segments: int, size: int) -> None:
    """As if the driver had joined so many segments of `size` bytes."""
    payload = bytes(segments * size)
    data = bench.build("A", payload=payload)
    bench.peer_nxt += len(payload)
    skb = bench.alloc_skb(len(data))
    skb.put(len(data))[:] = data
    skb.ip_summed = Checksum.UNNECESSARY
    skb.gso_size, skb.gso_segs = size, segments
    bench.tcp.input(skb, THERE, HERE)


def test_two_joined_segments_are_acknowledged_at_once_and_counted_as_two() -> None:
    bench = established()
    joined(bench, 2, 1460)
    bench.expect("A", seq=1, ack=2921)
    assert (bench.conn.segs_in, bench.conn.data_segs_in, bench.conn.rcv_mss) == (2, 2, 1460)


def test_joined_segments_do_not_make_the_peer_s_mss_look_larger() -> None:
    bench = established()
    joined(bench, 3, 1200)
    assert bench.conn.rcv_mss == 1200
    for _ in range(4):  # while the window grows each one is acknowledged
        bench.peer("A", payload=bytes(1200))
        bench.conn.recv(10_000)
    bench.run(50 * MS)
    bench.out.clear()
    bench.peer("A", payload=bytes(1200))
    bench.conn.recv(1200)
    bench.silent()
    bench.peer("A", payload=bytes(1200))
    bench.expect("A")


def test_joined_segments_beyond_a_gap_are_counted_one_by_one() -> None:
    bench = established()
    bench.peer_nxt += 100
    joined(bench, 3, 1000)
    bench.expect("A", ack=1)
    assert bench.conn.rcv_ooopack == 3


def test_first_segments_of_a_connection_are_acknowledged_at_once() -> None:
    bench = established(quick=True)
    for n in range(16):
        bench.peer("PA", payload=b"x")
        bench.expect("A", ack=2 + n)
    bench.peer("PA", payload=b"x")
    bench.silent()


def test_answer_carries_the_acknowledgment() -> None:
    bench = established()
    bench.peer("PA", payload=b"ping")
    bench.conn.send(b"pong")
    bench.expect("PA", seq=1, ack=5)
    bench.run(100 * MS)
    bench.silent()


def test_gap_is_acknowledged_at_once_and_so_is_its_filling() -> None:
    bench = established()
    bench.peer("PA", seq=4, payload=b"def")
    bench.expect("A", seq=1, ack=1, length=0)
    assert bench.conn.readable == 0
    bench.peer("PA", seq=1, payload=b"abc")
    bench.expect("A", seq=1, ack=7, length=0)
    assert bench.conn.recv(10) == b"abcdef"


def test_part_of_a_gap_filled_is_acknowledged_at_once() -> None:
    bench = established()
    bench.peer("PA", seq=7, payload=b"ghi")
    bench.expect("A", ack=1)
    bench.peer("PA", seq=1, payload=b"abc")
    bench.expect("A", ack=4)


def test_reader_is_woken_by_text_only_when_it_is_in_order() -> None:
    bench = established()
    woken: list[int] = []
    bench.conn.queue.add(lambda: woken.append(bench.conn.readable))
    bench.peer("PA", seq=4, payload=b"def")
    assert woken == []
    bench.peer("PA", seq=1, payload=b"abc")
    assert woken == [6]


def test_peeking_leaves_the_bytes_and_reading_the_last_one_acknowledges() -> None:
    bench = established()
    bench.peer("PA", payload=b"abc")
    assert bench.conn.recv(2, peek=True) == b"ab" and bench.conn.readable == 3
    assert bench.conn.recv(2) == b"ab"
    bench.silent()
    assert bench.conn.recv(2) == b"c" and bench.conn.recv(2) == b""
    bench.expect("A", ack=4)  # a short segment, all read, no answer in sight: why wait?
    bench.silent()


# --- reassembly ----------


def test_overlapping_segments_deliver_every_byte_once() -> None:
    bench = established()
    text = b"abcdefghijklmnop"
    for at, n in [(4, 4), (6, 6), (2, 3), (14, 2), (3, 12), (0, 3)]:
        bench.peer("PA", seq=1 + at, payload=text[at : at + n])
    assert bench.conn.recv(100) == text


def test_segment_reaching_over_the_left_edge_delivers_its_new_part() -> None:
    bench = established()
    bench.peer("PA", payload=b"abc")
    bench.peer("PA", seq=2, payload=b"bcde")
    assert bench.conn.recv(100) == b"abcde"


def test_segment_reaching_over_the_right_edge_is_refused_while_data_is_unread() -> None:
    bench = established(options=[("MSS", 1460), ("NOP", None), ("WScale", 7)])
    while bench.conn.rcv_wnd >= 1000:
        bench.peer("A", payload=bytes(1000))
        if bench.conn.rcv_wnd < 1000:
            bench.run(100 * MS)  # the ACK that is due may open the window
    left, held = bench.conn.rcv_wnd, bench.conn.readable
    assert 0 < left < 1000
    nxt = bench.conn.rcv_nxt - PEER_ISS
    bench.peer("FA", seq=nxt, payload=bytes(1200))
    assert bench.conn.readable == held and bench.conn.state is State.ESTABLISHED
    assert bench.out[-1].ack == PEER_ISS + nxt and bench.out[-1].window == -(-left // 128)
    bench.conn.recv(held)
    bench.peer("FA", seq=nxt, payload=bytes(1200))
    assert bench.conn.readable == 1200 and bench.conn.state is State.CLOSE_WAIT


@pytest.mark.parametrize("rcv_nxt", [0, 0xFFFFFF00])
def test_reassembly_of_shuffled_overlapping_pieces_equals_the_stream(rcv_nxt: int) -> None:
    seed = int(os.environ.get("FDWIRE_SEED", "1"))
    print(f"FDWIRE_SEED={seed}")
    rng = random.Random(seed)
    for _ in range(200):
        stream = rng.randbytes(400)
        pieces = [(at, at + rng.randrange(7, 60)) for at in range(1, 400, 7)]
        rng.shuffle(pieces)
        buffer = Reassembly(rcv_nxt)
        held: set[int] = set()
        forgotten = False  # of more than four blocks some are, as in Linux, and come back piece by piece
        for left, right in pieces:
            buffer.insert((rcv_nxt + left) % 2**32, stream[left:right], rcv_nxt)
            held |= set(range(left, min(right, 400)))
            assert buffer.held == len(held)
            forgotten |= len(buffer) > 4
            for sack_left, sack_right in buffer.sack_blocks(4):
                a, b = (sack_left - rcv_nxt) % 2**32, (sack_right - rcv_nxt) % 2**32
                assert set(range(a, b)) <= held
                assert forgotten or (a - 1 not in held and b not in held)
            newest = buffer.sack_blocks(1)[0]
            assert (newest[0] - rcv_nxt) % 2**32 <= left < (newest[1] - rcv_nxt) % 2**32
        assert buffer.extract(rcv_nxt) is None
        assert buffer.extract((rcv_nxt + 1) % 2**32) == stream[1:]
        assert len(buffer) == 0


def test_reassembly_extracts_from_the_middle_of_a_block() -> None:
    buffer = Reassembly(100)
    buffer.insert(110, b"0123456789", 100)
    buffer.insert(130, b"abc", 100)
    assert buffer.covers(112, 118, 100) and not buffer.covers(112, 121, 100)
    assert buffer.extract(115) == b"56789"
    assert buffer.sack_blocks(4) == ((130, 133),)


def test_first_copy_of_a_byte_out_of_order_is_the_one_delivered() -> None:
    bench = established()
    bench.peer("PA", seq=2, payload=b"bcd")
    bench.peer("PA", seq=2, payload=b"XYZ")
    bench.peer("PA", seq=1, payload=b"a")
    assert bench.conn.recv(10) == b"abcd"


# --- SACK generation ----------


def test_sack_reports_the_newest_block_first() -> None:
    bench = established(options=SACK)
    bench.peer("PA", seq=11, payload=b"x" * 10)
    bench.expect("A", ack=1)
    bench.peer("PA", seq=31, payload=b"x" * 10)
    bench.out.clear()
    bench.peer("PA", seq=51, payload=b"x" * 10)
    base = PEER_ISS
    edges = bench.expect("A", ack=1).option("SAck")
    assert edges == (base + 51, base + 61, base + 31, base + 41, base + 11, base + 21)
    bench.peer("PA", seq=21, payload=b"x" * 5)
    edges = bench.expect("A", ack=1).option("SAck")
    assert edges[:4] == (base + 11, base + 26, base + 51, base + 61)
    bench.peer("PA", seq=1, payload=b"x" * 10)
    edges = bench.expect("A", ack=26).option("SAck")
    assert edges == (base + 51, base + 61, base + 31, base + 41)


@pytest.mark.parametrize(("options", "most"), [(SACK, 4), (SYN_OPTIONS, 3)])
def test_sack_blocks_fit_the_header(options: list[tuple[str, object]], most: int) -> None:
    bench = established(options=options)  # type: ignore[arg-type]
    for n in range(1, 7):
        bench.peer("PA", seq=1 + 20 * n, payload=b"x" * 10)
    assert len(bench.out[-1].option("SAck")) == 2 * most
    assert bench.out[-1].raw[12] >> 4 <= 15


def test_without_sack_permitted_no_block_is_sent() -> None:
    bench = established()
    bench.peer("PA", seq=11, payload=b"x")
    assert bench.expect("A").options == []


# --- window ----------


def _fill(bench: Bench) -> None:
    while bench.conn.rcv_wnd:
        bench.peer("A", payload=bytes(min(FULL, bench.conn.rcv_wnd)))
    bench.run(SEC)


def test_unread_text_closes_the_window_and_never_moves_its_edge_back() -> None:
    bench = established()
    _fill(bench)
    edges = [(seg.ack + seg.window) for seg in bench.out]
    assert edges == sorted(edges)
    assert bench.out[-1].window == 0 and bench.conn.readable == 56 * FULL


def test_closed_window_opens_only_by_a_useful_amount() -> None:
    bench = established()
    _fill(bench)
    bench.out.clear()
    for _ in range(2):
        bench.conn.recv(1460)
        bench.silent()  # silly: less than a sixteenth of the buffer
    bench.conn.recv(1460)
    seg = bench.expect("A", length=0)
    assert seg.window == 3 * FULL
    bench.silent()


def test_closed_window_probe_with_text_is_acknowledged_and_its_ack_counts() -> None:
    bench = established()
    bench.conn.send(b"abc")
    bench.out.clear()
    while bench.conn.rcv_wnd:
        bench.peer("A", ack=1, payload=bytes(min(FULL, bench.conn.rcv_wnd)))
    bench.run(SEC)
    bench.out.clear()
    nxt = bench.peer_nxt - PEER_ISS
    bench.peer("A", seq=nxt, ack=4, payload=b"p")
    assert bench.conn.snd_una == bench.conn.iss + 4  # RFC 9293 §3.10.7.4
    bench.expect("A", ack=nxt)
    assert bench.conn.readable == 56 * FULL


def test_closed_window_rst_still_resets() -> None:
    bench = established()
    _fill(bench)
    bench.peer("R")
    assert bench.conn.state is State.CLOSED


def test_closed_window_fin_still_ends_the_stream() -> None:
    bench = established()
    _fill(bench)
    bench.peer("FA")
    assert bench.conn.state is State.CLOSE_WAIT


# --- timestamps ----------


def test_paws_drops_an_old_timestamp_with_an_ack() -> None:
    bench = established(options=TIMESTAMPS)
    bench.peer("PA", payload=b"abc", options=stamped(TS + 5))
    bench.out.clear()
    bench.peer("PA", seq=4, payload=b"old", options=stamped(TS + 4))
    bench.expect("A", seq=1, ack=4)
    assert bench.conn.readable == 3 and bench.stat("paws_rejected") == 1


def test_paws_compares_on_the_circle() -> None:
    near = [("MSS", 1460), ("NOP", None), ("NOP", None), ("Timestamp", (0xFFFFFFFF, 0))]
    bench = established(options=near)
    bench.peer("PA", payload=b"abc", options=stamped(3))
    assert bench.conn.readable == 3 and bench.conn.ts_recent == 3


def test_paws_forgets_a_timestamp_after_24_days() -> None:
    bench = established(options=TIMESTAMPS)
    bench.run(25 * 24 * 3600 * SEC)
    bench.peer("PA", payload=b"abc", options=stamped(TS - 1))
    assert bench.conn.readable == 3


def test_rst_is_not_subject_to_paws() -> None:
    bench = established(options=TIMESTAMPS)
    bench.peer("R", options=stamped(TS - 5))
    assert bench.conn.state is State.CLOSED


def test_echoed_timestamp_is_that_of_the_segment_that_moved_the_left_edge() -> None:
    bench = established(options=TIMESTAMPS)
    bench.peer("PA", seq=4, payload=b"def", options=stamped(TS + 7))  # out of order: not recorded
    assert bench.expect("A").option("Timestamp")[1] == TS
    bench.peer("PA", seq=1, payload=b"abc", options=stamped(TS + 8))
    assert bench.expect("A").option("Timestamp")[1] == TS + 8


def test_delayed_ack_echoes_the_earliest_of_the_segments_it_covers() -> None:
    bench = established(options=TIMESTAMPS)
    bench.peer("A", payload=bytes(100), options=stamped(TS + 1))
    bench.peer("A", payload=bytes(100), options=stamped(TS + 2))
    bench.run(SEC)
    assert bench.expect("A", ack=201).option("Timestamp")[1] == TS + 1  # RFC 7323 §4.3
