"""Receive side of the virtio-net driver (virtio 1.2 §5.1.6.3, §5.1.6.4): buffers out, frames in.

Each buffer is an skb of one device-writable descriptor; a received frame goes up in the skb that the device
has written, without a copy. Without MRG_RXBUF it has room for the greatest frame. With it, it is a page,
whatever the MTU, and a frame of several buffers goes up as the first with the others as fragments.
"""

from typing import Final

from pymodel.driver.errors import RingError
from pymodel.driver.packed_ring import PackedRing
from pymodel.hostmem import HostMemory
from pymodel.netdev import NetDevice
from pymodel.regs import NetHdrFlag
from pymodel.skbuff import MAX_SKB_FRAGS, Checksum, SkBuff, alloc_skb
from pymodel.wire import eth, virtio_net_hdr
from pymodel.wire.virtio_net_hdr import HEADER_LEN

__all__ = ["PAGE", "RX_HEADROOM", "RxQueue", "buffer_size"]

RX_HEADROOM: Final = 64
"""Free bytes in front of a received frame, so that it can be sent on with other headers (NET_SKB_PAD)."""

PAGE: Final = 4096
"""Bytes of host memory in a mergeable buffer, headroom included."""

_VLAN_LEN: Final = 4
_DATA_VALID: Final = int(NetHdrFlag.DATA_VALID)


def buffer_size(mtu: int, *, mergeable: bool) -> int:
    """Bytes of each receive buffer, its header included: of a page, or for the greatest frame of `mtu`.

    §5.1.6.3.1: without MRG_RXBUF and GUEST_TSO a buffer holds at least 1526 bytes.
    """
    if mergeable:
        return PAGE - RX_HEADROOM
    return HEADER_LEN + eth.HEADER_LEN + _VLAN_LEN + max(mtu, 1500)


class RxQueue:
    """The receive queue of one device. `ring` belongs to it; the caller writes the doorbell.

    `buffer_size`: bytes of each buffer. `mergeable`: MRG_RXBUF was negotiated. Checksums that the device
    vouches for are believed while `device` has `Features.RXCSUM`.
    """

    def __init__(
        self,
        memory: HostMemory,
        size: int,
        device: NetDevice,
        *,
        buffer_size: int,
        mergeable: bool = False,
        event_idx: bool = False,
    ) -> None:
        # A buffer is one descriptor: nothing to put in a table.
        self.ring: PackedRing[SkBuff] = PackedRing(memory, size, event_idx=event_idx)
        self.buffer_size: Final = buffer_size
        self._mergeable: Final = mergeable
        self._memory = memory
        self._device = device
        # Refilling in batches costs fewer notifications; half the ring stays with the device meanwhile.
        self._threshold = max(1, size // 2)

    def refill(self) -> bool:
        """Fill the ring when a good part of it is empty. False: host memory is full, try again later."""
        ring = self.ring
        if ring.free < self._threshold:
            return True
        size = self.buffer_size
        memory = self._memory
        while ring.free:
            try:
                skb = alloc_skb(memory, size, RX_HEADROOM)
            except MemoryError:
                return False
            ring.add(skb, (), ((skb.data, size),))
        return True

    def poll(self, budget: int, now: int) -> int:
        """Hand up at most `budget` received frames, stamped `now` (ps); how many. Raises RingError.

        Some may wait to be joined with others until the caller has the device do `gro_flush`. A frame that
        the device could not store whole has length 0 or too few bytes: it is counted (`rx_length_errors`) and
        dropped.
        """
        ring = self.ring
        device = self._device
        checked = device.rxcsum
        done = 0
        while done < budget and (used := ring.get_used()) is not None:
            skb, length = used
            done += 1
            if length > self.buffer_size:
                skb.free()
                raise RingError(f"{length} bytes written into a buffer of {self.buffer_size}")
            if length < HEADER_LEN + eth.HEADER_LEN:
                self._drop(skb)
                continue
            skb.put(length)
            header = virtio_net_hdr.parse(skb.pull(HEADER_LEN))
            if checked and header.flags & _DATA_VALID:
                skb.ip_summed = Checksum.UNNECESSARY
            if self._mergeable and header.num_buffers != 1 and not self._merge(skb, header.num_buffers):
                continue
            skb.tstamp = now
            device.gro_receive(skb)
        return done

    def _drop(self, skb: SkBuff) -> None:
        self._device.stats.rx_errors += 1
        self._device.stats.rx_length_errors += 1
        skb.free()

    def _merge(self, skb: SkBuff, buffers: int) -> bool:
        """Add the other buffers of a frame to its first one. False: too many, the frame was dropped.

        The first used entry was written last, so the others must be there (§5.1.6.4.1).
        """
        if not buffers:
            skb.free()
            raise RingError("a frame in 0 buffers")
        whole = True
        for number in range(2, buffers + 1):
            used = self.ring.get_used()
            if used is None or not 0 < used[1] <= self.buffer_size:
                skb.free()
                if used is not None:
                    used[0].free()
                raise RingError(f"a frame in {buffers} buffers: number {number} is not there, or not filled")
            other, length = used
            if number - 1 > MAX_SKB_FRAGS:
                other.free()
                whole = False
                continue
            page = other.into_page()
            skb.add_frag(page, RX_HEADROOM, length)
            page.put()
        if not whole:
            self._drop(skb)
        return whole

    def reset(self) -> None:
        """After a reset of device or queue: take back all buffers."""
        for skb in self.ring.reset():
            skb.free()

    def release(self) -> None:
        """Give the memory back, after a reset of device or queue."""
        self.reset()
        self.ring.release()
