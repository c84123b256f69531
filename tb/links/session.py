"""One run of a link, whatever its ends: wire, capture, programs, commands, and when it is over."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console

from pymodel.capture import Capture
from pymodel.link import Direction
from pymodel.ports import Frame
from pymodel.scheduler import Scheduler
from pymodel.simtime import MS
from pymodel.socket import Program
from pymodel.task import Blocking, Task, sleep_until
from tb.cosim.errand import Streams
from tb.links import namespace, services
from tb.links.ends import Ends
from tb.links.options import HOST, LINUX, Options
from tb.links.pace import Coupling
from tb.links.peers import Peer
from tb.links.show import Counters, Display, lines
from tb.run.command import RUNNERS, status_of

CAPTURE = "wire.pcapng"

START = 1 * MS
"""Simulated time that programs on the host have before the commands in the namespace begin."""


class Session:
    """`ends`: what is joined; `watched`: descriptors to wait for, and what to call then. `streams`: the
    command's standard input, output and error. `stop`: a descriptor that gives the number (a byte) of the
    signal by which the user ends the run. `cycles`: the NIC's cycles so far, 0 without a clock.

    `close` in any case.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        options: Options,
        ends: Ends,
        *,
        watched: dict[int, Callable[[], None]],
        console: Console,
        streams: Streams,
        stop: int,
        cycles: Callable[[], int] = lambda: 0,
    ) -> None:
        self.options = options
        self.stopped = 0
        """The signal that ended the run (`tb.links.stop`), 0 if none has."""
        self._stop_fd = stop
        self._scheduler = scheduler
        self._streams = streams
        self._cycles = cycles
        self._peers: list[Peer] = []
        self._foreground: Peer | None = None
        self._program: Program[Any] | None = None
        self._counters = Counters()
        self._began = time.monotonic()
        self._sim_began = scheduler.now
        self._ends = ends
        self.link = ends.link
        self.link.on_frame = self._frame
        watched[stop] = self._stop
        tap = None if ends.tap is None else ends.tap.fd
        self.coupling = Coupling(scheduler, ends, tap, watched, time.monotonic_ns)
        self.coupling.on_tick = self._tick
        self._capture = Capture((options.directory / CAPTURE).open("wb"))
        self._interface = self._capture.interface(options.name)
        self._console = console
        busy = bool(options.execute) and streams[1].isatty()  # a command that writes between our lines
        self._display = Display(console, names=ends.names, live=console.is_terminal and not busy)

    def bring_up(self) -> Task[None]:
        """Probe the NICs and configure the host's address; to be run until done."""
        return Task(self._scheduler, self._up(), "bring up")

    def _up(self) -> Blocking[None]:
        if self._ends.host is not None:
            yield from self._ends.host.bring_up()
        if self._ends.server is not None:
            yield from self._ends.server.find()

    def start_host(self) -> Task[None]:
        """Start what runs on the host; to be run until done: it then waits for others, or has had `START`.

        The wall's seconds that it takes to import what it needs are over before anybody can notice.
        """
        options, host = self.options, self._ends.host
        if host is not None and options.words is None:
            host.spawn(services.serve, options.serve, name="services")
            host.spawn(RUNNERS["module"], "tb.links.iperf3", "-s", name="iperf3")
        elif host is not None and options.words is not None:
            kind, target, arguments = options.words
            self._program = host.spawn(RUNNERS[kind], target, *arguments, name=target)
        return Task(self._scheduler, sleep_until(self._scheduler.now + START), "start")

    def start_outside(self) -> None:
        """Let clients come, and start the commands."""
        options = self.options
        if self._ends.server is not None:
            self._ends.server.start()
        for command in options.peers:
            self._peers.append(self._command(command))
        if options.execute:
            self._foreground = self._command(options.execute)
            self.coupling.watched[self._foreground.fd] = lambda: None  # it need only wake us
        elif options.words is None:
            self._console.print(self._greeting(), markup=False)

    def _greeting(self) -> str:
        options = self.options
        said = []
        if options.socket:
            how = "clients are looked for at" if options.connect else "clients are waited for at"
            said.append(f"{how} {options.socket}; {LINUX} is free for them.")
        if options.tap:
            serves = "is the kernel" if options.socket else "serves; the kernel is " + LINUX
            said.append(
                f"{HOST} {serves} on {options.name}. Another terminal gets in by\n  {namespace.way_in()}"
            )
        else:
            said.append(f"{HOST} serves.")
        return "\n".join([*said, "Ctrl-C ends it."])

    def _command(self, command: str) -> Peer:
        return Peer(command, self.options.environment, *self._streams)

    @property
    def over(self) -> bool:
        """Stopped, or what the run is for has ended."""
        if self.stopped:
            return True
        if self._foreground is not None:
            return self._foreground_ended
        return self._program is not None and self._program.done

    @property
    def _foreground_ended(self) -> bool:
        return self._foreground is not None and self._foreground.status is not None

    def _stop(self) -> None:
        told = os.read(self._stop_fd, 1)  # nothing: the command that would tell is gone
        self.stopped = told[0] if told else signal.SIGTERM

    def end(self) -> int:
        """End programs and commands; the exit status, 0 for a run that only a signal could end."""
        status = 0
        if self._foreground is not None:
            status = self._foreground.status or 0
        elif self._program is not None and self._program.done:
            status = status_of(self._program)
        if self.stopped and (self.options.execute or self._program is not None):
            status = 128 + self.stopped
        if self._ends.host is not None:
            self._ends.host.power_off()
        return status

    def shut(self) -> Task[None]:
        """Let a client go, and stop its NIC; to be run until done."""
        return Task(self._scheduler, self._shut(), "shut")

    def _shut(self) -> Blocking[None]:
        if self._ends.server is not None:
            yield from self._ends.server.shut()

    def close(self) -> None:
        """End what still runs; the capture is whole afterwards."""
        self._display.close()
        for peer in [*self._peers, *([self._foreground] if self._foreground is not None else [])]:
            peer.end()
        self._ends.close()
        self._capture.close()

    def report(self, *further: str) -> None:
        """The counters at the end, on standard error, and `further` lines."""
        now = self._now()
        told = lines(now, Counters(), self._ends.names)
        port = self._ends.port
        for count, what in (
            ()
            if port is None
            else (
                (port.bad, "frames with a wrong FCS did not get to the kernel"),
                (port.refused, "frames were refused by the kernel: its interface is down"),
            )
        ):
            if count:
                told.append(f"{count:,} {what}")
        if self._ends.server is not None:
            told.append(f"clients            {self._ends.server.clients}")
        told += [*further, f"capture            {self.options.directory / CAPTURE}"]
        self._console.print("\n".join(told), markup=False)

    def _frame(self, direction: Direction, frame: Frame) -> None:
        counters = self._counters
        outbound = direction is Direction.A_TO_B
        if outbound:
            counters.frames_out += 1
            counters.bytes_out += len(frame.data)
        else:
            counters.frames_in += 1
            counters.bytes_in += len(frame.data)
        self._capture.frame(self._interface, frame, inbound=not outbound)

    def _now(self) -> Counters:
        return Counters(
            **{
                **vars(self._counters),
                "simulated": self._scheduler.now - self._sim_began,
                "cycles": self._cycles(),
                "wall": time.monotonic() - self._began,
            }
        )

    def _tick(self) -> None:
        self._capture.flush()
        self._display.update(self._now())
