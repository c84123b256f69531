"""The IOMMU in front of host memory: what a device reaches, and what happens when a driver maps wrongly."""

from typing import Any

import pytest

from pymodel.driver.packed_ring import PackedRing
from pymodel.driver.virtio_net import VirtioNetDevice
from pymodel.host import World
from pymodel.hostmem import DmaFault, HostMemory
from pymodel.iommu import PAGE, DmaDirection, Iommu, UnexpectedFault
from pymodel.simtime import SEC
from pymodel.socket import AsyncSocket

BASE = 0x1_0000_0000
BOTH, TO_DEVICE, FROM_DEVICE = DmaDirection


@pytest.fixture
def iommu() -> Iommu:
    return Iommu(BASE, 16 * PAGE)


@pytest.mark.parametrize(
    ("direction", "reads", "writes"),
    [(BOTH, True, True), (TO_DEVICE, True, False), (FROM_DEVICE, False, True)],
)
def test_mapped_page_is_reached_in_its_direction_only(
    iommu: Iommu, direction: DmaDirection, reads: bool, writes: bool
) -> None:
    iommu.dma_map(BASE + PAGE, 1, direction)
    assert iommu.allows(BASE + PAGE, PAGE, write=False) is reads
    assert iommu.allows(BASE + PAGE, PAGE, write=True) is writes
    for neighbour in (BASE + PAGE - 1, BASE + 2 * PAGE):
        assert not iommu.allows(neighbour, 1, write=False)
        assert not iommu.allows(neighbour, 1, write=True)


def test_page_of_two_mappings_is_reached_until_both_are_gone(iommu: Iommu) -> None:
    iommu.dma_map(BASE + 100, 10, FROM_DEVICE)
    iommu.dma_map(BASE + PAGE - 1, 2, FROM_DEVICE)  # and the next page
    iommu.dma_unmap(BASE + 100, 10, FROM_DEVICE)
    assert iommu.allows(BASE, 2 * PAGE, write=True)
    iommu.dma_unmap(BASE + PAGE - 1, 2, FROM_DEVICE)
    assert not iommu.allows(BASE, 1, write=True)
    assert not iommu.mapped()


def test_unmapping_what_is_not_mapped_is_refused_and_changes_nothing(iommu: Iommu) -> None:
    iommu.dma_map(BASE, 10, TO_DEVICE)
    for address, length, direction in (
        (BASE, 10, FROM_DEVICE),
        (BASE, PAGE + 1, TO_DEVICE),
        (BASE, 10, BOTH),
    ):
        with pytest.raises(ValueError, match="not mapped"):
            iommu.dma_unmap(address, length, direction)
    assert iommu.allows(BASE, 10, write=False)
    with pytest.raises(ValueError, match="0 bytes"):
        iommu.dma_map(BASE, 0, TO_DEVICE)


def test_what_lies_outside_the_memory_is_mapped_in_vain() -> None:
    memory = HostMemory(4 * PAGE, BASE, iommu=True)
    assert memory.iommu is not None
    for address in (0, BASE + 4 * PAGE, 0xDEAD_0000_0000):
        memory.iommu.dma_map(address, PAGE, BOTH)
        with pytest.raises(DmaFault, match="outside host memory"):
            memory.admit(address, 1, write=True, now=0)
        memory.iommu.dma_unmap(address, PAGE, BOTH)
    assert not memory.iommu.mapped()
    assert not memory.iommu.faults


def test_refused_access_is_remembered_with_address_direction_and_time() -> None:
    memory = HostMemory(4 * PAGE, BASE, iommu=True)
    assert memory.iommu is not None
    memory.iommu.dma_map(BASE, PAGE, TO_DEVICE)
    memory.admit(BASE, PAGE, write=False, now=1)
    with pytest.raises(DmaFault, match="is not mapped"):
        memory.admit(BASE + 16, 16, write=True, now=2000)
    assert [str(fault) for fault in memory.iommu.faults] == [
        f"write at {BASE + 16:#x}, 2.0 ns: not mapped for the device"
    ]
    with pytest.raises(UnexpectedFault, match="1 IOMMU faults"):
        memory.iommu.check()


def test_ring_maps_its_areas_and_each_chain_while_it_is_out() -> None:
    memory = HostMemory(1 << 20, iommu=True)
    iommu = memory.iommu
    assert iommu is not None
    ring: PackedRing[str] = PackedRing(memory, 4, indirect=True)
    assert iommu.allows(ring.desc_address, 64, write=True)
    out, into = (memory.alloc(PAGE, PAGE) for _ in range(2))
    ring.add("x", [(out, 100), (out + 200, 100)], [(into, 100)])
    assert iommu.allows(out, 300, write=False)
    assert not iommu.allows(out, 300, write=True)
    assert iommu.allows(into, 100, write=True)
    table = int.from_bytes(memory.read(ring.desc_address, 8), "little")
    assert iommu.allows(table, 48, write=False)
    assert ring.reset() == ["x"]
    assert not iommu.allows(out, 1, write=False)
    assert not iommu.allows(into, 1, write=True)
    ring.release()
    assert not iommu.mapped()


def _world() -> World:
    """Two hosts on golden NICs behind IOMMUs."""
    world = World.golden(iommu=True)
    world.start()
    return world


def _bulk(world: World, size: int, timeout: int = 100 * SEC) -> int:
    async def server() -> int:
        async with AsyncSocket() as listener:
            listener.bind(("b", 7))
            listener.listen()
            sock, _ = await listener.accept()
            got = 0
            while data := await sock.recv(1 << 16):
                got += len(data)
            await sock.close()
            return got

    async def client() -> None:
        async with AsyncSocket() as sock:
            await sock.connect(("b", 7))
            await sock.sendall(bytes(size))

    program = world.b.spawn(server)
    world.a.spawn(client)
    world.run(lambda: program.done, timeout=timeout)
    return int(program.result())


def test_driver_in_traffic_maps_all_that_its_device_reaches_and_leaks_nothing() -> None:
    world = _world()
    assert _bulk(world, 200_000) == 200_000
    for host in (world.a, world.b):
        iommu = host.memory.iommu
        assert iommu is not None
        iommu.check()
        closed = host.device.close()
        world.run(lambda closed=closed: closed.done)  # type: ignore[misc]
        assert not iommu.mapped()


def test_buffers_unmapped_too_early_break_the_device_and_not_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = _world()
    iommu, device = world.b.memory.iommu, world.b.device
    assert iommu is not None
    assert isinstance(device, VirtioNetDevice)
    right = PackedRing.add

    def early(ring: PackedRing[Any], token: Any, readable: Any, writable: Any = ()) -> int:
        ident = right(ring, token, readable, writable)
        if writable and ring._iommu is iommu:
            ring._unmap(ident)
            ring._mapped[ident] = []
        return ident

    monkeypatch.setattr(PackedRing, "add", early)
    with pytest.raises(TimeoutError):
        _bulk(world, 1_000_000, timeout=1 * SEC)
    assert device.driver_stats.resets > 0
    assert iommu.faults
    assert all(fault.write for fault in iommu.faults)
    with pytest.raises(UnexpectedFault):
        iommu.check()
