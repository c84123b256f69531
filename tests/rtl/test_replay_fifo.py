"""fdw_replay_fifo against a list: order, what is read again after a rollback, and when there is room."""

from typing import Any

import cocotb
import pytest
from clocked import rng, start
from cocotb.triggers import RisingEdge
from simulators import SIMULATORS

from tb.block import run_block


class Model:
    """`stored`: words not committed; the first `read` of them have been read."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.stored: list[int] = []
        self.read = 0

    @property
    def room(self) -> bool:
        return len(self.stored) < self.depth

    @property
    def head(self) -> int | None:
        return self.stored[self.read] if self.read < len(self.stored) else None


async def play(dut: Any, steps: int, push: float, pop: float, commit: float, rollback: float) -> set[str]:
    """Random steps with these chances; what happened at all."""
    generator = rng()
    model = Model(int(dut.DEPTH.value))
    seen: set[str] = set()
    serial = 0
    edge = RisingEdge(dut.clk)
    for _ in range(steps):
        serial = serial + 1 & 0xFF
        pushes, pops = generator.random() < push, generator.random() < pop
        rolls = generator.random() < rollback
        commits = not rolls and generator.random() < commit
        dut.s_valid.value, dut.s_data.value, dut.m_ready.value = pushes, serial, pops
        dut.commit.value, dut.rollback.value = commits, rolls
        await edge
        assert bool(dut.s_ready.value) == model.room
        assert bool(dut.m_valid.value) == (model.head is not None)
        if model.head is not None:
            assert int(dut.m_data.value) == model.head
        seen |= {"full"} if not model.room else set()
        pushed = [serial] if pushes and model.room else []
        if pops and model.head is not None:
            model.read += 1
            seen |= {"read and rolled back at once"} if rolls else set()
        if rolls:
            seen |= {"again"} if model.read else set()
            model.read = 0
        if commits:
            del model.stored[: model.read]
            model.read = 0
        model.stored += pushed
    return seen


@cocotb.test()
@cocotb.parametrize(
    chances=[(0.5, 0.5, 0.3, 0.1), (0.9, 0.9, 0.02, 0.02), (1.0, 1.0, 0.9, 0.1), (0.3, 0.9, 0.5, 0.3)]
)
async def words_come_in_order_and_again_from_the_last_commit_after_a_rollback(
    dut: Any, chances: tuple[float, float, float, float]
) -> None:
    await start(dut, s_valid=0, s_data=0, m_ready=0, commit=0, rollback=0)
    seen = await play(dut, 3000, *chances)
    assert seen >= {"again", "read and rolled back at once"}
    assert "full" in seen or chances[0] < 0.5


@SIMULATORS
@pytest.mark.parametrize("depth", [2, 16])
def test_replay_fifo(simulator: str, depth: int) -> None:
    parameters = {"WIDTH": 8, "DEPTH": depth}
    run_block("fdw_replay_fifo", ["lib/fdw_replay_fifo.v"], __name__, parameters, simulator)
