"""Hostile input: established connections go on, memory stays bounded, nothing takes long."""

import random
import time

from tcp_bench import HERE, MSS_ONLY, SYN_OPTIONS, THERE, established, listening

from pymodel.tcp import State


def test_flood_of_syns_from_everywhere_leaves_an_established_connection_alone() -> None:
    bench = listening(backlog=4)
    bench.peer("S", options=MSS_ONLY)
    bench.iss = bench.expect("SA").seq
    bench.peer("A", ack=1)
    conn = bench.listener.accept()
    assert conn is not None
    bench.conn = conn
    for n in range(300):
        bench.raw(bench.build("S", seq=n, sport=1024 + n, options=SYN_OPTIONS), src=THERE)
    bench.out.clear()
    assert len(bench.tcp.connections) <= 1 + 4
    bench.peer("PA", payload=b"still here")
    assert conn.recv(20) == b"still here" and conn.state is State.ESTABLISHED


def test_guessed_resets_syns_and_data_outside_the_window_change_nothing_and_are_answered_sparingly() -> None:
    bench = established()
    rng = random.Random(1)
    before = (bench.conn.rcv_nxt, bench.conn.snd_una)
    for _ in range(300):
        seq = rng.randrange(100_000, 1 << 31)
        bench.peer(rng.choice(["R", "RA", "S", "SA"]), seq=seq, ack=1)
        bench.peer("A", seq=1, ack=-rng.randrange(70_000, 1 << 30))
    assert (bench.conn.rcv_nxt, bench.conn.snd_una) == before
    assert bench.conn.state is State.ESTABLISHED and len(bench.out) <= 1


def test_single_bytes_with_gaps_are_bounded_by_the_window_and_cost_no_search() -> None:
    bench = established(options=[("MSS", 1460), ("SAckOK", b"")])
    conn = bench.conn
    start = time.perf_counter()
    for n in range(20_000):
        conn.reassembly.insert((conn.rcv_nxt + 60_000 - 2 * (n % 29_000) - 1) % 2**32, b"x", conn.rcv_nxt)
        conn.reassembly.sack_blocks(4)
    assert conn.reassembly.held <= 30_000
    assert time.perf_counter() - start < 5  # a search through them all took minutes
    assert bench.tcp.connections[(HERE, 40000, THERE, 80)] is conn
