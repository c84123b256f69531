"""A host within 64 KiB: the budget holds at every moment, and what it denies harms nobody else."""

import errno
import gc
import hashlib
import random
import tracemalloc
from dataclasses import replace

import pytest

from pymodel.embedded import EmbeddedHost, OverBudget, Plan
from pymodel.golden.nic import GoldenNic
from pymodel.host import Host
from pymodel.hostmem import HostMemory
from pymodel.link import Impairments, Link
from pymodel.poolmem import PoolMemory
from pymodel.scheduler import Scheduler
from pymodel.simtime import SEC
from pymodel.socket import AsyncSocket, sleep
from pymodel.socket import constants as c
from pymodel.task import Task

NAMES = {"a": bytes((10, 0, 0, 1)), "b": bytes((10, 0, 0, 2))}


class Bench:
    """Embedded host A and an ordinary host B. `worst`: the greatest use of A's budget at any frame."""

    def __init__(self, plan=None, loss=0.0):
        self.plan = plan = plan or Plan()
        self.scheduler = scheduler = Scheduler()
        nic_a = GoldenNic(scheduler, plan.memory(), mac=b"\x02\0\0\0\0\1")
        nic_b = GoldenNic(scheduler, HostMemory(), mac=b"\x02\0\0\0\0\2")
        self.link = Link(scheduler, nic_a, nic_b, seed=1)
        self.a = EmbeddedHost("a", scheduler, nic_a, plan=plan, address="10.0.0.1/24", names=NAMES)
        self.b = Host("b", scheduler, nic_b, address="10.0.0.2/24", names=NAMES)
        self.run(*(Task(scheduler, host.bring_up()) for host in (self.a, self.b)))
        self.made = self.a.pools.made
        self.worst = self.a.usage()
        self.link.impairments = Impairments(loss=loss)
        self.link.on_deliver = self._look

    def _look(self, direction, frame):
        usage = self.a.usage()
        assert usage.total <= usage.budget, usage
        assert usage.connections <= self.plan.connections
        if usage.total > self.worst.total:
            self.worst = usage

    def run(self, *programs, limit=300 * SEC):
        end = self.scheduler.now + limit
        while not all(program.done for program in programs):
            assert self.scheduler.step() and self.scheduler.now < end, [
                p.name for p in programs if not p.done
            ]
        return [program.result() for program in programs]


async def read_all(sock):
    parts = []
    while data := await sock.recv(65536):
        parts.append(data)
    return b"".join(parts)


async def serve(count, port=7):
    """Send back to `count` clients what they sent, one after the other is accepted, all at once."""
    listener = AsyncSocket()
    listener.bind(("", port))
    listener.listen(count)
    for _ in range(count):
        sock, _ = await listener.accept()
        data = await read_all(sock)
        await sock.sendall(data)
        await sock.close()


async def exchange(data, host="b", port=7):
    """What comes back from an echo server that first reads everything."""
    async with AsyncSocket() as sock:
        await sock.connect((host, port))
        await sock.sendall(data)
        sock.shutdown(c.SHUT_WR)
        return hashlib.sha256(await read_all(sock)).hexdigest()


def test_default_plan_fits_64_kib_and_says_of_what_it_consists():
    plan = Plan()
    assert plan.budget == 65536
    assert plan.total == plan.pools + 4 * (4 * 1460 + 512) <= plan.budget
    assert plan.connections == 4


def test_plan_beyond_its_budget_is_refused_with_the_figures():
    with pytest.raises(OverBudget, match=r"need \d+ bytes; the budget is 65536"):
        Plan(connections=6).memory()
    with pytest.raises(OverBudget):
        Plan(budget=32 << 10).memory()


def test_nic_with_other_memory_is_a_type_error():
    scheduler = Scheduler()
    with pytest.raises(TypeError, match="plan"):
        EmbeddedHost("a", scheduler, GoldenNic(scheduler, HostMemory()), plan=Plan(), address="10.0.0.1/24")


@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_all_connections_at_once_transfer_both_ways_within_the_budget(loss):
    bench = Bench(loss=loss)
    rng = random.Random(1)
    data = [rng.randbytes(20_000) for _ in range(bench.plan.connections)]
    servers = [bench.b.spawn(serve, 1, 7 + n) for n in range(len(data))]
    clients = [bench.a.spawn(exchange, each, "b", 7 + n) for n, each in enumerate(data)]
    results = bench.run(*clients, *servers)
    assert results[: len(data)] == [hashlib.sha256(each).hexdigest() for each in data]
    assert bench.a.pools.made == bench.made <= bench.plan.pools  # nothing was made after the start
    assert bench.worst.connections == bench.plan.connections
    assert bool(bench.worst.received) == bool(loss)  # what waits for a lost segment


def test_echoes_after_the_first_leave_no_allocation_behind():
    """Not of the pools only, which `made` counts: of anything in the stack, by the interpreter's account."""
    tracemalloc.start()  # before the bench: what replaces a buffer of its start is no growth
    bench = Bench()
    data = random.Random(2).randbytes(6000)

    def echo():
        bench.run(bench.a.spawn(exchange, data), bench.b.spawn(serve, 1))
        bench.scheduler.run_until(bench.scheduler.now + 130 * SEC)  # TIME-WAIT, and whatever is timed

    def held():
        gc.collect()
        here = tracemalloc.Filter(True, "*/pymodel/*")
        trace = tracemalloc.take_snapshot().filter_traces([here])
        return sum(line.size for line in trace.statistics("filename"))

    try:
        for _ in range(10):
            echo()
        before = held()
        for _ in range(10):
            echo()
        grown = held() - before
    finally:
        tracemalloc.stop()
    assert bench.a.pools.made == bench.made
    assert grown < 1000, f"{grown} bytes after ten echoes"  # counters that became larger ints


def test_connection_beyond_the_budget_is_enobufs_and_one_that_ended_makes_room():
    bench = Bench()
    keep = []

    async def server():
        listener = AsyncSocket()
        listener.bind(("", 7))
        listener.listen(10)
        while True:
            keep.append((await listener.accept())[0])

    async def client():
        socks = [AsyncSocket() for _ in range(bench.plan.connections + 1)]
        for sock in socks[:-1]:
            await sock.connect(("b", 7))
        with pytest.raises(OSError) as caught:
            await socks[-1].connect(("b", 7))
        await socks[0].close()
        await sleep(0.1)
        again = AsyncSocket()
        with pytest.raises(OSError):  # the closed one waits for the peer's FIN
            await again.connect(("b", 7))
        return caught.value.errno

    bench.b.spawn(server)
    assert bench.run(bench.a.spawn(client)) == [errno.ENOBUFS]


def test_syn_beyond_the_budget_is_dropped_and_served_when_another_has_ended():
    bench = Bench(replace(Plan(), connections=2))
    order = []

    async def server():
        listener = AsyncSocket()
        listener.bind(("", 7))
        listener.listen(10)
        first, _ = await listener.accept()
        second, _ = await listener.accept()
        await sleep(0.5)
        order.append("closing")
        await first.close()
        await second.close()
        third, _ = await listener.accept()
        order.append("third")
        await third.close()

    async def client():
        async with AsyncSocket() as sock:
            await sock.connect(("a", 7))
            order.append("connected")
            await read_all(sock)

    server_program = bench.a.spawn(server)
    clients = [bench.b.spawn(client) for _ in range(3)]
    bench.run(server_program, *clients)
    assert order == ["connected", "connected", "closing", "connected", "third"]
    assert bench.a.tcp.stats["syn_no_memory"] >= 1
    assert bench.a.tcp.stats["time_wait_recycled"] >= 1


def test_writer_whose_peer_reads_nothing_blocks_and_the_others_go_on():
    bench = Bench()

    async def deaf():
        listener = AsyncSocket()
        listener.bind(("", 9))
        listener.listen()
        sock, _ = await listener.accept()
        sock.setsockopt(c.SOL_SOCKET, c.SO_RCVBUF, 2304)
        await sleep(2)
        return len(await read_all(sock))

    async def talker():
        async with AsyncSocket() as sock:
            await sock.connect(("b", 9))
            await sock.sendall(bytes(300_000))

    data = bytes(range(256)) * 20
    deaf_program, talker_program = bench.b.spawn(deaf), bench.a.spawn(talker)
    server = bench.b.spawn(serve, 1)
    (digest, _) = bench.run(bench.a.spawn(exchange, data), server)
    assert digest == hashlib.sha256(data).hexdigest()
    assert not talker_program.done
    assert bench.run(deaf_program, talker_program)[0] == 300_000


def test_writer_that_finds_no_page_waits_until_there_is_one():
    bench = Bench(replace(Plan(), pages=2))
    data = bytes(range(256)) * 40
    server = bench.b.spawn(serve, 1)
    (digest, _) = bench.run(bench.a.spawn(exchange, data), server)
    assert digest == hashlib.sha256(data).hexdigest()
    assert bench.a.pools.refused > 0


def test_without_a_free_block_datagram_and_echo_are_enobufs_and_a_syn_is_sent_again():
    bench = Bench()
    taken = []
    with pytest.raises(MemoryError):
        while True:
            taken.append(bench.a.pools.alloc(64))

    async def datagram():
        sock = AsyncSocket(type=c.SOCK_DGRAM)
        with pytest.raises(OSError) as caught:
            await sock.sendto(b"x", ("b", 9))
        return caught.value.errno

    assert bench.a.ip.icmp.ping(NAMES["a"], NAMES["b"], 1, 1, bytes(100)) == errno.ENOBUFS
    assert bench.run(bench.a.spawn(datagram)) == [errno.ENOBUFS]
    server = bench.b.spawn(serve, 1)
    client = bench.a.spawn(exchange, bytes(5000))
    bench.scheduler.after(2 * SEC, lambda: [bench.a.pools.free(block) for block in taken])
    assert bench.run(client, server)[0] == hashlib.sha256(bytes(5000)).hexdigest()
    assert bench.a.tcp.stats["out_errors"] > 0
    assert bench.a.pools.made == bench.made


def test_larger_receive_buffer_than_the_plan_s_is_not_had():
    bench = Bench()

    async def client():
        async with AsyncSocket() as sock:
            sock.setsockopt(c.SOL_SOCKET, c.SO_RCVBUF, 200_000)
            await sock.connect(("b", 7))
            await sleep(1)  # everything that fits arrives meanwhile
            return bench.a.usage().received, len(await read_all(sock))

    async def server():
        listener = AsyncSocket()
        listener.bind(("", 7))
        listener.listen()
        sock, _ = await listener.accept()
        await sock.sendall(bytes(100_000))
        await sock.close()

    bench.b.spawn(server)
    ((held, total),) = bench.run(bench.a.spawn(client))
    assert 2 * 1460 < held <= 4 * 1460 and total == 100_000


def test_sealed_memory_gives_the_smallest_block_that_fits_and_nothing_new():
    memory = PoolMemory(1 << 16)
    memory.make_blocks(1024, 2)
    memory.make_blocks(256, 1)
    memory.seal()
    made = memory.made
    small = memory.alloc(200)
    large = memory.alloc(200)
    memory.alloc(1024, 1024)
    with pytest.raises(MemoryError):
        memory.alloc(1)
    assert (memory.refused, memory.made, memory.in_use) == (1, made, 256 + 2 * 1024)
    memory.free(small)
    assert memory.alloc(256) == small
    memory.free(large)
    assert memory.in_use == 256 + 1024 and memory.peak == 256 + 2048
