"""Software segmentation, judged by scapy, which builds each segment from the super-segment's own layers."""

import random

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy_offloads import partial, segments

from pymodel.gso import GSO_TCP_ACCECN, GSO_TCP_ECN, GSO_TCPV4, checksum_help, segment
from pymodel.hostmem import HostMemory
from pymodel.skbuff import Checksum, Page, SkBuff, alloc_skb

TIMESTAMPS = [("NOP", None), ("NOP", None), ("Timestamp", (0x01020304, 0xA0B0C0D0))]


@pytest.fixture
def memory() -> HostMemory:
    return HostMemory(1 << 22)


def packet(
    payload: bytes, *, flags: str = "PA", options: bool = True, ident: int = 7, seq: int = 1000
) -> Ether:
    ip = IP(src="10.0.0.1", dst="10.0.0.2", id=ident, tos=2, flags="DF")
    tcp = TCP(sport=4711, dport=80, seq=seq, ack=99, flags=flags, window=501, options=TIMESTAMPS * options)
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / ip / tcp / Raw(payload)


def super_segment(
    memory: HostMemory, whole: Ether, mss: int, *, linear: int, pieces: tuple[int, ...]
) -> SkBuff:
    """The frame as TCP and IP leave it: `linear` bytes of payload behind the headers, then fragments whose
    sizes go through `pieces`."""
    data = partial(whole)
    header_len = len(data) - len(whole[TCP].payload)
    cut = header_len + linear
    skb = alloc_skb(memory, cut, 32)
    skb.put(cut)[:] = data[:cut]
    at, number = cut, 0
    while at < len(data):
        size = min(pieces[number % len(pieces)], len(data) - at)
        page = Page(memory, size + 5)
        page.view(5, size)[:] = data[at : at + size]
        skb.add_frag(page, 5, size)
        page.put()
        at, number = at + size, number + 1
    skb.mac_header, skb.network_header, skb.transport_header = skb.data, skb.data + 14, skb.data + 34
    skb.ip_summed, skb.csum_start, skb.csum_offset = Checksum.PARTIAL, skb.headroom() + 34, 16
    skb.gso_size, skb.gso_segs = mss, -(-(len(data) - header_len) // mss)
    skb.gso_type = GSO_TCPV4 | (GSO_TCP_ECN if whole[TCP].flags.C else 0)
    return skb


def finished(frames: list[SkBuff]) -> list[bytes]:
    sent = []
    for frame in frames:
        checksum_help(frame)
        sent.append(frame.bytes())
        frame.free()
    return sent


@pytest.mark.parametrize("options", [False, True])
@pytest.mark.parametrize(("size", "mss"), [(2, 1), (1449, 1448), (2896, 1448), (3001, 1001), (65_000, 1447)])
@pytest.mark.parametrize("linear", [0, 1, 777, 1 << 20])
def test_segments_are_those_of_scapy(
    memory: HostMemory, size: int, mss: int, linear: int, options: bool
) -> None:
    rng = random.Random(size)
    whole = packet(rng.randbytes(size), flags="FPACE", options=options, ident=0xFFFE, seq=0xFFFFFF00)
    skb = super_segment(memory, whole, mss, linear=min(linear, size), pieces=(4096, 4095, 8191))
    assert skb.gso_segs == len(segments(whole, mss))
    assert finished(segment(skb)) == segments(whole, mss)
    assert memory.allocated == 0


def test_accurate_ecn_keeps_cwr_in_every_segment(memory: HostMemory) -> None:
    skb = super_segment(memory, packet(bytes(2500), flags="APCE"), 1000, linear=2500, pieces=(1,))
    skb.gso_type = GSO_TCPV4 | GSO_TCP_ACCECN
    flags = [str(Ether(frame)[TCP].flags) for frame in finished(segment(skb))]
    assert flags == ["AEC", "AEC", "PAEC"]


def test_payload_in_pages_is_referred_to_and_not_copied(memory: HostMemory) -> None:
    skb = super_segment(memory, packet(bytes(3000)), 1000, linear=0, pieces=(1500,))
    places = {page.address for page, _, _ in skb.frags}
    frames = segment(skb)
    assert [len(frame.frags) for frame in frames] == [1, 2, 1]
    assert {page.address for frame in frames for page, _, _ in frame.frags} == places
    for frame in frames:
        frame.free()


def test_memory_that_runs_out_on_the_way_leaves_the_super_segment_as_it_was() -> None:
    memory = HostMemory(8192)
    skb = super_segment(memory, packet(bytes(3000)), 100, linear=3000, pieces=(1,))
    held, whole = memory.allocated, skb.bytes()
    keep = memory.alloc(8192 - held - 1024)
    with pytest.raises(MemoryError):
        segment(skb)
    memory.free(keep)
    assert (memory.allocated, skb.bytes()) == (held, whole)


@pytest.mark.parametrize("fault", ["udp", "fragment", "no checksum", "no size", "type", "place"])
def test_what_is_no_tcp_super_segment_is_refused(memory: HostMemory, fault: str) -> None:
    skb = super_segment(memory, packet(bytes(3000)), 1000, linear=3000, pieces=(1,))
    if fault == "udp":
        skb.linear()[23] = 17
    elif fault == "fragment":
        skb.linear()[20] = 0x20
    elif fault == "no checksum":
        skb.ip_summed = Checksum.NONE
    elif fault == "no size":
        skb.gso_size = 0
    elif fault == "type":
        skb.gso_type = 4
    else:
        skb.csum_start = skb.headroom() + skb.len - 10
    with pytest.raises(ValueError, match="cannot be cut"):
        segment(skb)
    skb.free()


def test_checksum_over_pieces_of_odd_size_is_that_of_scapy(memory: HostMemory) -> None:
    whole = packet(random.Random(5).randbytes(999))
    skb = super_segment(memory, whole, 1000, linear=3, pieces=(1, 2, 101, 301))
    skb.gso_size = 0
    checksum_help(skb)
    assert skb.bytes() == bytes(whole)
    assert skb.data_len, "summed up where it lies"
