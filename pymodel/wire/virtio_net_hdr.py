"""`struct virtio_net_hdr` (virtio 1.2 §5.1.6): the 12 bytes in front of each frame in a buffer.

Little-endian, as VERSION_1 is always negotiated; with VERSION_1 `num_buffers` is always present. The values
of `flags` and `gso_type` are `NetHdrFlag` and `GsoType` of `pymodel.regs`.
"""

import struct
from typing import Final, NamedTuple

from pymodel.wire.errors import WireError

__all__ = ["HEADER_LEN", "VirtioNetHdr", "emit", "emit_into", "parse"]

HEADER_LEN: Final = 12

_HEADER = struct.Struct("<BBHHHHH")


class VirtioNetHdr(NamedTuple):
    """Field by field as in the specification; all zeros is a plain frame to send."""

    flags: int = 0
    gso_type: int = 0
    hdr_len: int = 0
    gso_size: int = 0
    csum_start: int = 0
    csum_offset: int = 0
    num_buffers: int = 0


def parse(data: bytes | bytearray | memoryview) -> VirtioNetHdr:
    """The header at the start of `data`. Raises WireError when there are fewer than 12 bytes."""
    if len(data) < HEADER_LEN:
        raise WireError("virtio_net_hdr_truncated")
    return VirtioNetHdr._make(_HEADER.unpack_from(data))


def emit(header: VirtioNetHdr) -> bytes:
    """The 12 bytes. Raises ValueError when a field is out of its range."""
    try:
        return _HEADER.pack(*header)
    except struct.error as error:
        raise ValueError(f"{header}: {error}") from None


def emit_into(buffer: bytearray | memoryview, header: VirtioNetHdr) -> None:
    """Write the header at the start of `buffer` (>= 12 bytes). Raises ValueError as `emit` does."""
    try:
        _HEADER.pack_into(buffer, 0, *header)
    except struct.error as error:
        raise ValueError(f"{header}: {error}") from None
