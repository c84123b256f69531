"""The control connection: a cookie, then states of one byte, and JSON behind a length of four bytes."""

import enum
import json
import socket
import struct
from typing import Any

PORT = 5201
STREAMS = 128
"""Data connections of one test, at most."""
COOKIE = 37
"""Bytes: 36 characters and a zero. It is the first thing on each connection, so that they find together."""

_LENGTH = struct.Struct(">I")
_ERROR = struct.Struct(">II")
_LONGEST = 1 << 20
"""Bytes of JSON that are read at most."""


class State(enum.IntEnum):
    """What one end tells the other that the test has come to."""

    TEST_START = 1
    TEST_RUNNING = 2
    TEST_END = 4
    PARAM_EXCHANGE = 9
    CREATE_STREAMS = 10
    SERVER_TERMINATE = 11
    CLIENT_TERMINATE = 12
    EXCHANGE_RESULTS = 13
    DISPLAY_RESULTS = 14
    IPERF_DONE = 16
    ACCESS_DENIED = -1
    SERVER_ERROR = -2


NOT_IMPLEMENTED = 13
"""iperf3's own number for an option that is not implemented."""


class TestFailed(Exception):
    """The other end said no, is gone, or speaks something else; the text is the whole message."""

    __test__ = False  # for pytest, it is no test


def take(sock: socket.socket, count: int) -> bytes:
    """`count` bytes. Raises TestFailed when they do not come."""
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise TestFailed("the other end has closed the control connection")
        data += more
    return data


def send_state(sock: socket.socket, state: State) -> None:
    """Tell the other end."""
    sock.sendall(state.to_bytes(1, "big", signed=True))


def take_state(sock: socket.socket) -> State:
    """What the other end says. Raises TestFailed, also when it is an end before the end."""
    number = int.from_bytes(take(sock, 1), "big", signed=True)
    try:
        state = State(number)
    except ValueError:
        raise TestFailed(f"the other end says {number}, which is no state of iperf3") from None
    if state is State.ACCESS_DENIED:
        raise TestFailed("the server is busy running a test. try again later")
    if state is State.SERVER_ERROR:
        reason, errno = _ERROR.unpack(take(sock, _ERROR.size))
        raise TestFailed(f"the server has error {reason}, errno {errno}")
    if state in (State.SERVER_TERMINATE, State.CLIENT_TERMINATE):
        raise TestFailed("the other end has terminated")
    return state


def expect(sock: socket.socket, *wanted: State) -> State:
    """The next state, which must be one of those `wanted`. Raises TestFailed."""
    state = take_state(sock)
    if state not in wanted:
        raise TestFailed(f"the other end says {state.name} instead of {wanted[0].name}")
    return state


def refuse(sock: socket.socket, reason: int) -> None:
    """End the test with iperf3's error `reason`."""
    send_state(sock, State.SERVER_ERROR)
    sock.sendall(_ERROR.pack(reason, 0))


def send_json(sock: socket.socket, value: dict[str, Any]) -> None:
    """Send an object."""
    text = json.dumps(value).encode()
    sock.sendall(_LENGTH.pack(len(text)) + text)


def take_json(sock: socket.socket) -> dict[str, Any]:
    """An object. Raises TestFailed."""
    (length,) = _LENGTH.unpack(take(sock, _LENGTH.size))
    if length > _LONGEST:
        raise TestFailed(f"{length} bytes of JSON are too many")
    try:
        value = json.loads(take(sock, length))
    except ValueError:
        raise TestFailed("what should be JSON is not") from None
    if not isinstance(value, dict):
        raise TestFailed("what should be a JSON object is not")
    return value
