"""fdw_crc32 against zlib, fdw_fifo against a list."""

import zlib
from collections import deque
from typing import Any

import cocotb
from clocked import reset, rng, start
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge, Timer
from mac_bench import assert_known
from simulators import SIMULATORS

from tb.block import run_block

DEPTHS = (2, 5, 8)


async def fifo_start(dut: Any) -> None:
    await start(dut, s_valid=0, s_data=0, m_ready=0, crc_in=0, crc_data=0, crc_count=0)


@cocotb.test()
async def reset_outputs_known(dut: Any) -> None:
    await fifo_start(dut)
    await assert_known(dut, ["s_ready", "m_valid", "m_data", "level"], 5)


@cocotb.test()
async def crc_random_register_and_bytes_matches_zlib(dut: Any) -> None:
    generator = rng()
    for step in range(900):
        count = step % 9
        register = generator.getrandbits(32)
        data = generator.randbytes(8)
        dut.crc_in.value = register
        dut.crc_data.value = int.from_bytes(data, "little")
        dut.crc_count.value = count
        await Timer(1, "ns")
        expected = zlib.crc32(data[:count], register ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
        assert int(dut.crc_out.value) == expected, f"{count} bytes of {data.hex()} after {register:08x}"


@cocotb.test()
async def crc_frame_with_its_fcs_leaves_residue(dut: Any) -> None:
    data = rng().randbytes(101)
    data += zlib.crc32(data).to_bytes(4, "little")
    register = 0xFFFFFFFF
    for at in range(0, len(data), 8):
        dut.crc_in.value = register
        dut.crc_data.value = int.from_bytes(data[at : at + 8], "little")
        dut.crc_count.value = len(data[at : at + 8])
        await Timer(1, "ns")
        register = int(dut.crc_out.value)
    assert register == 0xDEBB20E3


class Fifos:
    """Drives the three FIFOs for one cycle at a time and compares each with a deque."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.inside: list[deque[int]] = [deque() for _ in DEPTHS]
        self.next = 0

    async def cycle(self, push: int, pop: int) -> None:
        """One cycle with s_valid = `push` and m_ready = `pop` (a bit per FIFO)."""
        dut = self.dut
        await FallingEdge(dut.clk)
        dut.s_valid.value = push
        dut.m_ready.value = pop
        dut.s_data.value = self.next
        await ReadOnly()
        s_ready, m_valid = int(dut.s_ready.value), int(dut.m_valid.value)
        levels, heads = int(dut.level.value), int(dut.m_data.value)
        for i, (depth, fifo) in enumerate(zip(DEPTHS, self.inside, strict=True)):
            assert levels >> 4 * i & 15 == len(fifo), f"level at depth {depth}"
            assert bool(s_ready >> i & 1) == (len(fifo) < depth), (
                f"s_ready at depth {depth}, {len(fifo)} inside"
            )
            assert bool(m_valid >> i & 1) == bool(fifo), f"m_valid at depth {depth}"
            if fifo:
                assert heads >> 16 * i & 0xFFFF == fifo[0], f"head at depth {depth}"
        await RisingEdge(dut.clk)
        for i, (depth, fifo) in enumerate(zip(DEPTHS, self.inside, strict=True)):
            accepts = len(fifo) < depth
            if pop >> i & 1 and fifo:
                fifo.popleft()
            if push >> i & 1 and accepts:
                fifo.append(self.next)
        self.next = self.next + 0x9E37 & 0xFFFF


@cocotb.test()
async def fifo_filled_then_drained_keeps_order(dut: Any) -> None:
    await fifo_start(dut)
    fifos = Fifos(dut)
    for _ in range(12):
        await fifos.cycle(7, 0)
    for _ in range(12):
        await fifos.cycle(0, 7)


@cocotb.test()
async def fifo_push_and_pop_every_cycle_full_or_empty_loses_nothing(dut: Any) -> None:
    await fifo_start(dut)
    fifos = Fifos(dut)
    for _ in range(30):
        await fifos.cycle(7, 7)
    for _ in range(10):
        await fifos.cycle(7, 0)
    for _ in range(30):
        await fifos.cycle(7, 7)


@cocotb.test()
async def fifo_random_traffic_matches_model(dut: Any) -> None:
    await fifo_start(dut)
    fifos = Fifos(dut)
    generator = rng()
    for _ in range(60):
        fill, drain = generator.random(), generator.random()
        for _ in range(40):
            push = sum((generator.random() < fill) << i for i in range(3))
            pop = sum((generator.random() < drain) << i for i in range(3))
            await fifos.cycle(push, pop)


@cocotb.test()
async def fifo_reset_while_full_is_empty_and_works(dut: Any) -> None:
    await fifo_start(dut)
    fifos = Fifos(dut)
    for _ in range(9):
        await fifos.cycle(7, 0)
    dut.s_valid.value = 0
    await reset(dut)
    fifos.inside = [deque() for _ in DEPTHS]
    for _ in range(20):
        await fifos.cycle(5, 3)
        await fifos.cycle(2, 7)


@SIMULATORS
def test_mac_leaf(simulator: str) -> None:
    run_block(
        "mac_leaf_bench",
        ["mac/fdw_crc32.v", "lib/fdw_fifo.v"],
        __name__,
        simulator=simulator,
        wrappers=["mac_leaf_bench.v"],
    )
