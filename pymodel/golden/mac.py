"""The MAC's function, without its timing: padding, FCS, and the verdict on a received frame.

IEEE 802.3 §3.2.8 (pad), §3.2.9 (FCS); the order of precedence is that of the device contract.
"""

import zlib
from typing import Final

from pymodel.ports import Frame
from pymodel.regs import RxStatus
from pymodel.simtime import BYTE_TIME_10G

FCS_SIZE: Final = 4
MIN_FRAME: Final = 64
"""Least frame with FCS (IEEE 802.3 §4A.4.2, minFrameSize)."""
HEADER_SIZE: Final = 14
VLAN_SIZE: Final = 4
PREAMBLE_SIZE: Final = 8
"""Seven bytes of preamble and the SFD."""
GAP_SIZE: Final = 12
"""Least gap between frames in byte times (interPacketGap, 96 bits)."""
_RESIDUE: Final = 0x2144DF1C


def fcs(data: bytes | memoryview) -> bytes:
    """The four FCS bytes of `data` in the order of the wire."""
    return zlib.crc32(data).to_bytes(4, "little")


def seal(frame: bytes) -> bytes:
    """A frame without FCS as it goes on the wire: padded with zeros to 60 bytes, FCS appended."""
    if len(frame) < MIN_FRAME - FCS_SIZE:
        frame = frame.ljust(MIN_FRAME - FCS_SIZE, b"\0")
    return frame + fcs(frame)


def fcs_wrong(data: bytes) -> bool:
    """Does the FCS at the end of `data` (DA…FCS) not match, or is there no room for one?"""
    # CRC-32 over a frame and its own FCS is the same for all frames (IEEE 802.3 §3.2.9: the residue).
    return len(data) < FCS_SIZE or zlib.crc32(data) != _RESIDUE


def max_frame(mtu: int) -> int:
    """Longest frame without FCS: MTU, Ethernet header and one VLAN tag."""
    return mtu + HEADER_SIZE + VLAN_SIZE


def duration(length: int) -> int:
    """Time on the wire (ps) of a frame of `length` bytes with FCS, its preamble included."""
    return (PREAMBLE_SIZE + length) * BYTE_TIME_10G


def inspect(frame: Frame, mtu: int, *, bad_preamble: bool = False) -> RxStatus:
    """What the MAC alone thinks of a received frame: STORED stands for good.

    Whether a good frame is DISABLED or OVERFLOW is the business of the device behind the MAC.
    `bad_preamble` is an argument because a `Frame` has no preamble to look at.
    """
    data = frame.data
    if bad_preamble:
        return RxStatus.BAD_PREAMBLE
    if frame.error:
        return RxStatus.CODE_ERROR
    if len(data) < MIN_FRAME:
        return RxStatus.UNDERSIZE
    if len(data) > max_frame(mtu) + FCS_SIZE:
        return RxStatus.OVERSIZE
    if fcs_wrong(data):
        return RxStatus.FCS_ERROR
    return RxStatus.STORED
