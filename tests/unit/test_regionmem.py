"""Memory that is lent: `pymodel.regionmem`."""

import mmap
import os
import struct

import pytest
from stepping import stepped

from pymodel.golden.ring import Chain, PackedRing
from pymodel.hostmem import DmaFault
from pymodel.regionmem import PAGE, Region, RegionMemory
from pymodel.regs import DescFlag


def region(base: int, pages: int) -> Region:
    return Region(base, memoryview(mmap.mmap(-1, pages * PAGE)))


def test_without_regions_nothing_can_be_reached() -> None:
    memory = RegionMemory()
    for access in (
        lambda: memory.read(0, 1),
        lambda: memory.write(1 << 32, b"x"),
        lambda: memory.slice(0, 1),
    ):
        with pytest.raises(DmaFault):
            access()
    with pytest.raises(MemoryError):
        memory.alloc(64)


def test_bytes_are_those_of_the_owner_and_go_on_in_the_next_region() -> None:
    low, high, far = region(0x1000, 1), region(0x2000, 2), region(1 << 40, 1)
    memory = RegionMemory()
    memory.replace((far, high, low))
    assert memory.regions == (low, high, far)
    memory.write(0x1FFE, b"abcd")
    assert (bytes(low.view[-2:]), bytes(high.view[:2])) == (b"ab", b"cd")
    far.view[-1] = 7
    assert memory.read((1 << 40) + PAGE - 1, 1) == b"\7"
    assert memory.read(0x1FFE, 4) == b"abcd"


@pytest.mark.parametrize(
    ("address", "length"), [(0xFFF, 2), (0x3FFF, 2), (0x4000, 1), ((1 << 64) - 1, 1), (0, 1)]
)
def test_access_that_leaves_the_regions_faults_and_writes_nothing(address: int, length: int) -> None:
    memory = RegionMemory()
    memory.replace((region(0x1000, 3),))
    with pytest.raises(DmaFault):
        memory.read(address, length)
    with pytest.raises(DmaFault):
        memory.write(address, b"x" * length)
    with pytest.raises(DmaFault):
        memory.admit(address, length, write=False, now=0)
    assert memory.read(0x1000, 3 * PAGE) == bytes(3 * PAGE)


def test_table_that_makes_no_sense_is_refused_and_changes_nothing() -> None:
    memory = RegionMemory()
    good = region(0x1000, 1)
    memory.replace((good,))
    for bad, said in (
        ((region(0x1000, 2), region(0x2000, 1)), "overlap"),
        ((region(0x1800, 1),), "no whole pages"),
        ((Region(0, memoryview(bytearray(100))),), "no whole pages"),
        ((region((1 << 64) - PAGE, 2),), "beyond the address space"),
    ):
        with pytest.raises(ValueError, match=said):
            memory.replace(bad)
    assert memory.regions == (good,)


def test_change_is_told() -> None:
    told = []
    memory = RegionMemory()
    memory.on_change = told.append
    lent = region(0x1000, 1)
    memory.replace((lent,))
    memory.replace(())
    assert told == [(lent,), ()]


def test_regression_driver_that_refills_a_slot_at_once_is_not_overwritten() -> None:
    """memcpy(3) stores 16 bytes twice: a driver that saw the first store was overwritten by the second."""
    base = 0x1000
    entry = PackedRing(base, 4, writable=False).use(Chain(1, True, [], 0, buffer_id=0x1234), 0x55)
    available = struct.pack("<QIHH", 0xABCD, 60, 1, DescFlag.USED)
    fd = os.memfd_create("ring")
    os.ftruncate(fd, PAGE)
    ring = mmap.mmap(fd, PAGE)
    slot = slice(16, 32)
    ring[slot] = struct.pack("<QIHH", 0xFFFF_FFFF_FFFF_FFFF, 0xFFFF_FFFF, 0xFFFF, DescFlag.AVAIL)

    def refilled() -> bool:
        """The driver's part: the flags first, then what they vouch for, then the slot is its own again."""
        if struct.unpack_from("<H", ring, 30)[0] != DescFlag.AVAIL | DescFlag.USED:
            return False
        assert struct.unpack_from("<IH", ring, 24) == (0x55, 0x1234)
        ring[slot] = available
        return True

    stepped(
        f"""
import mmap
from pymodel.regionmem import Region, RegionMemory
memory = RegionMemory()
memory.replace([Region({base}, memoryview(mmap.mmap({fd}, {PAGE})))])
from_here()
memory.write({entry.address}, {entry.data!r})
""",
        [fd],
        refilled,
    )
    os.close(fd)
    assert ring[slot] == available
