"""`NetDevice`: the transmit queue in front of a driver, the receive path behind it, software fallbacks."""

import errno

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy_offloads import partial

from pymodel.gso import GSO_TCP_ECN, GSO_TCPV4, checksum_help
from pymodel.hostmem import HostMemory
from pymodel.netdev import Features, NetDevice
from pymodel.skbuff import Checksum, Page, SkBuff, alloc_skb


class FakeDriver(NetDevice):
    """Takes `room` frames, then is busy until `drain`."""

    def __init__(self, room: int) -> None:
        super().__init__("fake0", b"\x02\0\0\0\0\7")
        self.room = room
        self.taken: list[SkBuff] = []

    def start_xmit(self, skb: SkBuff) -> bool:
        if not self.room:
            return False
        self.room -= 1
        self.taken.append(skb)
        if not self.room:
            self.stop_queue()
        return True

    def drain(self, room: int) -> None:
        self.room = room
        self.wake_queue()


@pytest.fixture
def memory() -> HostMemory:
    return HostMemory(1 << 20)


def frame(memory: HostMemory, data: bytes) -> SkBuff:
    skb = alloc_skb(memory, len(data), 16)
    skb.put(len(data))[:] = data
    return skb


def payloads(device: FakeDriver) -> list[bytes]:
    return [skb.bytes() for skb in device.taken]


def test_stopped_queue_holds_frames_and_wake_sends_them_in_order(memory: HostMemory) -> None:
    device = FakeDriver(2)
    for n in range(5):
        assert device.xmit(frame(memory, bytes([n])))
    assert (payloads(device), device.queued) == ([b"\0", b"\1"], 3)
    device.drain(2)
    assert (payloads(device)[2:], device.queued, device.queue_stopped) == ([b"\2", b"\3"], 1, True)
    device.drain(9)
    assert (len(device.taken), device.queued, device.queue_stopped) == (5, 0, False)


def test_busy_driver_that_did_not_stop_the_queue_loses_no_frame(memory: HostMemory) -> None:
    device = FakeDriver(0)
    assert device.xmit(frame(memory, b"a"))
    assert device.queue_stopped
    device.xmit(frame(memory, b"b"))
    device.drain(0)
    assert (device.queued, device.queue_stopped) == (2, True)
    device.drain(5)
    assert payloads(device) == [b"a", b"b"]


def test_full_queue_drops_the_new_frame_counts_it_and_frees_it(memory: HostMemory) -> None:
    device = FakeDriver(0)
    for _ in range(1000):
        assert device.xmit(frame(memory, b"x"))
    held = memory.allocated
    assert not device.xmit(frame(memory, b"y"))
    assert (device.stats.tx_dropped, device.queued, memory.allocated) == (1, 1000, held)


def test_frame_sent_from_inside_a_wake_waits_its_turn(memory: HostMemory) -> None:
    class Echo(FakeDriver):
        depth = 0

        def start_xmit(self, skb: SkBuff) -> bool:
            self.depth += 1
            assert self.depth == 1, "the driver is not entered twice"
            taken = super().start_xmit(skb)
            if taken and len(skb) == 1:
                self.xmit(frame(memory, b"echo" + skb.bytes()))
            self.depth -= 1
            return taken

    device = Echo(0)
    for data in (b"1", b"2"):
        device.xmit(frame(memory, data))
    device.drain(9)
    assert payloads(device) == [b"1", b"2", b"echo1", b"echo2"]


def test_no_carrier_drops_new_frames_and_losing_it_drops_waiting_ones(memory: HostMemory) -> None:
    device = FakeDriver(0)
    changes: list[bool] = []
    device.on_carrier = changes.append
    device.xmit(frame(memory, b"waits"))
    device.set_carrier(False)
    device.set_carrier(False)
    assert not device.xmit(frame(memory, b"new"))
    assert (device.stats.tx_dropped, device.queued, memory.allocated, changes) == (2, 0, 0, [False])


def test_fragments_are_joined_for_a_device_without_sg_and_kept_for_one_with(memory: HostMemory) -> None:
    device = FakeDriver(2)
    for features in (Features.NONE, Features.SG):
        device.features = features
        skb = frame(memory, b"ab")
        page = Page(memory)
        page.view(0, 2)[:] = b"cd"
        skb.add_frag(page, 0, 2)
        device.xmit(skb)
    assert payloads(device) == [b"abcd", b"abcd"]
    assert [len(skb.segments()) for skb in device.taken] == [1, 2]


def test_partial_checksum_is_filled_in_as_scapy_computes_it(memory: HostMemory) -> None:
    packet = Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=2) / b"odd"
    good = bytes(Ether(bytes(packet)))
    skb = frame(memory, partial(packet))
    skb.ip_summed = Checksum.PARTIAL
    skb.csum_start = skb.headroom() + 34
    skb.csum_offset = 6
    device = FakeDriver(1)
    shared = skb.clone()
    device.xmit(skb)
    assert payloads(device) == [good]
    assert shared.bytes() != good, "a clone must not see the change"


def test_checksum_field_outside_the_frame_is_refused(memory: HostMemory) -> None:
    skb = frame(memory, bytes(20))
    skb.ip_summed = Checksum.PARTIAL
    skb.csum_start = skb.headroom() + 18
    skb.csum_offset = 1
    with pytest.raises(ValueError, match="csum_start 18, csum_offset 1 in a frame of 20"):
        checksum_help(skb)


# --- offloads ---------------------------------------------------------------------------------------


def super_segment(memory: HostMemory, flags: str = "A", mss: int = 100, size: int = 250) -> SkBuff:
    """A frame of `size` bytes of payload, to be cut; without scapy's sums in it."""
    packet = (
        Ether(dst="02:00:00:00:00:02") / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(flags=flags) / bytes(size)
    )
    skb = frame(memory, partial(packet))
    skb.network_header = skb.data + 14
    skb.ip_summed, skb.csum_start, skb.csum_offset = Checksum.PARTIAL, skb.headroom() + 34, 16
    skb.gso_size, skb.gso_segs = mss, -(-size // mss)
    skb.gso_type = GSO_TCPV4 | (GSO_TCP_ECN if "C" in flags else 0)
    return skb


FULL = Features.SG | Features.HW_CSUM | Features.TSO


@pytest.mark.parametrize(
    ("features", "flags", "frames"),
    [
        (Features.NONE, "A", 3),
        (Features.SG | Features.HW_CSUM, "A", 3),
        (FULL, "A", 1),
        (FULL, "AC", 3),
        (FULL | Features.TSO_ECN, "AC", 1),
    ],
)
def test_super_segment_is_cut_unless_the_device_does_it(
    memory: HostMemory, features: Features, flags: str, frames: int
) -> None:
    device = FakeDriver(9)
    device.offer(features)
    device.xmit(super_segment(memory, flags))
    assert len(device.taken) == frames
    assert [skb.gso_size for skb in device.taken] == ([100] if frames == 1 else [0, 0, 0])
    left = Checksum.PARTIAL if features & Features.HW_CSUM else Checksum.NONE
    assert {skb.ip_summed for skb in device.taken} == {left}
    if not features:
        for got in map(Ether, payloads(device)):
            assert _sum_of(got) == got[TCP].chksum


def _sum_of(packet: Ether) -> int:
    again = packet.copy()
    del again[TCP].chksum
    return int(Ether(bytes(again))[TCP].chksum)


def test_segments_that_the_driver_has_no_room_for_come_before_what_is_sent_later(memory: HostMemory) -> None:
    device = FakeDriver(2)
    device.xmit(super_segment(memory))
    device.xmit(frame(memory, b"later"))
    assert (len(device.taken), device.queued) == (2, 2)
    device.drain(9)
    assert [len(skb) for skb in device.taken] == [154, 154, 104, 5]


def test_super_segment_without_memory_to_cut_it_is_dropped_and_counted() -> None:
    memory = HostMemory(4096)
    device = FakeDriver(9)
    skb = super_segment(memory, size=1500)
    memory.alloc(4096 - memory.allocated - 512)
    held = memory.allocated - len(skb) - 16
    assert not device.xmit(skb)
    assert (device.stats.tx_dropped, device.taken, memory.allocated <= held + 64) == (1, [], True)


def test_offloads_are_switched_by_ethtool_s_names(memory: HostMemory) -> None:
    device = FakeDriver(0)
    everything = FULL | Features.TSO_ECN | Features.RXCSUM | Features.GSO | Features.GRO
    device.offer(FULL | Features.TSO_ECN | Features.RXCSUM)
    assert device.features == everything
    device.set_features(tso=False, gro=False)
    assert device.features == everything & ~(Features.TSO | Features.TSO_ECN | Features.GRO)
    device.set_features(tso=True, tx=False)  # TSO needs the checksum, which each segment has anew
    assert not device.features & (Features.TSO | Features.TSO_ECN | Features.HW_CSUM)
    device.offer(FULL)  # a device that was reset: what was off stays off
    assert device.features == Features.SG | Features.GSO
    device.set_features(tx=True)
    assert device.features == FULL | Features.GSO


def test_switch_that_is_unknown_or_that_the_device_lacks_changes_nothing() -> None:
    device = FakeDriver(0)
    for switches, error in [({"lro": True}, errno.EINVAL), ({"gro": False, "tso": True}, errno.EOPNOTSUPP)]:
        with pytest.raises(OSError) as caught:
            device.set_features(**switches)
        assert caught.value.errno == error
    assert device.features == Features.GSO | Features.GRO


def test_frames_of_a_poll_are_joined_and_counted_one_by_one(memory: HostMemory) -> None:
    got: list[SkBuff] = []
    for gro in (True, False):
        device = FakeDriver(0)
        device.set_features(gro=gro)
        device.rx_handler = got.append
        for number in range(3):
            packet = (
                Ether()
                / IP(src="10.0.0.1", dst="10.0.0.2", id=number)
                / TCP(flags="A", seq=number * 10)
                / bytes(10)
            )
            device.gro_receive(frame(memory, bytes(packet)))
        device.gro_flush()
        assert (device.stats.rx_packets, device.stats.rx_bytes) == (3, 3 * 64)
    assert [(len(skb), skb.gso_segs) for skb in got] == [(70, 3), (50, 0), (50, 0), (50, 0)]


def test_received_frame_reaches_the_handler_without_its_ethernet_header(memory: HostMemory) -> None:
    device = FakeDriver(0)
    got: list[SkBuff] = []
    device.rx_handler = got.append
    data = bytes(Ether(dst="02:00:00:00:00:07", src="02:00:00:00:00:09", type=0x86DD) / b"payload")
    device.receive(frame(memory, data))
    (skb,) = got
    assert (skb.bytes(), skb.protocol, skb.dev) == (b"payload", 0x86DD, device)
    assert skb.mac_header is not None
    assert memory.read(skb.mac_header, 14) == data[:14]
    assert skb.network_header == skb.data
    assert (device.stats.rx_packets, device.stats.rx_bytes) == (1, len(data))


def test_received_length_field_is_no_ethertype(memory: HostMemory) -> None:
    device = FakeDriver(0)
    got: list[SkBuff] = []
    device.rx_handler = got.append
    device.receive(frame(memory, bytes(12) + b"\x05\xff" + b"llc"))
    assert got[0].protocol == 0


def test_received_frame_shorter_than_its_header_is_counted_and_freed(memory: HostMemory) -> None:
    device = FakeDriver(0)
    device.rx_handler = lambda skb: pytest.fail("handed up")
    device.receive(frame(memory, bytes(13)))
    assert (device.stats.rx_errors, device.stats.rx_length_errors, device.stats.rx_packets) == (1, 1, 0)
    assert memory.allocated == 0


def test_received_frame_without_a_handler_is_dropped_and_freed(memory: HostMemory) -> None:
    device = FakeDriver(0)
    device.receive(frame(memory, bytes(60)))
    assert (device.stats.rx_dropped, memory.allocated) == (1, 0)
