"""Conformance: registers, features, configuration space, interrupt line, queue set-up."""

import random

from bench import MAC, MTU, QUEUE_NUM_MAX, SETTLE, Bench, on_wire, random_frame, until
from rawdriver import (
    ACKNOWLEDGE,
    CONFIG,
    CONFIG_CHANGE,
    CONFIG_GENERATION,
    DEVICE_ID,
    DISABLE,
    DRIVER,
    DRIVER_FEATURES,
    DRIVER_FEATURES_SEL,
    DRIVER_OK,
    ENABLE,
    F_RING_PACKED,
    F_STATUS,
    F_VERSION_1,
    FEATURES_OK,
    INTERRUPT_ACK,
    INTERRUPT_STATUS,
    MAGIC,
    QUEUE_DESC,
    QUEUE_DEVICE,
    QUEUE_DRIVER,
    QUEUE_NOTIFY,
    QUEUE_NUM,
    QUEUE_READY,
    QUEUE_SEL,
    RX,
    STATUS,
    TX,
    USED_BUFFER,
    VERSION,
    RawDriver,
    RawQueue,
)
from rawdriver import QUEUE_NUM_MAX as QUEUE_NUM_MAX_AT

from pymodel.regs import Stat


async def identification_registers_read_as_specified(bench: Bench) -> None:
    raw = RawDriver(bench)
    assert (await raw.read(MAGIC)).to_bytes(4, "little") == b"virt"
    assert await raw.read(VERSION) == 2
    assert await raw.read(DEVICE_ID) == 1
    assert await raw.read(STATUS) == 0
    assert await raw.read(INTERRUPT_STATUS) == 0
    # §4.2.2: a region that does not exist has length -1 (0xffffffffffffffff).
    assert await raw.read(0xB0) == await raw.read(0xB4) == 0xFFFFFFFF
    assert not raw.irq


async def unknown_offsets_read_zero_and_ignore_writes(bench: Bench) -> None:
    raw = RawDriver(bench)
    for offset in (0x018, 0x054, 0x0F0, 0x1F8, 0xFFC, 0x1FFC):
        raw.write(offset, 0xFFFFFFFF)
        assert await raw.read(offset) == 0, f"{offset:#x}"
    assert await raw.read(STATUS) == 0


async def features_offered_are_those_of_the_contract(bench: Bench) -> None:
    raw = RawDriver(bench)
    assert await raw.features_offered() == RawDriver.OFFERED
    raw.write(0x014, 2)
    assert await raw.read(0x010) == 0, "§4.2.2: bits beyond 63 are not offered"


async def features_ok_sticks_for_legal_sets_only(bench: Bench) -> None:
    raw = RawDriver(bench)
    for features, legal in (
        (RawDriver.ALL, True),
        (RawDriver.MINIMAL, True),
        (RawDriver.ALL & ~F_VERSION_1, False),
        (RawDriver.ALL & ~F_RING_PACKED, False),
        (0, False),
        (RawDriver.ALL | 1 << 7, False),
        (RawDriver.ALL | 1 << 17, False),
        (RawDriver.ALL | 1 << 63, False),
    ):
        await raw.reset()
        assert await raw.accept(features) == legal, f"{features:#x}"


async def features_ok_does_not_stick_with_a_bit_beyond_63(bench: Bench) -> None:
    raw = RawDriver(bench)
    raw.write(DRIVER_FEATURES_SEL, 2)
    raw.write(DRIVER_FEATURES, 1)
    assert not await raw.accept(RawDriver.ALL)
    await raw.reset()
    assert await raw.accept(RawDriver.ALL)


async def status_bits_stay_set_until_reset(bench: Bench) -> None:
    raw = RawDriver(bench)
    assert await raw.accept(RawDriver.ALL)
    raw.write(STATUS, DRIVER_OK)
    assert await raw.read(STATUS) == ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK
    await raw.reset()
    assert await raw.read(STATUS) == 0


async def queue_registers_describe_two_queues(bench: Bench) -> None:
    raw = RawDriver(bench)
    for index, maximum in ((0, QUEUE_NUM_MAX), (1, QUEUE_NUM_MAX), (2, 0), (0xFFFF, 0), (0xFFFFFFFF, 0)):
        raw.write(QUEUE_SEL, index)
        assert await raw.read(QUEUE_NUM_MAX_AT) == maximum, f"queue {index}"
        assert await raw.read(QUEUE_READY) == 0


async def queue_ready_reads_back_and_reads_zero_at_once_when_disabled(bench: Bench) -> None:
    raw = RawDriver(bench)
    assert await raw.accept(RawDriver.ALL)
    for index in (RX, TX):
        queue = RawQueue(bench.memory, index, 7)
        raw.give_queue(queue)
        assert await raw.read(QUEUE_READY) == 1
        raw.write(QUEUE_READY, 0)
        assert await raw.read(QUEUE_READY) == 0
        raw.write(QUEUE_READY, 1)
        assert await raw.read(QUEUE_READY) == 1
        raw.write(QUEUE_SEL, 1 - index)
        assert await raw.read(QUEUE_READY) == (1 if index == TX else 0), "each queue has its own"
    await raw.reset()
    for index in (RX, TX):
        raw.write(QUEUE_SEL, index)
        assert await raw.read(QUEUE_READY) == 0


async def queue_with_illegal_size_does_not_become_ready(bench: Bench) -> None:
    raw = RawDriver(bench)
    assert await raw.accept(RawDriver.ALL)
    queue = RawQueue(bench.memory, TX, 4)
    for size in (0, QUEUE_NUM_MAX + 1, 0xFFFFFFFF):
        raw.give_queue(queue, ready=False)
        raw.write(QUEUE_NUM, size)
        raw.write(QUEUE_READY, 1)
        assert await raw.read(QUEUE_READY) == 0, f"size {size}"
    raw.give_queue(queue)
    assert await raw.read(QUEUE_READY) == 1


async def config_space_reads_in_all_widths_alike(bench: Bench) -> None:
    raw = RawDriver(bench)
    octets = bytes([await raw.read(CONFIG + n, 1) for n in range(12)])
    halves = b"".join([(await raw.read(CONFIG + n, 2)).to_bytes(2, "little") for n in range(0, 12, 2)])
    words = b"".join([(await raw.read(CONFIG + n, 4)).to_bytes(4, "little") for n in range(0, 12, 4)])
    assert octets == halves == words
    assert octets[:6] == MAC
    assert octets[6:8] == b"\x01\x00", "the link is up"
    assert octets[8:10] == b"\x01\x00", "one queue pair"
    assert octets[10:12] == MTU.to_bytes(2, "little")


async def link_change_raises_a_config_interrupt_and_shows_in_status(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start()
    for up in (False, True):
        generation = await raw.read(CONFIG_GENERATION)
        bench.set_link(up)
        await until(bench, lambda: raw.irq, "the config interrupt")
        assert await raw.read(INTERRUPT_STATUS) == CONFIG_CHANGE
        assert await raw.read(CONFIG + 6, 2) == (1 if up else 0)
        assert await raw.read(CONFIG_GENERATION) != generation
        raw.write(INTERRUPT_ACK, CONFIG_CHANGE)
        await until(bench, lambda: not raw.irq, "the line to fall")
        assert await raw.read(INTERRUPT_STATUS) == 0


async def link_change_without_the_status_feature_is_silent(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start(features=RawDriver.ALL & ~F_STATUS)
    bench.set_link(False)
    await bench.run_for(SETTLE)
    assert not raw.irq


async def interrupt_enabled_raises_the_line_and_ack_lowers_it(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start()
    for round_ in range(3):
        raw.post_tx(bytes(60))
        raw.notify(TX)
        await until(bench, lambda: raw.irq, "the interrupt")
        assert await raw.read(INTERRUPT_STATUS) == USED_BUFFER
        assert raw.tx.used() is not None, "used before its interrupt"
        raw.write(INTERRUPT_ACK, CONFIG_CHANGE)
        assert await raw.read(INTERRUPT_STATUS) == USED_BUFFER, "only bits written as 1 are cleared"
        raw.write(INTERRUPT_ACK, USED_BUFFER)
        await until(bench, lambda: not raw.irq, "the line to fall")
        assert await raw.read(INTERRUPT_STATUS) == 0
        assert raw.rises == round_ + 1


async def interrupt_disabled_stays_low_and_comes_with_the_next_after_enabling(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start()
    raw.tx.interrupts(DISABLE)
    raw.rx.interrupts(DISABLE)
    raw.rx.post(raw.space(12 + 60))
    raw.post_tx(bytes(60))
    for queue in (RX, TX):
        raw.notify(queue)
    await bench.wire_send(bytes(60))
    await raw.used(raw.tx)
    await raw.used(raw.rx)
    await bench.run_for(SETTLE)
    assert raw.rises == 0
    assert await raw.read(INTERRUPT_STATUS) == 0
    raw.rx.interrupts(ENABLE)
    raw.post_tx(bytes(60))
    raw.notify(TX)
    await raw.used(raw.tx)
    await bench.run_for(SETTLE)
    assert raw.rises == 0, "suppression is per queue"
    await raw.receive(bytes(60), raw.space(12 + 60))
    await until(bench, lambda: raw.irq, "the RX interrupt")


async def interrupt_flags_desc_count_as_enable(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start()
    raw.tx.interrupts(2)
    raw.post_tx(bytes(60))
    raw.notify(TX)
    await until(bench, lambda: raw.irq, "the interrupt")


async def absurd_notifies_are_ignored(bench: Bench) -> None:
    raw = RawDriver(bench)
    for queue in (RX, TX, 2, 0xFFFF, 0xFFFFFFFF):
        raw.notify(queue)
    await raw.start()
    for queue in (2, 3, 0xFFFF, 0x10000, 0x10001, 0xFFFFFFFF):
        raw.notify(queue)
    assert await raw.read64(Stat.TX_KICKS) == await raw.read64(Stat.RX_KICKS) == 0
    for _ in range(20):
        raw.notify(TX)
        raw.notify(RX)
    await bench.run_for(SETTLE)
    assert not raw.irq
    assert not bench.sent
    assert await raw.read(STATUS) == ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK
    raw.post_tx(bytes(64))
    for _ in range(20):
        raw.notify(TX)
    await raw.used(raw.tx)
    await bench.run_for(SETTLE)
    assert [frame.data for frame in bench.sent] == [on_wire(bytes(64))]
    assert raw.tx.used() is None


async def notify_before_driver_ok_starts_nothing(bench: Bench) -> None:
    raw = RawDriver(bench)
    assert await raw.accept(RawDriver.ALL)
    raw.tx = RawQueue(bench.memory, TX, 8)
    raw.rx = RawQueue(bench.memory, RX, 8)
    raw.give_queue(raw.tx)
    raw.post_tx(bytes(60))
    raw.notify(TX)
    await bench.run_for(SETTLE)
    assert not bench.sent
    assert raw.tx.used() is None
    assert await raw.read64(Stat.TX_KICKS) == 0


async def disabled_queue_makes_no_new_access_and_works_again_when_given_anew(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start(tx_size=5)
    await raw.send(*raw.pieces(bytes(12) + bytes(60), [12]))
    raw.write(QUEUE_SEL, TX)
    raw.write(QUEUE_READY, 0)
    assert await raw.read(QUEUE_READY) == 0
    await bench.run_for(SETTLE)
    snapshot = bench.memory.read(raw.tx.desc, 16 * 5), raw.tx.device_event()
    raw.post_tx(bytes(60))
    posted = bench.memory.read(raw.tx.desc, 16 * 5)
    raw.notify(TX)
    await bench.run_for(SETTLE)
    assert len(bench.sent) == 1
    assert bench.memory.read(raw.tx.desc, 16 * 5) == posted != snapshot[0]
    assert raw.tx.device_event() == snapshot[1]
    # A queue given again starts at index 0 with wrap counter 1 (§2.8.1).
    raw.tx = RawQueue(bench.memory, TX, 3)
    raw.give_queue(raw.tx)
    frame = random_frame(random.Random(bench.seed), 80)
    assert await raw.send(*raw.pieces(bytes(12) + frame, [12])) == on_wire(frame)


async def ring_registers_written_while_ready_change_nothing(bench: Bench) -> None:
    raw = RawDriver(bench)
    await raw.start(tx_size=5)
    raw.write(QUEUE_SEL, TX)
    for register in (QUEUE_DESC, QUEUE_DRIVER, QUEUE_DEVICE):
        raw.write(register, 0x1000)
        raw.write(register + 4, 0x1000)
    raw.write(QUEUE_NUM, 3)
    chain = raw.pieces(bytes(12) + bytes(60), [12])
    for _ in range(10):
        await raw.send(*chain)
    # Also not later: made ready again, the queue is where it was, from index 0 on.
    raw.write(QUEUE_READY, 0)
    assert await raw.read(QUEUE_READY) == 0
    await bench.run_for(SETTLE)
    raw.tx.restart()
    raw.write(QUEUE_READY, 1)
    for _ in range(10):
        await raw.send(*chain)


async def regression_narrow_writes_change_their_bytes_only(bench: Bench) -> None:
    """QueueNum, an address and the status, written byte by byte; STATUS and QUEUE_READY act on byte 0."""
    raw = RawDriver(bench)
    port = raw.port
    await raw.reset()
    assert await raw.accept(RawDriver.ALL)
    raw.tx = RawQueue(bench.memory, TX, 5)
    raw.write(QUEUE_SEL, 0xFF01)
    port.write(QUEUE_SEL + 1, 0, 1)
    raw.give_queue(raw.tx, ready=False)
    port.write(QUEUE_NUM, 0, 2)
    port.write(QUEUE_NUM, 5, 1)
    for register, address in ((QUEUE_DESC, raw.tx.desc), (QUEUE_DRIVER, raw.tx.driver)):
        raw.write(register, 0)
        raw.write(register + 4, 0)
        for at in range(8):
            port.write(register + at, address >> 8 * at & 0xFF, 1)
    raw.write(QUEUE_DEVICE, 0)
    for at in (2, 0):
        port.write(QUEUE_DEVICE + at, raw.tx.device >> 8 * at & 0xFFFF, 2)
    port.write(QUEUE_READY + 1, 1, 1)
    assert await raw.read(QUEUE_READY) == 0
    port.write(QUEUE_READY, 1, 1)
    assert await raw.read(QUEUE_READY) == 1
    port.write(STATUS, DRIVER_OK, 1)
    for at, size in ((1, 1), (2, 2), (3, 1)):
        port.write(STATUS + at, 0, size)
        port.write(QUEUE_READY + at, 0, size)
        port.write(QUEUE_NOTIFY + at, 0, size)
    assert await raw.read(STATUS) == ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK
    assert await raw.read(QUEUE_READY) == 1
    assert await raw.read64(Stat.RX_KICKS) == await raw.read64(Stat.TX_KICKS) == 0
    frame = random_frame(random.Random(bench.seed), 80)
    assert await raw.send(*raw.pieces(bytes(12) + frame, [12])) == on_wire(frame)
    await until(bench, lambda: raw.irq, "the interrupt")
    port.write(INTERRUPT_ACK + 1, 0xFF, 1)
    assert await raw.read(INTERRUPT_STATUS) == 1
    port.write(INTERRUPT_ACK, 1, 1)
    assert await raw.read(INTERRUPT_STATUS) == 0
    port.write(STATUS, 0, 1)
    await bench.run_for(SETTLE)
    assert await raw.read(STATUS) == 0


CASES = (
    identification_registers_read_as_specified,
    unknown_offsets_read_zero_and_ignore_writes,
    features_offered_are_those_of_the_contract,
    features_ok_sticks_for_legal_sets_only,
    features_ok_does_not_stick_with_a_bit_beyond_63,
    status_bits_stay_set_until_reset,
    queue_registers_describe_two_queues,
    queue_ready_reads_back_and_reads_zero_at_once_when_disabled,
    queue_with_illegal_size_does_not_become_ready,
    config_space_reads_in_all_widths_alike,
    link_change_raises_a_config_interrupt_and_shows_in_status,
    link_change_without_the_status_feature_is_silent,
    interrupt_enabled_raises_the_line_and_ack_lowers_it,
    interrupt_disabled_stays_low_and_comes_with_the_next_after_enabling,
    interrupt_flags_desc_count_as_enable,
    absurd_notifies_are_ignored,
    notify_before_driver_ok_starts_nothing,
    disabled_queue_makes_no_new_access_and_works_again_when_given_anew,
    ring_registers_written_while_ready_change_nothing,
    regression_narrow_writes_change_their_bytes_only,
)
