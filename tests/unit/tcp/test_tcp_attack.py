"""Hostile input: established connections go on, memory stays bounded, nothing takes long."""

import random
import time

from scapy.utils import checksum
from tcp_bench import HERE, MSS_ONLY, SYN_OPTIONS, THERE, Bench, established, listening

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
        bench.peer("A", seq=seq, ack=1)
    assert (bench.conn.rcv_nxt, bench.conn.snd_una) == before
    assert bench.conn.state is State.ESTABLISHED and len(bench.out) <= 1
    bench.conn.send(b"awaits its ACK")
    bench.out.clear()
    for _ in range(300):
        bench.peer("PA", seq=rng.randrange(100_000, 1 << 31), ack=15, payload=b"guessed")
    assert (bench.conn.rcv_nxt, bench.conn.snd_una) == before
    assert bench.conn.reassembly.held == 0, "data beyond the window was kept"
    assert {(seg.flags, seg.payload) for seg in bench.out} == {("A", b"")}


def test_single_bytes_with_gaps_are_bounded_by_the_window_and_cost_no_search() -> None:
    bench = established(options=[("MSS", 1460), ("SAckOK", b"")])
    conn = bench.conn
    start = time.process_time()
    for n in range(20_000):
        conn.reassembly.insert((conn.rcv_nxt + 60_000 - 2 * (n % 29_000) - 1) % 2**32, b"x", conn.rcv_nxt)
        conn.reassembly.sack_blocks(4)
    assert conn.reassembly.held <= 30_000
    assert time.process_time() - start < 5  # a search through them all took minutes
    assert bench.tcp.connections[(HERE, 40000, THERE, 80)] is conn


def with_option_bytes(
    bench: Bench, options: bytes, payload: bytes = b"", flags: str = "PA", ack: int = 1
) -> bytes:
    """The peer's next segment with these bytes where options belong, whatever they say."""
    assert len(options) == 40
    raw = bytearray(bench.build(flags, ack=ack, payload=payload, options=[]))
    raw[12], raw[16:18] = 0xF0, b"\0\0"
    raw[20:20] = options
    pseudo = THERE + HERE + b"\0\x06" + len(raw).to_bytes(2, "big")
    raw[16:18] = checksum(pseudo + raw).to_bytes(2, "big")
    return bytes(raw)


def test_option_bombs_on_data_neither_stop_the_connection_nor_harm_what_is_in_flight() -> None:
    bench = established(options=[("MSS", 1460), ("SAckOK", b"")])
    conn = bench.conn
    assert conn.send(b"z" * 5000) == 5000
    bench.run(1)
    seed = 4
    rng = random.Random(seed)
    bombs = [
        b"\x01" * 40,  # padding only
        b"\xfe\x02" * 20,  # as many unknown options as there is room for
        b"\x05\x00" * 20,  # an option of length 0: no end in sight for who trusts it
        b"\x05\x01" * 20,
        b"\x01" * 38 + b"\x05\x22",  # SACK beyond the header
        b"\x01" * 39 + b"\x05",  # a kind without its length
        b"\x05\x03\x00" * 13 + b"\x00",
        b"\x03\x03\xff" * 13 + b"\x00",  # window scales
        b"\x02\x04\x00\x00" * 10,  # segments of no bytes
        b"\x04\x02" * 20,
        b"\x08\x0a" + b"\xff" * 8 + b"\x08\x0a" + bytes(8) + b"\x01" * 20,
        b"\x05\x22" + b"\x00\x00\x00\x00\xff\xff\xff\xff" * 4 + b"\x01" * 6,  # SACK of everything
        b"\x05\x22" + rng.randbytes(32) + b"\x01" * 6,
        b"\x05\x0a" + rng.randbytes(8) + b"\x05\x0a" + rng.randbytes(8) + b"\x05\x0a" + rng.randbytes(18),
        *(bytes(rng.choice(b"\0\1\2\3\4\5\x08\x13\x22\xfd") for _ in range(40)) for _ in range(300)),
        *(rng.randbytes(40) for _ in range(300)),
    ]
    for n, bomb in enumerate(bombs):
        byte = bytes([n & 0xFF])
        bench.raw(with_option_bytes(bench, bomb, byte))
        bench.peer_nxt += 1
        assert conn.state is State.ESTABLISHED and conn.recv(10) == byte, f"seed {seed}, bomb {bomb.hex()}"
    assert conn.packets_out and not conn.sacked_out and not conn.lost_out
    assert conn.snd_una == (bench.iss + 1) % 2**32 and conn.reassembly.held == 0
    bench.peer("A", ack=5001)
    assert conn.snd_una == (bench.iss + 5001) % 2**32
    bench.out.clear()
    assert conn.send(b"on") == 2
    bench.run(1)
    assert bench.expect("PA", seq=5001, length=2).payload == b"on"


def test_option_bombs_on_syns_open_connections_of_sane_values_or_none() -> None:
    seed = 5
    rng = random.Random(seed)
    bombs = [
        b"\x02\x04\x00\x00" * 10,  # segments of no bytes
        b"\x02\x04\xff\xff" * 10,
        b"\x02\x05\x05\xb4\x00" * 8,  # a length that is not MSS's
        b"\x03\x03\xff\x01" * 10,  # a shift of 255
        b"\x22\x28" + b"\xaa" * 38,  # a cookie longer than any (RFC 7413)
        *(bytes(rng.choice(b"\0\1\2\3\4\x08\x0a\x22\xff") for _ in range(40)) for _ in range(100)),
    ]
    for bomb in bombs:
        bench = listening(backlog=4)
        bench.raw(with_option_bytes(bench, bomb, flags="S", ack=0))
        for conn in bench.tcp.connections.values():
            assert 20 <= conn.snd_mss <= 1460 and conn.snd_wscale <= 14, f"seed {seed}, bomb {bomb.hex()}"
