"""Transmit side of the virtio-net driver (virtio 1.2 §5.1.6.2): frames into chains of the transmit queue.

A chain is the `virtio_net_hdr` and then the pieces of the skb. Completed chains are reclaimed when the
next frame is sent and when the driver polls; the device's interrupt for them is off unless the ring is
full (or the driver asked for it), as in Linux.
"""

from typing import Final

from pymodel.driver.packed_ring import PackedRing, Segment
from pymodel.hostmem import HostMemory
from pymodel.netdev import NetDeviceStats
from pymodel.skbuff import SkBuff
from pymodel.wire.virtio_net_hdr import HEADER_LEN

__all__ = ["TxQueue"]


class TxQueue:
    """The transmit queue of one device. `ring` belongs to it; the caller writes the doorbell.

    `need`: free descriptors that a frame may take; with fewer the net device's queue has to stop.
    `interrupts`: an interrupt for each completion, so that skbs are freed as soon as they are sent.
    """

    def __init__(
        self, memory: HostMemory, size: int, stats: NetDeviceStats, *, max_segments: int, interrupts: bool
    ) -> None:
        self.ring: PackedRing[SkBuff] = PackedRing(memory, size)
        self.need: Final = min(size, 1 + max_segments)
        self.interrupts: Final = interrupts
        self._memory = memory
        self._stats = stats
        # No offload is negotiated, so the header of each frame is zeros (§5.1.6.2.1) and one serves all.
        self._header = memory.alloc(HEADER_LEN)
        memory.write(self._header, bytes(HEADER_LEN))

    def add(self, skb: SkBuff) -> bool:
        """Put one frame on the ring. False: no room, nothing changed. Afterwards the ring owns the skb."""
        ring = self.ring
        if not ring.free:
            return False
        segments = self._chain(skb)
        if len(segments) > ring.free:
            return False
        if not self.interrupts and skb.destructor is not None:
            # Reclaim may come late, and who accounts for this skb must not wait for it (Linux: skb_orphan).
            destructor, skb.destructor = skb.destructor, None
            destructor(skb)
        ring.add(skb, segments)
        return True

    def _chain(self, skb: SkBuff) -> list[Segment]:
        segments = skb.segments()
        size = self.ring.size
        if len(segments) >= size:
            skb.linearize()
            if size == 1:
                # One descriptor for both; the framing is the driver's choice (§2.7.4, no fixed layout).
                skb.cow(HEADER_LEN)
                skb.push(HEADER_LEN)[:] = bytes(HEADER_LEN)
                return skb.segments()
            segments = skb.segments()
        segments.insert(0, (self._header, HEADER_LEN))
        return segments

    def reclaim(self) -> int:
        """Free every frame that the device has finished with; how many. Raises RingError."""
        ring = self.ring
        done = 0
        while (used := ring.get_used()) is not None:
            skb = used[0]
            stats = self._stats
            stats.tx_packets += 1
            stats.tx_bytes += skb.len if ring.size > 1 else skb.len - HEADER_LEN
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
        """The ring is full: interrupt at the next completion. True: there has been one; poll again."""
        return self.ring.enable_interrupts()

    def reset(self) -> None:
        """After a device reset: the frames that were out are lost and counted in `tx_errors`."""
        for skb in self.ring.reset():
            self._stats.tx_errors += 1
            skb.free()

    def release(self) -> None:
        """Give the memory back, after a device reset."""
        self.reset()
        self.ring.release()
        self._memory.free(self._header)
