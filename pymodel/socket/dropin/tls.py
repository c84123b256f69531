"""Drop-in `_ssl`: the interpreter's OpenSSL, joined to simulated sockets through memory.

`ssl` is the interpreter's own source on top. What OpenSSL draws at random does not follow from the seed:
the bytes of a TLS connection differ from run to run, their number and times hardly ever. Certificates are
judged by the machine's clock.
"""

import contextlib
import importlib
from collections.abc import Callable
from typing import Any

from pymodel.simtime import SEC
from pymodel.socket.current import current_process
from pymodel.socket.dropin import csocket

try:
    _real: Any = importlib.import_module("_ssl")
except ImportError:  # an interpreter without OpenSSL
    _real = None

HEADER = 5
"""A TLS record's header (RFC 8446 §5.1): its last two bytes are the length of the rest."""


class TlsSocket:
    """`_ssl._SSLSocket`: a connection's TLS state over the simulated socket `sock`."""

    def __init__(self, sock: Any, incoming: Any, outgoing: Any, tls: Any) -> None:
        self._sock = sock
        self._incoming = incoming
        self._outgoing = outgoing
        self._tls = tls
        self._unsent = b""
        self._record = bytearray()
        """What has come of the record that is not whole yet: nothing behind it is read from the socket."""
        self._written: int | None = None
        """A write whose record could not be sent: the program repeats it (SSL_write(3))."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tls, name)

    # What a program sets, too.
    context = property(
        lambda self: self._tls.context, lambda self, value: setattr(self._tls, "context", value)
    )
    owner = property(lambda self: self._tls.owner, lambda self, value: setattr(self._tls, "owner", value))
    session = property(
        lambda self: self._tls.session, lambda self, value: setattr(self._tls, "session", value)
    )

    def _limit(self) -> int | None:
        timeout = self._sock.gettimeout()
        return None if not timeout else current_process().kernel.scheduler.now + round(timeout * SEC)

    def _socket_call(self, method: Callable[..., Any], argument: Any, limit: int | None, what: str) -> Any:
        """One call on the socket below, with what is left of the time limit."""
        before = self._sock.gettimeout()
        if limit is None:
            return method(self._sock, argument)
        left = (limit - current_process().kernel.scheduler.now) / SEC
        if left <= 0:
            raise TimeoutError(f"The {what} operation timed out")
        csocket.socket.settimeout(self._sock, left)
        try:
            return method(self._sock, argument)
        except TimeoutError:
            raise TimeoutError(f"The {what} operation timed out") from None
        finally:
            csocket.socket.settimeout(self._sock, before)

    def _flush(self, limit: int | None, what: str) -> None:
        self._unsent += self._outgoing.read()
        while self._unsent:
            try:
                sent = self._socket_call(csocket.socket.send, self._unsent, limit, what)
            except BlockingIOError:
                text = "The operation did not complete (write)"
                raise _real.SSLWantWriteError(_real.SSL_ERROR_WANT_WRITE, text) from None
            self._unsent = self._unsent[sent:]

    def _fill(self, limit: int | None, what: str) -> None:
        """Read what is missing of one record."""
        record = self._record
        while True:
            size = HEADER + int.from_bytes(record[3:HEADER], "big") if len(record) >= HEADER else HEADER
            if len(record) >= size > HEADER:
                break
            if len(record) >= HEADER and size == HEADER:
                break  # an empty record
            data = self._socket_call(csocket.socket.recv, size - len(record), limit, what)
            if not data:
                self._incoming.write(bytes(record))
                record.clear()
                self._incoming.write_eof()
                return
            record += data
        self._incoming.write(bytes(record))
        record.clear()

    def _run(self, what: str, operation: Callable[..., Any], *args: Any) -> Any:
        if self._sock.fileno() < 0:
            raise _real.SSLError(_real.SSL_ERROR_SSL, "Underlying socket connection gone")
        limit = self._limit()
        self._flush(limit, what)
        while True:
            try:
                result = operation(*args)
            except _real.SSLWantReadError as wanted:
                self._flush(limit, what)
                try:
                    self._fill(limit, what)
                except BlockingIOError:
                    raise wanted from None
            except _real.SSLError:
                self._flush_alert(limit, what)
                raise
            else:
                return result

    def _flush_alert(self, limit: int | None, what: str) -> None:
        with contextlib.suppress(OSError):  # the reason for the alert matters more
            self._flush(limit, what)

    def do_handshake(self) -> None:
        """Handshake; SSLError, SSLWantReadError, SSLWantWriteError, TimeoutError."""
        self._run("handshake", self._tls.do_handshake)
        self._flush(self._limit(), "handshake")

    def read(self, size: int = 1024, buffer: Any = None) -> Any:
        """Up to `size` bytes, or into `buffer` and how many; errors as for `do_handshake`."""
        arguments = (size,) if buffer is None else (size, buffer)
        result = self._run("read", self._tls.read, *arguments)
        self._flush_alert(self._limit(), "read")  # an answer to a key update, a close
        return result

    def write(self, data: Any) -> int:
        """Encrypt and send; how many bytes of `data` that was. Errors as for `do_handshake`."""
        if self._written is None:
            self._written = int(self._run("write", self._tls.write, data))
        self._flush(self._limit(), "write")
        written, self._written = self._written, None
        return written

    def shutdown(self) -> Any:
        """Exchange close notifications; the socket below, which may be used without TLS then."""
        self._run("read", self._tls.shutdown)
        self._flush(self._limit(), "write")
        return self._sock


def contents() -> dict[str, Any] | None:
    """Everything in the module; None without OpenSSL."""
    if _real is None:
        return None

    class Immutable(type):
        """A class that cannot be changed, as OpenSSL's in C; its subclasses can."""

        def __setattr__(cls, name: str, value: Any) -> None:
            if cls.__base__ is not _real._SSLContext:
                super().__setattr__(name, value)
                return
            raise TypeError(f"cannot set {name!r} attribute of immutable type {cls.__name__!r}")

    class _SSLContext(_real._SSLContext, metaclass=Immutable):  # type: ignore[misc]
        def _wrap_socket(
            self,
            sock: Any,
            server_side: bool,
            server_hostname: Any = None,
            *,
            owner: Any = None,
            session: Any = None,
        ) -> TlsSocket:
            incoming, outgoing = _real.MemoryBIO(), _real.MemoryBIO()
            tls = self._wrap_bio(
                incoming, outgoing, server_side, server_hostname, owner=owner, session=session
            )
            return TlsSocket(sock, incoming, outgoing, tls)

    return {**vars(_real), "_SSLContext": _SSLContext}
