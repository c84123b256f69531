"""What can be watched at the golden NIC: the same events that the taps of the RTL give."""

from typing import Protocol

from pymodel.ports import Frame
from pymodel.regs import RxStatus


class Observer(Protocol):
    """Told of each event at the simulated time at which it takes effect."""

    def mmio_write(self, offset: int, value: int, size: int) -> None:
        """A register write has arrived and is about to take effect."""

    def mmio_read(self, offset: int, size: int, value: int) -> None:
        """A register read has found `value`, which will be the answer."""

    def dma_request(self, address: int, write: bool) -> None:
        """A DMA transfer was asked for."""

    def dma_read(self, address: int, data: bytes) -> None:
        """A DMA read has completed with `data`."""

    def dma_write(self, address: int, data: bytes) -> None:
        """A DMA write of `data` is visible in memory."""

    def dma_error(self, address: int, length: int, write: bool) -> None:
        """A DMA transfer was answered with an error."""

    def wire_out(self, frame: Frame) -> None:
        """A frame was sent whole."""

    def wire_in(self, frame: Frame) -> None:
        """A frame has arrived whole."""

    def rx_decision(self, status: RxStatus) -> None:
        """What became of the frame that arrived last."""

    def irq(self, level: bool) -> None:
        """The interrupt line went to `level`."""

    def link(self, up: bool) -> None:
        """The PHY's link signal went to `up`."""

    def reset(self) -> None:
        """The hardware reset was pulsed."""
