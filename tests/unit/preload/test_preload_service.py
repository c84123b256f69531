"""Sockets of a program as the simulator has them: requests and descriptors as the shim has them."""

import errno
import os
import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pymodel.host import World
from pymodel.simtime import SEC
from tb.preload import protocol
from tb.preload.poller import Poller
from tb.preload.protocol import Call, Request
from tb.preload.service import Service

A, B = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))


class Bench:
    """Two services, one on each host, and what turns the world."""

    def __init__(self) -> None:
        self.world = World.golden()
        self.world.start()
        self.scheduler = self.world.scheduler
        self.poller = Poller()
        self.a = Service(self.world.a, self.poller, "a")
        self.b = Service(self.world.b, self.poller, "b")

    def turn(self, steps: int = 400) -> None:
        for _ in range(steps):
            self.poller.poll()
            deadline = self.scheduler.next_deadline()
            if deadline is None or deadline > self.scheduler.now + SEC // 10:
                self.poller.poll()
                return
            self.scheduler.step()

    def ask(self, service: Service, request: Request) -> "Asked":
        asking = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        asking.connect(f"\0{service.name}")
        asking.send(request.pack())
        return Asked(self, asking)

    def call(self, service: Service, call: Call, end: "Mine | None" = None, **more: object) -> bytes:
        ident = 0 if end is None else end.ident
        return self.ask(service, Request(call, ident, **more)).answer()[2]  # type: ignore[arg-type]

    def socket(self, service: Service, kind: int = socket.SOCK_STREAM) -> "Mine":
        _, _, _, (fd,) = self.ask(service, Request(Call.SOCKET, a=kind)).answer()
        return Mine(socket.socket(fileno=fd))

    def listen(self, service: Service) -> "Mine":
        listener = self.socket(service)
        self.call(service, Call.BIND, listener, data=protocol.pack_address((bytes(4), 80)))
        self.call(service, Call.LISTEN, listener, a=5)
        return listener

    def pair(self) -> tuple["Mine", "Mine"]:
        listener, client = self.listen(self.b), self.socket(self.a)
        self.call(self.a, Call.CONNECT, client, data=protocol.pack_address((B, 80)))
        server = self.accept(listener)
        listener.sock.close()
        self.turn()
        return client, server

    def accept(self, listener: "Mine") -> "Mine":
        self.turn()
        self.call(self.b, Call.ACCEPT, listener)
        record, (fd,), _, _ = socket.recv_fds(listener.sock, 16, 1)
        assert protocol.unpack_address(record)[0] == A  # type: ignore[index]
        self.call(self.b, Call.ACCEPTED, listener)
        return Mine(socket.socket(fileno=fd))

    def why(self, service: Service, end: "Mine") -> int:
        return self.ask(service, Request(Call.ENDED, end.ident, a=1)).answer()[1]


@dataclass
class Asked:
    """A request on its way."""

    bench: Bench
    sock: socket.socket

    def answer(self) -> tuple[int, int, bytes, list[int]]:
        """Its (0, result, data, descriptors); OSError if that is the answer."""
        self.sock.setblocking(False)
        for _ in range(50):
            self.bench.turn()
            try:
                raw, fds, _, _ = socket.recv_fds(self.sock, 4096, 1)
                break
            except BlockingIOError:
                continue
        self.sock.close()
        error, result, data = protocol.unpack_reply(raw)
        if error:
            raise OSError(error, os.strerror(error))
        return error, result, data, fds


class Mine:
    """The program's end. `ident`: as its name says."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.setblocking(False)
        self.ident = int(sock.getsockname().rpartition(b"/")[2][1:])

    def writable(self) -> bool:
        return bool(select.select([], [self.sock], [], 0)[1])


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.a.close()
    made.b.close()
    made.poller.close()
    made.world.power_off()


def test_bytes_go_both_ways_and_each_way_ends_by_itself(bench: Bench) -> None:
    client, server = bench.pair()
    data = os.urandom(300_000)
    got, left = b"", memoryview(data)
    while len(got) < len(data):
        if left and client.writable():
            left = left[client.sock.send(left) :]
        bench.turn(50)
        if select.select([server.sock], [], [], 0)[0]:
            got += server.sock.recv(1 << 20)
    assert got == data
    client.sock.shutdown(socket.SHUT_WR)
    bench.turn()
    assert server.sock.recv(1) == b"" and bench.why(bench.b, server) == 0
    server.sock.send(b"still open")
    bench.turn()
    assert client.sock.recv(100) == b"still open"
    server.sock.close()
    bench.turn()
    assert client.sock.recv(1) == b"" and not bench.a.ends and not bench.b.ends


def test_close_with_data_unread_resets_and_the_peer_learns_why(bench: Bench) -> None:
    client, server = bench.pair()
    client.sock.send(b"nobody reads this")
    bench.turn()
    server.sock.close()
    bench.turn()
    assert client.sock.recv(1) == b""
    assert bench.why(bench.a, client) == errno.ECONNRESET
    assert bench.why(bench.a, client) == 0, "once"
    with pytest.raises(OSError) as gone:
        bench.call(bench.a, Call.GETPEERNAME, client)
    assert gone.value.errno == errno.ENOTCONN


def test_close_with_data_unread_resets_after_a_fin_too(bench: Bench) -> None:
    client, server = bench.pair()
    server.sock.shutdown(socket.SHUT_WR)
    bench.turn()
    client.sock.send(b"nobody reads this")
    bench.turn()
    server.sock.close()
    bench.turn()
    assert client.sock.recv(1) == b"" and bench.why(bench.a, client) == 0, "a reader has seen the FIN"
    assert bench.ask(bench.a, Request(Call.ENDED, client.ident)).answer()[1] == errno.EPIPE


def test_connection_that_nobody_accepted_is_reset_with_its_listener(bench: Bench) -> None:
    listener, client = bench.listen(bench.b), bench.socket(bench.a)
    bench.call(bench.a, Call.CONNECT, client, data=protocol.pack_address((B, 80)))
    bench.turn()
    listener.sock.close()
    bench.turn()
    assert client.sock.recv(1) == b"" and bench.why(bench.a, client) == errno.ECONNRESET


def test_descriptor_is_writable_only_when_a_connect_that_did_not_block_is_done(bench: Bench) -> None:
    listener, client = bench.listen(bench.b), bench.socket(bench.a)
    with pytest.raises(BlockingIOError):
        bench.call(bench.a, Call.CONNECT, client, a=1, data=protocol.pack_address((B, 80)))
    filled = 0
    while client.writable():
        filled += client.sock.send(bytes(4096))
    bench.call(bench.a, Call.FILLED, client, a=filled)
    bench.turn()
    assert client.writable()
    client.sock.send(b"the first byte")
    server = bench.accept(listener)
    bench.turn()
    assert server.sock.recv(100) == b"the first byte"


def test_refused_connection_is_an_error_of_the_call(bench: Bench) -> None:
    client = bench.socket(bench.a)
    with pytest.raises(ConnectionRefusedError):
        bench.call(bench.a, Call.CONNECT, client, data=protocol.pack_address((B, 81)))


def test_what_was_closed_before_a_request_is_closed_for_it(bench: Bench) -> None:
    first, second = bench.listen(bench.b), bench.socket(bench.b)
    with pytest.raises(OSError) as used:
        bench.call(bench.b, Call.BIND, second, data=protocol.pack_address((bytes(4), 80)))
    assert used.value.errno == errno.EADDRINUSE
    first.sock.close()
    again = Request(Call.BIND, second.ident, data=protocol.pack_address((bytes(4), 80)))
    asked = bench.ask(bench.b, again)
    bench.b._accept()  # as when the request comes while others are being looked at
    assert asked.answer()[0] == 0


def test_datagram_comes_with_its_sender_and_an_error_in_its_place(bench: Bench) -> None:
    one, other = (bench.socket(service, socket.SOCK_DGRAM) for service in (bench.a, bench.b))
    bench.call(bench.b, Call.BIND, other, data=protocol.pack_address((bytes(4), 53)))
    to = protocol.pack_address((B, 53))
    _, result, _, _ = bench.ask(bench.a, Request(Call.SENDTO, one.ident, c=16, data=to + b"hello")).answer()
    assert result == 5
    bench.turn()
    packet = other.sock.recv(100)
    sender = protocol.unpack_address(packet[:16])
    assert sender is not None and sender[0] == A and packet[16:] == b"hello"
    bench.call(bench.a, Call.CONNECT, one, data=protocol.pack_address((B, 54)))
    bench.call(bench.a, Call.SENDTO, one, data=b"nobody")
    bench.turn()
    assert one.sock.recv(100) == protocol.pack_failure(errno.ECONNREFUSED)


def test_names_are_those_of_the_simulation_only(bench: Bench) -> None:
    assert protocol.unpack_address(bench.call(bench.a, Call.RESOLVE, data=b"b")) == (B, 0)
    with pytest.raises(FileNotFoundError):
        bench.call(bench.a, Call.RESOLVE, data=b"elsewhere.example")


def test_nonsense_is_answered_and_the_next_request_served(bench: Bench) -> None:
    asking = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    asking.connect(f"\0{bench.a.name}")
    asking.send(b"nonsense")
    with pytest.raises(OSError) as refused:
        Asked(bench, asking).answer()
    assert refused.value.errno == errno.EINVAL
    with pytest.raises(OSError) as unknown:
        bench.ask(bench.a, Request(Call.LISTEN, 99)).answer()
    assert unknown.value.errno == errno.EBADF
    assert bench.socket(bench.a).ident
