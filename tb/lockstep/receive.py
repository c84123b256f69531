"""Received frames and what the NIC decided on each, told by the tap in the order of the frames."""

from collections import deque
from collections.abc import Callable
from typing import Final

from pymodel.golden import mac
from pymodel.golden.counters import Counters
from pymodel.golden.registers import Registers
from pymodel.regs import Queue, RxStatus
from pymodel.simtime import CYCLE
from tb.lockstep import events as ev
from tb.lockstep.tally import Tally

START_WINDOW: Final = 256 * CYCLE
"""How long a queue may take to start or stop after the register write (ps)."""

_RX: Final = int(Queue.RX)


class Receive:
    """Pairs frames with decisions, compares, and gives good frames to `store`.

    `counts(time)`: counters change at `time`; `faulty()`: an error may have stopped the queue.
    """

    def __init__(
        self,
        tally: Tally,
        registers: Registers,
        counters: Counters,
        *,
        store: Callable[[bytes], None],
        counts: Callable[[int], None],
        faulty: Callable[[], bool],
    ) -> None:
        self.changed_at = 0
        """When the receive queue started or stopped last."""
        self.starts_by = 0
        """When it runs at the latest: a new life begins when the transfers of the one before have ended."""
        self._tally = tally
        self._registers = registers
        self._counters = counters
        self._store = store
        self._counts = counts
        self._faulty = faulty
        self._mtu = registers.mtu
        self._mtu_before = registers.mtu
        self._mtu_changed_at = 0
        self._frames: deque[ev.WireIn] = deque()
        self._decisions: deque[ev.RxDecision] = deque()

    def reset(self, time: int) -> None:
        """Hardware reset: what is on its way is forgotten."""
        self._frames.clear()
        self._decisions.clear()
        self.changed_at = time
        self.starts_by = 0
        self._mtu = self._mtu_before = self._registers.mtu

    def mtu_written(self, time: int) -> None:
        """The register may have changed; for a frame under way, the old limit may hold."""
        if self._registers.mtu != self._mtu:
            self._mtu_before, self._mtu, self._mtu_changed_at = self._mtu, self._registers.mtu, time

    def frame(self, event: ev.WireIn) -> None:
        """A frame has arrived whole."""
        self._frames.append(event)
        self._decide()

    def decision(self, event: ev.RxDecision) -> None:
        """The NIC has decided on the oldest frame."""
        if event.status > RxStatus.STORED:
            self._tally.mismatch(event.time, "receive status", f"{event.status} means nothing")
            event = event._replace(status=int(RxStatus.STORED))
        self._decisions.append(event)
        self._decide()

    def finish(self, time: int) -> None:
        """The run has ended: no frame without a decision, no decision without a frame."""
        if self._decisions:
            text = f"{len(self._decisions)} decisions without a frame"
            self._tally.mismatch(time, "receive status", text)
        if self._frames:
            text = f"{len(self._frames)} received frames were never decided on"
            self._tally.mismatch(time, "receive status", text)

    def _decide(self) -> None:
        while self._frames and self._decisions:
            self._compare(self._frames.popleft(), *self._decisions.popleft())

    def _compare(self, event: ev.WireIn, time: int, status: int) -> None:
        self._tally.counts["receive status"] += 1
        frame = event.frame
        allowed = self._allowed(event, time)
        if status not in allowed:
            wanted = " or ".join(RxStatus(s).name for s in sorted(allowed))
            text = f"{RxStatus(status).name} for {len(frame.data)} bytes, {wanted} expected"
            self._tally.mismatch(time, "receive status", text)
            status = min(allowed)
        self._counts(time)
        self._counters.received(RxStatus(status), frame.data, fcs_wrong=mac.fcs_wrong(frame.data))
        if status == RxStatus.STORED:
            self._store(frame.data)

    def _allowed(self, event: ev.WireIn, time: int) -> set[int]:
        verdict = self._inspect(event, self._registers.mtu)
        allowed = {verdict}
        if self._mtu_changed_at + START_WINDOW >= event.frame.start:
            allowed.add(self._inspect(event, self._mtu_before))
        if int(RxStatus.STORED) not in allowed:
            return allowed
        # Whether the FIFO had room is taken from the RTL; so is the moment in which a queue starts
        # or stops, or an error stops it.
        allowed.discard(int(RxStatus.STORED))
        # One whose beginning had been read when the queue stopped is lost, even if the queue runs again.
        changed = self.changed_at + START_WINDOW
        changing = changed >= min(time, event.frame.start) or time <= self.starts_by or self._faulty()
        running = self._registers.runs(_RX)
        if running or changing:
            allowed |= {int(RxStatus.STORED), int(RxStatus.OVERFLOW)}
        if not running or changing:
            allowed.add(int(RxStatus.DISABLED))
        return allowed

    @staticmethod
    def _inspect(event: ev.WireIn, mtu: int) -> int:
        return int(mac.inspect(event.frame, mtu, bad_preamble=event.bad_preamble))
