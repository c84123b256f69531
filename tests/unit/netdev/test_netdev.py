"""`NetDevice`: the transmit queue in front of a driver, the receive path behind it, software fallbacks."""

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from pymodel.hostmem import HostMemory
from pymodel.netdev import Features, NetDevice, checksum_help
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
    pseudo = sum(int.from_bytes(good[at : at + 2], "big") for at in range(26, 34, 2)) + 17 + 11
    while pseudo > 0xFFFF:
        pseudo = (pseudo & 0xFFFF) + (pseudo >> 16)
    skb = frame(memory, good[:40] + pseudo.to_bytes(2, "big") + good[42:])
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
