"""The ARP codec against scapy, and against anything that a wire may bring."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.l2 import ARP

from pymodel.wire import arp
from pymodel.wire.errors import WireError

SHA, THA = bytes.fromhex("020000000001"), bytes.fromhex("02000000abcd")
SPA, TPA = bytes((10, 1, 2, 3)), bytes((192, 168, 255, 254))

packets = st.builds(
    arp.ArpPacket,
    st.sampled_from([arp.REQUEST, arp.REPLY]),
    st.binary(min_size=6, max_size=6).filter(lambda mac: not mac[0] & 1),
    st.binary(min_size=4, max_size=4),
    st.binary(min_size=6, max_size=6),
    st.binary(min_size=4, max_size=4),
)


def reason(data: bytes) -> str:
    with pytest.raises(WireError) as caught:
        arp.parse(data)
    return caught.value.reason


@pytest.mark.parametrize(("op", "name"), [(arp.REQUEST, "who-has"), (arp.REPLY, "is-at")])
def test_emitted_packet_is_byte_for_byte_scapy_s(op: int, name: str) -> None:
    expected = ARP(
        op=name, hwsrc="02:00:00:00:00:01", psrc="10.1.2.3", hwdst="02:00:00:00:ab:cd", pdst="192.168.255.254"
    )
    assert arp.emit(arp.ArpPacket(op, SHA, SPA, THA, TPA)) == bytes(expected)


def test_packet_made_by_scapy_is_parsed_and_padding_behind_it_ignored() -> None:
    data = bytes(ARP(op=1, hwsrc="02:00:00:00:00:01", psrc="10.1.2.3", pdst="192.168.255.254")) + b"\xff" * 18
    assert arp.parse(memoryview(data)) == arp.ArpPacket(1, SHA, SPA, bytes(6), TPA)


@given(packets, st.binary(max_size=20))
def test_any_packet_survives_emit_and_parse(packet: arp.ArpPacket, padding: bytes) -> None:
    assert arp.parse(arp.emit(packet) + padding) == packet


def test_twenty_seven_bytes_are_truncated() -> None:
    assert reason(bytes(ARP())[:27]) == "arp_truncated"


@pytest.mark.parametrize(
    "packet",
    [
        ARP(hwtype=6, hwlen=6, plen=4, hwsrc="02:00:00:00:00:01"),  # IEEE 802 networks
        ARP(ptype=0x86DD, hwlen=6, plen=4, hwsrc="02:00:00:00:00:01", psrc="1.2.3.4", pdst="1.2.3.4"),
        ARP(op=3, hwsrc="02:00:00:00:00:01"),  # RARP
        ARP(op=0, hwsrc="02:00:00:00:00:01"),
        ARP(hwsrc="01:00:5e:00:00:01"),
        ARP(hwsrc="ff:ff:ff:ff:ff:ff"),
    ],
)
def test_what_is_not_arp_for_ipv4_over_ethernet_is_unsupported(packet: ARP) -> None:
    assert reason(bytes(packet).ljust(28, b"\0")) == "arp_unsupported"


@pytest.mark.parametrize(("at", "value"), [(4, 8), (5, 16)])
def test_wrong_address_lengths_are_unsupported(at: int, value: int) -> None:
    data = bytearray(bytes(ARP(hwsrc="02:00:00:00:00:01")))
    data[at] = value
    assert reason(bytes(data)) == "arp_unsupported"


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda tail: bytes.fromhex("000108000604") + tail))
def test_arbitrary_bytes_are_a_packet_that_says_the_same_or_a_wire_error(data: bytes) -> None:
    try:
        packet = arp.parse(data)
    except WireError:
        return
    assert arp.emit(packet) == data[:28]
