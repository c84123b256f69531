"""One client's socket: whole messages in, answers out, never waiting."""

import os
import socket
from typing import Final

from tb.links.vhost import messages
from tb.links.vhost.messages import Header, Message, ProtocolError

_MOST_FDS: Final = messages.MAX_REGIONS
_INT: Final = 4


class Gone(Exception):
    """The client has closed its end, or died."""


class Connection:
    """Takes over the connected stream socket `sock`."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._bytes = bytearray()
        self._fds: list[int] = []
        self._header: Header | None = None

    @property
    def fd(self) -> int:
        """Readable when there is something to take."""
        return self._socket.fileno()

    def take(self) -> Message | None:
        """The next message, or None if it is not all there yet.

        Raises Gone; ProtocolError for what is no message, after which nothing more can be taken.
        """
        if self._header is None:
            raw = self._receive(messages.HEADER.size)
            if raw is None:
                return None
            self._header = messages.parse_header(raw)
        payload = self._receive(self._header.size)
        if payload is None:
            return None
        message = messages.check(self._header, payload, tuple(self._fds))
        self._header = None
        self._fds.clear()  # now the message's
        return message

    @property
    def refused(self) -> Header | None:
        """Of the message that `take` has just refused, if it got as far as that."""
        return self._header

    def _receive(self, size: int) -> bytes | None:
        """`size` bytes, once they are all there. Never more than they, so that descriptors stay with their
        message.
        """
        while len(self._bytes) < size:
            try:
                data, ancillary, flags, _ = self._socket.recvmsg(
                    size - len(self._bytes), socket.CMSG_LEN(_MOST_FDS * _INT), socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return None
            except OSError as error:
                raise Gone(str(error)) from None
            for level, kind, raw in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    whole = len(raw) - len(raw) % _INT
                    self._fds += [
                        int.from_bytes(raw[at : at + _INT], "little") for at in range(0, whole, _INT)
                    ]
            if flags & socket.MSG_CTRUNC or len(self._fds) > _MOST_FDS:
                raise ProtocolError(f"more than {_MOST_FDS} descriptors with one message")
            if not data:
                raise Gone
            self._bytes += data
        raw, self._bytes = bytes(self._bytes), bytearray()
        return raw

    def answer(self, raw: bytes) -> None:
        """Send an answer. Raises Gone; ProtocolError if the client does not take its answers."""
        try:
            sent = self._socket.send(raw, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise Gone(str(error)) from None
        if sent != len(raw):
            raise ProtocolError("the client does not read its answers")

    def close(self) -> None:
        """Close the socket, and the descriptors of a message that never became whole."""
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
        self._socket.close()
