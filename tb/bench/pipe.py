"""Two hosts on devices that cost next to nothing: what is left is the price of the stack itself."""

from collections import deque

from pymodel.golden.nic import GoldenNic
from pymodel.host import Host, World
from pymodel.hostmem import HostMemory
from pymodel.netdev import Features, NetDevice
from pymodel.scheduler import Scheduler
from pymodel.simtime import BYTE_TIME_10G, US
from pymodel.skbuff import Checksum, SkBuff, alloc_skb
from pymodel.tcp.profile import LINUX, Profile
from pymodel.wire import eth

__all__ = ["PipeDevice", "pipe_world"]

_OVERHEAD = 24
"""Bytes of wire time around a frame: preamble 8, FCS 4, gap 12 (IEEE 802.3 §4.4.2)."""
_DELAY = 1 * US


_Arrival = tuple[int, bytes, int, int, int]
"""When (ps), the frame, and its `gso_size`, `gso_segs`, `gso_type`."""


class PipeDevice(NetDevice):
    """One end of a full-duplex 10 Gb/s wire without a NIC; `peer` is the other one. Copies each frame.

    `poll`: so long (ps) what has arrived waits to be handed up together; 0: each frame goes up at once, and
    nothing is done for the stack. Else checksums are the device's business. `whole`: super-segments cross the
    wire uncut, too, as between two ends of a veth.
    """

    def __init__(
        self, scheduler: Scheduler, memory: HostMemory, mac: bytes, mtu: int, *, poll: int, whole: bool
    ) -> None:
        super().__init__("pipe0", mac, mtu)
        if poll:
            self.offer(Features.SG | Features.HW_CSUM | Features.RXCSUM)
        if whole:
            self.offer(self.hw_features | Features.TSO | Features.TSO_ECN)
        self.peer = self
        self.frames = 0
        self._scheduler = scheduler
        self._memory = memory
        self._free_at = 0
        self._interval = poll
        self._coming: deque[_Arrival] = deque()
        """On their way to us, or waiting for the poll."""

    def start_xmit(self, skb: SkBuff) -> bool:
        """Put the frame on the wire behind those that are there."""
        begin, length = self._scheduler.now, skb.len
        if begin < self._free_at:
            begin = self._free_at
        if length < eth.MIN_FRAME_LEN:
            length = eth.MIN_FRAME_LEN
        self._free_at = end = begin + (length + _OVERHEAD) * BYTE_TIME_10G
        self.frames += 1
        self.peer.expect((end + _DELAY, skb.bytes(), skb.gso_size, skb.gso_segs, skb.gso_type))
        skb.free()
        return True

    def expect(self, arrival: _Arrival) -> None:
        """A frame is on its way."""
        if not self._interval:
            self._scheduler.at(arrival[0], lambda: self.receive(self._buffer(arrival)))
            return
        if not self._coming:
            self._scheduler.at(arrival[0] + self._interval, self._poll)
        self._coming.append(arrival)

    def _buffer(self, arrival: _Arrival) -> SkBuff:
        """What has arrived."""
        data = arrival[1]
        skb = alloc_skb(self._memory, len(data), 64)
        skb.put(len(data))[:] = data
        return skb

    def _poll(self) -> None:
        """Hand up what has arrived; the first of what has not decides when to look again."""
        now, coming = self._scheduler.now, self._coming
        while coming and coming[0][0] <= now:
            arrival = coming.popleft()
            skb = self._buffer(arrival)
            skb.ip_summed = Checksum.UNNECESSARY
            _, _, skb.gso_size, skb.gso_segs, skb.gso_type = arrival
            self.gro_receive(skb)
        if coming:
            self._scheduler.at(coming[0][0] + self._interval, self._poll)
        self.gro_flush()


def pipe_world(
    scheduler: Scheduler, *, mtu: int = 1500, profile: Profile = LINUX, poll: int = 0, whole: bool = False
) -> tuple[World, PipeDevice]:
    """Hosts A and B of a `World` whose NICs are not started, joined by a pipe; and A's end of it.

    `poll`, `whole`: see `PipeDevice`.
    """
    nics = [GoldenNic(scheduler, HostMemory(256 << 20)) for _ in range(2)]
    world = World(scheduler, *nics, profile=profile)
    a, b = (
        _device(scheduler, host, number, mtu, poll, whole)
        for number, host in enumerate((world.a, world.b), 1)
    )
    a.peer, b.peer = b, a
    return world, a


def _device(scheduler: Scheduler, host: Host, number: int, mtu: int, poll: int, whole: bool) -> PipeDevice:
    mac = bytes((2, 0, 0, 0, 0, number))
    device = PipeDevice(scheduler, host.memory, mac, mtu, poll=poll, whole=whole)
    host.ip.add_interface(device, host.address)
    return device
