"""Two hosts on devices that cost next to nothing: what is left is the price of the stack itself."""

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
        self._arrived: list[SkBuff] = []

    def start_xmit(self, skb: SkBuff) -> bool:
        """Put the frame on the wire behind those that are there."""
        data = skb.bytes()
        gso = (skb.gso_size, skb.gso_segs, skb.gso_type)
        skb.free()
        self.frames += 1
        length = max(len(data), eth.MIN_FRAME_LEN) + _OVERHEAD
        self._free_at = max(self._scheduler.now, self._free_at) + length * BYTE_TIME_10G
        self._scheduler.at(self._free_at + _DELAY, lambda: self.peer.arrive(data, gso))
        return True

    def arrive(self, data: bytes, gso: tuple[int, int, int]) -> None:
        """A frame has arrived whole."""
        skb = alloc_skb(self._memory, len(data), 64)
        skb.put(len(data))[:] = data
        if not self._interval:
            self.receive(skb)
            return
        skb.ip_summed = Checksum.UNNECESSARY
        skb.gso_size, skb.gso_segs, skb.gso_type = gso
        if not self._arrived:
            self._scheduler.after(self._interval, self._poll)
        self._arrived.append(skb)

    def _poll(self) -> None:
        arrived, self._arrived = self._arrived, []
        for skb in arrived:
            self.gro_receive(skb)
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
