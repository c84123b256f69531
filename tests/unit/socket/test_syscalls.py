"""The system calls that the `socket` module does not show: descriptors, fcntl, ioctl, poll, limits, users.

Where it can be, the oracle is this machine's kernel, called through `os` and `fcntl`.
"""

import errno
import fcntl
import os
import select
import socket
import sys

import pytest
from fake_tcp import FakeConnection

from pymodel.simtime import MS, SEC
from pymodel.socket import AsyncSocket, Process, blocking, sleep
from pymodel.socket import constants as c
from pymodel.socket.asyncsocket import at_once
from pymodel.socket.fdtable import FdTable
from pymodel.socket.file import NullFile

LOCAL = b"\x7f\0\0\1"

linux = pytest.mark.skipif(sys.platform != "linux", reason="the oracle is the Linux kernel")


def outcome(call, *args):
    """The result, or the errno as a negative number."""
    try:
        return call(*args)
    except OSError as error:
        return -error.errno


class Calls:
    """The system calls of one process that do not block, with its errors as numbers."""

    def __init__(self, kernel, **options):
        self.process = Process(kernel, "test", **options)
        self.kernel = kernel

    def __getattr__(self, name):
        def call(*args):
            return outcome(lambda: at_once(getattr(self.kernel, name)(self.process, *args)))

        return call


@pytest.fixture
def calls(host):
    return Calls(host.kernel)


@linux
@pytest.mark.parametrize("opened", [True, False])
def test_calls_on_dev_null_or_nothing_return_what_linux_returns(calls, opened):
    ours = 0 if opened else 99
    theirs = os.open("/dev/null", os.O_RDWR) if opened else 1_000_000
    try:
        assert calls.fcntl(ours, 12345) == outcome(fcntl.fcntl, theirs, 12345)
        assert calls.ioctl(ours, c.FIONREAD) == outcome(fcntl.ioctl, theirs, c.FIONREAD)
        assert calls.read(ours, 1) == outcome(os.read, theirs, 1)
        assert calls.write(ours, b"xyz") == outcome(os.write, theirs, b"xyz")
        assert calls.dup2(ours, 2000) == outcome(os.dup2, theirs, 1 << 30)
        assert (calls.dup(ours) < 0) == (not opened)
    finally:
        if opened:
            os.close(theirs)
    expected = -errno.ENOTSOCK if opened else -errno.EBADF
    assert calls.listen(ours, 1) == calls.accept(ours) == calls.getpeername(ours) == expected
    assert calls.bind(ours, (LOCAL, 0)) == calls.recv(ours, 1) == calls.send(ours, b"") == expected
    assert calls.shutdown(ours, 0) == calls.getsockopt(ours, 1, 3) == expected
    assert calls.close(ours) == (None if opened else expected)


@linux
def test_flags_of_descriptors_and_descriptions_are_shared_as_in_linux(calls):
    real = socket.socket()
    sim = calls.socket(c.AF_INET)
    copy = os.dup(real.fileno())
    sim_copy = calls.dup(sim)
    try:
        for ours, theirs in ((sim, real.fileno()), (sim_copy, copy)):
            flags = fcntl.fcntl(theirs, fcntl.F_GETFL)
            assert calls.fcntl(ours, c.F_GETFL) == flags == c.O_RDWR
        fcntl.fcntl(copy, fcntl.F_SETFL, os.O_NONBLOCK)
        calls.fcntl(sim_copy, c.F_SETFL, c.O_NONBLOCK)
        assert calls.fcntl(sim, c.F_GETFL) == fcntl.fcntl(real.fileno(), fcntl.F_GETFL)
        fcntl.ioctl(real.fileno(), c.FIONBIO, b"\0\0\0\0")
        calls.ioctl(sim, c.FIONBIO, 0)
        assert calls.fcntl(sim_copy, c.F_GETFL) == fcntl.fcntl(copy, fcntl.F_GETFL)
        for ours, theirs in ((sim, real.fileno()), (sim_copy, copy)):
            calls.fcntl(ours, c.F_SETFD, c.FD_CLOEXEC * (ours == sim))
            fcntl.fcntl(theirs, fcntl.F_SETFD, fcntl.FD_CLOEXEC * (ours == sim))
            assert calls.fcntl(ours, c.F_GETFD) == fcntl.fcntl(theirs, fcntl.F_GETFD)
    finally:
        os.close(copy)
        real.close()


def test_dup2_onto_a_listening_socket_closes_it(calls):
    first, second = calls.socket(c.AF_INET), calls.socket(c.AF_INET)
    calls.bind(first, (LOCAL, 80))
    calls.listen(first, 1)
    assert calls.dup2(second, first) == first
    assert calls.bind(second, (LOCAL, 80)) is None
    assert calls.getsockname(first) == (LOCAL, 80)
    assert calls.dup2(first, first) == first
    assert calls.dup2(second, 50) == 50
    assert calls.fcntl(second, c.F_DUPFD, 49) == 49
    assert calls.fcntl(second, c.F_DUPFD_CLOEXEC, 49) == 51
    assert calls.fcntl(51, c.F_GETFD) == c.FD_CLOEXEC
    assert calls.fcntl(second, c.F_DUPFD, 5000) == calls.fcntl(second, c.F_DUPFD, -1) == -errno.EINVAL


def test_descriptor_limit_reached_gives_emfile_and_loses_no_connection(host):
    async def program(kernel):
        listener, client = AsyncSocket(), AsyncSocket()
        listener.bind(("127.0.0.1", 80))
        listener.listen()
        await client.connect(("127.0.0.1", 80))
        process = client._process
        process.files.limit = 5
        results = [outcome(AsyncSocket)]
        try:
            await listener.accept()
        except OSError as error:
            results.append(-error.errno)
        process.files.limit = 6
        connection, _ = await listener.accept()
        return [*results, connection.fileno()]

    assert host.run(program, host.kernel) == [-errno.EMFILE, -errno.EMFILE, 5]


def test_table_gives_the_lowest_free_descriptor_after_any_closing():
    table = FdTable(limit=8)
    assert [table.install(NullFile()) for _ in range(5)] == [3, 4, 5, 6, 7]
    with pytest.raises(OSError, match="Too many open files"):
        table.install(NullFile())
    for fd in (6, 0, 4):
        table.remove(fd)
    assert [table.install(NullFile()) for _ in range(3)] == [0, 4, 6]
    table.remove(3)
    table.remove(5)
    assert table.install(NullFile(), 4) == 5
    assert table.install(NullFile()) == 3


def test_privileged_port_is_refused_to_ordinary_users(host):
    root, user = Calls(host.kernel), Calls(host.kernel, uid=1000)
    fds = [calls.socket(c.AF_INET) for calls in (root, user)]
    assert root.bind(fds[0], (LOCAL, 1023)) is None
    assert user.bind(fds[1], (LOCAL, 1022)) == -errno.EACCES
    assert user.bind(fds[1], (LOCAL, 1024)) is None


def test_reuseport_is_only_for_sockets_of_one_user(host):
    users = [Calls(host.kernel, uid=uid) for uid in (1000, 1000, 1001)]
    results = []
    for calls in users:
        fd = calls.socket(c.AF_INET)
        calls.setsockopt(fd, c.SOL_SOCKET, c.SO_REUSEPORT, b"\1\0\0\0")
        results.append(calls.bind(fd, (LOCAL, 5000)))
    assert results == [None, None, -errno.EADDRINUSE]


def test_ephemeral_ports_run_out_with_the_errno_of_the_call(host):
    host.kernel.network.tcp_ports.ephemeral = range(32768, 32772)
    calls = Calls(host.kernel)
    fds = [calls.socket(c.AF_INET) for _ in range(6)]
    assert [calls.bind(fd, (LOCAL, 0)) for fd in fds[:5]] == [None] * 4 + [-errno.EADDRINUSE]
    ports = [calls.getsockname(fd)[1] for fd in fds[:4]]
    assert sorted(ports) == [32768, 32769, 32770, 32771]
    assert {port % 2 for port in ports[:2]} == {1}  # bind(2) leaves the even ports to connect(2)
    with pytest.raises(OSError) as caught:
        next(host.kernel.connect(calls.process, fds[5], (LOCAL, 80)))
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_poll_ignores_negative_descriptors_and_reports_closed_ones(host):
    async def program(kernel):
        s = AsyncSocket()
        process = s._process
        fds = [(-1, c.POLLIN), (99, c.POLLIN), (s.fileno(), 0)]
        ready = await blocking(kernel.poll(process, fds))
        s.listen()
        nothing = await blocking(kernel.poll(process, [(s.fileno(), c.POLLIN)], 5 * MS))
        return ready, nothing, kernel.scheduler.now

    ready, nothing, now = host.run(program, host.kernel)
    assert ready == [(99, c.POLLNVAL), (3, c.POLLHUP)]
    assert (nothing, now) == ([], 5 * MS)


def test_poll_of_many_wakes_when_one_of_them_is_ready(loopback):
    async def server(kernel):
        listeners = []
        for port in (7000, 7001, 7002):
            s = AsyncSocket()
            s.bind(("127.0.0.1", port))
            s.listen()
            listeners.append(s)
        fds = [(s.fileno(), c.POLLIN) for s in listeners]
        return await blocking(kernel.poll(listeners[0]._process, fds))

    async def client():
        s = AsyncSocket()
        await s.connect(("127.0.0.1", 7001))

    ready, _ = loopback.finish(loopback.start(server, loopback.kernel), loopback.start(client))
    assert ready == [(4, c.POLLIN)]


def test_socket_polled_while_another_thread_connects_it_becomes_writable(loopback):
    def program():
        import select
        import socket
        import threading
        import time

        listener = socket.create_server(("127.0.0.1", 0))
        s = socket.socket()
        s.listen()  # neither readable nor writable
        poller = select.poll()
        poller.register(s, select.POLLOUT)

        def change():
            time.sleep(1)
            s.shutdown(socket.SHUT_RD)
            s.connect(listener.getsockname())

        threading.Thread(target=change).start()
        return [mask & select.POLLOUT for _, mask in poller.poll()], time.monotonic() >= 1

    assert loopback.run(program) == ([select.POLLOUT], True)


def test_close_in_another_thread_leaves_a_blocked_accept_its_socket(loopback):
    def program():
        import socket
        import threading
        import time

        listener = socket.create_server(("127.0.0.1", 0))
        name = listener.getsockname()

        def change():
            time.sleep(1)
            listener.close()
            socket.create_connection(name).send(b"x")

        threading.Thread(target=change).start()
        connection, _ = listener.accept()
        return connection.recv(1)

    assert loopback.run(program) == b"x"


def test_blocked_send_goes_on_when_the_peer_reads(loopback):
    data = bytes(range(256)) * 4000

    async def server():
        listener = AsyncSocket()
        listener.bind(("127.0.0.1", 80))
        listener.listen()
        connection, _ = await listener.accept()
        await blocking(pause(5))
        return await connection.recv_exactly(len(data)), await connection.recv(1)

    def pause(seconds):
        from pymodel.task import Wait

        yield Wait(deadline=loopback.scheduler.now + seconds * SEC)

    async def client():
        async with AsyncSocket() as s:
            s.setsockopt(c.SOL_SOCKET, c.SO_SNDBUF, 20_000)
            await s.connect(("127.0.0.1", 80))
            sent = await s.send(data)
            return sent, loopback.scheduler.now >= 5 * SEC

    received, sent = loopback.finish(loopback.start(server), loopback.start(client))
    assert received == (data, b"") and sent == (len(data), True)


def test_send_time_limit_reached_returns_what_was_copied_then_eagain(loopback):
    import struct

    async def program():
        listener, s = AsyncSocket(), AsyncSocket()
        listener.listen()
        await s.connect(listener.getsockname())
        s.setsockopt(c.SOL_SOCKET, c.SO_SNDTIMEO, struct.pack("ll", 2, 0))
        first = await s.send(bytes(10_000_000))
        middle = loopback.scheduler.now
        try:
            await s.send(b"x" * 3_000_000)
        except OSError as error:
            return first, middle, error.errno, loopback.scheduler.now - middle
        raise AssertionError("nothing may fit")

    first, middle, number, duration = loopback.run(program)
    assert 0 < first < 10_000_000 and 2 * SEC <= middle < 2.1 * SEC
    assert (number, duration) == (errno.EAGAIN, 2 * SEC)


@pytest.mark.parametrize("seconds, reached", [(30, False), (2, True)])
def test_lingering_close_waits_for_the_peer_or_the_limit(loopback, seconds, reached):
    import struct

    async def server():
        listener = AsyncSocket()
        listener.setsockopt(c.SOL_SOCKET, c.SO_RCVBUF, 3000)
        listener.bind(("127.0.0.1", 80))
        listener.listen()
        connection, _ = await listener.accept()
        await blocking(pause(5))
        while await connection.recv(100_000):
            pass

    def pause(seconds):
        from pymodel.task import Wait

        yield Wait(deadline=loopback.scheduler.now + seconds * SEC)

    async def client():
        s = AsyncSocket()
        s.setsockopt(c.SOL_SOCKET, c.SO_LINGER, struct.pack("ii", 1, seconds))
        await s.connect(("127.0.0.1", 80))
        await s.send(bytes(40_000))
        before = loopback.scheduler.now
        await s.close()
        return (loopback.scheduler.now - before) / SEC

    _, waited = loopback.finish(loopback.start(server), loopback.start(client))
    assert waited == 2 if reached else 4.9 < waited < 30


def test_connect_without_a_route_is_enetunreach_and_leaves_the_socket_usable(loopback):
    async def program():
        s, listener = AsyncSocket(), AsyncSocket()
        listener.listen()
        try:
            await s.connect(("203.0.113.9", 80))
        except OSError as error:
            number = error.errno
        await s.connect(listener.getsockname())
        return number

    assert loopback.run(program) == errno.ENETUNREACH


def test_writer_is_told_of_room_only_when_a_third_of_the_buffer_is_free(host, monkeypatch):
    """sk_stream_is_writeable: fewer wake-ups, each worth more."""

    async def program(kernel):
        listener, s = AsyncSocket(), AsyncSocket()
        listener.listen()
        s.setsockopt(c.SOL_SOCKET, c.SO_SNDBUF, 15_000)
        await s.connect(listener.getsockname())
        seen = []
        nonlocal room
        for size in (0, 1, 9_999, 10_000, 30_000):
            room = size
            ready = await blocking(kernel.poll(s._process, [(s.fileno(), c.POLLOUT)], 0))
            seen.append(bool(ready))
        return seen

    room = 0
    monkeypatch.setattr(FakeConnection, "writable", property(lambda self: room))
    assert host.run(program, host.kernel) == [False, False, False, True, True]


def test_options_of_a_listener_take_effect_on_accepted_connections(loopback):
    async def program():
        listener, s = AsyncSocket(), AsyncSocket()
        listener.setsockopt(c.IPPROTO_TCP, c.TCP_NODELAY, 1)
        listener.setsockopt(c.SOL_SOCKET, c.SO_SNDBUF, 9000)
        listener.listen()
        await s.connect(listener.getsockname())
        accepted, _ = await listener.accept()
        accepted.setsockopt(c.SOL_SOCKET, c.SO_RCVBUF, 7000)
        connection = s._process.files.get(accepted.fileno()).connection
        return connection.options.nodelay, connection.sndbuf, connection.rcvbuf

    assert loopback.run(program) == (True, 18_000, 7000)


@linux
def test_dup3_differs_from_dup2_as_in_linux(calls):
    fd = calls.socket(c.AF_INET)
    assert calls.dup2(fd, fd) == fd and calls.dup3(fd, fd) == -errno.EINVAL
    assert calls.dup3(fd, 20, c.O_CLOEXEC) == 20 and calls.fcntl(20, c.F_GETFD) == c.FD_CLOEXEC
    assert calls.dup3(fd, 21, c.O_NONBLOCK) == -errno.EINVAL and calls.dup3(99, 20) == -errno.EBADF


def test_files_of_the_host_are_created_written_and_read(calls):
    assert calls.open("/data", c.O_RDONLY) == -errno.ENOENT
    fd = calls.open("/data", c.O_RDWR | c.O_CREAT)
    assert calls.write(fd, b"0123456789") == 10 and calls.lseek(fd, 4) == 4
    assert calls.read(fd, 3) == b"456" and calls.pread(fd, 99, 8) == b"89"
    assert calls.fstat(fd).st_size == 10 and calls.ioctl(fd, c.FIONREAD) == 3
    assert calls.open("/data", c.O_CREAT | c.O_EXCL) == -errno.EEXIST
    reading = calls.open("/data", c.O_RDONLY)
    assert calls.write(reading, b"x") == -errno.EBADF and calls.read(reading, 99) == b"0123456789"
    assert calls.read(calls.open("/dev/zero", c.O_RDONLY), 3) == bytes(3)


def test_tee_copies_and_leaves_the_source(calls):
    (r1, w1), (r2, w2) = calls.pipe(), calls.pipe(c.O_NONBLOCK)
    calls.write(w1, b"twice")
    assert calls.tee(r1, w2, 3) == 3 and calls.read(r2, 9) == b"twi" and calls.read(r1, 9) == b"twice"
    assert calls.tee(r1, w1, 1) == -errno.EINVAL and calls.tee(w1, r2, 1) == -errno.EBADF


def test_sigpipe_comes_with_epipe_unless_it_is_refused(calls):
    r, w = calls.pipe()
    calls.close(r)
    assert calls.write(w, b"x") == -errno.EPIPE and calls.process.signals == {c.SIGPIPE: 1}
    fd = calls.socket(c.AF_INET)
    assert calls.sendto(fd, b"x", c.MSG_NOSIGNAL) == -errno.EPIPE and calls.process.signals[c.SIGPIPE] == 1
    seen = []
    calls.process.on_signal = seen.append
    assert calls.sendto(fd, b"x") == -errno.EPIPE and seen == [c.SIGPIPE]


def test_bindings_of_ended_connections_leave_the_port_table(stack):
    async def program(kernel):
        listener = AsyncSocket()
        listener.bind(("127.0.0.1", 80))
        listener.listen()
        for _ in range(20):
            client = AsyncSocket()
            await client.connect(("127.0.0.1", 80))
            server, _ = await listener.accept()
            await client.close()
            await server.close()
        await sleep(100)  # TIME-WAIT is over
        return sum(map(len, kernel.network.tcp_ports._ports.values()))

    assert stack.run(program, stack.kernel) == 1
