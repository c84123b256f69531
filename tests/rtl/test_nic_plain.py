"""The NIC built without what is optional: offers only the rest, refuses what it has not, moves frames."""

from typing import Any

import cocotb
import pytest
from clocked import rng
from elaboration import refused
from nic_bench import (
    ACKNOWLEDGE,
    DRIVER,
    DRIVER_FEATURES,
    DRIVER_FEATURES_SEL,
    FEATURES,
    FEATURES_OK,
    NEEDS_RESET,
    RX,
    SOURCES,
    STATUS,
    TX,
    Nic,
    bad_descriptor,
    echo_works,
)

from tb.block import run_block

DEVICE_FEATURES, DEVICE_FEATURES_SEL = 0x010, 0x014
REQUIRED = 1 << 32 | 1 << 34
"""VERSION_1 and RING_PACKED (virtio 1.2 §6)."""
LEFT_OUT = (0, 1, 11, 12, 15, 28, 29)
"""CSUM, GUEST_CSUM, HOST_TSO4, HOST_TSO6, MRG_RXBUF, INDIRECT_DESC, EVENT_IDX."""
PLAIN: dict[str, object] = {"FEATURES": f"64'h{REQUIRED:016x}", "STATISTICS": 0}
TRAFFIC: dict[str, object] = {"FEATURES": f"64'h{FEATURES:016x}"}
INDIRECT = 4
"""§2.8.7"""


async def plain(dut: Any) -> Nic:
    nic = Nic(dut, rng())
    await nic.start()
    return nic


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def only_what_is_built_in_is_offered(dut: Any) -> None:
    nic = await plain(dut)
    offered = 0
    for half in (0, 1):
        await nic.write(DEVICE_FEATURES_SEL, half)
        offered |= await nic.read(DEVICE_FEATURES) << 32 * half
    assert offered == REQUIRED
    nic.finish()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def feature_left_out_accepted_all_the_same_does_not_let_features_ok_stick(dut: Any) -> None:
    nic = await plain(dut)
    for bit in LEFT_OUT:
        features = REQUIRED | 1 << bit
        await nic.reset()
        await nic.write(STATUS, ACKNOWLEDGE | DRIVER)
        for half in (0, 1):
            await nic.write(DRIVER_FEATURES_SEL, half)
            await nic.write(DRIVER_FEATURES, features >> 32 * half & 0xFFFF_FFFF)
        await nic.write(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK)
        assert not await nic.read(STATUS) & FEATURES_OK, bit
    nic.finish()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def frames_go_both_ways_and_nothing_is_counted(dut: Any) -> None:
    nic = await plain(dut)
    await nic.init(features=REQUIRED)
    await echo_works(nic)
    for offset in range(0x1100, 0x1200, 8):
        assert await nic.statistic(offset) == 0
    nic.finish()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def indirect_descriptor_needs_a_reset_and_the_next_life_works(dut: Any) -> None:
    nic = await plain(dut)
    for queue in (RX, TX):
        await nic.init(features=REQUIRED)
        bad_descriptor(nic.rings[queue], nic.place(64), 64, INDIRECT)
        await nic.kick(queue, force=True)
        for _ in range(100):
            if await nic.read(STATUS) & NEEDS_RESET:
                break
        else:
            raise AssertionError(f"queue {queue} takes an indirect descriptor")
        assert not nic.frames()
    await nic.init(features=REQUIRED)
    await echo_works(nic)
    nic.finish()


@pytest.mark.parametrize(
    "simulator",
    [
        pytest.param("verilator", marks=pytest.mark.slow),
        "icarus",  # it builds this in a second
        pytest.param("icarus-scattered", marks=pytest.mark.slow),
    ],
)
def test_nic_plain(simulator: str) -> None:
    run_block("fdw_nic", SOURCES, __name__, PLAIN, simulator)


@pytest.mark.slow
def test_traffic_of_a_nic_without_offloads() -> None:
    run_block("fdw_nic", SOURCES, "test_nic_traffic", TRAFFIC)


@pytest.mark.parametrize(
    ("features", "rule"),
    [
        (REQUIRED | 1 << 2, "FEATURES_must_be_of_those_there_are"),
        (REQUIRED | 1 << 63, "FEATURES_must_be_of_those_there_are"),
        (1 << 32, "FEATURES_must_have_the_required_ones"),
        (1 << 34, "FEATURES_must_have_the_required_ones"),
        (REQUIRED | 1 << 11, "FEATURES_must_have_what_others_need"),
        (REQUIRED | 1 << 12, "FEATURES_must_have_what_others_need"),
        (REQUIRED | 1 << 0 | 1 << 13, "FEATURES_must_have_what_others_need"),
    ],
)
def test_illegal_features_die_at_elaboration_naming_the_rule(features: int, rule: str) -> None:
    assert refused("fdw_nic", SOURCES, rule, FEATURES=f"64'h{features:016x}")
