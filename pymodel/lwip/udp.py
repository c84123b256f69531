"""UDP and ping of lwIP for programs."""

import ctypes
import types
from collections import deque
from typing import Final

from pymodel.lwip.library import Event, error, u32s, u64s
from pymodel.lwip.stack import LwipStack, address_word
from pymodel.lwip.tcp import views
from pymodel.task import Blocking, Wait, WaitQueue

__all__ = ["Datagram", "Pinger", "UdpSocket"]

_QUEUE: Final = 64
"""Datagrams that wait to be read; more are dropped (each holds receive buffers)."""


class Datagram:
    """One datagram where the NIC has put it. `source`: address and port."""

    def __init__(self, stack: LwipStack, chain: int, source: tuple[bytes, int]) -> None:
        self._stack = stack
        self._chain = chain
        self.source = source
        self.views = views(stack, chain)

    def release(self) -> None:
        """Give its buffers back."""
        self.views = []
        self._stack.free(self._chain)


class UdpSocket:
    """A UDP socket on `port` (0: lwIP chooses). Raises OSError: EADDRINUSE, ENOBUFS."""

    def __init__(self, stack: LwipStack, port: int = 0) -> None:
        self._stack = stack
        self._ident = stack.register(self._event)
        self._queue = WaitQueue()
        self._waiting: deque[tuple[int, tuple[bytes, int]]] = deque()
        self.dropped = 0
        code = ctypes.c_int()
        self._pcb = stack.library.fdl_udp_new(stack.handle, stack.now, self._ident, port, code)
        if not self._pcb:
            stack.forget(self._ident)
            raise error(code.value)
        self.port: int = stack.library.fdl_udp_port(self._pcb)

    def _event(self, kind: Event, what: int, address: int, number: int) -> None:
        if len(self._waiting) >= _QUEUE:
            self.dropped += 1
            self._stack.free(what)
            return
        self._waiting.append((what, (address.to_bytes(4, "little"), number)))
        self._queue.wake()

    def send(self, pieces: list[tuple[int, int]], to: tuple[bytes, int], *, copy: bool = False) -> None:
        """Send the `pieces` (bus address and length) of host memory as one datagram.

        Without `copy` they are referred to by PBUF_ROM pbufs and fetched from where they are by the device:
        leave them unchanged until the frame was sent. Raises OSError.
        """
        stack = self._stack
        code = stack.library.fdl_udp_send(
            stack.handle,
            stack.now,
            self._pcb,
            address_word(to[0]),
            to[1],
            len(pieces),
            u64s([stack.pointer(address) for address, _ in pieces]),
            u32s([length for _, length in pieces]),
            copy,
        )
        stack.check()
        if code:
            raise error(code)

    @types.coroutine
    def receive(self) -> Blocking[Datagram]:
        """Wait for a datagram and return it without a copy."""
        while not self._waiting:
            yield Wait(self._queue)
        return Datagram(self._stack, *self._waiting.popleft())

    def close(self) -> None:
        """Close it; what waits is dropped."""
        stack = self._stack
        stack.forget(self._ident)
        stack.library.fdl_udp_delete(stack.handle, stack.now, self._pcb)
        while self._waiting:
            stack.free(self._waiting.popleft()[0])


class Pinger:
    """Sends ICMP echo requests (RFC 792) with identifier `ident`. Raises OSError when memory is full."""

    def __init__(self, stack: LwipStack, ident: int) -> None:
        self._stack = stack
        self._ident = ident
        self._answers: set[tuple[bytes, int]] = set()
        self._queue = WaitQueue()
        self._pcb = stack.library.fdl_ping_new(stack.handle, stack.now, stack.register(self._event))
        if not self._pcb:
            raise error(-1)

    def _event(self, kind: Event, what: int, address: int, number: int) -> None:
        if what == self._ident:
            self._answers.add((address.to_bytes(4, "little"), number))
            self._queue.wake()

    @types.coroutine
    def ping(self, address: bytes, sequence: int, length: int, timeout: int) -> Blocking[int | None]:
        """Send one request with `length` bytes; the round-trip time in ps, or None after `timeout` ps."""
        stack = self._stack
        start = stack.scheduler.now
        word = address_word(address)
        code = stack.library.fdl_ping(stack.handle, stack.now, self._pcb, word, self._ident, sequence, length)
        stack.check()
        if code:
            raise error(code)
        while (address, sequence) not in self._answers:
            if stack.scheduler.now >= start + timeout:
                return None
            yield Wait(self._queue, deadline=start + timeout)
        self._answers.discard((address, sequence))
        return stack.scheduler.now - start
