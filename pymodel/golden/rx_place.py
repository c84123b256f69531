"""Where the NIC puts a received frame: over how many chains, and what their used entries say.

The function without its timing: a `Landing` is given chains until it wants no more.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

from pymodel.golden import mac, rx_csum
from pymodel.golden.features import Features
from pymodel.golden.ring import Chain
from pymodel.regs import NET_HDR_BYTES, NetHdr, NetHdrFlag

CHAINS_MAX: Final = 64
"""A frame that needs more chains is given up."""


@dataclass(slots=True)
class Part:
    """What one chain gets: `data`, from its first byte on, and the length in its used entry."""

    chain: Chain
    data: bytes
    used_length: int


class Landing:
    """One good `frame` (DA…FCS) on its way into the chains of a ring of `ring_size` descriptors.

    Without MRG_RXBUF it takes one chain, whatever its size (§5.1.6.3.1).
    """

    def __init__(self, frame: bytes, features: Features, ring_size: int) -> None:
        body = frame[: -mac.FCS_SIZE]
        self.size = NET_HDR_BYTES + len(body)
        """Bytes to be stored: header and frame without FCS."""
        self.chains: list[Chain] = []
        self.lost = False
        """It does not fit: counted in rx_truncated, its chains are used with length 0."""
        self._body = body
        self._valid = features.guest_csum and rx_csum.data_valid(body)
        self._mergeable = features.mrg_rxbuf
        self._ring_size = ring_size
        self._room = 0
        self._slots = 0

    @property
    def complete(self) -> bool:
        """It wants no further chain."""
        return self.lost or self._room >= self.size

    def add(self, chain: Chain) -> None:
        """Take the next chain of the ring."""
        self.chains.append(chain)
        self._room += chain.length
        self._slots += chain.slots
        if self._room < self.size:
            self.lost = (
                not self._mergeable or len(self.chains) == CHAINS_MAX or self._slots >= self._ring_size
            )

    def parts(self) -> list[Part]:
        """What each chain gets, once `complete`, in the order of the ring."""
        content = _header(self._valid, len(self.chains) if self._mergeable else 1) + self._body
        if len(self.chains) == 1:
            data = content[: self._room]
            return [Part(self.chains[0], data, 0 if self.lost else len(data))]
        parts: list[Part] = []
        at = 0
        for chain in self.chains:
            data = content[at : at + chain.length]
            parts.append(Part(chain, data, 0 if self.lost else len(data)))
            at += len(data)
        return parts


@cache
def _header(valid: bool, buffers: int) -> bytes:
    """`virtio_net_hdr`: zeros but num_buffers and, perhaps, DATA_VALID."""
    header = bytearray(NET_HDR_BYTES)
    if valid:
        header[NetHdr.FLAGS] = NetHdrFlag.DATA_VALID
    header[NetHdr.NUM_BUFFERS : NetHdr.NUM_BUFFERS + 2] = buffers.to_bytes(2, "little")
    return bytes(header)


def in_used_order(parts: list[Part]) -> list[Part]:
    """The order of the used entries: the first chain's comes last, so that the driver sees all or none."""
    return [*parts[1:], parts[0]]
