"""No byte is copied between lwIP's pbufs and the device: judged by the addresses of the device's own DMA."""

import ctypes

import pytest
from lwip_bench import B, LwipBench, Watcher, listening, socket_read_all

from pymodel.driver.rx import PAGE
from pymodel.lwip.netif import NetifStats
from pymodel.netdev import Features
from pymodel.simtime import SEC
from pymodel.socket import AsyncSocket
from pymodel.socket.constants import SOCK_DGRAM


class Dma(Watcher):
    """What the device read and wrote."""

    def __init__(self, nic):
        self.reads = []
        self.writes = []
        nic.observe(self)

    def dma_read(self, address, data):
        self.reads.append((address, data))

    def dma_write(self, address, data):
        self.writes.append((address, data))

    def read_from(self, address, length):
        """All that the device fetched from within these bytes, as far as they were fetched there."""
        got = {}
        for start, data in self.reads:
            for at in range(max(start, address), min(start + len(data), address + length)):
                got[at - address] = data[at - start]
        return bytes(got[i] for i in sorted(got))

    def wrote(self, address, data):
        """`data` was written there by the device, in whatever bursts."""
        got = {}
        for start, burst in self.writes:
            for at in range(max(start, address), min(start + len(burst), address + len(data))):
                got[at - address] = burst[at - start]
        return bytes(got.get(i, 0) for i in range(len(data))) == data and len(got) == len(data)


def user_memory(bench, *parts):
    pieces = []
    for part in parts:
        address = bench.lwip.memory.alloc(len(part))
        bench.lwip.memory.write(address, part)
        pieces.append((address, len(part)))
    return pieces


async def receive_datagram(port):
    sock = AsyncSocket(type=SOCK_DGRAM)
    sock.bind(("", port))
    data, _ = await sock.recvfrom(65536)
    return data


def send_datagram(bench, parts, **options):
    bench.run(bench.lwip.pinger().ping(B, 1, 8, SEC))  # so that ARP is over
    server = bench.peer.spawn(receive_datagram, 9)
    bench.run_for(1_000_000)
    pieces = user_memory(bench, *parts)
    dma = Dma(bench.nic)
    before = bench.lwip.stack.figures().copied
    bench.lwip.netif.stats = NetifStats()
    bench.lwip.udp().send(pieces, (B, 9), **options)
    (got,) = bench.run(server)
    return got, pieces, dma, bench.lwip.stack.figures().copied - before


def address_of(memory, view):
    """Where in host memory a window is: found by its pointer."""
    return ctypes.addressof(ctypes.c_char.from_buffer(view)) - memory.pointer + memory.base


PARTS = [b"\x11" * 300, b"\x22" * 7, b"\x33" * 501]


def test_udp_datagram_of_three_rom_pbufs_is_fetched_by_the_device_from_user_memory(library):
    bench = LwipBench(library)
    got, pieces, dma, copied = send_datagram(bench, PARTS)
    assert got == b"".join(PARTS)
    assert copied == 0
    stats = bench.lwip.netif.stats
    assert (stats.tx_frames, stats.tx_pieces, stats.tx_copied) == (1, 4, 0)  # headers and three parts
    for (address, length), part in zip(pieces, PARTS, strict=True):
        assert dma.read_from(address, length) == part


def test_udp_datagram_sent_with_copy_is_not_fetched_from_user_memory(library):
    bench = LwipBench(library)
    got, pieces, dma, copied = send_datagram(bench, PARTS, copy=True)
    assert got == b"".join(PARTS)
    assert copied == len(got)
    assert bench.lwip.netif.stats.tx_pieces == 1
    assert all(dma.read_from(address, length) == b"" for address, length in pieces)


def test_device_without_scatter_gather_gets_one_piece_and_the_copy_is_counted(library):
    bench = LwipBench(library)
    bench.lwip.device.features &= ~Features.SG
    got, _, _, copied = send_datagram(bench, PARTS)
    assert got == b"".join(PARTS)
    assert copied == 0 and bench.lwip.netif.stats.tx_copied == 14 + 20 + 8 + len(got)


def test_tcp_segment_is_read_from_the_pbufs_of_lwip(library):
    bench = LwipBench(library)
    dma = Dma(bench.nic)
    message = b"where the arena is" * 10

    async def server():
        listener = await listening(7)
        sock, _ = await listener.accept()
        return await socket_read_all(sock)

    async def client():
        connection = await bench.lwip.connect(B, 7)
        await connection.send(message)
        await connection.close()

    assert bench.run(bench.peer.spawn(server), client())[0] == message
    assert bench.lwip.netif.stats.tx_copied == 0
    stack = bench.lwip.stack
    arena = range(stack.arena, stack.arena + stack.figures().limit)
    holding = [start for start, data in dma.reads if message[:40] in data]
    assert holding and all(start in arena for start in holding)


def test_received_bytes_are_read_where_the_device_has_written_them(library):
    bench = LwipBench(library)
    dma = Dma(bench.nic)
    message = b"straight from the ring" * 40

    async def server():
        listener = await listening(7)
        sock, _ = await listener.accept()
        await sock.sendall(message)
        await sock.close()

    async def client():
        connection = await bench.lwip.connect(B, 7)
        received = await connection.receive()
        places = [(address_of(bench.lwip.memory, view), bytes(view)) for view in received.views]
        held = bench.lwip.netif.stats.held
        received.release()
        return places, held, bench.lwip.netif.stats.held

    _, (places, held, after) = bench.run(bench.peer.spawn(server), client())
    assert b"".join(data for _, data in places) == message
    assert (held, after) == (1, 0)
    assert all(dma.wrote(address, data) for address, data in places)


def test_frame_of_several_mergeable_buffers_becomes_a_chain_of_pbufs(library):
    bench = LwipBench(library, jumbo=True)
    message = bytes(range(256)) * 34  # 8704 bytes: three buffers of a page

    async def client():
        sock = AsyncSocket(type=SOCK_DGRAM)
        await sock.sendto(message, ("a", 9))

    async def server():
        datagram = await bench.lwip.udp(9).receive()
        views = [bytes(view) for view in datagram.views]
        datagram.release()
        return views

    bench.run(bench.lwip.pinger().ping(B, 1, 8, SEC))
    views = bench.run(server(), bench.peer.spawn(client))[0]
    assert b"".join(views) == message
    assert len(views) == 3 and len(views[1]) > PAGE // 2
    assert bench.lwip.netif.stats.held == 0


@pytest.mark.parametrize("buffers", [4, 16])
def test_lwip_that_holds_all_its_receive_pbufs_drops_frames_and_goes_on_when_they_are_free(library, buffers):
    bench = LwipBench(library, rx_buffers=buffers)
    bench.run(bench.lwip.pinger().ping(B, 1, 8, SEC))
    sock = bench.lwip.udp(9)

    async def client(count):
        sender = AsyncSocket(type=SOCK_DGRAM)
        for _ in range(count):
            await sender.sendto(b"held", ("a", 9))

    bench.run(bench.peer.spawn(client, buffers + 3))
    bench.run_for(SEC // 100)
    stats = bench.lwip.netif.stats
    assert (stats.held, stats.rx_dropped) == (buffers, 3)
    assert bench.lwip.stack.figures().rx_refused == 3

    async def drain():
        for _ in range(buffers):
            (await sock.receive()).release()

    bench.run(drain())
    assert stats.held == 0
    assert bench.run(bench.lwip.pinger().ping(B, 2, 8, SEC)) != [None]
