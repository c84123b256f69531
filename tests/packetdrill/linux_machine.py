"""The real Linux kernel as the machine under test: in a network namespace of its own, behind a TUN device.

Runs the same scripts with the same interpreter as the simulated host, in real time: what the kernel does is
what our stack should do. Needs root (CLONE_NEWNET, /dev/net/tun). One child process makes the script's system
calls through libc, the parent is the wire.
"""

import ctypes
import fcntl
import ipaddress
import os
import pickle
import re
import select
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from pymodel.scheduler import Scheduler
from pymodel.simtime import MS, NS, SEC
from pymodel.task import Blocking, Task, Wait, WaitQueue
from tb.packetdrill.config import Config
from tb.packetdrill.errors import ScriptError, ScriptFailure
from tb.packetdrill.machine import BadAddress
from tb.packetdrill.parser import parse
from tb.packetdrill.runner import Runner
from tb.packetdrill.session import Verdict, configure, defined, judge
from tb.packetdrill.settings import DEFAULTS

_TUNSETIFF = 0x400454CA
_IFF_TUN_NO_PI = 0x1001
_CLONE_NEWNET = 0x40000000

_TOLERANCE_US = 30_000
"""Real time, and an interpreter in Python on a machine that has other things to do."""

_libc = ctypes.CDLL(None, use_errno=True)


def missing() -> str | None:
    """Why this machine cannot be used here; None if it can."""
    if os.geteuid() != 0:
        return "a network namespace with a TUN device needs root"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    return None


def takes(setting: str, value: str) -> bool:
    """This kernel has the sysctl `setting`, and it can be `value`."""
    line = f"sysctl -q {setting}={value}"
    return not subprocess.run(
        ["unshare", "-n", "sh", "-c", line], capture_output=True, check=False
    ).returncode


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Msghdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32), ("pad", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p), ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t), ("flags", ctypes.c_int),
    )  # fmt: skip


_NOWHERE = ctypes.c_void_p(1)


def _pointer(data: bytes | BadAddress) -> Any:
    return _NOWHERE if isinstance(data, BadAddress) else data


def _ancillary(control: bytes) -> list[tuple[int, int, bytes]]:
    """(level, type, data) of each cmsghdr (cmsg(3))."""
    found: list[tuple[int, int, bytes]] = []
    at = 0
    while at + 16 <= len(control):
        length, level, kind = struct.unpack_from("@Nii", control, at)
        if length < 16:
            break
        found.append((level, kind, control[at + 16 : at + length]))
        at += (length + 7) & ~7
    return found


class _Calls:
    """The calls of `pymodel.socket.syscalls.Kernel`, made for real. Times are ps, addresses packed."""

    @staticmethod
    def _check(result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result

    @staticmethod
    def _sockaddr(address: tuple[bytes, int] | None) -> bytes:
        if address is None:
            return struct.pack("=H14x", socket.AF_UNSPEC)
        return struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", address[1], address[0])

    @staticmethod
    def _unpack(data: bytes) -> tuple[bytes, int]:
        port, ip = struct.unpack_from("!H4s", data, 2)
        return ip, port

    def socket(self, family: int, kind: int, protocol: int) -> int:
        fd = self._check(_libc.socket(family, kind, protocol))
        # CUBIC is Linux's default; this kernel's own may be another, and a namespace cannot always change it.
        with open("/proc/sys/net/ipv4/tcp_congestion_control") as file:
            default = file.read().strip()
        if kind & 0xF == socket.SOCK_STREAM and default != "reno":
            self.setsockopt(fd, socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
        return fd

    def bind(self, fd: int, address: tuple[bytes, int]) -> None:
        self._check(_libc.bind(fd, self._sockaddr(address), 16))

    def listen(self, fd: int, backlog: int) -> None:
        self._check(_libc.listen(fd, backlog))

    def _name(self, function: Any, fd: int) -> tuple[bytes, int]:
        data, length = ctypes.create_string_buffer(16), ctypes.c_int(16)
        self._check(function(fd, data, ctypes.byref(length)))
        return self._unpack(data.raw)

    def getsockname(self, fd: int) -> tuple[bytes, int]:
        return self._name(_libc.getsockname, fd)

    def getpeername(self, fd: int) -> tuple[bytes, int]:
        return self._name(_libc.getpeername, fd)

    def accept(self, fd: int, flags: int) -> tuple[int, tuple[bytes, int]]:
        data, length = ctypes.create_string_buffer(16), ctypes.c_int(16)
        new = self._check(_libc.accept4(fd, data, ctypes.byref(length), flags))
        return new, self._unpack(data.raw)

    def connect(self, fd: int, address: tuple[bytes, int] | None) -> None:
        self._check(_libc.connect(fd, self._sockaddr(address), 16))

    def shutdown(self, fd: int, how: int) -> None:
        self._check(_libc.shutdown(fd, how))

    def read(self, fd: int, count: int | BadAddress) -> bytes:
        if isinstance(count, BadAddress):
            return bytes(self._check(_libc.read(fd, _NOWHERE, ctypes.c_size_t(len(count)))))
        data = ctypes.create_string_buffer(max(count, 1))
        got = self._check(_libc.read(fd, data, ctypes.c_size_t(count)))
        return data.raw[:got]

    def readv(self, fd: int, buffers: list[int]) -> tuple[int, bytes]:
        data = self.read(fd, sum(buffers))
        return len(data), data

    def write(self, fd: int, data: bytes | BadAddress) -> int:
        return self._check(_libc.write(fd, _pointer(data), ctypes.c_size_t(len(data))))

    def writev(self, fd: int, buffers: list[bytes]) -> int:
        return os.writev(fd, buffers)

    def recvfrom(self, fd: int, count: int, flags: int) -> tuple[bytes, None]:
        data = ctypes.create_string_buffer(max(count, 1))
        got = self._check(_libc.recv(fd, data, ctypes.c_size_t(count), flags))
        return data.raw[: min(got, count)], None

    def recv(self, fd: int, count: int | BadAddress, flags: int) -> bytes:
        if isinstance(count, BadAddress):
            return bytes(self._check(_libc.recv(fd, _NOWHERE, ctypes.c_size_t(len(count)), flags)))
        return self.recvfrom(fd, count, flags)[0]

    def sendto(self, fd: int, data: bytes, flags: int, address: tuple[bytes, int] | None = None) -> int:
        where = None if address is None else self._sockaddr(address)
        size = ctypes.c_size_t(len(data))
        return self._check(
            _libc.sendto(fd, _pointer(data), size, flags | socket.MSG_NOSIGNAL, where, 16 if where else 0)
        )

    def sendmsg(
        self,
        fd: int,
        buffers: list[memoryview | BadAddress],
        control: list[tuple[int, int, bytes]],
        flags: int,
        address: tuple[bytes, int] | None,
    ) -> int:
        data = [buffer if isinstance(buffer, BadAddress) else bytes(buffer) for buffer in buffers]
        vectors = (_Iovec * max(len(data), 1))(
            *(_Iovec(ctypes.cast(_pointer(part), ctypes.c_void_p), len(part)) for part in data)
        )
        packed = b"".join(
            struct.pack("@Nii", 16 + len(part), level, kind) + part + bytes(-len(part) % 8)
            for level, kind, part in control
        )
        where = None if address is None else self._sockaddr(address)
        message = _Msghdr(
            ctypes.cast(where, ctypes.c_void_p), 16 if where else 0, 0,
            ctypes.addressof(vectors), len(data), ctypes.cast(packed, ctypes.c_void_p), len(packed), 0,
        )  # fmt: skip
        return self._check(_libc.sendmsg(fd, ctypes.byref(message), flags | socket.MSG_NOSIGNAL))

    def recvmsg(self, fd: int, sizes: list[int], flags: int) -> tuple[int, bytes, int, list[Any]]:
        """Through libc: Python would cut the length that MSG_TRUNC asks for."""
        data, control = ctypes.create_string_buffer(max(sum(sizes), 1)), ctypes.create_string_buffer(1024)
        vector = _Iovec(ctypes.addressof(data), sum(sizes))
        message = _Msghdr(None, 0, 0, ctypes.addressof(vector), 1, ctypes.addressof(control), 1024, 0)
        length = self._check(_libc.recvmsg(fd, ctypes.byref(message), flags))
        return (
            length,
            data.raw[: min(length, sum(sizes))],
            message.flags,
            _ancillary(control.raw[: message.control_length]),
        )

    def sendfile(self, out: int, source: int, offset: int | None, count: int) -> int:
        return os.sendfile(out, source, offset, count)  # type: ignore[arg-type]

    def splice(
        self, source: int, source_offset: int | None, out: int, out_offset: int | None, count: int, flags: int
    ) -> int:
        return self._check(_libc.splice(source, None, out, None, ctypes.c_size_t(count), flags))

    def open(self, path: str, flags: int) -> int:
        return os.open(path, flags, 0o600)

    def pipe(self, flags: int) -> tuple[int, int]:
        return os.pipe2(flags)

    def close(self, fd: int) -> None:
        self._check(_libc.close(fd))

    def dup(self, fd: int) -> int:
        return self._check(_libc.dup(fd))

    def dup2(self, fd: int, new: int) -> int:
        return self._check(_libc.dup2(fd, new))

    def fcntl(self, fd: int, command: int, argument: int = 0) -> int:
        return self._check(_libc.fcntl(fd, command, argument))

    def ioctl(self, fd: int, request: int, argument: int) -> int:
        value = ctypes.c_int(argument)
        self._check(_libc.ioctl(fd, ctypes.c_ulong(request), ctypes.byref(value)))
        return value.value

    def setsockopt(self, fd: int, level: int, name: int, value: bytes) -> None:
        self._check(_libc.setsockopt(fd, level, name, value, len(value)))

    def getsockopt(self, fd: int, level: int, name: int, length: int) -> bytes:
        data, size = ctypes.create_string_buffer(max(length, 1)), ctypes.c_int(length)
        self._check(_libc.getsockopt(fd, level, name, data, ctypes.byref(size)))
        return data.raw[: size.value]

    def poll(self, entries: list[tuple[int, int]], timeout: int | None) -> list[tuple[int, int]]:
        poller = select.poll()
        for fd, events in entries:
            poller.register(fd, events)
        return poller.poll(None if timeout is None else timeout // MS)

    def select(
        self, reading: list[int], writing: list[int], exceptional: list[int], timeout: int | None
    ) -> tuple[list[int], ...]:
        return select.select(reading, writing, exceptional, None if timeout is None else timeout / SEC)

    def epoll_create(self, flags: int) -> int:
        return self._check(_libc.epoll_create1(flags))

    def epoll_ctl(self, epfd: int, operation: int, fd: int, events: int, data: int) -> None:
        self._check(_libc.epoll_ctl(epfd, operation, fd, struct.pack("=IQ", events, data)))

    def epoll_wait(self, epfd: int, limit: int, timeout: int | None) -> list[tuple[int, int]]:
        data = ctypes.create_string_buffer(12 * max(limit, 1))
        milliseconds = -1 if timeout is None else timeout // MS
        count = self._check(_libc.epoll_wait(epfd, data, limit, milliseconds))
        found = [struct.unpack_from("=IQ", data.raw, 12 * at) for at in range(count)]
        return [(value, events) for events, value in found]


class LinuxMachine:
    """See `tb.packetdrill.machine.Machine`. The caller's thread must be in the namespace (`run`)."""

    def __init__(self, config: Config) -> None:
        self.scheduler = Scheduler()
        self.config = config
        self._calls = _Calls()
        self._began = time.monotonic_ns()
        self._tun = -1
        self._receive: Callable[[int, bytes], None] = lambda at, packet: None
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._done: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._worker = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def start(self, receive: Callable[[int, bytes], None]) -> Blocking[None]:
        self._receive = receive
        self._tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self._tun, _TUNSETIFF, struct.pack("16sH22x", b"tun0", _IFF_TUN_NO_PI))
        length = ipaddress.IPv4Network(f"0.0.0.0/{self.config.netmask_ip}").prefixlen
        for line in (
            "sysctl -q net.ipv6.conf.all.disable_ipv6=1",
            "ip link set lo up",
            # What older kernels had by default, and what the profile has.
            'sysctl -q net.ipv4.tcp_rmem="4096 131072 6291456" net.ipv4.tcp_wmem="4096 16384 4194304"',
            f"ip addr add {self.config.local_ip}/{length} dev tun0",
            f"ip link set tun0 mtu {self.config.mtu} up",
            f"ip route add default via {self.config.gateway_ip} dev tun0",
        ):
            yield from self.command(line)
        self._worker.start()

    def call(self, name: str, *arguments: Any) -> Blocking[Any]:
        views: list[memoryview] = []
        if name in ("readv", "recvmsg"):
            views = arguments[1]
            arguments = (arguments[0], [len(view) for view in views], *arguments[2:])
        function = getattr(self._calls, name, None)
        if function is None:
            raise ScriptError(f"{name}() is not there")
        outcome: list[Any] = []
        queue = WaitQueue()

        def job() -> None:
            try:
                outcome.append((function(*arguments), None))
            except OSError as error:
                outcome.append((None, error))
            self._done.put(queue.wake)
            os.write(self._wake_write, b"x")

        self._jobs.put(job)
        while not outcome:
            yield Wait(queue)
        value, error = outcome[0]
        if error is not None:
            raise error
        if name in ("readv", "recvmsg"):
            data = value[1]
            for view in views:
                view[: len(data[: len(view)])] = data[: len(view)]
                data = data[len(view) :]
            return value[0] if name == "readv" else (value[0], value[2], None, value[3])
        return value

    def inject(self, packet: bytes) -> Blocking[None]:
        yield from ()
        try:
            os.write(self._tun, packet)
        except OSError as error:
            raise ScriptError(f"the TUN device refuses the packet: {error}") from None

    def command(self, text: str) -> Blocking[None]:
        settings = "; ".join(f"sysctl -q '{name}={value}'" for name, value in DEFAULTS.items())
        text = re.sub(r"^\s*(?:source |\. )?\S*defaults\.sh\b", settings, text)
        done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, timeout=20, check=False)
        if done.returncode:
            raise ScriptFailure(f"`{text}` ended with status {done.returncode}: {done.stderr.strip()}")
        yield Wait(deadline=self._now())  # the clock has gone on meanwhile

    def wall_clock(self) -> int:
        return time.time_ns()

    def stop(self) -> None:
        os.close(self._tun)

    def _now(self) -> int:
        return (time.monotonic_ns() - self._began) * NS

    def run(self, task: Task[None]) -> None:
        """The event loop: the scheduler's time is the real one."""
        while not task.done:
            self.scheduler.run_until(self._now())
            if task.done:
                break
            sources = [self._wake_read] + ([self._tun] if self._tun >= 0 else [])
            deadline = self.scheduler.next_deadline()
            left = 5.0 if deadline is None else max(deadline - self._now(), 0) / SEC
            select.select(sources, [], [], left)
            self.scheduler.run_until(self._now())
            while self._tun >= 0:
                try:
                    packet = os.read(self._tun, 65536)
                except BlockingIOError:
                    break
                self._receive(self.scheduler.now, packet)
            try:
                os.read(self._wake_read, 100)
            except BlockingIOError:
                continue
            while not self._done.empty():
                self._done.get()()


def _child(text: str, options: dict[str, str], pipe: int) -> None:
    if _libc.unshare(_CLONE_NEWNET) != 0:
        verdict = Verdict(False, f"unshare: {os.strerror(ctypes.get_errno())}")
    else:
        try:
            verdict = _run(text, options)
        except ScriptError as error:
            verdict = Verdict(False, error.message, error.line)
    os.write(pipe, pickle.dumps(verdict))


def _run(text: str, options: dict[str, str]) -> Verdict:
    script = parse(defined(text, options))
    config = configure(script, options)
    config.tolerance_usecs = max(config.tolerance_usecs, _TOLERANCE_US)
    machine = LinuxMachine(config)
    runner = Runner(script, machine.config, machine)
    # The script expects its first descriptor to be 3.
    task = Task(machine.scheduler, runner.run(), "script")
    machine.run(task)
    machine.stop()
    return judge(runner, task)


def run(text: str, options: dict[str, str] | None = None, timeout: float = 120) -> Verdict:
    """Run the script in `text` on this machine's kernel."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _child(text, options or {}, writing)
        finally:
            os._exit(0)
    os.close(writing)
    limit = time.monotonic() + timeout
    data = b""
    while select.select([reading], [], [], max(limit - time.monotonic(), 0))[0]:
        part = os.read(reading, 65536)
        if not part:
            break
        data += part
    else:
        os.kill(pid, 9)
    os.close(reading)
    os.waitpid(pid, 0)
    return pickle.loads(data) if data else Verdict(False, "no verdict: it took too long, or ended early")
