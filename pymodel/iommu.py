"""An IOMMU in front of host memory: a device reaches only what a driver has mapped for it.

Pages of 4 KiB, each with two reference counts: mappings that let the device read it, and that let it write
it. Bus addresses are the machine's own (Linux: iommu.passthrough=0 with identity mappings). The names are
those of Linux's DMA API (Documentation/core-api/dma-api.rst). The counts lie in one block that the C++ side
of the co-simulation looks at.
"""

from array import array
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

__all__ = ["PAGE", "DmaDirection", "Iommu", "IommuFault", "UnexpectedFault"]

PAGE: Final = 4096
_SHIFT: Final = 12


class DmaDirection(IntEnum):
    """Linux: enum dma_data_direction."""

    BIDIRECTIONAL = 0
    TO_DEVICE = 1
    FROM_DEVICE = 2


@dataclass(frozen=True)
class IommuFault:
    """A device tried to read, or `write`, at `address`, which is not mapped for that. `time`: ps."""

    time: int
    address: int
    write: bool

    def __str__(self) -> str:
        way = "write" if self.write else "read"
        return f"{way} at {self.address:#x}, {self.time / 1000:.1f} ns: not mapped for the device"


class UnexpectedFault(Exception):
    """A device went where it was not allowed to: a bug in it, or in the driver."""


class Iommu:
    """For `size` bytes from bus address `base` (a multiple of 4096). Nothing is mapped at first.

    `faults`: what devices tried in vain, in order; who expects some takes them out. `table`: for each page
    the counts of mappings (16 bits each) for reading and for writing.
    """

    def __init__(self, base: int, size: int) -> None:
        if base % PAGE:
            raise ValueError(f"memory at {base:#x} does not begin with a page")
        self.table = array("H", bytes(4 * (-size // -PAGE)))
        self.faults: list[IommuFault] = []
        self._base = base
        self._size = size

    @property
    def pointer(self) -> int:
        """Address of `table` in this process."""
        return self.table.buffer_info()[0]

    def dma_map(self, address: int, length: int, direction: DmaDirection) -> None:
        """Let the device reach `length` (> 0) bytes at `address`, and the rest of their pages with them.

        Where there is no memory the bus has nothing to answer with, mapped or not.
        """
        table = self.table
        for page in self._pages(address, length):
            if direction != DmaDirection.FROM_DEVICE:
                table[2 * page] += 1
            if direction != DmaDirection.TO_DEVICE:
                table[2 * page + 1] += 1

    def dma_unmap(self, address: int, length: int, direction: DmaDirection) -> None:
        """Take back what `dma_map` with the same arguments did; ValueError if there is no such mapping."""
        table = self.table
        ways = [0] * (direction != DmaDirection.FROM_DEVICE) + [1] * (direction != DmaDirection.TO_DEVICE)
        at = [2 * page + way for page in self._pages(address, length) for way in ways]
        if not all(table[index] for index in at):
            raise ValueError(f"dma_unmap of {length} bytes at {address:#x}: not mapped")
        for index in at:
            table[index] -= 1

    def _pages(self, address: int, length: int) -> range:
        if length <= 0:
            raise ValueError(f"{length} bytes at {address:#x} cannot be mapped")
        first, last = max(address - self._base, 0), min(address + length - self._base, self._size) - 1
        return range(first >> _SHIFT, (last >> _SHIFT) + 1)

    def allows(self, address: int, length: int, *, write: bool) -> bool:
        """May the device reach all of that? It is in the memory."""
        table, way = self.table, int(write)
        return all(table[2 * page + way] for page in self._pages(address, length))

    def mapped(self) -> int:
        """Pages that are mapped: a leak check."""
        table = self.table
        return sum(1 for read, write in zip(table[::2], table[1::2], strict=True) if read or write)

    def check(self) -> None:
        """Raise UnexpectedFault if there are `faults`."""
        if self.faults:
            raise UnexpectedFault(f"{len(self.faults)} IOMMU faults, first a {self.faults[0]}")
