"""Runs one script on one machine: event by event, as the original's interpreter does.

An event's relative time counts from when the one before it was dealt with. Packets that the machine sends
wait in a queue until the script asks for them; one that it never asks for harms nobody. A call that lasts
(`+0...0.1 read(…)`) runs beside the events after it, until the script makes its next call.
"""

from collections import deque
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from pymodel.simtime import SEC, US
from pymodel.task import Blocking, Task, Wait, WaitQueue
from tb.packetdrill import compare, inbound
from tb.packetdrill.assertions import Assertions
from tb.packetdrill.calls import Calls
from tb.packetdrill.config import Config
from tb.packetdrill.errors import ScriptError, ScriptFailure
from tb.packetdrill.flows import Flow, Flows
from tb.packetdrill.machine import Machine
from tb.packetdrill.syntax import (
    Call,
    Code,
    Command,
    Event,
    EventTime,
    Packet,
    Script,
    TcpSegment,
    TimeKind,
)
from tb.packetdrill.wire import ICMP, TCP, LivePacket, parse

_PATIENCE = 300 * SEC
"""How long a packet may take for which the script names no time."""


@dataclass
class _Lasting:
    """A system call that blocks: when it must return (ps), or None."""

    event: Event
    task: Task[None]
    due: int
    tolerance: int
    ended: int | None = None


class Runner:
    """One run of `script`. `config` holds the options of the script already."""

    def __init__(self, script: Script, config: Config, machine: Machine) -> None:
        self.script = script
        self.config = config
        self.machine = machine
        local, remote = IPv4Address(config.local_ip).packed, IPv4Address(config.remote_ip).packed
        self.flows = Flows(local, remote, config.bind_port)
        self.calls = Calls(machine, self.flows, config, local, remote)
        self.log: list[str] = []
        """What happened, line by line, in the script's language."""
        self._assertions = Assertions(self.calls)
        self._queue: deque[LivePacket] = deque()
        self._arrived = WaitQueue()
        self._lasting: _Lasting | None = None
        self._begin = 0
        self._last = 0

    @property
    def _now(self) -> int:
        """ps since the script began."""
        return self.machine.scheduler.now - self._begin

    def run(self) -> Blocking[None]:
        """The whole script. Raises ScriptFailure or ScriptError, with the line."""
        yield from self.machine.start(self._receive)
        for text, line in self.script.setup:
            try:
                yield from self.machine.command(text)
            except (ScriptFailure, ScriptError) as error:
                error.line = error.line or line
                raise
        self._begin = self.machine.scheduler.now
        self.calls.begun = self.machine.wall_clock()
        for event in self.script.events:
            try:
                yield from self._event(event)
            except (ScriptFailure, ScriptError) as error:
                error.line = error.line or event.line
                raise
        yield from self._finish_lasting()

    def _receive(self, time: int, data: bytes) -> None:
        packet = parse(data, time - self._begin)
        if packet is not None:
            self._queue.append(packet)
            self._arrived.wake()

    # ---- time

    def _event(self, event: Event) -> Blocking[None]:
        start, end = self._times(event.time)
        if start is not None and start + self.config.tolerance(0) < self._last:
            raise ScriptError(f"time goes backwards, from {self._last / SEC:.6f} s to {start / SEC:.6f} s")
        action = event.action
        tolerance = self.config.tolerance(max((start or 0) - self._last, 0))
        if isinstance(action, Packet) and not action.inbound:
            yield from self._outbound(action, start, end, tolerance)
        else:
            if start is not None:
                yield from self._until(start)
                if self._now > start + tolerance:
                    raise ScriptFailure(f"reached at {_seconds(self._now)}, {_seconds(start)} expected")
            yield from self._perform(event, start, tolerance)
        self._last = start if start is not None else self._now

    def _times(self, time: EventTime) -> tuple[int | None, int | None]:
        if time.kind is TimeKind.ANY:
            return None, None
        offset = self._now if time.kind is TimeKind.RELATIVE else 0
        return time.start + offset, None if time.end is None else time.end + offset

    def _until(self, when: int) -> Blocking[None]:
        while self._now < when:
            yield Wait(deadline=self._begin + when)

    def _perform(self, event: Event, start: int | None, tolerance: int) -> Blocking[None]:
        action = event.action
        if isinstance(action, Call):
            yield from self._call(event, action, tolerance)
        elif isinstance(action, Command):
            yield from self.machine.command(action.text)
        elif isinstance(action, Code):
            yield from self._assertions.run(action.text)
        else:
            assert isinstance(action, Packet)
            yield from self._inbound(action, event.source)

    # ---- system calls

    def _call(self, event: Event, call: Call, tolerance: int) -> Blocking[None]:
        yield from self._finish_lasting()
        began = self._now
        task = Task(self.machine.scheduler, self.calls.make(call), call.name)
        self.log.append(f"{_seconds(began)} {event.source}")
        if call.end is None:
            limit = began + self.config.tolerance(0)
            while not task.done and self._now < limit:
                yield Wait(task.finished, deadline=self._begin + limit)
            if not task.done:
                task.cancel()
                raise ScriptFailure(f"{call.name}() blocks, though the script gives no time for its return")
            task.result()
            return
        offset = began - event.time.start if event.time.kind is TimeKind.RELATIVE else 0
        due = call.end + offset
        lasting = _Lasting(event, task, due, self.config.tolerance(due - began))
        self._lasting = lasting

        def ended() -> None:
            lasting.ended = self._now

        task.finished.add(ended)
        yield Wait(deadline=self.machine.scheduler.now)

    def _finish_lasting(self) -> Blocking[None]:
        """Wait for the call that blocks, if one does, and judge its time and result."""
        lasting = self._lasting
        if lasting is None:
            return
        limit = lasting.due + lasting.tolerance
        while not lasting.task.done and self._now <= limit:
            yield Wait(lasting.task.finished, deadline=self._begin + limit + 1)
        self._lasting = None
        try:
            name = lasting.task.name
            if lasting.ended is None:
                lasting.task.cancel()
                raise ScriptFailure(f"{name}() has not returned by {_seconds(limit)}")
            lasting.task.result()
            if abs(lasting.ended - lasting.due) > lasting.tolerance:
                raise ScriptFailure(
                    f"{name}() returned at {_seconds(lasting.ended)}, {_seconds(lasting.due)} expected"
                )
        except (ScriptFailure, ScriptError) as error:
            error.line = error.line or lasting.event.line
            raise

    # ---- packets

    def _inbound(self, packet: Packet, source: str) -> Blocking[None]:
        self.log.append(f"{_seconds(self._now)} {source}")
        yield from self.machine.inject(inbound.build(packet, self.flows))

    def _next(self, limit: int) -> Blocking[tuple[LivePacket, Flow] | None]:
        """The next packet that is the script's business; None if there is none at `limit`."""
        while True:
            while self._queue:
                packet = self._queue.popleft()
                flow = self.flows.current if packet.protocol == ICMP else self.flows.for_live(packet)
                if flow is not None:
                    return packet, flow
            if self._now > limit:
                return None
            yield Wait(self._arrived, deadline=self._begin + limit + 1)

    def _outbound(
        self, expected: Packet, start: int | None, end: int | None, tolerance: int
    ) -> Blocking[None]:
        latest = self._now + _PATIENCE if start is None else (end if end is not None else start) + tolerance
        arrived = yield from self._next(latest)
        if arrived is None:
            when = f" by {_seconds(latest)}" if start is not None else ""
            raise ScriptFailure(f"no packet was sent{when}")
        packet, flow = arrived
        self._follow(expected, packet, flow)
        self._match(expected, packet, flow, start, end, tolerance)
        body = expected.body
        if isinstance(body, TcpSegment) and self._is_train(body, packet):
            yield from self._train(expected, body, packet, flow, start, end, tolerance)

    def _match(
        self,
        expected: Packet,
        packet: LivePacket,
        flow: Flow,
        start: int | None,
        end: int | None,
        tolerance: int,
    ) -> None:
        body = expected.body
        shown = expected
        if isinstance(body, TcpSegment) and self._is_train(body, packet):
            # One of several segments that the script writes as one: FIN belongs to the last, and PSH ends
            # each burst that the sender handed to its device at once, which the script does not show.
            flags = body.flags.replace("P", "").replace("F", "") + "P" * ("P" in packet.flags)
            shown = replace(expected, body=replace(body, flags=flags, length=packet.length))
        found = compare.differences(shown, packet, flow, self.config)
        sent = f"> {compare.describe(packet, flow)}"
        self.log.append(f"{_seconds(packet.time)} {sent}")
        if not found and start is not None:
            latest = end if end is not None else start
            if not start - tolerance <= packet.time <= latest + tolerance:
                span = _seconds(start) if end is None else f"{_seconds(start)} to {_seconds(end)}"
                found.append(compare.Difference("time", span, _seconds(packet.time)))
        if found:
            lines = [f"another packet was sent: {sent} at {_seconds(packet.time)}", *map(str, found)]
            raise ScriptFailure("\n  ".join(lines))

    def _is_train(self, body: TcpSegment, packet: LivePacket) -> bool:
        return (
            not self.config.strict_segments
            and packet.protocol == TCP
            and "S" not in body.flags
            and 0 < packet.length < body.length
        )

    def _train(
        self, expected: Packet, body: TcpSegment, first: LivePacket, flow: Flow,
        start: int | None, end: int | None, tolerance: int,
    ) -> Blocking[None]:  # fmt: skip
        """The other segments of a train that the script writes as one."""
        done = first.length
        latest = self._now + _PATIENCE if start is None else (end if end is not None else start) + tolerance
        while done < body.length:
            # CWR is on the first only (RFC 3168 §6.1.2), as segmentation offload leaves it.
            flags = body.flags.replace("W", "")
            left = replace(body, flags=flags, seq=body.seq + done, length=body.length - done)
            rest = replace(expected, body=left)
            arrived = yield from self._next(latest)
            if arrived is None:
                raise ScriptFailure(f"only {done} of {body.length} bytes were sent by {_seconds(latest)}")
            packet, owner = arrived
            self._match(rest, packet, owner, start, end, tolerance)
            if packet.length == 0:
                raise ScriptFailure(f"only {done} of {body.length} bytes were sent")
            done += packet.length

    def _follow(self, expected: Packet, packet: LivePacket, flow: Flow) -> None:
        """Keep track of the connection by what the machine sends."""
        self.flows.current = flow
        body = expected.body
        if isinstance(body, TcpSegment) and packet.protocol == TCP:
            if "S" in packet.flags and (flow.live_isn is None or flow.begins_anew):
                flow.learn_isn(body.seq, packet.seq)
            flow.fin_out |= "F" in packet.flags
            flow.reset |= "R" in packet.flags


def _seconds(time: int) -> str:
    return f"{time / SEC:.6f} s" if time % US else f"{time // US / 1_000_000:.6f} s"
