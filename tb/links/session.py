"""One run of `fdwire tap`, whatever the NIC: host, wire, capture, programs, commands, and when it is over."""

import os
import signal
import time
from collections.abc import Callable
from typing import IO, Any

from rich.console import Console

from pymodel.capture import Capture
from pymodel.host import Host, Nic
from pymodel.link import Direction, Impairments, Link
from pymodel.ports import Frame
from pymodel.scheduler import Scheduler
from pymodel.simtime import MS
from pymodel.socket import Program
from pymodel.task import Task, sleep_until
from tb.links import namespace, services
from tb.links.options import HOST, LINUX, PREFIX, Options
from tb.links.pace import Coupling
from tb.links.peers import Peer
from tb.links.port import TapPort
from tb.links.show import Counters, Display, lines
from tb.links.tap import IMPATIENT, PATIENT, Tap
from tb.run.command import RUNNERS, status_of

CAPTURE = "wire.pcapng"

START = 1 * MS
"""Simulated time that programs on the host have before the commands in the namespace begin."""


class Session:
    """`streams`: the command's standard input, output and error. `stop`: a descriptor that gives the number
    the signal (a byte) by which the user ends the run. `cycles`: the NIC's cycles so far, 0 without a clock.

    LinkError when the TAP cannot be made. `close` in any case.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        nic: Nic,
        options: Options,
        *,
        streams: tuple[IO[str], IO[str], IO[str]],
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
        self._tap = Tap(options.name)
        self._tap.configure(IMPATIENT if options.impaired else PATIENT)
        self.port = TapPort(scheduler, self._tap)
        impairments = Impairments(
            loss=options.loss, duplicate=options.duplicate, reorder=options.reorder, corrupt=options.corrupt
        )
        self.link = Link(scheduler, nic, self.port, impairments=impairments, seed=options.seed)
        self.link.on_frame = self._frame
        names = {"a": _address(HOST), "linux": _address(LINUX)}
        self.host = Host("a", scheduler, nic, address=f"{HOST}/{PREFIX}", names=names, seed=options.seed)
        self.coupling = Coupling(scheduler, self.port, self._tap.fd, {stop: self._stop}, time.monotonic_ns)
        self.coupling.on_tick = self._tick
        options.directory.mkdir(parents=True, exist_ok=True)
        self._capture = Capture((options.directory / CAPTURE).open("wb"))
        self._interface = self._capture.interface(options.name)
        self._console = Console(file=streams[2], soft_wrap=True, highlight=False)
        busy = bool(options.execute) and streams[1].isatty()  # a command that writes between our lines
        self._display = Display(self._console, live=self._console.is_terminal and not busy)

    def bring_up(self) -> Task[None]:
        """Probe the NIC and configure the host's address; to be run until done."""
        return Task(self._scheduler, self.host.bring_up(), "bring up")

    def start_host(self) -> Task[None]:
        """Start what runs on the host; to be run until done: it then waits for others, or has had `START`.

        The wall's seconds that it takes to import what it needs are over before anybody can notice.
        """
        options = self.options
        if options.words is None:
            self.host.spawn(services.serve, options.serve, name="services")
            self.host.spawn(RUNNERS["module"], "tb.links.iperf3", "-s", name="iperf3")
        else:
            kind, target, arguments = options.words
            self._program = self.host.spawn(RUNNERS[kind], target, *arguments, name=target)
        return Task(self._scheduler, sleep_until(self._scheduler.now + START), "start")

    def start_namespace(self) -> None:
        """Start what runs in the namespace."""
        options = self.options
        for command in options.peers:
            self._peers.append(self._command(command))
        if options.execute:
            self._foreground = self._command(options.execute)
            self.coupling.watched[self._foreground.fd] = lambda: None  # it need only wake us
        elif options.words is None:
            self._console.print(
                f"{HOST} serves; the kernel is {LINUX} on {options.name}. Another terminal gets in by\n"
                f"  {namespace.way_in()}\nCtrl-C ends it.",
                markup=False,
            )

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
        self.host.power_off()
        return status

    def close(self) -> None:
        """End what still runs; the capture is whole afterwards."""
        self._display.close()
        self._capture.close()
        for peer in [*self._peers, *([self._foreground] if self._foreground is not None else [])]:
            peer.end()
        self._tap.close()

    def report(self, *further: str) -> None:
        """The counters at the end, on standard error, and `further` lines."""
        now = self._now()
        told = lines(now, Counters())
        for count, what in (
            (self.port.bad, "frames with a wrong FCS did not get to the kernel"),
            (self.port.refused, "frames were refused by the kernel: its interface is down"),
        ):
            if count:
                told.append(f"{count:,} {what}")
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


def _address(text: str) -> bytes:
    return bytes(int(part) for part in text.split("."))
