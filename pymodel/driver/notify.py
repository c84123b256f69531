"""Event suppression as the driver sees it (virtio 1.2 §2.8.10, §2.8.14): who wants to be told of what.

A place in the ring is a slot together with the wrap counter in it, written as off_wrap: the slot in bits
14…0, the counter in bit 15.
"""

import struct
from typing import Final

from pymodel.regs import EVENT_BYTES, EventFlag

__all__ = ["Suppression", "off_wrap", "passes"]

_EVENT: Final = struct.Struct("<HH")  # off_wrap, flags
_ENABLE: Final = int(EventFlag.ENABLE)
_DISABLE: Final = int(EventFlag.DISABLE)
_DESC: Final = int(EventFlag.DESC)
_SLOT: Final = 0x7FFF
_WRAP: Final = 0x8000


def off_wrap(slot: int, wrap: bool) -> int:
    """The place `slot`, `wrap` as the 16 bits of the structure."""
    return slot | _WRAP if wrap else slot


def passes(size: int, end: int, count: int, event: int) -> bool:
    """Is the place `event` among the `count` slots of a ring of `size` that end before the place `end`?

    Both places are off_wrap values. A slot that the ring does not have is never passed.
    """
    slot = event & _SLOT
    if slot >= size:
        return False
    # One number for slot and wrap counter: it comes back after two laps.
    end_at = end & _SLOT if end & _WRAP else (end & _SLOT) + size
    event_at = slot if event & _WRAP else slot + size
    return (end_at - 1 - event_at) % (2 * size) < count


class Suppression:
    """One of the two structures of a queue, in memory. `event_idx`: the feature was negotiated."""

    __slots__ = ("_window", "event_idx")

    def __init__(self, window: memoryview, *, event_idx: bool) -> None:
        if len(window) != EVENT_BYTES:
            raise ValueError(f"an event suppression structure of {len(window)} bytes")
        self._window = window
        self.event_idx = event_idx

    def clear(self) -> None:
        """All zeros: ENABLE."""
        self._window[:] = bytes(EVENT_BYTES)

    def disable(self) -> None:
        """Notifications are not wanted; some may still come."""
        _EVENT.pack_into(self._window, 0, 0, _DISABLE)

    def enable(self, place: int) -> None:
        """Notifications are wanted: with EVENT_IDX once `place` is passed, otherwise for everything."""
        if self.event_idx:
            _EVENT.pack_into(self._window, 0, place, _DESC)
        else:
            _EVENT.pack_into(self._window, 0, 0, _ENABLE)

    def wants(self, size: int, end: int, count: int) -> bool:
        """Does the other side want a notification of the `count` slots before the place `end`?

        DESC counts as ENABLE without EVENT_IDX.
        """
        event, flags = _EVENT.unpack_from(self._window)
        if flags & 3 == _DESC and self.event_idx:
            return passes(size, end, count, event)
        return bool(flags & 3 != _DISABLE)
