"""Host memory that a device can reach by DMA: one mapping, shared without copies.

The bytes live in an anonymous private mapping. Python sees them as a `memoryview`; the C++ side of
the co-simulation gets the mapping's address, so RTL, golden NIC and driver look at the same bytes.
"""

import ctypes
import mmap

from mypy_extensions import mypyc_attr

from pymodel.iommu import Iommu, IommuFault

DEFAULT_BASE = 0x1_0000_0000
"""Bus address of the first byte: above 4 GiB, so that a lost upper half shows at once."""

DEFAULT_SIZE = 64 << 20

_REQUESTS = 4096
"""Different requests whose class is remembered."""


class DmaFault(Exception):
    """An access outside the memory: `address` and `length` say which (a device sees DECERR).

    Or one that the IOMMU refused (SLVERR); `why` says so.
    """

    def __init__(self, address: int, length: int, why: str = "is outside host memory") -> None:
        super().__init__(f"access to {length} bytes at {address:#x} {why}")
        self.address = address
        self.length = length


def _size_class(size: int) -> int:
    """Room given to `size` bytes: whole cache lines, and at most an eighth more than was asked.

    Freed blocks never change their class, so there must be few: eight for each power of two.
    """
    step = max(64, 1 << max((size - 1).bit_length() - 4, 0))
    return (size + step - 1) & ~(step - 1)


@mypyc_attr(allow_interpreted_subclasses=True)
class HostMemory:
    """`size` bytes (0: none) of zeroed memory at bus address `base`, with a DMA allocator.

    All addresses are bus addresses. Accesses outside raise `DmaFault`. `iommu`: devices reach only what
    drivers have mapped; without, `self.iommu` is None and they reach everything.
    """

    def __init__(self, size: int = DEFAULT_SIZE, base: int = DEFAULT_BASE, *, iommu: bool = False) -> None:
        self.base = base
        self.size = size
        self.iommu = Iommu(base, size) if iommu else None
        self._map = mmap.mmap(-1, max(size, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.view = memoryview(self._map)
        self.pointer = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        """Address of the first byte in this process, for the C++ side."""
        self._next = base
        self._sizes: dict[int, int] = {}
        self._free: dict[tuple[int, int], list[int]] = {}
        """By class and alignment: blocks that were given back."""
        self._class: dict[int, tuple[int, int]] = {}
        self._home: dict[int, list[int]] = {}
        """Of each block, where in `_free` it belongs."""
        self._asked: dict[tuple[int, int], list[int]] = {}
        """Where in `_free` to look for (size, alignment), of what was asked for lately."""

    def slice(self, address: int, length: int) -> memoryview:
        """A writable window of `length` bytes: no copy."""
        offset = address - self.base
        if not 0 <= offset <= offset + length <= self.size:
            raise DmaFault(address, length)
        return self.view[offset : offset + length]

    def address_of(self, view: memoryview) -> int | None:
        """The bus address of a window's first byte; None for memory of another kind, or not contiguous."""
        if view.readonly or not view.c_contiguous or not view.nbytes:
            return None
        address = ctypes.addressof(ctypes.c_char.from_buffer(view)) - self.pointer + self.base
        return address if self.base <= address <= self.base + self.size - view.nbytes else None

    def read(self, address: int, length: int) -> bytes:
        """A copy of `length` bytes."""
        offset = address - self.base
        if not 0 <= offset <= offset + length <= self.size:
            raise DmaFault(address, length)
        return self.view[offset : offset + length].tobytes()

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Store `data` at `address`."""
        offset = address - self.base
        end = offset + len(data)
        if offset < 0 or end > self.size:
            raise DmaFault(address, len(data))
        self.view[offset:end] = data

    def admit(self, address: int, length: int, *, write: bool, now: int) -> None:
        """A device is about to read, or `write`, there: raises DmaFault if it may not.

        What the IOMMU refuses is among its faults, at `now` (ps).
        """
        offset = address - self.base
        if not 0 <= offset <= offset + length <= self.size:
            raise DmaFault(address, length)
        if self.iommu is not None and not self.iommu.allows(address, length, write=write):
            self.iommu.faults.append(IommuFault(now, address, write))
            raise DmaFault(address, length, "is not mapped")

    def alloc(self, size: int, align: int = 64) -> int:
        """`size` bytes for DMA, aligned to `align` (a power of two); their bus address.

        Freed blocks are reused by size class, so a steady state allocates nothing new. The bytes are
        whatever was there before, as from a kernel's allocator. Raises MemoryError when full.
        """
        free = self._asked.get((size, align))
        address = free.pop() if free else self._find(size, align)
        self._sizes[address] = size
        return address

    def _find(self, size: int, align: int) -> int:
        """As `alloc`, where nothing is known to be free for such a request."""
        if size <= 0 or align <= 0 or align & (align - 1):
            raise ValueError(f"alloc(size={size}, align={align}): size > 0 and a power of two expected")
        key = (_size_class(size), align)
        free = self._free.setdefault(key, [])
        if len(self._asked) >= _REQUESTS:
            self._asked.clear()
        self._asked[size, align] = free
        if free:
            return free.pop()
        address = (self._next + align - 1) & ~(align - 1)
        if address + key[0] > self.base + self.size:
            raise MemoryError(f"host memory is full: {size} bytes asked, {self.allocated} in use")
        self._next = address + key[0]
        self._class[address] = key
        self._home[address] = free
        return address

    def free(self, address: int) -> None:
        """Give back what `alloc` returned. A second free, or a foreign address, is a ValueError."""
        if self._sizes.pop(address, None) is None:
            raise ValueError(f"free({address:#x}): not an allocated block")
        self._home[address].append(address)

    @property
    def allocated(self) -> int:
        """Bytes handed out and not yet freed: a leak check."""
        return sum(self._sizes.values())

    @property
    def made(self) -> int:
        """Bytes of all blocks, free or not."""
        return self._next - self.base
