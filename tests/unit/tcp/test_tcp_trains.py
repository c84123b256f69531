"""Trains on the retransmission queue: whatever is acknowledged, it is that of single segments."""

import os
import random

import pytest
from tcp_bench import MOD, Bench, check, established

from pymodel.skbuff import SkBuff
from pymodel.tcp import segment

SEED = int(os.environ.get("FDWIRE_SEED", "20261126"))
MSS = 1460
SACK = [("MSS", MSS), ("NOP", None), ("NOP", None), ("SAckOK", b"")]


class Trains(Bench):
    """Below it super-segments are cut."""

    def gso_max_segs(self, dst: bytes) -> int:
        return 64

    def send(self, skb: SkBuff, proto: int, src: bytes, dst: bytes, **more: object) -> int:
        skb.gso_size = 0
        return super().send(skb, proto, src, dst, **more)


def queue(bench: Bench) -> list[tuple[int, ...]]:
    """Every segment of the queue, counted from our ISS."""
    return [
        ((each.seq - bench.iss) % MOD, (each.end - bench.iss) % MOD, each.count, each.flags, each.marks,
         each.order, each.sent_at, each.delivered, each.delivered_at,
         each.first_sent_at, each.app_limited, each.closes)
        for each in bench.conn.sent
    ]  # fmt: skip


def counts(bench: Bench) -> tuple[int, ...]:
    conn = bench.conn
    return (
        conn.packets_out, conn.sacked_out, conn.lost_out, conn.retrans_out, conn.delivered, conn.trains_out,
        conn.cc.cwnd, conn.rtt.srtt, conn.transmissions, conn.snd_una - conn.iss,
    )  # fmt: skip


def both(monkeypatch: pytest.MonkeyPatch) -> tuple[Bench, Bench]:
    single = established(options=SACK, window=60_000)
    monkeypatch.setattr("tcp_bench.Bench", Trains)
    return single, established(options=SACK, window=60_000)


@pytest.mark.parametrize("round_number", range(10))
def test_random_acknowledgements_leave_the_same_queue(
    round_number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    print("seed", SEED)
    rng = random.Random(SEED + round_number)
    benches = both(monkeypatch)
    assert type(benches[1]) is Trains
    for _ in range(30):
        size, gap = rng.randint(1, 12_000), rng.randrange(1, 10**8)
        flight = (benches[0].conn.snd_nxt - benches[0].conn.snd_una) % MOD
        una = (benches[0].conn.snd_una - benches[0].iss) % MOD
        ack = una + rng.choice([0, flight, min(MSS, flight), rng.randint(0, flight)])
        options = []
        if rng.random() < 0.15 and flight > 3 * MSS:
            left = benches[0].iss + una + MSS * rng.randint(1, 2)
            options = [("NOP", None), ("NOP", None), ("SAck", (left % MOD, (left + MSS) % MOD))]
            ack = una
        look = rng.random() < 0.2
        for bench in benches:
            bench.conn.send(bytes(size))
            bench.run(gap)
            bench.peer("A", ack=ack, options=options)
            bench.out.clear()
            if look:
                check(bench.conn)
        assert counts(benches[0]) == counts(benches[1])
        if look:
            assert queue(benches[0]) == queue(benches[1])
    assert queue(benches[0]) == queue(benches[1])


def test_train_is_one_entry_until_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    _, bench = both(monkeypatch)
    bench.conn.send(bytes(5 * MSS))
    assert [(train.count, train.mss) for train in bench.conn.trains] == [(5, MSS)]
    assert [len(seg.payload) for seg in bench.out] == [5 * MSS]
    bench.peer("A", ack=1 + 2 * MSS)
    assert [train.count for train in bench.conn.trains] == [3] and not bench.conn.settled
    assert bench.conn.packets_out == 3
    assert [each.payload for each in bench.conn.sent] == [MSS] * 3 and not bench.conn.trains


@pytest.mark.parametrize(
    ("ack", "cut"),
    [(0, False), (1, True), (MSS, False), (MSS + 1, True), (2 * MSS + 9, True), (2 * MSS + 10, False)],
)
def test_acknowledgement_within_a_segment_is_told_from_one_between(
    ack: int, cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, bench = both(monkeypatch)
    bench.conn.send(bytes(2 * MSS + 10))
    assert segment.cut_by(bench.conn, (bench.conn.snd_una + ack) % MOD) is cut
