"""send() succeeds long after the peer is gone: its bytes have reached the send buffer, not the peer.

Run it with `pytest -s examples/test_illusion_of_send.py`. The hosts are on golden NICs, without a simulator.
"""

import errno

from pymodel.golden.nic import GoldenNic
from pymodel.host import World
from pymodel.hostmem import HostMemory
from pymodel.link import Impairments
from pymodel.scheduler import Scheduler
from pymodel.simtime import SEC
from pymodel.socket import AsyncSocket, sleep
from pymodel.socket.constants import SO_SNDBUF, SOL_SOCKET


async def server() -> None:
    listener = AsyncSocket()
    listener.bind(("b", 7))
    listener.listen()
    connection, _ = await listener.accept()
    await connection.recv(100)
    await sleep(1e6)


async def client(world: World) -> list[str]:
    sock = AsyncSocket()
    sock.setsockopt(SOL_SOCKET, SO_SNDBUF, 20_000)
    await sock.connect(("b", 7))
    await sock.send(b"hello")
    await sleep(1)

    world.link.impairments = Impairments(loss=1.0)  # B will never hear from us again
    story = []
    sock.setblocking(False)
    total = 0
    while True:
        try:
            total += await sock.send(bytes(1000))
        except BlockingIOError:
            story.append(f"{total} bytes sent to a dead peer, every call a success; then EAGAIN")
            break
    sock.setblocking(True)
    began = world.scheduler.now
    try:
        await sock.send(b"one more")
    except OSError as failure:
        after = (world.scheduler.now - began) / SEC
        name = errno.errorcode[failure.errno or 0]
        story.append(f"the call that blocked ends with {name} after {after:.0f} s")
    return story


def test_illusion_of_send() -> None:
    scheduler = Scheduler()
    nics = [GoldenNic(scheduler, HostMemory(), mac=bytes((2, 0, 0, 0, 0, n))) for n in (1, 2)]
    world = World(scheduler, *nics)
    up = world.bring_up()
    world.run(lambda: up.done)
    world.b.spawn(server)
    program = world.a.spawn(client, world)
    world.run(lambda: program.done, timeout=10_000 * SEC)
    story = program.result()
    print("\n".join(["", *story]))
    assert story[0].startswith("20") and "every call a success" in story[0]
    seconds = float(story[1].split()[-2])
    # After tcp_retries2: 924.6 s at least. ARP has given up on B meanwhile, hence not ETIMEDOUT.
    assert "EHOSTUNREACH" in story[1] and 900 < seconds < 1200
    world.power_off()
    world.check_programs()
