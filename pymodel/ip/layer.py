"""IPv4 of one host (RFC 791, RFC 1122 §3): addresses, output by the routing table, input and delivery.

A host, not a router: packets for others are counted and dropped. Fragments are reassembled (`fragments`); a
packet beyond the path's MTU is cut into some where its sender allows it, else EMSGSIZE.
"""

import errno
import ipaddress
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pymodel.gso import GSO_MAX_SEGS, checksum_help
from pymodel.hostmem import HostMemory
from pymodel.ip.fragments import Fragments
from pymodel.ip.icmp import IcmpLayer, Report
from pymodel.ip.neigh import NeighbourTable
from pymodel.ip.pathmtu import PathMtus
from pymodel.ip.route import Route, RoutingTable, mask
from pymodel.loopback import LoopbackDevice
from pymodel.netdev import Features, NetDevice
from pymodel.scheduler import Scheduler
from pymodel.skbuff import Checksum, SkBuff, alloc_skb
from pymodel.wire import eth, icmp, ipv4
from pymodel.wire.errors import WireError

HEADROOM = 128
"""Room in front of a payload: Ethernet (14), IPv4 (20), TCP with all options (60), and to spare."""

MAX_PACKET = 0xFFFF
"""What the total length field can say; the loopback's MTU is one more."""

Handler = Callable[[SkBuff, bytes, bytes], None]
"""(skb, src, dst): data begins at the transport header; consumes the skb."""


_HEADERS_MAX = 120
"""IPv4 and TCP with all options that their length fields allow: these are linear in what goes up."""


def _tcp_header_len(skb: SkBuff) -> int:
    return skb.linear()[12] >> 4 << 2


@dataclass(slots=True)
class Interface:
    """A device with its address. `neighbours` is None where there is no ARP (`lo`)."""

    dev: NetDevice
    address: bytes
    length: int
    neighbours: NeighbourTable | None

    @property
    def broadcast(self) -> bytes:
        """The subnet's directed broadcast address."""
        host_bits = (1 << (32 - self.length)) - 1
        return (int.from_bytes(self.address, "big") | host_bits).to_bytes(4, "big")


class IpLayer:
    """One host's IPv4. `seed` starts the identification counter. `stats` counts drops by reason."""

    def __init__(self, scheduler: Scheduler, memory: HostMemory, *, seed: int = 0) -> None:
        self.routes = RoutingTable()
        self.path_mtus = PathMtus()
        self.fragments = Fragments(scheduler, self._reassembly_expired)
        self.interfaces: list[Interface] = []
        self.stats: Counter[str] = Counter()
        self.icmp = IcmpLayer(scheduler, self)
        self._scheduler = scheduler
        self._memory = memory
        self._handlers: dict[int, Handler] = {ipv4.PROTO_ICMP: self.icmp.input}
        self._local: dict[bytes, Interface] = {}
        self._broadcast: set[bytes] = {ipv4.BROADCAST}
        self._neighbours: dict[NetDevice, NeighbourTable] = {}
        self._ident = random.Random(seed).randrange(0x10000)
        self._lo = LoopbackDevice(scheduler)
        self.add_interface(self._lo, "127.0.0.1/8")

    # ---- configuration ----

    def add_interface(self, dev: NetDevice, address: str) -> Interface:
        """Give `dev` an address, as `ip addr add 10.0.0.1/24 dev eth0`: with it comes the subnet's route."""
        parsed = ipaddress.IPv4Interface(address)
        own, length = parsed.ip.packed, parsed.network.prefixlen
        neighbours = None
        if dev is not self._lo:
            neighbours = NeighbourTable(
                self._scheduler, dev, lambda: own, self.alloc_skb, self._neighbour_failed
            )
            self._neighbours[dev] = neighbours
        interface = Interface(dev, own, length, neighbours)
        self.interfaces.append(interface)
        self._local[own] = interface
        if length < 31:  # RFC 3021: smaller subnets have no broadcast address
            self._broadcast.add(interface.broadcast)
        if dev is not self._lo:
            self.routes.add(Route(own, 32, self._lo, own))
        self.routes.add(Route(mask(own, length), length, dev, own))
        dev.rx_handler = lambda skb: self._receive(interface, skb)
        return interface

    def add_route(
        self,
        destination: str,
        gateway: str,
        *,
        metric: int = 0,
        mtu: int | None = None,
        metrics: Mapping[str, int] | None = None,
    ) -> Route:
        """As `ip route add 0.0.0.0/0 via 10.0.0.254`. OSError(ENETUNREACH): the gateway is on no subnet."""
        network = ipaddress.IPv4Network(destination)
        via = ipaddress.IPv4Address(gateway).packed
        link = self.routes.lookup(via)
        if link is None or link.gateway is not None:
            raise OSError(errno.ENETUNREACH, f"the gateway {gateway} is on no connected subnet")
        prefix, length = network.network_address.packed, network.prefixlen
        route = Route(prefix, length, link.dev, link.src, via, metric, mtu, metrics or {})
        self.routes.add(route)
        return route

    def register(self, proto: int, handler: Handler) -> None:
        """Deliver packets of IP protocol `proto` to `handler`."""
        self._handlers[proto] = handler

    def is_local(self, address: bytes) -> bool:
        """True for an address of this host (all of 127.0.0.0/8 among them)."""
        return address in self._local or address[0] == 127

    def is_broadcast(self, address: bytes) -> bool:
        """True for the limited broadcast address and the directed ones of our subnets (RFC 1122 §3.2.1.3)."""
        return address in self._broadcast

    def local_addresses(self) -> list[bytes]:
        """Every address that an interface has."""
        return [interface.address for interface in self.interfaces]

    # ---- output ----

    def alloc_skb(self, size: int) -> SkBuff:
        """An empty buffer for `size` bytes of payload, with headroom for every header."""
        return alloc_skb(self._memory, size, HEADROOM)

    def source_for(self, dst: bytes) -> bytes | None:
        """The address that packets to `dst` leave with; None: no route."""
        route = self.routes.lookup(dst)
        return None if route is None else route.src

    def mtu_for(self, dst: bytes) -> int:
        """Largest IP packet towards `dst`, in bytes (576 without a route: RFC 1122 §3.3.3)."""
        route = self.routes.lookup(dst)
        return 576 if route is None else self._path_mtu(route, dst)

    def _path_mtu(self, route: Route, dst: bytes) -> int:
        return self.path_mtus.limit(dst, min(route.path_mtu(), MAX_PACKET), self._scheduler.now)

    def reduce_mtu(self, dst: bytes, mtu: int) -> None:
        """A router on the way to `dst` takes no packets beyond `mtu` bytes (RFC 1191 §3)."""
        self.path_mtus.reduce(dst, mtu, self.mtu_for(dst), self._scheduler.now)

    def gso_max_segs(self, dst: bytes) -> int:
        """Segments that an skb to `dst` may hold: its device, or the software in front of it, cuts them."""
        route = self.routes.lookup(dst)
        able = route is not None and route.dev.features & (Features.TSO | Features.GSO)
        return GSO_MAX_SEGS if able else 1

    def metrics_for(self, dst: bytes) -> Mapping[str, int]:
        """What the route to `dst` says for TCP (`Route.metrics`)."""
        route = self.routes.lookup(dst)
        return {} if route is None else route.metrics

    def send(
        self,
        skb: SkBuff,
        proto: int,
        src: bytes,
        dst: bytes,
        *,
        ttl: int = 64,
        tos: int = 0,
        dont_fragment: bool = True,
    ) -> int:
        """Route `skb` (transport header first), add the IP header and pass it on; consumes it.

        A super-segment (`SkBuff.gso_size`, with `dont_fragment`) takes an identification for each segment.
        0, ENETUNREACH (no route), EMSGSIZE (beyond the path's MTU, with `dont_fragment`, or beyond 65535) or
        ENOBUFS (the device's queue is full).
        """
        route = self.routes.lookup(dst)
        if route is None:
            self.stats["ip_no_route"] += 1
            skb.free()
            return errno.ENETUNREACH
        total_len = skb.len + ipv4.HEADER_LEN
        limit = self._path_mtu(route, dst)
        segments = 1
        longest = total_len
        if skb.gso_size:
            segments = skb.gso_segs
            longest = ipv4.HEADER_LEN + _tcp_header_len(skb) + skb.gso_size
        if total_len > MAX_PACKET or (longest > limit and (dont_fragment or segments > 1)):
            self.stats["ip_too_big"] += 1
            skb.free()
            return errno.EMSGSIZE
        ident = self._ident + 1 & 0xFFFF
        self._ident = self._ident + segments & 0xFFFF
        if longest <= limit:
            flags = ipv4.DF if dont_fragment else 0
            return self._emit(route, skb, ident, flags, proto, src, dst, ttl, tos)
        if skb.ip_summed is Checksum.PARTIAL:
            checksum_help(skb)
        # RFC 791 §3.2: every fragment but the last a multiple of eight bytes, under one identification.
        data = skb.bytes()
        skb.free()
        size = (limit - ipv4.HEADER_LEN) & ~7
        for at in range(0, len(data), size):
            part = data[at : at + size]
            piece = self.alloc_skb(len(part))
            piece.put(len(part))[:] = part
            flags = at >> 3 | (ipv4.MF if at + size < len(data) else 0)
            error = self._emit(route, piece, ident, flags, proto, src, dst, ttl, tos)
            if error:
                return error
            self.stats["ip_fragments_out"] += 1
        return 0

    def _emit(
        self,
        route: Route,
        skb: SkBuff,
        ident: int,
        flags: int,
        proto: int,
        src: bytes,
        dst: bytes,
        ttl: int,
        tos: int,
    ) -> int:
        """Add the IP header with `ident` and fragment field `flags`; hand `skb` to device or neighbours."""
        total_len = skb.len + ipv4.HEADER_LEN
        skb.transport_header = skb.data
        ipv4.emit_into(
            skb.push(ipv4.HEADER_LEN),
            total_len=total_len,
            ident=ident,
            fragment=flags,
            ttl=ttl,
            proto=proto,
            src=src,
            dst=dst,
            tos=tos,
        )
        skb.network_header = skb.data
        skb.protocol = eth.ETHERTYPE_IPV4
        self.stats["ip_out"] += 1
        dev = route.dev
        neighbours = self._neighbours.get(dev)
        if neighbours is None:
            eth.emit_into(skb.push(eth.HEADER_LEN), bytes(6), bytes(6), eth.ETHERTYPE_IPV4)
            skb.dev = dev
            return 0 if dev.xmit(skb) else errno.ENOBUFS
        if dst in self._broadcast:
            return 0 if neighbours.broadcast(skb) else errno.ENOBUFS
        neighbours.output(skb, route.gateway or dst)
        return 0

    def _neighbour_failed(self, skb: SkBuff) -> None:
        """ARP got no answer for a packet of ours: as if the first router had said "host unreachable"."""
        data = skb.bytes()
        skb.free()
        header = ipv4.parse(data)
        handler = self.icmp.on_error.get(header.proto)
        if handler is not None:
            self.icmp.cause = Report(icmp.UNREACHABLE, icmp.HOST_UNREACHABLE, 0, header.src)
            handler(errno.EHOSTUNREACH, header.src, header.dst, data[header.header_len :])
            self.icmp.cause = None

    # ---- input ----

    def _reassembly_expired(self, packet: bytes) -> None:
        header = ipv4.parse(packet)
        if header.dst not in self._broadcast and header.src != ipv4.ANY:
            kind, code = icmp.TIME_EXCEEDED, icmp.REASSEMBLY_EXCEEDED
            self.icmp.report(kind, code, packet, header.dst, header.src)

    def _receive(self, interface: Interface, skb: SkBuff) -> None:
        if skb.protocol == eth.ETHERTYPE_IPV4:
            self._input(interface, skb)
        elif skb.protocol == eth.ETHERTYPE_ARP and interface.neighbours is not None:
            interface.neighbours.input(skb)
        else:
            self.stats["eth_unknown_protocol"] += 1
            skb.free()

    def _input(self, interface: Interface, skb: SkBuff) -> None:
        """RFC 1122 §3.2.1: check, then deliver what is for us."""
        stats = self.stats
        stats["ip_in"] += 1
        if skb.data_len and skb.headlen < _HEADERS_MAX:
            skb.linearize()
        try:
            header = ipv4.parse(skb.linear(), skb.len)
        except WireError as error:
            stats[error.reason] += 1
            skb.free()
            return
        src, dst = header.src, header.dst
        reason = None
        to_broadcast = dst in self._broadcast
        if src == ipv4.BROADCAST or ipv4.is_multicast(src) or src in self._broadcast:
            reason = "ip_bad_source"
        elif (src[0] == 127 or dst[0] == 127) and interface.dev is not self._lo:
            reason = "ip_martian"  # RFC 1122 §3.2.1.3 (g): never outside the host
        elif dst not in self._local and not to_broadcast and dst[0] != 127:
            reason = "ip_not_for_us"
        if reason is not None:
            stats[reason] += 1
            skb.free()
            return
        skb.trim(header.total_len)  # what follows is Ethernet padding
        if header.fragment & (ipv4.MF | ipv4.OFFSET_MASK):
            stats["ip_fragments_in"] += 1
            whole = self.fragments.add(header, skb.bytes())
            skb.free()
            if whole is None:
                return
            stats["ip_reassembled"] += 1
            skb = self.alloc_skb(len(whole))
            skb.put(len(whole))[:] = whole
            skb.network_header = skb.data
            header = ipv4.parse(whole)
        handler = self._handlers.get(header.proto)
        if handler is None:
            stats["ip_unknown_protocol"] += 1
            packet = skb.bytes()
            skb.free()
            if not to_broadcast and src != ipv4.ANY:
                self.icmp.report(icmp.UNREACHABLE, icmp.PROTOCOL_UNREACHABLE, packet, dst, src)
            return
        if to_broadcast and header.proto == ipv4.PROTO_ICMP:
            stats["ip_broadcast_icmp_ignored"] += (
                1  # RFC 1122 §3.2.2.6 allows it; a smurf's amplifier otherwise
            )
            skb.free()
            return
        stats["ip_delivered"] += 1
        skb.pull(header.header_len)
        skb.transport_header = skb.data
        handler(skb, src, dst)
