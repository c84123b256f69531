"""The register window of the golden NIC, by the numbers of virtio 1.2 §4.2.2."""

import pytest

from pymodel.simtime import US

STATUS, READY, ISR, ACK = 0x70, 0x44, 0x60, 0x64


def test_fresh_device_identifies_itself(bench):
    read = bench.driver.read
    assert [read(o) for o in (0x000, 0x004, 0x008)] == [0x74726976, 2, 1]
    assert [read(o) for o in (STATUS, ISR, READY, 0xFC)] == [0, 0, 0, 0]
    assert read(0xB0) == read(0xB4) == 0xFFFFFFFF
    assert read(0x1000) == 0x72776466
    assert read(0x0A8) == 0, "an unknown offset"


def test_feature_selector_shows_the_offered_bits(bench):
    values = []
    for sel in (0, 1, 2):
        bench.nic.write(0x14, sel)
        values.append(bench.driver.read(0x10))
    assert values == [
        sum(1 << bit for bit in (0, 1, 3, 5, 11, 12, 13, 15, 16, 28, 29)),
        1 << 0 | 1 << 1 | 1 << 2 | 1 << 4 | 1 << 8,
        0,
    ]


def test_config_space_read_by_bytes_halves_and_words_agrees(make):
    bench = make(mac=b"\x02\x11\x22\x33\x44\x55", mtu=1400)
    read = bench.driver.read
    assert bytes(read(0x100 + i, 1) for i in range(6)) == b"\x02\x11\x22\x33\x44\x55"
    assert read(0x100) == 0x33221102
    assert read(0x104) == 1 << 16 | 0x5544
    assert [read(0x106, 2), read(0x108, 2), read(0x10A, 2)] == [1, 1, 1400]


@pytest.mark.parametrize(
    ("features", "sticks"),
    [
        (1 << 32 | 1 << 34, True),
        (1 << 32 | 1 << 33 | 1 << 34 | 1 << 36 | 1 << 3 | 1 << 5 | 1 << 16, True),
        (1 << 32, False),
        (1 << 34, False),
        (0, False),
        (1 << 32 | 1 << 34 | 1 << 28, True),
        (1 << 32 | 1 << 34 | 1 << 11, False),
        (1 << 32 | 1 << 34 | 1 << 17, False),
        (1 << 32 | 1 << 34 | 1 << 15, True),
    ],
)
def test_accepted_features_decide_whether_features_ok_sticks(bench, features, sticks):
    assert bool(bench.driver.negotiate(features) & 8) is sticks


def test_feature_beyond_bit_63_accepted_features_ok_does_not_stick(bench):
    bench.nic.write(0x24, 2)
    bench.nic.write(0x20, 1)
    for sel, bits in ((0, 0), (1, 5)):
        bench.nic.write(0x24, sel)
        bench.nic.write(0x20, bits)
    bench.nic.write(STATUS, 11)
    assert bench.driver.read(STATUS) == 3


def test_driver_ok_without_features_ok_does_not_stick(bench):
    bench.nic.write(STATUS, 7)
    assert bench.driver.read(STATUS) == 3


def test_running_device_features_written_are_ignored(bench):
    bench.driver.start()
    bench.nic.write(0x24, 0)
    bench.nic.write(0x20, 0)
    bench.nic.write(STATUS, 15)
    assert bench.driver.read(STATUS) == 15
    bench.nic.set_link(False)
    assert bench.driver.read(ISR) == 2, "STATUS is still negotiated"


def test_ready_queue_geometry_written_is_ignored(bench):
    bench.driver.start()
    write = bench.nic.write
    for offset, value in (
        (0x30, 1),
        (0x38, 0),
        (0x80, 8),
        (0x84, 1),
        (0x90, 1),
        (0xA0, 1),
        (READY, 0),
        (READY, 1),
    ):
        write(offset, value)
    assert bench.driver.read(READY) == 1
    bench.driver.tx.restart()
    bench.driver.send(bytes(60))
    bench.run(10 * US)
    assert len(bench.sent) == 1


def test_absent_queue_selected_num_max_is_zero_and_ready_does_not_stick(bench):
    assert bench.driver.read(0x34) == 256
    bench.nic.write(0x30, 2)
    bench.nic.write(0x38, 16)
    bench.nic.write(READY, 1)
    assert (bench.driver.read(0x34), bench.driver.read(READY)) == (0, 0)


@pytest.mark.parametrize(
    ("num", "desc", "driver", "device", "sticks"),
    [
        (1, 0x1000, 0x2000, 0x3000, True),
        (100, 0x1010, 0x2004, 0x3004, True),
        (256, 0x1000, 0x2000, 0x3000, True),
        (0, 0x1000, 0x2000, 0x3000, False),
        (257, 0x1000, 0x2000, 0x3000, False),
        (16, 0x1008, 0x2000, 0x3000, False),
        (16, 0x1000, 0x2002, 0x3000, False),
        (16, 0x1000, 0x2000, 0x3001, False),
    ],
)
def test_queue_geometry_decides_whether_ready_sticks(bench, num, desc, driver, device, sticks):
    write = bench.nic.write
    for offset, value in ((0x30, 1), (0x38, num), (0x80, desc), (0x90, driver), (0xA0, device), (READY, 1)):
        write(offset, value)
    assert bench.driver.read(READY) == int(sticks)


def test_ready_queue_zero_written_reads_zero_at_once(bench):
    bench.driver.start()
    bench.nic.write(0x30, 1)
    assert bench.driver.read(READY) == 1
    bench.nic.write(READY, 0)
    assert bench.driver.read(READY) == 0


def test_status_zero_written_everything_but_the_statistics_is_cleared(bench):
    bench.driver.start()
    bench.driver.send(bytes(60))
    bench.run(10 * US)
    assert bench.driver.read(ISR) == 1
    assert bench.driver.counter(0x1180) == 1
    bench.nic.write(STATUS, 0)
    assert [bench.driver.read(o) for o in (STATUS, ISR, READY)] == [0, 0, 0]
    assert bench.driver.counter(0x1180) == 1
    assert bench.driver.levels[-1][1] is False


def test_reset_with_transfers_in_flight_status_reads_zero_only_when_they_have_ended(make):
    bench = make(dma_latency=5 * US)
    bench.driver.start()
    for i in range(3):
        bench.driver.send(bytes(500), i)
    bench.run(2 * US)
    bench.nic.write(STATUS, 0)
    assert bench.driver.read(STATUS) == 15
    bench.run(20 * US)
    assert bench.driver.read(STATUS) == 0
    assert bench.sent == []


def test_link_pulled_config_interrupt_status_and_generation_change(bench):
    bench.driver.start()
    bench.run(US)
    bench.nic.set_link(False)
    assert bench.driver.levels[-1][1] is True
    assert (bench.driver.read(ISR), bench.driver.read(0x106, 2), bench.driver.read(0xFC)) == (2, 0, 1)
    bench.nic.write(ACK, 2)
    bench.run(US)
    assert bench.driver.levels[-1][1] is False
    bench.nic.set_link(True)
    assert (bench.driver.read(ISR), bench.driver.read(0x106, 2), bench.driver.read(0xFC)) == (2, 1, 2)


def test_link_pulled_without_status_feature_no_interrupt(bench):
    bench.driver.start(features=1 << 32 | 1 << 34)
    bench.run(US)
    bench.nic.set_link(False)
    assert bench.driver.levels == []


def test_counter_grows_between_the_words_the_latched_high_word_is_read(bench):
    bench.nic.counters.tx_bytes = 0x1_FFFF_FFFF
    low = bench.driver.read(0x1188)
    bench.nic.counters.tx_bytes = 0x2_0000_0000
    assert low | bench.driver.read(0x118C) << 32 == 0x1_FFFF_FFFF


def test_regression_counters_read_interleaved_each_keeps_its_own_high_word(bench):
    bench.nic.counters.tx_bytes = 0x1_0000_0002
    bench.nic.counters.rx_bytes = 0x3_0000_0004
    assert [bench.driver.read(o) for o in (0x1188, 0x1108, 0x118C, 0x110C)] == [2, 4, 1, 3]


def test_absurd_notifies_are_ignored_and_good_ones_counted(bench):
    bench.nic.write(0x50, 0)
    bench.driver.start()
    for value in (0, 1, 1, 2, 0xFFFFFFFF, 0x10001):
        bench.nic.write(0x50, value)
    bench.run(10 * US)
    assert (bench.driver.counter(0x1150), bench.driver.counter(0x11A0)) == (1, 2)
    assert bench.nic.faults == []


def test_hardware_reset_clears_statistics_and_registers_and_the_device_works_again(bench):
    bench.driver.start()
    bench.driver.send(bytes(60))
    bench.run(10 * US)
    bench.nic.reset()
    assert bench.driver.levels[-1][1] is False
    assert [bench.driver.read(o) for o in (STATUS, ISR, READY)] == [0, 0, 0]
    assert bench.driver.counter(0x1180) == 0
    bench.driver.bring_up()
    bench.driver.send(bytes(60))
    bench.run(10 * US)
    assert len(bench.sent) == 2


@pytest.mark.parametrize(
    "bad", [{"mac": b"12345"}, {"queue_num_max": 0}, {"queue_num_max": 40000}, {"mtu": 60000}]
)
def test_impossible_parameters_are_refused(make, bad):
    with pytest.raises(ValueError):
        make(**bad)
