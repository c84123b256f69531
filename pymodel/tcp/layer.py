"""The demultiplexer: from IP to connections and listeners, and back."""

from collections import Counter

from pymodel.scheduler import Scheduler
from pymodel.skbuff import SkBuff
from pymodel.tcp.connection import TcpConnection
from pymodel.tcp.ipsender import IpSender
from pymodel.tcp.listener import Listener
from pymodel.tcp.profile import LINUX, Profile


class TcpLayer:
    """TCP of one host. `stats` counts segments, and drops by reason."""

    def __init__(
        self, scheduler: Scheduler, ip: IpSender, *, profile: Profile = LINUX, secret: bytes
    ) -> None:
        self.scheduler = scheduler
        self.ip = ip
        self.profile = profile
        self.stats: Counter[str] = Counter()
        self.connections: dict[tuple[bytes, int, bytes, int], TcpConnection] = {}
        self.listeners: dict[tuple[bytes, int], Listener] = {}

    def input(self, skb: SkBuff, src: bytes, dst: bytes) -> None:
        """A segment from IP: `skb`'s data begins at the TCP header. Consumes it."""
        raise NotImplementedError

    def unreachable(self, error: int, src: bytes, dst: bytes, sport: int, dport: int, seq: int) -> None:
        """ICMP or the neighbour layer reports `error` (errno) about a segment that we sent."""
        raise NotImplementedError

    def connect(
        self, local: tuple[bytes, int], remote: tuple[bytes, int], **opts: int
    ) -> TcpConnection:
        """Open actively: sends the SYN and returns at once, in SYN-SENT. `opts`: nodelay, sndbuf, rcvbuf."""
        raise NotImplementedError

    def listen(self, local: tuple[bytes, int], backlog: int) -> Listener:
        """Open passively; address b"\\0\\0\\0\\0" is any. OSError(EADDRINUSE) if `local` is listened on."""
        raise NotImplementedError
