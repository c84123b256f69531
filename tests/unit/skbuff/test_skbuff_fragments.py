"""Fragments of `SkBuff`: page references, and the operations that cross the linear area's end."""

import pytest

from pymodel.hostmem import HostMemory
from pymodel.skbuff import MAX_SKB_FRAGS, Page, SkbError, SkBuff, alloc_skb


@pytest.fixture
def memory() -> HostMemory:
    return HostMemory(1 << 20)


def fragmented(memory: HostMemory) -> SkBuff:
    """`ab` linear, `cde` and `fg` in two fragments of one page, all references the skb's."""
    skb = alloc_skb(memory, 4, 4)
    skb.put(2)[:] = b"ab"
    page = Page(memory)
    page.view(10, 3)[:] = b"cde"
    page.view(20, 2)[:] = b"fg"
    skb.add_frag(page, 10, 3)
    skb.add_frag(page, 20, 2)
    page.put()
    return skb


def test_fragments_count_into_len_and_come_in_order(memory: HostMemory) -> None:
    skb = fragmented(memory)
    assert (skb.len, skb.data_len, skb.headlen, skb.tailroom()) == (7, 5, 2, 0)
    assert skb.bytes() == b"abcdefg"
    assert b"".join(memory.read(*segment) for segment in skb.segments()) == b"abcdefg"
    assert len(skb.segments()) == 3


def test_put_behind_fragments_is_refused(memory: HostMemory) -> None:
    with pytest.raises(SkbError, match="linearize"):
        fragmented(memory).put(1)


def test_pull_across_the_linear_end_moves_fragment_bytes_in(memory: HostMemory) -> None:
    skb = fragmented(memory)
    assert bytes(skb.pull(4)) == b"abcd"
    assert skb.bytes() == b"efg"
    skb.free()
    assert memory.allocated == 0


def test_trim_inside_a_fragment_drops_the_rest_and_its_pages(memory: HostMemory) -> None:
    skb = fragmented(memory)
    skb.trim(4)
    assert (skb.bytes(), skb.len, skb.data_len) == (b"abcd", 4, 2)
    skb.trim(1)
    assert (skb.bytes(), skb.data_len, skb.tailroom()) == (b"a", 0, 3)
    assert memory.allocated == 8, "the page went with its last fragment"


def test_linearize_keeps_the_bytes_and_frees_the_pages(memory: HostMemory) -> None:
    skb = fragmented(memory)
    skb.linearize()
    assert (skb.bytes(), skb.data_len, len(skb.segments())) == (b"abcdefg", 0, 1)
    skb.free()
    assert memory.allocated == 0


def test_linearize_of_a_clone_leaves_the_shared_tailroom_alone(memory: HostMemory) -> None:
    skb = fragmented(memory)
    clone = skb.clone()
    clone.trim(4)
    clone.linearize()
    skb.pull(2)
    skb.linearize()
    page = Page(memory)
    page.view(0, 2)[:] = b"ZZ"
    third = alloc_skb(memory, 4)
    third.add_frag(page, 0, 2)
    fourth = third.clone()
    fourth.linearize()
    page.view(0, 2)[:] = b"YY"
    third.linearize()
    assert (skb.bytes(), clone.bytes(), third.bytes(), fourth.bytes()) == (b"cdefg", b"abcd", b"YY", b"ZZ")


def test_clone_holds_the_pages_and_cow_leaves_them_shared(memory: HostMemory) -> None:
    skb = fragmented(memory)
    clone = skb.clone()
    skb.free()
    clone.cow(16)
    clone.push(1)[:] = b"H"
    assert clone.bytes() == b"Habcdefg"
    clone.free()
    assert memory.allocated == 0


def test_too_many_fragments_are_refused(memory: HostMemory) -> None:
    skb = alloc_skb(memory, 4)
    page = Page(memory)
    for _ in range(MAX_SKB_FRAGS):
        skb.add_frag(page, 0, 1)
    with pytest.raises(SkbError, match="17 fragments"):
        skb.add_frag(page, 0, 1)
    assert page.refs == 1 + MAX_SKB_FRAGS


@pytest.mark.parametrize(("offset", "size"), [(-1, 2), (4095, 2), (0, 0), (0, 4097)])
def test_fragment_outside_its_page_is_refused(memory: HostMemory, offset: int, size: int) -> None:
    with pytest.raises(SkbError, match="page of 4096"):
        alloc_skb(memory, 4).add_frag(Page(memory), offset, size)


def test_page_freed_twice_raises(memory: HostMemory) -> None:
    page = Page(memory)
    page.put()
    with pytest.raises(SkbError, match="freed twice"):
        page.put()
    with pytest.raises(SkbError, match="after it was freed"):
        page.get()
