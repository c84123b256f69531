"""Records a testbench: both hosts, the RTL NIC's ports, the wire."""

from pathlib import Path

from pymodel.link import Direction
from pymodel.ports import Frame
from tb.lockstep import events as ev
from tb.testbench import Testbench
from tb.trace.flows import Flows
from tb.trace.frames import Frames
from tb.trace.moments import Trace
from tb.trace.nic import Handed, NicRecorder
from tb.trace.stack import StackRecorder

MOST = 400_000
"""Moments of which a trace is made at most, that it fits into memory: half a GB."""


class Recorder:
    """Records `bench` from its NIC's first register access on, its hosts from `hosts_up` on.

    Make it before `bench.bring_up()`: what the NIC fetched by then is needed to know its buffers; and behind
    what has `bench.link.on_frame`, which goes on to see every frame. It ends by itself at `until` (ps), or
    when there are `most` moments and samples; from then on the run is one without it. `ended`: when (ps).
    """

    def __init__(self, bench: Testbench, *, until: int | None = None, most: int = MOST) -> None:
        self.trace = Trace()
        self.ended: int | None = None
        self._bench = bench
        self._until = until
        self._most = most
        self._flows = Flows()
        self._frames = Frames(self.trace.frames)
        self._handed = Handed()
        self._stacks: list[StackRecorder] = []
        self._nic = NicRecorder(self.trace, self._flows, self._frames, self._handed, "A", "B")
        self._sent = bench.link.on_frame
        self._arrived = bench.link.on_deliver
        bench.link.on_frame = self._frame
        bench.link.on_deliver = self._deliver
        bench.rtl.observe(self._observe)

    def hosts_up(self) -> None:
        """Both hosts have their interfaces: record their stacks, too."""
        for label, host in (("A", self._bench.a), ("B", self._bench.b)):
            handed = self._handed if host is self._bench.a else Handed()
            stack = StackRecorder(self.trace, self._flows, self._frames, handed, host, label)
            self._stacks.append(stack)

    def finish(self, file: Path | None = None) -> None:
        """Stop recording the hosts, and write what there is to `file` as a Perfetto trace."""
        self._stop(self._bench.scheduler.now)
        if file is not None:
            from tb.trace import perfetto_file  # takes a moment

            with file.open("wb") as out:
                out.writelines(perfetto_file.encode(self.trace))

    def _stop(self, now: int) -> None:
        while self._stacks:
            self._stacks.pop().close()
        if self.ended is None:
            self.ended = now
            self._bench.link.on_frame = self._sent
            self._bench.link.on_deliver = self._arrived
            check = self._bench.checker
            self._bench.rtl.observe(None if check is None else check.observe)

    def _observe(self, event: ev.Event) -> None:
        check = self._bench.checker
        if check is not None:
            check.observe(event)
        if self.ended is not None:
            return
        self._nic.event(event)
        full = len(self.trace.moments) + len(self.trace.samples) >= self._most
        if full:
            self.trace.say(event.time, ("trace",), "full: what came later is not in it")
        if full or (self._until is not None and event.time >= self._until):
            self._stop(event.time)

    def _frame(self, direction: Direction, frame: Frame) -> None:
        """A frame was sent; what the RTL NIC sent was among its events."""
        if self._sent is not None:
            self._sent(direction, frame)
        if direction is Direction.B_TO_A:
            number = self._frames.left(frame.data, self._flows)
            self._at_b("leaves", frame, number)

    def _deliver(self, direction: Direction, frame: Frame) -> None:
        if self._arrived is not None:
            self._arrived(direction, frame)
        numbers = self._frames.seen(frame.data)
        if direction is Direction.A_TO_B and numbers:
            self._at_b("arrives", frame, numbers[0])

    def _at_b(self, what: str, frame: Frame, number: int) -> None:
        """Host B's NIC is the golden model, which takes no time of its own."""
        self.trace.say(
            frame.start,
            ("host B", "NIC (golden model)"),
            f"frame {what}",
            self.trace.frames[number - 1],
            end=frame.end,
            details={"bytes": len(frame.data)},
            frames=[number],
        )
