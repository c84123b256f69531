"""`lo`: frames come back whole, later in the same instant, in order, and are counted both ways."""

import pytest

from pymodel.gso import GSO_TCP_ECN, GSO_TCPV4
from pymodel.hostmem import HostMemory
from pymodel.loopback import MTU, LoopbackDevice
from pymodel.scheduler import Scheduler
from pymodel.skbuff import Checksum, Page, SkBuff, alloc_skb

HEADER = bytes(12) + b"\x08\0"


@pytest.fixture
def memory() -> HostMemory:
    return HostMemory(1 << 20)


def frame(memory: HostMemory, payload: bytes) -> SkBuff:
    skb = alloc_skb(memory, 14 + len(payload))
    skb.put(14 + len(payload))[:] = HEADER + payload
    return skb


def test_frame_comes_back_after_the_running_event_at_the_same_time(memory: HostMemory) -> None:
    scheduler = Scheduler()
    scheduler.run_until(12345)
    lo = LoopbackDevice(scheduler)
    got: list[tuple[int, int, bytes]] = []

    def handler(skb: SkBuff) -> None:
        got.append((scheduler.now, skb.protocol, skb.bytes()))
        skb.free()

    lo.rx_handler = handler
    assert lo.xmit(frame(memory, b"first")) and lo.xmit(frame(memory, b"second"))
    assert got == []  # a sender is never re-entered from its own transmit call
    scheduler.step()
    assert got == [(12345, 0x0800, b"first"), (12345, 0x0800, b"second")]
    stats = lo.stats
    assert (stats.tx_packets, stats.tx_bytes, stats.rx_packets, stats.rx_bytes) == (2, 39, 2, 39)
    assert memory.allocated == 0


def test_fragments_travel_as_they_are(memory: HostMemory) -> None:
    scheduler = Scheduler()
    lo = LoopbackDevice(scheduler)
    got: list[SkBuff] = []
    lo.rx_handler = got.append
    skb = frame(memory, b"linear ")
    page = Page(memory)
    page.view(0, 4)[:] = b"page"
    skb.add_frag(page, 0, 4)
    lo.xmit(skb)
    scheduler.step()
    assert got[0] is skb and skb.data_len == 4 and skb.bytes() == b"linear page"


def test_super_segment_with_its_checksum_left_open_comes_back_as_it_is(memory: HostMemory) -> None:
    scheduler = Scheduler()
    lo = LoopbackDevice(scheduler)
    got: list[SkBuff] = []
    lo.rx_handler = got.append
    skb = frame(memory, bytes(3000))
    skb.ip_summed, skb.gso_size, skb.gso_segs, skb.gso_type = (
        Checksum.PARTIAL,
        1000,
        3,
        GSO_TCPV4 | GSO_TCP_ECN,
    )
    lo.xmit(skb)
    scheduler.step()
    assert got == [skb] and (skb.gso_size, skb.gso_segs, skb.ip_summed) == (1000, 3, Checksum.PARTIAL)


def test_frame_nobody_takes_is_counted_and_freed(memory: HostMemory) -> None:
    scheduler = Scheduler()
    lo = LoopbackDevice(scheduler)
    lo.xmit(frame(memory, b"unheard"))
    scheduler.step()
    assert lo.stats.rx_dropped == 1 and memory.allocated == 0


def test_loopback_is_lo_with_linux_s_mtu_and_carrier() -> None:
    lo = LoopbackDevice(Scheduler())
    assert (lo.name, lo.mtu, lo.carrier, lo.mac) == ("lo", MTU, True, bytes(6)) and MTU == 65536
