"""The real descriptors that the programs' sockets are: one epoll(7), which can be waited for itself."""

import select
from collections.abc import Callable


class Poller:
    """Calls back for what is ready. A `tb.links.pace.Port`: `poll` is called whenever time may go on."""

    sending = False

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._known: dict[int, tuple[int, Callable[[], None]]] = {}
        self._requests: set[int] = set()

    def fileno(self) -> int:
        """Readable when `poll` has something to do."""
        return self._epoll.fileno()

    def watch(
        self, fd: int, events: int | None, callback: Callable[[], None], *, request: bool = False
    ) -> None:
        """Call `callback` when `fd` has one of `events`, or a hang-up or error, as long as it does.

        None: for nothing, not even those. `request`: see `settle`.
        """
        known = self._known.get(fd)
        if events is None:
            self.forget(fd)
            return
        self._known[fd] = events, callback
        if request:
            self._requests.add(fd)
        if known is None:
            self._epoll.register(fd, events)
        elif known[0] != events:
            self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Before `fd` is closed."""
        if self._known.pop(fd, None) is not None:
            self._epoll.unregister(fd)
            self._requests.discard(fd)

    def settle(self) -> None:
        """Call back for everything but requests: what a program did before it asked has happened then."""
        self._look(requests=False)

    def poll(self) -> None:
        """Call back for everything that is ready now."""
        self._look(requests=True)

    def _look(self, *, requests: bool) -> None:
        for fd, _ in self._epoll.poll(0):
            # One of them may have made another one go.
            known = self._known.get(fd)
            if known is not None and (requests or fd not in self._requests):
                known[1]()

    def close(self) -> None:
        """Forget them all."""
        self._epoll.close()
        self._known.clear()
