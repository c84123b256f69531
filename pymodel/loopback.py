"""The loopback interface `lo`: what is sent comes back in, at the same simulated time."""

from pymodel.netdev import Features, NetDevice
from pymodel.scheduler import Scheduler
from pymodel.skbuff import SkBuff

MTU = 65536

_FEATURES = Features.SG | Features.HW_CSUM | Features.RXCSUM | Features.TSO | Features.TSO_ECN


class LoopbackDevice(NetDevice):
    """A device without hardware. Frames keep their Ethernet header, as Linux's `lo` does.

    Nothing is summed up or cut on the way: a checksum that was left to the device arrives as it was left
    (`Checksum.PARTIAL`), and a super-segment whole.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__("lo", mtu=MTU)
        self.offer(_FEATURES)
        self._scheduler = scheduler

    def start_xmit(self, skb: SkBuff) -> bool:
        """Hand `skb` back up, after whatever runs now."""
        self.stats.tx_packets += 1
        self.stats.tx_bytes += skb.len
        self._scheduler.call_soon(lambda: self.receive(skb))
        return True
