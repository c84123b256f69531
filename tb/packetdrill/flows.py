"""Which connection a packet of the script belongs to, and how its numbers map to live ones.

A script speaks of one connection at a time and counts from its own initial sequence numbers. The machine
chooses its own: what it sends is shifted by the difference that its SYN showed. Numbers that come from the
script's side (the remote host) are sent as they are written. Timestamps likewise: those of the script's side
are literal, those of the machine are remembered pair by pair.
"""

from dataclasses import dataclass, field
from typing import Final

from tb.packetdrill.wire import TCP, UDP, LivePacket

MASK: Final = 0xFFFF_FFFF
_FIRST_REMOTE_PORT: Final = 50_000

Address = tuple[bytes, int]


@dataclass(eq=False)
class Flow:
    """One connection, listening socket or UDP socket.

    `fd`: the machine's descriptor, None while nobody has accepted it. Port 0: not known yet.
    """

    protocol: int
    fd: int | None
    local: Address
    remote: Address
    listening: bool = False
    script_isn: int = 0
    live_isn: int | None = None
    """None until the machine's SYN has been seen."""
    fin_in: bool = False
    fin_out: bool = False
    reset: bool = False
    begins_anew: bool = False
    """A SYN came when everything was over: a SYN,ACK that follows starts other numbers."""
    live_stamp: dict[int, int] = field(default_factory=dict)
    """The machine's timestamps, from the script's to live."""
    first_stamp: tuple[int, int, int] | None = None
    """The first pair with its time (ps): script, live, when."""

    @property
    def over(self) -> bool:
        """Both sides have closed, or one has reset: a SYN begins something new."""
        return self.reset or (self.fin_in and self.fin_out)

    def to_live(self, number: int) -> int:
        """A sequence number of the machine, from the script's to live."""
        return (number - self.script_isn + (self.live_isn or 0)) & MASK

    def to_script(self, number: int) -> int:
        """A sequence number of the machine, from live to the script's."""
        return (number - (self.live_isn or 0) + self.script_isn) & MASK

    def stamp_to_live(self, stamp: int) -> int:
        """A timestamp of the machine that the script echoes.

        One never seen is reckoned from the first pair; without any it is taken as it is.
        """
        if stamp in self.live_stamp:
            return self.live_stamp[stamp]
        if self.first_stamp is None:
            return stamp
        script, live, _ = self.first_stamp
        return (stamp - script + live) & MASK

    def learn_stamp(self, script: int, live: int, time: int) -> None:
        """The machine sent `live` where the script says `script`."""
        self.live_stamp[script] = live
        if self.first_stamp is None:
            self.first_stamp = (script, live, time)

    def learn_isn(self, script: int, live: int) -> None:
        """The machine's SYN: a new beginning."""
        self.script_isn, self.live_isn = script, live
        self.fin_in = self.fin_out = self.reset = self.begins_anew = False


class Flows:
    """Every flow of a script; `current` is the one that the next packet is about."""

    def __init__(self, local: bytes, remote: bytes, bind_port: int) -> None:
        self.all: list[Flow] = []
        self.current: Flow | None = None
        self._local = local
        self._remote = remote
        self._bind_port = bind_port
        self._next_port = _FIRST_REMOTE_PORT

    # ---- what system calls tell

    def of(self, fd: int) -> Flow | None:
        """The flow behind descriptor `fd` of the machine."""
        return next((flow for flow in reversed(self.all) if flow.fd == fd), None)

    def opened(self, fd: int, protocol: int) -> None:
        """socket() returned `fd`."""
        self.current = Flow(protocol, fd, (self._local, 0), (self._remote, 0))
        self.all.append(self.current)

    def used(self, fd: int) -> None:
        """A system call works on `fd`: the script's next packet is about it."""
        flow = self.of(fd)
        if flow is not None:
            self.current = flow

    def accepted(self, fd: int, peer: Address) -> None:
        """accept() returned `fd` for the connection with `peer`."""
        for flow in reversed(self.all):
            if flow.protocol == TCP and flow.fd is None and flow.remote == peer:
                flow.fd = fd
                self.current = flow
                return

    def closed(self, fd: int) -> None:
        """`fd` is free for something else; what it referred to may still send."""
        flow = self.of(fd)
        if flow is not None:
            flow.fd = None
            if flow.listening:
                flow.listening = False
                if self.current is flow:
                    children = [f for f in self.all if f.local == flow.local and f.remote[1]]
                    self.current = children[-1] if children else flow

    # ---- what packets tell

    def for_inbound(self, syn: bool, protocol: int) -> Flow:
        """The flow that the script's next inbound packet is for: a SYN to a listener begins one."""
        flow = self.current
        if flow is None or flow.protocol != protocol:
            flow = next((f for f in reversed(self.all) if f.protocol == protocol), None)
        if flow is None:
            flow = self._child(protocol, (self._local, self._bind_port))
        elif protocol == UDP:
            if not flow.remote[1]:
                flow.remote = (flow.remote[0], self._port())
            if not flow.local[1]:
                flow.local = (flow.local[0], self._bind_port)
        elif flow.listening:
            flow = self._child(TCP, flow.local)
        elif not flow.remote[1]:
            flow = self._child(TCP, (flow.local[0], flow.local[1] or self._bind_port))
        elif syn and flow.over:
            flow.begins_anew = True
        self.current = flow
        return flow

    def _port(self) -> int:
        self._next_port += 1
        return self._next_port - 1

    def _child(self, protocol: int, local: Address) -> Flow:
        flow = Flow(protocol, None, local, (self._remote, self._port()))
        self.all.append(flow)
        return flow

    def for_live(self, packet: LivePacket) -> Flow | None:
        """The flow that a packet from the machine belongs to; None: no business of the script."""
        source, destination = (packet.source, packet.sport), (packet.destination, packet.dport)
        candidates = [flow for flow in reversed(self.all) if flow.protocol == packet.protocol]
        if self.current in candidates:
            candidates.insert(0, self.current)
        for flow in candidates:
            if flow.remote == destination and flow.local == source:
                return flow
        for flow in candidates:  # its own port is known only by what it sends
            if flow.remote == destination and not flow.local[1] and not flow.listening:
                flow.local = source
                return flow
        for flow in candidates:
            if flow.protocol == UDP and flow.local[1] in (0, source[1]) and not flow.remote[1]:
                flow.local, flow.remote = source, destination
                return flow
        return None
