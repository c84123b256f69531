"""SO_PEEK_OFF (socket(7)): where in its receive queue a socket peeks, moved by each call that receives."""

from collections.abc import Callable, Iterable

from pymodel.socket import constants as c
from pymodel.socket.options import Options

_KEY = c.SOL_SOCKET, c.SO_PEEK_OFF


class PeekOffset:
    """The option as kept in `options()`: -1 is off, and peeking begins at the front of the queue."""

    __slots__ = ("_empty", "_options")

    def __init__(self, options: Callable[[], Options]) -> None:
        self._options = options
        self._empty: set[int] = set()
        """Messages without data, by id, that a peek has shown: the next one goes on behind them."""

    @property
    def value(self) -> int:
        """In bytes from the front of the queue."""
        return self._options().number(*_KEY)

    def moved(self, count: int) -> None:
        """`count` bytes were peeked at; less than 0: so many have left the queue (sk_peek_offset_bwd)."""
        if self.value >= 0:
            self._options().numbers[_KEY] = max(self.value + count, 0)

    def locate(self, messages: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
        """Index of the message to show next, and where in it; None: the queue is not that long.

        `messages` are (length, id) in the order of the queue (__skb_try_recv_from_queue).
        """
        offset = self.value
        for index, (length, name) in enumerate(messages):
            if offset >= length and (offset or name in self._empty):
                offset -= length
                continue
            if not length:
                self._empty.add(name)
            return index, max(offset, 0)
        return None

    def forget(self, name: int) -> None:
        """That message is gone."""
        self._empty.discard(name)
