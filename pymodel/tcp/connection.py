"""One connection as a socket layer holds it."""

from typing import TYPE_CHECKING

from pymodel.task import WaitQueue
from pymodel.tcp.state import State

if TYPE_CHECKING:
    from pymodel.tcp.layer import TcpLayer


class TcpConnection:
    """A connection, made by `TcpLayer.connect` or `Listener.accept`.

    `queue` is woken at any change that a reader, writer or connector may care about. Nothing here
    blocks. `sndbuf` and `rcvbuf` are in bytes of payload.
    """

    def __init__(self, layer: "TcpLayer", local: tuple[bytes, int], remote: tuple[bytes, int]) -> None:
        self.layer = layer
        self.local = local
        self.remote = remote
        self.queue = WaitQueue()
        self.nodelay = False
        self.sndbuf = 0
        self.rcvbuf = 0

    @property
    def state(self) -> State:
        """RFC 9293 §3.3.2."""
        raise NotImplementedError

    @property
    def error(self) -> int:
        """The pending error (errno) or 0: so_error, sticky until `take_error`."""
        raise NotImplementedError

    def take_error(self) -> int:
        """The pending error, which is then cleared (SO_ERROR)."""
        raise NotImplementedError

    @property
    def readable(self) -> int:
        """Bytes that `recv` can return now."""
        raise NotImplementedError

    @property
    def eof(self) -> bool:
        """The peer's FIN has been received and everything before it read."""
        raise NotImplementedError

    @property
    def writable(self) -> int:
        """Bytes that `send` would take now."""
        raise NotImplementedError

    def send(self, data: bytes | memoryview) -> int:
        """Copy what fits into the send buffer and return how many bytes that was; then push output."""
        raise NotImplementedError

    def recv(self, n: int, peek: bool = False) -> bytes:
        """Up to `n` bytes; b"" if none is there. Opens the window."""
        raise NotImplementedError

    def shutdown_write(self) -> None:
        """No more data will be sent: FIN after what is queued (half close)."""
        raise NotImplementedError

    def close(self) -> None:
        """The program lets go: unread data → RST, else FIN after what is queued."""
        raise NotImplementedError

    def abort(self) -> None:
        """RST, and CLOSED at once."""
        raise NotImplementedError

    def info(self) -> dict[str, int | str]:
        """Figures of the TCB, by the RFCs' names."""
        raise NotImplementedError
