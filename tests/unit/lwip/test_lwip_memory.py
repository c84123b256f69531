"""All of lwIP's memory is an arena of a size that the configuration says: measured, bounded, and survived."""

import errno

import pytest
from lwip_bench import B, LwipBench, listening, read_all, socket_read_all

from pymodel.simtime import MS, SEC


def test_heap_too_small_to_start_is_a_memory_error(library):
    with pytest.raises(MemoryError, match="2000 bytes"):
        LwipBench(library, heap=2000)


def open_idle(bench, count):
    """`count` connections from lwIP to the peer, which keeps them open."""

    async def server():
        listener = await listening(7, count)
        return [await listener.accept() for _ in range(count)]

    server = bench.peer.spawn(server)
    connections = bench.run(*(bench.lwip.connect(B, 7) for _ in range(count)))
    bench.run(server)
    return connections


def test_idle_connection_costs_a_few_hundred_bytes_and_gives_them_back(library):
    bench = LwipBench(library)
    bench.run(bench.lwip.pinger().ping(B, 1, 8, SEC))
    before = bench.lwip.stack.figures().used
    connections = open_idle(bench, 20)
    bench.run_for(2 * SEC)
    each = (bench.lwip.stack.figures().used - before) / 20
    assert 200 < each < 600
    for connection in connections:
        connection.abort()
    bench.run_for(10 * SEC)
    assert bench.lwip.stack.figures().used == before


def test_connections_beyond_the_budget_fail_with_enobufs_and_the_others_go_on(library):
    bench = LwipBench(library, heap=16 << 10, rx_buffers=16)

    async def server():
        listener = await listening(7, 200)  # all but the first stay in the accept queue
        sock, _ = await listener.accept()
        return await socket_read_all(sock)

    program = bench.peer.spawn(server)

    async def client():
        connections = []
        with pytest.raises(OSError) as caught:
            for _ in range(200):
                connections.append(await bench.lwip.connect(B, 7))
        return connections, caught.value.errno

    ((connections, error),) = bench.run(client())
    figures = bench.lwip.stack.figures()
    assert error == errno.ENOBUFS
    assert len(connections) > 15
    assert figures.refused and figures.peak <= figures.limit == 16 << 10
    for connection in connections[5:]:
        connection.abort()

    async def talk():
        await connections[0].send(b"still here")
        await connections[0].shutdown()

    assert bench.run(talk(), program)[1] == b"still here"


def test_transfer_in_a_heap_of_24_kib_waits_for_memory_and_arrives_whole(library):
    bench = LwipBench(library, heap=24 << 10, rx_buffers=16, queue_size=32)
    data = bytes(range(256)) * 400

    async def server():
        listener = await listening(7)
        sock, _ = await listener.accept()
        got = await socket_read_all(sock)
        await sock.sendall(got)
        await sock.close()

    async def client():
        connection = await bench.lwip.connect(B, 7)
        await connection.send(data)
        await connection.shutdown()
        return await read_all(connection)

    assert bench.run(bench.peer.spawn(server), client())[1] == data
    figures = bench.lwip.stack.figures()
    assert figures.refused > 0  # lwIP wanted more than it could have
    assert figures.peak <= figures.limit


def test_closed_connections_leave_nothing_behind(library):
    bench = LwipBench(library)
    bench.run(bench.lwip.pinger().ping(B, 1, 8, SEC))
    before = bench.lwip.stack.figures().used

    async def server():
        listener = await listening(7)
        for _ in range(10):
            sock, _ = await listener.accept()
            await sock.sendall(await socket_read_all(sock))
            await sock.close()

    async def client():
        for _ in range(10):
            connection = await bench.lwip.connect(B, 7)
            await connection.send(bytes(5000))
            await connection.shutdown()
            assert await read_all(connection) == bytes(5000)
            await connection.close()

    bench.run(bench.peer.spawn(server), client())
    bench.run_for(150 * SEC)  # lwIP's TIME-WAIT is 2 MSL of a minute each
    assert bench.lwip.stack.figures().used == before
    assert bench.lwip.netif.stats.held == 0


def test_unplugged_cable_drops_frames_and_lwip_recovers(library):
    bench = LwipBench(library)

    async def server():
        listener = await listening(7)
        sock, _ = await listener.accept()
        return await socket_read_all(sock)

    async def client():
        connection = await bench.lwip.connect(B, 7)
        bench.world.link.plug(False)
        bench.scheduler.after(500 * MS, lambda: bench.world.link.plug(True))
        await connection.send(b"after the cable is back")
        await connection.close()

    assert bench.run(bench.peer.spawn(server), client())[0] == b"after the cable is back"
