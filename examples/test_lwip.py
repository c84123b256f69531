"""lwIP, the C stack of embedded devices, as host A: its pbufs go to the NIC's descriptors without a copy.

Run it with `pytest -s examples/test_lwip.py`. It needs liblwip-dev. Host B is the project's own stack; both
are on golden NICs, without a simulator (tests/e2e/test_lwip_rtl.py does the like through the RTL).
"""

import hashlib

import pytest

from pymodel.golden.nic import GoldenNic
from pymodel.host import World
from pymodel.hostmem import HostMemory
from pymodel.lwip import LwipHost
from pymodel.scheduler import Scheduler
from pymodel.simtime import SEC, US
from pymodel.socket import AsyncSocket
from pymodel.task import Task
from tb import lwip, toolchain

A, B = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
PAGE = bytes(range(256)) * 400


async def web_client() -> bytes:
    """On host B: what any HTTP client does."""
    async with AsyncSocket() as sock:
        await sock.connect(("a", 80))
        await sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while data := await sock.recv(65536):
            answer += data
        return answer.partition(b"\r\n\r\n")[2]


async def web_server(host: LwipHost) -> None:
    """On host A, over lwIP's raw API."""
    listener = host.listen(80)
    connection = await listener.accept()
    await connection.recv(4096)
    await connection.send(b"HTTP/1.0 200 OK\r\n\r\n" + PAGE)
    await connection.close()


def test_lwip_serves_a_page_and_a_datagram_from_user_memory() -> None:
    try:
        library = lwip.load()
    except toolchain.ToolMissing as missing:
        pytest.skip(str(missing))
    scheduler = Scheduler()
    nic_a, nic_b = (
        GoldenNic(scheduler, HostMemory()),
        GoldenNic(scheduler, HostMemory(), mac=b"\x02\0\0\0\0\2"),
    )
    world = World(scheduler, nic_a, nic_b)  # its host A is not started: lwIP takes its place
    a = LwipHost(library, scheduler, nic_a, address="10.0.0.1/24", heap=128 << 10)
    up = [Task(scheduler, a.bring_up()), Task(scheduler, world.b.bring_up())]
    world.run(lambda: all(task.done for task in up))

    ping = Task(scheduler, a.pinger().ping(B, 1, 56, SEC))
    world.run(lambda: ping.done)
    print(f"\nping: the answer came after {(ping.result() or 0) / US:.2f} µs")

    server = Task(scheduler, web_server(a))
    client = world.b.spawn(web_client)
    world.run(lambda: client.done)
    page = client.result()
    digest = hashlib.sha256(page).hexdigest()
    print(f"HTTP: {len(page):,} bytes, SHA-256 {digest[:16]}… at {scheduler.now / US:.0f} µs")
    assert page == PAGE and server.result() is None

    figures, stats = a.stack.figures(), a.netif.stats
    copied = figures.copied
    print(f"  {stats.tx_frames} frames in {stats.tx_pieces} pieces; {stats.tx_copied} bytes copied by driver")
    print(f"  {copied:,} bytes copied by lwIP: Debian's tcp_write does (LWIP_NETIF_TX_SINGLE_PBUF)")
    print(f"  heap: {figures.peak:,} of {figures.limit:,} bytes at most")

    pieces = []
    for part in (b"three pieces ", b"of user memory, ", b"one datagram"):
        pieces.append((a.memory.alloc(len(part)), len(part)))
        a.memory.write(*pieces[-1][:1], part)
    frames, pieces_before = stats.tx_frames, stats.tx_pieces
    a.udp().send(pieces, (B, 9))
    print(
        f"UDP: {stats.tx_frames - frames} frame in {stats.tx_pieces - pieces_before} pieces, "
        f"{a.stack.figures().copied - copied} bytes copied"
    )
    assert a.stack.figures().copied == copied and stats.tx_copied == 0
