"""Memory that somebody else owns and lends to a device: a table of regions instead of one arena.

A guest's memory is such: pieces of its physical address space, each mapped somewhere else in this process.
"""

import ctypes
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Final, NamedTuple

from pymodel.hostmem import DmaFault, HostMemory
from pymodel.regs import DESC_BYTES

__all__ = ["PAGE", "Region", "RegionMemory", "ordered"]

PAGE: Final = 4096
"""Regions consist of whole pages, so that an AXI4 burst, which stays in its page, lies in one region or
none.
"""

_SPACE: Final = 1 << 64

_DESCRIPTOR: Final = struct.Struct("=QQ")
"""A descriptor, or a used entry, in words of this machine."""


class Region(NamedTuple):
    """The bytes of `view` (writable, contiguous) at bus address `base`."""

    base: int
    view: memoryview

    @property
    def end(self) -> int:
        """The bus address behind the last byte."""
        return self.base + self.view.nbytes

    @property
    def pointer(self) -> int:
        """Address of the first byte in this process, for the C++ side. Valid while `view` is."""
        return ctypes.addressof(ctypes.c_char.from_buffer(self.view))


def ordered(regions: Iterable[Region]) -> list[Region]:
    """`regions` in order of address.

    A ValueError when they overlap, or one is not made of whole pages of the address space.
    """
    table = sorted(regions, key=lambda region: region.base)
    for region in table:
        if region.base % PAGE or region.view.nbytes % PAGE or not region.view.nbytes:
            raise ValueError(f"{region.view.nbytes} bytes at {region.base:#x} are no whole pages of {PAGE}")
        if region.base < 0 or region.end > _SPACE:
            raise ValueError(f"{region.view.nbytes} bytes at {region.base:#x} go beyond the address space")
    for region, following in pairwise(table):
        if region.end > following.base:
            raise ValueError(f"the regions at {region.base:#x} and {following.base:#x} overlap")
    return table


class RegionMemory(HostMemory):
    """Host memory that has nothing of its own: what can be reached is in `regions`, in order of address.

    Nothing can be allocated here. `on_change`, if set, is called when the table has been replaced.
    """

    def __init__(self) -> None:
        super().__init__(0)
        self.regions: tuple[Region, ...] = ()
        self.on_change: Callable[[tuple[Region, ...]], None] = lambda regions: None
        self._bases: list[int] = []

    def replace(self, regions: Iterable[Region]) -> None:
        """From now on these are what can be reached, and nothing else. A ValueError as of `ordered`."""
        table = ordered(regions)
        self.regions = tuple(table)
        self._bases = [region.base for region in table]
        self.on_change(self.regions)

    def slice(self, address: int, length: int) -> memoryview:
        """A writable window of `length` bytes: no copy. It must lie in one region (DmaFault)."""
        at = bisect_right(self._bases, address) - 1
        if at < 0 or length < 0 or address + length > self.regions[at].end:
            raise DmaFault(address, length)
        offset = address - self.regions[at].base
        return self.regions[at].view[offset : offset + length]

    def _windows(self, address: int, length: int) -> list[memoryview]:
        """The pieces of `length` bytes, which may go on in the next region."""
        windows = []
        at, left = address, length
        while left > 0:
            index = bisect_right(self._bases, at) - 1
            room = self.regions[index].end - at if index >= 0 else 0
            if room <= 0:
                raise DmaFault(address, length)
            windows.append(self.slice(at, min(room, left)))
            at += len(windows[-1])
            left -= len(windows[-1])
        return windows

    def read(self, address: int, length: int) -> bytes:
        """A copy of `length` bytes."""
        return b"".join(self._windows(address, length))

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Store `data` at `address`: all of it, or nothing (DmaFault).

        A used entry is stored in two words, each once, that with the flags last: its slot is the driver's
        from then on, who may make it available before this returns (virtio 1.2 §2.8.2).
        """
        if len(data) == DESC_BYTES and not address % DESC_BYTES:
            # memcpy(3), behind any slice, may store a byte twice, and the second time over the driver's.
            words = self.slice(address, DESC_BYTES).cast("Q")
            words[0], words[1] = _DESCRIPTOR.unpack(data)
            return
        at = 0
        for window in self._windows(address, len(data)):
            window[:] = data[at : at + len(window)]
            at += len(window)

    def admit(self, address: int, length: int, *, write: bool, now: int) -> None:
        """A device is about to read, or `write`, there: raises DmaFault if it may not."""
        self._windows(address, length)
