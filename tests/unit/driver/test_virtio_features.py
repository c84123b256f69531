"""The driver with the features of a full device, each on and off: what it asks, what it makes of answers.

The device is the test's own (`fake_virtio`); the wire bytes of an offloaded frame are made by scapy.
"""

import itertools
import random

import pytest
from fake_virtio import (
    CSUM,
    EVENT_IDX,
    GUEST_CSUM,
    HOST_TSO4,
    INDIRECT_DESC,
    MRG_RXBUF,
    OFFLOADS,
    RING_RESET,
    FakeVirtio,
)
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy_offloads import partial, place

from pymodel.driver import VirtioNetDevice
from pymodel.driver.notify import passes
from pymodel.netdev import SOFTWARE, Features
from pymodel.regs import Feature
from pymodel.scheduler import Scheduler
from pymodel.simtime import MS, US
from pymodel.skbuff import Checksum, Page, SkBuff, alloc_skb
from pymodel.task import Task

BITS = {
    Feature.CSUM: CSUM,
    Feature.GUEST_CSUM: GUEST_CSUM,
    Feature.HOST_TSO4: HOST_TSO4,
    Feature.MRG_RXBUF: MRG_RXBUF,
    Feature.INDIRECT_DESC: INDIRECT_DESC,
    Feature.EVENT_IDX: EVENT_IDX,
    Feature.RING_RESET: RING_RESET,
}


class Host:
    """A probed driver on a device that offers everything; `got`: received payload and its checksum state."""

    def __init__(self, without: tuple[Feature, ...] = (), queue_size: int = 64, mtu: int = 1500) -> None:
        self.scheduler = Scheduler()
        self.fake = FakeVirtio(self.scheduler)
        self.fake.offered |= OFFLOADS
        self.fake.config[10:12] = mtu.to_bytes(2, "little")
        self.memory = self.fake.memory
        self.dev = VirtioNetDevice(self.fake, self.scheduler, queue_size=queue_size, without=without)
        self.got: list[tuple[bytes, Checksum]] = []
        self.dev.rx_handler = self._receive
        task = Task(self.scheduler, self.dev.probe())
        self.run()
        task.result()
        self.fake.log.clear()

    def _receive(self, skb: SkBuff) -> None:
        self.got.append((skb.bytes(), skb.ip_summed))
        skb.free()

    def run(self, ps: int = 100 * US) -> None:
        self.scheduler.run_until(self.scheduler.now + ps)

    def skb(self, data: bytes, pieces: int = 1) -> SkBuff:
        """`data` in a linear part of at least 60 bytes and `pieces` - 1 fragments."""
        linear = len(data) if pieces == 1 else min(60, len(data))
        skb = alloc_skb(self.memory, linear, 16)
        skb.put(linear)[:] = data[:linear]
        rest = data[linear:]
        step = -(-len(rest) // max(pieces - 1, 1))
        for at in range(0, len(rest), step or 1):
            part = rest[at : at + step]
            page = Page(self.memory)
            page.view(7, len(part))[:] = part
            skb.add_frag(page, 7, len(part))
            page.put()
        return skb

    def kicks(self) -> int:
        return sum(at == 0x50 for at, _ in self.fake.log)


def tcp_frame(payload: bytes) -> Ether:
    return (
        Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        / IP(src="10.0.0.1", dst="10.0.0.2", id=7)
        / TCP(sport=1, dport=2, seq=1000, flags="PA")
        / payload
    )


def for_the_device(host: Host, frame: Ether, pieces: int = 1) -> SkBuff:
    """The frame with its TCP or UDP checksum left to the device."""
    skb = host.skb(partial(frame), pieces)
    start, skb.csum_offset = place(frame)
    skb.ip_summed, skb.csum_start = Checksum.PARTIAL, skb.headroom() + start
    return skb


def wire_bytes(sent: bytes) -> bytes:
    """What a device puts on the wire for header and frame: NEEDS_CSUM carried out (§5.1.6.2)."""
    header, data = sent[:12], bytearray(sent[12:])
    if header[0] & 1:
        start, at = int.from_bytes(header[6:8], "little"), int.from_bytes(header[8:10], "little")
        padded = bytes(data[start:]) + bytes(len(data[start:]) % 2)
        total = sum(int.from_bytes(padded[i : i + 2], "big") for i in range(0, len(padded), 2))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        data[start + at : start + at + 2] = (0xFFFF - total or 0xFFFF).to_bytes(2, "big")
    return bytes(data)


# --- negotiation ------------------------------------------------------------------------------------


def test_full_device_every_offered_feature_is_accepted() -> None:
    host = Host()
    assert host.fake.accepted == host.fake.offered == host.dev.negotiated
    device = Features.SG | Features.HW_CSUM | Features.TSO | Features.TSO_ECN | Features.RXCSUM
    assert host.dev.features == device | Features.GSO | Features.GRO


@pytest.mark.parametrize("feature", BITS, ids=lambda feature: feature.name)
def test_feature_switched_off_is_not_accepted_nor_what_needs_it(feature: Feature) -> None:
    host = Host(without=(feature,))
    lacking = host.fake.offered & ~host.fake.accepted
    expected = BITS[feature]
    if feature is Feature.CSUM:
        expected |= HOST_TSO4
    if feature in (Feature.CSUM, Feature.HOST_TSO4):
        expected |= 1 << Feature.HOST_ECN
    assert lacking == expected


def test_device_without_host_ecn_is_not_asked_to_cut_what_has_cwr() -> None:
    host = Host(without=(Feature.HOST_ECN,))
    assert host.dev.features & (Features.TSO | Features.TSO_ECN) == Features.TSO


def test_device_with_tso_and_no_csum_gets_neither() -> None:
    scheduler = Scheduler()
    fake = FakeVirtio(scheduler)
    fake.offered |= HOST_TSO4
    dev = VirtioNetDevice(fake, scheduler)
    task = Task(scheduler, dev.probe())
    scheduler.run_until(100 * US)
    task.result()
    assert not fake.accepted & HOST_TSO4 and dev.features == SOFTWARE


@pytest.mark.parametrize("feature", [Feature.VERSION_1, Feature.RING_PACKED, Feature.MQ])
def test_feature_that_cannot_be_switched_off_is_refused_by_name(feature: Feature) -> None:
    with pytest.raises(ValueError, match=feature.name):
        VirtioNetDevice(FakeVirtio(Scheduler()), Scheduler(), without=(feature,))


def every_pair() -> list[tuple[Feature, ...]]:
    """Sets of features to switch off such that each two are seen on/on, on/off, off/on and off/off."""
    names = list(BITS)
    return [(), tuple(names), *((f,) for f in names), *itertools.combinations(names, 2)]


@pytest.mark.parametrize("without", every_pair(), ids=lambda w: "-".join(f.name for f in w) or "none")
def test_same_bytes_go_out_and_come_in_whatever_is_negotiated(without: tuple[Feature, ...]) -> None:
    rng = random.Random(repr(without))
    host = Host(without, queue_size=24)
    expected, frames = [], []
    for _ in range(60):
        payload = rng.randbytes(rng.randrange(1, 1400))
        frame = tcp_frame(payload)
        if rng.random() < 0.5:
            frame[TCP].options = [("Timestamp", (1, 2))]
        expected.append(bytes(Ether(bytes(frame))))
        pieces = rng.choice((1, 2, 5))
        skb = for_the_device(host, frame, pieces) if rng.random() < 0.7 else host.skb(bytes(frame), pieces)
        host.dev.xmit(skb)
        if rng.random() < 0.3:
            host.run(rng.randrange(5 * US))
        data = bytes(12) + b"\x88\xb5" + rng.randbytes(rng.randrange(46, 1500))
        if host.fake.receive(data):
            frames.append(data[14:])
        host.run(rng.randrange(3 * US))
    host.run()
    assert [wire_bytes(sent) for sent in host.fake.sent] == expected
    assert [data for data, _ in host.got] == frames and len(frames) > 50
    closing = host.dev.close()
    host.run()
    closing.result()


# --- transmit ---------------------------------------------------------------------------------------


def test_partial_checksum_becomes_needs_csum_with_the_frames_offsets() -> None:
    host = Host()
    frame = tcp_frame(b"hello!")
    host.dev.xmit(for_the_device(host, frame))
    host.run()
    (sent,) = host.fake.sent
    assert sent[:12] == bytes([1, 0, 0, 0, 0, 0, 34, 0, 16, 0, 0, 0])
    assert wire_bytes(sent) == bytes(frame)


def test_frame_to_cut_carries_gso_type_size_and_header_length() -> None:
    host = Host()
    skb = for_the_device(host, tcp_frame(bytes(9000)), pieces=4)
    skb.gso_type, skb.gso_size, skb.gso_segs = 1, 1460, 7
    host.dev.xmit(skb)
    host.run()
    (sent,) = host.fake.sent
    assert sent[:12] == bytes([1, 1, 54, 0, 1460 & 0xFF, 1460 >> 8, 34, 0, 16, 0, 0, 0])
    assert len(sent) == 12 + 54 + 9000


def test_checksum_request_outside_of_the_frame_is_dropped_as_an_error() -> None:
    host = Host()
    skb = for_the_device(host, tcp_frame(b"x" * 20))
    skb.csum_offset = 60
    assert host.dev.xmit(skb)
    host.run()
    assert not host.fake.sent and host.dev.stats.tx_errors == 1


def test_chain_of_several_buffers_takes_one_slot_with_indirect_descriptors() -> None:
    for without, slots in ((), 1), ((Feature.INDIRECT_DESC,), 5):
        host = Host(without)
        host.fake.auto = False
        host.dev.xmit(host.skb(bytes(1200), pieces=4))
        chain = host.fake.tx.fetch()
        assert chain is not None
        assert (len(chain.buffers), chain.slots) == (5, slots)
        assert host.fake.tx.read(chain) == bytes(1212)


def test_indirect_tables_are_reused_and_given_back_at_close() -> None:
    host = Host(queue_size=8)
    for n in range(40):
        host.dev.xmit(host.skb(bytes(100 + n), pieces=2))
        host.run()
    assert len(host.fake.sent) == 40
    closing = host.dev.close()
    host.run()
    closing.result()
    assert host.memory.allocated == 0


def test_host_memory_full_a_chain_goes_direct() -> None:
    host = Host(queue_size=32)
    host.fake.auto = False
    skb = host.skb(bytes(200), pieces=3)
    hoard = []
    while True:
        try:
            hoard.append(host.memory.alloc(16, 16))
        except MemoryError:
            break
    host.dev.xmit(skb)
    chain = host.fake.tx.fetch()
    assert chain is not None
    assert chain.slots == len(chain.buffers) == 4


# --- receive ----------------------------------------------------------------------------------------


def test_data_valid_marks_the_skb_as_verified_only_with_guest_csum() -> None:
    data = bytes(12) + b"\x88\xb5" + bytes(60)
    for without, state in ((), Checksum.UNNECESSARY), ((Feature.GUEST_CSUM,), Checksum.NONE):
        host = Host(without)
        host.fake.receive(data, flags=2)
        host.fake.receive(data, flags=0)
        host.run()
        assert [summed for _, summed in host.got] == [state, Checksum.NONE]


@pytest.mark.parametrize("length", [60, 4006, 4007, 4020, 8039, 9014])
def test_frame_of_several_pages_goes_up_as_one_skb(length: int) -> None:
    host = Host(mtu=9000)
    data = bytes(12) + b"\x88\xb5" + random.Random(length).randbytes(length - 14)
    for _ in range(50):
        assert host.fake.receive(data)
        host.run()
    assert [payload for payload, _ in host.got] == [data[14:]] * 50
    assert host.dev.stats.rx_bytes == 50 * length


def test_merged_frame_whose_other_buffers_are_not_there_resets_the_device() -> None:
    host = Host()
    chain = host.fake.rx.fetch()
    assert chain is not None
    host.fake.rx.write(chain, bytes(10) + b"\x02\x00" + bytes(60))
    host.fake.use(host.fake.rx, chain, 72)
    host.run(10 * MS)
    assert host.dev.driver_stats.resets == 1
    host.fake.receive(bytes(12) + b"\x88\xb5" + bytes(46))
    host.run()
    assert len(host.got) == 1, "works again"


def test_frame_given_up_by_the_device_counts_as_a_length_error() -> None:
    host = Host()
    chain = host.fake.rx.fetch()
    assert chain is not None
    host.fake.use(host.fake.rx, chain, 0)
    host.run()
    assert host.dev.stats.rx_length_errors == 1 and not host.got


# --- event suppression --------------------------------------------------------------------------------


def test_range_test_agrees_with_a_walk_over_the_ring() -> None:
    for size in (1, 2, 3, 7):
        walk = [(n % size) | (1 - n // size % 2) << 15 for n in range(4 * size)]
        for end in range(2 * size, 4 * size):
            for count in range(1, size + 1):
                for event in (*walk[: 2 * size], size, size | 1 << 15):
                    end_place = walk[end % (2 * size)]
                    assert passes(size, end_place, count, event) == (event in walk[end - count : end])


def test_kick_is_written_only_when_the_named_slot_is_passed() -> None:
    host = Host(queue_size=8)
    host.fake.auto = False
    tx = host.fake.tx
    for ahead in (0, 2, 5, 1, 3, 0, 4):
        named = [(tx.avail_at + n) % 8 for n in range(ahead + 1)]
        wrap = tx.avail_wrap ^ (tx.avail_at + ahead >= 8)
        tx.want_notifications(True, named[-1] | wrap << 15)
        for n in range(ahead + 2):
            host.fake.log.clear()
            host.dev.xmit(host.skb(bytes(60)))
            host.run()
            assert host.kicks() == (n == ahead), f"{ahead} slots ahead, after {n + 1} frames"
        while (chain := tx.fetch()) is not None:
            tx.use(chain, 0)


def test_full_ring_waits_for_three_quarters_with_event_idx() -> None:
    host = Host(queue_size=16)
    host.fake.auto = False
    for _ in range(30):
        host.dev.xmit(host.skb(bytes(60)))
    host.run()
    chains = [chain for _ in range(16) if (chain := host.fake.tx.fetch()) is not None]
    assert len(chains) == 16
    for n, chain in enumerate(chains, 1):
        host.fake.use(host.fake.tx, chain, 0)
        assert bool(host.fake.interrupt_status) == (n == 13), f"{n} used"
        if host.fake.interrupt_status:
            break
    host.run()
    assert host.dev.queued < 14


# --- ring reset ---------------------------------------------------------------------------------------


def test_resize_gives_both_rings_a_new_size_and_traffic_goes_on() -> None:
    host = Host()
    task = host.dev.resize(rx=5, tx=7)
    host.dev.xmit(host.skb(bytes(60)))
    host.run()
    task.result()
    assert (host.fake.rx.size, host.fake.tx.size) == (5, 7)
    assert len(host.fake.sent) == 1, "sent while the ring was being changed"
    for _ in range(30):
        assert host.fake.receive(bytes(12) + b"\x88\xb5" + bytes(46))
        host.dev.xmit(host.skb(bytes(60)))
        host.run()
    assert len(host.got) == 30 and len(host.fake.sent) == 31
    assert host.dev.driver_stats.resets == 0


def test_resize_without_the_feature_or_to_nothing_is_refused() -> None:
    with pytest.raises(RuntimeError, match="RING_RESET"):
        Host((Feature.RING_RESET,)).dev.resize(rx=8)
    with pytest.raises(ValueError, match="0 descriptors"):
        Host().dev.resize(tx=0)


def test_queue_reset_that_never_ends_makes_the_driver_reset_the_device() -> None:
    host = Host()
    host.fake.queue_reset_finishes = False
    host.dev.resize(rx=8)
    host.run(150 * MS)
    assert host.dev.driver_stats.resets == 1
    host.fake.receive(bytes(12) + b"\x88\xb5" + bytes(46))
    host.run()
    assert len(host.got) == 1


def test_device_closed_while_it_is_resized_ends_both() -> None:
    host = Host()
    resizing = host.dev.resize(rx=8, tx=8)
    closing = host.dev.close()
    host.run()
    resizing.result()
    closing.result()
    assert host.fake.status == 0
