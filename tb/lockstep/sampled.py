"""Lockstep for long runs: the comparison joins the NIC for a short window now and then, in between it is off.

In every stretch of `every` ps one window of `window` ps begins at a moment drawn from the seed. For that the
hosts stand still, as any host may, until the NIC has come to rest: then all that it knows is seen from
outside (the register writes so far, where it is in its rings, and the descriptors in host memory), and a
fresh checker begins there. At the window's end they stand still once more, and the checker is asked whether
anything is missing. In between the NIC runs at full speed, watched by the C++ side's rules alone.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pymodel.golden.counters import Counters
from pymodel.golden.registers import QUEUES, Registers
from pymodel.regs import DESC_BYTES, FEATURES_OFFERED, Queue, Reg, Side, Status
from pymodel.scheduler import Scheduler
from pymodel.simtime import MS, US
from tb.cosim.loop import Loop
from tb.cosim.rtl_nic import RtlNic
from tb.lockstep import events as ev
from tb.lockstep.checker import Checker
from tb.lockstep.shadow import shadow_of
from tb.lockstep.tally import Mismatch, Tally

REST: Final = 512
"""Cycles without a movement at any port after which the NIC is at rest: several times its longest pipeline
without waiting for memory or wire."""
PATIENCE: Final = 500 * US
"""For so long the hosts stand still at most (ps)."""
_SELECTORS: Final = (Reg.DEVICE_FEATURES_SEL, Reg.DRIVER_FEATURES_SEL, Reg.QUEUE_SEL)


@dataclass(frozen=True)
class Sampling:
    """How much is compared: one window of `window` ps in every `every` ps. ValueError if that cannot be.

    A difference that shows in every window is found within two stretches, 2·`every`; one that shows once, for
    a moment, with the chance `window`/`every`.
    """

    window: int = 50 * US
    every: int = 1 * MS
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.window < self.every:
            raise ValueError(f"a window of {self.window} ps in every {self.every} ps")


class _Deaf:
    """Who listens to the registers between windows: nobody."""

    def kick(self, queue: int) -> None:
        """A notify."""

    def queue_changed(self, queue: int) -> None:
        """A queue runs, or not."""

    def device_reset(self) -> None:
        """Status 0."""

    def interrupt_changed(self, level: bool) -> None:
        """The line."""


class Sampler:
    """Joins `nic` for windows while `loop` runs. `windows`: those that were compared; `skipped`: those that
    could not begin (the NIC did not rest, or was broken), `cut`: those whose end was not a rest.

    `mac`, `mtu`, `queue_num_max`, `offered`: as for `Checker`.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        loop: Loop,
        nic: RtlNic,
        sampling: Sampling,
        *,
        mac: bytes = b"\x02\0\0\0\0\1",
        mtu: int = 1500,
        queue_num_max: int = 256,
        offered: int = FEATURES_OFFERED,
    ) -> None:
        self.tally = Tally()
        self.windows = self.skipped = self.cut = 0
        self._scheduler, self._loop, self._nic, self._sampling = scheduler, loop, nic, sampling
        self._parameters = {"mac": mac, "mtu": mtu, "queue_num_max": queue_num_max, "offered": offered}
        self._rng = random.Random(sampling.seed)
        self._registers = Registers(
            _Deaf(), Counters(), mac=mac, mtu=mtu, queue_num_max=queue_num_max, offered=offered
        )
        self._selected = dict.fromkeys(_SELECTORS, 0)
        self._line = False
        self._shadow = shadow_of(nic.memory)
        self._checker: Checker | None = None
        self._stretch = scheduler.now
        self._closed = False
        self._between()
        self._plan()

    @property
    def mismatches(self) -> list[Mismatch]:
        """What was wrong, in the order in which it was found."""
        return self.tally.mismatches

    @property
    def comparisons(self) -> int:
        """Comparisons made, in all windows."""
        return self.tally.comparisons

    def close(self) -> None:
        """No more windows; one that is open ends without the question whether anything is missing."""
        self._closed = True
        self.cut += self._checker is not None
        self._between()

    # ------------------------------------------------------------------ windows

    def _plan(self) -> None:
        """The next window: somewhere in the next stretch."""
        start = self._stretch + self._rng.randrange(self._sampling.every - self._sampling.window)
        self._stretch = max(self._stretch + self._sampling.every, self._scheduler.now)
        self._scheduler.at(max(start, self._scheduler.now), lambda: self._hold(self._begin))

    def _hold(self, then: Callable[[bool], None]) -> None:
        if not self._closed:
            self._loop.hold(REST, PATIENCE, then)

    def _between(self) -> None:
        self._checker = None
        self._nic.observe(self._watch, registers_only=True)

    def _begin(self, rested: bool) -> None:
        places = self._places() if rested else None
        if places is None or self._closed:
            self.skipped += 1
            self._plan()
            return
        now = self._nic.now()
        self._checker = checker = Checker(
            self._nic.memory,
            tally=self.tally,
            places={queue: oldest for queue, (oldest, _) in places.items()},
            shadow=self._shadow,
            **self._parameters,  # type: ignore[arg-type]
        )
        for event in self._past(now):
            checker.observe(event)
        checker.join(now, line=self._line, config_generation=self._registers.config_generation)
        for queue, (oldest, following) in places.items():
            self._show_ring(checker, now, queue, oldest, following)
        self._nic.observe(self._both)
        self._scheduler.at(now + self._sampling.window, lambda: self._hold(self._end))

    def _end(self, rested: bool) -> None:
        checker = self._checker
        if checker is None or self._closed:
            return
        self.windows += 1
        if rested:
            checker.finish()
        else:
            self.cut += 1
        self._between()
        self._plan()

    def _places(self) -> dict[int, tuple[int, int]] | None:
        """Of each queue that runs, where the NIC is in its ring; None if a checker cannot begin now."""
        registers = self._registers
        if registers.resetting or registers.status & Status.DEVICE_NEEDS_RESET:
            return None
        places = {}
        for queue in range(QUEUES):
            if registers.queues[queue].resetting:
                return None
            if registers.runs(queue):
                place = self._nic.ring_place(queue)
                # Chains that have not ended, or are being sent, cannot be looked into.
                if place is None or (queue == Queue.TX and place[0] != place[1]):
                    return None
                places[queue] = place
        return places

    # ------------------------------------------------------------------ what was before

    def _past(self, now: int) -> list[ev.Event]:
        """Events that bring a fresh checker's registers to where the NIC's are."""
        registers = self._registers
        writes: list[tuple[int, int]] = []
        if registers.mtu != self._parameters["mtu"]:
            writes.append((Side.MTU, registers.mtu))
        for word in range(2):
            writes.append((Reg.DRIVER_FEATURES_SEL, word))
            writes.append((Reg.DRIVER_FEATURES, registers.driver_features >> 32 * word & 0xFFFFFFFF))
        writes.append((Reg.STATUS, registers.status & ~int(Status.DRIVER_OK)))
        for number, queue in enumerate(registers.queues):
            writes.append((Reg.QUEUE_SEL, number))
            writes.append((Reg.QUEUE_NUM, queue.num))
            for low, address in (
                (Reg.QUEUE_DESC_LOW, queue.desc),
                (Reg.QUEUE_DRIVER_LOW, queue.driver),
                (Reg.QUEUE_DEVICE_LOW, queue.device),
            ):
                writes += [(low, address & 0xFFFFFFFF), (low + 4, address >> 32)]
            if queue.ready:
                writes.append((Reg.QUEUE_READY, 1))
        writes.append((Reg.STATUS, registers.status))
        writes += self._selected.items()
        past: list[ev.Event] = [] if registers.link_up else [ev.Link(now, False)]
        # Status 0 would be a reset, of a device that is fresh.
        writes = [write for write in writes if write != (Reg.STATUS, 0)]
        return past + [ev.MmioWrite(now, int(offset), value, 4) for offset, value in writes]

    def _show_ring(self, checker: Checker, now: int, queue: int, oldest: int, following: int) -> None:
        """What the NIC has read of a ring and not used: it stays in host memory until it is used."""
        size, base = self._registers.queues[queue].num, self._registers.queues[queue].desc
        while oldest < following:
            slot = oldest % size
            count = min(following - oldest, size - slot)
            self._show(checker, now, base + slot * DESC_BYTES, count * DESC_BYTES)
            oldest += count
        for start, end in checker.tables(queue):
            self._show(checker, now, start, end - start)

    def _show(self, checker: Checker, now: int, address: int, length: int) -> None:
        checker.observe(ev.DmaRequest(now, address, False, 0))
        checker.observe(ev.DmaRead(now, address, self._nic.memory.read(address, length), 0, 0))

    # ------------------------------------------------------------------ observers

    def _both(self, event: ev.Event) -> None:
        self._watch(event)
        if self._checker is not None:
            self._checker.observe(event)

    def _watch(self, event: ev.Event) -> None:
        """Keep the registers as the NIC has them."""
        registers = self._registers
        if isinstance(event, ev.MmioWrite):
            if event.offset == Reg.STATUS and event.value and registers.resetting:
                registers.finish_reset()
            if event.offset == Reg.STATUS and not event.value:
                self._selected = dict.fromkeys(_SELECTORS, 0)
            registers.write(event.offset, event.value, event.size)
            if event.offset in self._selected:
                self._selected[Reg(event.offset)] = event.value
        elif isinstance(event, ev.MmioRead):
            if event.offset == Reg.STATUS:
                if registers.resetting and not event.value:
                    registers.finish_reset()
                if event.value & Status.DEVICE_NEEDS_RESET:
                    registers.needs_reset()
            elif event.offset == Reg.QUEUE_RESET and not event.value:
                for number, queue in enumerate(registers.queues):
                    if queue.resetting and number == registers.queue_selected:
                        registers.finish_queue_reset(number)
        elif isinstance(event, ev.Irq):
            self._line = event.level
        elif isinstance(event, ev.Link):
            registers.set_link(event.up)
        elif isinstance(event, ev.Reset):
            registers.hard_reset()
            self._selected = dict.fromkeys(_SELECTORS, 0)
            self._line = False
