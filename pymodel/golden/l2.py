"""Where the network layer begins in an Ethernet frame, with or without one VLAN tag (IEEE 802.1Q)."""

from typing import Final

from pymodel.golden.mac import HEADER_SIZE, VLAN_SIZE

_TAGS: Final = (0x8100, 0x88A8)
IPV4: Final = 0x0800
IPV6: Final = 0x86DD


def network_layer(frame: bytes) -> tuple[int, int]:
    """(EtherType, offset of what follows it) behind at most one tag; EtherType -1 if `frame` is too short."""
    at = HEADER_SIZE
    kind = _u16(frame, at - 2)
    if kind in _TAGS:
        at += VLAN_SIZE
        kind = _u16(frame, at - 2)
    return kind, at


def _u16(frame: bytes, at: int) -> int:
    field = frame[at : at + 2]
    return int.from_bytes(field, "big") if len(field) == 2 else -1
