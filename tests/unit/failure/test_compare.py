"""Expected beside come."""

import struct

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether

from tb.failure import compare
from tb.failure.kinds import MEANING
from tb.lockstep import ring_protocol


def rows(kind: str, expected: bytes, came: bytes) -> list[str]:
    """The fields that are marked."""
    return [line.split("|")[2].strip() for line in compare.table(kind, expected, came) if "differs" in line]


def frame(**tcp: int) -> bytes:
    return bytes(
        Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01") / IP(id=7) / TCP(**tcp) / b"data"
    ) + bytes(4)


def test_one_field_of_tcp_and_the_checksum_that_covers_it_differ() -> None:
    assert rows("frame sent", frame(seq=1000), frame(seq=1001)) == ["sequence number", "checksum"]


def test_header_that_its_checksum_disproves_is_read_all_the_same() -> None:
    good = frame()
    bad = good[:22] + bytes([good[22] ^ 1]) + good[23:]  # time to live
    assert rows("frame sent", good, bad) == ["time to live", "header checksum"]


def test_same_frame_has_no_mark_and_a_short_one_no_end() -> None:
    assert rows("frame sent", frame(), frame()) == []
    for length in range(60):
        compare.table("frame sent", frame(), frame()[:length])
        compare.table("payload", frame(), frame()[:length])


def test_udp_arp_and_virtio_net_hdr_are_read() -> None:
    header = struct.pack("<BBHHHHH", 2, 0, 0, 0, 0, 0, 1)
    udp = bytes(Ether() / IP() / UDP(sport=1, dport=2) / b"x")
    text = "\n".join(compare.table("payload", header + udp, header[:-2] + b"\x02\x00" + udp))
    assert "UDP | ports | 1 → 2" in text and "num_buffers | 1 | 2 | **differs**" in text
    assert "0x02 (DATA_VALID)" in text
    assert "request" in "\n".join(compare.table("frame sent", bytes(Ether() / ARP()) + bytes(4), b""))


def test_used_entries_are_told_apart_bit_by_bit() -> None:
    a, b = struct.pack("<QIHH", 0, 90, 3, 0x8082), struct.pack("<QIHH", 0, 90, 3, 0x0002)
    assert rows("used entry", a, b) == ["flags"]
    marks = compare.differing_bytes(a, b)
    assert marks[0].split()[-2:] == ["82", "80"] and marks[2].strip() == "^^ ^^"


def test_each_rule_of_the_ring_has_its_meaning_in_words() -> None:
    kinds = str(ring_protocol.__doc__).split("`")[1::2]
    assert len(kinds) == 14
    assert set(kinds) <= set(MEANING)
