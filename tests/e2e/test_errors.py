"""What a program and an operator get when something is wrong, through the RTL."""

import errno
import zlib
from typing import Any

import cocotb
import pytest

from pymodel.ports import Frame
from pymodel.regs import Stat
from pymodel.simtime import BYTE_TIME_10G, SEC, US
from pymodel.socket import AsyncSocket
from tb.block import run_nic
from tb.testbench import Testbench


async def connect_error(bench: Testbench, address: tuple[str, int]) -> tuple[int, int]:
    """errno of a connect from host A, and how long it took (ps)."""

    async def program() -> int:
        async with AsyncSocket() as sock:
            with pytest.raises(OSError) as caught:
                await sock.connect(address)
            return int(caught.value.errno or 0)

    began = bench.scheduler.now
    error = await bench.run(bench.a.spawn(program), timeout=1000 * SEC)
    return error, bench.scheduler.now - began


@cocotb.test()
async def connect_to_a_closed_port_is_econnrefused(dut: Any) -> None:
    bench = await Testbench.start(dut)
    error, took = await connect_error(bench, ("b", 9))
    assert error == errno.ECONNREFUSED and took < 100 * US
    await bench.finish()


@cocotb.test()
async def connect_to_a_black_hole_is_etimedout_after_the_retries(dut: Any) -> None:
    bench = await Testbench.start(dut)
    # Behind B, which is no router: it answers ARP and forwards nothing.
    bench.a.ip.add_route("0.0.0.0/0", "10.0.0.2")
    error, took = await connect_error(bench, ("192.0.2.1", 80))
    assert error == errno.ETIMEDOUT
    # Linux: tcp_syn_linear_timeouts = 4 of one second each, then tcp_syn_retries = 6: 4 + 1 + 2 + … + 64 s.
    assert 130 * SEC < took < 132 * SEC
    assert bench.b.ip.stats["ip_not_for_us"] == 11
    await bench.finish()


@cocotb.test()
async def connect_to_an_absent_neighbour_is_ehostunreach_after_three_arp_requests(dut: Any) -> None:
    bench = await Testbench.start(dut)
    error, took = await connect_error(bench, ("10.0.0.77", 80))
    assert error == errno.EHOSTUNREACH
    assert 2 * SEC < took < 4 * SEC
    await bench.finish()


@cocotb.test()
async def connect_without_a_route_is_enetunreach_at_once(dut: Any) -> None:
    bench = await Testbench.start(dut)
    error, took = await connect_error(bench, ("192.0.2.1", 80))
    assert error == errno.ENETUNREACH and took < 100 * US
    await bench.finish()


@cocotb.test()
async def second_bind_to_a_listening_port_is_eaddrinuse(dut: Any) -> None:
    bench = await Testbench.start(dut)

    async def program() -> int:
        async with AsyncSocket() as first, AsyncSocket() as second:
            first.bind(("a", 80))
            first.listen()
            with pytest.raises(OSError) as caught:
                second.bind(("a", 80))
            return int(caught.value.errno or 0)

    assert await bench.run(bench.a.spawn(program)) == errno.EADDRINUSE
    await bench.finish()


@cocotb.test()
async def bad_frames_are_counted_by_reason_and_dropped(dut: Any) -> None:
    bench = await Testbench.start(dut)
    before = {stat: await bench.read(stat) for stat in Stat}
    head = bytes.fromhex("020000000001 020000000002 88b5")
    start = bench.scheduler.now + US

    def play(length: int, flip: int = 0, error: bool = False) -> None:
        nonlocal start
        data = head + bytes(length - 18)
        whole = data + (zlib.crc32(data) ^ flip).to_bytes(4, "little")
        end = start + (8 + length) * BYTE_TIME_10G
        bench.rtl.deliver(Frame(whole, start, end, error))
        start = end + 20 * BYTE_TIME_10G

    for _ in range(2):
        play(100, flip=1)
    for _ in range(3):
        play(63)
    for _ in range(4):
        play(1523)
    for _ in range(5):
        play(200, error=True)
    play(64)
    play(1522)
    await bench.loop.run_for(20 * US)
    delta = {stat.name: await bench.read(stat) - before[stat] for stat in Stat}
    assert {name: count for name, count in delta.items() if count} == {
        "RX_FCS_ERROR": 2,
        "RX_UNDERSIZE": 3,
        "RX_OVERSIZE": 4,
        "RX_CODE_ERROR": 5,
        "RX_FRAMES": 2,
        "RX_BYTES": 64 + 1522,
        "RX_64": 1,
        "RX_1519_MAX": 1,
    }
    assert bench.a.device.stats.rx_packets == 2
    await bench.finish()


def test_errors() -> None:
    run_nic(__name__)
