"""What the socket layer asks of TCP and IP: the seam at which either can be replaced in a test."""

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, Protocol

from pymodel.task import WaitQueue
from pymodel.tcp import Profile, TcpOptions
from pymodel.tcp.txstamp import Stamps


class Connection(Protocol):
    """`pymodel.tcp.TcpConnection`. `sndbuf` is what SO_SNDBUF shows, `rcvbuf` half of SO_RCVBUF."""

    local: tuple[bytes, int]
    remote: tuple[bytes, int]
    queue: WaitQueue
    options: TcpOptions
    sndbuf: int
    rcvbuf: int
    snd_mss: int
    max_snd_wnd: int
    profile: Profile
    """The host's, as the route and the program have changed it."""

    @property
    def state(self) -> IntEnum:
        """RFC 9293 §3.3.2, named as there with underscores."""

    @property
    def error(self) -> int:
        """The pending errno, or 0."""

    @property
    def readable(self) -> int:
        """Bytes that `recv` returns now."""

    @property
    def eof(self) -> bool:
        """The peer's FIN has come and everything before it has been read."""

    @property
    def writable(self) -> int:
        """Bytes that `send` takes now."""

    @property
    def memory_used(self) -> tuple[int, int]:
        """Bytes that received data and the send queue take, with their buffers."""

    def take_error(self) -> int:
        """`error`, cleared."""

    @property
    def writable_for_poll(self) -> bool:
        """Whether poll(2) calls it writable."""

    @property
    def unsent(self) -> int:
        """Bytes in the send buffer that were never sent."""

    @property
    def unacknowledged(self) -> int:
        """Bytes in the send buffer, sent or not."""

    @property
    def opening(self) -> bool:
        """The handshake is not far enough for data."""

    @property
    def may_send(self) -> bool:
        """Data may be handed over."""

    @property
    def syn_deferred(self) -> bool:
        """The SYN waits for the first data (TCP_FASTOPEN_CONNECT)."""

    def fast_open(self, data: memoryview) -> int:
        """Sends the SYN that waited; how much of `data` it carries."""

    def set_option(self, name: str, value: Any) -> None:
        """Changes one of `TcpOptions`."""

    @property
    def quickack(self) -> bool:
        """ACKs are not delayed at present."""

    def set_quickack(self, on: bool) -> None:
        """Do not delay ACKs for a while, or do."""

    stamps: Stamps
    write_pending: bool
    """Somebody waits for the handshake to write."""

    def send(
        self,
        data: bytes | memoryview,
        *,
        more: bool = False,
        oob: bool = False,
        eor: bool = False,
        lent: bool = False,
        stamp: int = 0,
    ) -> int:
        """Takes what fits; MSG_MORE, MSG_OOB, MSG_EOR, MSG_ZEROCOPY, and SO_TIMESTAMPING (`stamp`)."""

    def lends(self, data: memoryview) -> bool:
        """Whether `lent` data is referred to, not copied."""

    def want_space(self, wanted: bool) -> None:
        """Somebody waits for room in the send buffer, or does no more."""

    def stamp_base(self, written: bool) -> int:
        """What time stamps count from."""

    def recv_oob(self, peek: bool = False) -> bytes:
        """The urgent byte; OSError: EINVAL, EAGAIN."""

    @property
    def at_mark(self) -> bool:
        """The next byte to read is the urgent one."""

    @property
    def urgent_ready(self) -> bool:
        """The urgent byte has come and is not read."""

    def recv(self, n: int, peek: bool = False) -> bytes:
        """Up to `n` bytes."""

    def shutdown_read(self) -> None:
        """The program reads no more."""

    def shutdown_write(self) -> None:
        """FIN after what is queued."""

    def close(self) -> None:
        """FIN, or RST if unread data is lost."""

    def abort(self) -> None:
        """RST."""

    def info(self) -> dict[str, int]:
        """Figures of the TCB, as TCP_INFO."""


class Listening(Protocol):
    """`pymodel.tcp.Listener`."""

    queue: WaitQueue
    backlog: int
    options: TcpOptions
    read_shut: bool
    send_shut: bool

    @property
    def pending(self) -> int:
        """Connections that wait for `accept`."""

    def accept(self) -> Connection | None:
        """The oldest finished connection."""

    def close(self) -> None:
        """Stop listening."""


class Tcp(Protocol):
    """`pymodel.tcp.TcpLayer`. `on_release`: called with a connection that has become CLOSED."""

    on_release: Callable[[Any], None] | None
    profile: Profile
    """Defaults, and whose socket layer it is."""

    @property
    def connections(self) -> Mapping[tuple[bytes, int, bytes, int], Connection]:
        """By (local address, local port, remote address, remote port)."""

    def connect(
        self, local: tuple[bytes, int], remote: tuple[bytes, int], options: Any = None, **more: Any
    ) -> Connection:
        """Sends the SYN; options as in `pymodel.tcp.TcpOptions`."""

    def port_is_free(self, local: tuple[bytes, int], remote: tuple[bytes, int], chosen: bool) -> bool:
        """`connect` may use these addresses; `chosen`: the port is to be found, not the program's own."""

    def listen(
        self,
        local: tuple[bytes, int],
        backlog: int,
        options: Any = None,
        *,
        share: bool = False,
        **more: Any,
    ) -> Listening:
        """Opens passively; options as for `connect`. `share`: others that do may listen there, too."""


class SourceOf(Protocol):
    """The one question that sockets put to IP."""

    def source_for(self, dst: bytes) -> bytes | None:
        """The local address for packets to `dst`; None: no route."""
