"""What the campaign is driven against: a NIC at its two seams, and the lockstep checker that watches it.

The campaign is one task on the scheduler, so that the same code runs over the golden NIC, with nothing but
the scheduler, and over the RTL, where the simulator's clock moves time.
"""

import os
from collections import deque
from typing import Any, Protocol

from pymodel.ports import Frame
from pymodel.scheduler import Scheduler
from pymodel.simtime import BYTE_TIME_10G, NS, US
from pymodel.task import WaitQueue, wait
from tb.lockstep.checker import Checker
from tb.memory_settings import MemorySettings

PREAMBLE = 8


class Surroundings(Protocol):
    """What a NIC is surrounded by, as far as it can be changed; a golden NIC's cannot.

    `any_mtu`: its longest frame follows the MTU register; `blind`: counters that it does not keep.
    """

    any_mtu: bool
    blind: frozenset[str]

    def rough(self, memory: MemorySettings, gap: int) -> None:
        """Another host memory, another least gap between received frames."""

    def fail_nth(self, nth: int, *, write: bool, response: int) -> bool:
        """The `nth` transfer from now on fails; False if that cannot be had."""

    def play_words(self, words: list[tuple[int, int]]) -> bool:
        """Raw XGMII words; False if that cannot be had."""

    def check(self) -> None:
        """Raise for broken bus or wire protocols, and feed the checker with what is in the log."""


class Bench:
    """One NIC, just out of hardware reset. `log`: the last things done to it, for a failure's text."""

    def __init__(self, scheduler: Scheduler, nic: Any, checker: Checker, surroundings: Surroundings) -> None:
        self.scheduler, self.nic, self.memory = scheduler, nic, nic.memory
        self.checker, self.surroundings = checker, surroundings
        self.log: deque[str] = deque(maxlen=int(os.environ.get("FDWIRE_LOG", "40")))
        self.wire_free = 0
        self.error: BaseException | None = None

    @property
    def now(self) -> int:
        """Simulated time (ps)."""
        return self.scheduler.now

    def note(self, text: str) -> None:
        """Remember what is done now."""
        self.log.append(f"{self.now / NS:.1f} ns: {text}")

    async def run_for(self, ps: int) -> None:
        """Let simulated time pass."""
        await wait(deadline=self.now + ps)

    async def read(self, offset: int) -> int:
        """A register."""
        values: list[int] = []
        arrived = WaitQueue()

        def done(value: int) -> None:
            values.append(value)
            arrived.wake()

        self.nic.read(offset, 4, done)
        deadline = self.now + 10 * US
        while not values:
            assert self.now < deadline, f"a read of {offset:#x} was not answered"
            await wait(arrived, deadline=deadline)
        return values[0]

    async def read64(self, offset: int) -> int:
        """A statistics register: low word first, which latches the high one."""
        low = await self.read(offset)
        return low | await self.read(offset + 4) << 32

    def wire_send(self, data: bytes, *, gap: int, error: bool = False) -> None:
        """Put `data` (DA…FCS) on the wire, `gap` byte times after the frame before it, or now."""
        start = max(self.now, self.wire_free + gap * BYTE_TIME_10G)
        end = start + (PREAMBLE + len(data)) * BYTE_TIME_10G
        self.wire_free = end
        self.nic.deliver(Frame(data, start, end, error))

    def check(self) -> None:
        """AssertionError when the checker has found anything, or AXI4 or XGMII rules were broken."""
        self.surroundings.check()
        assert not self.checker.mismatches, "\n".join(str(m) for m in self.checker.mismatches[:10])

    async def finish(self) -> None:
        """The end: nothing may be missing."""
        await self.run_for(20 * US)
        self.surroundings.check()
        self.checker.finish()
        self.check()
        assert self.checker.comparisons
