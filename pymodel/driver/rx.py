"""Receive side of the virtio-net driver (virtio 1.2 §5.1.6.3, §5.1.6.4): buffers out, frames in.

Each buffer is an skb of one device-writable descriptor with room for the header and the greatest frame;
a received frame goes up in the skb that the device has written, without a copy.
"""

from typing import Final

from pymodel.driver.errors import RingError
from pymodel.driver.packed_ring import PackedRing
from pymodel.hostmem import HostMemory
from pymodel.netdev import NetDevice
from pymodel.skbuff import SkBuff, alloc_skb
from pymodel.wire import eth
from pymodel.wire.virtio_net_hdr import HEADER_LEN

__all__ = ["RX_HEADROOM", "RxQueue"]

RX_HEADROOM: Final = 64
"""Free bytes in front of a received frame, so that it can be sent on with other headers (NET_SKB_PAD)."""

_VLAN_LEN = 4


class RxQueue:
    """The receive queue of one device. `ring` belongs to it; the caller writes the doorbell.

    `buffer_size`: bytes of each buffer: header, Ethernet header, a VLAN tag, and `mtu` bytes.
    """

    def __init__(self, memory: HostMemory, size: int, device: NetDevice, mtu: int) -> None:
        self.ring: PackedRing[SkBuff] = PackedRing(memory, size)
        # §5.1.6.3.1: without MRG_RXBUF and GUEST_TSO a buffer holds at least 1526 bytes.
        self.buffer_size: Final = HEADER_LEN + eth.HEADER_LEN + _VLAN_LEN + max(mtu, 1500)
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

        A frame that the device could not store whole has length 0 or too few bytes: it is counted
        (`rx_length_errors`) and dropped.
        """
        ring = self.ring
        device = self._device
        done = 0
        while done < budget and (used := ring.get_used()) is not None:
            skb, length = used
            done += 1
            if length > self.buffer_size:
                skb.free()
                raise RingError(f"{length} bytes written into a buffer of {self.buffer_size}")
            if length < HEADER_LEN + eth.HEADER_LEN:
                device.stats.rx_errors += 1
                device.stats.rx_length_errors += 1
                skb.free()
                continue
            skb.put(length)
            # The header says nothing: no offload is negotiated, and without MRG_RXBUF num_buffers is 1.
            skb.pull(HEADER_LEN)
            skb.tstamp = now
            device.receive(skb)
        return done

    def reset(self) -> None:
        """After a device reset: take back all buffers."""
        for skb in self.ring.reset():
            skb.free()

    def release(self) -> None:
        """Give the memory back, after a device reset."""
        self.reset()
        self.ring.release()
