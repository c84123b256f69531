"""What the NIC makes of a TX chain: the function without its timing.

A chain is `virtio_net_hdr` (12 bytes, its content ignored at this stage) and a frame without FCS, cut
anyhow over its descriptors (virtio 1.2 §5.1.6).
"""

from pymodel.golden import mac
from pymodel.golden.ring import Chain, RingFault
from pymodel.regs import NET_HDR_BYTES


def check(chain: Chain) -> None:
    """Raise `RingFault` for a chain too short to hold the header and an Ethernet header."""
    if chain.length < NET_HDR_BYTES + mac.HEADER_SIZE:
        raise RingFault(f"TX chain of {chain.length} bytes, shorter than {NET_HDR_BYTES + mac.HEADER_SIZE}")


def oversize(chain: Chain, mtu: int) -> bool:
    """Is its frame too long to be sent? Such a chain is used as usual, and its frame only counted."""
    return chain.length - NET_HDR_BYTES > mac.max_frame(mtu)


def wire_frame(data: bytes) -> bytes:
    """The frame on the wire (DA…FCS) for the bytes of a whole chain."""
    return mac.seal(data[NET_HDR_BYTES:])
