"""The linear area of `SkBuff`: pointers, windows, misuse."""

import pytest

from pymodel.hostmem import HostMemory
from pymodel.skbuff import Checksum, SkbError, SkbOverPanic, SkbUnderPanic, alloc_skb


@pytest.fixture
def memory() -> HostMemory:
    return HostMemory(1 << 20)


def test_new_skb_has_the_asked_rooms_and_no_data(memory: HostMemory) -> None:
    skb = alloc_skb(memory, 100, 20)
    assert (skb.headroom(), skb.tailroom(), skb.len, skb.segments()) == (20, 100, 0, [])


def test_put_then_push_then_pull_moves_the_same_bytes_a_device_sees(memory: HostMemory) -> None:
    skb = alloc_skb(memory, 100, 20)
    skb.put(3)[:] = b"abc"
    skb.push(2)[:] = b"HH"
    assert skb.bytes() == b"HHabc"
    ((address, length),) = skb.segments()
    assert memory.read(address, length) == b"HHabc"
    assert bytes(skb.pull(2)) == b"HH"
    assert skb.bytes() == b"abc"
    assert (skb.headroom(), skb.tailroom()) == (20, 97)


def test_trim_cuts_the_end_and_ignores_a_longer_length(memory: HostMemory) -> None:
    skb = alloc_skb(memory, 10)
    skb.put(5)[:] = b"abcde"
    skb.trim(9)
    assert skb.bytes() == b"abcde"
    skb.trim(2)
    assert (skb.bytes(), skb.tailroom()) == (b"ab", 8)


def test_put_past_the_end_panics_with_the_values_and_changes_nothing(memory: HostMemory) -> None:
    skb = alloc_skb(memory, 10)
    skb.put(4)
    with pytest.raises(SkbOverPanic, match=r"put\(7\): len 4, tailroom 6"):
        skb.put(7)
    assert (skb.len, skb.tailroom()) == (4, 6)


def test_push_past_the_head_panics_with_the_values_and_changes_nothing(memory: HostMemory) -> None:
    skb = alloc_skb(memory, 10, 3)
    with pytest.raises(SkbUnderPanic, match=r"push\(4\): len 0, headroom 3"):
        skb.push(4)
    assert (skb.len, skb.headroom()) == (0, 3)


def test_pull_of_more_than_there_is_panics(memory: HostMemory) -> None:
    skb = alloc_skb(memory, 10)
    skb.put(4)
    with pytest.raises(SkbUnderPanic, match=r"pull\(5\): the packet has 4 bytes"):
        skb.pull(5)


@pytest.mark.parametrize("call", ["put", "push", "pull", "trim", "reserve"])
def test_negative_length_is_refused(memory: HostMemory, call: str) -> None:
    skb = alloc_skb(memory, 10, 10)
    with pytest.raises(SkbError):
        getattr(skb, call)(-1)


def test_reserve_on_a_filled_skb_is_refused(memory: HostMemory) -> None:
    skb = alloc_skb(memory, 10)
    skb.put(1)
    with pytest.raises(SkbError, match="reserve"):
        skb.reserve(2)


def test_reserve_beyond_the_end_panics(memory: HostMemory) -> None:
    with pytest.raises(SkbOverPanic):
        alloc_skb(memory, 10).reserve(11)


def test_freed_skb_gives_its_memory_back_and_a_second_free_raises(memory: HostMemory) -> None:
    skb = alloc_skb(memory, 10)
    assert memory.allocated == 10
    skb.free()
    assert memory.allocated == 0
    with pytest.raises(SkbError, match="freed twice"):
        skb.free()


@pytest.mark.parametrize("call", ["put", "push", "pull", "trim", "reserve", "cow"])
def test_use_after_free_raises(memory: HostMemory, call: str) -> None:
    skb = alloc_skb(memory, 10, 10)
    skb.free()
    with pytest.raises(SkbError, match="after it was freed"):
        getattr(skb, call)(0)


def test_destructor_runs_once_at_free_with_the_skb_still_readable(memory: HostMemory) -> None:
    seen = []
    skb = alloc_skb(memory, 10)
    skb.put(2)[:] = b"ok"
    skb.destructor = lambda dying: seen.append(dying.bytes())
    clone = skb.clone()
    clone.free()
    assert seen == []
    skb.free()
    assert seen == [b"ok"]


def test_clone_has_own_pointers_over_the_same_bytes(memory: HostMemory) -> None:
    skb = alloc_skb(memory, 10, 10)
    skb.put(4)[:] = b"abcd"
    clone = skb.clone()
    clone.pull(1)
    assert (skb.bytes(), clone.bytes()) == (b"abcd", b"bcd")
    skb.linear()[1] = ord("X")
    assert clone.bytes() == b"Xcd"
    skb.free()
    assert memory.allocated == 20, "the clone still holds the area"
    assert clone.bytes() == b"Xcd"
    clone.free()
    assert memory.allocated == 0


def test_cow_of_a_clone_protects_the_other_and_carries_the_headers_along(memory: HostMemory) -> None:
    skb = alloc_skb(memory, 10, 10)
    skb.put(4)[:] = b"abcd"
    skb.reset_mac_header()
    clone = skb.clone()
    clone.ip_summed = Checksum.PARTIAL
    clone.csum_start = 11
    clone.cow(30)
    clone.linear()[0] = ord("X")
    assert (skb.bytes(), clone.bytes()) == (b"abcd", b"Xbcd")
    assert clone.headroom() == 30
    assert clone.mac_header == clone.data
    assert clone.head + clone.csum_start == clone.data + 1
    assert not skb.cloned
    clone.free()
    skb.free()
    assert memory.allocated == 0


def test_cow_of_an_unshared_skb_with_room_copies_nothing(memory: HostMemory) -> None:
    skb = alloc_skb(memory, 10, 10)
    head = skb.head
    skb.cow(10)
    assert skb.head == head


def test_clone_carries_what_the_stack_wrote_into_it(memory: HostMemory) -> None:
    skb = alloc_skb(memory, 10)
    for name in ("mac_header", "network_header", "transport_header", "protocol", "csum_start"):
        setattr(skb, name, 7)
    for name in ("csum_offset", "gso_type", "gso_size", "gso_segs", "tstamp"):
        setattr(skb, name, 9)
    clone = skb.clone()
    for name in ("mac_header", "network_header", "transport_header", "protocol", "csum_start"):
        assert getattr(clone, name) == 7
    for name in ("csum_offset", "gso_type", "gso_size", "gso_segs", "tstamp"):
        assert getattr(clone, name) == 9
