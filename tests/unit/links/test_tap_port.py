"""The TAP as an end of the wire: `tb.links.port`."""

import zlib

from pymodel.link import GAP
from pymodel.ports import Frame
from pymodel.scheduler import Scheduler
from pymodel.simtime import BYTE_TIME_10G
from tb.links.port import TapPort


class Tap:
    """Frames that wait in the kernel, and those that it got."""

    def __init__(self, *waiting: bytes, takes: bool = True) -> None:
        self.waiting = list(waiting)
        self.got: list[bytes] = []
        self.takes = takes

    def read(self) -> bytes | None:
        return self.waiting.pop(0) if self.waiting else None

    def write(self, frame: bytes) -> bool:
        self.got.append(frame)
        return self.takes


def test_frames_of_the_kernel_come_padded_sealed_one_after_the_other() -> None:
    scheduler = Scheduler()
    tap = Tap(b"a" * 42, b"b" * 100)
    port = TapPort(scheduler, tap)
    sent: list[Frame] = []
    port.set_wire_handler(sent.append)
    port.poll()
    port.poll()
    assert len(tap.waiting) == 1, "the second waits in the kernel while the first is on the wire"
    while scheduler.step():
        pass
    first, second = sent
    assert first.data[:60] == b"a" * 42 + bytes(18)
    assert first.data[60:] == zlib.crc32(first.data[:60]).to_bytes(4, "little")
    assert first.end - first.start == 72 * BYTE_TIME_10G
    assert len(second.data) == 104
    assert second.start == first.end + GAP


def test_frame_for_the_kernel_loses_its_fcs_and_comes_at_its_end() -> None:
    scheduler = Scheduler()
    tap = Tap()
    port = TapPort(scheduler, tap)
    data = bytes(range(60))
    port.deliver(Frame(data + zlib.crc32(data).to_bytes(4, "little"), 1000, 5000))
    scheduler.run_until(4999)
    assert tap.got == []
    scheduler.run_until(5000)
    assert tap.got == [data]


def test_frame_with_a_wrong_fcs_does_not_get_to_the_kernel() -> None:
    scheduler = Scheduler()
    tap = Tap()
    port = TapPort(scheduler, tap)
    port.deliver(Frame(bytes(64), 0, 10))
    scheduler.run_until(10)
    assert tap.got == [] and port.bad == 1


def test_frame_that_the_kernel_refuses_is_counted() -> None:
    scheduler = Scheduler()
    port = TapPort(scheduler, Tap(takes=False))
    data = bytes(60)
    port.deliver(Frame(data + zlib.crc32(data).to_bytes(4, "little"), 0, 10))
    scheduler.run_until(10)
    assert port.refused == 1
