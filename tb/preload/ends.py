"""What both kinds of a program's sockets have in common, seen from the simulator."""

import contextlib
import errno
import select
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from pymodel.socket import constants as c
from pymodel.socket.asyncsocket import at_once
from pymodel.socket.messages import SockAddr
from pymodel.socket.options import INT

if TYPE_CHECKING:
    from tb.preload.service import Service

CHUNK = 1 << 16


class End:
    """Socket `fd` of the simulated process, and our end of the pair whose other end the program has.

    It is `pump`ed when either side may have something for the other: it watches the simulated file.
    """

    exclusive = False
    """Of a `pymodel.socket.file.Watcher`."""

    def __init__(self, service: "Service", ident: int, fd: int, ours: socket.socket) -> None:
        self.service = service
        self.ident = ident
        self.fd = fd
        self.ours = ours
        self.gone = False
        """The program has closed it, or it has ended for good."""
        self.error = 0
        """The errno that it has ended with, for who asks next."""
        self._last_name: SockAddr = (bytes(4), 0)
        self._due = False
        ours.setblocking(False)
        self.file = service.process.files.get(fd)
        self.file.watch(self)
        self._watch(0)

    # What the simulated kernel says (pymodel.socket.file.Watcher)

    def woken(self, events: int) -> bool:
        """Something has changed: look at it when the kernel is done with it."""
        if not self._due and not self.gone:
            self._due = True
            self.service.scheduler.call_soon(self._pump_soon)
        return False

    def released(self) -> None:
        """The simulated file is gone, which happens only by ourselves."""

    def _pump_soon(self) -> None:
        self._due = False
        if not self.gone:
            self.pump()

    def pump(self) -> None:
        """Move what can be moved."""
        raise NotImplementedError

    # For those below

    def _watch(self, events: int | None) -> None:
        self.service.poller.watch(self.ours.fileno(), events, self._pump_soon)

    @property
    def hung_up(self) -> bool:
        """No descriptor of the program's leads here any more, or it has shut down both ways."""
        poller = select.poll()
        poller.register(self.ours, 0)
        return any(events & select.POLLHUP for _, events in poller.poll(0))

    @property
    def unread_when_closed(self) -> bool:
        """The program had not read everything when it closed (the peer of such a socket gets ECONNRESET)."""
        return bool(self.ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def name(self) -> SockAddr:
        """getsockname(2), even after the end."""
        if not self.gone:
            self._last_name = self.service.kernel_call("getsockname", self.fd)
        return self._last_name

    def take_error(self) -> int:
        """The errno that it has ended with, once."""
        error, self.error = self.error, 0
        return error

    def why(self, *, reading: bool) -> int:
        """The errno for who finds the stream at its end; EPIPE is none for readers, who have seen a FIN."""
        return 0 if reading and self.error == errno.EPIPE else self.take_error()

    def close(self, *, reset: bool = False) -> None:
        """Let go of both sides. `reset`: of a connection by RST, whatever is on its way."""
        if self.gone:
            return
        with contextlib.suppress(OSError):
            self.name()
        self.gone = True
        if reset:
            with contextlib.suppress(OSError):
                linger = INT.pack(1) + INT.pack(0)
                self.service.kernel_call("setsockopt", self.fd, c.SOL_SOCKET, c.SO_LINGER, linger)
        self.file.unwatch(self)
        self.service.process.files.remove(self.fd).put()
        self.service.poller.forget(self.ours.fileno())
        self.ours.close()
        self.service.ended(self)


def quiet(call: Callable[[], object]) -> int:
    """Make a system call that is not answered to anybody; its errno, or 0."""
    try:
        call()
    except OSError as error:
        return error.errno or 0
    return 0


__all__ = ["CHUNK", "End", "at_once", "quiet"]
