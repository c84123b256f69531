"""The send buffer in DMA pages: the same bytes as the plain one, whatever is written, lent and dropped."""

import os
import random

import pytest

from pymodel.hostmem import HostMemory
from pymodel.skbuff import alloc_skb
from pymodel.tcp.seq import MASK
from pymodel.tcp.sndbuf import SendBuffer
from pymodel.tcp.sndpages import LARGE_PAGE, PAGE, SMALL_PAGE, PagedSendBuffer

SEED = int(os.environ.get("FDWIRE_SEED", "20261126"))


def both(base, page_size=64):
    memory = HostMemory(1 << 20)
    return memory, SendBuffer(base), PagedSendBuffer(base, memory, page_size)


def lend(memory, data):
    view = memory.slice(memory.alloc(len(data)), len(data))
    view[:] = data
    return view


def build(memory, paged, seq, n):
    """The bytes of an sk_buff of references to `n` bytes from `seq` on."""
    skb = alloc_skb(memory, 20)
    for piece in paged.pieces(seq, n):
        skb.add_frag(*piece)
    data = skb.bytes()
    skb.free()
    return data


@pytest.mark.parametrize("round_number", range(20))
def test_random_writes_loans_and_acknowledgements_give_what_the_plain_buffer_gives(round_number):
    rng = random.Random(SEED + round_number)
    base = MASK - 500  # across the wrap
    memory, plain, paged = both(base)
    for _ in range(200):
        action = rng.choice("wwlrra")
        data = rng.randbytes(rng.randint(1, 200))
        if action == "w":
            plain.append(data, False)
            paged.append(data, False)
        elif action == "l":
            plain.append(data, False)
            paged.append(lend(memory, data), False, lent=True)
        elif len(plain):
            at = rng.randrange(len(plain))
            n = rng.randint(1, len(plain) - at)
            if action == "r":
                seq = (plain.base + at) & MASK
                whole = plain.read(seq, n)
                assert paged.read(seq, n) == whole
                reach = paged.reach(seq, n)
                assert plain.reach(seq, n) == n and (reach == n) == (paged.pieces(seq, n) is not None)
                assert build(memory, paged, seq, reach) == whole[:reach]
                room = memoryview(bytearray(n))
                paged.copy(room, seq)
                assert room == whole
            else:
                seq = (plain.base + n) & MASK
                assert paged.acknowledge(seq) == plain.acknowledge(seq)
        assert len(paged) == len(plain) and paged.end == plain.end and paged.base == plain.base


def test_copied_bytes_are_counted_and_lent_ones_are_not():
    memory, plain, paged = both(0)
    paged.append(bytes(100), False)
    paged.append(lend(memory, bytes(1000)), False, lent=True)
    assert paged.copied == 100
    assert len(build(memory, paged, 50, 500)) == 500
    assert paged.copied == 100
    plain.append(bytes(100), False)
    plain.copy(memoryview(bytearray(100)), 0)
    assert plain.copied == 200


def test_lent_bytes_outside_of_dma_memory_are_copied():
    _, _, paged = both(0)
    data = memoryview(bytearray(b"x" * 10))
    assert not paged.lends(data)
    paged.append(data, False, lent=True)
    data[:] = bytes(10)
    assert paged.read(0, 10) == b"x" * 10


def test_pages_go_back_when_all_is_acknowledged_and_the_device_has_let_go():
    memory, _, paged = both(0)
    skb = alloc_skb(memory, 20)
    before = memory.allocated
    paged.append(bytes(500), False)
    for piece in paged.pieces(0, 500):
        skb.add_frag(*piece)
    paged.acknowledge(500)
    assert memory.allocated == before + 8 * 64
    skb.free()
    assert memory.allocated == before - 20
    paged.append(bytes(500), False)
    paged.clear()
    assert memory.allocated == before - 20 and len(paged) == 0


def test_write_with_too_little_memory_takes_what_it_can_and_then_nothing():
    memory = HostMemory(4096)
    paged = PagedSendBuffer(0, memory, 1024)
    paged.append(b"a" * 2000, False)
    paged.append(b"b" * 4000, False)
    assert len(paged) == 4096 and paged.copied == 4096
    with pytest.raises(MemoryError):
        paged.append(b"c", False)
    assert len(paged) == 4096 and len(paged.chunks) == 2 and paged.chunks[-1].end == 4096
    assert paged.read(1990, 20) == b"a" * 10 + b"b" * 10
    paged.acknowledge(1024)
    paged.append(b"c" * 10, False)
    assert paged.read(4090, 16) == b"b" * 6 + b"c" * 10


@pytest.mark.parametrize(
    ("page_size", "written", "pages"),
    [
        (PAGE, 100, [PAGE]),
        (PAGE, PAGE, [PAGE]),
        (PAGE, PAGE + 1, [LARGE_PAGE]),
        (PAGE, LARGE_PAGE + 1, [LARGE_PAGE, LARGE_PAGE]),
        (SMALL_PAGE, 5000, [SMALL_PAGE] * 5),
    ],
)
def test_large_write_takes_large_pages_unless_the_pool_has_small_ones_only(page_size, written, pages):
    _, _, paged = both(0, page_size)
    paged.append(bytes(written), False)
    assert [page.size for page, _, _ in paged.pieces(0, written)] == pages
