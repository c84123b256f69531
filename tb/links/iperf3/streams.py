"""The data connections of one test: a thread each, which sends or receives until it is told to stop."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

_PATIENCE = 0.1
"""Seconds (of the sockets' clock) after which a blocked call looks whether the test is over."""
_TRIES = 50
"""So often a block that nobody takes is tried again when the test is over."""
_RETRANSMITS = struct.Struct("<100xI")
"""tcpi_total_retrans in struct tcp_info (linux/tcp.h)."""


class Stream:
    """One connection; `number` as iperf3 counts them: 1, 3, 4, …"""

    def __init__(self, sock: socket.socket, place: int, *, sends: bool) -> None:
        self.number = place + 1 if place == 0 else place + 2
        self.bytes = 0
        """Payload sent or received so far."""
        self.sends = sends
        self.sock = sock

    def retransmits(self) -> int:
        """Segments sent again; -1 where nobody tells."""
        if not self.sends or not hasattr(socket, "TCP_INFO"):
            return -1
        info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RETRANSMITS.size)
        return int(_RETRANSMITS.unpack(info)[0]) if len(info) == _RETRANSMITS.size else -1


class Streams:
    """All data connections of a test: `start`, `wait` or not, `end`, `close`; `results` after `end`.

    `length`: bytes of a call; `limit`: bytes after which nothing more is sent, 0 for none.
    """

    def __init__(self, socks: Sequence[socket.socket], *, sends: bool, length: int, limit: int = 0) -> None:
        self.streams = [Stream(sock, place, sends=sends) for place, sock in enumerate(socks)]
        self.seconds = 0.0
        """How long the test took."""
        self.results: dict[str, Any] = {}
        """This end's half of the results, as iperf3 has them."""
        self._sends = sends
        self._length = length
        self._limit = limit
        self._over = threading.Event()
        self._closed = threading.Event()
        self._moved = threading.Condition()
        self._threads: list[threading.Thread] = []

    @property
    def bytes(self) -> int:
        """Payload of all of them."""
        return sum(stream.bytes for stream in self.streams)

    def start(self) -> None:
        """Let data flow."""
        self._began = time.monotonic()
        run: Callable[[Stream], None] = self._send if self._sends else self._receive
        for stream in self.streams:
            stream.sock.settimeout(_PATIENCE)
            thread = threading.Thread(target=run, args=(stream,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def wait(self, seconds: float, count: int) -> None:
        """Return in `seconds`, or when `count` bytes were moved (0: never), or no connection is left."""
        end = time.monotonic() + seconds

        def done() -> bool:
            return (0 < count <= self.bytes) or not any(thread.is_alive() for thread in self._threads)

        with self._moved:
            while not done() and (left := end - time.monotonic()) > 0:
                self._moved.wait(min(left, _PATIENCE))

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def end(self, seconds: float) -> None:
        """The test, which took `seconds`, is over.

        What is sent ends with a whole block, as iperf3 reads nothing less; what comes until `close` is taken,
        since iperf3 writes its block to the end, but does not count.
        """
        self.seconds = seconds
        self._over.set()
        if self._sends:
            self._join()
        self.results = self._results()

    def finish(self) -> None:
        """Nothing more is sent, after `end`: iperf3 reads on until it sees that, or for 30 s."""
        for stream in self.streams:
            with contextlib.suppress(OSError):
                stream.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the connections."""
        self._over.set()
        self._closed.set()
        self._join()
        for stream in self.streams:
            stream.sock.close()

    def _join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _results(self) -> dict[str, Any]:
        retransmits = [stream.retransmits() for stream in self.streams]
        return {
            "cpu_util_total": 0.0,
            "cpu_util_user": 0.0,
            "cpu_util_system": 0.0,
            "sender_has_retransmits": int(min(retransmits, default=-1) >= 0) if self._sends else -1,
            "streams": [
                {
                    "id": stream.number,
                    "bytes": stream.bytes,
                    "retransmits": again,
                    "jitter": 0,
                    "errors": 0,
                    "packets": 0,
                    "start_time": 0,
                    "end_time": self.seconds,
                }
                for stream, again in zip(self.streams, retransmits, strict=True)
            ],
        }

    def _count(self, stream: Stream, moved: int) -> None:
        stream.bytes += moved
        with self._moved:
            self._moved.notify()

    def _send(self, stream: Stream) -> None:
        block = memoryview(bytes(self._length))
        while not self._over.is_set() and (not self._limit or self.bytes < self._limit):
            left, given_up = block[: self._limit - self.bytes] if self._limit else block, 0
            while left and given_up < _TRIES:
                try:
                    sent = stream.sock.send(left)
                except TimeoutError:
                    given_up += self._over.is_set()
                except OSError:  # the other end has had enough
                    return
                else:
                    left = left[sent:]
                    self._count(stream, sent)

    def _receive(self, stream: Stream) -> None:
        while not self._closed.is_set():
            try:
                moved = len(stream.sock.recv(self._length))
            except TimeoutError:
                continue
            except OSError:
                return
            if not moved:
                return
            if not self._over.is_set():
                self._count(stream, moved)
