"""A program's TCP socket: bytes and ends are handed on both ways, each as fast as the other side takes them.

What the pair can show of itself, it shows: a FIN is a shutdown(2) of the pair's end, no room is no room. What
it cannot (why a stream has ended) the program asks for.
"""

import contextlib
import errno
import select
import socket
from collections.abc import Generator
from enum import Enum, auto
from typing import TYPE_CHECKING

from pymodel.socket import constants as c
from pymodel.socket.messages import SockAddr
from pymodel.socket.options import INT
from pymodel.task import Blocking, Task, Wait
from tb.preload import protocol
from tb.preload.ends import CHUNK, End, quiet

if TYPE_CHECKING:
    from tb.preload.service import Service

_ERROR = (c.SOL_SOCKET, c.SO_ERROR)
_NOW = c.MSG_DONTWAIT | c.MSG_NOSIGNAL


class Phase(Enum):
    """What passes between the two sides."""

    FRESH = auto()
    CONNECTING = auto()
    OPEN = auto()
    LISTENING = auto()


class StreamEnd(End):
    """One TCP socket. `taken`: the program has it, and not only its listening socket."""

    def __init__(self, service: "Service", ident: int, fd: int, ours: socket.socket) -> None:
        super().__init__(service, ident, fd, ours)
        self.phase = Phase.FRESH
        self.taken = True
        self._connecting: Task[None] | None = None
        self._filler: int | None = 0
        """Bytes that mean nothing and come first; None: the program is still writing them."""
        self._unreported = False
        """connect(2) has succeeded after EINPROGRESS, and says so once more."""
        self._offered: StreamEnd | None = None
        """The connection that waits to be accepted."""
        self._out = memoryview(b"")
        self._in = memoryview(b"")
        self._out_ended = self._fin_sent = False
        self._in_ended = self._fin_given = False

    @property
    def flushing(self) -> bool:
        """The program has written something that TCP has not yet taken."""
        return self.phase is Phase.OPEN and not self.gone and (bool(self._out) or not self._drained())

    @property
    def delivering(self) -> bool:
        """Something has come that the program has not yet read."""
        return not self.gone and bool(self._in)

    # What the program asks for

    def listen(self, backlog: int) -> None:
        """listen(2)."""
        self.service.kernel_call("listen", self.fd, backlog)
        self.phase = Phase.LISTENING
        self.file.nonblock = True  # we look, it is the program that waits
        self._offer()

    def check_accept(self) -> None:
        """EINVAL if nothing listens here."""
        if self.phase is not Phase.LISTENING:
            raise OSError(errno.EINVAL, "not listening")

    def check_shutdown(self, how: int) -> None:
        """EINVAL for what is none, ENOTCONN where there is nothing to shut down."""
        if not 0 <= how <= 2:
            raise OSError(errno.EINVAL, "how")
        if self.phase in (Phase.FRESH, Phase.CONNECTING):
            raise OSError(errno.ENOTCONN, "not connected")

    def connect(self, address: SockAddr | None, nonblock: bool) -> Task[None] | None:
        """connect(2): None when it is done at once; the task to wait for; EINPROGRESS, EALREADY, …

        After EINPROGRESS `filled` must be called.
        """
        if self._connecting is not None:
            raise OSError(errno.EALREADY, "connecting")
        if error := self.take_error():
            raise OSError(error, "connect")
        if self._unreported:
            self._unreported = False
            return None
        call = self.service.kernel.connect(self.service.process, self.fd, address)
        try:
            first = next(call)
        except StopIteration:
            self._connected()
            return None
        self._filler = None if nonblock else 0
        self.phase = Phase.CONNECTING
        task = Task(self.service.scheduler, self._connect(call, first, nonblock), "connect")
        self._connecting = task
        if nonblock:
            raise OSError(errno.EINPROGRESS, "connecting")
        return task

    def _connect(self, call: Blocking[None], wait: Wait, nonblock: bool) -> Generator[Wait, bool, None]:
        try:
            while True:
                wait = call.send((yield wait))
        except StopIteration:
            self._connecting = None
            self._unreported = nonblock
            self._connected()
        except OSError as error:
            self._connecting = None
            self.phase = Phase.FRESH
            if not nonblock:
                raise
            self.error = error.errno or 0
            self._drain()
        finally:
            call.close()

    def filled(self, count: int) -> None:
        """So many bytes come first that mean nothing: they kept the descriptor from being writable."""
        self._filler = count
        if self._connecting is None:
            self._drain()
            if self.phase is Phase.OPEN:
                self.pump()

    def _connected(self) -> None:
        if self.gone:
            return
        self.phase = Phase.OPEN
        self._drain()
        self.pump()

    def _drain(self) -> None:
        while self._filler:
            try:
                self._filler -= len(self.ours.recv(min(self._filler, CHUNK)))
            except OSError:
                self._filler = 0

    # Moving

    def pump(self) -> None:
        """Move what can be moved, and wait for what cannot."""
        if self.phase is Phase.LISTENING:
            self._offer()
        elif self.phase is not Phase.OPEN:
            if self.hung_up:
                if self._connecting is not None:
                    self._connecting.cancel()
                self.close()
        elif self._filler is not None:
            self._outward()
            if not self.gone:
                self._inward()
            if not self.gone and self._in_ended and not self._in and self.file.poll() & c.POLLERR:
                self._fail(INT.unpack(self.service.kernel_call("getsockopt", self.fd, *_ERROR))[0])
            if not self.gone:
                self._settle()

    def _outward(self) -> None:
        while not self._out_ended:
            if not self._out:
                try:
                    data = self.ours.recv(CHUNK)
                except BlockingIOError:
                    return
                except OSError:
                    self.close(reset=True)
                    return
                if not data:
                    self._out_ended = True
                    break
                self._out = memoryview(data)
            try:
                self._out = self._out[self.service.kernel_call("send", self.fd, self._out, _NOW) :]
            except BlockingIOError:
                return
            except OSError as error:
                self._fail(error.errno or 0)
                return
        if self.hung_up:
            # Reset by a kernel: a connection with data that nobody will read (RFC 2525 §2.17), or that nobody
            # has accepted.
            if self._in_ended and self._fin_given and not self._in:
                self.close(reset=self.unread_when_closed)
            else:
                self.close(reset=bool(self._in) or self.unread_when_closed or not self.taken)
        elif not self._fin_sent:
            self._fin_sent = True
            quiet(lambda: self.service.kernel_call("shutdown", self.fd, c.SHUT_WR))

    def _inward(self) -> None:
        while not self._in_ended or self._in:
            if not self._in:
                try:
                    data = self.service.kernel_call("recv", self.fd, CHUNK, _NOW)
                except BlockingIOError:
                    return
                except OSError as error:
                    self._fail(error.errno or 0)
                    return
                if not data:
                    self._in_ended = True
                    break
                self._in = memoryview(data)
            try:
                self._in = self._in[self.ours.send(self._in) :]
            except BlockingIOError:
                return
            except OSError:
                self._in = memoryview(b"")  # the program has shut down this way: dropped, as by TCP
        if not self._fin_given:
            self._fin_given = True
            with contextlib.suppress(OSError):
                self.ours.shutdown(socket.SHUT_WR)

    def _settle(self) -> None:
        if self._fin_sent and self._fin_given:
            self.close()
            return
        events = 0
        if not self._out_ended and not self._out:
            events |= select.EPOLLIN
        if self._in:
            events |= select.EPOLLOUT
        # While TCP takes nothing, not even an end is looked for: it comes behind what is to be sent.
        self._watch(None if self._out and not events else events)

    def _fail(self, error: int) -> None:
        """The connection is lost. What came before is the program's to read, then it asks why."""
        self.error = error
        self._out = memoryview(b"")
        with contextlib.suppress(OSError):
            while self.ours.recv(CHUNK):  # unread, it would be an ECONNRESET whatever the error is
                pass
        self.close()

    def _drained(self) -> bool:
        poller = select.poll()
        poller.register(self.ours, select.POLLIN)
        return self._out_ended or not poller.poll(0)

    # Accepting

    def accepted(self) -> None:
        """The program has taken the connection that was offered: the next one may come."""
        if self._offered is not None:
            self._offered.taken = True
            self._offered = None
            self._offer()

    def _offer(self) -> None:
        """One connection at a time is handed over: the others are the backlog's."""
        if self.hung_up:
            self.close()
        if self.gone or self._offered is not None:
            return
        try:
            fd, peer = self.service.kernel_call("accept", self.fd, c.SOCK_NONBLOCK)
        except OSError:
            return
        end, theirs = self.service.stream(fd)
        with theirs:
            try:
                socket.send_fds(self.ours, [protocol.pack_address(peer)], [theirs.fileno()])
            except OSError:
                end.close(reset=True)
                self.close()
                return
        self._offered = end
        end.taken = False
        end.open()

    def open(self) -> None:
        """It is an accepted connection."""
        self.phase = Phase.OPEN
        self.pump()
