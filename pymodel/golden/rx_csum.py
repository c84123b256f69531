"""GUEST_CSUM: is the TCP or UDP checksum of a received frame right (§5.1.6.4.1, DATA_VALID)?"""

from typing import Final

from pymodel.golden import inet_sum, l2

_TCP: Final = 6
_UDP: Final = 17
_LEAST: Final = {_TCP: 20, _UDP: 8}
_IPV4_MIN: Final = 20
_IPV6_SIZE: Final = 40
_FRAGMENT: Final = 0x3FFF


def data_valid(frame: bytes) -> bool:
    """Does `frame` (no FCS) hold a whole TCP segment or UDP datagram with a right checksum?"""
    kind, at = l2.network_layer(frame)
    if kind == l2.IPV4:
        return _ipv4(frame[at:])
    if kind == l2.IPV6:
        return _ipv6(frame[at:])
    return False


def _ipv4(packet: bytes) -> bool:
    if len(packet) < _IPV4_MIN or packet[0] >> 4 != 4:
        return False
    header = 4 * (packet[0] & 15)
    total = int.from_bytes(packet[2:4], "big")
    if header < _IPV4_MIN or not header <= total <= len(packet):
        return False
    if int.from_bytes(packet[6:8], "big") & _FRAGMENT:
        return False
    return _transport(packet[12:20], packet[9], packet[header:total])


def _ipv6(packet: bytes) -> bool:
    if len(packet) < _IPV6_SIZE or packet[0] >> 4 != 6:
        return False
    payload = int.from_bytes(packet[4:6], "big")
    if _IPV6_SIZE + payload > len(packet):
        return False
    return _transport(packet[8:40], packet[6], packet[_IPV6_SIZE : _IPV6_SIZE + payload])


def _transport(addresses: bytes, protocol: int, payload: bytes) -> bool:
    if protocol not in _LEAST or len(payload) < _LEAST[protocol]:
        return False
    if protocol == _UDP and not _udp_sane(payload):
        return False
    pseudo = inet_sum.pseudo_header(addresses, protocol, len(payload))
    return inet_sum.ones_sum(pseudo, payload) == 0xFFFF


def _udp_sane(payload: bytes) -> bool:
    """Is the datagram as long as it says, with a checksum (RFC 768: 0 means that there is none)?"""
    return int.from_bytes(payload[4:6], "big") == len(payload) and payload[6:8] != b"\0\0"
