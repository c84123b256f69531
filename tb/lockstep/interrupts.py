"""Is the interrupt line as it must be? A model of InterruptStatus with the uncertainty of its timing.

Bit 0 is due after a used entry when the driver's event suppression, read after that entry, says ENABLE;
bit 1 after a change of the link or when the device needs reset. When exactly, within `WINDOW`, a bit is
set or an ACK takes effect is known to the NIC alone; an ACK and a cause that close together may meet
in either order, unless the line was seen to fall between them, and then nothing is claimed about that bit
until it is certain again.
"""

from typing import Final

from pymodel.regs import Interrupt
from pymodel.simtime import CYCLE, US
from tb.lockstep.tally import Tally

WINDOW: Final = 32 * CYCLE
"""How late a bit may be set after its cause, and how far an access may be from its effect (ps)."""

REASON: Final = 4 * US
"""How long after it asked for a reset the reason may be seen: a read burst is seen when it ends (ps)."""

_NEVER: Final = -(1 << 62)
_NAMES: Final = ("used buffer", "config change")


class _Bit:
    """What is known of one bit of InterruptStatus."""

    __slots__ = ("cause", "cleared", "first")

    def __init__(self) -> None:
        self.cause = _NEVER
        """The last cause."""
        self.first: int | None = None
        """The oldest cause that no ACK can have cleared."""
        self.cleared = _NEVER
        """The last ACK."""

    def set_by(self, time: int, fell_at: int) -> bool:
        """A cause at `time`; the line last fell at `fell_at`. Is it sure that no ACK clears it?"""
        self.cause = time
        sure = time > self.cleared + WINDOW or self.cleared <= fell_at <= time
        if sure and self.first is None:
            self.first = time
        return sure

    def clear(self, time: int) -> None:
        self.cleared = time
        self.first = None

    def surely_set(self, time: int) -> bool:
        return self.first is not None and self.first + WINDOW < time

    def surely_clear(self) -> bool:
        return self.cause + WINDOW < self.cleared or self.cause == _NEVER


class InterruptChecker:
    """Told of causes, ACKs, reads and the line; reports `lost interrupt`, `spurious interrupt` and others.

    A rise without a cause is held for `REASON` before it is reported: the device may need a reset because
    of something of which the end has not been seen.
    """

    def __init__(self, tally: Tally) -> None:
        self.line = False
        self.config_allowed = False
        """The device has a reason to need a reset, which it need not show at once."""
        self.unexplained: int | None = None
        """When the line rose without a cause."""
        self._tally = tally
        self._bits = (_Bit(), _Bit())
        self.due: list[int] = []
        """Causes for which the line must rise."""
        self._reset_at = _NEVER
        self._fell_at = _NEVER

    def reset(self, time: int) -> None:
        """Device or hardware reset: InterruptStatus is 0, the line falls."""
        self._bits = (_Bit(), _Bit())
        self.due.clear()
        self.unexplained = None if self.config_allowed else self.unexplained
        self._reset_at = time

    def join(self, time: int, *, line: bool) -> None:
        """What was before `time` is not known, but the line's level."""
        self.reset(time)
        self.line = line
        for bit in self._bits:
            bit.cause = time

    def used(self, time: int) -> None:
        """A used entry is visible and the driver's event suppression, read after it, wants an interrupt."""
        self._tally.counts["interrupts"] += 1
        self._cause(0, time)

    def fault(self) -> None:
        """The device has a reason to need a reset, and what was due for used buffers may never come."""
        self.config_allowed = True
        self.due.clear()
        self._bits[0].first = None

    def allow(self, time: int) -> None:
        """Event suppression was read once more than needed, and wants an interrupt: one may come."""
        self._bits[0].cause = time

    def high_since(self, time: int) -> bool:
        """Was the line high at `time` or later?"""
        return self.line or self._fell_at >= time

    def config(self, time: int) -> None:
        """The link changed."""
        self._cause(1, time)

    def config_unexplained(self) -> bool:
        """If CONFIG_CHANGE is set now, it is not for a change of the link."""
        return self._bits[1].surely_clear()

    def _cause(self, bit: int, time: int) -> None:
        if self._bits[bit].set_by(time, self._fell_at) and not self.line:
            self.due.append(time)

    def acknowledge(self, time: int, value: int) -> None:
        """INTERRUPT_ACK was written."""
        for i, bit in enumerate(self._bits):
            if value >> i & 1:
                bit.clear(time)
        # What is due and not overdue may have been cleared in the moment it was set.
        self.advance(time)
        self.due.clear()

    def advance(self, time: int) -> None:
        """Simulated time has come to `time`: report interrupts that should have come by now."""
        while self.due and self.due[0] + WINDOW < time:
            due = self.due.pop(0)
            self._tally.mismatch(
                due, "lost interrupt", "the line stayed low after a used entry with notifications enabled"
            )
        if self.unexplained is not None and self.unexplained + REASON < time:
            if not self.config_allowed:
                self._tally.mismatch(self.unexplained, "spurious interrupt", "the line rose without a cause")
            self.unexplained = None

    def changed(self, time: int, level: bool) -> None:
        """The line went to `level`."""
        self.advance(time)
        self._tally.counts["interrupts"] += 1
        self.line = level
        if not level:
            self._fell_at = time
        if time <= self._reset_at + WINDOW:
            return
        if level:
            self.due.clear()
            if not self.config_allowed and all(bit.surely_clear() for bit in self._bits):
                self.unexplained = time
        elif all(bit.cleared + WINDOW < time for bit in self._bits):
            self._tally.mismatch(time, "interrupt fell", "the line fell without an acknowledgement")

    def read(self, time: int, value: int) -> None:
        """INTERRUPT_STATUS was read as `value`."""
        self._tally.counts["registers"] += 1
        if value & ~int(Interrupt.USED_BUFFER | Interrupt.CONFIG_CHANGE):
            self._tally.mismatch(time, "InterruptStatus", f"undefined bits in {value:#x}")
        for i, bit in enumerate(self._bits):
            got = value >> i & 1
            near = abs(time - bit.cause) <= WINDOW or abs(time - bit.cleared) <= WINDOW
            if near or (i == 1 and (self.config_allowed or self.unexplained is not None)):
                continue
            if got and bit.surely_clear():
                self._tally.mismatch(time, "InterruptStatus", f"bit {i} ({_NAMES[i]}) is set without a cause")
            elif not got and bit.surely_set(time):
                self._tally.mismatch(time, "InterruptStatus", f"bit {i} ({_NAMES[i]}) is not set, but is due")

    def finish(self, time: int) -> None:
        """The run has ended at `time`: what is due and what has no cause is reported now."""
        self.advance(time + WINDOW + REASON + 1)
