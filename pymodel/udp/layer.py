"""The demultiplexer: from IP to endpoints and back, with the errors of both directions.

Counters are named as in Linux's /proc/net/snmp (RFC 4113) where they have a name there.
"""

import errno
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Final

from pymodel.skbuff import Checksum, SkBuff
from pymodel.udp.endpoint import Datagram, Endpoint, Refusal, truesize
from pymodel.udp.ipsender import IpSender
from pymodel.wire import ipv4
from pymodel.wire.errors import WireError
from pymodel.wire.udp import HEADER_LEN, PROTO, emit_into, parse

MAX_DATAGRAM: Final = 0xFFFF - ipv4.HEADER_LEN - HEADER_LEN
"""Most data that any IPv4 packet can carry: 65507 bytes."""

HARD_ERRORS: Final = frozenset(
    {errno.ECONNREFUSED, errno.ENOPROTOOPT, errno.EMSGSIZE, errno.EPROTO, errno.EHOSTDOWN}
)
"""ICMP errors that a connected endpoint is told of (RFC 1122 §4.1.3.3; icmp_err_convert in Linux).
The others may pass: a route that flaps ends no association."""

_PORTS = struct.Struct("!HH")

PortUnreachable = Callable[[bytes, bytes, bytes], None]
"""(IP packet, src, dst of the report): tell the sender that nobody listens there."""


class UdpLayer:
    """UDP of one host.

    `port_unreachable` sends the ICMP message. `stats` counts datagrams, and drops by reason.
    """

    def __init__(self, ip: IpSender, port_unreachable: PortUnreachable) -> None:
        self.ip = ip
        self.stats: Counter[str] = Counter()
        self._port_unreachable = port_unreachable
        self._ports: dict[int, list[Endpoint]] = {}

    # ---- the user's side ----

    def bind(self, endpoint: Endpoint, local: tuple[bytes, int]) -> None:
        """Deliver to `endpoint` what comes to `local` (zeros: any address). The caller says it may.

        An endpoint that is bound keeps its queue; its port stays the same until `unbind`.
        """
        if endpoint.local[1] != local[1]:
            self.unbind(endpoint)
            self._ports.setdefault(local[1], []).append(endpoint)
        endpoint.local = local

    def unbind(self, endpoint: Endpoint) -> None:
        """Nothing comes to `endpoint` any more; what it has sent and received goes its way."""
        address, port = endpoint.local
        if port:
            others = self._ports[port]
            others.remove(endpoint)
            if not others:
                del self._ports[port]
        endpoint.local = (address, 0)

    def send(
        self,
        endpoint: Endpoint,
        data: memoryview,
        src: bytes,
        dst: tuple[bytes, int],
        *,
        ttl: int = 64,
        tos: int = 0,
        discover: bool = True,
        fragment: bool = True,
        device: str | None = None,
        loop: bool = True,
    ) -> int:
        """Send one datagram from `src` and the endpoint's port to `dst`; 0 or an errno.

        `discover`: one that fits must not be fragmented on its way (RFC 1191). `fragment`: one that does not
        fit leaves in fragments; else EMSGSIZE. `device` and `loop` as for `IpSender.send`. A full queue of
        the device loses the datagram in silence, as Linux does without IP_RECVERR.
        """
        size = HEADER_LEN + len(data)
        fits = ipv4.HEADER_LEN + size <= self.ip.mtu_for(dst[0], device)
        if not fits and not fragment:
            return errno.EMSGSIZE
        try:
            skb = self.ip.alloc_skb(size)
        except MemoryError:
            return errno.ENOBUFS
        buffer = skb.put(size)
        buffer[HEADER_LEN:] = data
        emit_into(buffer, endpoint.local[1], dst[1], src, dst[0])
        charge = truesize(len(data))
        endpoint.sending += charge
        skb.destructor = lambda _: endpoint.sent(charge)
        error = self.ip.send(
            skb,
            PROTO,
            src,
            dst[0],
            ttl=ttl,
            tos=tos,
            dont_fragment=discover and fits,
            device=device,
            loop=loop,
        )
        if error == errno.ENOBUFS:
            self.stats["SndbufErrors"] += 1
            return 0
        if not error:
            self.stats["OutDatagrams"] += 1
        return error

    # ---- from IP ----

    def input(self, skb: SkBuff, src: bytes, dst: bytes) -> None:
        """A datagram from IP: `skb`'s data begins at the UDP header. Consumes it."""
        data = skb.bytes()
        verified = skb.ip_summed in (Checksum.UNNECESSARY, Checksum.PARTIAL)
        try:
            header = parse(data, src, dst, verified=verified)
        except WireError as error:
            self.stats["InErrors"] += 1
            self.stats[error.reason] += 1
            skb.free()
            return
        ttl = tos = 0
        if skb.network_header is not None:
            tos, ttl = (skb.memory.slice(skb.network_header + at, 1)[0] for at in (1, 8))
        datagram = Datagram(
            data[HEADER_LEN : header.length],
            (src, header.sport),
            (dst, header.dport),
            ttl,
            tos,
            skb.dev.name if skb.dev is not None else "",
        )
        if self.ip.is_broadcast(dst) or ipv4.is_multicast(dst):
            self._to_group(datagram, dst, header.dport)
            skb.free()
            return
        endpoint = self._lookup((dst, header.dport), datagram.sender)
        if endpoint is not None:
            skb.free()
            self._deliver(endpoint, datagram)
            return
        self.stats["NoPorts"] += 1
        packet = b""
        if skb.network_header is not None:
            skb.push(skb.data - skb.network_header)
            packet = skb.bytes()
        skb.free()
        if packet and src != ipv4.ANY:
            self._port_unreachable(packet, dst, src)

    def _lookup(self, local: tuple[bytes, int], sender: tuple[bytes, int]) -> Endpoint | None:
        """The endpoint that fits best; of equals the one opened last, as in Linux's hash chains.

        Equals that share a port by SO_REUSEPORT divide senders among them: each sender keeps to one.
        """
        best: list[Endpoint] = []
        high = 0
        for endpoint in self._ports.get(local[1], ()):
            score = endpoint.score(local[0], sender)
            if score > high or (score == high and not best):
                best, high = [endpoint], score
            elif score == high:
                best.append(endpoint)
        if len(best) > 1 and all(endpoint.share for endpoint in best):
            flow = b"".join((sender[0], local[0], _PORTS.pack(sender[1], local[1])))
            return best[zlib.crc32(flow) % len(best)]
        return best[-1] if best else None

    def _to_group(self, datagram: Datagram, dst: bytes, port: int) -> None:
        """A broadcast goes to every endpoint that fits (RFC 1122 §4.1.3.3), and gets no ICMP answer.

        So does what is sent to a group, where the endpoint `admits` it.
        """
        found = [e for e in self._ports.get(port, ()) if e.score(dst, datagram.sender) >= 0]
        if ipv4.is_multicast(dst):
            found = [e for e in found if e.admits(datagram)]
        for endpoint in found:
            self._deliver(endpoint, datagram)
        if not found:
            self.stats["IgnoredMulti"] += 1

    def _deliver(self, endpoint: Endpoint, datagram: Datagram) -> None:
        if endpoint.deliver(datagram):
            self.stats["InDatagrams"] += 1
        else:
            self.stats["InErrors"] += 1
            self.stats["RcvbufErrors"] += 1

    # ---- errors from below ----

    def unreachable(
        self,
        error: int,
        src: bytes,
        dst: bytes,
        sport: int,
        dport: int,
        *,
        cause: tuple[int, int, int, bytes] | None = None,
        payload: bytes = b"",
    ) -> None:
        """ICMP or the neighbour layer reports `error` (errno) about a datagram that we sent.

        `src`, `sport` are ours. An endpoint that wants every report (`refused`) gets it; else only a
        connected one is told, and only of `HARD_ERRORS`. `cause`: type, code, information and sender.
        """
        endpoint = self._lookup((src, sport), (dst, dport))
        if endpoint is None:
            self.stats["unreachable_no_endpoint"] += 1
        elif endpoint.refused is not None and cause is not None:
            self.stats["unreachable"] += 1
            endpoint.refused(Refusal(error, *cause, (dst, dport), payload))
            endpoint.fail(error)
        elif endpoint.remote is None or error not in HARD_ERRORS:
            self.stats["unreachable_ignored"] += 1
        else:
            self.stats["unreachable"] += 1
            endpoint.fail(error)
