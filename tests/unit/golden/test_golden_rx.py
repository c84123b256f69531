"""Frames into the golden NIC: placement, classification, FIFO, used entries, driver errors."""

import pytest
from mini_driver import INDIRECT, WRITE

from pymodel.simtime import US

HEADER = bytes(10) + b"\x01\x00"
DROPS = {
    "bad_preamble": 0x1110,
    "code_error": 0x1118,
    "undersize": 0x1120,
    "oversize": 0x1128,
    "fcs_error": 0x1130,
    "disabled": 0x1138,
    "overflow": 0x1140,
}
FRAMES, BYTES, TRUNCATED = 0x1100, 0x1108, 0x1148


def stored(bench, buffers) -> bytes:
    return b"".join(bench.memory.read(address, length) for address, length in buffers)


def drops(bench) -> dict[str, int]:
    return {name: n for name, offset in DROPS.items() if (n := bench.driver.counter(offset))}


def test_frame_received_lies_behind_its_header_and_is_used(bench):
    bench.driver.start()
    buffers = bench.driver.post_rx((1530,), 3)
    body = bytes(range(200))
    bench.receive(body)
    bench.run(10 * US)
    assert bench.driver.rx.poll() == [(3, 212)]
    assert stored(bench, buffers) == HEADER + body + bytes(1530 - 212)
    assert bench.driver.levels[-1][1] is True
    assert (bench.driver.counter(FRAMES), bench.driver.counter(BYTES)) == (1, 204)


@pytest.mark.parametrize("sizes", [(12, 200), (5, 7, 100, 100), (211, 1), (1,) * 16 + (300,), (212,)])
def test_chain_cut_anyhow_is_filled_in_order(bench, sizes):
    bench.driver.start(rx_size=32)
    buffers = bench.driver.post_rx(sizes, 1)
    body = bytes(range(200))
    bench.receive(body)
    bench.run(10 * US)
    assert stored(bench, buffers)[:212] == HEADER + body
    assert bench.driver.rx.poll() == [(1, 212)]


def test_chain_one_byte_too_small_what_fits_is_written_and_used_with_length_zero(bench):
    bench.driver.start()
    buffers = bench.driver.post_rx((100, 111), 1)
    spare = bench.driver.post_rx((1530,), 2)
    bench.receive(bytes(range(200)))
    bench.receive(b"\xaa" * 60)
    bench.run(10 * US)
    assert bench.driver.rx.poll() == [(1, 0), (2, 72)]
    assert stored(bench, buffers) == (HEADER + bytes(range(200)))[:211]
    assert stored(bench, spare)[:72] == HEADER + b"\xaa" * 60
    assert (bench.driver.counter(TRUNCATED), bench.driver.counter(FRAMES)) == (1, 2)


@pytest.mark.parametrize(
    ("length", "fcs", "error", "reason"),
    [
        (59, None, False, "undersize"),
        (1519, None, False, "oversize"),
        (9000, None, False, "oversize"),
        (60, b"abcd", False, "fcs_error"),
        (60, None, True, "code_error"),
        (10, b"abcd", True, "code_error"),
        (59, b"abcd", False, "undersize"),
        (1519, b"abcd", False, "oversize"),
        (0, b"", False, "undersize"),
    ],
)
def test_bad_frame_is_counted_once_and_dropped(bench, length, fcs, error, reason):
    bench.driver.start()
    bench.driver.post_rx()
    bench.receive(bytes(length), fcs=fcs, error=error)
    bench.receive(b"\x11" * 60)
    bench.run(20 * US)
    assert drops(bench) == {reason: 1}
    assert bench.driver.counter(FRAMES) == 1
    assert bench.driver.rx.poll() == [(0, 72)]


@pytest.mark.parametrize("length", [60, 1518])
def test_frames_at_the_limits_are_stored(bench, length):
    bench.driver.start()
    bench.driver.post_rx()
    bench.receive(bytes(length))
    bench.run(20 * US)
    assert bench.driver.rx.poll() == [(0, 12 + length)]


def test_device_not_started_good_frame_counts_as_disabled(bench):
    bench.receive(bytes(60))
    bench.run(10 * US)
    assert drops(bench) == {"disabled": 1}
    bench.driver.start()
    bench.run(US)
    bench.nic.write(0x30, 0)
    bench.nic.write(0x44, 0)
    bench.run(US)
    bench.receive(bytes(60))
    bench.run(10 * US)
    assert drops(bench) == {"disabled": 2}


def test_no_buffers_frames_wait_until_the_fifo_is_full_then_overflow(make):
    bench = make(rx_fifo_bytes=4096)
    bench.driver.start()
    for i in range(10):
        bench.receive(bytes([i]) * 1000)
    bench.run(20 * US)
    assert bench.driver.counter(FRAMES) == 4
    assert drops(bench) == {"overflow": 6}
    buffers = [bench.driver.post_rx(buffer_id=i) for i in range(6)]
    bench.run(20 * US)
    assert bench.driver.rx.poll() == [(i, 1012) for i in range(4)]
    assert stored(bench, buffers[3])[12:1012] == b"\x03" * 1000
    bench.receive(b"\x99" * 1000)
    bench.run(20 * US)
    assert bench.driver.rx.poll() == [(4, 1012)], "room again"


@pytest.mark.parametrize("size", [1, 2, 5, 64])
def test_steady_traffic_with_refill_every_frame_arrives_in_order(bench, seeded, size):
    driver = bench.driver
    driver.start(rx_size=size)
    for i in range(size):
        driver.post_rx(buffer_id=i)
    posted = dict.fromkeys(range(size))
    assert posted
    lengths = [seeded.randint(60, 1518) for _ in range(150)]
    got = []
    for length in lengths:
        bench.receive(bytes(length))
        bench.run(3 * US)
        for buffer_id, used in driver.rx.poll():
            got.append(used - 12)
            driver.post_rx(buffer_id=buffer_id)
    bench.run(100 * US)
    got += [used - 12 for _, used in driver.rx.poll()]
    assert got == lengths
    assert drops(bench) == {}


@pytest.mark.parametrize(
    ("sizes", "extra", "word"),
    [
        ((1530,), (INDIRECT,), "INDIRECT"),
        ((100, 1530), (0, WRITE), "device-readable"),
        ((1530, 0), (0, 0), "length 0"),
    ],
)
def test_bad_rx_chain_device_needs_reset_and_works_after_it(bench, sizes, extra, word):
    driver = bench.driver
    driver.start()
    driver.rx.post([(driver.buffer(size=max(n, 1)), n) for n in sizes], 1, extra_flags=extra)
    bench.run(10 * US)
    assert word in bench.nic.faults[0]
    assert driver.read(0x70) & 0x40
    bench.receive(bytes(60))
    bench.run(10 * US)
    assert drops(bench) == {"disabled": 1}
    driver.bring_up()
    driver.post_rx()
    bench.receive(bytes(60))
    bench.run(10 * US)
    assert driver.rx.poll() == [(0, 72)]


def test_buffer_outside_memory_device_needs_reset(bench):
    driver = bench.driver
    driver.start()
    driver.rx.post([(0x10, 1530)], 1)
    bench.receive(bytes(60))
    bench.run(10 * US)
    assert driver.read(0x70) & 0x40
    assert driver.rx.poll() == []


def test_reset_with_frames_in_the_fifo_they_are_dropped(bench):
    driver = bench.driver
    driver.start()
    bench.receive(b"\x01" * 60)
    bench.run(10 * US)
    driver.bring_up()
    driver.post_rx()
    bench.run(10 * US)
    assert driver.rx.poll() == []
    bench.receive(b"\x02" * 61)
    bench.run(10 * US)
    assert driver.rx.poll() == [(0, 73)]
