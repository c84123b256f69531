"""The send buffer in DMA pages: the same bytes as the plain one, whatever is written, lent and dropped."""

import os
import random

import pytest

from pymodel.hostmem import HostMemory
from pymodel.skbuff import alloc_skb
from pymodel.tcp.seq import MASK
from pymodel.tcp.sndbuf import SendBuffer
from pymodel.tcp.sndpages import PagedSendBuffer
from pymodel.wire.checksum import checksum

SEED = int(os.environ.get("FDWIRE_SEED", "20261126"))


def both(base, page_size=64):
    memory = HostMemory(1 << 20)
    return memory, SendBuffer(base), PagedSendBuffer(base, memory, page_size)


def lend(memory, data):
    view = memory.slice(memory.alloc(len(data)), len(data))
    view[:] = data
    return view


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
                skb = alloc_skb(memory, 20)
                if n < 500:  # a segment's worth: few enough pieces
                    total = paged.attach(skb, skb.put(0), seq, n)
                    assert skb.bytes() == whole
                    assert checksum(b"", total) % 0xFFFF == checksum(whole) % 0xFFFF
                skb.free()
            else:
                seq = (plain.base + n) & MASK
                assert paged.acknowledge(seq) == plain.acknowledge(seq)
        assert len(paged) == len(plain) and paged.end == plain.end and paged.base == plain.base


def test_copied_bytes_are_counted_and_lent_ones_are_not():
    memory, plain, paged = both(0)
    paged.append(bytes(100), False)
    paged.append(lend(memory, bytes(1000)), False, lent=True)
    assert paged.copied == 100
    skb = alloc_skb(memory, 20)
    paged.attach(skb, skb.put(0), 50, 500)
    assert paged.copied == 100 and skb.data_len == 500
    plain.append(bytes(100), False)
    plain.attach(skb, memoryview(bytearray(100)), 0, 100)
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
    paged.attach(skb, skb.put(0), 0, 500)
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
