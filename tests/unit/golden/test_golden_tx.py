"""Frames out of the golden NIC: data, order, timing, used entries, suppression, driver errors."""

import struct
import zlib

import pytest
from mini_driver import AVAIL, DISABLE, ENABLE, INDIRECT, USED, WRITE

from pymodel.simtime import US


def wire(frame: bytes) -> bytes:
    body = frame.ljust(60, b"\0")
    return body + zlib.crc32(body).to_bytes(4, "little")


def test_short_frame_sent_is_padded_and_sealed(bench):
    bench.driver.start()
    bench.driver.send(b"\xff" * 14, 5)
    bench.run(10 * US)
    assert [f.data for f in bench.sent] == [wire(b"\xff" * 14)]
    assert bench.driver.tx.poll() == [(5, 0)]
    assert (bench.driver.counter(0x1180), bench.driver.counter(0x1188)) == (1, 64)


@pytest.mark.parametrize("length", [14, 59, 60, 61, 1514, 1518])
def test_frame_cut_anyhow_is_sent_whole(bench, seeded, length):
    bench.driver.start()
    frame = seeded.randbytes(length)
    for i in range(5):
        cuts = sorted(seeded.sample(range(1, 12 + length), seeded.randint(0, 5)))
        bench.driver.send(frame, i, cuts)
        bench.run(5 * US)
        assert bench.driver.tx.poll() == [(i, 0)]
    assert [f.data for f in bench.sent] == [wire(frame)] * 5


def test_frame_of_one_byte_more_than_the_maximum_is_counted_and_used_but_not_sent(bench):
    bench.driver.start()
    bench.driver.send(bytes(1519), 1)
    bench.driver.send(bytes(1518), 2)
    bench.driver.send(bytes(70000), 3, cuts=(3, 60000))
    bench.run(20 * US)
    assert [len(f.data) for f in bench.sent] == [1522]
    assert bench.driver.tx.poll() == [(1, 0), (2, 0), (3, 0)]
    assert bench.driver.counter(0x1190) == 2


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 100, 256])
def test_ring_of_any_size_many_laps_every_frame_in_order(bench, seeded, size):
    bench.driver.start(tx_size=size)
    expected = []
    done = 0
    for i in range(3 * size + 5):
        frame = seeded.randbytes(seeded.randint(14, 300))
        room = min(size, 4)
        cuts = sorted(seeded.sample(range(1, len(frame) + 12), seeded.randint(0, room - 1)))
        while sum(bench.driver.tx.counts.values()) + len(cuts) + 1 > size:
            bench.run(US)
            done += len(bench.driver.tx.poll())
        # Ids wander: the device must give back the last descriptor's id, not a slot number.
        bench.driver.send(frame, (i * 7 + 3) % 1021, cuts, kick=bool(seeded.getrandbits(1)))
        bench.nic.write(0x50, 1)
        expected.append(wire(frame))
    bench.run(400 * US)
    done += len(bench.driver.tx.poll())
    assert [f.data for f in bench.sent] == expected
    assert done == len(expected)


def test_full_load_frames_keep_the_minimum_gap_and_fill_the_wire(bench):
    bench.driver.start(tx_size=64)
    for i in range(60):
        bench.driver.send(bytes(1514), i, kick=False)
    bench.nic.write(0x50, 1)
    bench.run(200 * US)
    gaps = [b.start - a.end for a, b in zip(bench.sent, bench.sent[1:], strict=False)]
    assert len(gaps) == 59 and min(gaps) >= 12 * 800
    assert sum(gap == 12 * 800 for gap in gaps) > 50
    assert all(f.end - f.start == (8 + 1518) * 800 for f in bench.sent)


def test_later_descriptors_visible_before_the_head_nothing_is_sent_until_the_head_is(bench):
    bench.driver.start()
    tx, memory = bench.driver.tx, bench.memory
    buffers = [(bench.driver.buffer(bytes(30)), 30), (bench.driver.buffer(bytes(50)), 50)]
    tx.post(buffers, 9, kick=False)
    flags = memory.read(tx.ring + 14, 2)
    memory.write(tx.ring + 14, bytes(2))
    bench.nic.write(0x50, 1)
    bench.run(10 * US)
    assert bench.sent == []
    memory.write(tx.ring + 14, flags)
    bench.nic.write(0x50, 1)
    bench.run(10 * US)
    assert len(bench.sent) == 1
    assert tx.poll() == [(9, 0)]


def test_posted_between_enable_and_sleep_found_without_a_notify(bench):
    bench.driver.start()
    tx = bench.driver.tx
    bench.driver.send(bytes(60), 1)
    while tx.device_flags() != DISABLE:
        bench.scheduler.step()
    while tx.device_flags() != ENABLE:
        bench.scheduler.step()
    bench.driver.send(bytes(60), 2, kick=False)
    bench.run(10 * US)
    assert tx.poll() == [(1, 0), (2, 0)]
    assert tx.device_flags() == ENABLE


def test_idle_device_a_chain_without_notify_stays(bench):
    bench.driver.start()
    bench.driver.send(bytes(60), 1, kick=False)
    bench.run(10 * US)
    assert bench.sent == []


def test_event_suppression_decides_about_the_interrupt(bench):
    bench.driver.start()
    bench.driver.tx.suppress(DISABLE)
    bench.driver.send(bytes(60), 1)
    bench.run(10 * US)
    assert bench.driver.tx.poll() == [(1, 0)]
    assert bench.driver.levels == []
    for flags in (ENABLE, 2):  # DESC counts as ENABLE
        bench.driver.tx.suppress(flags)
        bench.driver.send(bytes(60), 1)
        bench.run(10 * US)
        assert bench.driver.levels[-1][1] is True
        assert bench.driver.read(0x60) == 1
        bench.nic.write(0x64, 1)
        bench.run(US)
        assert bench.driver.levels[-1][1] is False


def chain(*lengths: int):
    return lambda d: [(d.buffer(size=max(n, 1)), n) for n in lengths]


@pytest.mark.parametrize(
    ("buffers", "extra", "word"),
    [
        (chain(100, 0), (0, 0), "length 0"),
        (chain(100), (INDIRECT,), "INDIRECT"),
        (chain(100, 100), (0, WRITE), "device-writable"),
        (chain(25), (0,), "25 bytes"),
        (chain(10, 15), (0, 0), "25 bytes"),
        (lambda d: [(0x10, 100)], (0,), "error"),
    ],
)
def test_bad_tx_chain_device_needs_reset_and_works_after_it(bench, buffers, extra, word):
    driver = bench.driver
    driver.start()
    driver.send(bytes(60), 1)
    bench.run(10 * US)
    bench.nic.write(0x64, 1)
    driver.tx.poll()
    driver.tx.post(buffers(driver), 2, extra_flags=extra)
    driver.send(bytes(60), 3)
    bench.run(20 * US)
    assert word in bench.nic.faults[0]
    assert driver.read(0x70) & 0x40
    assert driver.read(0x60) & 2
    assert driver.levels[-1][1] is True
    assert driver.tx.poll() == [], "no ring activity any more"
    driver.bring_up()
    driver.send(bytes(61), 4)
    bench.run(20 * US)
    assert driver.tx.poll() == [(4, 0)]
    assert bench.sent[-1].data == wire(bytes(61))


def test_chain_without_end_device_needs_reset(bench):
    driver = bench.driver
    driver.start(tx_size=4)
    buffers = [(driver.buffer(bytes(20)), 20)] * 4
    driver.tx.post(buffers, 1, extra_flags=(0, 0, 0, 1))
    bench.run(20 * US)
    assert "more descriptors" in bench.nic.faults[0]
    assert bench.sent == []


def test_chain_as_long_as_the_ring_is_sent(bench):
    driver = bench.driver
    driver.start(tx_size=4)
    for i in range(3):
        driver.send(bytes(range(100)), i, cuts=(3, 20, 70))
        bench.run(10 * US)
        assert driver.tx.poll() == [(i, 0)]
    assert len(bench.sent) == 3


def test_used_flags_are_those_of_the_device_wrap_counter(bench):
    driver = bench.driver
    driver.start(tx_size=2)
    seen = []
    for i in range(6):
        driver.send(bytes(60), i)
        bench.run(10 * US)
        seen.append(struct.unpack("<H", bench.memory.read(driver.tx.ring + 16 * (i % 2) + 14, 2))[0])
        driver.tx.poll()
    assert seen == [AVAIL | USED, AVAIL | USED, 0, 0, AVAIL | USED, AVAIL | USED]


def test_queue_not_ready_no_access_until_ready_again_and_then_from_index_zero(bench):
    driver = bench.driver
    driver.start(tx_size=4)
    for i in range(3):
        driver.send(bytes(60), i)
        bench.run(10 * US)
    driver.tx.poll()
    bench.nic.write(0x30, 1)
    bench.nic.write(0x44, 0)
    bench.run(US)
    driver.send(bytes(60), 3)
    bench.run(10 * US)
    assert len(bench.sent) == 3
    driver.tx.restart()
    driver.set_up_queue(driver.tx)
    driver.send(bytes(60), 4)
    bench.run(10 * US)
    assert len(bench.sent) == 4
    assert driver.tx.poll() == [(4, 0)]


def test_reset_in_the_middle_of_traffic_frames_are_whole_or_absent_and_the_device_works(make, seeded):
    bench = make(dma_latency=2 * US)
    driver = bench.driver
    for round_ in range(20):
        if round_ == 0:
            driver.start()
        else:
            driver.bring_up()
        for i in range(8):
            driver.send(bytes([i]) * 200, i)
        bench.run(seeded.randrange(12 * US))
    driver.bring_up()
    bench.sent.clear()
    driver.send(b"\x77" * 100, 7)
    bench.run(50 * US)
    assert bench.sent[-1].data == wire(b"\x77" * 100)
    assert driver.tx.poll() == [(7, 0)]
    assert bench.nic.faults == []
