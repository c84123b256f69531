"""A transfer both ways through the bench, for tests that care about what happens meanwhile."""

from pymodel.simtime import MS
from pymodel.socket import AsyncSocket
from tb.testbench import Testbench

_CHUNK = 1 << 18


async def echo(bench: Testbench, payload: bytes, *, port: int = 7, timeout: int = 200 * MS) -> None:
    """`payload` from A to B, and back; SimulationTimeout after `timeout` ps."""

    async def whole(sock: AsyncSocket) -> bytes:
        got = b""
        while len(got) < len(payload):
            got += await sock.recv(_CHUNK)
        return got

    async def server() -> None:
        async with AsyncSocket() as listener:
            listener.bind(("b", port))
            listener.listen()
            sock, _ = await listener.accept()
            async with sock:
                await sock.sendall(await whole(sock))

    async def client() -> bytes:
        async with AsyncSocket() as sock:
            await sock.connect(("b", port))
            await sock.sendall(payload)
            return await whole(sock)

    bench.b.spawn(server)
    assert await bench.run(bench.a.spawn(client), timeout=timeout) == payload


async def planted_echo(bench: Testbench, bug: str = "") -> bytes:
    """200 bytes to B and back; the answer. `bug` is planted in between."""

    async def server() -> None:
        listener = AsyncSocket()
        listener.bind(("b", 7))
        listener.listen()
        connection, _ = await listener.accept()
        while data := await connection.recv(1000):
            await connection.sendall(data)

    async def client() -> bytes:
        async with AsyncSocket() as sock:
            await sock.connect(("b", 7))
            await sock.sendall(b"before")
            await sock.recv_exactly(6)
            if bug:
                bench.rtl.plant(bug)
            await sock.sendall(bytes(range(200)))
            return await sock.recv_exactly(200)

    bench.b.spawn(server)
    return await bench.run(bench.a.spawn(client), timeout=2 * MS)
