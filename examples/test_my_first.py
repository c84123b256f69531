"""A cocotb test of one's own: ten lines from a socket to the RTL and back."""

import cocotb

from pymodel.socket import AsyncSocket
from tb.block import run_nic
from tb.testbench import Testbench


@cocotb.test()
async def hello_through_the_nic(dut):
    bench = await Testbench.start(dut)

    async def server():
        listener = AsyncSocket()
        listener.bind(("b", 7))
        listener.listen()
        connection, _ = await listener.accept()
        await connection.sendall(await connection.recv(100))

    async def client():
        async with AsyncSocket() as sock:
            await sock.connect(("b", 7))
            await sock.sendall(b"hello, wire")
            return await sock.recv(100)

    bench.b.spawn(server)
    assert await bench.run(bench.a.spawn(client)) == b"hello, wire"
    await bench.finish()


def test_my_first() -> None:
    run_nic(__name__)
