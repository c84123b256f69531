"""What received segments cost, compared with what a Linux 6.18 showed in SO_MEMINFO behind a TUN device."""

import pytest

from pymodel.tcp.rcvmem import COLLAPSED, ReceiveMemory, cost

MEASURED = [
    (1, 832), (100, 832), (200, 1280), (600, 1280), (1000, 2304), (1460, 2304), (1624, 2304), (1625, 4352),
    (3000, 4352), (3900, 8448), (4000, 8448), (5000, 8448), (8000, 12544), (10000, 12544), (12000, 16640),
    (16000, 20736), (20000, 20736), (30000, 33024), (60000, 61696), (65000, 65792),
]  # fmt: skip
"""Bytes of text behind 40 bytes of headers, and sk_rmem_alloc with this one segment queued."""


@pytest.mark.parametrize(("text", "truesize"), MEASURED)
def test_segment_costs_what_the_kernel_counts(text: int, truesize: int) -> None:
    assert cost(text + 40)[0] == truesize


def test_buffer_is_freed_when_its_last_byte_is_read() -> None:
    memory = ReceiveMemory()
    memory.queued(1460, 2304, 0)
    memory.queued(1460, 2304, 0)
    memory.read(1459)
    assert memory.used == 2 * 2304
    memory.read(1)
    assert memory.used == 2304
    memory.read(1460)
    assert memory.used == 0


def test_small_segment_goes_into_what_the_last_buffer_has_left() -> None:
    memory = ReceiveMemory()
    memory.queued(10, *cost(50))
    for _ in range(3):
        memory.queued(10, *cost(50))
    assert memory.used == cost(50)[0]
    memory.read(40)
    assert memory.used == 0


def test_what_waited_out_of_order_is_counted_once_when_it_comes_to_be_read() -> None:
    memory = ReceiveMemory()
    memory.held(2304)
    memory.held(2304)
    memory.queued(1460, 2304, 0)
    memory.released(1460, 1460)
    assert (memory.used, memory.ahead) == (3 * 2304, 2304)
    memory.read(2 * 1460)
    assert (memory.used, memory.ahead) == (2304, 2304)
    memory.forgotten()
    assert memory.used == 0


def test_full_segments_raise_the_ratio_and_the_window_with_it() -> None:
    memory = ReceiveMemory()
    assert memory.window(1000) == 500
    assert memory.observe(1460, 2304) and memory.ratio == 162
    assert not memory.observe(1460, 2304)
    assert memory.window(131_072) == 82_944 and memory.memory(82_944) == 131_072


def test_collapse_gathers_small_segments_and_leaves_large_ones_alone() -> None:
    memory = ReceiveMemory()
    for _ in range(20):
        memory.queued(100, 832, 0)
    memory.collapse()
    assert memory.used == COLLAPSED[1]
    memory.read(2000)
    assert memory.used == 0
    memory.queued(60_000, 61_696, 0)
    memory.collapse()
    assert memory.used == 61_696
