"""The object API for coroutine programs: what can block is awaited, nothing else is."""

import errno
from typing import Any, TypeVar

from pymodel.simtime import SEC
from pymodel.socket import constants as c
from pymodel.socket.current import current_process
from pymodel.socket.dropin.netdb import dotted, resolve
from pymodel.socket.errors import error
from pymodel.socket.options import INT
from pymodel.socket.simthread import CALL_TIME, SLICE_CALLS
from pymodel.task import Blocking, Wait, blocking

T = TypeVar("T")

Address = tuple[str, int]


def at_once(call: Blocking[T]) -> T:
    """The result of a system call that never blocks."""
    try:
        next(call)
    except StopIteration as stop:
        value: T = stop.value
        return value
    call.close()
    raise RuntimeError("a call that cannot block has blocked")


async def sleep(seconds: float) -> None:
    """Block for `seconds` of simulated time."""
    until = current_process().kernel.scheduler.now + round(seconds * SEC)
    await Wait(deadline=until)


def _pack(address: Address) -> tuple[bytes, int]:
    host, port = address
    return resolve(host), port


class AsyncSocket:
    """A TCP or UDP socket of the running coroutine's process. Errors are those of the system calls.

    Addresses are (dotted address or name, port). `async with` closes it at the end.
    """

    __slots__ = ("_calls", "_fd", "_kernel", "_process", "_waits")

    def __init__(
        self, family: int = c.AF_INET, type: int = c.SOCK_STREAM, proto: int = 0, *, fileno: int | None = None
    ) -> None:
        self._process = current_process()
        self._kernel = self._process.kernel
        self._calls = self._waits = 0
        self._fd = (
            fileno if fileno is not None else at_once(self._kernel.socket(self._process, family, type, proto))
        )

    async def __aenter__(self) -> "AsyncSocket":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _call(self, call: Blocking[T]) -> T:
        # As in SimThread: a program that never blocks must not stop time.
        if self._waits != self._process.waits:
            self._waits = self._process.waits
            self._calls = 0
        self._calls += 1
        if self._calls >= SLICE_CALLS:
            await Wait(deadline=self._kernel.scheduler.now + self._calls * CALL_TIME)
            self._calls = 0
        return await blocking(call)

    def fileno(self) -> int:
        """The descriptor, or -1 when closed."""
        return self._fd

    def bind(self, address: Address) -> None:
        """bind(2)."""
        at_once(self._kernel.bind(self._process, self._fd, _pack(address)))

    def listen(self, backlog: int = 128) -> None:
        """listen(2)."""
        at_once(self._kernel.listen(self._process, self._fd, backlog))

    async def accept(self) -> tuple["AsyncSocket", Address]:
        """accept(2): the connection and the peer's address."""
        fd, (host, port) = await self._call(self._kernel.accept(self._process, self._fd))
        return AsyncSocket(fileno=fd), (dotted(host), port)

    async def connect(self, address: Address) -> None:
        """connect(2)."""
        await self._call(self._kernel.connect(self._process, self._fd, _pack(address)))

    async def send(self, data: bytes | bytearray | memoryview, flags: int = 0) -> int:
        """send(2): how many bytes were copied into the send buffer."""
        return await self._call(self._kernel.send(self._process, self._fd, data, flags))

    async def sendall(self, data: bytes | bytearray | memoryview) -> None:
        """send(2) until every byte is in the send buffer."""
        view = memoryview(data).cast("B")
        while view:
            view = view[await self.send(view) :]

    async def recv(self, count: int, flags: int = 0) -> bytes:
        """recv(2): b"" after the peer's FIN."""
        return await self._call(self._kernel.recv(self._process, self._fd, count, flags))

    async def sendto(self, data: bytes | bytearray | memoryview, address: Address, flags: int = 0) -> int:
        """sendto(2)."""
        return await self._call(self._kernel.sendto(self._process, self._fd, data, flags, _pack(address)))

    async def recvfrom(self, count: int, flags: int = 0) -> tuple[bytes, Address | None]:
        """recvfrom(2): the data, and who has sent the datagram."""
        data, sender = await self._call(self._kernel.recvfrom(self._process, self._fd, count, flags))
        return data, None if sender is None else (dotted(sender[0]), sender[1])

    async def recv_exactly(self, count: int) -> bytes:
        """`count` bytes; ECONNRESET if the stream ends before."""
        data = await self.recv(count, c.MSG_WAITALL) if count else b""
        if len(data) < count:
            raise error(errno.ECONNRESET)
        return data

    def shutdown(self, how: int) -> None:
        """shutdown(2)."""
        at_once(self._kernel.shutdown(self._process, self._fd, how))

    async def close(self) -> None:
        """close(2); blocks only for SO_LINGER. Closing twice is harmless."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            await self._call(self._kernel.close(self._process, fd))

    def setblocking(self, flag: bool) -> None:
        """O_NONBLOCK off or on: calls that would block raise BlockingIOError then."""
        flags = 0 if flag else c.O_NONBLOCK
        at_once(self._kernel.fcntl(self._process, self._fd, c.F_SETFL, flags))

    def setsockopt(self, level: int, name: int, value: int | bytes) -> None:
        """setsockopt(2)."""
        raw = INT.pack(value) if isinstance(value, int) else value
        at_once(self._kernel.setsockopt(self._process, self._fd, level, name, raw))

    def getsockopt(self, level: int, name: int, length: int = 0) -> Any:
        """getsockopt(2): an int, or `length` bytes."""
        raw = at_once(self._kernel.getsockopt(self._process, self._fd, level, name, length or INT.size))
        return raw if length else INT.unpack(raw)[0]

    def getsockname(self) -> Address:
        """getsockname(2)."""
        host, port = at_once(self._kernel.getsockname(self._process, self._fd))
        return dotted(host), port

    def getpeername(self) -> Address:
        """getpeername(2)."""
        host, port = at_once(self._kernel.getpeername(self._process, self._fd))
        return dotted(host), port
