"""Coroutine programs on two hosts with the real TCP, and asyncio's own event loop in a blocking one."""

import errno

import pytest
from ip_pipe import two_kernels

from pymodel.scheduler import Scheduler
from pymodel.simtime import SEC, US
from pymodel.socket import AsyncSocket, spawn
from pymodel.socket import constants as c
from pymodel.socket.simthread import SLICE_CALLS


@pytest.fixture
def hosts():
    scheduler = Scheduler()
    alpha, beta, _ = two_kernels(scheduler)

    def run(server, client):
        programs = [spawn(beta, server), spawn(alpha, client)]
        while not all(program.done for program in programs):
            assert scheduler.step()
        return [program.result() for program in programs]

    yield run
    alpha.power_off()
    beta.power_off()


async def listening(port):
    listener = AsyncSocket()
    listener.bind(("", port))
    listener.listen()
    return listener


def test_echo_between_two_hosts_returns_every_byte_and_both_names(hosts):
    data = bytes(range(256)) * 1000

    async def server():
        listener = await listening(7)
        connection, peer = await listener.accept()
        async with connection:
            while chunk := await connection.recv(5000):
                await connection.sendall(chunk)
        return peer, connection.fileno()

    async def client():
        async with AsyncSocket() as s:
            await s.connect(("beta", 7))
            names = s.getsockname(), s.getpeername()
            await s.sendall(data[:100_000])
            first = await s.recv_exactly(100_000)
            await s.sendall(data[100_000:])
            s.shutdown(c.SHUT_WR)
            second = await s.recv_exactly(len(data) - 100_000)
            with pytest.raises(ConnectionResetError):
                await s.recv_exactly(1)
            return first + second == data, *names

    (peer, fileno), (same, name, remote) = hosts(server, client)
    assert same and fileno == -1
    assert name == peer and remote == ("10.0.0.2", 7)


def test_regression_reader_that_blocks_now_and_then_is_never_charged_for_its_calls(hosts):
    rounds = 2 * SLICE_CALLS

    async def server():
        connection, _ = await (await listening(7)).accept()
        scheduler = connection._kernel.scheduler
        longest = 0
        for _ in range(rounds):
            before = scheduler.now
            await connection.recv(1)
            await connection.send(b"x")
            longest = max(longest, scheduler.now - before)
        return longest

    async def client():
        async with AsyncSocket() as sock:
            await sock.connect(("beta", 7))
            sock.setsockopt(c.IPPROTO_TCP, c.TCP_NODELAY, 1)
            for _ in range(rounds):
                await sock.send(b"x")
                await sock.recv(1)

    assert hosts(server, client)[0] < 60 * US  # a round trip is 50 µs


def test_non_blocking_coroutine_that_only_polls_lets_time_pass(hosts):
    async def server():
        listener = await listening(7)
        listener.setblocking(False)
        tries = 0
        while True:
            tries += 1
            try:
                await listener.accept()
                return tries
            except BlockingIOError as error:
                assert error.errno == errno.EAGAIN

    async def client():
        s = AsyncSocket()
        await s.connect(("beta", 7))

    tries, _ = hosts(server, client)
    assert tries >= SLICE_CALLS


def test_absent_host_makes_connect_fail_after_all_syn_retries():
    scheduler = Scheduler()
    alpha, _beta, trace = two_kernels(scheduler)
    alpha.network.ip.peer.arrive = lambda *_: None

    async def client():
        async with AsyncSocket() as s:
            await s.connect(("beta", 7))

    program = spawn(alpha, client)
    while not program.done:
        assert scheduler.step()
    with pytest.raises(TimeoutError) as caught:
        program.result()
    assert caught.value.errno == errno.ETIMEDOUT
    assert len(trace) == 11 and 130 * SEC < scheduler.now < 135 * SEC  # four time-outs are linear


def test_asyncio_streams_run_on_simulated_sockets(loopback):
    def program():
        import asyncio
        import time

        async def upper(reader, writer):
            while line := await reader.readline():
                writer.write(line.upper())
            writer.close()

        async def main():
            server = await asyncio.start_server(upper, "127.0.0.1", 9)
            reader, writer = await asyncio.open_connection("localhost", 9)
            writer.write(b"hello\n")
            answer = await reader.readline()
            writer.close()
            await asyncio.sleep(3)
            server.close()
            return answer, time.monotonic()

        return asyncio.run(main())

    answer, now = loopback.run(program)
    assert answer == b"HELLO\n" and 3 <= now < 3.1
