"""CUBIC against a plain transcription of RFC 9438's formulas in floating point, segments and seconds.

Ours counts whole segments and looks at its curve now and then, so the two may differ by a few segments.
"""

import itertools
import math
import os
import random
from dataclasses import replace

import pytest
from tcp_bench import LPORT, RPORT, THERE, Bench, established, listening, syn_sent

from pymodel.simtime import MS, SEC
from pymodel.tcp import LINUX, State
from pymodel.tcp.cubic import Cubic, cube_root
from pymodel.tcp.tcb import Recovery

SEED = int(os.environ.get("FDWIRE_SEED", "1"))
FULL = 1460


class Rfc9438:
    """The equations as the RFC prints them. `cwnd` in segments, times in seconds."""

    C, BETA = 0.4, 0.7

    def __init__(self, cwnd: float) -> None:
        self.cwnd, self.ssthresh = cwnd, float("inf")
        self.w_max: float | None = None
        self.t_epoch: float | None = None

    def epoch(self, now: float) -> None:
        self.t_epoch = now
        self.w_est = self.cwnd
        if self.w_max is None:  # §4.8, §4.10
            self.w_max, self.k = self.cwnd, 0.0
        else:
            self.k = ((self.w_max - self.cwnd) / self.C) ** (1 / 3)

    def w_cubic(self, t: float) -> float:
        assert self.w_max is not None
        return self.C * (t - self.k) ** 3 + self.w_max

    def ack(self, segments: float, now: float, rtt: float) -> None:
        if self.cwnd < self.ssthresh:
            room = self.ssthresh - self.cwnd
            self.cwnd += min(segments, room)
            segments -= min(segments, room)
            self.t_epoch = None
            if not segments:
                return
        if self.t_epoch is None:
            self.epoch(now)
        assert self.t_epoch is not None
        # §4.3 would have it 1 once W_est has come to cwnd_prior; Linux leaves it (tcp_cubic.c), and so do we.
        alpha = 3 * (1 - self.BETA) / (1 + self.BETA)
        self.w_est += alpha * segments / self.cwnd
        t = now - self.t_epoch
        if self.w_cubic(t) < self.w_est:
            self.cwnd = max(self.cwnd, self.w_est)
            return
        target = self.w_cubic(t + rtt)
        if target < self.cwnd:
            target = self.cwnd
        if target > 1.5 * self.cwnd:
            target = 1.5 * self.cwnd
        self.cwnd += segments * (target - self.cwnd) / self.cwnd

    def loss(self) -> None:
        if self.w_max is not None and self.cwnd < self.w_max:
            self.w_max = self.cwnd * (1 + self.BETA) / 2
        else:
            self.w_max = self.cwnd
        self.ssthresh = self.cwnd = max(self.cwnd * self.BETA, 2.0)

    def timeout(self) -> None:
        self.ssthresh = max(self.cwnd * self.BETA, 2.0)
        self.cwnd, self.w_max, self.t_epoch = 1.0, None, None


class Path:
    """A sender that always has data on a path of constant `rtt`; each ACK is for `per_ack` segments.

    Both implementations see the same ACKs, and must agree after each, but for the rounding to bytes.
    """

    def __init__(self, segments: int, rtt: int, per_ack: int = 1) -> None:
        self.now, self.rtt, self.per_ack = 1000 * SEC, rtt, per_ack
        self.cc = Cubic(segments, None)
        self.cc.hystart.enabled = False
        self.cc.on_rtt(rtt, self.now, 0, 0, 1)
        self.rfc = Rfc9438(segments)
        self.slack = 2.5

    @property
    def window(self) -> float:
        return self.cc.cwnd

    def run(self, duration: int) -> None:
        end = self.now + duration
        while self.now < end:
            self.now += int(self.rtt * self.per_ack / self.window)
            self.cc.on_ack(self.per_ack, self.now, self.rtt, True)
            self.rfc.ack(self.per_ack, self.now / SEC, self.rtt / SEC)
            assert self.window == pytest.approx(self.rfc.cwnd, rel=0.2, abs=self.slack)

    def loss(self) -> None:
        """Fast recovery of one RTT; the lost window was full."""
        self.rfc.cwnd = self.window
        self.cc.ssthresh = self.cc.cwnd = self.cc.ssthresh_after_loss()
        self.cc.reset_count()
        self.rfc.loss()
        self.now += self.rtt
        self.rfc.epoch(self.now / SEC)

    def timeout(self) -> None:
        self.cc.ssthresh = self.cc.ssthresh_after_loss()
        self.cc.cwnd = 1
        self.cc.on_timeout()
        self.slack = 1e9  # with no W_max known, Linux grows by 5 % per round trip at least
        self.cc.on_rtt(self.rtt, self.now, 0, 0, 1)
        self.rfc.timeout()
        self.now += SEC

    def sample(self, count: int, step: int) -> list[float]:
        windows = [self.window]
        for _ in range(count):
            self.run(step)
            windows.append(self.window)
        return windows


def steps(windows: list[float]) -> list[float]:
    return [b - a for a, b in itertools.pairwise(windows)]


# --- the curve ----------


@pytest.mark.parametrize("per_ack", [1, 2])
def test_window_after_a_loss_is_concave_up_to_w_max_flat_there_and_convex_beyond(per_ack: int) -> None:
    path = Path(200, 100 * MS, per_ack)
    path.loss()
    k = (200 * 0.3 / 0.4) ** (1 / 3)  # 5.3 s
    assert path.window == pytest.approx(140)
    windows = path.sample(11, SEC)
    for second, window in enumerate(windows[1:], 1):
        assert window == pytest.approx(200 + 0.4 * (second - k) ** 3, abs=2.5)
    growth = steps(windows)
    assert growth[:5] == sorted(growth[:5], reverse=True) and growth[0] > 20  # concave
    assert growth[5] <= 2  # plateau
    assert growth[6:] == sorted(growth[6:]) and growth[10] > 20  # convex
    assert abs(windows[5] - 200) < 2


def test_window_of_a_large_path_keeps_growth_below_a_byte_per_ack() -> None:
    path = Path(5000, 50 * MS, 40)
    path.loss()
    path.run(16 * SEC)  # K is 15.5 s
    assert path.window == pytest.approx(5000, rel=1e-3)


def test_window_far_below_the_curve_grows_by_half_a_segment_per_segment_at_most() -> None:
    path = Path(100, 10 * SEC)
    path.loss()
    path.run(8 * SEC)  # the curve says 178 for the end of the first round trip
    assert path.window == pytest.approx(70 * math.exp(0.5 * 0.8), rel=0.01)


def test_window_at_a_small_bandwidth_delay_product_follows_reno() -> None:
    path = Path(20, 10 * MS)
    path.loss()
    assert path.window == pytest.approx(14)
    windows = path.sample(11, 10 * MS)
    # alpha = 9/17 of a segment per round trip, where the cubic function alone gives 0.07 in the first.
    assert windows[-1] - windows[0] == pytest.approx(11 * 9 / 17, abs=2)


# --- losses ----------


def test_second_loss_below_w_max_aims_lower_by_fast_convergence() -> None:
    path = Path(200, 100 * MS)
    path.loss()
    path.run(2 * SEC)
    second = path.window
    assert 140 < second < 195
    path.loss()
    assert path.window == int(0.7 * second)
    k = (0.15 * second / 0.4) ** (1 / 3)
    path.run(int(k * SEC))
    assert path.window == pytest.approx(0.85 * second, abs=2)
    path.run(SEC)
    assert path.window < 0.85 * second + 4  # the new plateau, not a way through to the old one


def test_second_loss_above_w_max_takes_that_window_as_the_new_w_max() -> None:
    path = Path(200, 100 * MS)
    path.loss()
    path.run(9 * SEC)
    second = path.window
    assert second > 210
    path.loss()
    path.run(int((0.3 * second / 0.4) ** (1 / 3) * SEC))
    assert path.window == pytest.approx(second, abs=3)


def test_sequence_of_random_losses_follows_the_rfc() -> None:
    print(f"FDWIRE_SEED={SEED}")
    rng = random.Random(SEED)
    path = Path(100, 40 * MS)
    for _ in range(8):
        path.loss()
        path.run(rng.randrange(100, 4000) * MS)


def test_loss_in_a_tiny_window_leaves_two_segments() -> None:
    assert Cubic(2, None).ssthresh_after_loss() == 2


def test_time_out_slow_starts_to_beta_of_the_window_and_is_convex_from_there() -> None:
    path = Path(200, 100 * MS)
    path.loss()
    path.run(6 * SEC)
    before = path.window
    path.timeout()
    assert path.cc.cwnd == 1 and path.cc.ssthresh == pytest.approx(0.7 * before, abs=1)
    while path.window < path.cc.ssthresh:
        path.run(1)
    # The Reno-friendly line first, then the cubic function with K = 0.
    start = path.window
    path.run(8 * SEC)
    assert path.window > start + 0.8 * 0.4 * 8**3


# --- time that does not count ----------


@pytest.mark.parametrize("idle", [150 * MS, 20 * SEC])
def test_idle_time_is_not_on_the_curve(idle: int) -> None:
    busy, paused = Path(200, 100 * MS), Path(200, 100 * MS)
    for path in (busy, paused):
        path.loss()
        path.run(2 * SEC)
    paused.now += idle
    paused.cc.on_idle_end(idle)
    for path in (busy, paused):
        for _ in range(100):
            path.now += MS
            path.cc.on_ack(1, path.now, 100 * MS, True)
    assert busy.cc.cwnd == paused.cc.cwnd


def test_application_limited_time_neither_grows_the_window_nor_moves_the_curve() -> None:
    busy, limited = Path(200, 100 * MS), Path(200, 100 * MS)
    for path in (busy, limited):
        path.loss()
        path.run(2 * SEC)
    before = limited.cc.cwnd
    for _ in range(100):
        limited.now += 100 * MS
        limited.cc.on_ack(1, limited.now, 100 * MS, False)
    assert limited.cc.cwnd == before
    for path in (busy, limited):
        for _ in range(100):
            path.now += MS
            path.cc.on_ack(1, path.now, 100 * MS, True)
    assert busy.cc.cwnd == limited.cc.cwnd


# --- HyStart ----------


def slow_start(rtts: list[int], spacing: int) -> Cubic:
    """One round of ACKs per RTT, each `spacing` apart."""
    cc = Cubic(20, None)
    now, seq = SEC, 1000
    for rtt in rtts:
        end = seq + 100_000
        for _ in range(20):
            seq += 1000
            now += spacing
            cc.on_rtt(rtt, now, seq, end, 1)
            cc.on_ack(1, now, rtt, True)
        seq = end + 1
        now += rtt
    return cc


def test_slow_start_on_a_steady_path_goes_on() -> None:
    assert slow_start([100 * MS] * 5, 10 * 1_000_000).ssthresh > 1 << 20


def test_slow_start_ends_when_the_round_trip_has_grown_by_an_eighth() -> None:
    cc = slow_start([100 * MS, 100 * MS, 113 * MS], 10 * 1_000_000)
    assert cc.ssthresh < 100


def test_slow_start_ends_when_acks_come_in_a_train_half_as_long_as_the_round_trip() -> None:
    assert slow_start([30 * MS] * 2, MS).ssthresh < 100


def test_small_window_concludes_nothing_from_delay() -> None:
    cc = Cubic(4, None)
    for n in range(100):
        cc.on_rtt((100 + 10 * n) * MS, SEC + n * MS, n * 1000, n * 1000 + 4000, 1)
    assert cc.ssthresh > 1 << 20


# --- in a connection ----------


def dup(bench: Bench, at: int) -> None:
    bench.peer("A", ack=1 + at * FULL)


def test_linux_connection_that_loses_a_segment_keeps_seven_tenths() -> None:
    bench = established()
    assert bench.conn.cc.name == "cubic"
    bench.conn.send(bytes(10 * FULL))
    for _ in range(3):
        dup(bench, 0)
    assert bench.conn.recovery is Recovery.RECOVERY
    assert bench.conn.cc.cwnd == bench.conn.cc.ssthresh == 7
    dup(bench, 10)
    bench.conn.send(b"x")
    bench.peer("A")
    assert bench.conn.recovery is Recovery.OPEN and bench.conn.cc.cwnd == 7


def test_linux_connection_that_times_out_slow_starts_to_seven_tenths() -> None:
    bench = established()
    bench.conn.send(bytes(10 * FULL))
    bench.run(250 * MS)
    assert (bench.conn.cc.cwnd, bench.conn.cc.ssthresh) == (1, 7)


def test_connection_with_pauses_shorter_than_an_rto_reports_them_to_the_curve() -> None:
    bench = established()
    at = 0

    def burst(pause: int) -> None:
        nonlocal at
        size = bench.conn.cc.cwnd
        bench.run(pause)
        bench.conn.send(bytes(size * FULL))
        for _ in range(size):
            at += 1
            dup(bench, at)
        bench.out.clear()

    bench.conn.cc.ssthresh = bench.conn.cc.cwnd
    for _ in range(40):
        burst(190 * MS)
    assert bench.conn.flight == 0
    # 7.6 s on the curve would be 175 segments; at an RTT of nothing only the bursts themselves count.
    assert bench.conn.cc.cwnd < 60


def test_profile_names_the_congestion_control_of_both_kinds_of_open() -> None:
    reno = replace(LINUX, congestion="reno")
    assert established(profile=reno).conn.cc.name == "reno"
    bench = listening(profile=reno)
    bench.peer("S")
    assert bench.tcp.connections[(b"\x0a\0\0\1", 80, THERE, 50000)].cc.name == "reno"
    with pytest.raises(ValueError, match=r"'vegas'; there are cubic, reno"):
        syn_sent(profile=replace(LINUX, congestion="vegas"))


def test_choice_before_the_handshake_outlives_it() -> None:
    bench = syn_sent()
    bench.conn.set_congestion("reno")
    bench.peer("SA")
    assert bench.conn.state is State.ESTABLISHED and bench.conn.cc.name == "reno"
    assert (bench.conn.sport, bench.conn.dport) == (LPORT, RPORT)


def test_choice_in_mid_connection_keeps_the_windows() -> None:
    bench = established()
    bench.conn.cc.cwnd, bench.conn.cc.ssthresh = 33, 44
    bench.conn.set_congestion("reno")
    assert (bench.conn.cc.name, bench.conn.cc.cwnd, bench.conn.cc.ssthresh) == ("reno", 33, 44)
    with pytest.raises(ValueError, match="bbr"):
        bench.conn.set_congestion("bbr")


def test_cube_root_is_exact_at_and_around_every_cube() -> None:
    print(f"FDWIRE_SEED={SEED}")
    rng = random.Random(SEED)
    roots = [0, 1, 2, 3, *(rng.randrange(1 << bits) for bits in range(2, 70))]
    for root in roots:
        assert cube_root(root**3) == root
        assert cube_root(root**3 + 3 * root * root + 3 * root) == root  # one short of the next cube
