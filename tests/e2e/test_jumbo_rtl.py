"""Frames of 9018 bytes both ways through the RTL by the ordinary driver; and what a reset leaves of one."""

import random
import zlib
from typing import Any

import cocotb

from pymodel.link import Direction
from pymodel.ports import Frame
from pymodel.regs import Feature, Side, Stat
from pymodel.simtime import BYTE_TIME_10G, US
from pymodel.socket import AsyncSocket
from tb.block import run_nic
from tb.testbench import Testbench

MTU = 9000
JUMBO = 14 + MTU + 4
DATA = random.Random(9018).randbytes(150_000)


@cocotb.test()
@cocotb.parametrize(
    without=[(), (Feature.MRG_RXBUF, Feature.HOST_TSO4), (Feature.CSUM, Feature.INDIRECT_DESC)]
)
async def streams_in_jumbo_frames_arrive_both_ways(dut: Any, without: tuple[Feature, ...]) -> None:
    bench = Testbench(dut, without=without)
    for host in (bench.a, bench.b):
        host.port.write(Side.MTU, MTU)
    await bench.bring_up()
    assert bench.a.device.mtu == bench.b.device.mtu == MTU
    sizes = dict.fromkeys(Direction, 0)

    def seen(direction: Direction, frame: Frame) -> None:
        sizes[direction] += len(frame.data) == JUMBO

    bench.link.on_frame = seen

    async def take(sock: AsyncSocket) -> int:
        count, checksum = 0, 0
        while count < len(DATA):
            data = await sock.recv(65536)
            assert data, "the peer closed too early"
            count, checksum = count + len(data), zlib.crc32(data, checksum)
        return checksum

    async def server() -> int:
        async with AsyncSocket() as listener:
            listener.bind(("0.0.0.0", 80))
            listener.listen()
            sock, _ = await listener.accept()
            async with sock:
                checksum = await take(sock)
                await sock.sendall(DATA)
                return checksum

    async def client() -> int:
        async with AsyncSocket() as sock:
            await sock.connect(("b", 80))
            await sock.sendall(DATA)
            return await take(sock)

    serving = bench.b.spawn(server)
    assert await bench.run(bench.a.spawn(client)) == zlib.crc32(DATA)
    assert await bench.run(serving) == zlib.crc32(DATA)
    await bench.finish()
    assert min(sizes.values()) >= len(DATA) // MTU - 3, f"{sizes}"
    assert await bench.read(Stat.TX_1519_MAX) >= sizes[Direction.A_TO_B]


@cocotb.test()
async def regression_frame_after_the_reset_pin_does_not_wait_for_the_rest_of_one_before_it(
    dut: Any,
) -> None:
    bench = Testbench(dut, lockstep=False)

    def deliver(length: int) -> None:
        now = bench.scheduler.now
        bench.rtl.deliver(Frame(bytes(length), now, now + (8 + length) * BYTE_TIME_10G, False))

    deliver(9018)
    await bench.loop.run_for(1 * US)
    bench.rtl.reset()
    deliver(63)
    await bench.loop.run_for(1 * US)
    assert await bench.read(Stat.RX_UNDERSIZE) == 1


def test_jumbo_rtl() -> None:
    run_nic(__name__)
