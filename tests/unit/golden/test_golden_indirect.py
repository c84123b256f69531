"""Indirect descriptors in the device's ring: what is taken, and what is a fault."""

import struct

import pytest

from pymodel.golden.ring import Descriptor, PackedRing, RingFault

NEXT, WRITE, INDIRECT, AVAIL, USED = 1, 2, 4, 1 << 7, 1 << 15


def desc(length: int, flags: int = 0, address: int = 0x1000, ident: int = 7) -> bytes:
    return struct.pack("<QIHH", address, length, ident, flags)


def ring(*, writable: bool = False, size: int = 4, indirect: bool = True) -> PackedRing:
    return PackedRing(0x8000, size, writable=writable, indirect=indirect)


@pytest.mark.parametrize("writable", [False, True])
@pytest.mark.parametrize("own_direction", [0, WRITE])
def test_table_is_taken_in_order_and_takes_one_slot(writable, own_direction):
    device = ring(writable=writable)
    available, chain = device.push(desc(48, AVAIL | INDIRECT | own_direction, 0xABC1, 99))
    assert available and chain is not None
    assert (chain.table, chain.slots, chain.buffer_id) == (Descriptor(0xABC1, 48), 1, 99)
    way = WRITE if writable else 0
    junk = NEXT | INDIRECT | AVAIL | USED
    device.resolve(chain, desc(5, way, 1) + desc(6, way | junk, 2) + desc(7, way | NEXT, 3))
    assert chain.descriptors == [(1, 5), (2, 6), (3, 7)]
    assert chain.length == 18
    assert device.avail_index == 1
    entry = device.use(chain, 9)
    assert entry.address == 0x8000
    assert struct.unpack("<QIHH", entry.data) == (0, 9, 99, AVAIL | USED | way)


@pytest.mark.parametrize(
    ("length", "flags", "indirect"),
    [(16, 0, False), (16, NEXT, True), (0, 0, True), (15, 0, True), (17, 0, True), (80, 0, True)],
)
def test_bad_indirect_descriptor_is_a_fault(length, flags, indirect):
    with pytest.raises(RingFault):
        ring(indirect=indirect).push(desc(length, AVAIL | INDIRECT | flags))


def test_table_as_large_as_the_ring_is_no_fault():
    assert ring().push(desc(64, AVAIL | INDIRECT))[1] is not None


def test_indirect_inside_a_chain_is_a_fault():
    device = ring()
    device.push(desc(16, AVAIL | NEXT))
    with pytest.raises(RingFault, match="inside"):
        device.push(desc(16, AVAIL | INDIRECT))


@pytest.mark.parametrize(
    ("writable", "entry"), [(False, desc(0)), (True, desc(0, WRITE)), (True, desc(5)), (True, desc(5, NEXT))]
)
def test_bad_table_entry_is_a_fault(writable, entry):
    device = ring(writable=writable)
    _, chain = device.push(desc(32, AVAIL | INDIRECT))
    with pytest.raises(RingFault):
        device.resolve(chain, desc(5, WRITE if writable else 0) + entry)


def test_regression_table_that_is_only_read_may_be_marked_writable():
    device = ring()
    _, chain = device.push(desc(48, AVAIL | INDIRECT))
    device.resolve(chain, desc(5, WRITE, 1) + desc(6, 0, 2) + desc(7, WRITE | NEXT, 3))
    assert chain.descriptors == [(1, 5), (2, 6), (3, 7)]


def test_writable_descriptor_of_the_ring_itself_is_a_fault_where_the_device_only_reads():
    with pytest.raises(RingFault, match="device-writable"):
        ring().push(desc(16, AVAIL | WRITE))
