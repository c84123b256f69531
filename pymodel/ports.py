"""The two seams. Anything above one works with anything below it.

Seam 1, `DevicePort`: what a driver sees of a NIC (MMIO, interrupt; DMA goes to `HostMemory`).
Seam 2, `WirePort`: what a link sees of a NIC (frames with a time).
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from pymodel.hostmem import HostMemory
from pymodel.task import Blocking, Wait, WaitQueue

__all__ = ["DevicePort", "Frame", "WirePort", "mmio_read"]


class Frame(NamedTuple):
    """One Ethernet frame on the wire (IEEE 802.3 §3.1.1).

    `data`: destination address up to and including the FCS; no preamble.
    `start`, `end`: ps when its preamble begins, and after its last FCS byte.
    `error`: the PHY signalled a code error inside it (XGMII /E/).
    """

    data: bytes
    start: int
    end: int
    error: bool = False


class DevicePort(Protocol):
    """Seam 1. Offsets are byte offsets in the device's register window; values little-endian ints.

    Writes are posted and arrive in order; a read returns after all earlier writes have arrived.
    `size` is 1, 2 or 4 bytes, naturally aligned (virtio 1.2 §4.2.2: config space is read so).
    """

    memory: HostMemory

    def write(self, offset: int, value: int, size: int = 4) -> None:
        """Post a register write."""

    def read(self, offset: int, size: int, done: Callable[[int], None]) -> None:
        """Start a register read; `done(value)` is called when it completes (never re-entrantly)."""

    def set_interrupt_handler(self, handler: Callable[[bool], None]) -> None:
        """`handler(level)` is called at each change of the interrupt line."""

    def reset(self) -> None:
        """Pulse the hardware reset: everything in the device is as after power-on."""


class WirePort(Protocol):
    """Seam 2: one full-duplex 10 Gb/s port."""

    def deliver(self, frame: Frame) -> None:
        """`frame` arrives: its preamble begins at `frame.start` (>= now), in order, gaps kept by the link."""

    def set_wire_handler(self, handler: Callable[[Frame], None]) -> None:
        """`handler(frame)` is called for each frame the port sends, at `frame.end`."""

    def set_link(self, up: bool) -> None:
        """The cable is plugged in or pulled."""


def mmio_read(port: DevicePort, offset: int, size: int = 4) -> Blocking[int]:
    """Blocking form of `DevicePort.read`, for programs: ``value = yield from mmio_read(port, 0x70)``."""
    result: list[int] = []
    queue = WaitQueue()

    def done(value: int) -> None:
        result.append(value)
        queue.wake()

    port.read(offset, size, done)
    while not result:
        yield Wait(queue)
    return result[0]
