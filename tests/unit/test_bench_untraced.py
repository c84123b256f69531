"""The yardstick of tracing: code in which nobody can listen does what it did."""

from collections.abc import Iterator

import pytest

from pymodel.link import Direction, Link
from pymodel.ports import Frame
from pymodel.scheduler import Scheduler
from pymodel.simtime import US
from tb.bench import untraced


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    codes = {function: function.__code__ for function in untraced.TAPS}
    yield
    for function, code in codes.items():
        function.__code__ = code


class Port:
    """One end of a link."""

    def __init__(self) -> None:
        self.arrived: list[bytes] = []

    def set_wire_handler(self, handler: object) -> None:
        self.send = handler

    def deliver(self, frame: Frame) -> None:
        self.arrived.append(frame.data)


@pytest.mark.parametrize("taken_out", [False, True])
def test_link_without_its_taps_carries_what_it_carried_and_nobody_hears_of_it(taken_out: bool) -> None:
    if taken_out:
        untraced.take_out()
    scheduler, a, b = Scheduler(), Port(), Port()
    link = Link(scheduler, a, b)  # type: ignore[arg-type]
    heard: list[Direction] = []
    link.on_frame = link.on_deliver = lambda direction, frame: heard.append(direction)
    a.send(Frame(b"frame", 0, 1))  # type: ignore[operator]
    scheduler.run_until(2 * US)
    assert b.arrived == [b"frame"] and link.counters(Direction.A_TO_B).delivered == 1
    assert len(heard) == (0 if taken_out else 2)


def test_question_that_is_not_in_the_code_any_more_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untraced, "TAPS", {Link.plug: "link.on_frame is not None"})
    with pytest.raises(RuntimeError, match=r"Link\.plug does not ask any more"):
        untraced.take_out()
