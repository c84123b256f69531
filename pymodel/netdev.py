"""`NetDevice`: the interface between the network stack and a driver, with its transmit queue.

Downwards: the stack calls `NetDevice.xmit(skb)` with a whole frame (Ethernet header first, no FCS). The
frame waits in a pfifo (Linux: sch_fifo, `txqueuelen` frames) while the driver's ring is full.
Upwards: the driver calls `NetDevice.receive(skb)` with a whole frame; the stack's `rx_handler` gets it with
the Ethernet header pulled, `mac_header`, `protocol`, `dev` set (Linux: eth_type_trans) and owns it.
"""

import abc
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Final

from pymodel.skbuff import Checksum, SkBuff
from pymodel.wire.checksum import checksum
from pymodel.wire.eth import HEADER_LEN, MIN_ETHERTYPE

__all__ = ["DEFAULT_TXQUEUELEN", "Features", "NetDevice", "NetDeviceStats", "checksum_help"]

DEFAULT_TXQUEUELEN: Final = 1000
"""Frames that wait in front of a stopped queue (Linux: DEFAULT_TX_QUEUE_LEN)."""


class Features(IntFlag):
    """What a device does for the stack (Linux: netdev_features_t). A device without any gets plain frames."""

    NONE = 0
    SG = 1
    """Takes frames with fragments as they are."""
    HW_CSUM = 2
    """Fills in the checksum of frames with `Checksum.PARTIAL`."""
    RXCSUM = 4
    """Verifies received checksums."""
    TSO = 8
    """Cuts large TCP/IPv4 frames into segments."""
    GRO_HW = 16
    """Joins received segments into large frames."""


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


def checksum_help(skb: SkBuff) -> None:
    """Fill in the checksum of an skb with `Checksum.PARTIAL` (Linux: skb_checksum_help).

    The field holds the sum of the pseudo-header. Raises ValueError when the field is outside the packet.
    """
    skb.linearize()
    skb.cow()
    start = skb.csum_start - skb.headroom()
    field_at = start + skb.csum_offset
    if start < 0 or field_at + 2 > skb.len:
        raise ValueError(f"csum_start {start}, csum_offset {skb.csum_offset} in a frame of {skb.len} bytes")
    window = skb.linear()
    # RFC 768: a UDP checksum of 0 is sent as 0xffff, which is the same sum for every protocol.
    value = checksum(window[start:]) or 0xFFFF
    window[field_at] = value >> 8
    window[field_at + 1] = value & 0xFF
    skb.ip_summed = Checksum.NONE


@dataclass(slots=True)
class _Qdisc:
    queue: deque[SkBuff] = field(default_factory=deque)
    stopped: bool = False
    running: bool = False


class NetDevice(abc.ABC):
    """A network interface. A driver subclasses it and implements `start_xmit`.

    `mac`: 6 bytes. `mtu`: bytes of a network-layer packet. `carrier`: the link is up, which it is
    until a driver says otherwise. `on_carrier(up)` is called at its changes. `txqueuelen`: frames that
    may wait.
    """

    def __init__(self, name: str, mac: bytes = bytes(6), mtu: int = 1500) -> None:
        self.name = name
        self.mac = mac
        self.mtu = mtu
        self.features = Features.NONE
        self.carrier = True
        self.txqueuelen = DEFAULT_TXQUEUELEN
        self.stats = NetDeviceStats()
        self.rx_handler: Callable[[SkBuff], None] | None = None
        self.on_carrier: Callable[[bool], None] | None = None
        self._qdisc = _Qdisc()

    def __repr__(self) -> str:
        state = "up" if self.carrier else "no carrier"
        return f"<{type(self).__name__} {self.name} {self.mac.hex(':')} {state}>"

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
        cannot do is done here (Linux: validate_xmit_skb): fragments are joined unless it has
        `Features.SG`, a partial checksum is filled in unless it has `Features.HW_CSUM`.
        """
        if not self.carrier:
            self.stats.tx_dropped += 1
            skb.free()
            return False
        if skb.data_len and not self.features & Features.SG:
            self.stats.tx_copied += skb.len
            skb.linearize()
        if skb.ip_summed is Checksum.PARTIAL and not self.features & Features.HW_CSUM:
            checksum_help(skb)
        qdisc = self._qdisc
        queue = qdisc.queue
        if not qdisc.stopped and not qdisc.running:
            if self.start_xmit(skb):
                return True
            qdisc.stopped = True
        if len(queue) >= self.txqueuelen:
            self.stats.tx_dropped += 1
            skb.free()
            return False
        queue.append(skb)
        return True

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
                skb = queue.popleft()
                if not self.start_xmit(skb):
                    queue.appendleft(skb)
                    qdisc.stopped = True
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
        stats = self.stats
        if skb.len < HEADER_LEN:
            stats.rx_errors += 1
            stats.rx_length_errors += 1
            skb.free()
            return
        stats.rx_packets += 1
        stats.rx_bytes += skb.len
        handler = self.rx_handler
        if handler is None:
            stats.rx_dropped += 1
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
