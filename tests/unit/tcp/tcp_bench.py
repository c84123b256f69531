"""A TCP layer facing a hand-driven peer: segments in are built, and segments out are parsed, by scapy.

`Bench` is one layer at 10.0.0.1; the peer at 10.0.0.2 exists only as the test's own arithmetic. Builders
bring a connection into each state. Peer sequence numbers are relative to `PEER_ISS`, ours to our ISS.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from below_tcp import BelowTcp
from scapy.layers.inet import IP, TCP

from pymodel.hostmem import HostMemory
from pymodel.scheduler import Scheduler
from pymodel.simtime import MS, US
from pymodel.tcp import LINUX, Listener, Profile, State, TcpConnection, TcpLayer
from pymodel.tcp.segment import LOST, RETRANS, SACKED

HERE = b"\x0a\x00\x00\x01"
THERE = b"\x0a\x00\x00\x02"
LPORT, RPORT = 40000, 80
PEER_ISS = 5000
MOD = 1 << 32
TS = 10_000
"""The peer's first TSval."""

_MEMORY = HostMemory(8 << 20)


def dotted(address: bytes) -> str:
    return ".".join(map(str, address))


class Seg:
    """One segment that left the layer, as scapy reads it."""

    def __init__(self, raw: bytes, src: bytes, dst: bytes, when: int) -> None:
        packet = IP(bytes(IP(src=dotted(src), dst=dotted(dst), proto=6, len=20 + len(raw))) + raw)
        tcp = packet[TCP]
        self.raw, self.when = raw, when
        self.src, self.dst = src, dst
        self.sport, self.dport, self.seq, self.ack = tcp.sport, tcp.dport, tcp.seq, tcp.ack
        self.flags = str(tcp.flags)
        self.window = tcp.window
        self.options: list[tuple[str, Any]] = tcp.options
        self.payload = bytes(tcp.payload)
        claimed = tcp.chksum
        del packet[TCP].chksum
        assert IP(bytes(packet))[TCP].chksum == claimed, "scapy computes another checksum"

    def option(self, name: str) -> Any:
        return dict(self.options).get(name)

    def __repr__(self) -> str:
        numbers = f"seq={self.seq} ack={self.ack} win={self.window} len={len(self.payload)}"
        return f"<{self.flags} {numbers} {self.options}>"


class Bench(BelowTcp):
    """The layer under test with everything that leaves it in `out`."""

    def __init__(self, profile: Profile = LINUX, mtu: int = 1500, start: int = 1000 * MS) -> None:
        super().__init__(HERE, _MEMORY)
        self.scheduler = Scheduler()
        self.scheduler.run_until(start)
        self.mtu = mtu
        self.out: list[Seg] = []
        self.send_error = 0
        self.tcp = TcpLayer(self.scheduler, self, profile=profile, secret=b"bench")
        self.conn: TcpConnection
        self.listener: Listener
        self.lport, self.rport = LPORT, RPORT
        self.peer_nxt = PEER_ISS
        self.iss = 0
        self.ts: int | None = None
        self.window = 65535

    def leave(self, data: bytes, src: bytes, dst: bytes, tos: int) -> int:
        self.out.append(Seg(data, src, dst, self.now))
        return self.send_error

    # time

    @property
    def now(self) -> int:
        return self.scheduler.now

    def run(self, ps: int) -> None:
        self.scheduler.run_until(self.now + ps)

    # the peer

    def raw(self, data: bytes, src: bytes = THERE, dst: bytes = HERE) -> None:
        self.arrive(data, src, dst)

    def build(
        self,
        flags: str,
        seq: int | None = None,
        ack: int | None = None,
        payload: bytes = b"",
        window: int | None = None,
        options: list[tuple[Any, Any]] | None = None,
        sport: int | None = None,
        dport: int | None = None,
    ) -> bytes:
        """`seq` relative to the peer's ISS, `ack` to ours; by default what the peer would send next."""
        if options is None:
            options = []
            if self.ts is not None:
                options = [("NOP", None), ("NOP", None), ("Timestamp", (self.ts, 0))]
        packet = IP(src=dotted(THERE), dst=dotted(HERE)) / TCP(
            sport=self.rport if sport is None else sport,
            dport=self.lport if dport is None else dport,
            seq=(self.peer_nxt if seq is None else PEER_ISS + seq) % MOD,
            ack=0 if "A" not in flags else (self.iss + (self._acknowledge() if ack is None else ack)) % MOD,
            flags=flags,
            window=self.window if window is None else window,
            options=options,
        )
        return bytes(packet / payload)[20:]

    def _acknowledge(self) -> int:
        return (self.conn.snd_nxt - self.iss) % MOD

    def peer(
        self, flags: str, seq: int | None = None, ack: int | None = None, payload: bytes = b"", **kw: Any
    ) -> None:
        """Deliver a segment; with no explicit `seq` the peer's own sequence number advances."""
        data = self.build(flags, seq, ack, payload, **kw)
        if seq is None:
            self.peer_nxt = (self.peer_nxt + len(payload) + ("S" in flags) + ("F" in flags)) % MOD
        self.raw(data)

    # expectations

    def expect(
        self, flags: str, seq: int | None = None, ack: int | None = None, length: int | None = None
    ) -> Seg:
        """The next segment out; `seq` relative to our ISS, `ack` to the peer's."""
        assert self.out, f"expected a {flags} segment, but nothing was sent"
        seg = self.out.pop(0)
        assert seg.flags == flags, f"{seg!r} instead of {flags}"
        if seq is not None:
            assert (seg.seq - self.iss) % MOD == seq, (
                f"{seg!r}: relative seq {(seg.seq - self.iss) % MOD}, not {seq}"
            )
        if ack is not None:
            relative = (seg.ack - PEER_ISS) % MOD
            assert relative == ack, f"{seg!r}: relative ack {relative}, not {ack}"
        if length is not None:
            assert len(seg.payload) == length, repr(seg)
        return seg

    def silent(self) -> None:
        assert self.out == []

    def stat(self, name: str) -> int:
        return self.tcp.stats[name]


SYN_OPTIONS = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (TS, 0)), ("NOP", None), ("WScale", 7)]
MSS_ONLY = [("MSS", 1460)]


def syn_sent(**kw: Any) -> Bench:
    bench = Bench(**kw)
    bench.conn = bench.tcp.connect((HERE, LPORT), (THERE, RPORT))
    bench.iss = bench.conn.iss
    bench.expect("S", seq=0)
    return bench


def listening(backlog: int = 4, **kw: Any) -> Bench:
    bench = Bench(**kw)
    bench.lport, bench.rport = 80, 50000
    bench.listener = bench.tcp.listen((HERE, 80), backlog)
    return bench


def syn_received(options: list[tuple[Any, Any]] = MSS_ONLY, **kw: Any) -> Bench:
    """A passive open after its SYN,ACK."""
    bench = listening(**kw)
    bench.peer("S", options=options)
    seg = bench.expect("SA", ack=1)
    bench.iss = seg.seq
    bench.conn = bench.tcp.connections[(HERE, 80, THERE, 50000)]
    return bench


def established(
    options: list[tuple[Any, Any]] = MSS_ONLY, window: int = 65535, quick: bool = False, **kw: Any
) -> Bench:
    """An active open, without SACK, timestamps and scaling unless `options` says so; RTT 10 µs.

    Delayed ACKs are on from the first segment unless `quick`.
    """
    bench = syn_sent(**kw)
    bench.window = window
    if any(name == "Timestamp" for name, _ in options):
        bench.ts = TS
    bench.run(10 * US)
    bench.peer("SA", options=options)
    bench.expect("A", seq=1, ack=1)
    assert bench.conn.state is State.ESTABLISHED
    if not quick:
        bench.conn.ato = 40 * MS
        bench.conn.last_data = bench.now
    return bench


def close_wait(**kw: Any) -> Bench:
    bench = established(**kw)
    bench.conn.ato = 0
    bench.peer("FA")
    bench.expect("A", seq=1, ack=2)
    assert bench.conn.state is State.CLOSE_WAIT
    return bench


def last_ack(**kw: Any) -> Bench:
    bench = close_wait(**kw)
    bench.conn.close()
    bench.expect("FA", seq=1, ack=2)
    assert bench.conn.state is State.LAST_ACK
    return bench


def fin_wait_1(**kw: Any) -> Bench:
    bench = established(**kw)
    bench.conn.shutdown_write()
    bench.expect("FA", seq=1, ack=1)
    assert bench.conn.state is State.FIN_WAIT_1
    return bench


def fin_wait_2(**kw: Any) -> Bench:
    bench = fin_wait_1(**kw)
    bench.peer("A")
    bench.silent()
    assert bench.conn.state is State.FIN_WAIT_2
    return bench


def closing(**kw: Any) -> Bench:
    bench = fin_wait_1(**kw)
    bench.peer("FA", ack=1)
    bench.expect("A", seq=2, ack=2)
    assert bench.conn.state is State.CLOSING
    return bench


def time_wait(**kw: Any) -> Bench:
    bench = fin_wait_2(**kw)
    bench.peer("FA")
    bench.expect("A", seq=2, ack=2)
    assert bench.conn.state is State.TIME_WAIT
    return bench


BUILDERS = {
    State.SYN_RECEIVED: syn_received,
    State.ESTABLISHED: established,
    State.FIN_WAIT_1: fin_wait_1,
    State.FIN_WAIT_2: fin_wait_2,
    State.CLOSE_WAIT: close_wait,
    State.CLOSING: closing,
    State.LAST_ACK: last_ack,
    State.TIME_WAIT: time_wait,
}
"""One builder for each state from SYN-RECEIVED on."""

in_every_state = pytest.mark.parametrize("state", list(BUILDERS), ids=lambda s: s.name)


def check(conn: TcpConnection) -> None:
    """What must hold of any connection at any time."""
    assert 0 <= conn.flight < 1 << 31 and conn.in_flight >= 0
    assert conn.packets_out == sum(s.count for s in conn.sent)
    assert conn.lost_out == sum(s.count for s in conn.sent if s.marks & LOST)
    assert conn.retrans_out == sum(s.count for s in conn.sent if s.marks & RETRANS)
    if conn.sack_on:
        assert conn.sacked_out == sum(s.count for s in conn.sent if s.marks & SACKED)
        assert not any(s.marks & SACKED and s.marks & (LOST | RETRANS) for s in conn.sent)
    assert 0 <= conn.sacked_out <= conn.packets_out
    assert set(conn.by_time) <= set(conn.sent)
    assert [s.sent_at for s in conn.by_time] == sorted(s.sent_at for s in conn.by_time)
    for before, after in itertools.pairwise(conn.sent):
        assert before.end == after.seq
    if conn.sent:
        assert conn.sent[0].seq == conn.snd_una and conn.sent[-1].end == conn.snd_nxt
        assert conn.rtx_timer.deadline is not None, "something is in flight and no timer runs"
    memory = conn.rcv_memory
    if conn.profile.skb_overhead:
        # One buffer more than the bound may be taken, and the text is never more than the memory it lies in.
        assert memory.used <= max(2 * conn.rcvbuf, 0) + (1 << 17) and len(conn.recv_queue) <= memory.used
    else:
        assert len(conn.recv_queue) <= conn.rcvbuf + (1 << conn.rcv_wscale)
    assert conn.cc.cwnd >= 1
