"""Transmit side of the virtio-net driver (virtio 1.2 §5.1.6.2): frames into chains of the transmit queue.

A chain is the `virtio_net_hdr` and then the pieces of the skb. Completed chains are reclaimed when the
next frame is sent and when the driver polls; the device's interrupt for them is off unless the ring is
full (or the driver asked for it), as in Linux.
"""

from typing import Final, NamedTuple

from pymodel.driver.errors import RingFull
from pymodel.driver.packed_ring import PackedRing, Segment
from pymodel.hostmem import HostMemory
from pymodel.netdev import NetDeviceStats
from pymodel.regs import NetHdrFlag
from pymodel.skbuff import Checksum, SkBuff
from pymodel.wire.virtio_net_hdr import HEADER_LEN, VirtioNetHdr, emit_into

__all__ = ["TxQueue"]

_HEADER_STEP: Final = 16
_NEEDS_CSUM: Final = int(NetHdrFlag.NEEDS_CSUM)
_PLAIN: Final = -1
_TCP_DATA_OFFSET: Final = 12  # of a TCP header: the data offset is the upper half of this byte


class _Sent(NamedTuple):
    """A chain that the device has: its frame, and the slot of the header pool that it uses, or -1."""

    skb: SkBuff
    header: int
    length: int
    """Bytes of the frame, without the header."""


class TxQueue:
    """The transmit queue of one device. `ring` belongs to it; the caller writes the doorbell.

    `need`: free slots that a frame may take; with fewer the net device's queue has to stop.
    `interrupts`: an interrupt for each completion, so that skbs are freed as soon as they are sent.
    """

    def __init__(
        self,
        memory: HostMemory,
        size: int,
        stats: NetDeviceStats,
        *,
        max_segments: int,
        interrupts: bool,
        indirect: bool = False,
        event_idx: bool = False,
    ) -> None:
        self.ring: PackedRing[_Sent] = PackedRing(memory, size, indirect=indirect, event_idx=event_idx)
        self.need: Final = self.ring.slots(min(size, 1 + max_segments))
        self.interrupts: Final = interrupts
        self._memory = memory
        self._stats = stats
        # The header of a frame without offloads is zeros (§5.1.6.2.1), and one serves all; the others take
        # theirs from a pool, of which a ring cannot use more than it has slots.
        self._header = memory.alloc(HEADER_LEN)
        memory.write(self._header, bytes(HEADER_LEN))
        self._pool = memory.alloc(size * _HEADER_STEP, _HEADER_STEP)
        self._pool_free = list(range(size))

    def add(self, skb: SkBuff) -> bool:
        """Put one frame on the ring. False: no room, nothing changed. Afterwards the ring owns the skb.

        Raises ValueError for a checksum or segmentation request outside of the frame.
        """
        ring = self.ring
        if not ring.free:
            return False
        length = skb.len
        plain = skb.ip_summed is not Checksum.PARTIAL and not skb.gso_size
        header = None if plain else offload_header(skb)
        segments = self._fit(skb, header)
        if ring.slots(len(segments)) > ring.free:
            return False
        slot = _PLAIN
        if ring.size > 1 and header is not None:
            slot = self._pool_free.pop()
            address = self._pool + slot * _HEADER_STEP
            emit_into(self._memory.slice(address, HEADER_LEN), header)
            segments[0] = (address, HEADER_LEN)
        try:
            ring.add(_Sent(skb, slot, length), segments)
        except RingFull:
            if slot != _PLAIN:
                self._pool_free.append(slot)
            return False
        if not self.interrupts and skb.destructor is not None:
            # Reclaim may come late, and who accounts for this skb must not wait for it (Linux: skb_orphan).
            destructor, skb.destructor = skb.destructor, None
            destructor(skb)
        return True

    def _fit(self, skb: SkBuff, header: VirtioNetHdr | None) -> list[Segment]:
        """The chain, with the header of zeros in front; a frame of too many pieces is joined before."""
        segments = skb.segments()
        size = self.ring.size
        if len(segments) >= size:
            skb.linearize()
            if size == 1:
                # One descriptor for both; the framing is the driver's choice (§2.7.4, no fixed layout).
                skb.cow(HEADER_LEN)
                emit_into(skb.push(HEADER_LEN), header or VirtioNetHdr())
                return skb.segments()
            segments = skb.segments()
        segments.insert(0, (self._header, HEADER_LEN))
        return segments

    def reclaim(self) -> int:
        """Free every frame that the device has finished with; how many. Raises RingError."""
        ring = self.ring
        done = 0
        stats = self._stats
        while (used := ring.get_used()) is not None:
            skb, slot, length = used[0]
            stats.tx_packets += 1
            stats.tx_bytes += length
            if slot != _PLAIN:
                self._pool_free.append(slot)
            skb.free()
            done += 1
        return done

    def rest(self) -> bool:
        """Nothing is left to poll for: interrupts as the resting state wants them. True: poll again."""
        if self.interrupts:
            return self.ring.enable_interrupts()
        self.ring.disable_interrupts()
        return False

    def wait_for_room(self) -> bool:
        """The ring is full: interrupt when much of it is free again. True: some is; poll again."""
        return self.ring.enable_interrupts(delayed=True)

    def reset(self) -> None:
        """After a reset of device or queue: the frames that were out are lost and counted in `tx_errors`."""
        for skb, slot, _ in self.ring.reset():
            self._stats.tx_errors += 1
            if slot != _PLAIN:
                self._pool_free.append(slot)
            skb.free()

    def release(self) -> None:
        """Give the memory back, after a reset of device or queue."""
        self.reset()
        self.ring.release()
        self._memory.free(self._header)
        self._memory.free(self._pool)


def offload_header(skb: SkBuff) -> VirtioNetHdr:
    """What the device is asked to do with a frame with a partial checksum, or one to cut (§5.1.6.2.1).

    Raises ValueError when the checksum's place, or with gso the TCP header, is outside of the frame's
    linear part, or a frame to cut has no partial checksum.
    """
    start = skb.csum_start - skb.headroom()
    field_end = start + skb.csum_offset + 2
    if skb.ip_summed is not Checksum.PARTIAL:
        raise ValueError("a frame to be cut needs a partial checksum (virtio 1.2 §5.1.6.2.1)")
    if start < 0 or field_end > skb.len:
        raise ValueError(f"csum_start {start}, csum_offset {skb.csum_offset} in a frame of {skb.len} bytes")
    if not skb.gso_size:
        return VirtioNetHdr(_NEEDS_CSUM, csum_start=start, csum_offset=skb.csum_offset)
    if start + _TCP_DATA_OFFSET >= skb.headlen:
        raise ValueError(f"a TCP header at {start} is not in the linear part of {skb.headlen} bytes")
    header_len = start + 4 * (skb.linear()[start + _TCP_DATA_OFFSET] >> 4)
    return VirtioNetHdr(
        _NEEDS_CSUM, skb.gso_type, header_len, skb.gso_size, csum_start=start, csum_offset=skb.csum_offset
    )
