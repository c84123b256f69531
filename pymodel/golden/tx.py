"""What the NIC makes of a TX chain: the function without its timing.

A chain is `virtio_net_hdr` (12 bytes) and a frame without FCS, cut anyhow over its descriptors (virtio 1.2
§5.1.6). It is looked at piece by piece, because the device need not have read it all when it decides, or
when its first segment is on the wire.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pymodel.golden import mac, tx_offload, tx_tso
from pymodel.golden.features import Features
from pymodel.golden.ring import Chain, RingFault
from pymodel.golden.tx_offload import Request
from pymodel.golden.tx_tso import Read
from pymodel.regs import NET_HDR_BYTES, GsoType

OVERSIZE: Final = "tx_oversize"
BAD_OFFLOAD: Final = "tx_bad_offload"
TSO: Final = "tx_tso"
_TCP_CHECKSUM_AT: Final = 16


@dataclass(slots=True)
class Job:
    """What becomes of a chain. `counter`: what it is counted under, if anything; `frames`: what is sent.

    Frames are DA…FCS. `plain`: its one frame is sent as it is, and so may go to the wire before all of it
    was read. `first`, `step`: the first frame can be made when so many bytes of the chain were read, and one
    more with each `step`; 0: when all were read.
    """

    counter: str | None
    frames: Iterator[bytes]
    plain: bool = False
    first: int = 0
    step: int = 0

    @property
    def sends(self) -> bool:
        """Is anything sent?"""
        return self.counter in (None, TSO)


def check(chain: Chain) -> None:
    """Raise `RingFault` for a chain too short to hold the header and an Ethernet header."""
    if chain.length < NET_HDR_BYTES + mac.HEADER_SIZE:
        raise RingFault(f"TX chain of {chain.length} bytes, shorter than {NET_HDR_BYTES + mac.HEADER_SIZE}")


def execute(read: Read, chain_length: int, features: Features, mtu: int) -> Job:
    """Decide on a chain of `chain_length` bytes, of which `read(offset, length)` gives a piece.

    Read now: the header, and with gso the frame's headers. The rest is read as `frames` is gone through.
    """
    request = Request.parse(read(0, NET_HDR_BYTES))
    length = chain_length - NET_HDR_BYTES

    def frame(at: int, size: int) -> bytes:
        return read(NET_HDR_BYTES + at, size)

    if request.gso_type != GsoType.NONE and (features.tso4 or features.tso6):
        return _segment(frame, length, request, features, mtu)
    if length > mac.max_frame(mtu):
        return _refuse(OVERSIZE)
    if features.csum and request.needs_csum:
        if not request.field_fits(length):
            return _refuse(BAD_OFFLOAD)
        return Job(None, _with_checksum(frame, length, request))
    return Job(None, _as_it_is(frame, length), plain=True)


def _family(request: Request, features: Features) -> tx_tso.Family | None:
    """Which super-frame it is said to be, if it is one that was negotiated."""
    if features.tso4 and request.gso_type == GsoType.TCPV4:
        return tx_tso.IPV4
    if features.tso6 and request.gso_type == GsoType.TCPV6:
        return tx_tso.IPV6
    return None


def _segment(read: Read, length: int, request: Request, features: Features, mtu: int) -> Job:
    """A chain with gso, step by step as the contract has it."""
    family = _family(request, features)
    if (
        family is None
        or not request.needs_csum
        or not request.gso_size
        or request.csum_offset != _TCP_CHECKSUM_AT
    ):
        return _refuse(BAD_OFFLOAD)
    if length > family.longest:
        return _refuse(OVERSIZE)
    where = tx_tso.layout(family, read(0, min(length, tx_tso.HEADERS_MAX)), length, request.csum_start)
    if where is None:
        return _refuse(BAD_OFFLOAD)
    if tx_tso.longest_segment(where, length, request.gso_size) > mac.max_frame(mtu):
        return _refuse(OVERSIZE)
    frames = map(mac.seal, tx_tso.segments(read, length, where, request.gso_size))
    step = request.gso_size
    return Job(TSO, frames, first=NET_HDR_BYTES + where.payload + step, step=step)


def longest(features: Features, mtu: int) -> int:
    """Bytes of a frame beyond which no chain is sent, whatever its header says."""
    if features.tso6:
        return tx_tso.IPV6.longest
    return tx_tso.IPV4.longest if features.tso4 else mac.max_frame(mtu)


def _refuse(counter: str) -> Job:
    return Job(counter, iter(()))


def _as_it_is(read: Read, length: int) -> Iterator[bytes]:
    yield mac.seal(read(0, length))


def _with_checksum(read: Read, length: int, request: Request) -> Iterator[bytes]:
    yield mac.seal(tx_offload.complete(read(0, length), request))
