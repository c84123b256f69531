"""Host memory: bounds, sharing without copies, and the DMA allocator against a simple model."""

import ctypes
import os
import random

import pytest

from pymodel.hostmem import DEFAULT_BASE, DmaFault, HostMemory

BASE = 0x2_0000_0040
SIZE = 4096


@pytest.fixture
def memory() -> HostMemory:
    return HostMemory(SIZE, BASE)


def test_new_memory_is_zero_and_lies_above_4_gib(memory: HostMemory) -> None:
    assert memory.read(BASE, SIZE) == bytes(SIZE)
    assert DEFAULT_BASE >= 1 << 32 == HostMemory(64).base


def test_written_bytes_are_seen_by_read_slice_and_through_the_pointer(memory: HostMemory) -> None:
    memory.write(BASE + 100, b"written")
    assert memory.read(BASE + 100, 7) == b"written"
    assert ctypes.string_at(memory.pointer + 100, 7) == b"written"
    window = memory.slice(BASE + 100, 7)
    window[0] = ord("W")
    ctypes.memmove(memory.pointer + 106, b"N", 1)
    assert memory.read(BASE + 99, 9) == b"\0WritteN\0"
    assert bytes(window) == b"WritteN"


def test_read_is_a_copy(memory: HostMemory) -> None:
    copy = memory.read(BASE, 4)
    memory.write(BASE, b"new!")
    assert copy == bytes(4)


@pytest.mark.parametrize(
    ("address", "length"),
    [
        (BASE - 1, 1),
        (BASE - 1, 2),
        (BASE + SIZE, 1),
        (BASE + SIZE - 3, 4),
        (BASE, SIZE + 1),
        (0, 1),
        (BASE & 0xFFFFFFFF, 1),  # the upper half of the address was lost
        ((1 << 64) - 1, 2),
    ],
)
def test_access_outside_is_a_fault_that_names_it_and_changes_nothing(
    memory: HostMemory, address: int, length: int
) -> None:
    for access in (
        lambda: memory.read(address, length),
        lambda: memory.slice(address, length),
        lambda: memory.write(address, b"\xff" * length),
    ):
        with pytest.raises(DmaFault, match=f"{length} bytes at {address:#x}") as caught:
            access()
        assert (caught.value.address, caught.value.length) == (address, length)
    assert memory.read(BASE, SIZE) == bytes(SIZE)


def test_negative_length_is_a_fault(memory: HostMemory) -> None:
    with pytest.raises(DmaFault):
        memory.read(BASE + 10, -1)


def test_last_byte_and_the_empty_access_behind_it_are_inside(memory: HostMemory) -> None:
    memory.write(BASE + SIZE - 1, b"z")
    assert memory.read(BASE + SIZE - 1, 1) == b"z"
    assert memory.read(BASE + SIZE, 0) == b""


def test_random_allocations_are_aligned_inside_and_never_overlap() -> None:
    seed = int(os.environ.get("FDWIRE_SEED", "1"))
    print(f"FDWIRE_SEED={seed}")
    rng = random.Random(seed)
    memory = HostMemory(16 << 20, BASE)
    live: dict[int, int] = {}
    for _ in range(3000):
        if live and rng.random() < 0.5:
            address = rng.choice(list(live))
            memory.free(address)
            del live[address]
        else:
            size, align = rng.randrange(1, 3000), 1 << rng.randrange(0, 13)
            address = memory.alloc(size, align)
            assert address % align == 0
            assert address >= BASE and address + size <= BASE + (16 << 20)
            assert all(address + size <= other or other + n <= address for other, n in live.items())
            live[address] = size
        assert memory.allocated == sum(live.values())


def test_steady_state_of_one_size_class_takes_no_new_memory() -> None:
    memory = HostMemory(4096, BASE)
    for size in [1500, 1530, 1473] * 100:
        address = memory.alloc(size)
        other = memory.alloc(1500)
        memory.free(other)
        memory.free(address)
    assert memory.allocated == 0


def test_block_is_at_most_an_eighth_greater_than_asked_in_whole_cache_lines() -> None:
    memory = HostMemory(64 << 20, 0)
    for size in [*range(1, 3000), 4096, 65535, 65536, 65537, 1 << 20]:
        first, second = memory.alloc(size), memory.alloc(size)
        assert size <= second - first <= max(size * 9 / 8, size + 63) and (second - first) % 64 == 0


def test_regression_buffers_of_many_sizes_one_after_another_do_not_use_up_the_memory() -> None:
    memory = HostMemory()
    for size in range(1, 65536, 64):
        blocks = [memory.alloc(size) for _ in range(8)]
        for block in blocks:
            memory.free(block)
    assert memory.allocated == 0


def test_full_memory_is_a_memory_error_and_goes_on_working_after_a_free(memory: HostMemory) -> None:
    block = memory.alloc(SIZE // 2)
    memory.alloc(SIZE // 4)
    memory.alloc(SIZE // 4)
    with pytest.raises(MemoryError, match=f"1 bytes asked, {SIZE} in use"):
        memory.alloc(1)
    memory.free(block)
    assert memory.alloc(SIZE // 2) == block


def test_freed_block_keeps_its_bytes_as_a_kernel_s_allocator_does(memory: HostMemory) -> None:
    block = memory.alloc(100)
    memory.write(block, b"old")
    memory.free(block)
    assert memory.read(memory.alloc(100), 3) == b"old"


def test_second_free_and_free_of_a_foreign_address_are_refused(memory: HostMemory) -> None:
    block = memory.alloc(100)
    with pytest.raises(ValueError, match="not an allocated block"):
        memory.free(block + 64)
    memory.free(block)
    with pytest.raises(ValueError, match="not an allocated block"):
        memory.free(block)


@pytest.mark.parametrize(("size", "align"), [(0, 64), (-1, 64), (1, 0), (1, 3), (1, -4)])
def test_senseless_request_is_a_value_error(memory: HostMemory, size: int, align: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        memory.alloc(size, align)
