"""The RTL NIC in lockstep with the golden model, for a test that drives registers and rings itself."""

import os
from collections import deque
from typing import Any

from pymodel.hostmem import HostMemory
from pymodel.ports import Frame
from pymodel.scheduler import Scheduler
from pymodel.simtime import BYTE_TIME_10G, NS, US
from tb.cosim.library import load
from tb.cosim.loop import Loop
from tb.cosim.rtl_nic import RtlNic
from tb.lockstep.checker import Checker

PREAMBLE = 8


class Bench:
    """One NIC, just out of hardware reset. `log`: the last things done to it, for a failure's text."""

    def __init__(self, dut: Any) -> None:
        self.scheduler = Scheduler()
        self.scheduler.run_until(load().fdw_now())
        self.memory = HostMemory(256 << 20)
        self.nic = RtlNic(self.scheduler, self.memory)
        self.checker = Checker(self.memory)
        self.nic.drain()  # what an earlier test left in the log
        self.nic.observe(self.checker.observe)
        self.nic.reset()
        self.nic.set_link(True)
        self.log: deque[str] = deque(maxlen=int(os.environ.get("FDWIRE_LOG", "40")))
        self.wire_free = 0
        self._loop = Loop(dut, self.scheduler, self.nic)

    @property
    def now(self) -> int:
        """Simulated time (ps)."""
        return self.scheduler.now

    def note(self, text: str) -> None:
        """Remember what is done now."""
        self.log.append(f"{self.now / NS:.1f} ns: {text}")

    async def run_for(self, ps: int) -> None:
        """Let simulated time pass."""
        await self._loop.run_for(ps)

    async def read(self, offset: int) -> int:
        """A register."""
        values: list[int] = []
        self.nic.read(offset, 4, values.append)
        await self._loop.run(lambda: bool(values), timeout=10 * US, what=f"a read of {offset:#x}")
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
        self.nic.drain()
        assert not self.checker.mismatches, "\n".join(str(m) for m in self.checker.mismatches[:10])
        self.nic.check_protocols()

    async def finish(self) -> None:
        """The end: nothing may be missing."""
        await self.run_for(20 * US)
        self.nic.drain()
        self.checker.finish()
        self.check()
        assert self.checker.comparisons
