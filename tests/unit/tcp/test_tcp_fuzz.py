"""Random segments and user calls in every state: no exception, no illegal transition, no lost bookkeeping.

FDWIRE_SEED picks the stream.
"""

from __future__ import annotations

import os
import random
import struct
from functools import partial

import pytest
from tcp_bench import BUILDERS, HERE, SYN_OPTIONS, THERE, Bench, check, in_every_state

from pymodel.simtime import MS, SEC
from pymodel.skbuff import SkBuff
from pymodel.tcp import State, TcpConnection
from pymodel.tcp.profile import PROFILES, Profile
from pymodel.wire.checksum import checksum, pseudo_header

SEED = int(os.environ.get("FDWIRE_SEED", "1"))
FLAGS = [0x10, 0x10, 0x10, 0x18, 0x11, 0x02, 0x12, 0x04, 0x14, 0x00, 0x01, 0x3F]


def random_segment(bench: Bench, rng: random.Random) -> bytes:
    conn = bench.conn
    flags = rng.choice(FLAGS) if rng.random() < 0.12 else 0x10
    near = rng.choice([0, 0, 0, 1, -1, rng.randrange(-3000, 3000), rng.randrange(-70000, 70000)])
    seq = (conn.rcv_nxt + near) % 2**32
    back = rng.choice([0, conn.flight, rng.randrange(conn.flight + 1), rng.randrange(-5, 5)])
    ack = (conn.snd_una + back) % 2**32
    options = b""
    if rng.random() < 0.4:
        left = (conn.snd_una + rng.randrange(-10, 15000)) % 2**32
        options += struct.pack("!BBBBII", 1, 1, 5, 10, left, (left + rng.randrange(4000)) % 2**32)
    if rng.random() < 0.1:
        options += rng.randbytes(8)
    payload = bytes(rng.choice([0, 0, 1, 10, 1460]))
    window = rng.choice([0, 1, 500, 5000, 65535])
    ports = struct.pack("!HH", bench.rport, bench.lport)
    raw = bytearray(
        ports + struct.pack("!IIBBHHH", seq, ack, (20 + len(options)) << 2, flags, window, 0, 0) + options
    )
    raw += payload
    raw[16:18] = checksum(raw, pseudo_header(THERE, HERE, 6, len(raw))).to_bytes(2, "big")
    return bytes(raw)


def user_call(conn: TcpConnection, rng: random.Random) -> None:
    kind = rng.random()
    if kind < 0.5:
        conn.send(bytes(rng.choice([1, 100, 1460, 20000])))
    elif kind < 0.94:
        conn.recv(rng.choice([1, 1000, 100000]))
    elif kind < 0.955:
        conn.shutdown_read()
    elif kind < 0.97:
        conn.shutdown_write()
    elif kind < 0.99:
        conn.close()
    else:
        conn.abort()


class QuietBench(Bench):
    """Parsing every segment with scapy would be most of the time."""

    quiet = False

    def send(self, skb: SkBuff, proto: int, src: bytes, dst: bytes, **kw: object) -> int:
        if self.quiet:
            skb.free()
            return 0
        return super().send(skb, proto, src, dst, **kw)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("sack", [False, True], ids=["plain", "sack"])
@in_every_state
def test_random_segments_and_calls_never_break_a_connection(
    state: State, sack: bool, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"FDWIRE_SEED={SEED}")
    monkeypatch.setattr("tcp_bench.Bench", partial(QuietBench, profile))
    rng = random.Random(f"{SEED}/{state}/{sack}")
    options = [o for o in SYN_OPTIONS if o[0] != "Timestamp"] if sack else [("MSS", 1460)]
    for _ in range(5):
        bench = BUILDERS[state](options=options)
        assert bench.conn.profile.name == profile.name
        bench.quiet = True
        for _step in range(120):
            bench.raw(random_segment(bench, rng))
            if bench.conn.state is State.CLOSED:
                break
            check(bench.conn)
            if bench.conn.listener is None and rng.random() < 0.3:
                user_call(bench.conn, rng)
            if rng.random() < 0.1:
                bench.run(rng.choice([1 * MS, 50 * MS, 1 * SEC]))
            if bench.conn.state is State.CLOSED:
                break
            check(bench.conn)
        bench.conn.abort()
        assert not bench.tcp.connections
        assert bench.scheduler.next_deadline() is None, "a closed connection left a timer"


def test_random_bytes_never_raise() -> None:
    rng = random.Random(SEED)
    bench = QuietBench()
    bench.quiet = True
    bench.tcp.listen((bytes(4), 80), 4)
    for _ in range(3000):
        raw = bytearray(rng.randbytes(rng.randrange(0, 60)))
        if len(raw) >= 20:
            raw[2:4] = b"\x00\x50"
            raw[16:18] = bytes(2)
            raw[16:18] = checksum(raw, pseudo_header(THERE, HERE, 6, len(raw))).to_bytes(2, "big")
        bench.raw(bytes(raw))
    assert bench.stat("in_segs") == 3000 and bench.stat("passive_opens") > 0
