"""Serves one client after the other on one NIC; nothing that a client does ends it."""

import socket
from collections.abc import Callable, MutableMapping
from typing import Final

from pymodel.driver.errors import ProbeError
from pymodel.regionmem import RegionMemory
from pymodel.scheduler import Scheduler
from pymodel.simtime import MS
from pymodel.task import Blocking, Task, WaitQueue, wait
from tb.links.vhost import messages
from tb.links.vhost.backend import HIDDEN, Backend
from tb.links.vhost.connection import Connection, Gone
from tb.links.vhost.device import Device, Placed
from tb.links.vhost.kicks import Kicks
from tb.links.vhost.listening import connect
from tb.links.vhost.messages import ProtocolError

__all__ = ["Server"]

_AGAIN: Final = 100 * MS
"""Simulated time, never faster than the wall's, between two attempts to connect to a client's socket."""


class _Closing(Exception):
    """The run ends."""


class Server:
    """`nic`, whose memory is `memory`, for clients of the listening socket `listener`, or, without, of the
    one at `path`.

    `offered`: feature bits that clients may have, if the NIC has them. `watched`: descriptors to wait for,
    and what to call when one is readable; kept up to date. `say` gets a line for the user. `poll` often;
    `close` at the end, after `shut`.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        nic: Placed,
        memory: RegionMemory,
        *,
        listener: socket.socket | None,
        path: str,
        offered: int = ~0,
        watched: MutableMapping[int, Callable[[], None]],
        say: Callable[[str], None],
    ) -> None:
        self.clients = 0
        """How many have been served."""
        self._scheduler = scheduler
        self._memory = memory
        self._device = Device(nic, scheduler)
        self._device.on_failed = self._fail
        self._listener = listener
        self._path = path
        self._offered = offered & ~HIDDEN
        self._watched = watched
        self._say = say
        self._kicks = Kicks()
        self._failed = self._closing = False
        self._event = WaitQueue()
        self._task: Task[None] | None = None
        watched[self._kicks.fd] = self._kicks.take

    def find(self) -> Blocking[None]:
        """Get to know the NIC, before `start`. Raises ProbeError."""
        yield from self._device.find()

    def start(self) -> None:
        """Wait for clients from now on."""
        self._task = Task(self._scheduler, self._serve(), "vhost-user")

    def poll(self) -> None:
        """Take the notifications that have come."""
        self._kicks.take()
        if self._task is not None and self._task.done:
            self._task.result()  # it ends by an error of ours only, unless it was told to

    def shut(self) -> Blocking[None]:
        """Let the client go and stop the NIC."""
        self._closing = True
        self._event.wake()
        if self._task is not None:
            yield from self._task.join()

    def close(self) -> None:
        """Let go of the descriptors."""
        self._kicks.close()
        if self._listener is not None:
            self._listener.close()

    def _fail(self) -> None:
        self._failed = True
        self._event.wake()

    def _serve(self) -> Blocking[None]:
        try:
            while True:
                sock = yield from self._next_client()
                self.clients += 1
                yield from self._attend(Connection(sock), f"client {self.clients}")
        except _Closing:
            pass

    def _next_client(self) -> Blocking[socket.socket]:
        while True:
            if self._listener is None:
                found = connect(self._path)
                if found is not None:
                    return found
                yield from self._wait(None, self._scheduler.now + _AGAIN)
            else:
                yield from self._wait(self._listener.fileno(), None)
                try:
                    return self._listener.accept()[0]
                except OSError:
                    pass  # it has changed its mind already

    def _wait(self, fd: int | None, deadline: int | None) -> Blocking[None]:
        """Until `fd` is readable, or the NIC fails. Raises _Closing."""
        if fd is not None:
            self._watched[fd] = self._event.wake
        try:
            if not self._closing:
                yield from wait(self._event, deadline=deadline)
        finally:
            if fd is not None:
                del self._watched[fd]
        if self._closing:
            raise _Closing

    def _attend(self, connection: Connection, who: str) -> Blocking[None]:
        """Serve one client until it has gone, or is sent away."""
        backend = Backend(
            self._device,
            self._memory,
            self._kicks,
            self._device.offered & self._offered,
            lambda text: self._say(f"{who} {text}"),
        )
        self._failed = False
        try:
            yield from self._converse(connection, backend, who)
        except Gone:
            self._say(f"{who} has gone")
        except (ProtocolError, ProbeError) as error:
            self._say(f"{who} is sent away: {error}")
        finally:
            connection.close()
            yield from backend.close()

    def _converse(self, connection: Connection, backend: Backend, who: str) -> Blocking[None]:
        while True:
            if self._failed:
                self._failed = False
                self._say(
                    f"{who} has broken the rules of its rings, or leads the NIC outside of its memory: "
                    "the NIC asked for a reset, and got it"
                )
                yield from backend.fail()
            try:
                message = connection.take()
            except ProtocolError:
                refused = connection.refused
                if refused is not None and backend.acknowledges(refused.need_reply):
                    connection.answer(messages.reply(refused.request, messages.pack_u64(1)))
                raise
            if message is None:
                yield from self._wait(connection.fd, None)
                continue
            try:
                answer = yield from backend.handle(message)
            except ProtocolError:
                if backend.acknowledges(message.need_reply):
                    connection.answer(messages.reply(message.request, messages.pack_u64(1)))
                raise
            if answer is not None:
                connection.answer(answer)
