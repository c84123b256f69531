"""ICMP of one host (RFC 792, RFC 1122 §3.2.2): answers echo, reports errors both ways."""

import errno
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple, Protocol

from pymodel.scheduler import Scheduler
from pymodel.simtime import SEC
from pymodel.skbuff import SkBuff
from pymodel.wire import icmp, ipv4
from pymodel.wire.errors import WireError

ERRORS_PER_SECOND = 1000
"""Error messages sent at most (RFC 1812 §4.3.2.8; Linux: icmp_msgs_per_sec)."""

_ERRNO = {
    icmp.NET_UNREACHABLE: errno.ENETUNREACH,
    icmp.HOST_UNREACHABLE: errno.EHOSTUNREACH,
    icmp.PROTOCOL_UNREACHABLE: errno.ENOPROTOOPT,
    icmp.PORT_UNREACHABLE: errno.ECONNREFUSED,
    icmp.FRAGMENTATION_NEEDED: errno.EMSGSIZE,
    5: errno.EOPNOTSUPP,  # source route failed
    6: errno.ENETUNREACH,
    7: errno.EHOSTDOWN,
    8: errno.ENONET,
    9: errno.ENETUNREACH,
    10: errno.EHOSTUNREACH,
    11: errno.ENETUNREACH,
    12: errno.EHOSTUNREACH,
    13: errno.EHOSTUNREACH,
    14: errno.EHOSTUNREACH,
    15: errno.EHOSTUNREACH,
}
"""Codes of "destination unreachable", as icmp(7) maps them."""

ErrorHandler = Callable[[int, bytes, bytes, bytes], None]
"""(errno, src, dst, first bytes of the transport header) of a packet that we sent."""


class Report(NamedTuple):
    """The message behind an error: its type, code and second word, and who sent it."""

    kind: int
    code: int
    info: int
    offender: bytes


class Sender(Protocol):
    """The part of the IP layer that ICMP uses."""

    def send(self, skb: SkBuff, proto: int, src: bytes, dst: bytes, *, ttl: int = 64, tos: int = 0,
             dont_fragment: bool = True) -> int:  # fmt: skip
        """Send a packet; 0 or an errno."""

    def alloc_skb(self, size: int) -> SkBuff:
        """A buffer with headroom."""


class IcmpLayer:
    """`on_error`: IP protocol → handler of errors about its packets; `echo` hears echo replies.

    `cause`: while a handler runs, the message that it is told of.
    """

    def __init__(self, scheduler: Scheduler, ip: Sender) -> None:
        self.stats: Counter[str] = Counter()
        self.on_error: dict[int, ErrorHandler] = {}
        self.cause: Report | None = None
        self.echo: Callable[[bytes, icmp.IcmpMessage], None] | None = None
        self._scheduler = scheduler
        self._ip = ip
        self._tokens = ERRORS_PER_SECOND
        self._refilled = 0

    def input(self, skb: SkBuff, src: bytes, dst: bytes) -> None:
        """A message from IP. Consumes it."""
        data = skb.bytes()
        skb.free()
        try:
            message = icmp.parse(data)
        except WireError as error:
            self.stats[error.reason] += 1
            return
        if message.kind == icmp.ECHO_REQUEST:
            self.stats["icmp_echo_requests_in"] += 1
            self._send(message._replace(kind=icmp.ECHO_REPLY), dst, src)
        elif message.kind == icmp.ECHO_REPLY:
            self.stats["icmp_echo_replies_in"] += 1
            if self.echo is not None:
                self.echo(src, message)
        elif message.kind in icmp.ERRORS:
            self._error_in(message, src)
        else:
            self.stats["icmp_ignored"] += 1

    def ping(self, src: bytes, dst: bytes, ident: int, sequence: int, payload: bytes) -> int:
        """Send an echo request; 0 or an errno."""
        return self._send(icmp.IcmpMessage(icmp.ECHO_REQUEST, 0, ident << 16 | sequence, payload), src, dst)

    def report(self, kind: int, code: int, packet: bytes, src: bytes, dst: bytes) -> None:
        """Tell `dst` that `packet` (IP header first) was not delivered, within RFC 1122 §3.2.2's limits.

        The caller has made sure that `packet` was no broadcast, no later fragment and no ICMP error.
        """
        now = self._scheduler.now
        if now - self._refilled >= SEC:
            self._tokens, self._refilled = ERRORS_PER_SECOND, now
        if not self._tokens:
            self.stats["icmp_rate_limited"] += 1
            return
        self._tokens -= 1
        self.stats["icmp_errors_out"] += 1
        # RFC 1812 §4.3.2.3: as much of the packet as fits into 576 bytes.
        quoted = packet[: 576 - ipv4.HEADER_LEN - icmp.HEADER_LEN]
        self._send(icmp.IcmpMessage(kind, code, 0, quoted), src, dst)

    def _error_in(self, message: icmp.IcmpMessage, offender: bytes) -> None:
        quoted = message.payload
        # The quoted packet is cut short, so its length and checksum cannot be checked as for a whole one.
        # RFC 792: its header with all options, and eight bytes behind it.
        header_len = (quoted[0] & 15) << 2 if quoted else 0
        if header_len < ipv4.HEADER_LEN or len(quoted) < header_len + 8 or quoted[0] >> 4 != 4:
            self.stats["icmp_short_quote"] += 1
            return
        self.stats["icmp_errors_in"] += 1
        if message.kind == icmp.UNREACHABLE:
            error = _ERRNO.get(message.code, errno.EHOSTUNREACH)
        elif message.kind == icmp.TIME_EXCEEDED:
            error = errno.EHOSTUNREACH
        elif message.kind == icmp.PARAMETER_PROBLEM:
            error = errno.EPROTO
        else:  # source quench and redirect are ignored (RFC 6633; we are no router's host)
            return
        handler = self.on_error.get(quoted[9])
        if handler is not None:
            info = message.rest & 0xFFFF if error == errno.EMSGSIZE else 0
            self.cause = Report(message.kind, message.code, info, offender)
            handler(error, quoted[12:16], quoted[16:20], quoted[header_len:])
            self.cause = None

    def _send(self, message: icmp.IcmpMessage, src: bytes, dst: bytes) -> int:
        data = icmp.emit(message)
        try:
            skb = self._ip.alloc_skb(len(data))
        except MemoryError:
            return errno.ENOBUFS
        skb.put(len(data))[:] = data
        return self._ip.send(skb, ipv4.PROTO_ICMP, src, dst, dont_fragment=False)
