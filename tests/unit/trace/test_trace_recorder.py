"""When a recorder ends by itself, and what is as it was then."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pymodel.link import Direction
from pymodel.ports import Frame
from tb.lockstep import events as ev
from tb.trace.recorder import Recorder


class Bench:
    """What a recorder wants of a test bench, and what is made of it."""

    def __init__(self) -> None:
        self.checked: list[ev.Event] = []
        self.sent: list[Frame] = []
        self.checker = SimpleNamespace(observe=self.checked.append)
        self.observer: Callable[[ev.Event], None] | None = None
        self.rtl = SimpleNamespace(observe=self._observe)
        self.link = SimpleNamespace(on_frame=lambda _, frame: self.sent.append(frame), on_deliver=None)
        self.scheduler = SimpleNamespace(now=999)

    def _observe(self, observer: Callable[[ev.Event], None] | None) -> None:
        self.observer = observer


@pytest.mark.parametrize(
    ("limits", "last"), [({"most": 6}, 3), ({"until": 25}, 3), ({"until": 1000}, None), ({}, None)]
)
def test_recorder_ends_at_its_limit_and_is_gone(limits: dict[str, Any], last: int | None) -> None:
    bench = Bench()
    before = bench.link.on_frame, bench.checker.observe
    recorder = Recorder(bench, **limits)  # type: ignore[arg-type]
    frame = Frame(bytes(60), 0, 1)
    for n in range(8):
        bench.link.on_frame(Direction.B_TO_A, frame)
        assert bench.observer is not None
        bench.observer(ev.Irq(10 * n, n % 2 == 0))
    assert len(bench.checked) == len(bench.sent) == 8, "the others go on"
    assert recorder.ended == (None if last is None else 10 * last)
    full = [moment.time for moment in recorder.trace.moments if moment.track == ("trace",)]
    assert full == ([30] if "most" in limits else []), "the trace itself says where it was full"
    assert len(recorder.trace.moments) - len(full) == (12 if last is None else 6)
    recorder.finish()
    assert (bench.link.on_frame, bench.observer) == before
    assert recorder.ended == (999 if last is None else 10 * last)
