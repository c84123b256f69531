"""lwIP, the C stack of embedded devices, as host A: its pbufs go to the NIC's descriptors without a copy.

It needs liblwip-dev. Host B is the project's own stack; both are on golden NICs, without a simulator
(tests/e2e/test_lwip_rtl.py does the like through the RTL).
"""

import hashlib
import sys
from pathlib import Path

from pymodel.capture import Capture
from pymodel.golden.nic import GoldenNic
from pymodel.host import World
from pymodel.hostmem import HostMemory
from pymodel.link import Direction
from pymodel.lwip import LwipHost
from pymodel.ports import Frame
from pymodel.scheduler import Scheduler
from pymodel.simtime import SEC, US
from pymodel.skbuff import SkBuff
from pymodel.socket import AsyncSocket
from pymodel.task import Task
from tb import lwip, toolchain

CAPTURE = Path("build/examples/lwip_pbufs.pcapng")
B = bytes((10, 0, 0, 2))
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


def run(capture: Capture) -> None:
    scheduler = Scheduler()
    nic_a = GoldenNic(scheduler, HostMemory())
    nic_b = GoldenNic(scheduler, HostMemory(), mac=b"\x02\0\0\0\0\2")
    world = World(scheduler, nic_a, nic_b)  # its host A is not started: lwIP takes its place
    a = LwipHost(lwip.load(), scheduler, nic_a, address="10.0.0.1/24", heap=128 << 10)
    wire = capture.interface("a")

    def sent(direction: Direction, frame: Frame) -> None:
        capture.frame(wire, frame, inbound=direction is Direction.B_TO_A)

    world.link.on_frame = sent
    up = [Task(scheduler, a.bring_up()), Task(scheduler, world.b.bring_up())]
    world.run(lambda: all(task.done for task in up))

    ping = Task(scheduler, a.pinger().ping(B, 1, 56, SEC))
    world.run(lambda: ping.done)
    print(f"ping: the answer came after {(ping.result() or 0) / US:.2f} µs")

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
        a.memory.write(pieces[-1][0], part)
    chains: list[list[tuple[int, int]]] = []
    device = a.device
    xmit = device.xmit

    def seen(skb: SkBuff) -> bool:
        chains.append(skb.segments())
        return xmit(skb)

    device.xmit = seen  # type: ignore[method-assign]
    a.udp().send(pieces, (B, 9))
    ((headers, *lent),) = chains
    print("UDP: one pbuf chain, one chain of descriptors:")
    print(f"  {headers[1]:3} bytes at {headers[0]:#x}  lwIP's headers, in its own memory")
    for address, length in lent:
        print(f"  {length:3} bytes at {address:#x}  where the program has put them")
    assert lent == pieces and a.stack.figures().copied == copied and stats.tx_copied == 0
    scheduler.run_until(scheduler.now + 20 * US)  # on the wire
    print(f"{a.stack.figures().copied - copied} bytes copied between the program's memory and the wire")


def main() -> None:
    try:
        lwip.load()
    except toolchain.ToolMissing as missing:
        sys.exit(str(missing))
    CAPTURE.parent.mkdir(parents=True, exist_ok=True)
    with Capture(CAPTURE.open("wb")) as capture:
        run(capture)


if __name__ == "__main__":
    main()
