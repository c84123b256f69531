"""Accurate ECN (RFC 9768) between two stacks of ours: the sender learns exactly what was marked.

What is on the wire is in tests/packetdrill/accecn. FDWIRE_SEED picks the random streams.
"""

import os
import random
from dataclasses import replace
from functools import partial

import pytest
from below_tcp import BelowTcp

from pymodel.hostmem import HostMemory
from pymodel.scheduler import Scheduler
from pymodel.simtime import MS, SEC, US
from pymodel.tcp import LINUX, TcpConnection, TcpLayer
from pymodel.tcp.accecn import OPTION_FAIL_SEND
from pymodel.tcp.tcpinfo import tcp_info

SEED = int(os.environ.get("FDWIRE_SEED", "1"))
MEMORY = HostMemory(32 << 20)
CLIENT, SERVER = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))


class Host(BelowTcp):
    """One stack, whose packets a router marks with CE, and loses, on their way."""

    def __init__(self, scheduler: Scheduler, address: bytes, rng: random.Random, option: int) -> None:
        super().__init__(address, MEMORY)
        self.scheduler, self.rng = scheduler, rng
        self.peer: Host
        self.marked = self.lost = 0.0
        self.segments_marked = self.bytes_marked = 0
        self.marks_on_news = 0
        """Marked segments that came to us with text we did not have."""
        profile = replace(LINUX, ecn=3, ecn_option=option)
        self.tcp = TcpLayer(scheduler, self, profile=profile, secret=address)

    def leave(self, data: bytes, src: bytes, dst: bytes, tos: int) -> int:
        if self.rng.random() < self.lost:
            return 0
        if tos & 3 and self.rng.random() < self.marked:
            tos |= 3
            self.segments_marked += 1
            self.bytes_marked += len(data) - (data[12] >> 4) * 4
        self.scheduler.after(5 * MS, partial(self.peer.arrive, data, src, dst, tos))
        return 0

    def arrive(self, data: bytes, src: bytes, dst: bytes, tos: int | None = None) -> None:
        if tos is not None and tos & 3 == 3:
            (conn,) = self.tcp.connections.values()
            end = int.from_bytes(data[4:8], "big") + len(data) - (data[12] >> 4) * 4
            self.marks_on_news += 0 < (end - conn.rcv_nxt) & 0xFFFF_FFFF < 1 << 31
        super().arrive(data, src, dst, tos)


def pair(rng: random.Random, option: int) -> tuple[Host, Host, TcpConnection, TcpConnection]:
    scheduler = Scheduler()
    client, server = Host(scheduler, CLIENT, rng, option), Host(scheduler, SERVER, rng, option)
    client.peer, server.peer = server, client
    listener = server.tcp.listen((SERVER, 80), 1)
    ours = client.tcp.connect((CLIENT, 40_000), (SERVER, 80))
    scheduler.run_until(SEC)
    theirs = listener.accept()
    assert theirs is not None and ours.accurate and theirs.accurate
    return client, server, ours, theirs


def transfer(scheduler: Scheduler, ours: TcpConnection, theirs: TcpConnection, size: int) -> None:
    left, until = size, scheduler.now + 600 * SEC
    while (left or not ours.all_acknowledged) and scheduler.now < until:
        left -= ours.send(bytes(min(left, 30_000)))
        scheduler.run_until(scheduler.now + 500 * US)
        theirs.recv(1 << 20)
    assert not left and ours.all_acknowledged


@pytest.mark.parametrize("option", [0, 1, 2])
@pytest.mark.parametrize("marked", [0.1, 0.3, 1.0])
def test_every_mark_is_learnt(option: int, marked: float) -> None:
    seed = SEED * 1000 + option
    print(f"FDWIRE_SEED {SEED}, stream {seed}")
    client, _, ours, theirs = pair(random.Random(seed), option)
    client.marked = marked
    transfer(client.scheduler, ours, theirs, 300_000)
    client.scheduler.run_until(client.scheduler.now + SEC)
    assert client.segments_marked > 3
    here, there = tcp_info(ours), tcp_info(theirs)
    assert there["received_ce"] == client.segments_marked
    wrong = there["received_ce"] - here["delivered_ce"]
    # Without bytes it can only be guessed whether an ACE field has wrapped.
    assert wrong % 8 == 0 if option == 0 else wrong == 0
    assert there["received_ce_bytes"] == client.bytes_marked
    assert here["ca_state"] or here["snd_ssthresh"] < 1000  # congestion control heard of it
    if option == 2:
        assert here["delivered_ce_bytes"] == client.bytes_marked
        assert here["delivered_e0_bytes"] + here["delivered_ce_bytes"] == 300_000


@pytest.mark.parametrize("lost", [0.01, 0.1])
def test_lost_segments_and_acks_leave_no_more_marks_than_there_were_segments(lost: float) -> None:
    seed = SEED * 1000 + int(lost * 100)
    print(f"FDWIRE_SEED {SEED}, stream {seed}")
    client, server, ours, theirs = pair(random.Random(seed), 2)
    client.marked = 0.2
    client.lost = server.lost = lost
    transfer(client.scheduler, ours, theirs, 300_000)
    client.lost = server.lost = 0.0
    transfer(client.scheduler, ours, theirs, 10_000)
    here, there = tcp_info(ours), tcp_info(theirs)
    # Of what came twice the second is no acceptable segment: its mark does not count (RFC 9768 §3.2.2.2).
    assert 0 < server.marks_on_news <= there["received_ce"] <= client.segments_marked
    # The option's bytes are counted afresh with each ACK: what was lost with one, the next one tells. Only
    # when an ACK was lost twice over, they are given up: it might be the option's fault (§3.2.3.2.2).
    if not there["accecn_fail_mode"] & OPTION_FAIL_SEND:
        assert here["delivered_ce_bytes"] == there["received_ce_bytes"] & 0xFF_FFFF
    assert here["delivered_ce"] <= ours.segs_out


def test_nobody_marks_and_nothing_is_counted() -> None:
    client, _, ours, theirs = pair(random.Random(SEED), 2)
    transfer(client.scheduler, ours, theirs, 100_000)
    here = tcp_info(ours)
    assert (here["delivered_ce"], here["ca_state"], here["delivered_e0_bytes"]) == (0, 0, 100_000)
    assert tcp_info(theirs)["received_e0_bytes"] == 100_000
