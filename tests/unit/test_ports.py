"""`mmio_read`: the blocking form of a register read, over ports that answer late, at once, or in a burst."""

from collections.abc import Callable

from pymodel.hostmem import HostMemory
from pymodel.ports import mmio_read
from pymodel.scheduler import Scheduler
from pymodel.task import Blocking, Task


class FakePort:
    """Answers a read with its offset + 0x100 after `latency` ps, or within the call (None)."""

    def __init__(self, scheduler: Scheduler, latency: int | None) -> None:
        self.memory = HostMemory(64)
        self.asked: list[tuple[int, int]] = []
        self._scheduler = scheduler
        self._latency = latency

    def write(self, offset: int, value: int, size: int = 4) -> None:
        raise AssertionError("a read does not write")

    def read(self, offset: int, size: int, done: Callable[[int], None]) -> None:
        self.asked.append((offset, size))
        if self._latency is None:
            done(offset + 0x100)
        else:
            self._scheduler.after(self._latency, lambda: done(offset + 0x100))

    def set_interrupt_handler(self, handler: Callable[[bool], None]) -> None:
        raise AssertionError("a read has no interrupt")

    def reset(self) -> None:
        raise AssertionError("a read does not reset")


def test_late_answer_blocks_the_program_until_then_and_is_its_value() -> None:
    scheduler = Scheduler()
    port = FakePort(scheduler, 640)
    task = Task(scheduler, mmio_read(port, 0x70))
    scheduler.run_until(639)
    assert not task.done
    scheduler.run_until(640)
    assert task.result() == 0x170 and port.asked == [(0x70, 4)]


def test_answer_within_the_call_does_not_block_for_ever() -> None:
    scheduler = Scheduler()
    port = FakePort(scheduler, None)
    task = Task(scheduler, mmio_read(port, 0x106, 2))
    scheduler.step()
    assert task.result() == 0x206 and port.asked == [(0x106, 2)]


def test_reads_of_two_programs_in_flight_get_each_its_own_value() -> None:
    scheduler = Scheduler()
    port = FakePort(scheduler, 100)
    values: list[int] = []

    def program(offset: int) -> Blocking[None]:
        for step in range(3):
            values.append((yield from mmio_read(port, offset + 4 * step)))

    for offset in (0, 0x40):
        Task(scheduler, program(offset))
    while scheduler.step():
        pass
    assert values == [0x100, 0x140, 0x104, 0x144, 0x108, 0x148] and scheduler.now == 300
