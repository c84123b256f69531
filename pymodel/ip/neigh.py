"""The neighbour table: from next-hop address to Ethernet address, by ARP (RFC 826, RFC 1122 §2.3.2).

States and times are Linux's (net/core/neighbour.c, defaults of /proc/sys/net/ipv4/neigh): INCOMPLETE asks
three times a second apart while packets wait; REACHABLE lasts until nothing has confirmed it for 30 s, then
STALE; a STALE entry in use is trusted for 5 s (DELAY), then, unless something has confirmed it meanwhile,
asked by unicast three times (PROBE); no answer is FAILED. What confirms is an answer, or the progress that
an upper layer makes (RFC 1122 §2.3.2.1, hint (3)).

A neighbour that says it has another address is believed when it asks for ours, or when nothing has changed
for a second (`LOCK_TIME`). What is STALE or FAILED stays, until there are more than `FEW` entries.
"""

from collections import Counter, deque
from collections.abc import Callable
from enum import Enum

from pymodel.netdev import NetDevice
from pymodel.scheduler import Scheduler, Timer
from pymodel.simtime import SEC
from pymodel.skbuff import SkBuff
from pymodel.wire import arp, eth
from pymodel.wire.errors import WireError

REACHABLE_TIME = 30 * SEC
"""Not drawn anew between half and one and a half times as much (RFC 4861 §6.3.2), as Linux does."""
DELAY_TIME = 5 * SEC
RETRANS_TIME = 1 * SEC
PROBES = 3
QUEUE_LENGTH = 101
"""Packets that may wait for one answer (Linux: unres_qlen); the oldest makes room."""
LOCK_TIME = 1 * SEC
"""Of several answers the first counts: for so long no other is believed (locktime)."""
GC_STALE_TIME = 60 * SEC
"""An entry not used for so long is forgotten if there are many."""
FEW = 128
"""So many entries are no reason to forget any (gc_thresh1)."""
MOST = 1024
"""There are never more (gc_thresh3)."""


class NudState(Enum):
    """Neighbour unreachability detection (RFC 4861 §7.3.2, whose names Linux uses for ARP too)."""

    INCOMPLETE = "INCOMPLETE"
    REACHABLE = "REACHABLE"
    STALE = "STALE"
    DELAY = "DELAY"
    PROBE = "PROBE"
    FAILED = "FAILED"


class Neighbour:
    """One next hop. `mac` is None until it was learned; `queue` holds packets that wait for it."""

    __slots__ = ("address", "confirmed", "mac", "probes", "queue", "state", "timer", "updated", "used")

    def __init__(self, address: bytes) -> None:
        self.address = address
        self.mac: bytes | None = None
        self.state = NudState.FAILED
        self.probes = 0
        self.queue: deque[SkBuff] = deque()
        self.timer: Timer | None = None
        self.used = 0
        self.confirmed = 0
        """When it was last known to hear us."""
        self.updated = -LOCK_TIME
        """When it last became something else."""


class NeighbourTable:
    """The neighbours behind one device.

    `address`: our own address there (a callable, as it may change). `unreachable(skb)` is told of each
    packet that waited in vain, and owns it; its data begins at the IP header.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        dev: NetDevice,
        address: Callable[[], bytes],
        alloc_skb: Callable[[int], SkBuff],
        unreachable: Callable[[SkBuff], None],
    ) -> None:
        self.entries: dict[bytes, Neighbour] = {}
        self.stats: Counter[str] = Counter()
        self._scheduler = scheduler
        self._dev = dev
        self._address = address
        self._alloc_skb = alloc_skb
        self._unreachable = unreachable

    def output(self, skb: SkBuff, next_hop: bytes) -> None:
        """Send an IP packet to `next_hop`: at once when its address is known, else after ARP."""
        entry = self.entries.get(next_hop) or self._new(next_hop)
        if entry is None:
            skb.free()
            return
        entry.used = self._scheduler.now
        if entry.state is NudState.STALE:
            self._enter(entry, NudState.DELAY, DELAY_TIME)
        if entry.mac is not None and entry.state is not NudState.FAILED:
            self._transmit(skb, entry.mac, eth.ETHERTYPE_IPV4)
            return
        entry.queue.append(skb)
        if len(entry.queue) > QUEUE_LENGTH:
            self.stats["arp_queue_full"] += 1
            entry.queue.popleft().free()
        if entry.state is not NudState.INCOMPLETE:
            entry.probes = 0
            self._enter(entry, NudState.INCOMPLETE, RETRANS_TIME)
            self._ask(entry, None)

    def broadcast(self, skb: SkBuff) -> bool:
        """Send an IP packet to everybody on the link (RFC 919 §7); False: the device's queue is full."""
        return self._transmit(skb, eth.BROADCAST, eth.ETHERTYPE_IPV4)

    def multicast(self, skb: SkBuff, group: bytes) -> bool:
        """Send an IP packet to `group` (RFC 1112 §6.4); False: the device's queue is full."""
        mac = bytes((1, 0, 0x5E, group[1] & 0x7F)) + group[2:]
        return self._transmit(skb, mac, eth.ETHERTYPE_IPV4)

    def input(self, skb: SkBuff) -> None:
        """An ARP packet from the device, Ethernet header pulled. Consumes it."""
        to_us = (
            skb.mac_header is None
            or bytes(skb.memory.slice(skb.mac_header, len(self._dev.mac))) == self._dev.mac
        )
        try:
            packet = arp.parse(skb.bytes())
        except WireError as error:
            self.stats[error.reason] += 1
            return
        finally:
            skb.free()
        own = self._address()
        if packet.spa == own:
            self.stats["arp_address_conflict"] += 1  # somebody else claims it (RFC 5227 §2.4)
            return
        # RFC 826: update what is known of the sender; learn it only if the packet is meant for us.
        entry = self.entries.get(packet.spa)
        for_us = packet.tpa == own
        if entry is None and for_us and packet.spa != bytes(4):
            entry = self._new(packet.spa)
        if entry is not None:
            asks_us = packet.op == arp.REQUEST and for_us
            overrides = asks_us or self._scheduler.now - entry.updated > LOCK_TIME
            self._learned(entry, packet.sha, packet.op == arp.REPLY and to_us, overrides)
        if packet.op == arp.REQUEST and for_us:
            self.stats["arp_requests_in"] += 1
            self._send(arp.ArpPacket(arp.REPLY, self._dev.mac, own, packet.sha, packet.spa), packet.sha)
        elif packet.op == arp.REPLY and for_us:
            self.stats["arp_replies_in"] += 1

    def confirm(self, next_hop: bytes) -> None:
        """An upper layer makes progress by way of `next_hop` (RFC 1122 §2.3.2.1, hint (3)): REACHABLE lasts
        longer, DELAY ends without a probe."""
        entry = self.entries.get(next_hop)
        if entry is not None:
            entry.confirmed = self._scheduler.now

    def flush(self) -> None:
        """Forget everything; packets that wait are dropped."""
        for entry in self.entries.values():
            if entry.timer is not None:
                entry.timer.cancel()
            while entry.queue:
                entry.queue.popleft().free()
        self.entries.clear()

    # ---- states ----

    def _new(self, address: bytes) -> Neighbour | None:
        """An entry for `address`; None if there are too many of which nothing can be spared."""
        if len(self.entries) >= FEW:
            self._collect()
        if len(self.entries) >= MOST:
            self.stats["arp_table_full"] += 1
            return None
        entry = self.entries[address] = Neighbour(address)
        entry.used = self._scheduler.now
        return entry

    def _collect(self) -> None:
        """Forget what was not used for long; all that may be forgotten, if the table is full."""
        now, full = self._scheduler.now, len(self.entries) >= MOST
        for entry in list(self.entries.values()):
            idle = entry.state in (NudState.STALE, NudState.FAILED)
            if idle and (full or now - entry.used >= GC_STALE_TIME):
                del self.entries[entry.address]

    def _enter(self, entry: Neighbour, state: NudState, stay: int) -> None:
        """Be `state` for `stay` ps; 0: until something happens."""
        if entry.timer is not None:
            entry.timer.cancel()
        entry.timer = self._scheduler.after(stay, lambda: self._expired(entry)) if stay else None
        entry.state = state
        entry.updated = self._scheduler.now

    def _expired(self, entry: Neighbour) -> None:
        state, now = entry.state, self._scheduler.now
        if state is NudState.REACHABLE:
            left = entry.confirmed + REACHABLE_TIME - now
            if left > 0:
                entry.timer = self._scheduler.after(left, lambda: self._expired(entry))
            else:
                self._enter(entry, NudState.STALE, 0)
        elif state is NudState.DELAY and entry.confirmed + DELAY_TIME >= now:
            self._enter(entry, NudState.REACHABLE, entry.confirmed + REACHABLE_TIME - now)
        elif state is NudState.DELAY:
            entry.probes = 0
            self._enter(entry, NudState.PROBE, RETRANS_TIME)
            self._ask(entry, entry.mac)
        elif entry.probes < PROBES:  # INCOMPLETE or PROBE: ask again
            self._enter(entry, state, RETRANS_TIME)
            self._ask(entry, entry.mac if state is NudState.PROBE else None)
        else:
            self._failed(entry)

    def _failed(self, entry: Neighbour) -> None:
        self.stats["arp_failed"] += 1
        entry.mac = None
        self._enter(entry, NudState.FAILED, 0)
        waiting, entry.queue = entry.queue, deque()
        for skb in waiting:
            self._unreachable(skb)

    def _learned(self, entry: Neighbour, mac: bytes, solicited: bool, overrides: bool) -> None:
        changed = entry.mac != mac
        if changed and entry.mac is not None and not overrides:
            self.stats["arp_locked"] += 1
            return
        entry.mac = mac
        if solicited:
            entry.confirmed = self._scheduler.now
            if changed or entry.state is not NudState.REACHABLE:
                self._enter(entry, NudState.REACHABLE, REACHABLE_TIME)
        elif changed or entry.state in (NudState.INCOMPLETE, NudState.FAILED):
            self._enter(entry, NudState.STALE, 0)
        waiting, entry.queue = entry.queue, deque()
        for skb in waiting:
            self._transmit(skb, mac, eth.ETHERTYPE_IPV4)

    # ---- sending ----

    def _ask(self, entry: Neighbour, mac: bytes | None) -> None:
        entry.probes += 1
        self.stats["arp_requests_out"] += 1
        packet = arp.ArpPacket(arp.REQUEST, self._dev.mac, self._address(), bytes(6), entry.address)
        self._send(packet, mac or eth.BROADCAST)

    def _send(self, packet: arp.ArpPacket, mac: bytes) -> None:
        try:
            skb = self._alloc_skb(arp.LENGTH)
        except MemoryError:
            self.stats["arp_no_memory"] += 1
            return
        skb.put(arp.LENGTH)[:] = arp.emit(packet)
        self._transmit(skb, mac, eth.ETHERTYPE_ARP)

    def _transmit(self, skb: SkBuff, mac: bytes, ethertype: int) -> bool:
        dev = self._dev
        skb.push(eth.HEADER_LEN)[:] = eth.emit(mac, dev.mac, ethertype)
        skb.protocol = ethertype
        skb.dev = dev
        return dev.xmit(skb)
