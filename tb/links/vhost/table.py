"""The client's memory, mapped here: what SET_MEM_TABLE says (section "Memory regions description")."""

import mmap
import os
from collections.abc import Sequence

from pymodel.regionmem import Region, ordered
from tb.links.vhost.messages import MemoryRegion, ProtocolError

__all__ = ["MemoryTable"]


class MemoryTable:
    """Maps `regions`, each from its descriptor of `fds` (which it closes), for as long as it is not closed.

    Raises ProtocolError, with nothing left mapped, if one cannot be, or they make no sense together.
    """

    def __init__(self, regions: Sequence[MemoryRegion], fds: Sequence[int]) -> None:
        self._asked = tuple(regions)
        self._maps: list[mmap.mmap] = []
        self.regions: list[Region] = []
        """As the device sees them, in the order in which they came."""
        try:
            for region, fd in zip(regions, fds, strict=True):
                self._map(region, fd)
            ordered(self.regions)
        except ProtocolError:
            self.close()
            raise
        except ValueError as error:
            self.close()
            raise ProtocolError(f"SET_MEM_TABLE: {error}") from None
        finally:
            for fd in fds:
                os.close(fd)

    def _map(self, region: MemoryRegion, fd: int) -> None:
        # From the file's start, since pages of the file may be larger than ours.
        length = region.offset + region.size
        try:
            mapping = mmap.mmap(fd, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        except (OSError, ValueError, OverflowError) as error:
            raise ProtocolError(f"{_said(region)} cannot be mapped: {_reason(error)}") from None
        self._maps.append(mapping)
        self.regions.append(Region(region.guest, memoryview(mapping)[region.offset :]))

    @property
    def bytes(self) -> int:
        """Size of all regions together."""
        return sum(region.size for region in self._asked)

    def bus(self, user: int, length: int) -> int | None:
        """Where the device finds `length` bytes that the client has at `user`; None outside of the
        regions.
        """
        for region in self._asked:
            if region.user <= user and user + length <= region.user + region.size:
                return user - region.user + region.guest
        return None

    def close(self) -> None:
        """Unmap it. The device's memory must be another one by now."""
        for region in self.regions:
            region.view.release()
        for mapping in self._maps:
            mapping.close()
        self.regions.clear()
        self._maps.clear()


def _said(region: MemoryRegion) -> str:
    return f"the memory of {region.size:#x} bytes at {region.guest:#x}"


def _reason(error: Exception) -> str:
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
