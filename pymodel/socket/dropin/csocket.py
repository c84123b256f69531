"""Drop-in `_socket`: the class below `socket.socket`, with the semantics of CPython's Modules/socketmodule.c.

`settimeout` makes the descriptor non-blocking, and this class waits with poll(2) itself: that is why a
time-out is a TimeoutError here and EAGAIN from SO_RCVTIMEO.
"""

import errno
import os
import warnings
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pymodel.simtime import MS, SEC
from pymodel.socket import constants as c
from pymodel.socket.current import current_process, current_thread, running
from pymodel.socket.dropin import realfiles
from pymodel.socket.dropin.arguments import (
    Address,
    Ancillary,
    ancillary,
    buffer,
    c_int,
    c_ssize_t,
    name,
    release,
    seconds,
    sockaddr,
    unixaddr,
    unixname,
)
from pymodel.socket.dropin.descriptors import is_simulated, settle
from pymodel.socket.errors import error
from pymodel.socket.messages import SockAddr, cmsg_len, cmsg_space
from pymodel.socket.options import INT
from pymodel.task import Blocking, Wait

T = TypeVar("T")

SPIN = 1 * MS
"""How long one turn of a loop takes that would not end before its time limit."""


class socket:
    """`_socket.socket`. The standard library's subclass wants slots, and properties of these names."""

    __slots__ = ("_family", "_fd", "_kernel", "_process", "_proto", "_timeout", "_type")

    family = property(lambda self: self._family)
    type = property(lambda self: self._type)
    proto = property(lambda self: self._proto)

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:
        self._fd = -1
        self._process = current_process()
        self._kernel = self._process.kernel
        self._timeout: float | None = self._process.default_timeout
        if fileno is None:
            self._family = c.AF_INET if family == -1 else int(family)
            self._type = c.SOCK_STREAM if type == -1 else int(type)
            self._proto = 0 if proto == -1 else int(proto)
            kind = self._type | c.SOCK_CLOEXEC
            self._fd = self._run(self._kernel.socket(self._process, self._family, kind, self._proto))
            if self._type & c.SOCK_NONBLOCK:
                self._timeout = 0.0
            self._type &= ~(c.SOCK_NONBLOCK | c.SOCK_CLOEXEC)
        else:
            if isinstance(fileno, float):
                raise TypeError("integer argument expected, got float")
            fileno = c_int(fileno)
            if fileno < 0:
                raise ValueError("negative file descriptor")
            if not is_simulated(fileno):
                os.fstat(fileno)  # EBADF
                raise error(errno.ENOTSOCK)
            self._run(self._kernel.getsockname(self._process, fileno))
            self._fd = fileno
            self._family = self._fixed(c.SO_DOMAIN) if family == -1 else int(family)
            self._type = self._fixed(c.SO_TYPE) if type == -1 else int(type)
            self._proto = self._fixed(c.SO_PROTOCOL) if proto == -1 else int(proto)
        if self._timeout is not None:
            self._set_nonblock(True)

    def __del__(self) -> None:
        # A finalizer may run anywhere: no system call here, the process closes it at the next switch.
        if getattr(self, "_fd", -1) != -1:
            thread = running.thread
            if running.process is self._process and thread is not None and thread.may_call():
                warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            self._process.lost_fds.append(self._fd)
            self._fd = -1

    def __repr__(self) -> str:
        return (
            f"<socket object, fd={self._fd}, family={self._family}, type={self._type}, proto={self._proto}>"
        )

    def _fixed(self, option: int) -> int:
        return int(self.getsockopt(c.SOL_SOCKET, option))

    @staticmethod
    def _run(call: Blocking[T]) -> T:
        return current_thread().syscall(call)

    def _set_nonblock(self, on: bool) -> None:
        flags = c.O_NONBLOCK if on else 0
        self._run(self._kernel.fcntl(self._process, self._fd, c.F_SETFL, flags))

    def _deadline(self) -> int | None:
        if self._timeout is None:
            return None
        return self._kernel.scheduler.now + round(self._timeout * SEC)

    def _retry(self, events: int, call: Callable[[], Blocking[T]], deadline: int | None) -> T:
        """Run `call` until it does not say EAGAIN, waiting for `events` until `deadline` (sock_call)."""
        if not self._timeout:
            return self._run(self._finished(events, call()))

        def attempt() -> Blocking[T]:
            while True:
                rest = None if deadline is None else max(deadline - self._kernel.scheduler.now, 0)
                if not (yield from self._kernel.poll(self._process, [(self._fd, events)], rest)):
                    raise TimeoutError("timed out")
                try:
                    return (yield from call())
                except BlockingIOError:
                    # Ready, but not for this (POLLERR of an error queue): CPython spins until the deadline.
                    yield Wait(deadline=self._kernel.scheduler.now + SPIN)

        return self._run(self._finished(events, attempt()))

    def _finished(self, events: int, call: Blocking[T]) -> Blocking[T]:
        return settle(call) if events == c.POLLOUT else call

    # Descriptor and mode

    def fileno(self) -> int:
        """The descriptor, or -1."""
        return self._fd

    def detach(self) -> int:
        """Give the descriptor away."""
        fd, self._fd = self._fd, -1
        return fd

    def close(self) -> None:
        """close(2). ECONNRESET is not reported, as in CPython."""
        if self._fd != -1:
            self._run(settle(self._kernel.close(self._process, self.detach())))

    def settimeout(self, value: Any, /) -> None:
        """None: block; 0: never block; else wait so many seconds at most."""
        self._timeout = seconds(value)
        self._set_nonblock(self._timeout is not None)

    def gettimeout(self) -> float | None:
        """What `settimeout` was told."""
        return self._timeout

    timeout = property(gettimeout)

    def setblocking(self, flag: bool, /) -> None:
        """settimeout(None) or settimeout(0)."""
        self.settimeout(None if flag else 0.0)

    def getblocking(self) -> bool:
        """Whether the time-out is not 0."""
        return self._timeout is None or self._timeout > 0

    # Names and connections

    def _sockaddr(self, call: str, address: Any) -> SockAddr:
        return unixaddr(address) if self._family == c.AF_UNIX else sockaddr(call, address)

    def _shown(self, address: SockAddr) -> Address:
        return unixname(address) if self._family == c.AF_UNIX else name(address)

    def bind(self, address: Any, /) -> None:
        """bind(2)."""
        self._run(self._kernel.bind(self._process, self._fd, self._sockaddr("bind", address)))

    def listen(self, backlog: int = 128, /) -> None:
        """listen(2); the default backlog is min(SOMAXCONN, 128)."""
        self._run(self._kernel.listen(self._process, self._fd, max(c_int(backlog), 0)))

    def _accept(self) -> tuple[int, Address]:
        fd, peer = self._retry(
            c.POLLIN,
            lambda: self._kernel.accept(self._process, self._fd, c.SOCK_CLOEXEC),
            self._deadline(),
        )
        return fd, self._shown(peer)

    def connect(self, address: Any, /) -> None:
        """connect(2); with a time-out it waits for the handshake itself."""
        number = self._connect(self._sockaddr("connect", address))
        if number:
            raise TimeoutError("timed out") if number < 0 else error(number)

    def connect_ex(self, address: Any, /) -> int:
        """As `connect`, but returns the errno (EAGAIN after a time-out)."""
        number = self._connect(self._sockaddr("connect_ex", address))
        return errno.EWOULDBLOCK if number < 0 else number

    def _connect(self, address: SockAddr) -> int:
        """0, the errno, or -1 after a time-out."""
        try:
            self._run(settle(self._kernel.connect(self._process, self._fd, address)))
        except OSError as failure:
            if failure.errno != errno.EINPROGRESS or not self._timeout:
                return failure.errno or 0
            rest = round(self._timeout * SEC)
            ready = self._run(self._kernel.poll(self._process, [(self._fd, c.POLLOUT)], rest))
            return self._fixed(c.SO_ERROR) if ready else -1
        return 0

    def getsockname(self) -> Address:
        """getsockname(2)."""
        return self._shown(self._run(self._kernel.getsockname(self._process, self._fd)))

    def getpeername(self) -> Address:
        """getpeername(2)."""
        return self._shown(self._run(self._kernel.getpeername(self._process, self._fd)))

    def shutdown(self, how: int, /) -> None:
        """shutdown(2)."""
        self._run(settle(self._kernel.shutdown(self._process, self._fd, c_int(how))))

    # Options

    def setsockopt(self, level: int, option: int, value: Any, optlen: int | None = None, /) -> None:
        """setsockopt(2) with an int or bytes. `None` is a null pointer: EFAULT if `optlen` is not 0."""
        level, option = c_int(level), c_int(option)
        if isinstance(value, int) and -(1 << 31) <= value < 1 << 31:
            raw = INT.pack(value)
        elif value is None:
            if optlen:
                raise error(errno.EFAULT)
            raw = b""
        else:
            raw = bytes(memoryview(value))  # TypeError for an int that is no C int, as in CPython
        self._run(self._kernel.setsockopt(self._process, self._fd, level, option, raw))

    def getsockopt(self, level: int, option: int, buflen: int = 0, /) -> int | bytes:
        """getsockopt(2): an int, or `buflen` bytes."""
        level, option = c_int(level), c_int(option)
        if not 0 <= buflen <= 1024:
            raise OSError("getsockopt buflen out of range")
        value = self._run(self._kernel.getsockopt(self._process, self._fd, level, option, buflen or 4))
        return value if buflen else int(INT.unpack(value.ljust(INT.size, b"\0"))[0])

    # Data

    def send(self, data: Any, flags: int = 0, /) -> int:
        """send(2)."""
        with buffer(data) as view:
            return self._send(view, c_int(flags), self._deadline())

    def _send(self, data: memoryview, flags: int, deadline: int | None) -> int:
        return self._retry(
            c.POLLOUT,
            lambda: self._kernel.send(self._process, self._fd, data, flags),
            deadline,
        )

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """send(2) until everything is sent; the time-out is for all of it together."""
        deadline = self._deadline()
        sent = 0
        with buffer(data) as view:
            while True:
                with view[sent:] as rest:
                    sent += self._send(rest, flags, deadline)
                if sent >= len(view):
                    return

    def sendto(self, data: Any, *rest: Any) -> int:
        """sendto(2): (data, address) or (data, flags, address)."""
        if not 1 <= len(rest) <= 2:
            raise TypeError(f"sendto() takes 2 or 3 arguments ({len(rest) + 1} given)")
        with buffer(data) as view:
            flags = c_int(rest[0]) if len(rest) == 2 else 0
            address = self._sockaddr("sendto", rest[-1])
            return self._retry(
                c.POLLOUT,
                lambda: self._kernel.sendto(self._process, self._fd, view, flags, address),
                self._deadline(),
            )

    def recv(self, count: int, flags: int = 0, /) -> bytes:
        """recv(2); ValueError for a negative size. CPython does not ask the kernel for 0 bytes."""
        count, flags = c_ssize_t(count), c_int(flags)
        if count < 0:
            raise ValueError("negative buffersize in recv")
        return self._recvfrom(count, flags)[0] if count else b""

    def recvfrom(self, count: int, flags: int = 0, /) -> tuple[bytes, Address | None]:
        """recvfrom(2): a stream names no sender."""
        count, flags = c_ssize_t(count), c_int(flags)
        if count < 0:
            raise ValueError("negative buffersize in recvfrom")
        return self._recvfrom(count, flags)

    def _recvfrom(self, count: int, flags: int) -> tuple[bytes, Address | None]:
        # A subclass may forbid recvfrom(), as ssl's does, and go on using recv().
        data, sender = self._retry(
            c.POLLIN,
            lambda: self._kernel.recvfrom(self._process, self._fd, count, flags),
            self._deadline(),
        )
        return data, None if sender is None else self._shown(sender)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """recv(2) into `buffer`: at most `nbytes`, or as many as it holds."""
        if not nbytes and not memoryview(buffer).nbytes:
            return 0
        return self._recvfrom_into("recv_into", buffer, nbytes, flags)[0]

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Address | None]:
        """recvfrom(2) into `buffer`; ValueError if it is smaller than `nbytes`."""
        return self._recvfrom_into("recvfrom_into", buffer, nbytes, flags)

    def _recvfrom_into(self, call: str, buffer: Any, nbytes: int, flags: int) -> tuple[int, Address | None]:
        nbytes, flags = c_ssize_t(nbytes), c_int(flags)
        with memoryview(buffer).cast("B") as view:
            if view.readonly:  # before anything is taken from the queue
                what = type(buffer).__name__
                raise TypeError(f"{call}() argument 1 must be read-write bytes-like object, not {what}")
            if nbytes < 0:
                raise ValueError(f"negative buffersize in {call}")
            if nbytes > len(view):
                raise ValueError("buffer too small for requested bytes")
            data, sender = self._recvfrom(nbytes or len(view), flags)
            stored = data[: nbytes or len(view)]  # MSG_TRUNC counts beyond
            view[: len(stored)] = stored
            return len(data), sender

    def sendmsg(
        self,
        buffers: Iterable[Any],
        ancdata: Iterable[tuple[int, int, Any]] = (),
        flags: int = 0,
        address: Any = None,
        /,
    ) -> int:
        """sendmsg(2): one message gathered from `buffers`."""
        try:
            views = [buffer(item) for item in buffers]
        except TypeError as wrong:
            if "not iterable" in str(wrong):
                raise TypeError("sendmsg() argument 1 must be an iterable") from None
            raise
        control = ancillary(ancdata)
        lent = realfiles.lend(control) if self._family == c.AF_UNIX else []
        target = None if address is None else self._sockaddr("sendmsg", address)
        try:
            return self._retry(
                c.POLLOUT,
                lambda: self._kernel.sendmsg(self._process, self._fd, views, control, flags, target),
                self._deadline(),
            )
        finally:
            realfiles.end(lent)
            release(views)

    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, Ancillary, int, Any]:
        """recvmsg(2): data, ancillary data, msg_flags, sender; ValueError for negative sizes."""
        if bufsize < 0:
            raise ValueError("negative buffer size in recvmsg()")
        into = bytearray(bufsize)
        length, *rest = self.recvmsg_into([into], ancbufsize, flags)
        return bytes(into[:length]), *rest

    def recvmsg_into(
        self, buffers: Iterable[Any], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, Ancillary, int, Any]:
        """As `recvmsg`, scattered over `buffers`; the number of bytes comes first."""
        if not 0 <= ancbufsize <= 0x7FFF_FFFF:
            raise ValueError("invalid ancillary data buffer length")
        views = [buffer(item) for item in buffers]
        if any(view.readonly for view in views):
            raise TypeError("recvmsg_into() argument 1 must be an iterable of read-write buffers")
        try:
            length, answered, sender, control = self._retry(
                c.POLLIN,
                lambda: self._kernel.recvmsg(self._process, self._fd, views, flags, ancbufsize),
                self._deadline(),
            )
        finally:
            release(views)
        if self._family == c.AF_UNIX:
            control = realfiles.landed(control)
        return length, control, answered, None if sender is None else self._shown(sender)


def _cmsg(length: int, size: Callable[[int], int], name: str) -> int:
    if not 0 <= length <= 0x7FFF_FFFF - size(int(size is cmsg_space)):
        raise OverflowError(f"{name}() argument out of range")
    return size(length)


def CMSG_LEN(length: int, /) -> int:
    """The length of a piece of ancillary data of `length` bytes, with its header; OverflowError."""
    return _cmsg(length, cmsg_len, "CMSG_LEN")


def CMSG_SPACE(length: int, /) -> int:
    """The room that such a piece takes, with padding; OverflowError."""
    return _cmsg(length, cmsg_space, "CMSG_SPACE")


def close(fd: int, /) -> None:
    """close(2)."""
    process = current_process()
    current_thread().syscall(process.kernel.close(process, c_int(fd)))


def dup(fd: int, /) -> int:
    """dup(2), with close-on-exec."""
    process = current_process()
    return current_thread().syscall(process.kernel.fcntl(process, fd, c.F_DUPFD_CLOEXEC, 0))


def socketpair(
    family: int = c.AF_UNIX, type: int = c.SOCK_STREAM, proto: int = 0, /
) -> tuple[socket, socket]:
    """socketpair(2)."""
    process = current_process()
    call = process.kernel.socketpair(process, c_int(family), c_int(type) | c.SOCK_CLOEXEC, c_int(proto))
    first, second = current_thread().syscall(call)
    kind = type & ~(c.SOCK_NONBLOCK | c.SOCK_CLOEXEC)
    return socket(family, kind, proto, first), socket(family, kind, proto, second)


def getdefaulttimeout() -> float | None:
    """The time-out of new sockets."""
    return current_process().default_timeout


def setdefaulttimeout(value: Any, /) -> None:
    """Set the time-out of new sockets."""
    current_process().default_timeout = seconds(value)


EXPORTS: dict[str, Any] = {
    "socket": socket,
    "SocketType": socket,
    **{
        function.__name__: function
        for function in (close, dup, socketpair, getdefaulttimeout, setdefaulttimeout, CMSG_LEN, CMSG_SPACE)
    },
}
