"""The server: one test at a time; who comes meanwhile is told so."""

import contextlib
import select
import socket
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from tb.links.iperf3.control import (
    COOKIE,
    NOT_IMPLEMENTED,
    STREAMS,
    State,
    TestFailed,
    expect,
    refuse,
    send_json,
    send_state,
    take,
    take_json,
)
from tb.links.iperf3.streams import Streams

_LENGTH = 1 << 20
_PATIENCE = 30.0
"""Seconds that a client has for its next step, the transfer itself apart."""


@dataclass(frozen=True)
class _Test:
    """What the client asks for."""

    parallel: int
    reverse: bool
    length: int

    @classmethod
    def asked(cls, value: dict[str, Any]) -> "_Test | None":
        """From the client's parameters; None for what there is not: UDP, both ways at once, SCTP."""
        if not value.get("tcp") or value.get("bidirectional"):
            return None
        parallel, length = value.get("parallel", 1), value.get("len", _LENGTH)
        numbers = isinstance(parallel, int) and isinstance(length, int)
        if not numbers or not 1 <= parallel <= STREAMS or not 1 <= length <= _LENGTH:
            return None
        return cls(parallel, bool(value.get("reverse")), length)


def serve(port: int, *, once: bool = False) -> None:
    """Serve tests for ever, or `once`. Raises OSError when the port is not to be had."""
    waiting: deque[socket.socket] = deque()
    with socket.create_server(("", port), backlog=STREAMS) as listener:
        while True:
            control = waiting.popleft() if waiting else listener.accept()[0]
            with contextlib.suppress(TestFailed, OSError), control:
                _test(listener, control, waiting)
            if once:
                return


def _test(listener: socket.socket, control: socket.socket, waiting: deque[socket.socket]) -> None:
    """One test; clients that came at its end are `waiting` for theirs."""
    control.settimeout(_PATIENCE)
    cookie = take(control, COOKIE)
    send_state(control, State.PARAM_EXCHANGE)
    test = _Test.asked(take_json(control))
    if test is None:
        refuse(control, NOT_IMPLEMENTED)
        return
    send_state(control, State.CREATE_STREAMS)
    streams = Streams(_accepted(listener, cookie, test.parallel), sends=test.reverse, length=test.length)
    guard = _Guard(listener, control)
    try:
        send_state(control, State.TEST_START)
        streams.start()
        send_state(control, State.TEST_RUNNING)
        control.settimeout(None)
        expect(control, State.TEST_END)
        seconds = streams.elapsed()
        guard.over()
        control.settimeout(_PATIENCE)
        if test.reverse:
            streams.end(seconds)
            streams.finish()
        send_state(control, State.EXCHANGE_RESULTS)
        theirs = take_json(control)
        if not test.reverse:
            # The word that the test is over may have overtaken its last bytes.
            streams.wait(_PATIENCE, _moved(theirs))
            streams.end(seconds)
        send_json(control, streams.results)
        send_state(control, State.DISPLAY_RESULTS)
        expect(control, State.IPERF_DONE)
    finally:
        waiting.extend(guard.end())
        streams.close()


def _moved(results: dict[str, Any]) -> int:
    """Bytes of all streams of the other end's results; 1, which is soon there, for what makes no sense."""
    try:
        return sum(int(stream["bytes"]) for stream in results["streams"])
    except (KeyError, TypeError, ValueError):
        return 1


def _accepted(listener: socket.socket, cookie: bytes, count: int) -> list[socket.socket]:
    """The test's data connections. Others are told that the server is busy."""
    socks: list[socket.socket] = []
    listener.settimeout(_PATIENCE)
    try:
        while len(socks) < count:
            sock, _ = listener.accept()
            sock.settimeout(_PATIENCE)
            if take(sock, COOKIE) == cookie:
                socks.append(sock)
            else:
                _turn_away(sock)
    except BaseException:
        for sock in socks:
            sock.close()
        raise
    finally:
        listener.settimeout(None)
    return socks


def _turn_away(sock: socket.socket) -> None:
    with contextlib.suppress(OSError), sock:
        send_state(sock, State.ACCESS_DENIED)


class _Guard:
    """Turns away, while a test runs, who else comes.

    A client that says something on its control connection, or is gone, has ended its test, and whoever comes
    after it is welcome, although nobody may have read that word yet.
    """

    _AGAIN = 0.2
    """Seconds until it notices that it is not needed any more."""

    def __init__(self, listener: socket.socket, control: socket.socket) -> None:
        self._listener = listener
        self._control = control
        self._over = threading.Event()
        self._late: list[socket.socket] = []
        listener.settimeout(self._AGAIN)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                sock, _ = self._listener.accept()
                if self._over.is_set() or select.select([self._control], [], [], 0)[0]:
                    self._late.append(sock)
                else:
                    _turn_away(sock)

    def over(self) -> None:
        """Who comes from now on is welcome."""
        self._over.set()

    def end(self) -> list[socket.socket]:
        """Listen no more; who came too late to be turned away."""
        self._over.set()
        self._thread.join()
        self._listener.settimeout(None)
        return self._late
