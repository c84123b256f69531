"""Event suppression structures (virtio 1.2 §2.8.10, §2.8.14): what the device reads and writes."""

from typing import Final

from pymodel.regs import Event, EventFlag

_FLAG_MASK: Final = 3
_WRAP: Final = 0x8000


def structure(flags: EventFlag, index: int = 0, wrap: bool = False) -> bytes:
    """The 4 bytes with `flags`, which name the slot `index` and its wrap counter."""
    return (index | _WRAP * wrap).to_bytes(2, "little") + int(flags).to_bytes(2, "little")


def wants_interrupt(
    raw: bytes, index: int, wrap: bool, passed: int, ring_size: int, *, event_idx: bool
) -> bool:
    """Does the driver's structure `raw` ask for a notification of `passed` slots from `index` on, whose
    wrap counter is `wrap`? A range test: the named slot may be inside a chain that is skipped."""
    flags = raw[Event.FLAGS] & _FLAG_MASK
    if flags == EventFlag.DISABLE:
        return False
    if flags != EventFlag.DESC or not event_idx:
        return True
    named = int.from_bytes(raw[:2], "little")
    slot = named & ~_WRAP
    distance = slot - index + (ring_size if bool(named & _WRAP) != wrap else 0)
    return slot < ring_size and 0 <= distance < passed
