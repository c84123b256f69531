"""DMA memory of a small machine: divided into blocks at the start, in the manner of pbuf pools."""

from pymodel.hostmem import DEFAULT_BASE, HostMemory

__all__ = ["PoolMemory"]


class PoolMemory(HostMemory):
    """Host memory from which, once it is sealed, only blocks that were made before can be had.

    Before `seal` it is as any other. Afterwards `alloc` gives the smallest free block that is large enough,
    or raises MemoryError and counts it in `refused`. `peak`: most blocks' bytes in use since then.
    """

    def __init__(self, size: int, base: int = DEFAULT_BASE) -> None:
        super().__init__(size, base)
        self.sealed = False
        self.refused = 0
        self.in_use = 0
        self.peak = 0

    def make_blocks(self, size: int, count: int) -> None:
        """A pool of `count` blocks of at least `size` bytes, aligned to their largest power of two."""
        align = max(size & -size, 64)
        for address in [self.alloc(size, align) for _ in range(count)]:
            self.free(address)

    def seal(self) -> None:
        """From now on nothing is made any more."""
        self.sealed = True
        self.in_use = self.peak = sum(self._class[address][0] for address in self._sizes)

    def alloc(self, size: int, align: int = 64) -> int:
        """As `HostMemory.alloc`."""
        if not self.sealed:
            return super().alloc(size, align)
        fitting = [key for key, free in self._free.items() if free and key[0] >= size and key[1] % align == 0]
        if not fitting:
            self.refused += 1
            raise MemoryError(f"no block for {size} bytes")
        key = min(fitting)
        address = self._free[key].pop()
        self._sizes[address] = size
        self.in_use += key[0]
        self.peak = max(self.peak, self.in_use)
        return address

    def free(self, address: int) -> None:
        """As `HostMemory.free`."""
        super().free(address)
        if self.sealed:
            self.in_use -= self._class[address][0]
