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

from pymodel.gso import checksum_help
from pymodel.hostmem import HostMemory
from pymodel.ip.fragments import Fragments
from pymodel.ip.groups import Filter, Groups
from pymodel.ip.icmp import IcmpLayer, Report
from pymodel.ip.igmp import Igmp
from pymodel.ip.neigh import NeighbourTable
from pymodel.ip.pathmtu import PathMtus
from pymodel.ip.route import Route, RoutingTable, mask
from pymodel.loopback import LoopbackDevice
from pymodel.netdev import Features, NetDevice
from pymodel.scheduler import Scheduler
from pymodel.skbuff import Checksum, SkBuff, alloc_skb
from pymodel.wire import eth, icmp, igmp, ipv4
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
        self.groups = Groups(self._group_changed)
        self.igmp = Igmp(scheduler, self.groups, self._send_igmp, seed)
        self._handlers: dict[int, Handler] = {
            ipv4.PROTO_ICMP: self.icmp.input,
            igmp.PROTO: self._igmp_input,
        }
        self._admitted: set[tuple[bytes, bytes, NetDevice]] = set()
        """Source, destination and device of unicast packets that were found to be for us lately."""
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
        self._admitted.clear()
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
        metrics: Mapping[str, int | str] | None = None,
        mtu_locked: bool = False,
    ) -> Route:
        """As `ip route add 0.0.0.0/0 via 10.0.0.254`. OSError(ENETUNREACH): the gateway is on no subnet."""
        network = ipaddress.IPv4Network(destination)
        via = ipaddress.IPv4Address(gateway).packed
        link = self.routes.lookup(via)
        if link is None or link.gateway is not None:
            raise OSError(errno.ENETUNREACH, f"the gateway {gateway} is on no connected subnet")
        prefix, length = network.network_address.packed, network.prefixlen
        route = Route(prefix, length, link.dev, link.src, via, metric, mtu, metrics or {}, mtu_locked)
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

    # ---- devices and groups ----

    def device_of(self, address: bytes) -> str | None:
        """The name of the device that has `address`; all of 127/8 is `lo`'s."""
        if address[0] == 127:
            return self._lo.name
        interface = self._local.get(address)
        return None if interface is None else interface.dev.name

    def device_at(self, index: int) -> str | None:
        """The name of the device with interface index `index`: they count from 1, which is `lo`."""
        return self.interfaces[index - 1].dev.name if 0 < index <= len(self.interfaces) else None

    def index_of(self, device: str) -> int:
        """The interface index of `device`; 0: there is none of this name."""
        names = [interface.dev.name for interface in self.interfaces]
        return names.index(device) + 1 if device in names else 0

    def device_towards(self, dst: bytes) -> str | None:
        """The name of the device that packets to `dst` leave by; None: no route."""
        route = self.routes.lookup(dst)
        return None if route is None else route.dev.name

    def address_of(self, device: str) -> bytes:
        """The address of `device`. KeyError."""
        return self._interface(device).address

    def _interface(self, device: str) -> Interface:
        for interface in self.interfaces:
            if interface.dev.name == device:
                return interface
        raise KeyError(device)

    def _group_changed(self, device: str, group: bytes, old: Filter, new: Filter) -> None:
        self.igmp.changed(device, group, old, new)

    def _send_igmp(self, device: str, dst: bytes, message: bytes) -> None:
        interface = self._interface(device)
        packet = ipv4.with_router_alert(
            message, tos=0xC0, ttl=1, proto=igmp.PROTO, src=interface.address, dst=dst
        )
        skb = self.alloc_skb(len(packet))
        skb.put(len(packet))[:] = packet
        if interface.neighbours is None or not interface.neighbours.multicast(skb, dst):
            self.stats["igmp_not_sent"] += 1

    def _igmp_input(self, skb: SkBuff, src: bytes, dst: bytes) -> None:
        name = "" if skb.dev is None else skb.dev.name
        message = skb.bytes()
        skb.free()
        self.igmp.input(name, message)

    def _route(self, dst: bytes, device: str | None) -> Route | None:
        """The route to `dst`; to a group by `device`, if that is not None, whatever the table says."""
        if device is not None:
            interface = self._interface(device)
            return Route(dst, 32, interface.dev, interface.address)
        return self.routes.lookup(dst)

    # ---- output ----

    def alloc_skb(self, size: int) -> SkBuff:
        """An empty buffer for `size` bytes of payload, with headroom for every header."""
        return alloc_skb(self._memory, size, HEADROOM)

    def source_for(self, dst: bytes) -> bytes | None:
        """The address that packets to `dst` leave with; None: no route."""
        route = self.routes.lookup(dst)
        return None if route is None else route.src

    def mtu_for(self, dst: bytes, device: str | None = None) -> int:
        """Largest IP packet towards `dst`, in bytes (576 without a route: RFC 1122 §3.3.3).

        `device`: as for `send`.
        """
        route = self._route(dst, device)
        return 576 if route is None else self._path_mtu(route, dst)

    def _path_mtu(self, route: Route, dst: bytes) -> int:
        limit = route.path_mtu()
        if limit > MAX_PACKET:
            limit = MAX_PACKET
        return self.path_mtus.limit(dst, limit, self._scheduler.now) if self.path_mtus else limit

    def reduce_mtu(self, dst: bytes, mtu: int) -> None:
        """A router on the way to `dst` takes no packets beyond `mtu` bytes (RFC 1191 §3)."""
        route = self.routes.lookup(dst)
        if route is None or not route.mtu_locked:
            self.path_mtus.reduce(dst, mtu, self.mtu_for(dst), self._scheduler.now)

    def gso_max_segs(self, dst: bytes) -> int:
        """Segments that an skb to `dst` may hold: its device, or the software in front of it, cuts them."""
        route = self.routes.lookup(dst)
        able = route is not None and route.dev.features & (Features.TSO | Features.GSO)
        return route.dev.gso_max_segs if route is not None and able else 1

    def confirm(self, dst: bytes) -> None:
        """An upper layer makes progress with `dst`: the next hop is reachable (RFC 1122 §2.3.2.1)."""
        route = self.routes.lookup(dst)
        neighbours = None if route is None else self._neighbours.get(route.dev)
        if route is not None and neighbours is not None:
            neighbours.confirm(route.gateway or dst)

    def metrics_for(self, dst: bytes) -> Mapping[str, int | str]:
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
        device: str | None = None,
        loop: bool = True,
    ) -> int:
        """Route `skb` (transport header first), add the IP header and pass it on; consumes it.

        `device`: the name of the one to leave by, instead of the routing table's. `loop`: this host gets a
        copy of what goes to a group that it is a member of (RFC 1112 §6.1); of a broadcast it always does.

        A super-segment (`SkBuff.gso_size`, with `dont_fragment`) takes an identification for each segment.
        0, ENETUNREACH (no route), EMSGSIZE (beyond the path's MTU, with `dont_fragment`, or beyond 65535) or
        ENOBUFS (the device's queue is full).
        """
        route = self.routes.lookup(dst) if device is None else self._route(dst, device)
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
            flags = ipv4.DF if dont_fragment and not route.mtu_locked else 0
            return self._emit(route, skb, ident, flags, proto, src, dst, ttl, tos, loop)
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
            error = self._emit(route, piece, ident, flags, proto, src, dst, ttl, tos, loop)
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
        loop: bool,
    ) -> int:
        """Add the IP header with `ident` and fragment field `flags`; hand `skb` to device or neighbours."""
        total_len = skb.len + ipv4.HEADER_LEN
        skb.transport_header = skb.data
        ipv4.emit_into(skb.push(ipv4.HEADER_LEN), total_len, ident, flags, ttl, proto, src, dst, tos)
        skb.network_header = skb.data
        skb.protocol = eth.ETHERTYPE_IPV4
        self.stats["ip_out"] += 1
        dev = route.dev
        neighbours = self._neighbours.get(dev)
        if neighbours is None:
            skb.push(eth.HEADER_LEN)[:] = eth.emit(bytes(6), bytes(6), eth.ETHERTYPE_IPV4)
            skb.dev = dev
            return 0 if dev.xmit(skb) else errno.ENOBUFS
        if dst in self._broadcast:
            self._loop_back(dev, skb)
            return 0 if neighbours.broadcast(skb) else errno.ENOBUFS
        if ipv4.is_multicast(dst):
            if loop and self.groups.admits(dev.name, dst, src):
                self._loop_back(dev, skb)
            if not ttl:  # RFC 1112 §6.1: not beyond this host
                skb.free()
                return 0
            return 0 if neighbours.multicast(skb, dst) else errno.ENOBUFS
        neighbours.output(skb, route.gateway or dst)
        return 0

    def _loop_back(self, dev: NetDevice, skb: SkBuff) -> None:
        """This host gets a copy of its own packet, as if it had come in by `dev` (dev_loopback_xmit)."""
        try:
            copy = self.alloc_skb(skb.len)
        except MemoryError:
            self.stats["ip_loop_no_memory"] += 1
            return
        copy.put(skb.len)[:] = skb.bytes()
        copy.protocol, copy.network_header, copy.dev = eth.ETHERTYPE_IPV4, copy.data, dev
        copy.ip_summed = Checksum.UNNECESSARY
        interface = self._interface(dev.name)
        self._scheduler.call_soon(lambda: self._receive(interface, copy))

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
        header_len, _, total_len, _, fragment, _, proto, src, dst = header
        to_group = False
        if (src, dst, interface.dev) not in self._admitted:
            to_group = self._to_group(interface, proto, src, dst)
            reason = self._refusal(interface, src, dst, to_group)
            if reason:
                stats[reason] += 1
                skb.free()
                return
        if total_len < skb.len:
            skb.trim(total_len)  # what follows is Ethernet padding
        if fragment & (ipv4.MF | ipv4.OFFSET_MASK):
            stats["ip_fragments_in"] += 1
            whole, dev = self.fragments.add(header, skb.bytes()), skb.dev
            skb.free()
            if whole is None:
                return
            stats["ip_reassembled"] += 1
            skb = self.alloc_skb(len(whole))
            skb.put(len(whole))[:] = whole
            skb.network_header, skb.dev = skb.data, dev
            header_len = ipv4.parse(whole).header_len
        handler = self._handlers.get(proto)
        if handler is None:
            stats["ip_unknown_protocol"] += 1
            packet = skb.bytes()
            skb.free()
            if not to_group and src != ipv4.ANY:
                self.icmp.report(icmp.UNREACHABLE, icmp.PROTOCOL_UNREACHABLE, packet, dst, src)
            return
        if to_group and proto in (ipv4.PROTO_ICMP, ipv4.PROTO_TCP):
            # RFC 1122 §3.2.2.6 allows it for ICMP, or one could be a smurf's amplifier; RFC 9293 MUST-57
            stats["ip_broadcast_icmp_ignored" if proto == ipv4.PROTO_ICMP else "ip_group_tcp"] += 1
            skb.free()
            return
        stats["ip_delivered"] += 1
        skb.pull(header_len)
        skb.transport_header = skb.data
        handler(skb, src, dst)

    def _to_group(self, interface: Interface, proto: int, src: bytes, dst: bytes) -> bool:
        """`dst` is a broadcast address, or a group that we are in."""
        if ipv4.is_multicast(dst):  # IGMP hears what is sent to any group (ip_check_mc_rcu)
            return proto == igmp.PROTO or self.groups.admits(interface.dev.name, dst, src)
        return dst in self._broadcast

    def _refusal(self, interface: Interface, src: bytes, dst: bytes, to_group: bool) -> str:
        """Why packets from `src` to `dst` are dropped, as a name to count by; "": they are not."""
        if src == ipv4.BROADCAST or ipv4.is_multicast(src) or src in self._broadcast:
            return "ip_bad_source"
        if (src[0] == 127 or dst[0] == 127) and interface.dev is not self._lo:
            return "ip_martian"  # RFC 1122 §3.2.1.3 (g): never outside the host
        if dst not in self._local and not to_group and dst[0] != 127:
            return "ip_not_for_us"
        if not to_group:
            if len(self._admitted) >= 4096:  # a scan from many addresses must not grow it for ever
                self._admitted.clear()
            self._admitted.add((src, dst, interface.dev))
        return ""
