"""One run of `fdwire run -- PROGRAM`, whatever the NIC: programs, services, capture, and when it is over."""

import os
import shlex
import signal
import time
from typing import Final

from pymodel.capture import Capture
from pymodel.host import World
from pymodel.link import Direction
from pymodel.ports import Frame
from tb.cosim.errand import Streams
from tb.links.pace import Coupling
from tb.links.peers import Peer
from tb.preload.options import Options
from tb.preload.poller import Poller
from tb.preload.service import ENVIRONMENT, Service

CAPTURE: Final = "wire.pcapng"

_BEGIN: Final = 10.0
"""Seconds that those who serve have until they do, before the program begins all the same."""
_END: Final = 5.0
"""Seconds that what the program has sent has to arrive once it has ended, and its clients' peers to end."""
_AT_LEAST: Final = 0.2
"""Seconds that pass in any case: nobody acknowledges datagrams, and who got one is to write it."""
_UNSENT: Final = ("FIN_WAIT_1", "CLOSING", "LAST_ACK")
"""States of a connection that its program has closed, but not everything has arrived (RFC 9293 §3.3.2)."""


class Session:
    """`streams`: the command's standard input, output and error. `stop`: a descriptor that gives the number
    (a byte) of the signal by which the user ends the run. `close` in any case.
    """

    def __init__(self, world: World, options: Options, *, streams: Streams, stop: int) -> None:
        self.options = options
        self.world = world
        self.stopped = 0
        self._stop_fd = stop
        self._streams = streams
        self._poller = Poller()
        self._own = world.a if options.host == "a" else world.b
        self._other = world.b if options.host == "a" else world.a
        self._services: list[Service] = []
        self._peers: list[tuple[Peer, Service]] = []
        self._program: tuple[Peer, Service] | None = None
        self._until = time.monotonic() + _BEGIN
        self._ended_at = 0.0
        self._capture = Capture((options.directory / CAPTURE).open("wb"))
        self._interface = self._capture.interface("wire")
        world.link.on_frame = self._frame
        self.coupling = Coupling(
            world.scheduler, self._poller, self._poller.fileno(), {stop: self._stop}, time.monotonic_ns
        )

    def _frame(self, direction: Direction, frame: Frame) -> None:
        self._capture.frame(self._interface, frame, inbound=direction is not Direction.A_TO_B)

    def start(self) -> None:
        """Start what runs beside; the program follows once they serve."""
        for commands, host in ((self.options.peers, self._other), (self.options.beside, self._own)):
            for command in commands:
                service = Service(host, self._poller, command)
                self._services.append(service)
                self._peers.append((self._start(command, service), service))

    def _start(self, command: str, service: Service) -> Peer:
        own = self.options.environment
        preloaded = " ".join(filter(None, (self.options.library, own.get("LD_PRELOAD", ""))))
        environment = {**own, "LD_PRELOAD": preloaded, ENVIRONMENT: service.name}
        peer = Peer(command, environment, *self._streams)

        def wake() -> None:
            del self.coupling.watched[peer.fd]  # it need only wake us, once

        self.coupling.watched[peer.fd] = wake
        return peer

    def _stop(self) -> None:
        told = os.read(self._stop_fd, 1)  # nothing: the command that would tell is gone
        self.stopped = told[0] if told else signal.SIGTERM

    @property
    def over(self) -> bool:
        """Stopped, or the program has ended and what it sent has arrived. Starts it in its time."""
        if self.stopped:
            return True
        if self._program is None:
            ready = all(service.serving or peer.status is not None for peer, service in self._peers)
            if ready or time.monotonic() > self._until:
                service = Service(self._own, self._poller, self.options.words[0])
                self._services.append(service)
                self._program = self._start(f"exec {shlex.join(self.options.words)}", service), service
            return False
        peer, _ = self._program
        if peer.status is None:
            return False
        self._ended_at = self._ended_at or time.monotonic()
        since = time.monotonic() - self._ended_at
        return since > _END or (since > _AT_LEAST and self._settled)

    @property
    def _settled(self) -> bool:
        if any(service.flushing or service.delivering for service in self._services):
            return False
        for host in (self.world.a, self.world.b):
            if any(connection.state.name in _UNSENT for connection in host.tcp.connections.values()):
                return False
        # Who has no socket any more is about to end, and writes what it got.
        return all(service.ends or peer.status is not None for peer, service in self._peers)

    def end(self) -> int:
        """The exit status, once it is `over`."""
        if self.stopped:
            return 128 + self.stopped
        assert self._program is not None
        return self._program[0].status or 0

    def close(self) -> None:
        """End what still runs; the capture is whole afterwards."""
        for peer, _ in [*self._peers, *([self._program] if self._program is not None else [])]:
            peer.end()
        for service in self._services:
            service.close()
        self._poller.close()
        self._capture.close()
