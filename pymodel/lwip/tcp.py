"""TCP of lwIP for programs: blocking operations (`yield from`, or `await` them) over its raw API."""

import ctypes
import errno
import os
import types
from collections import deque
from typing import Final

from pymodel.lwip.library import Event, error, u32s, u64s
from pymodel.lwip.stack import LwipStack, address_word
from pymodel.simtime import MS
from pymodel.task import Blocking, Wait, WaitQueue

__all__ = ["Connection", "Listener", "Received", "views"]

_REFUSED: Final = -100
"""Not one of lwIP's codes."""

_RETRY: Final = 50 * MS
"""ps until a write is repeated for which lwIP had no memory: nothing else may wake it."""


def views(stack: LwipStack, chain: int) -> list[memoryview]:
    """Windows of the pieces of a pbuf chain, valid until the chain is freed."""
    count = stack.library.fdl_pieces(chain, 0, None, None)
    where, lengths = u64s([0] * count), u32s([0] * count)
    stack.library.fdl_pieces(chain, count, where, lengths)
    return [stack.memory.slice(stack.bus(where[i]), lengths[i]) for i in range(count)]


class Received:
    """Bytes that have arrived, where the NIC has put them. `release` them soon: they are receive buffers."""

    def __init__(self, connection: "Connection", chain: int, length: int) -> None:
        self._connection = connection
        self._chain = chain
        self.length = length
        self.views = views(connection.stack, chain)
        """Read-only by convention: the pieces, in order."""

    def release(self) -> None:
        """Give the buffers back and open the window by as much."""
        self.views = []
        self._connection.consumed(self._chain, self.length)


class Connection:
    """One TCP connection; made by `connect` or by `Listener.accept`. `peer`: address and port."""

    def __init__(self, stack: LwipStack, peer: tuple[bytes, int]) -> None:
        self.stack = stack
        self.peer = peer
        self._ident = stack.register(self._event)
        self._pcb = 0
        self._connected = False
        self._chains: deque[tuple[int, int]] = deque()
        self._read = 0  # bytes of the first chain that `recv` has returned
        self._ended = False
        self._error = 0
        self._queue = WaitQueue()

    @classmethod
    @types.coroutine
    def connect(cls, stack: LwipStack, address: bytes, port: int) -> Blocking["Connection"]:
        """Open a connection. Raises OSError: ECONNREFUSED, ETIMEDOUT, ENOBUFS, EHOSTUNREACH."""
        self = cls(stack, (address, port))
        code = ctypes.c_int()
        self._pcb = stack.library.fdl_tcp_connect(
            stack.handle, stack.now, self._ident, address_word(address), port, code
        )
        stack.check()
        if not self._pcb:
            stack.forget(self._ident)
            raise error(code.value)
        while not self._connected:
            if self._error:
                stack.forget(self._ident)
                raise error(self._error)
            yield Wait(self._queue)
        return self

    @classmethod
    def accepted(cls, stack: LwipStack, pcb: int, peer: tuple[bytes, int]) -> "Connection":
        """Take over a connection of a listener; only inside its event."""
        self = cls(stack, peer)
        self._pcb = pcb
        self._connected = True
        stack.library.fdl_tcp_own(pcb, self._ident)
        return self

    def _event(self, kind: Event, what: int, address: int, number: int) -> None:
        if kind is Event.RECEIVED:
            self._chains.append((what, number))
        elif kind is Event.END:
            self._ended = True
        elif kind is Event.CONNECTED:
            self._connected = True
        elif kind is Event.ERROR:
            self._pcb = 0  # lwIP has freed it
            # A reset that answers the SYN is a refusal.
            self._error = -number if self._connected or number != 14 else _REFUSED
        self._queue.wake()

    def _check(self) -> None:
        if self._error:
            raise error(self._error)
        if not self._pcb:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    @types.coroutine
    def send(self, data: bytes) -> Blocking[None]:
        """Hand all of `data` to lwIP, which copies it; blocks while its send buffer is full.

        Raises OSError: ECONNRESET, ETIMEDOUT, EPIPE.
        """
        stack = self.stack
        start = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
        at = 0
        while at < len(data):
            self._check()
            taken = stack.library.fdl_tcp_write(
                stack.handle, stack.now, self._pcb, start + at, len(data) - at, 0
            )
            stack.check()
            if taken < 0:
                raise error(taken)
            at += taken
            if at < len(data):
                yield Wait(self._queue, deadline=stack.scheduler.now + _RETRY)

    @types.coroutine
    def receive(self) -> Blocking[Received | None]:
        """Wait for bytes and return them without a copy; None: the peer has finished. Raises OSError."""
        while not self._chains:
            if self._ended:
                return None
            self._check()
            yield Wait(self._queue)
        return Received(self, *self._chains.popleft())

    @types.coroutine
    def recv(self, limit: int) -> Blocking[bytes]:
        """At most `limit` bytes, as a copy of one's own; b"" at the end. Raises OSError."""
        received = yield from self.receive()
        if received is None:
            return b""
        data = b"".join(received.views)
        out = data[self._read : self._read + limit]
        self._read += len(out)
        if self._read < len(data):
            self._chains.appendleft((received._chain, received.length))
        else:
            self._read = 0
            received.release()
        return out

    def consumed(self, chain: int, length: int) -> None:
        """`length` bytes of `chain` were read."""
        stack = self.stack
        stack.free(chain)
        if self._pcb:
            stack.library.fdl_tcp_read(stack.handle, stack.now, self._pcb, length)
            stack.check()

    def nodelay(self) -> None:
        """Switch Nagle's algorithm off."""
        self._check()
        self.stack.library.fdl_tcp_nodelay(self._pcb)

    @types.coroutine
    def shutdown(self) -> Blocking[None]:
        """No more will be sent: FIN after what waits. Raises OSError."""
        stack = self.stack
        while True:
            self._check()
            code = stack.library.fdl_tcp_shut(stack.handle, stack.now, self._pcb)
            stack.check()
            if code != -1:
                break
            yield Wait(self._queue, deadline=stack.scheduler.now + _RETRY)
        if code:
            raise error(code)

    @types.coroutine
    def close(self) -> Blocking[None]:
        """Close it. What was received and not read makes it a reset, as RFC 9293 §3.10.4 allows."""
        stack = self.stack
        stack.forget(self._ident)
        while self._pcb:
            code = stack.library.fdl_tcp_close(stack.handle, stack.now, self._pcb, 0)
            stack.check()
            if code != -1:
                self._pcb = 0
                break
            yield Wait(deadline=stack.scheduler.now + _RETRY)
        while self._chains:
            stack.free(self._chains.popleft()[0])

    def abort(self) -> None:
        """End it with RST."""
        stack = self.stack
        stack.forget(self._ident)
        if self._pcb:
            stack.library.fdl_tcp_abort(stack.handle, stack.now, self._pcb)
            self._pcb = 0
        while self._chains:
            stack.free(self._chains.popleft()[0])
        stack.check()


class Listener:
    """Accepts connections on `port`. Raises OSError: EADDRINUSE, ENOBUFS."""

    def __init__(self, stack: LwipStack, port: int) -> None:
        self._stack = stack
        self._ident = stack.register(self._event)
        self._waiting: deque[Connection] = deque()
        self._queue = WaitQueue()
        code = ctypes.c_int()
        self._pcb = stack.library.fdl_tcp_listen(stack.handle, stack.now, self._ident, port, code)
        stack.check()
        if not self._pcb:
            stack.forget(self._ident)
            raise error(code.value)

    def _event(self, kind: Event, what: int, address: int, number: int) -> None:
        if kind is Event.ACCEPT:
            peer = address.to_bytes(4, "little"), number
            self._waiting.append(Connection.accepted(self._stack, what, peer))
            self._queue.wake()

    @types.coroutine
    def accept(self) -> Blocking[Connection]:
        """Wait for the next connection."""
        while not self._waiting:
            yield Wait(self._queue)
        return self._waiting.popleft()

    def close(self) -> None:
        """Listen no more; those that nobody has accepted are reset."""
        stack = self._stack
        stack.forget(self._ident)
        stack.library.fdl_tcp_close(stack.handle, stack.now, self._pcb, 1)
        while self._waiting:
            self._waiting.popleft().abort()
        stack.check()
