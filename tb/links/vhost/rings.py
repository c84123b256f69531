"""One ring of the client's: what it has said about it so far."""

import contextlib
import os
from dataclasses import dataclass
from typing import Final

from pymodel.regs import DESC_BYTES, EVENT_BYTES
from tb.links.vhost.messages import ProtocolError, VringAddress
from tb.links.vhost.table import MemoryTable

__all__ = ["START", "Ring", "eventfd", "position"]

NAMES: Final = ("RX", "TX")
START: Final = 0x8000
"""A packed ring's position in SET_VRING_BASE and GET_VRING_BASE: slot 0, wrap counter (bit 15) 1."""


def position(slots: int, size: int) -> int:
    """Where a ring of `size` slots is after `slots` of them, as GET_VRING_BASE says it.

    Bits 14…0: the next slot to take, bit 15: its wrap counter; bits 31…16 the same of the next slot to use.
    They do not differ: in a ring that has been stopped nothing is taken and not used.
    """
    half = slots % size | (START if slots // size % 2 == 0 else 0)
    return half << 16 | half


def eventfd(fd: int, what: str) -> int:
    """`fd`, made non-blocking. Raises ProtocolError unless it is an eventfd: nothing else is sure never to
    block.
    """
    try:
        kind = os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        kind = ""
    if "[eventfd]" not in kind:
        raise ProtocolError(f"the descriptor of {what} is no eventfd")
    os.set_blocking(fd, False)
    return fd


@dataclass(frozen=True, slots=True)
class Areas:
    """A ring as the device needs it: bus addresses."""

    size: int
    desc_address: int
    driver_address: int
    device_address: int


@dataclass(slots=True)
class Ring:
    """Ring `index` (0: RX, 1: TX). `running`: the NIC works on it.

    `failed`: the NIC gave it up with the whole device; only a stop by the client makes it usable again.
    """

    index: int
    size: int = 0
    base: int = START
    address: VringAddress | None = None
    kick: int | None = None
    call: int | None = None
    err: int | None = None
    enabled: bool = False
    running: bool = False
    failed: bool = False
    areas: Areas | None = None
    """While it runs."""

    @property
    def name(self) -> str:
        """As users know it."""
        return f"the {NAMES[self.index]} ring"

    @property
    def described(self) -> bool:
        """All is known that it takes to start."""
        return bool(self.size) and self.address is not None and self.kick is not None

    def place(self, table: MemoryTable | None) -> Areas:
        """Its areas where the device finds them. Raises ProtocolError if one is outside of memory or not
        aligned.
        """
        assert self.address is not None
        address = self.address
        return Areas(
            self.size,
            self._find(table, "descriptor area", address.descriptors, self.size * DESC_BYTES, DESC_BYTES),
            self._find(table, "driver area", address.driver, EVENT_BYTES, EVENT_BYTES),
            self._find(table, "device area", address.device, EVENT_BYTES, EVENT_BYTES),
        )

    def _find(self, table: MemoryTable | None, what: str, user: int, length: int, align: int) -> int:
        bus = table.bus(user, length) if table is not None else None
        if bus is None:
            raise ProtocolError(f"{self.name}: its {what} at {user:#x} is outside of the client's memory")
        if bus % align:
            raise ProtocolError(f"{self.name}: its {what} at {bus:#x} is not aligned to {align} bytes")
        return bus

    def check_start(self) -> None:
        """Raise ProtocolError unless it begins where the NIC can begin."""
        if self.base & 0xFFFF != START:
            slot, wrap = self.base & 0x7FFF, self.base >> 15 & 1
            raise ProtocolError(
                f"{self.name} is to go on at slot {slot} with wrap counter {wrap}, but the NIC begins rings "
                "at slot 0: what was paused cannot be resumed, the driver must reset its device"
            )

    def signal(self) -> None:
        """Tell the driver of used buffers."""
        _add(self.call)

    def signal_error(self) -> None:
        """Tell the client that the ring is of no use any more."""
        _add(self.err)

    def close(self) -> None:
        """Let go of its descriptors."""
        for fd in (self.kick, self.call, self.err):
            if fd is not None:
                os.close(fd)
        self.kick = self.call = self.err = None


def _add(fd: int | None) -> None:
    if fd is not None:
        # 2^64 - 2 events that nobody has looked at: one more would tell nothing.
        with contextlib.suppress(BlockingIOError):
            os.eventfd_write(fd, 1)
