"""Conformance: the project's own driver over the NIC under test, frame by frame."""

import random
from collections.abc import Collection, Mapping

from bench import MAC, MTU, SETTLE, Bench, finish, on_wire, random_frame, until

from pymodel.driver import VirtioNetDevice, probe
from pymodel.featurebits import complete
from pymodel.netdev import Features
from pymodel.regs import Feature, Stat
from pymodel.simtime import NS, US
from pymodel.skbuff import Page, SkBuff, alloc_skb
from tb.covering import pairwise

OPTIONAL = sorted(probe.FEATURES - {Feature.VERSION_1, Feature.RING_PACKED})


class _Host:
    """A probed device whose received frames (Ethernet header included) are collected in `got`."""

    def __init__(
        self,
        bench: Bench,
        queue_size: int = 256,
        *,
        napi_tx: bool = False,
        without: Collection[Feature] = (),
    ) -> None:
        self.bench = bench
        self.rng = random.Random(bench.seed)
        self.before = bench.memory.allocated
        self.dev = VirtioNetDevice(
            bench.port, bench.scheduler, "eth0", queue_size, napi_tx=napi_tx, without=without
        )
        self.dev.rx_handler = self._receive
        self.got: list[bytes] = []

    def _receive(self, skb: SkBuff) -> None:
        skb.push(14)
        self.got.append(skb.bytes())
        skb.free()

    async def probe(self) -> None:
        await finish(self.bench, self.dev.probe(), "probe")
        assert self.dev.carrier

    async def close(self) -> None:
        """Close; nothing of the driver's memory may remain."""
        await finish(self.bench, self.dev.close().join(), "close")
        assert self.bench.memory.allocated == self.before

    def skb(self, frame: bytes, headroom: int | None = None) -> SkBuff:
        room = self.rng.randrange(64) if headroom is None else headroom
        skb = alloc_skb(self.bench.memory, len(frame), room)
        skb.put(len(frame))[:] = frame
        return skb

    def send(self, frame: bytes) -> None:
        assert self.dev.xmit(self.skb(frame))

    async def exchange(self, count: int, *, shortest: int = 60, longest: int = 1514, spread: int = 2) -> None:
        """`count` random frames each way at once, `spread` µs apart on average; all must arrive, in order."""
        rng, bench = self.rng, self.bench
        sent_before, got_before = len(bench.sent), len(self.got)
        out = [random_frame(rng, rng.randint(14, longest)) for _ in range(count)]
        into = [random_frame(rng, rng.randint(shortest, longest)) for _ in range(count)]
        for frame_out, frame_in in zip(out, into, strict=True):
            self.send(frame_out)
            await bench.wire_send(frame_in)
            await bench.run_for(rng.randrange(1, 2 * spread * US))
        await until(bench, lambda: len(bench.sent) - sent_before >= count, "all frames out")
        await until(bench, lambda: len(self.got) - got_before >= count, "all frames in")
        assert [frame.data for frame in bench.sent[sent_before:]] == [on_wire(frame) for frame in out]
        assert self.got[got_before:] == into


async def driver_probe_reads_mac_mtu_and_link(bench: Bench) -> None:
    host = _Host(bench)
    await host.probe()
    assert (host.dev.mac, host.dev.mtu, host.dev.carrier) == (MAC, MTU, True)
    await host.close()


async def driver_exchanges_random_frames_both_ways(bench: Bench) -> None:
    host = _Host(bench)
    await host.probe()
    await host.exchange(120)
    await host.close()


async def driver_with_transmit_interrupts_exchanges_frames_and_frees_each(bench: Bench) -> None:
    host = _Host(bench, napi_tx=True)
    await host.probe()
    freed: list[SkBuff] = []
    for count in range(1, 11):
        skb = host.skb(random_frame(host.rng, 200))
        skb.destructor = freed.append
        assert host.dev.xmit(skb)
        assert len(freed) < count, "freed when the device has read it, not before"
        await until(bench, lambda count=count: len(freed) == count, "the sent skb to be freed")
    await host.exchange(60)
    await until(bench, lambda: host.dev.stats.tx_packets == 70, "every frame to be reclaimed")
    await host.close()


async def driver_exchanges_frames_over_rings_of_odd_sizes(bench: Bench) -> None:
    for size in (2, 3, 7, 31):
        host = _Host(bench, size)
        await host.probe()
        # Slow enough for the smallest receive ring and the FIFO behind it.
        await host.exchange(4 * size + 10, longest=400, spread=3)
        await host.close()


async def driver_exchanges_frames_over_rings_of_one_descriptor(bench: Bench) -> None:
    host = _Host(bench, 1)
    await host.probe()
    await host.exchange(12, longest=400, spread=5)
    await host.close()


async def driver_exchanges_frames_with_every_pair_of_features_on_and_off(bench: Bench) -> None:
    def chosen(on: Mapping[Feature, bool]) -> set[Feature]:
        return {feature for feature in OPTIONAL if on[feature]}

    for on in pairwise(OPTIONAL, lambda on: complete(chosen(on)) == chosen(on)):
        host = _Host(bench, 32, without=[feature for feature in OPTIONAL if not on[feature]])
        await host.probe()
        assert chosen(on) == {feature for feature in OPTIONAL if host.dev.negotiated >> feature & 1}
        await host.exchange(12)
        await host.close()


async def driver_burst_larger_than_the_ring_waits_and_is_sent_whole(bench: Bench) -> None:
    host = _Host(bench, 8)
    await host.probe()
    frames = [random_frame(host.rng, host.rng.randint(60, 300)) for _ in range(100)]
    for frame in frames:
        host.send(frame)
    assert host.dev.queued > 80
    await until(bench, lambda: len(bench.sent) >= 100, "the whole burst")
    assert [frame.data for frame in bench.sent] == [on_wire(frame) for frame in frames]
    assert host.dev.queued == 0
    await host.close()


async def driver_under_a_burst_at_line_rate_accounts_for_every_frame(bench: Bench) -> None:
    host = _Host(bench, 32)
    await host.probe()
    frames = [random_frame(host.rng, host.rng.randint(60, 120)) for _ in range(300)]
    for frame in frames:
        await bench.wire_send(frame)
    await bench.run_for(300 * 150 * NS + 4 * SETTLE)
    total = 0
    for offset in (Stat.RX_FRAMES, Stat.RX_OVERFLOW):
        values: list[int] = []
        bench.port.read(offset, 4, values.append)
        await until(bench, lambda values=values: bool(values), "a statistics read")
        if offset == Stat.RX_FRAMES:
            assert values[0] == len(host.got)
        total += values[0]
    assert total == 300
    order = iter(frames)
    assert all(frame in order for frame in host.got), "in order, none altered"
    await host.exchange(10)
    await host.close()


async def driver_sends_frames_in_fragments(bench: Bench) -> None:
    host = _Host(bench, 64)
    await host.probe()
    host.dev.features |= Features.SG
    rng = host.rng
    for pieces in (1, 2, 5, 17):
        head = random_frame(rng, 60)
        skb = host.skb(head)
        for _ in range(pieces):
            data = rng.randbytes(rng.randint(1, 80))
            page = Page(bench.memory)
            at = rng.randrange(4000)
            page.view(at, len(data))[:] = data
            skb.add_frag(page, at, len(data))
            page.put()
            head += data
        before = len(bench.sent)
        assert host.dev.xmit(skb)
        await until(bench, lambda before=before: len(bench.sent) > before, "the frame")
        assert bench.sent[-1].data == on_wire(head)
    await host.close()


async def driver_follows_the_link(bench: Bench) -> None:
    host = _Host(bench)
    await host.probe()
    changes: list[bool] = []
    host.dev.on_carrier = changes.append
    for up in (False, True, False, True):
        bench.set_link(up)
        await until(bench, lambda up=up: host.dev.carrier == up, "the carrier to follow")
    assert changes == [False, True, False, True]
    await host.exchange(5)
    await host.close()


async def driver_recovers_when_the_device_needs_reset(bench: Bench) -> None:
    host = _Host(bench)
    await host.probe()
    await host.exchange(5)
    for round_ in range(3):
        host.dev.features |= Features.SG  # which a device without CSUM does not get by itself
        skb = host.skb(random_frame(host.rng, 60))
        page = Page(bench.memory)
        skb.add_frag(page, 0, 100)
        # The bus has nothing there: what a wrong mapping looks like to the device.
        real, page.address = page.address, 0xDEAD_0000_0000
        assert host.dev.xmit(skb)
        await until(
            bench,
            lambda round_=round_: host.dev.driver_stats.resets == round_ + 1,
            "the driver to notice",
        )
        page.address = real
        page.put()
        waits = random_frame(host.rng, 100)
        host.send(waits)
        await until(
            bench,
            lambda waits=waits: bool(bench.sent) and bench.sent[-1].data == on_wire(waits),
            "the frame that was sent during recovery",
        )
        await host.exchange(5)
    assert host.dev.error is None
    assert host.dev.stats.tx_errors >= 3
    await host.close()


async def driver_closed_in_traffic_gives_everything_back_and_probes_again(bench: Bench) -> None:
    for _ in range(4):
        host = _Host(bench, 16)
        await host.probe()
        for _ in range(40):
            host.send(random_frame(host.rng, 1514))
            await bench.wire_send(random_frame(host.rng, 300))
        await bench.run_for(host.rng.randrange(1, 6_000) * NS)
        await host.close()
        await bench.run_for(2 * SETTLE)
        bench.sent.clear()
        again = _Host(bench, 16)
        await again.probe()
        await again.exchange(5)
        await again.close()


CASES = (
    driver_probe_reads_mac_mtu_and_link,
    driver_exchanges_random_frames_both_ways,
    driver_with_transmit_interrupts_exchanges_frames_and_frees_each,
    driver_exchanges_frames_over_rings_of_odd_sizes,
    driver_exchanges_frames_over_rings_of_one_descriptor,
    driver_exchanges_frames_with_every_pair_of_features_on_and_off,
    driver_burst_larger_than_the_ring_waits_and_is_sent_whole,
    driver_under_a_burst_at_line_rate_accounts_for_every_frame,
    driver_sends_frames_in_fragments,
    driver_follows_the_link,
    driver_recovers_when_the_device_needs_reset,
    driver_closed_in_traffic_gives_everything_back_and_probes_again,
)
