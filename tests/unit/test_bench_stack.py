"""The yardsticks of the stack's benchmark: what they count, and when a limit is kept."""

import itertools
import json
import sys

import pytest

from pymodel.scheduler import Scheduler
from pymodel.simtime import NS, US
from pymodel.socket import AsyncSocket
from tb.bench import stack
from tb.bench.pipe import pipe_world


def test_ideal_goodput_is_what_the_headers_leave():
    # 1448 of 1538 bytes, and 8948 of 9038: IPv4 20, TCP 32, Ethernet 14 + 4, preamble 8, gap 12.
    assert stack.ideal(1500) == pytest.approx(9.41482, abs=1e-5)
    assert stack.ideal(9000) == pytest.approx(9.90042, abs=1e-5)


@pytest.mark.parametrize("count", [1, 7])
def test_message_in_a_crowd_is_three_packets_however_many_connections_there_are(count):
    crowd = stack.Crowd(count)
    near, far = crowd._device.frames, crowd._device.peer.frames
    assert crowd.cost(10) > 0
    crowd._world.run(lambda: crowd._device.peer.frames == far + 10)
    assert crowd._device.frames - near == 20
    crowd._world.power_off()


def test_pipe_carries_a_stream_at_line_rate():
    scheduler = Scheduler()
    world, device = pipe_world(scheduler)

    async def server():
        listener = AsyncSocket()
        listener.bind(("b", 7))
        listener.listen()
        sock, _ = await listener.accept()
        got = []
        while data := await sock.recv(65536):
            got.append((scheduler.now, len(data)))
        return got

    async def client():
        async with AsyncSocket() as sock:
            await sock.connect(("b", 7))
            await sock.sendall(bytes(400_000))

    program = world.b.spawn(server)
    world.a.spawn(client)
    world.run(lambda: program.done)
    marks = program.result()
    assert sum(size for _, size in marks) == 400_000
    times = [now for now, _ in marks[-60:-1]]
    # A full frame takes 1538 byte times of 0.8 ns.
    assert min(b - a for a, b in itertools.pairwise(times)) >= 1230 * NS
    assert times[-1] - times[0] < 60 * 1.4 * US * max(size for _, size in marks[-60:]) / 1448
    assert device.frames > 276


@pytest.mark.parametrize(
    ("poll", "whole", "size", "unit", "most"),
    [
        (stack.MODERATION, False, 1_400_000, 1448, 44),
        (stack.MODERATION, True, 1_400_000, 65_536, 390),
        (0, False, 400_000, 1448, 295),
    ],
    ids=["segment, GSO and GRO", "64 KiB in super-frames", "segment, one by one"],
)
def test_python_calls_for_a_piece_of_a_stream_stay_few(poll, whole, size, unit, most):
    # What costs time, but the same on every machine: functions of Python's that are called from `send` to
    # `recv`, acknowledgements and the bench's device included, once the window is open.
    world, _ = pipe_world(Scheduler(), poll=poll, whole=whole)
    transfer = stack.Transfer(world, size)
    world.run(lambda: transfer.received >= 0.7 * size)
    begin, calls = transfer.received, 0

    def profile(frame, event, argument):
        nonlocal calls
        calls += event == "call"

    sys.setprofile(profile)
    try:
        world.run(lambda: transfer.received >= 0.95 * size)
    finally:
        sys.setprofile(None)
    world.power_off()
    assert calls / ((transfer.received - begin) / unit) <= most


def test_limits_are_upper_for_costs_and_lower_for_goodput():
    record = stack.Record
    assert record("x", 24.9, "µs", 25.0).met and not record("x", 25.1, "µs", 25.0).met
    assert record("x", 9.4, "Gb/s", 9.3).met and not record("x", 9.2, "Gb/s", 9.3).met
    assert record("x", 1e9, "µs").met


def test_json_says_for_each_figure_whether_its_limit_is_kept():
    (entry,) = json.loads(stack.to_json([stack.Record("x", 30.0, "µs", 25.0)]))
    assert entry == {"name": "x", "value": 30.0, "unit": "µs", "limit": 25.0, "ratio": None, "met": False}
