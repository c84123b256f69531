"""GRO: what is joined and what is not. `segment`, tested against scapy, must cut it into what came."""

import random
from collections.abc import Iterable
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy_offloads import partial, segments
from test_gso import packet

from pymodel.gro import GRO_MAX_SIZE, Gro
from pymodel.gso import GSO_TCP_ECN, GSO_TCPV4, checksum_help, segment
from pymodel.hostmem import HostMemory
from pymodel.skbuff import Checksum, Page, SkBuff, alloc_skb


class Bench:
    """`up`: what was delivered, as (bytes, segments, size of each)."""

    def __init__(self) -> None:
        self.memory = HostMemory(1 << 22)
        self.up: list[SkBuff] = []
        self.gro = Gro(self.up.append)

    def frame(self, data: bytes, checked: bool = True, frags: int = 0) -> SkBuff:
        """`frags`: so many of the last bytes are in a page."""
        linear = len(data) - frags
        skb = alloc_skb(self.memory, linear + 100, 64)
        skb.put(linear)[:] = data[:linear]
        if frags:
            page = Page(self.memory)
            page.view(9, frags)[:] = data[linear:]
            skb.add_frag(page, 9, frags)
            page.put()
        if checked:
            skb.ip_summed = Checksum.UNNECESSARY
        return skb

    def feed(self, frames: Iterable[Any], **how: Any) -> list[int]:
        """Receive and flush; how many segments each sk_buff that went up stands for."""
        for data in frames:
            self.gro.receive(self.frame(bytes(data), **how))
        self.gro.flush()
        return [max(skb.gso_segs, 1) for skb in self.up]

    def cut(self) -> list[bytes]:
        """What went up, cut again as a sender would."""
        frames = []
        for skb in self.up:
            if not skb.gso_size:
                frames.append(skb.bytes())
                skb.free()
                continue
            whole = Ether(skb.bytes())
            fresh = whole.copy()
            del fresh[IP].chksum
            assert whole[IP].chksum == Ether(bytes(fresh))[IP].chksum
            skb.linear()[50:52] = partial(whole)[50:52]
            skb.network_header, skb.csum_start, skb.csum_offset = skb.data + 14, skb.headroom() + 34, 16
            skb.ip_summed = Checksum.PARTIAL
            for frame in segment(skb):
                checksum_help(frame)
                frames.append(frame.bytes())
                frame.free()
        assert self.memory.allocated == 0
        return frames


@pytest.fixture
def bench() -> Bench:
    return Bench()


def train(count: int, mss: int = 1000, rest: int = 0, **how: Any) -> list[bytes]:
    return segments(packet(random.Random(count).randbytes(count * mss + rest), **how), mss)


@pytest.mark.parametrize(("count", "rest"), [(2, 0), (1, 1), (7, 999), (40, 3)])
@pytest.mark.parametrize("flags", ["A", "PA", "FPA", "ACE"])
@pytest.mark.parametrize("options", [True, False])
def test_a_train_goes_up_as_one_and_is_cut_into_the_same_frames(
    bench: Bench, count: int, rest: int, flags: str, options: bool
) -> None:
    frames = train(count, rest=rest, flags=flags, options=options)
    assert bench.feed(frames) == [len(frames)]
    skb = bench.up[0]
    assert skb.gso_type == GSO_TCPV4 | (GSO_TCP_ECN if "C" in flags else 0)
    assert (skb.gso_size, skb.ip_summed) == (1000, Checksum.UNNECESSARY)
    whole = IP(skb.bytes()[14:])
    assert (whole.len, int(whole[TCP].flags)) == (skb.len - 14, int(Ether(frames[0])[TCP].flags) | int(
        Ether(frames[-1])[TCP].flags))  # fmt: skip
    assert whole.chksum == IP(bytes(IP(bytes(whole), chksum=None))).chksum
    assert bench.cut() == frames


def test_payload_of_later_frames_is_referred_to_and_not_copied(bench: Bench) -> None:
    skbs = [bench.frame(data) for data in train(3)]
    places = [skb.head for skb in skbs]
    for skb in skbs:
        bench.gro.receive(skb)
    bench.gro.flush()
    (whole,) = bench.up
    assert [whole.head, *(page.address for page, _, _ in whole.frags)] == places
    assert bench.memory.allocated


def test_frames_in_pieces_are_joined(bench: Bench) -> None:
    frames = train(3, mss=2000, flags="A")
    assert bench.feed(frames, frags=1999) == [3]
    assert bench.cut() == frames


def test_no_frame_waits_beyond_a_flush(bench: Bench) -> None:
    frames = train(2, flags="A")
    bench.feed(frames[:1])
    assert bench.feed(frames[1:]) == [1, 1]
    assert [skb.bytes() for skb in bench.up] == frames


@pytest.mark.parametrize("alone", ["PA", "FA", "RA", "UA", "SA"])
def test_a_frame_with_a_flag_that_must_not_wait_ends_the_train(bench: Bench, alone: str) -> None:
    frames = train(4, flags="A")
    marked = Ether(frames[1])
    marked[TCP].flags = alone
    del marked[TCP].chksum
    frames[1] = bytes(marked)
    joined = alone in ("PA", "FA")  # the others change what the first one says
    assert bench.feed(frames) == ([2, 2] if joined else [1, 1, 2])
    assert bench.cut() == frames


def test_a_short_segment_ends_the_train_and_a_longer_one_begins_another(bench: Bench) -> None:
    short, long = train(2, rest=500, flags="A"), train(1, mss=1200, flags="A", seq=3500, ident=10)
    assert bench.feed(short + long) == [3, 1]


def in_order(*sizes: int) -> list[bytes]:
    """Segments of these sizes, one behind the other."""
    frames, seq = [], 1000
    for ident, size in enumerate(sizes):
        frames.append(bytes(packet(bytes(size), flags="A", seq=seq, ident=ident)))
        seq += size
    return frames


@pytest.mark.parametrize(
    ("sizes", "joined"),
    [((1000, 1000, 500, 500), [3, 1]), ((1000, 1000, 1001), [2, 1]), ((500, 1000, 1000), [1, 2])],
)
def test_sizes_tell_where_a_train_ends(bench: Bench, sizes: tuple[int, ...], joined: list[int]) -> None:
    assert bench.feed(in_order(*sizes)) == joined
    assert bench.cut() == in_order(*sizes)


def test_joined_packet_is_no_longer_than_ipv4_can_say(bench: Bench) -> None:
    frames = segments_of_long(100_000, 1448)
    counts = bench.feed(frames)
    assert sum(counts) == len(frames) and counts[0] == (GRO_MAX_SIZE - 52) // 1448
    assert max(skb.len - 14 for skb in bench.up) <= GRO_MAX_SIZE
    assert bench.cut() == frames


def segments_of_long(size: int, mss: int) -> list[bytes]:
    return [
        bytes(packet(bytes(min(mss, size - at)), flags="A", ident=at // mss, seq=1000 + at))
        for at in range(0, size, mss)
    ]


CHANGES = {
    "gap": lambda p: setattr(p[TCP], "seq", p[TCP].seq + 1),
    "repeated": lambda p: setattr(p[TCP], "seq", p[TCP].seq - 1000),
    "ack": lambda p: setattr(p[TCP], "ack", 100),
    "window": lambda p: setattr(p[TCP], "window", 500),
    "timestamp": lambda p: setattr(p[TCP], "options", [*p[TCP].options[:2], ("Timestamp", (9, 9))]),
    "ece": lambda p: setattr(p[TCP], "flags", "AE"),
    "cwr": lambda p: setattr(p[TCP], "flags", "AC"),
    "ce": lambda p: setattr(p[IP], "tos", 3),
    "ttl": lambda p: setattr(p[IP], "ttl", 63),
    "df": lambda p: setattr(p[IP], "flags", 0),
    "ident": lambda p: setattr(p[IP], "id", p[IP].id + 5),
    "empty": lambda p: p[TCP].remove_payload(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_differs_is_not_joined_and_keeps_its_place(bench: Bench, change: str) -> None:
    frames = train(2, flags="A")
    other = Ether(frames[1])
    CHANGES[change](other)
    del other[IP].len, other[IP].chksum, other[TCP].chksum
    frames[1] = bytes(other)
    assert bench.feed(frames) == [1, 1]
    assert [skb.bytes() for skb in bench.up] == frames


def test_two_flows_are_joined_apart_and_others_pass_at_once(bench: Bench) -> None:
    one, two = train(3, flags="A"), []
    for data in one:
        other = Ether(data)
        other[TCP].sport = 9
        del other[TCP].chksum
        two.append(bytes(other))
    ping = bytes(Ether(dst="02:00:00:00:00:02") / IP(dst="10.0.0.2") / ICMP() / bytes(40))
    datagram = bytes(Ether(dst="02:00:00:00:00:02") / IP(dst="10.0.0.2") / UDP() / bytes(40))
    mixed = [frame for pair in zip(one, two, strict=True) for frame in pair]
    assert bench.feed([*mixed[:3], ping, datagram, *mixed[3:]]) == [1, 1, 3, 3]
    assert [skb.bytes() for skb in bench.up[:2]] == [ping, datagram]
    assert {Ether(skb.bytes())[TCP].sport for skb in bench.up[2:]} == {4711, 9}


def test_wrong_checksum_that_the_device_did_not_see_is_not_joined(bench: Bench) -> None:
    frames = train(3, flags="A")
    frames[1] = frames[1][:-1] + bytes([frames[1][-1] ^ 1])
    assert bench.feed(frames, checked=False) == [1, 1, 1]
    assert [skb.ip_summed for skb in bench.up] == [
        Checksum.UNNECESSARY, Checksum.NONE, Checksum.UNNECESSARY
    ]  # fmt: skip
    assert [skb.bytes() for skb in bench.up] == frames


def test_right_checksum_is_found_out_without_the_device(bench: Bench) -> None:
    assert bench.feed(train(3), checked=False) == [3]


def test_wrong_ip_checksum_passes_untouched(bench: Bench) -> None:
    frames = train(2, flags="A")
    frames[0] = frames[0][:24] + b"\0\0" + frames[0][26:]
    assert bench.feed(frames) == [1, 1]
    assert bench.up[0].bytes() == frames[0]


def test_padding_of_ethernet_is_not_taken_for_payload(bench: Bench) -> None:
    frames = [
        bytes(packet(b"x", flags="A", options=False, seq=seq, ident=seq)).ljust(60, b"\0") for seq in (1, 2)
    ]
    assert bench.feed(frames) == [1, 1]


def test_identification_that_stays_the_same_with_df_is_joined(bench: Bench) -> None:
    frames = [bytes(packet(bytes(100), flags="A", seq=seq)) for seq in (0, 100, 200)]
    assert bench.feed(frames) == [3]


@pytest.mark.parametrize("length", [0, 14, 33, 53])
def test_short_frames_pass(bench: Bench, length: int) -> None:
    frame = train(1)[0][:length]
    assert bench.feed([frame]) == [1]
    assert bench.up[0].bytes() == frame
