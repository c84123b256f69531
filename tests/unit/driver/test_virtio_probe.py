"""Initialisation against a device that can be made to lie: order of steps, refusals, clean failure."""

from collections.abc import Callable

import pytest
from fake_virtio import MAC, MTU, RING_PACKED, STATUS, VERSION_1, FakeVirtio

from pymodel.driver import ProbeError, VirtioNetDevice
from pymodel.scheduler import Scheduler
from pymodel.simtime import SEC
from pymodel.task import Task


def probe(fake: FakeVirtio, **options: int) -> VirtioNetDevice:
    dev = VirtioNetDevice(fake, fake.scheduler, **options)
    task = Task(fake.scheduler, dev.probe())
    fake.scheduler.run_until(fake.scheduler.now + SEC)
    task.result()
    return dev


def fails(fake: FakeVirtio, message: str) -> None:
    """The probe fails with `message`, says FAILED to the device, and keeps no memory."""
    dev = VirtioNetDevice(fake, fake.scheduler)
    task = Task(fake.scheduler, dev.probe())
    fake.scheduler.run_until(SEC)
    with pytest.raises(ProbeError, match=message):
        task.result()
    assert fake.log[-1][0] == 0x70
    assert fake.log[-1][1] & 0x80
    assert fake.memory.allocated == 0
    assert not dev.carrier


@pytest.fixture
def fake() -> FakeVirtio:
    return FakeVirtio(Scheduler())


def test_probe_of_a_good_device_writes_the_steps_in_the_order_of_3_1_1(fake: FakeVirtio) -> None:
    dev = probe(fake)
    assert [value for offset, value in fake.log if offset == 0x70] == [0, 1, 3, 11, 15]
    at = {name: [n for n, entry in enumerate(fake.log) if test(entry)] for name, test in STEPS.items()}
    assert max(at["features"]) < min(at["features_ok"])
    assert max(at["features_ok"]) < min(at["queues"])
    assert max(at["queues"]) < min(at["driver_ok"])
    assert max(at["driver_ok"]) < min(at["notify"])
    assert fake.accepted == VERSION_1 | RING_PACKED | MAC | STATUS | MTU
    assert (dev.mac, dev.mtu, dev.carrier) == (bytes.fromhex("0200c0ffee01"), 1500, True)


STEPS: dict[str, Callable[[tuple[int, int]], bool]] = {
    "features": lambda entry: entry[0] == 0x20,
    "features_ok": lambda entry: entry == (0x70, 11),
    "queues": lambda entry: entry[0] in (0x30, 0x38, 0x44, 0x80, 0x84),
    "driver_ok": lambda entry: entry == (0x70, 15),
    "notify": lambda entry: entry[0] == 0x50,
}


def test_probe_gives_the_receive_ring_buffers_of_at_least_1526_bytes(fake: FakeVirtio) -> None:
    probe(fake)
    count = 0
    while (chain := fake.rx.fetch()) is not None:
        assert [(n >= 1526, writable) for _, n, writable in chain.buffers] == [(True, True)]
        count += 1
    assert count == 256


def test_queue_size_is_the_smaller_of_device_and_wish(fake: FakeVirtio) -> None:
    fake.registers[0x34] = 100
    probe(fake, queue_size=77)
    assert (fake.rx.size, fake.tx.size) == (77, 77)
    other = FakeVirtio(Scheduler())
    other.registers[0x34] = 5
    probe(other, queue_size=77)
    assert (other.rx.size, other.tx.size) == (5, 5)


def test_features_the_driver_does_not_know_are_not_accepted(fake: FakeVirtio) -> None:
    # GUEST_TSO4, CTRL_VQ, MQ, IN_ORDER, NOTIFICATION_DATA
    fake.offered |= 1 << 7 | 1 << 17 | 1 << 22 | 1 << 35 | 1 << 38
    probe(fake)
    assert fake.accepted == VERSION_1 | RING_PACKED | MAC | STATUS | MTU


def test_device_without_mac_mtu_and_status_gets_defaults(fake: FakeVirtio) -> None:
    fake.offered = VERSION_1 | RING_PACKED
    fake.config = bytearray(12)
    dev = probe(fake)
    assert (len(dev.mac), dev.mac[0], dev.mtu, dev.carrier) == (6, 2, 1500, True)


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (0x00, 0x12345678, "magic value is 0x12345678"),
        (0x04, 1, "version 1: only version 2"),
        (0x08, 2, "device id 2"),
        (0x08, 0, "device id 0"),
        (0x34, 0, "no queue 0"),
        (0x44, 1, "queue 0 is in use"),
    ],
)
def test_wrong_register_is_refused_by_name(fake: FakeVirtio, offset: int, value: int, message: str) -> None:
    fake.registers[offset] = value
    fails(fake, message)


@pytest.mark.parametrize(("missing", "name"), [(VERSION_1, "VERSION_1"), (RING_PACKED, "RING_PACKED")])
def test_device_without_a_needed_feature_is_refused_by_name(
    fake: FakeVirtio, missing: int, name: str
) -> None:
    fake.offered &= ~missing
    fails(fake, f"does not offer {name}")


def test_features_ok_taken_back_is_refused(fake: FakeVirtio) -> None:
    fake.accept_features = False
    fails(fake, "refuses the features")


def test_queue_that_does_not_become_ready_is_refused(fake: FakeVirtio) -> None:
    fake.registers[0x44] = 0
    fails(fake, "does not take queue 0 of 256")


def test_reset_that_never_ends_is_given_up(fake: FakeVirtio) -> None:
    fake.reset_finishes = False
    fails(fake, "does not finish its reset: status 0xf")


def test_reset_that_takes_its_time_is_awaited(fake: FakeVirtio) -> None:
    fake.status = 0x0F
    real = fake._clear

    def slow() -> None:
        fake._clear = real  # type: ignore[method-assign]
        fake.scheduler.after(20_000_000, real)

    fake._clear = slow  # type: ignore[method-assign]
    probe(fake)
    assert fake.scheduler.now > 20_000_000


def test_mtu_below_68_is_refused(fake: FakeVirtio) -> None:
    fake.config[10:12] = (67).to_bytes(2, "little")
    fails(fake, "MTU is 67")


def test_configuration_that_changes_while_it_is_read_is_read_again(fake: FakeVirtio) -> None:
    generation = iter([0, 1, 1])

    def read() -> int:
        value = next(generation, 1)
        if value:
            fake.config[0:6] = bytes.fromhex("020000000042")
        return value

    fake.registers[0xFC] = read
    assert probe(fake).mac == bytes.fromhex("020000000042")


def test_configuration_that_never_holds_still_is_refused(fake: FakeVirtio) -> None:
    count = iter(range(1 << 30))
    fake.registers[0xFC] = lambda: next(count)
    fails(fake, "changes faster")


def test_second_probe_of_a_running_device_raises(fake: FakeVirtio) -> None:
    dev = probe(fake)
    task = Task(fake.scheduler, dev.probe())
    fake.scheduler.run_until(fake.scheduler.now + SEC)
    with pytest.raises(RuntimeError, match="eth0 is running"):
        task.result()


def test_failed_probe_can_be_repeated(fake: FakeVirtio) -> None:
    fake.offered &= ~VERSION_1
    fails(fake, "VERSION_1")
    fake.offered |= VERSION_1
    dev = VirtioNetDevice(fake, fake.scheduler)
    task = Task(fake.scheduler, dev.probe())
    fake.scheduler.run_until(fake.scheduler.now + SEC)
    task.result()
    assert dev.carrier
