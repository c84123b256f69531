"""A vhost-user client for the tests, written from the specification and not from tb/links/vhost, and the
server that it speaks to: over a golden NIC, in this process."""

import contextlib
import mmap
import os
import select
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from pymodel.golden.nic import DMA_LATENCY, GoldenNic
from pymodel.ports import Frame
from pymodel.regionmem import RegionMemory
from pymodel.scheduler import Scheduler
from pymodel.simtime import MS
from pymodel.task import Task
from tb.links.vhost import listening
from tb.links.vhost.server import Server

GUEST, USER, SIZE = 0x4000_0000, 0x7F00_0000_0000, 1 << 20
RING, EVENTS, BUFFERS = 0, 0x8000, 0x10000
"""Offsets in the client's memory: ring i is 0x2000 bytes further on, its event structures 16."""

VERSION_1, PACKED, PROTOCOL = 1 << 32, 1 << 34, 1 << 30
REPLY_ACK, STATUS = 1 << 3, 1 << 16


class Bench:
    """A server at `path`, the client's memory `latency` ps away from the NIC; `said`: what its user is told;
    `sent`: the frames that the NIC has sent."""

    def __init__(self, path: Path, latency: int) -> None:
        self.scheduler = Scheduler()
        self.memory = RegionMemory()
        self.nic = GoldenNic(self.scheduler, self.memory, dma_latency=latency)
        self.sent: list[bytes] = []
        self.nic.set_wire_handler(lambda frame: self.sent.append(frame.data))
        self.said: list[str] = []
        self.watched: dict[int, Callable[[], None]] = {}
        self.path = str(path)
        self.server = Server(
            self.scheduler,
            self.nic,
            self.memory,
            listener=listening.listen(self.path),
            path=self.path,
            watched=self.watched,
            say=self.said.append,
        )
        self.until(Task(self.scheduler, self.server.find()))
        self.server.start()

    def until(self, task: "Task[None]") -> None:
        while not task.done:
            assert self.scheduler.step()
        task.result()

    def pump(self, rounds: int = 4) -> None:
        """Let the server do what there is to do."""
        for _ in range(rounds):
            for fd in select.select(list(self.watched), [], [], 0)[0]:
                if fd in self.watched:
                    self.watched[fd]()
            self.server.poll()
            self.scheduler.run_until(self.scheduler.now + MS)

    def close(self) -> None:
        self.until(Task(self.scheduler, self.server.shut()))
        self.server.close()
        listening.unlink(self.path)

    def deliver(self, frame: bytes) -> None:
        now = self.scheduler.now
        self.nic.deliver(Frame(frame, now, now + 1000))


@contextlib.contextmanager
def bench(path: Path, latency: int = DMA_LATENCY) -> Iterator[Bench]:
    made = Bench(path, latency)
    try:
        yield made
    finally:
        made.close()


class Client:
    """One connection; its memory is a memfd of `SIZE` bytes at `GUEST`, at `USER` in its own address
    space.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(bench.path)
        self.socket.settimeout(5)
        self.memfd = os.memfd_create("client")
        os.ftruncate(self.memfd, SIZE)
        self.memory = mmap.mmap(self.memfd, SIZE)
        self.kicks = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(2)]
        self.calls = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(2)]
        self.errs = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(2)]
        bench.pump()

    def close(self) -> None:
        self.socket.close()
        self.memory.close()
        for fd in (self.memfd, *self.kicks, *self.calls, *self.errs):
            os.close(fd)
        self.bench.pump()

    def raw(self, data: bytes, fds: tuple[int, ...] = ()) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # `gone` says so
            socket.send_fds(self.socket, [data], list(fds))
        self.bench.pump()

    def send(self, request: int, payload: bytes = b"", fds: tuple[int, ...] = (), flags: int = 1) -> None:
        self.raw(struct.pack("<III", request, flags, len(payload)) + payload, fds)

    def answer(self) -> tuple[int, int, bytes]:
        """Request, flags, payload of what has come back."""
        request, flags, size = struct.unpack("<III", self.socket.recv(12, socket.MSG_WAITALL))
        return request, flags, self.socket.recv(size, socket.MSG_WAITALL) if size else b""

    def ask(self, request: int, payload: bytes = b"") -> int:
        """A number, or the second half of a vring state."""
        self.send(request, payload)
        got, flags, answer = self.answer()
        assert (got, flags) == (request, 5)
        return int(struct.unpack_from("<Q" if not payload else "<4xI", answer)[0])

    @property
    def gone(self) -> bool:
        """The server has closed the connection."""
        self.bench.pump()
        try:
            return bool(select.select([self.socket], [], [], 0)[0]) and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    # ---- the usual way up

    def mem_table(self, *regions: tuple[int, int, int, int]) -> bytes:
        table = regions or ((GUEST, SIZE, USER, 0),)
        return struct.pack("<II", len(table), 0) + b"".join(struct.pack("<QQQQ", *region) for region in table)

    def address(self, index: int, user: int = USER) -> bytes:
        ring, events = user + RING + 0x2000 * index, user + EVENTS + 16 * index
        return struct.pack("<IIQQQQ", index, 0, ring, events + 4, events, 0)

    def describe(self, index: int, size: int = 8, base: int = 0x8000) -> None:
        self.send(8, struct.pack("<II", index, size))
        self.send(10, struct.pack("<II", index, base))
        self.send(9, self.address(index))
        self.send(12, struct.pack("<Q", index), (self.kicks[index],))
        self.send(13, struct.pack("<Q", index), (self.calls[index],))
        self.send(14, struct.pack("<Q", index), (self.errs[index],))

    def start(self, features: int = VERSION_1 | PACKED, protocol: int = REPLY_ACK) -> None:
        assert self.ask(1) & PROTOCOL
        assert self.ask(15) & protocol == protocol
        self.send(16, struct.pack("<Q", protocol))
        self.send(3)
        self.send(2, struct.pack("<Q", features | PROTOCOL))
        self.send(5, self.mem_table(), (self.memfd,))
        for index in range(2):
            self.describe(index)
            self.send(18, struct.pack("<II", index, 1))

    def post(
        self,
        index: int,
        slot: int,
        offset: int,
        length: int,
        *,
        writable: bool,
        wrap: bool = True,
        address: int | None = None,
        pump: bool = True,
    ) -> None:
        """Make one descriptor available (virtio 1.2 §2.8.1), notify and, with `pump`, let the server do what
        there is to do."""
        where = GUEST + offset if address is None else address
        flags = (2 if writable else 0) | (1 << 7 if wrap else 1 << 15)
        at = RING + 0x2000 * index + 16 * slot
        self.memory[at : at + 16] = struct.pack("<QIHH", where, length, slot, flags)
        os.eventfd_write(self.kicks[index], 1)
        if pump:
            self.bench.pump()

    def used(self, index: int, slot: int) -> tuple[int, int, int]:
        """Length, id and flags of a slot."""
        return struct.unpack_from("<8xIHH", self.memory, RING + 0x2000 * index + 16 * slot)

    def is_used(self, index: int, slot: int) -> bool:
        """A slot that was made available has been used (virtio 1.2 §2.8.1: both flags are equal)."""
        flags = self.used(index, slot)[2]
        return flags >> 15 == flags >> 7 & 1

    def called(self, index: int) -> bool:
        with contextlib.suppress(BlockingIOError):
            return os.eventfd_read(self.calls[index]) > 0
        return False
