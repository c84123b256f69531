"""The queues of `fdw_regs`: configuration, ready and stop, notify, device reset and RING_RESET.

virtio 1.2 §2.4.1, §2.6.1, §4.2.2; docs/device.md, "Registers and life".
"""

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge
from regs_bench import OK, RINGS, RUNNING, SETTLE, SHAPES, Ring, run_shape, shape, started
from simulators import SIMULATORS

from pymodel.regs import FEATURES_OFFERED, Feature, Reg, Stat, Status


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
async def reset_written_twice_still_ends(dut: Any) -> None:
    bench = await started(dut)
    await bench.initialise()
    dut.device_idle.value = 0
    await bench.write(Reg.STATUS, 0)
    await bench.write(Reg.STATUS, 0)
    assert await bench.read(Reg.STATUS) == RUNNING
    dut.device_idle.value = 1
    await bench.reset_device()


@SIMULATORS
@SHAPES
def test_regs_queues(simulator: str, parameters: dict[str, object]) -> None:
    run_shape(__name__, simulator, parameters)
