"""The simulator's side of the programs that one command has started: requests in, sockets out."""

import contextlib
import errno
import os
import select
import socket
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from pymodel.host import Host
from pymodel.socket.asyncsocket import at_once
from pymodel.socket.process import Process
from pymodel.task import Task
from tb.preload import protocol
from tb.preload.datagrams import DatagramEnd
from tb.preload.ends import End
from tb.preload.poller import Poller
from tb.preload.protocol import Call, Request
from tb.preload.streams import Phase, StreamEnd

ENVIRONMENT: Final = "FDWIRE_PRELOAD"
"""The service's name, for the shim."""

_DESCRIPTORS: Final = 1 << 20
"""Of the simulated process, which stands for many real ones: theirs have the limits."""
_REMEMBERED: Final = 1000
"""Sockets that have ended while the program still has their descriptors, of which the name is known."""
_BACKLOG: Final = 1024
_CREDENTIALS: Final = struct.Struct("=iII")


class Service:
    """What programs with `environment` ask for happens on `host`, in one simulated process."""

    def __init__(self, host: Host, poller: Poller, name: str) -> None:
        self.kernel = host.kernel
        self.scheduler = host.scheduler
        self.poller = poller
        self.process = Process(host.kernel, name)
        self.process.files.limit = _DESCRIPTORS
        self.name = f"fdwire/{os.getpid()}/{os.urandom(8).hex()}"
        self.ends: dict[int, StreamEnd | DatagramEnd] = {}
        self._past: OrderedDict[int, End] = OrderedDict()
        self._idents = 0
        self._asking: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(f"\0{self.name}")  # an abstract address: no file is left behind
        self._listener.listen(_BACKLOG)
        self._listener.setblocking(False)
        poller.watch(self._listener.fileno(), select.EPOLLIN, self._accept, request=True)

    @property
    def serving(self) -> bool:
        """A program waits for others: it listens, or is bound to a port of UDP."""
        return any(
            end.bound if isinstance(end, DatagramEnd) else end.phase is Phase.LISTENING
            for end in self.ends.values()
        )

    @property
    def flushing(self) -> bool:
        """Something was written and is not yet in a send buffer of TCP."""
        return any(end.flushing for end in self.ends.values())

    @property
    def delivering(self) -> bool:
        """Something has come that no program has read."""
        return any(end.delivering for end in self.ends.values())

    def close(self) -> None:
        """End it: whoever asks from now on is told that the network is down."""
        for end in list(self.ends.values()):
            end.close()
        for asking in list(self._asking):
            self._drop(asking)
        self.poller.forget(self._listener.fileno())
        self._listener.close()
        if not self.process.exited:
            self.process.kill()

    # Sockets

    def kernel_call(self, name: str, *arguments: Any) -> Any:
        """A system call of the simulated process that does not block. OSError as the call."""
        return at_once(getattr(self.kernel, name)(self.process, *arguments))

    def stream(self, fd: int) -> tuple[StreamEnd, socket.socket]:
        """The TCP socket `fd` as an end, and the program's end of the pair."""
        ours, theirs = self._pair(socket.SOCK_STREAM, "s")
        end = StreamEnd(self, self._idents, fd, ours)
        self.ends[end.ident] = end
        return end, theirs

    def _datagrams(self, fd: int) -> tuple[DatagramEnd, socket.socket]:
        # Packets, not datagrams: of those nobody would be told that the program has closed its end.
        ours, theirs = self._pair(socket.SOCK_SEQPACKET, "d")
        end = DatagramEnd(self, self._idents, fd, ours)
        self.ends[end.ident] = end
        return end, theirs

    def _pair(self, kind: int, letter: str) -> tuple[socket.socket, socket.socket]:
        self._idents += 1
        ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
        theirs.bind(f"\0{self.name}/{letter}{self._idents}")
        return ours, theirs

    def ended(self, end: End) -> None:
        """An end is gone. Its name, and why, may still be asked for."""
        if self.ends.pop(end.ident, None) is not None:
            self._past[end.ident] = end
            if len(self._past) > _REMEMBERED:
                self._past.popitem(last=False)

    # Requests

    def _accept(self) -> None:
        while True:
            try:
                asking, _ = self._listener.accept()
            except OSError:
                return
            _, uid, _ = _CREDENTIALS.unpack(
                asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            )
            if uid != os.getuid() and os.getuid() != 0:
                asking.close()
                continue
            asking.setblocking(False)
            self._asking.add(asking)
            self._watch(asking)
            self._read(asking)

    def _watch(self, asking: socket.socket) -> None:
        self.poller.watch(asking.fileno(), select.EPOLLIN, lambda: self._read(asking), request=True)

    def _drop(self, asking: socket.socket) -> None:
        if asking in self._asking:
            self._asking.remove(asking)
            self.poller.forget(asking.fileno())
            asking.close()

    def _read(self, asking: socket.socket) -> None:
        try:
            raw = asking.recv(protocol.LARGEST)
        except BlockingIOError:
            return
        except OSError:
            raw = b""
        if not raw:
            self._drop(asking)  # it has its answer, or wants none any more
            return
        self.poller.settle()
        try:
            self._serve(asking, Request.unpack(raw))
        except OSError as error:
            self._answer(asking, protocol.reply(error.errno or errno.EIO))
        except (ValueError, TypeError):
            self._answer(asking, protocol.reply(errno.EINVAL))

    def _answer(self, asking: socket.socket, reply: bytes, fd: int | None = None) -> None:
        if asking not in self._asking:
            return  # it was not waited for
        with contextlib.suppress(OSError):
            if fd is None:
                asking.send(reply)
            else:
                socket.send_fds(asking, [reply], [fd])
        self._drop(asking)

    def _later(self, asking: socket.socket, task: Task[Any]) -> None:
        """Answer when `task` is done."""

        def done() -> None:
            try:
                self._answer(asking, protocol.reply(result=task.result() or 0))
            except OSError as error:
                self._answer(asking, protocol.reply(error.errno or errno.EIO))
            except RuntimeError:
                self._answer(asking, protocol.reply(errno.EINTR))  # cancelled: its socket is gone

        if task.done:
            done()
        else:
            task.finished.add(done)

    def _serve(self, asking: socket.socket, request: Request) -> None:
        if request.call is Call.SOCKET:
            fd = self.kernel_call("socket", 2, request.a, request.b)
            _, theirs = self._datagrams(fd) if request.a == socket.SOCK_DGRAM else self.stream(fd)
            with theirs:
                self._answer(asking, protocol.reply(), theirs.fileno())
            return
        if request.call is Call.RESOLVE:
            self._answer(asking, protocol.reply(data=protocol.pack_address((self._resolve(request.data), 0))))
            return
        end = self.ends.get(request.ident)
        if end is None:
            self._answer(asking, self._of_the_past(request))
        elif request.call is Call.CONNECT:
            task = end.connect(protocol.unpack_address(request.data), bool(request.a))
            if task is None:
                self._answer(asking, protocol.reply())
            else:
                self._later(asking, task)
        elif request.call is Call.SENDTO:
            if not isinstance(end, DatagramEnd):
                raise OSError(errno.EOPNOTSUPP, "sendto")
            address = protocol.unpack_address(request.data[: request.c]) if request.c else None
            end.bound = True
            self._later(asking, end.send(request.data[request.c :], request.a, bool(request.b), address))
        else:
            result, data = self._CALLS[request.call](self, end, request)
            self._answer(asking, protocol.reply(result=result, data=data))

    def _resolve(self, name: bytes) -> bytes:
        text = name.decode("ascii", "replace").lower().rstrip(".")
        address = {"localhost": bytes((127, 0, 0, 1)), **self.kernel.hosts}.get(text)
        if address is None:
            raise OSError(errno.ENOENT, "no such host")
        return address

    def _of_the_past(self, request: Request) -> bytes:
        """What is still known of a socket whose connection is over."""
        past = self._past.get(request.ident)
        if past is None:
            return protocol.reply(errno.EBADF)
        if request.call is Call.GETSOCKNAME:
            return protocol.reply(data=protocol.pack_address(past.name()))
        if request.call is Call.ENDED:
            return protocol.reply(result=past.why(reading=bool(request.a)))
        if request.call is Call.GETSOCKOPT and (request.a, request.b) == (socket.SOL_SOCKET, socket.SO_ERROR):
            return protocol.reply(data=struct.pack("=i", past.take_error())[: max(request.c, 0)])
        if request.call in (Call.SETSOCKOPT, Call.FILLED):
            return protocol.reply()
        return protocol.reply(errno.ENOTCONN if request.call is not Call.CONNECT else errno.EISCONN)

    def _bind(self, end: StreamEnd | DatagramEnd, request: Request) -> tuple[int, bytes]:
        address = protocol.unpack_address(request.data)
        self.kernel_call("bind", end.fd, (bytes(4), 0) if address is None else address)
        if isinstance(end, DatagramEnd):
            end.bound = True
        return 0, b""

    def _listen(self, end: StreamEnd | DatagramEnd, request: Request) -> tuple[int, bytes]:
        if isinstance(end, StreamEnd):
            end.listen(request.a)
        else:
            self.kernel_call("listen", end.fd, request.a)
        return 0, b""

    def _check_accept(self, end: StreamEnd | DatagramEnd, request: Request) -> tuple[int, bytes]:
        end.check_accept()
        return 0, b""

    def _accepted(self, end: StreamEnd | DatagramEnd, request: Request) -> tuple[int, bytes]:
        if isinstance(end, StreamEnd):
            end.accepted()
        return 0, b""

    def _filled(self, end: StreamEnd | DatagramEnd, request: Request) -> tuple[int, bytes]:
        if isinstance(end, StreamEnd):
            end.filled(request.a)
        return 0, b""

    def _getsockname(self, end: StreamEnd | DatagramEnd, request: Request) -> tuple[int, bytes]:
        return 0, protocol.pack_address(end.name())

    def _getpeername(self, end: StreamEnd | DatagramEnd, request: Request) -> tuple[int, bytes]:
        return 0, protocol.pack_address(self.kernel_call("getpeername", end.fd))

    def _getsockopt(self, end: StreamEnd | DatagramEnd, request: Request) -> tuple[int, bytes]:
        if (request.a, request.b) == (socket.SOL_SOCKET, socket.SO_ERROR) and end.error:
            return 0, struct.pack("=i", end.take_error())
        return 0, self.kernel_call("getsockopt", end.fd, request.a, request.b, request.c)

    def _setsockopt(self, end: StreamEnd | DatagramEnd, request: Request) -> tuple[int, bytes]:
        self.kernel_call("setsockopt", end.fd, request.a, request.b, request.data)
        return 0, b""

    def _shutdown(self, end: StreamEnd | DatagramEnd, request: Request) -> tuple[int, bytes]:
        end.check_shutdown(request.a)
        return 0, b""

    def _ended(self, end: StreamEnd | DatagramEnd, request: Request) -> tuple[int, bytes]:
        return end.why(reading=bool(request.a)), b""

    _CALLS: Final[dict[Call, Callable[..., tuple[int, bytes]]]] = {
        Call.BIND: _bind,
        Call.LISTEN: _listen,
        Call.ACCEPT: _check_accept,
        Call.ACCEPTED: _accepted,
        Call.FILLED: _filled,
        Call.GETSOCKNAME: _getsockname,
        Call.GETPEERNAME: _getpeername,
        Call.GETSOCKOPT: _getsockopt,
        Call.SETSOCKOPT: _setsockopt,
        Call.SHUTDOWN: _shutdown,
        Call.ENDED: _ended,
    }
