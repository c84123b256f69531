"""What the socket layer asks of TCP and IP: the seam at which either can be replaced in a test."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Protocol

from pymodel.task import WaitQueue


class Connection(Protocol):
    """`pymodel.tcp.TcpConnection`. `sndbuf` and `rcvbuf` are bytes of payload."""

    local: tuple[bytes, int]
    remote: tuple[bytes, int]
    queue: WaitQueue
    nodelay: bool
    sndbuf: int
    rcvbuf: int

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

    def take_error(self) -> int:
        """`error`, cleared."""

    def send(self, data: bytes | memoryview) -> int:
        """Copies what fits."""

    def recv(self, n: int, peek: bool = False) -> bytes:
        """Up to `n` bytes."""

    def shutdown_write(self) -> None:
        """FIN after what is queued."""

    def close(self) -> None:
        """FIN, or RST if unread data is lost."""

    def abort(self) -> None:
        """RST."""

    def info(self) -> dict[str, Any]:
        """Figures of the TCB."""


class Listening(Protocol):
    """`pymodel.tcp.Listener`."""

    queue: WaitQueue
    backlog: int

    @property
    def pending(self) -> int:
        """Connections that wait for `accept`."""

    def accept(self) -> Connection | None:
        """The oldest finished connection."""

    def close(self) -> None:
        """Stop listening."""


class Tcp(Protocol):
    """`pymodel.tcp.TcpLayer`."""

    @property
    def connections(self) -> Mapping[tuple[bytes, int, bytes, int], Connection]:
        """By (local address, local port, remote address, remote port)."""

    def connect(
        self, local: tuple[bytes, int], remote: tuple[bytes, int], options: Any = None, **more: Any
    ) -> Connection:
        """Sends the SYN; options as in `pymodel.tcp.TcpOptions`."""

    def listen(self, local: tuple[bytes, int], backlog: int, options: Any = None, **more: Any) -> Listening:
        """Opens passively; options as for `connect`."""


class SourceOf(Protocol):
    """The one question that sockets put to IP."""

    def source_for(self, dst: bytes) -> bytes | None:
        """The local address for packets to `dst`; None: no route."""
