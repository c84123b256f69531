"""The client: asks for a test, sends or receives, and says how fast it was."""

import secrets
import socket
import string
import time
from dataclasses import dataclass
from typing import Any

from tb.links.iperf3.control import (
    COOKIE,
    State,
    TestFailed,
    expect,
    send_json,
    send_state,
    take_json,
    take_state,
)
from tb.links.iperf3.streams import Streams

_LETTERS = string.ascii_lowercase + "234567"
_FOREVER = 86_400.0
_AGAIN = 0.1


@dataclass(frozen=True)
class Wanted:
    """A test: for `seconds`, or until `count` bytes (if not 0) were moved, `length` bytes a call.

    `reverse`: the server sends.
    """

    seconds: float = 10
    count: int = 0
    length: int = 1 << 17
    parallel: int = 1
    reverse: bool = False

    def parameters(self) -> dict[str, Any]:
        """For the server."""
        value: dict[str, Any] = {
            "tcp": True,
            "omit": 0,
            "time": 0 if self.count else max(round(self.seconds), 1),
            "num": self.count,
            "blockcount": 0,
            "parallel": self.parallel,
            "len": self.length,
            "pacing_timer": 1000,
            "client_version": "3.12",
        }
        return value | {"reverse": True} if self.reverse else value


def connect(address: tuple[str, int], patience: float) -> socket.socket:
    """A connection to the server, which has `patience` seconds to come up. Raises OSError."""
    end = time.monotonic() + patience
    while True:
        try:
            return socket.create_connection(address)
        except ConnectionRefusedError:
            if time.monotonic() >= end:
                raise
            time.sleep(_AGAIN)


def run(address: tuple[str, int], wanted: Wanted, *, patience: float = 0) -> list[str]:
    """Run the test with the server at `address`; a table of what each end has seen.

    Raises TestFailed, or OSError when there is no server even after `patience` seconds.
    """
    cookie = "".join(secrets.choice(_LETTERS) for _ in range(COOKIE - 1)).encode() + b"\0"
    socks: list[socket.socket] = []
    with connect(address, patience) as control:
        try:
            control.sendall(cookie)
            expect(control, State.PARAM_EXCHANGE)
            send_json(control, wanted.parameters())
            expect(control, State.CREATE_STREAMS)
            for _ in range(wanted.parallel):
                sock = socket.create_connection(address)
                socks.append(sock)
                sock.sendall(cookie)
            streams = Streams(socks, sends=not wanted.reverse, length=wanted.length, limit=wanted.count)
            try:
                theirs = _transfer(control, streams, wanted)
            finally:
                streams.close()
        finally:
            for sock in socks:
                sock.close()
    return _table(streams, theirs, reverse=wanted.reverse)


def _transfer(control: socket.socket, streams: Streams, wanted: Wanted) -> dict[str, Any]:
    """From the start to the results of the other end."""
    expect(control, State.TEST_START)
    expect(control, State.TEST_RUNNING)
    streams.start()
    streams.wait(_FOREVER if wanted.count else wanted.seconds, wanted.count)
    streams.end(streams.elapsed())
    send_state(control, State.TEST_END)
    while (state := take_state(control)) is not State.EXCHANGE_RESULTS:
        if state is not State.TEST_RUNNING:
            raise TestFailed(f"the other end says {state.name} instead of EXCHANGE_RESULTS")
    send_json(control, streams.results)
    theirs = take_json(control)
    expect(control, State.DISPLAY_RESULTS)
    send_state(control, State.IPERF_DONE)
    return theirs


def _table(streams: Streams, theirs: dict[str, Any], *, reverse: bool) -> list[str]:
    lines = ["[ ID] Interval           Transfer       Bitrate          Retr"]
    ours = streams.results
    sender, receiver = (theirs, ours) if reverse else (ours, theirs)
    for role, half in (("sender", sender), ("receiver", receiver)):
        for stream in half.get("streams", []):
            seconds, count = float(stream["end_time"]), int(stream["bytes"])
            rate = 8 * count / seconds / 1e6 if seconds else 0.0
            again = f"{stream['retransmits']:>5}" if role == "sender" else "     "
            lines.append(
                f"[{stream['id']:>3}]   0.00-{seconds:<8.4f} sec  {count / (1 << 20):8.2f} MBytes"
                f"  {rate:9.1f} Mbits/sec {again}  {role}"
            )
    return lines
