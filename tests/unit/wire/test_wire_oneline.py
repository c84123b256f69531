"""One line says what scapy put into the frame, in tcpdump's words."""

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from pymodel.wire.oneline import one_line

ETH = Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01")
NET = IP(src="10.0.0.1", dst="10.0.0.2")

# Expected text: tcpdump 4.99 with -n -S, checksums, options and (len) parts left out.
CASES = {
    "ARP, Request who-has 10.0.0.2 tell 10.0.0.1": ETH
    / ARP(hwsrc="02:00:00:00:00:01", psrc="10.0.0.1", pdst="10.0.0.2"),
    "ARP, Reply 10.0.0.2 is-at 02:00:00:00:00:02": ETH
    / ARP(op=2, hwsrc="02:00:00:00:00:02", psrc="10.0.0.2", pdst="10.0.0.1"),
    "IP 10.0.0.1.1025 > 10.0.0.2.80: Flags [S], seq 7, win 8192, length 0": ETH
    / NET
    / TCP(sport=1025, dport=80, seq=7, flags="S"),
    "IP 10.0.0.1.1025 > 10.0.0.2.80: Flags [P.], seq 4294967294:2, ack 9, win 8192, length 4": ETH
    / NET
    / TCP(sport=1025, dport=80, seq=0xFFFFFFFE, ack=9, flags="PA")
    / Raw(b"data"),
    "IP 10.0.0.1.1025 > 10.0.0.2.80: Flags [.], ack 9, win 8192, sack 20:30, sack 40:50, length 0": ETH
    / NET
    / TCP(sport=1025, dport=80, ack=9, flags="A", options=[("SAck", (20, 30, 40, 50))]),
    "IP 10.0.0.1.1025 > 10.0.0.2.80: Flags [R.UEW], seq 5, ack 9, win 0, length 0": ETH
    / NET
    / TCP(sport=1025, dport=80, seq=5, ack=9, flags="RAUEC", window=0),
    "IP 10.0.0.1.1025 > 10.0.0.2.80: Flags [none], win 8192, length 0": ETH
    / NET
    / TCP(sport=1025, dport=80, flags=0),
    "IP 10.0.0.1.53 > 10.0.0.2.1025: UDP, length 5": ETH / NET / UDP(sport=53, dport=1025) / Raw(b"hello"),
    "IP 10.0.0.1 > 10.0.0.2: ICMP type 8 code 0, length 12": ETH / NET / ICMP() / Raw(b"ping"),
    "IP 10.0.0.1 > 10.0.0.2: frag 77:8@16+": ETH
    / IP(src="10.0.0.1", dst="10.0.0.2", id=77, frag=2, flags="MF", proto=17)
    / Raw(bytes(8)),
    "IP 10.0.0.1 > 10.0.0.2: protocol 132, length 3": ETH
    / IP(src="10.0.0.1", dst="10.0.0.2", proto=132)
    / Raw(b"abc"),
    "ethertype 0x86dd, length 60": ETH / Raw(bytes(46)),
}


@pytest.mark.parametrize("expected", CASES)
@pytest.mark.parametrize("tail", [b"", b"\x01\x02\x03\x04"])
def test_frame_is_said_in_one_line(expected: str, tail: bytes) -> None:
    packet = CASES[expected]
    if expected.startswith("ethertype"):
        packet.type = 0x86DD
        tail = b""
    assert one_line(bytes(packet) + tail) == expected


def test_frame_that_cannot_be_read_is_named_by_its_reason() -> None:
    frame = bytearray(bytes(ETH / NET / TCP()))
    frame[24] ^= 1
    assert one_line(bytes(frame)) == f"[ip_bad_checksum], length {len(frame)}"
    assert one_line(b"short") == "[eth_truncated], length 5"
