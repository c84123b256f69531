"""`fdw_regs` as a virtio-mmio device: registers, negotiation, status, interrupts, configuration."""

from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from elaboration import refused
from regs_bench import OK, RINGS, RUNNING, SHAPES, SOURCES, Bench, run_shape, shape, started
from simulators import SIMULATORS

from pymodel.regs import FEATURES_OFFERED, REGISTERS, Config, Feature, Interrupt, Reg, Side, Status

MINIMUM = 1 << Feature.VERSION_1 | 1 << Feature.RING_PACKED
USED, CHANGE = int(Interrupt.USED_BUFFER), int(Interrupt.CONFIG_CHANGE)


# Values that virtio 1.2 §4.2.2 or the contract fixes, written down independently of the description.
CONSTANTS = {
    0x000: 0x74726976,
    0x004: 2,
    0x008: 1,
    0x00C: int.from_bytes(b"fdwr", "little"),
    0x010: sum(1 << bit for bit in (0, 1, 3, 5, 11, 12, 13, 15, 16, 28, 29)),
    0x044: 0,
    0x060: 0,
    0x070: 0,
    0x0B0: 0xFFFF_FFFF,
    0x0B4: 0xFFFF_FFFF,
    0x0B8: 0xFFFF_FFFF,
    0x0BC: 0xFFFF_FFFF,
    0x0C0: 0,
    0x0FC: 0,
    0x1000: int.from_bytes(b"fdwr", "little"),
    0x1004: 0x0001_0001,
}


async def window(bench: Bench) -> dict[int, int]:
    """Every word of the window that could be something: both blocks and their surroundings."""
    offsets = [*range(0, 0x120, 4), *range(0xFF0, 0x1300, 4), 0x1FFC]
    return {offset: await bench.read(offset) for offset in offsets}


@cocotb.test()
async def after_rst_every_register_reads_its_reset_value(dut: Any) -> None:
    bench = await started(dut)
    mac, mtu, num_max, queues = shape()
    expected = CONSTANTS | {
        0x034: num_max,
        0x100: int.from_bytes(mac.to_bytes(6, "big")[:4], "little"),
        0x104: int.from_bytes(mac.to_bytes(6, "big")[4:], "little") | 1 << 16,
        0x108: queues // 2 | mtu << 16,
        0x1008: mtu,
    }
    for offset, value in (await window(bench)).items():
        assert value == expected.get(offset, 0), f"{offset:#06x} reads {value:#x}"
    for register in REGISTERS:
        if register.reset is not None:
            value = await bench.read(register.offset, register.size)
            assert value == (register.reset if register.readable else 0), register.name
    assert dut.irq.value == 0 and dut.device_reset.value == 0 and dut.queue_enable.value == 0


@cocotb.test()
async def config_space_read_in_8_and_16_bit_pieces_gives_the_same_bytes(dut: Any) -> None:
    bench = await started(dut)
    mac, mtu, _, _ = shape()
    assert bytes([await bench.read(Config.MAC + i, 1) for i in range(6)]) == mac.to_bytes(6, "big")
    assert await bench.read(Config.STATUS, 2) == 1
    assert await bench.read(Config.STATUS, 1) == 1
    assert await bench.read(Config.MTU, 2) == mtu


@cocotb.test()
async def writes_to_read_only_and_unknown_offsets_change_nothing(dut: Any) -> None:
    bench = await started(dut)
    before = await window(bench)
    writable = {register.offset for register in REGISTERS if register.writable}
    for offset in before:
        if offset not in writable:
            await bench.write(offset, 0xFFFF_FFFF)
            await bench.write(offset, 0)
    assert await window(bench) == before


@cocotb.test()
async def mtu_written_while_status_is_0_shows_in_the_config_space_and_sets_the_longest_frame(
    dut: Any,
) -> None:
    bench = await started(dut)
    _, mtu, _, _ = shape()
    assert int(dut.max_frame.value) == mtu + 18
    for value in (68, 9000, 1280):
        await bench.write(Side.MTU, value)
        assert await bench.read(Side.MTU) == value == await bench.read(Config.MTU, 2)
        assert int(dut.max_frame.value) == value + 18
    for value in (0, 67, 9001, 0x1_0000 + 1500, 0xFFFF_FFFF):
        await bench.write(Side.MTU, value)
        assert await bench.read(Side.MTU) == 1280, f"{value} is out of range"
    await bench.write(Side.MTU + 1, 4, 1)
    assert await bench.read(Side.MTU) == 1024, "one byte was written"
    await bench.write(Reg.STATUS, Status.ACKNOWLEDGE)
    await bench.write(Side.MTU, 1500)
    assert await bench.read(Side.MTU) == 1024, "written while STATUS is not 0"
    dut.device_idle.value = 0
    await bench.write(Reg.STATUS, 0)
    await bench.write(Side.MTU, 1500)
    dut.device_idle.value = 1
    await bench.reset_device()
    assert await bench.read(Side.MTU) == 1024, "written during the reset"
    await bench.pulse("rst")
    await bench.cycles(1)
    assert await bench.read(Side.MTU) == mtu


@cocotb.test()
async def device_features_show_the_selected_window_and_zero_beyond(dut: Any) -> None:
    bench = await started(dut)
    for select, expected in (
        (1, 0x117),
        (0, 0x3001_B82B),
        (2, 0),
        (1 << 31, 0),
        (0x100, 0),
        (0x101, 0),
        (1, 0x117),
    ):
        await bench.write(Reg.DEVICE_FEATURES_SEL, select)
        assert await bench.read(Reg.DEVICE_FEATURES) == expected, hex(select)


@cocotb.test()
async def initialisation_in_the_order_of_the_specification_enables_both_queues(dut: Any) -> None:
    bench = await started(dut)
    assert await bench.negotiate() == OK
    for queue, ring in enumerate(RINGS):
        assert await bench.configure(queue, ring) == 1
    await bench.cycles(20)
    assert dut.queue_enable.value == 0, "enabled before DRIVER_OK"
    await bench.write(Reg.STATUS, RUNNING)
    await bench.cycles(2)
    assert dut.queue_enable.value == 3
    for queue, ring in enumerate(RINGS):
        assert bench.slice("queue_size", queue, 16) == ring.num
        assert bench.slice("desc_addr", queue, 64) == ring.desc
        assert bench.slice("driver_addr", queue, 64) == ring.driver
        assert bench.slice("device_addr", queue, 64) == ring.device
    assert dut.irq.value == 0


@cocotb.test()
async def illegal_feature_sets_refuse_features_ok_and_driver_ok_until_corrected(dut: Any) -> None:
    bench = await started(dut)
    not_offered = [bit for bit in range(64) if not FEATURES_OFFERED >> bit & 1]
    refused = [
        0,
        1 << Feature.VERSION_1,
        1 << Feature.RING_PACKED,
        FEATURES_OFFERED & ~(1 << Feature.RING_PACKED),
    ]
    refused += [FEATURES_OFFERED & ~(1 << Feature.VERSION_1)] + [MINIMUM | 1 << bit for bit in not_offered]
    tso, six, csum, ecn = (1 << bit for bit in (11, 12, 0, 13))
    # Without what they need (§5.1.3.1).
    refused += [MINIMUM | tso, MINIMUM | six, MINIMUM | csum | ecn, MINIMUM | tso | six | ecn]
    for features in refused:
        assert await bench.negotiate(features) == OK & ~Status.FEATURES_OK, hex(features)
        await bench.write(Reg.STATUS, RUNNING)
        assert await bench.read(Reg.STATUS) == OK & ~Status.FEATURES_OK, "DRIVER_OK without FEATURES_OK"
    offloads = (0, csum | tso, csum | six, csum | tso | ecn, csum | six | ecn)
    for features in (*(MINIMUM | some for some in offloads), FEATURES_OFFERED):
        assert await bench.negotiate(features) == OK
        await bench.reset_device()


@cocotb.test()
async def feature_accepted_beyond_bit_63_is_refused_until_reset(dut: Any) -> None:
    bench = await started(dut)
    for select in (2, 0x100, 0x8000_0000):
        await bench.write(Reg.DRIVER_FEATURES_SEL, select)
        await bench.write(Reg.DRIVER_FEATURES, 0)
    assert await bench.negotiate() == OK, "zeros are no acceptance"
    await bench.reset_device()
    await bench.write(Reg.DRIVER_FEATURES_SEL, 2)
    await bench.write(Reg.DRIVER_FEATURES, 1)
    await bench.write(Reg.DRIVER_FEATURES, 0)
    assert await bench.negotiate() == OK & ~Status.FEATURES_OK
    await bench.reset_device()
    assert await bench.negotiate() == OK


@cocotb.test()
async def features_written_after_features_ok_are_ignored(dut: Any) -> None:
    bench = await started(dut)
    await bench.initialise(MINIMUM)
    await bench.accept(FEATURES_OFFERED)
    dut.link_up.value = 0
    await bench.cycles(3)
    assert await bench.read(Reg.INTERRUPT_STATUS) == 0, "STATUS was not negotiated"


@cocotb.test()
async def status_bits_once_set_stay_until_reset(dut: Any) -> None:
    bench = await started(dut)
    await bench.initialise()
    await bench.write(Reg.STATUS, Status.ACKNOWLEDGE)
    assert await bench.read(Reg.STATUS) == RUNNING
    await bench.write(Reg.STATUS, Status.DEVICE_NEEDS_RESET | 0xFFFF_FF30)
    assert await bench.read(Reg.STATUS) == RUNNING, "the driver cannot set DEVICE_NEEDS_RESET or unknown bits"
    await bench.write(Reg.STATUS, Status.FAILED)
    assert await bench.read(Reg.STATUS) == RUNNING | Status.FAILED


@cocotb.test()
async def reset_returns_the_selectors_to_zero(dut: Any) -> None:
    bench = await started(dut)
    await bench.write(Reg.QUEUE_SEL, 99)
    await bench.write(Reg.DEVICE_FEATURES_SEL, 1)
    await bench.write(Reg.DRIVER_FEATURES_SEL, 1)
    await bench.reset_device()
    assert await bench.read(Reg.QUEUE_NUM_MAX) == shape()[2]
    assert await bench.read(Reg.DEVICE_FEATURES) == FEATURES_OFFERED & 0xFFFF_FFFF
    await bench.write(Reg.DRIVER_FEATURES, 1 << Feature.MAC)
    await bench.write(Reg.DRIVER_FEATURES_SEL, 1)
    await bench.write(Reg.DRIVER_FEATURES, MINIMUM >> 32)
    await bench.write(Reg.STATUS, OK)
    assert await bench.read(Reg.STATUS) == OK


@cocotb.test()
async def used_interrupt_raises_irq_until_acknowledged(dut: Any) -> None:
    bench = await started(dut)
    await bench.pulse("used_interrupt", 1)
    await bench.cycles(2)
    assert dut.irq.value == 0, "before DRIVER_OK nothing interrupts"
    await bench.initialise()
    for source in (0b01, 0b10, 0b11):
        await bench.pulse("used_interrupt", source)
        await RisingEdge(dut.clk)
        assert dut.irq.value == 1
        assert await bench.read(Reg.INTERRUPT_STATUS) == USED
        await bench.write(Reg.INTERRUPT_ACK, CHANGE)
        assert await bench.read(Reg.INTERRUPT_STATUS) == USED, "the other bit was acknowledged"
        await bench.write(Reg.INTERRUPT_ACK, USED)
        assert await bench.read(Reg.INTERRUPT_STATUS) == 0
        assert dut.irq.value == 0


@cocotb.test()
async def interrupt_in_the_cycle_of_its_acknowledgement_is_not_lost(dut: Any) -> None:
    bench = await started(dut)
    await bench.initialise()

    async def race(delay: int | None) -> tuple[int, int]:
        """Cycles from the write's start to irq low, and the status at the end."""
        await bench.pulse("used_interrupt", 1)
        await bench.cycles(3)
        write = cocotb.start_soon(bench.write(Reg.INTERRUPT_ACK, USED))
        fell = 0
        for cycle in range(12):
            dut.used_interrupt.value = int(cycle == delay)
            await RisingEdge(dut.clk)
            if not fell and not dut.irq.value:
                fell = cycle
        await write
        status = await bench.read(Reg.INTERRUPT_STATUS)
        await bench.write(Reg.INTERRUPT_ACK, USED)
        return fell, status

    # irq is seen low one edge after the one at which the acknowledgement took effect.
    fell, status = await race(None)
    assert fell and status == 0
    effect = fell - 1
    assert await race(effect - 1) == (fell, 0)
    assert await race(effect) == (0, USED)
    assert (await race(effect + 1))[1] == USED


@cocotb.test()
async def link_change_shows_in_config_and_interrupts_if_status_was_negotiated(dut: Any) -> None:
    bench = await started(dut)
    dut.link_up.value = 0
    await bench.cycles(3)
    assert await bench.read(Reg.CONFIG_GENERATION) == 1
    assert await bench.read(Config.STATUS, 2) == 0
    assert dut.irq.value == 0, "nothing is negotiated"
    assert await bench.negotiate() == OK
    dut.link_up.value = 1
    await bench.cycles(3)
    assert dut.irq.value == 0, "before DRIVER_OK"
    await bench.initialise()
    for change, level in enumerate((0, 1, 0)):
        dut.link_up.value = level
        await bench.cycles(3)
        assert dut.irq.value == 1
        assert await bench.read(Reg.INTERRUPT_STATUS) == CHANGE
        assert await bench.read(Config.STATUS, 2) == level
        assert await bench.read(Reg.CONFIG_GENERATION) == 3 + change
        await bench.write(Reg.INTERRUPT_ACK, CHANGE)
    assert dut.irq.value == 0
    await bench.reset_device()
    assert await bench.read(Reg.CONFIG_GENERATION) == 5, "device reset must not repeat a generation"
    await bench.initialise(FEATURES_OFFERED & ~(1 << Feature.STATUS))
    dut.link_up.value = 1
    await bench.cycles(3)
    assert dut.irq.value == 0
    assert await bench.read(Reg.CONFIG_GENERATION) == 6


@cocotb.test()
async def fatal_while_running_stops_the_queues_and_interrupts_once_until_reset(dut: Any) -> None:
    bench = await started(dut)
    await bench.initialise()
    await bench.pulse("fatal")
    await RisingEdge(dut.clk)
    assert dut.queue_enable.value == 0 and dut.irq.value == 1
    assert await bench.read(Reg.STATUS) == RUNNING | Status.DEVICE_NEEDS_RESET
    assert await bench.read(Reg.INTERRUPT_STATUS) == CHANGE
    await bench.write(Reg.INTERRUPT_ACK, CHANGE)
    await bench.pulse("fatal")
    await bench.write(Reg.QUEUE_NOTIFY, 1)
    await bench.write(Reg.STATUS, RUNNING)
    assert await bench.read(Reg.STATUS) == RUNNING | Status.DEVICE_NEEDS_RESET
    await bench.cycles(20)
    assert dut.irq.value == 0 and dut.queue_enable.value == 0 and bench.kicks == [0] * bench.queues
    await bench.reset_device()
    await bench.initialise()
    await bench.write(Reg.QUEUE_NOTIFY, 1)
    await bench.cycles(2)
    assert bench.kicks[1] == 1


@cocotb.test()
async def fatal_before_driver_ok_sets_needs_reset_without_interrupt(dut: Any) -> None:
    bench = await started(dut)
    assert await bench.negotiate() == OK
    await bench.pulse("fatal")
    assert await bench.read(Reg.STATUS) == OK | Status.DEVICE_NEEDS_RESET
    assert dut.irq.value == 0
    await bench.write(Reg.STATUS, RUNNING)
    await bench.cycles(20)
    assert dut.queue_enable.value == 0


@cocotb.test()
async def rst_pin_returns_everything_to_power_on(dut: Any) -> None:
    bench = await started(dut)
    before = await window(bench)
    await bench.initialise()
    await bench.pulse("stat_tx_oversize")
    await bench.write(Reg.QUEUE_NOTIFY, 0)
    await bench.pulse("fatal")
    dut.link_up.value = 0
    await bench.cycles(2)
    dut.link_up.value = 1
    await bench.cycles(2)
    await bench.pulse("rst")
    await bench.cycles(1)
    assert await window(bench) == before
    assert await bench.read(Side.VERSION) == 0x0001_0001


@SIMULATORS
@SHAPES
def test_regs(simulator: str, parameters: dict[str, object]) -> None:
    run_shape(__name__, simulator, parameters)


@pytest.mark.parametrize(
    ("parameter", "value", "rule"),
    [
        ("QUEUE_NUM_MAX", "0", "QUEUE_NUM_MAX_must_be_1_to_32768"),
        ("QUEUE_NUM_MAX", "32769", "QUEUE_NUM_MAX_must_be_1_to_32768"),
        ("QUEUES", "1", "QUEUES_must_be_even_and_2_to_16"),
        ("QUEUES", "3", "QUEUES_must_be_even_and_2_to_16"),
        ("QUEUES", "18", "QUEUES_must_be_even_and_2_to_16"),
        ("MTU", "67", "MTU_must_be_68_to_MTU_MAX"),
        ("MTU", "9001", "MTU_must_be_68_to_MTU_MAX"),
        ("MTU_MAX", "65501", "MTU_MAX_must_be_68_to_65500"),
        ("MAC_ADDRESS", "48'h010000000000", "MAC_ADDRESS_must_be_a_unicast_address"),
        ("MAC_ADDRESS", "48'h0", "MAC_ADDRESS_must_be_a_unicast_address"),
    ],
)
def test_illegal_parameter_fails_elaboration_naming_the_rule(parameter: str, value: str, rule: str) -> None:
    assert refused("fdw_regs", SOURCES, rule, **{parameter: value})
