"""`PackedRing` against a device ring of the test's own."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from virtio_device_ring import Chain, DeviceRing

from pymodel.driver.errors import RingError, RingFull
from pymodel.driver.packed_ring import PackedRing
from pymodel.hostmem import HostMemory


def rings(size: int) -> tuple[PackedRing[str], DeviceRing, HostMemory]:
    memory = HostMemory(1 << 20)
    ring: PackedRing[str] = PackedRing(memory, size)
    device = DeviceRing(memory, ring.desc_address, ring.driver_address, ring.device_address, size)
    return ring, device, memory


def buffers(*lengths: int) -> list[tuple[int, int]]:
    return [(0x1_0000_1001 + 64 * n, length) for n, length in enumerate(lengths)]


def fetch(device: DeviceRing) -> Chain:
    chain = device.fetch()
    assert chain is not None
    return chain


@pytest.mark.parametrize("size", [0, -1, 32769])
def test_illegal_ring_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="32768"):
        PackedRing(HostMemory(1 << 20), size)


def test_areas_are_aligned_as_2_8_demands_and_zeroed_even_in_used_memory() -> None:
    memory = HostMemory(1 << 20)
    for _ in range(3):
        address = memory.alloc(7 * 16, 16)
        memory.write(address, b"\xff" * 112)
        memory.free(address)
        ring: PackedRing[str] = PackedRing(memory, 7)
        assert ring.desc_address % 16 == ring.driver_address % 4 == ring.device_address % 4 == 0
        assert memory.read(ring.desc_address, 112) == bytes(112)
        assert not ring.has_used()


def test_zeroed_ring_offers_nothing_to_either_side() -> None:
    ring, device, _ = rings(4)
    assert device.fetch() is None
    assert ring.get_used() is None


def test_chain_reaches_the_device_with_order_directions_and_lengths() -> None:
    ring, device, _ = rings(8)
    ident = ring.add("t", buffers(12, 100), buffers(7))
    chain = fetch(device)
    assert chain.ident == ident
    assert [(n, writable) for _, n, writable in chain.buffers] == [(12, False), (100, False), (7, True)]
    assert device.fetch() is None


def test_full_ring_refuses_and_changes_nothing_then_takes_after_use() -> None:
    ring, device, _ = rings(3)
    ring.add("a", buffers(1, 2))
    with pytest.raises(RingFull, match="2 descriptors; 1 of 3"):
        ring.add("b", buffers(1, 2))
    ring.add("c", buffers(5))
    assert ring.free == 0
    first = fetch(device)
    assert len(first.buffers) == 2
    device.use(first, 0)
    assert ring.get_used() == ("a", 0)
    ring.add("d", buffers(3, 4))
    assert [n for _, n, _ in fetch(device).buffers] == [5]
    assert [n for _, n, _ in fetch(device).buffers] == [3, 4]


@pytest.mark.parametrize("lengths", [(), (0,), (5, 0), (5, -1)])
def test_chain_without_bytes_is_refused_and_leaves_nothing_behind(lengths: tuple[int, ...]) -> None:
    ring, device, _ = rings(4)
    with pytest.raises(ValueError, match="buffer"):
        ring.add("bad", buffers(*lengths))
    assert (ring.free, ring.outstanding) == (4, 0)
    ring.add("good", buffers(9))
    assert [n for _, n, _ in fetch(device).buffers] == [9]
    assert device.fetch() is None


def test_head_of_a_chain_is_published_last() -> None:
    """The device looks at the ring at each buffer that the driver is about to write."""
    ring, device, _ = rings(5)
    for _ in range(7):

        class Peeking(list[tuple[int, int]]):
            def __iter__(self) -> Iterator[tuple[int, int]]:
                for item in super().__iter__():
                    assert not device.available()
                    yield item
                assert not device.available()

        ring.add("t", Peeking(buffers(1, 2, 3)), Peeking(buffers(4)))
        chain = fetch(device)
        assert len(chain.buffers) == 4
        device.use(chain, 4)
        assert ring.get_used() == ("t", 4)


def test_used_entry_with_only_its_available_half_flipped_is_not_used() -> None:
    ring, _, memory = rings(2)
    ring.add("t", buffers(1))
    at = ring.desc_address + 14
    for flags in (0x0080, 0x8000, 0x0000):
        memory.write(at, flags.to_bytes(2, "little"))
        assert ring.get_used() is None
    memory.write(at, (0x8080).to_bytes(2, "little"))
    assert ring.get_used() == ("t", 1)


@pytest.mark.parametrize("ident", [1, 3, 65535])
def test_used_entry_for_a_chain_that_is_not_out_is_a_ring_error(ident: int) -> None:
    ring, device, _ = rings(3)
    ring.add("t", buffers(1))
    chain = fetch(device)
    device.use(Chain(ident, chain.buffers, 1), 0)
    with pytest.raises(RingError, match=f"id {ident}, which is not out"):
        ring.get_used()


def test_used_twice_is_a_ring_error() -> None:
    ring, device, _ = rings(4)
    ring.add("a", buffers(1))
    ring.add("b", buffers(1))
    chain = fetch(device)
    device.use(chain, 0)
    device.use(chain, 0)
    assert ring.get_used() == ("a", 0)
    with pytest.raises(RingError, match="not out"):
        ring.get_used()


def test_notification_is_wanted_once_per_batch_and_not_under_disable() -> None:
    ring, device, _ = rings(8)
    assert not ring.should_notify()
    ring.add("a", buffers(1))
    ring.add("b", buffers(1))
    assert ring.should_notify()
    assert not ring.should_notify()
    device.want_notifications(False)
    ring.add("c", buffers(1))
    assert not ring.should_notify()
    device.want_notifications(True)
    ring.add("d", buffers(1))
    assert ring.should_notify()


def test_desc_in_the_device_event_area_counts_as_enable() -> None:
    ring, device, memory = rings(8)
    memory.write(device.device, (2 << 16).to_bytes(4, "little"))
    ring.add("a", buffers(1))
    assert ring.should_notify()


def test_interrupt_flags_reach_the_device_and_enabling_reports_what_came_meanwhile() -> None:
    ring, device, _ = rings(4)
    assert device.wants_interrupt()
    ring.disable_interrupts()
    assert not device.wants_interrupt()
    ring.add("a", buffers(1))
    device.use(fetch(device), 0)
    assert ring.enable_interrupts()
    assert device.wants_interrupt()
    ring.get_used()
    assert not ring.enable_interrupts()


def test_reset_returns_the_tokens_that_were_out_and_starts_over() -> None:
    ring, device, memory = rings(3)
    for token in "ab":
        ring.add(token, buffers(1))
    device.use(fetch(device), 0)
    ring.get_used()
    ring.disable_interrupts()
    assert ring.reset() == ["b"]
    assert (ring.free, ring.outstanding, ring.get_used()) == (3, 0, None)
    fresh = DeviceRing(memory, ring.desc_address, ring.driver_address, ring.device_address, 3)
    assert fresh.wants_interrupt()
    ring.add("c", buffers(1))
    fresh.use(fetch(fresh), 0)
    assert ring.get_used() == ("c", 0)


def test_release_with_chains_out_is_refused_and_without_gives_everything_back() -> None:
    ring, _, memory = rings(3)
    ring.add("a", buffers(1))
    with pytest.raises(RuntimeError, match="1 chains"):
        ring.release()
    ring.reset()
    ring.release()
    assert memory.allocated == 0


class RingMachine(RuleBasedStateMachine):
    """Driver adds, device fetches ahead and uses in any order, driver takes back; any ring size."""

    @initialize(size=st.one_of(st.integers(1, 9), st.sampled_from([16, 31])))
    def start(self, size: int) -> None:
        self.ring: PackedRing[int]
        memory = HostMemory(1 << 16)
        self.ring = PackedRing(memory, size)
        self.device = DeviceRing(
            memory, self.ring.desc_address, self.ring.driver_address, self.ring.device_address, size
        )
        self.serial = 0
        self.added: list[tuple[int, list[tuple[int, int, bool]]]] = []
        self.fetched: list[tuple[int, Chain]] = []
        self.used: list[tuple[int, int, int]] = []
        self.room = size

    @rule(readable=st.integers(0, 6), writable=st.integers(0, 4))
    def add(self, readable: int, writable: int) -> None:
        count = readable + writable
        if not count:
            return
        self.serial += 1
        reads = [(0x1000 * self.serial + n, n + 1) for n in range(readable)]
        writes = [(0x1000 * self.serial + 0x100 + n, n + 1) for n in range(writable)]
        if count > self.room:
            with pytest.raises(RingFull):
                self.ring.add(self.serial, reads, writes)
            return
        self.ring.add(self.serial, reads, writes)
        self.room -= count
        self.added.append((self.serial, [(*b, False) for b in reads] + [(*b, True) for b in writes]))

    @rule()
    def fetch(self) -> None:
        chain = self.device.fetch()
        if not self.added:
            assert chain is None
            return
        token, expected = self.added.pop(0)
        assert chain is not None
        assert chain.buffers == expected
        assert chain.ident not in {other.ident for _, other in self.fetched}
        self.fetched.append((token, chain))

    @precondition(lambda self: self.fetched)
    @rule(which=st.integers(0, 40), length=st.integers(0, 2**32 - 1))
    def use(self, which: int, length: int) -> None:
        token, chain = self.fetched.pop(which % len(self.fetched))
        self.device.use(chain, length)
        self.used.append((token, length, len(chain.buffers)))

    @rule()
    def take_back(self) -> None:
        assert self.ring.has_used() == bool(self.used)
        got = self.ring.get_used()
        if not self.used:
            assert got is None
            return
        token, length, count = self.used.pop(0)
        assert got == (token, length)
        self.room += count

    @invariant()
    def counts_agree(self) -> None:
        assert self.ring.free == self.room
        assert self.ring.outstanding == len(self.added) + len(self.fetched) + len(self.used)


TestRingMachine = RingMachine.TestCase
TestRingMachine.settings = settings(max_examples=80, stateful_step_count=60)
