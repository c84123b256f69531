"""What a program can ask of one connection (tcp(7), socket(7)), by name, before and while it lives.

A socket layer keeps a `TcpOptions` for a socket that has no connection yet and hands it to
`TcpLayer.connect` or `TcpLayer.listen`; what a listener accepts inherits from it. On a living connection
`TcpConnection.set_option(name, value)` acts at once and `TcpConnection.options` shows what is set.
"""

from dataclasses import dataclass, field, fields
from typing import Any, Final


@dataclass(slots=True)
class TcpOptions:
    """Times in ps, sizes in bytes; None: the host's default. The socket option is named in each comment."""

    nodelay: bool | None = None
    """TCP_NODELAY: no Nagle. Setting it sends what waits."""
    cork: bool = False
    """TCP_CORK: no partial segment leaves (for 200 ms at most). Clearing it sends what waits."""
    maxseg: int = 0
    """TCP_MAXSEG: bound on both directions' MSS, 88…32767; 0: none. Before the handshake only."""
    syncnt: int | None = None
    """TCP_SYNCNT: SYN retransmissions before connecting fails (tcp_syn_retries)."""
    user_timeout: int = 0
    """TCP_USER_TIMEOUT (RFC 9293 §3.8.3): how long sent data may stay unacknowledged; 0: by tcp_retries2."""
    notsent_lowat: int | None = None
    """TCP_NOTSENT_LOWAT: see `TcpConnection.writable_for_poll`."""
    thin_linear_timeouts: bool = False
    """TCP_THIN_LINEAR_TIMEOUTS: with little in flight the first six time-outs are not doubled."""
    linger2: int | None = None
    """TCP_LINGER2: FIN-WAIT-2's duration once closed (tcp_fin_timeout); negative: none at all."""
    defer_accept: int = 0
    """TCP_DEFER_ACCEPT (listener): how long a handshake without data is held back from accept; 0: not."""
    window_clamp: int = 0
    """TCP_WINDOW_CLAMP: the receive window never exceeds it; 0: no bound but the buffer's."""
    congestion: str | None = None
    """TCP_CONGESTION: a name of `algorithms`."""
    sndbuf: int | None = None
    """Send buffer as SO_SNDBUF shows it: twice what was asked for."""
    rcvbuf: int | None = None
    """Receive buffer in payload bytes (half of what SO_RCVBUF shows)."""
    oobinline: bool = False
    """SO_OOBINLINE: the urgent byte stays in the stream."""
    tos: int = 0
    """IP_TOS; its two low bits belong to ECN."""
    ttl: int = 64
    """IP_TTL."""
    open_timeout: int | None = None
    """TCP_KEEPINIT of the BSDs: how long an active open may take."""
    stack: str = ""
    """TCP_FUNCTION_BLK of FreeBSD: "freebsd" or "rack"; "": the host's."""
    no_options: bool = False
    """TCP_NOOPT of the BSDs: SYNs carry no options, and those of the peer's are not agreed to."""
    keepalive: bool = False
    """SO_KEEPALIVE."""
    keepalive_idle: int | None = None
    """TCP_KEEPIDLE."""
    keepalive_interval: int | None = None
    """TCP_KEEPINTVL."""
    keepalive_count: int | None = None
    """TCP_KEEPCNT."""

    fastopen: int = 0
    """TCP_FASTOPEN (listener): connections in SYN-RECEIVED that may be made by Fast Open; 0: none."""
    fastopen_keys: tuple[bytes, ...] = ()
    """TCP_FASTOPEN_KEY (listener): instead of the host's."""
    fastopen_no_cookie: bool = False
    """TCP_FASTOPEN_NO_COOKIE: data in SYNs without a cookie."""

    md5_keys: dict[bytes, bytes] = field(default_factory=dict)
    """TCP_MD5SIG (RFC 2385): keys by the peer's address. Never changed, only replaced."""

    def update(self, values: dict[str, Any]) -> None:
        """Take over `values` by name. TypeError for a name that is none; ValueError as `check` raises it."""
        for name, value in values.items():
            check(name, value)
            setattr(self, name, value)


NAMES: Final = frozenset(known.name for known in fields(TcpOptions))

MIN_MAXSEG: Final = 88
"""TCP_MIN_MSS of Linux: the smallest TCP_MAXSEG that is taken."""
MAX_MAXSEG: Final = 32767


def check(name: str, value: Any) -> None:
    """TypeError for an unknown option, ValueError for a value that Linux answers with EINVAL."""
    if name not in NAMES:
        raise TypeError(f"no TCP option {name!r}; there are {', '.join(sorted(NAMES))}")
    if name == "maxseg" and value and not MIN_MAXSEG <= value <= MAX_MAXSEG:
        raise ValueError(f"maxseg {value} is outside {MIN_MAXSEG}…{MAX_MAXSEG}")
    if name == "syncnt" and value is not None and not 1 <= value <= 127:
        raise ValueError(f"syncnt {value} is outside 1…127")
    if name == "keepalive_count" and value is not None and not 1 <= value <= 127:
        raise ValueError(f"keepalive_count {value} is outside 1…127")
