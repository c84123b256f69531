"""Where the NIC puts a received frame: the function without its timing."""

from dataclasses import dataclass
from typing import Final

from pymodel.golden import mac
from pymodel.golden.ring import Chain

NET_HDR: Final = bytes(10) + (1).to_bytes(2, "little")
"""`virtio_net_hdr` of every received frame: zeros, num_buffers 1 (virtio 1.2 §5.1.6.4.1)."""


@dataclass(slots=True)
class Placement:
    """What a frame does to an RX chain.

    `writes`: (bus address, bytes), in order; `used_length`: for the used entry; `truncated`: the chain
    was too small, what fits is written and the driver is told so by a used length of 0.
    """

    writes: list[tuple[int, bytes]]
    used_length: int
    truncated: bool


def place(chain: Chain, frame: bytes) -> Placement:
    """Lay header and `frame` (DA…FCS; the FCS is not stored) over the buffers of `chain`."""
    data = NET_HDR + frame[: -mac.FCS_SIZE]
    writes: list[tuple[int, bytes]] = []
    at = 0
    for address, length in chain.descriptors:
        if at == len(data):
            break
        piece = data[at : at + length]
        writes.append((address, piece))
        at += len(piece)
    truncated = at < len(data)
    return Placement(writes, 0 if truncated else len(data), truncated)
