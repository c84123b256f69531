"""What a NIC has read of host memory, as it last was: the checker looks at nothing else."""

from typing import Final, Protocol

from pymodel.hostmem import HostMemory
from pymodel.regionmem import RegionMemory

__all__ = ["FlatShadow", "PagedShadow", "Shadow", "shadow_of"]

_PAGE: Final = 4096


class Shadow(Protocol):
    """Bytes at bus addresses."""

    def load(self, address: int, length: int) -> bytes:
        """What was stored there last; zeros where nothing was."""

    def store(self, address: int, data: bytes) -> None:
        """Remember `data`, of a read that was answered: it lies in host memory, and in one page."""


class FlatShadow:
    """Of one piece of memory, of `size` bytes at `base`."""

    def __init__(self, base: int, size: int) -> None:
        self._base = base
        self._size = size
        self._bytes = bytearray(size)

    def load(self, address: int, length: int) -> bytes:
        """What was stored there last; zeros where nothing was."""
        at = address - self._base
        if at < 0 or at + length > self._size:
            return bytes(length)
        return bytes(self._bytes[at : at + length])

    def store(self, address: int, data: bytes) -> None:
        """Remember `data`."""
        at = address - self._base
        self._bytes[at : at + len(data)] = data


class PagedShadow:
    """Of memory that may lie anywhere in the address space: pages as they are needed."""

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}

    def load(self, address: int, length: int) -> bytes:
        """What was stored there last; zeros where nothing was."""
        pieces = []
        while length > 0:
            at = address % _PAGE
            size = min(length, _PAGE - at)
            page = self._pages.get(address // _PAGE)
            pieces.append(bytes(size) if page is None else bytes(page[at : at + size]))
            address += size
            length -= size
        return b"".join(pieces)

    def store(self, address: int, data: bytes) -> None:
        """Remember `data`, which lies in one page (AXI4 A3.4.1)."""
        page = self._pages.setdefault(address // _PAGE, bytearray(_PAGE))
        at = address % _PAGE
        page[at : at + len(data)] = data


def shadow_of(memory: HostMemory) -> Shadow:
    """A new one that suits `memory`."""
    return PagedShadow() if isinstance(memory, RegionMemory) else FlatShadow(memory.base, memory.size)
