"""LISTEN: the queue of half-open connections and the queue of finished ones."""

from typing import TYPE_CHECKING

from pymodel.task import WaitQueue
from pymodel.tcp.connection import TcpConnection

if TYPE_CHECKING:
    from pymodel.tcp.layer import TcpLayer


class Listener:
    """A listening port. `queue` is woken when a finished connection arrives; `backlog` may be set."""

    def __init__(self, layer: "TcpLayer", local: tuple[bytes, int], backlog: int) -> None:
        self.layer = layer
        self.local = local
        self.backlog = backlog
        self.queue = WaitQueue()

    @property
    def pending(self) -> int:
        """Finished connections that nobody has accepted yet."""
        raise NotImplementedError

    def accept(self) -> TcpConnection | None:
        """The oldest finished connection, or None."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop listening; connections nobody accepted are reset."""
        raise NotImplementedError
