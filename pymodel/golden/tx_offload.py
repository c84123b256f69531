"""CSUM: what `virtio_net_hdr` asks for, and the checksum that the device puts into a frame (§5.1.6.2)."""

import struct
from dataclasses import dataclass
from typing import Final

from pymodel.golden import inet_sum
from pymodel.regs import NET_HDR_BYTES, GsoType, NetHdrFlag

_HEADER: Final = struct.Struct("<BBHHHHH")
_FIELD: Final = 2


@dataclass(frozen=True, slots=True)
class Request:
    """The fields of a transmitted frame's `virtio_net_hdr` that a device looks at; hdr_len is none of them.

    `gso_type` is without its ECN bit.
    """

    needs_csum: bool
    gso_type: int
    gso_size: int
    csum_start: int
    csum_offset: int

    @classmethod
    def parse(cls, header: bytes) -> "Request":
        """From the 12 bytes of the header."""
        flags, gso_type, _, gso_size, start, offset, _ = _HEADER.unpack(header[:NET_HDR_BYTES])
        return cls(
            needs_csum=bool(flags & NetHdrFlag.NEEDS_CSUM),
            gso_type=gso_type & ~int(GsoType.ECN),
            gso_size=gso_size,
            csum_start=start,
            csum_offset=offset,
        )

    def field_fits(self, length: int) -> bool:
        """Does the checksum field lie in a frame of `length` bytes?"""
        return self.csum_start + self.csum_offset + _FIELD <= length


def complete(frame: bytes, request: Request) -> bytes:
    """`frame` with its checksum: over everything from csum_start on, the field's old value included."""
    value = inet_sum.checksum_not_zero(memoryview(frame)[request.csum_start :])
    at = request.csum_start + request.csum_offset
    return frame[:at] + value.to_bytes(_FIELD, "big") + frame[at + _FIELD :]
