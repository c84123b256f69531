"""`NetDevice`: the interface between the network stack and a driver, with its transmit queue.

Downwards: the stack calls `NetDevice.xmit(skb)` with a whole frame (Ethernet header first, no FCS). The
frame waits in a pfifo (Linux: sch_fifo, `txqueuelen` frames) while the driver's ring is full.
Upwards: the driver calls `NetDevice.receive(skb)` with a whole frame; the stack's `rx_handler` gets it with
the Ethernet header pulled, `mac_header`, `protocol`, `dev` set (Linux: eth_type_trans) and owns it.
"""

import abc
import errno
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Final

from mypy_extensions import mypyc_attr

from pymodel.gro import Gro
from pymodel.gso import GSO_MAX_SEGS, GSO_TCP_ACCECN, GSO_TCP_ECN, checksum_help, segment
from pymodel.skbuff import Checksum, SkBuff
from pymodel.wire.eth import HEADER_LEN, MIN_ETHERTYPE

__all__ = ["DEFAULT_TXQUEUELEN", "SOFTWARE", "Features", "NetDevice", "NetDeviceStats"]

DEFAULT_TXQUEUELEN: Final = 1000
"""Frames that wait in front of a stopped queue (Linux: DEFAULT_TX_QUEUE_LEN)."""


class Features(IntFlag):
    """What a device, or the software in front of it, does for the stack (Linux: netdev_features_t)."""

    NONE = 0
    SG = 1
    """Takes frames with fragments as they are."""
    HW_CSUM = 2
    """Fills in the checksum of frames with `Checksum.PARTIAL`."""
    RXCSUM = 4
    """Verifies received checksums."""
    TSO = 8
    """Cuts large TCP/IPv4 frames into segments."""
    TSO_ECN = 16
    """Does so where the TCP header has CWR, too: it goes with the first segment (RFC 3168 §6.1.2)."""
    GSO = 32
    """Software cuts what the device does not; without either, IP gets single segments only."""
    GRO = 64
    """Software joins received segments (`pymodel.gro`)."""


SOFTWARE: Final = Features.GSO | Features.GRO
"""What works with every device."""

_SWITCHES: Final = {
    "rx": Features.RXCSUM,
    "tx": Features.HW_CSUM,
    "sg": Features.SG,
    "tso": Features.TSO | Features.TSO_ECN,
    "gso": Features.GSO,
    "gro": Features.GRO,
}
"""By the names that ethtool -K knows them under."""


_SG: Final = int(Features.SG)
_HW_CSUM: Final = int(Features.HW_CSUM)
_RXCSUM: Final = int(Features.RXCSUM)
_TSO: Final = int(Features.TSO)
_TSO_ECN: Final = int(Features.TSO_ECN)
_GRO: Final = int(Features.GRO)


def _fix(features: Features) -> Features:
    """`features` without those that need one that is not there (Linux: netdev_fix_features)."""
    if not features & Features.HW_CSUM or not features & Features.SG:
        features &= ~(Features.TSO | Features.TSO_ECN)
    return features


@dataclass(slots=True)
class NetDeviceStats:
    """Counters of one device (Linux: rtnl_link_stats64). Bytes count the frame without FCS."""

    rx_packets: int = 0
    rx_bytes: int = 0
    rx_dropped: int = 0
    """Received, and nobody took it."""
    rx_errors: int = 0
    """Sum of the receive errors below."""
    rx_length_errors: int = 0
    """The device reported a length that cannot be."""
    tx_packets: int = 0
    tx_bytes: int = 0
    tx_dropped: int = 0
    """No carrier, no room in the transmit queue, or the device was closed."""
    tx_copied: int = 0
    """Bytes of frames in pieces that were joined, as the device takes no pieces."""
    tx_errors: int = 0
    """Given to the device and lost there (it had to be reset), or refused by it for good."""


@dataclass(slots=True)
class _Qdisc:
    queue: deque[SkBuff] = field(default_factory=deque)
    stopped: bool = False
    running: bool = False


@mypyc_attr(allow_interpreted_subclasses=True)
class NetDevice(abc.ABC):
    """A network interface. A driver subclasses it and implements `start_xmit`.

    `mac`: 6 bytes. `mtu`: bytes of a network-layer packet. `carrier`: the link is up, which it is
    until a driver says otherwise. `on_carrier(up)` is called at its changes. `txqueuelen`: frames that
    may wait. `gso_max_segs`: segments that TCP may give it in one. `hw_features`: what can be had;
    `features`: what of it is in use (`set_features`).
    """

    def __init__(self, name: str, mac: bytes = bytes(6), mtu: int = 1500) -> None:
        self.name = name
        self.mac = mac
        self.mtu = mtu
        self.hw_features = self.features = SOFTWARE
        self._unwanted = Features.NONE
        self._gro = Gro(self._up)
        self.carrier = True
        self.txqueuelen = DEFAULT_TXQUEUELEN
        self.gso_max_segs = GSO_MAX_SEGS
        self.stats = NetDeviceStats()
        self.rx_handler: Callable[[SkBuff], None] | None = None
        self.on_carrier: Callable[[bool], None] | None = None
        self._qdisc = _Qdisc()

    def __repr__(self) -> str:
        state = "up" if self.carrier else "no carrier"
        return f"<{type(self).__name__} {self.name} {self.mac.hex(':')} {state}>"

    # --- offloads -------------------------------------------------------------------------------

    @property
    def features(self) -> Features:
        """What is in use."""
        return Features(self._features)

    @features.setter
    def features(self, features: Features) -> None:
        self._features = int(features)  # operators of an IntFlag are slow

    @property
    def rxcsum(self) -> bool:
        """`Features.RXCSUM` is in use."""
        return bool(self._features & _RXCSUM)

    def offer(self, features: Features) -> None:
        """A driver says what its device can do; what was switched off stays so."""
        self.hw_features = features | SOFTWARE
        self.features = _fix(self.hw_features & ~self._unwanted)

    def set_features(self, **switches: bool) -> None:
        """Switch offloads on or off, as ``ethtool -K eth0 tso off``: ``set_features(tso=False)``.

        Names: rx, tx (checksums), sg, tso, gso, gro. What needs something that is off is off, too. A TCP
        connection asks for `gso` and `tso` when it is made. OSError: an unknown name (EINVAL), or something
        to be switched on that the device cannot do (EOPNOTSUPP); nothing has changed then.
        """
        unwanted = self._unwanted
        for name, on in switches.items():
            feature = _SWITCHES.get(name)
            if feature is None:
                raise OSError(errno.EINVAL, f"{self.name}: no offload is called {name}")
            if on and not self.hw_features & feature:
                raise OSError(errno.EOPNOTSUPP, f"{self.name}: the device has no {name}")
            unwanted = unwanted & ~feature if on else unwanted | feature
        self._unwanted = unwanted
        self.features = _fix(self.hw_features & ~unwanted)

    @property
    def features_in_use(self) -> set[str]:
        """Names, as for `set_features`, of what is on."""
        return {name for name, feature in _SWITCHES.items() if self.features & feature}

    # --- transmit -------------------------------------------------------------------------------

    @abc.abstractmethod
    def start_xmit(self, skb: SkBuff) -> bool:
        """Give one frame to the hardware. True: taken (sent or dropped there, skb is consumed).

        False: no room at present (NETDEV_TX_BUSY); the driver has called, or will call, `stop_queue` and
        later `wake_queue`, and the skb stays the caller's.
        """

    def xmit(self, skb: SkBuff) -> bool:
        """Send a frame or queue it; always consumes `skb`. False: dropped and counted (`tx_dropped`).

        Without carrier everything is dropped (Linux: such a device has the noop qdisc). What the device
        cannot do is done here, when the frame's turn has come (Linux: validate_xmit_skb): a super-segment is
        cut up unless it has `Features.TSO`, fragments are joined unless it has `Features.SG`, a partial
        checksum is filled in unless it has `Features.HW_CSUM`. Without memory for that it is dropped.
        """
        if not self.carrier:
            self.stats.tx_dropped += 1
            skb.free()
            return False
        qdisc = self._qdisc
        if not qdisc.stopped and not qdisc.running:
            qdisc.running = True
            try:
                taken = self._send(skb)
            finally:
                qdisc.running = False
            if qdisc.queue and not qdisc.stopped:
                self.wake_queue()
            return taken
        if len(qdisc.queue) >= self.txqueuelen:
            self.stats.tx_dropped += 1
            skb.free()
            return False
        qdisc.queue.append(skb)
        return True

    def _send(self, skb: SkBuff) -> bool:
        """Give `skb` to the driver, as one frame or several; what it does not take is next in the queue.

        False: dropped and counted, as there was no memory.
        """
        qdisc = self._qdisc
        if skb.gso_size and not self._cuts(skb.gso_type):
            try:
                frames = segment(skb)
            except MemoryError:
                self.stats.tx_dropped += 1
                skb.free()
                return False
        else:
            frames = [skb]
        features = self._features
        for number, frame in enumerate(frames):
            if qdisc.stopped:
                qdisc.queue.extendleft(reversed(frames[number:]))
                break
            if (frame.data_len and not features & _SG) or (
                frame.ip_summed is Checksum.PARTIAL and not features & _HW_CSUM
            ):
                try:
                    self._finish(frame)
                except MemoryError:
                    self.stats.tx_dropped += 1
                    frame.free()
                    if len(frames) == 1:
                        return False
                    continue
            if not self.start_xmit(frame):
                qdisc.stopped = True
                qdisc.queue.extendleft(reversed(frames[number:]))
                break
        return True

    def _cuts(self, gso_type: int) -> bool:
        """The device cuts such a super-segment up by itself."""
        if gso_type & GSO_TCP_ACCECN:
            return False
        needed = _TSO | _TSO_ECN if gso_type & GSO_TCP_ECN else _TSO
        return self._features & needed == needed

    def _finish(self, skb: SkBuff) -> None:
        """Do to a frame what the device does not."""
        if skb.data_len and not self._features & _SG:
            self.stats.tx_copied += skb.len
            skb.linearize()
        if skb.ip_summed is Checksum.PARTIAL and not self._features & _HW_CSUM:
            checksum_help(skb)

    @property
    def queued(self) -> int:
        """Frames that wait in the qdisc."""
        return len(self._qdisc.queue)

    @property
    def queue_stopped(self) -> bool:
        """True between `stop_queue` and `wake_queue`."""
        return self._qdisc.stopped

    def stop_queue(self) -> None:
        """The driver takes no more frames for now."""
        self._qdisc.stopped = True

    def wake_queue(self) -> None:
        """The driver takes frames again: those that wait are sent, in order, until it stops again."""
        qdisc = self._qdisc
        qdisc.stopped = False
        if qdisc.running:
            return
        qdisc.running = True
        queue = qdisc.queue
        try:
            while queue and not qdisc.stopped:
                self._send(queue.popleft())
        finally:
            qdisc.running = False

    def flush_queue(self) -> None:
        """Drop everything that waits; each frame counts as `tx_dropped`."""
        queue = self._qdisc.queue
        while queue:
            self.stats.tx_dropped += 1
            queue.popleft().free()

    # --- receive --------------------------------------------------------------------------------

    def receive(self, skb: SkBuff) -> None:
        """A driver hands up one frame, Ethernet header first, without FCS; consumes `skb`.

        A frame shorter than its header is dropped (`rx_length_errors`), one without a `rx_handler` too
        (`rx_dropped`).
        """
        if self._counted(skb):
            self._up(skb)

    def gro_receive(self, skb: SkBuff) -> None:
        """As `receive`, but the frame may wait for others to be joined with it, until `gro_flush` (Linux:
        napi_gro_receive)."""
        if self._counted(skb):
            if self._features & _GRO:
                self._gro.receive(skb)
            else:
                self._up(skb)

    def gro_flush(self) -> None:
        """The poll is over: hand up what waits."""
        self._gro.flush()

    @property
    def gro_waits(self) -> bool:
        """Something waits for `gro_flush`."""
        return self._gro.holds

    def _counted(self, skb: SkBuff) -> bool:
        stats, length = self.stats, skb.len
        if length < HEADER_LEN:
            stats.rx_errors += 1
            stats.rx_length_errors += 1
            skb.free()
            return False
        stats.rx_packets += 1
        stats.rx_bytes += length
        return True

    def _up(self, skb: SkBuff) -> None:
        handler = self.rx_handler
        if handler is None:
            self.stats.rx_dropped += 1
            skb.free()
            return
        skb.dev = self
        skb.mac_header = skb.data
        header = skb.pull(HEADER_LEN)
        ethertype = header[12] << 8 | header[13]
        # IEEE 802.3 §3.2.6: below 0x600 the field is a length; such a frame has no EtherType.
        skb.protocol = ethertype if ethertype >= MIN_ETHERTYPE else 0
        skb.network_header = skb.data
        handler(skb)

    def set_carrier(self, up: bool) -> None:
        """The link went up or down; `on_carrier` is told of changes. Going down drops what waits."""
        if up != self.carrier:
            self.carrier = up
            if not up:
                self.flush_queue()
            if self.on_carrier is not None:
                self.on_carrier(up)
