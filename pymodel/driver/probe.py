"""Initialisation of a virtio-net device over virtio-mmio version 2 (virtio 1.2 §3.1.1, §4.2.3.1).

Blocking generators, each one step or group of steps of §3.1.1, in the order in which `VirtioNetDevice` calls
them: `identify`, `reset`, `negotiate`, `read_config`, `setup_queue` for each queue, `drive`.
Whatever a device answers that it must not becomes a `ProbeError` with the value in it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from pymodel.driver.errors import ProbeError
from pymodel.featurebits import bits_of, complete, features_in
from pymodel.ports import DevicePort, mmio_read
from pymodel.regs import FEATURES_OFFERED, FEATURES_REQUIRED, Config, Feature, NetStatus, Reg, Status
from pymodel.scheduler import Scheduler
from pymodel.simtime import MS, US
from pymodel.task import Blocking, sleep_until

__all__ = [
    "FEATURES",
    "RESET_TIMEOUT",
    "NetConfig",
    "RingAreas",
    "drive",
    "give_up",
    "identify",
    "negotiate",
    "offers",
    "queue_size",
    "read_config",
    "reset",
    "reset_queue",
    "setup_queue",
]

RESET_TIMEOUT: Final = 100 * MS
"""ps that a device may take to finish a reset: transfers in flight end in microseconds."""

_RESET_POLL: Final = 1 * US
_CONFIG_TRIES: Final = 100
_MIN_MTU: Final = 68

_MAGIC: Final = 0x74726976  # "virt", little-endian
_DEVICE_NET: Final = 1
_VERSION: Final = 2

_REQUIRED: Final = frozenset({Feature.VERSION_1, Feature.RING_PACKED})

FEATURES: Final = _REQUIRED | {
    Feature.ACCESS_PLATFORM,
    Feature.ORDER_PLATFORM,
    Feature.MAC,
    Feature.STATUS,
    Feature.MTU,
    Feature.CSUM,
    Feature.GUEST_CSUM,
    Feature.HOST_TSO4,
    Feature.HOST_ECN,
    Feature.MRG_RXBUF,
    Feature.INDIRECT_DESC,
    Feature.EVENT_IDX,
    Feature.RING_RESET,
}
"""What this driver understands; the subset that is offered, and not switched off, is accepted."""

_OPTIONAL: Final = features_in(FEATURES_OFFERED & ~FEATURES_REQUIRED)


def wanted(without: Collection[Feature], known: frozenset[Feature] = FEATURES) -> frozenset[Feature]:
    """The features to accept if they are offered: all that are `known` but `without` and what needs those.

    Raises ValueError for one that no driver can do without, or that our NIC never has.
    """
    for feature in without:
        if feature not in _OPTIONAL:
            raise ValueError(f"{Feature(feature).name} cannot be switched off")
    return complete(known - frozenset(without))


@dataclass(frozen=True, slots=True)
class NetConfig:
    """The configuration space as far as its features were negotiated (§5.1.4).

    `mac` is None without MAC, `mtu` without MTU; `link_up` is True without STATUS.
    """

    mac: bytes | None
    link_up: bool
    mtu: int | None


class RingAreas(Protocol):
    """A packed ring of `size` descriptors, and the bus addresses of its three areas (§2.8)."""

    @property
    def size(self) -> int:
        """Descriptors."""

    @property
    def desc_address(self) -> int:
        """Of the descriptor area."""

    @property
    def driver_address(self) -> int:
        """Of the driver event suppression."""

    @property
    def device_address(self) -> int:
        """Of the device event suppression."""


def has(features: int, feature: Feature) -> bool:
    """Bit `feature` is set in `features`."""
    return bool(features >> feature & 1)


def identify(port: DevicePort) -> Blocking[None]:
    """Magic, version, device id (§4.2.3.1.1). Raises ProbeError unless it is a version 2 network device."""
    magic = yield from mmio_read(port, Reg.MAGIC_VALUE)
    if magic != _MAGIC:
        raise ProbeError(f"no virtio-mmio device: the magic value is {magic:#010x}, not {_MAGIC:#010x}")
    version = yield from mmio_read(port, Reg.VERSION)
    if version != _VERSION:
        raise ProbeError(f"virtio-mmio version {version}: only version 2 is supported")
    device_id = yield from mmio_read(port, Reg.DEVICE_ID)
    if device_id != _DEVICE_NET:
        raise ProbeError(f"virtio device id {device_id} is not a network device (1)")


def reset(port: DevicePort, scheduler: Scheduler) -> Blocking[None]:
    """Write 0 to Status and wait until it reads 0 (§2.1.2, §2.4.2): the device then touches no memory.

    Raises ProbeError after `RESET_TIMEOUT`.
    """
    port.write(Reg.STATUS, 0)
    deadline = scheduler.now + RESET_TIMEOUT
    while (status := (yield from mmio_read(port, Reg.STATUS))) != 0:
        if scheduler.now >= deadline:
            raise ProbeError(f"the device does not finish its reset: status {status:#x}")
        yield from sleep_until(scheduler.now + _RESET_POLL)


def give_up(port: DevicePort) -> Blocking[None]:
    """Tell the device that the driver has given up: FAILED, beside the bits that are set (§2.1.1)."""
    status = yield from mmio_read(port, Reg.STATUS)
    port.write(Reg.STATUS, status | Status.FAILED)


def offers(port: DevicePort) -> Blocking[int]:
    """The feature bits that the device offers (§4.2.2: DeviceFeatures)."""
    offered = 0
    for word in (0, 1):
        port.write(Reg.DEVICE_FEATURES_SEL, word)
        offered |= (yield from mmio_read(port, Reg.DEVICE_FEATURES)) << 32 * word
    return offered


def negotiate(port: DevicePort, features: frozenset[Feature]) -> Blocking[int]:
    """Steps 2 to 6: ACKNOWLEDGE, DRIVER, features, FEATURES_OK and its confirmation. The accepted features,
    which are those of `features` that are offered.

    Raises ProbeError without VERSION_1 (§4.2.3.1.1: a legacy interface at version 2 is refused) or
    RING_PACKED, or when the device takes FEATURES_OK back.
    """
    port.write(Reg.STATUS, Status.ACKNOWLEDGE)
    port.write(Reg.STATUS, Status.ACKNOWLEDGE | Status.DRIVER)
    offered = yield from offers(port)
    for feature in sorted(_REQUIRED):
        if not has(offered, feature):
            raise ProbeError(f"the device does not offer {feature.name}: features {offered:#018x}")
    accepted = bits_of(complete(features & frozenset(features_in(offered))))
    for word in (0, 1):
        port.write(Reg.DRIVER_FEATURES_SEL, word)
        port.write(Reg.DRIVER_FEATURES, accepted >> 32 * word & 0xFFFFFFFF)
    port.write(Reg.STATUS, Status.ACKNOWLEDGE | Status.DRIVER | Status.FEATURES_OK)
    status = yield from mmio_read(port, Reg.STATUS)
    if not status & Status.FEATURES_OK:
        raise ProbeError(f"the device refuses the features {accepted:#018x}: status {status:#x}")
    return accepted


def read_config(port: DevicePort, features: int) -> Blocking[NetConfig]:
    """The configuration, consistent: read again while ConfigGeneration changes (§2.5.1, §4.2.2.2).

    Raises ProbeError when it never stays the same, or for an MTU below 68 (§5.1.4.1).
    """
    for _ in range(_CONFIG_TRIES):
        before = yield from mmio_read(port, Reg.CONFIG_GENERATION)
        mac: bytes | None = None
        if has(features, Feature.MAC):
            values = []
            for index in range(6):
                values.append((yield from mmio_read(port, Config.MAC + index, 1)))
            mac = bytes(values)
        link_up = True
        if has(features, Feature.STATUS):
            link_up = bool((yield from mmio_read(port, Config.STATUS, 2)) & NetStatus.LINK_UP)
        mtu: int | None = None
        if has(features, Feature.MTU):
            mtu = yield from mmio_read(port, Config.MTU, 2)
            if mtu < _MIN_MTU:
                raise ProbeError(f"the device's MTU is {mtu}; at least {_MIN_MTU} is legal")
        if (yield from mmio_read(port, Reg.CONFIG_GENERATION)) == before:
            return NetConfig(mac, link_up, mtu)
    raise ProbeError("the configuration changes faster than it can be read")


def queue_size(port: DevicePort, index: int, wanted: int) -> Blocking[int]:
    """Select queue `index`; the size it can have, at most `wanted` (§4.2.3.2).

    Raises ProbeError when the queue is absent or in use already.
    """
    port.write(Reg.QUEUE_SEL, index)
    if (yield from mmio_read(port, Reg.QUEUE_READY)) != 0:
        raise ProbeError(f"queue {index} is in use after a reset")
    maximum = yield from mmio_read(port, Reg.QUEUE_NUM_MAX)
    if not maximum:
        raise ProbeError(f"the device has no queue {index}")
    return min(wanted, maximum)


def setup_queue(port: DevicePort, index: int, ring: RingAreas) -> Blocking[None]:
    """Give `ring` to the device as queue `index` (§4.2.3.2). Raises ProbeError when it is not taken."""
    port.write(Reg.QUEUE_SEL, index)
    port.write(Reg.QUEUE_NUM, ring.size)
    for low, high, address in _areas(ring):
        port.write(low, address & 0xFFFFFFFF)
        port.write(high, address >> 32)
    port.write(Reg.QUEUE_READY, 1)
    if (yield from mmio_read(port, Reg.QUEUE_READY)) != 1:
        raise ProbeError(f"the device does not take queue {index} of {ring.size} descriptors")


def reset_queue(port: DevicePort, index: int, scheduler: Scheduler) -> Blocking[None]:
    """Reset queue `index` alone (§2.6.1, RING_RESET): afterwards the device does not touch its ring.

    Raises ProbeError after `RESET_TIMEOUT`, or when the queue is still ready.
    """
    port.write(Reg.QUEUE_SEL, index)
    port.write(Reg.QUEUE_RESET, 1)
    deadline = scheduler.now + RESET_TIMEOUT
    while (yield from mmio_read(port, Reg.QUEUE_RESET)) != 0:
        if scheduler.now >= deadline:
            raise ProbeError(f"the device does not finish the reset of queue {index}")
        yield from sleep_until(scheduler.now + _RESET_POLL)
        port.write(Reg.QUEUE_SEL, index)
    if (yield from mmio_read(port, Reg.QUEUE_READY)) != 0:
        raise ProbeError(f"queue {index} is ready after its reset")


def _areas(ring: RingAreas) -> Iterable[tuple[Reg, Reg, int]]:
    yield Reg.QUEUE_DESC_LOW, Reg.QUEUE_DESC_HIGH, ring.desc_address
    yield Reg.QUEUE_DRIVER_LOW, Reg.QUEUE_DRIVER_HIGH, ring.driver_address
    yield Reg.QUEUE_DEVICE_LOW, Reg.QUEUE_DEVICE_HIGH, ring.device_address


def drive(port: DevicePort) -> None:
    """Step 8: DRIVER_OK; the device is live."""
    port.write(Reg.STATUS, Status.ACKNOWLEDGE | Status.DRIVER | Status.FEATURES_OK | Status.DRIVER_OK)
