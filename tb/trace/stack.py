"""A host's part of a trace: system calls, send buffer, TCP, route and neighbour, queue, driver.

Nothing is in the stack for it: methods of the host's own objects (and one of the class of connections, which
have no room for it) are wrapped while a recorder is there, so a run without one is untouched.
"""

import contextlib
import errno
import functools
from collections.abc import Callable, Generator
from typing import Any

from pymodel.host import Host
from pymodel.skbuff import SkBuff
from pymodel.tcp.connection import TcpConnection
from pymodel.wire import ipv4
from tb.trace.flows import MASK, Ends, Flows, Segment, of_frame, of_tcp
from tb.trace.frames import Frames
from tb.trace.moments import Moment, Trace, Track, Value
from tb.trace.nic import RING, Handed

CALLS = (
    "socket",
    "bind",
    "listen",
    "accept",
    "connect",
    "sendto",
    "sendmsg",
    "write",
    "recvfrom",
    "recvmsg",
    "read",
    "shutdown",
    "poll",
    "epoll_wait",
    "close",
)
"""The system calls that are shown; the others of the manual are made of these, or move no data."""
COPIED = "copied into the send buffer"
SENDING = ("connect", "sendto", "sendmsg", "write", COPIED)
"""What has moved bytes towards the wire; it is about a segment whole."""


class StackRecorder:
    """Adds what `host` does to `trace`, until `close`. `handed` is told what its driver gives to the NIC."""

    def __init__(
        self, trace: Trace, flows: Flows, frames: Frames, handed: Handed, host: Host, label: str
    ) -> None:
        self._trace = trace
        self._flows = flows
        self._frames = frames
        self._handed = handed
        self._host = host
        self._group = f"host {label}"
        self._undo = contextlib.ExitStack()
        self._moved: list[tuple[Moment, Ends, int, int]] = []
        self._known: dict[Ends, TcpConnection] = {}
        for name in CALLS:
            self._replace(host.kernel, name, self._call(name, getattr(host.kernel, name)))
        self._before(host.ip, "send", self._segment_out)
        self._before(host.device, "xmit", self._queued)
        self._replace(host.device, "start_xmit", self._start_xmit(host.device.start_xmit))
        self._before(host.device, "_poll", self._polled)
        for interface in host.ip.interfaces:
            if interface.neighbours is not None:
                output = functools.partial(self._neighbour, interface.neighbours)
                self._before(interface.neighbours, "output", output)
        self._replace(TcpConnection, "send", self._send(TcpConnection.send))
        receive = host.tcp.input

        def received(skb: SkBuff, src: bytes, dst: bytes) -> None:
            ends = self._segment_in(skb, src, dst)
            receive(skb, src, dst)
            self._count(ends.back())

        host.ip.register(ipv4.PROTO_TCP, received)
        self._undo.callback(host.ip.register, ipv4.PROTO_TCP, receive)

    def close(self) -> None:
        """Leave the host as it was, and say which segments carried what each call moved."""
        self._undo.close()
        for moment, ends, first, size in self._moved:
            moment.flows += self._flows.every(ends, first, size)
            if moment.name not in SENDING:
                moment.frames += self._frames.every(ends, first, size)

    # ---- system calls

    def _call(self, name: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(process: Any, *args: Any, **named: Any) -> Generator[Any, Any, Any]:
            track = (self._group, "programs", process.name)
            fd = args[0] if args and isinstance(args[0], int) and name != "socket" else None
            details: dict[str, Value] = {} if fd is None else {"fd": fd}
            moment = self._trace.say(self._now, track, name, details=details)
            connection = self._connection(process, fd)
            at = self._ends_of(connection)
            try:
                result = yield from inner(process, *args, **named)
                moment.details["returned"] = _returned(result)
            except OSError as failed:
                moment.details["failed"] = errno.errorcode.get(failed.errno or 0, str(failed))
                raise
            finally:
                moment.duration = self._now - moment.time
                self._moved_by(moment, connection or self._connection(process, fd), at)
            return result

        return wrapped

    def _connection(self, process: Any, fd: int | None) -> TcpConnection | None:
        file = None if fd is None else process.files.peek(fd)
        found = getattr(file, "connection", None)
        return found if isinstance(found, TcpConnection) else None

    def _ends_of(self, connection: TcpConnection | None) -> tuple[int, int]:
        """Where the send buffer ends and where the program reads on."""
        return (0, 0) if connection is None else (connection.send_queue.end, connection.copied_seq)

    def _moved_by(self, moment: Moment, connection: TcpConnection | None, before: tuple[int, int]) -> None:
        if connection is None:
            return
        ends = _ends(connection)
        if moment.name == "connect":
            self._moved.append((moment, ends, connection.iss, 1))
            return
        written, read = (
            (now - then) & MASK for now, then in zip(self._ends_of(connection), before, strict=True)
        )
        if written and any(before):
            self._moved.append((moment, ends, before[0], written))
        if read and any(before):
            self._moved.append((moment, ends.back(), before[1], read))

    def _send(self, inner: Callable[..., int]) -> Callable[..., int]:
        def send(connection: TcpConnection, *args: Any, **named: Any) -> int:
            if connection.layer is not self._host.tcp:
                return inner(connection, *args, **named)
            end = connection.send_queue.end
            moment = self._trace.say(self._now, self._tcp(_ends(connection)), COPIED)
            taken = inner(connection, *args, **named)
            moment.details["bytes"] = size = (connection.send_queue.end - end) & MASK
            if size:
                self._moved.append((moment, _ends(connection), end, size))
            self._count(_ends(connection))
            return taken

        return send

    # ---- TCP and IP

    def _segment_out(self, skb: SkBuff, proto: int, src: bytes, dst: bytes, *_: Any, **__: Any) -> None:
        if proto == ipv4.PROTO_TCP:
            segment = of_tcp(bytes(skb.linear()[:14]), skb.len, src, dst)
            flow = self._flows.begin(segment)
            self._trace.say(
                self._now, self._tcp(segment.ends), str(segment), [flow], details=_described(segment)
            )
            self._count(segment.ends)

    def _segment_in(self, skb: SkBuff, src: bytes, dst: bytes) -> Ends:
        segment = of_tcp(bytes(skb.linear()[:14]), skb.len, src, dst)
        flows = self._flows.find(segment)
        track = self._tcp(segment.ends.back())
        name = f"received {segment}"
        frames = self._frames.of(segment)
        self._trace.say(self._now, track, name, flows, details=_described(segment), frames=frames)
        return segment.ends

    def _neighbour(self, table: Any, skb: SkBuff, next_hop: bytes) -> None:
        header = bytes(skb.linear()[:40])
        entry = table.entries.get(next_hop)
        state = "unknown: asked by ARP" if entry is None else str(entry.state.value)
        flows: list[int] = []
        if header[9] == ipv4.PROTO_TCP:
            at = 4 * (header[0] & 15)
            found = of_tcp(bytes(skb.linear()[at : at + 14]), skb.len - at, header[12:16], header[16:20])
            flows = self._flows.find(found)
        details: dict[str, Value] = {"next hop": ".".join(map(str, next_hop)), "neighbour": state}
        self._trace.say(self._now, (self._group, "IP: route and neighbour"), "out", flows, details=details)

    def _count(self, ends: Ends) -> None:
        connection: Any = self._host.tcp.connections.get((ends.src, ends.sport, ends.dst, ends.dport))
        if connection is None:
            return
        track = self._tcp(ends)
        mss = connection.snd_mss
        in_flight = (connection.snd_nxt - connection.snd_una) & MASK
        self._trace.sample(self._now, (*track, "cwnd (bytes)"), connection.cc.cwnd * mss)
        self._trace.sample(self._now, (*track, "in flight (bytes)"), in_flight)
        self._trace.sample(self._now, (*track, "send buffer (bytes)"), len(connection.send_queue))
        self._trace.sample(self._now, (*track, "copied (bytes)"), connection.send_queue.copied)

    # ---- device and driver

    def _queued(self, skb: SkBuff) -> None:
        details: dict[str, Value] = {"bytes": skb.len}
        self._trace.say(self._now, self._device("1 qdisc"), "queued", self._of(skb), details=details)

    def _start_xmit(self, inner: Callable[[SkBuff], bool]) -> Callable[[SkBuff], bool]:
        def start_xmit(skb: SkBuff) -> bool:
            flows = self._of(skb)
            for address, _ in skb.segments():
                self._handed.at[address] = flows
            pieces, size = len(skb.segments()), skb.len
            moment = self._trace.say(self._now, self._device("2 driver"), "descriptors available", flows)
            # The doorbell is rung in there.
            self._handed.fresh += flows
            taken = inner(skb)
            if not taken:
                moment.name = "no room: stays queued"
                del self._handed.fresh[len(self._handed.fresh) - len(flows) :]
            moment.details |= {"bytes": size, "pieces": pieces}
            self._rings()
            return taken

        return start_xmit

    def _polled(self, *_: Any, **__: Any) -> None:
        self._trace.say(self._now, self._device("3 NAPI poll"), "poll")
        self._rings()

    def _rings(self) -> None:
        device: Any = self._host.device
        for name, queue in zip(RING, (device._rx, device._tx), strict=True):
            if queue is not None:
                ring = queue.ring
                self._trace.sample(self._now, self._device(f"{name} (slots)"), ring.size - ring.free)

    # ---- helpers

    @property
    def _now(self) -> int:
        return self._host.scheduler.now

    def _tcp(self, ends: Ends) -> Track:
        return (self._group, "TCP", str(ends))

    def _device(self, what: str) -> Track:
        return (self._group, "device", what)

    def _of(self, skb: SkBuff) -> list[int]:
        segment = of_frame(bytes(skb.linear()), total=skb.len)
        return self._flows.find(segment) if segment is not None else []

    def _replace(self, owner: Any, name: str, new: Callable[..., Any]) -> None:
        own = name in vars(owner)
        old = getattr(owner, name)
        setattr(owner, name, new)
        self._undo.callback(setattr, owner, name, old) if own else self._undo.callback(delattr, owner, name)

    def _before(self, owner: Any, name: str, first: Callable[..., None]) -> None:
        inner = getattr(owner, name)

        def wrapped(*args: Any, **named: Any) -> Any:
            first(*args, **named)
            return inner(*args, **named)

        self._replace(owner, name, wrapped)


def _ends(connection: TcpConnection) -> Ends:
    return Ends(connection.src, connection.sport, connection.dst, connection.dport)


def _described(segment: Segment) -> dict[str, Value]:
    return {"seq": segment.seq, "ack": segment.ack, "sequence numbers": segment.size}


def _returned(result: Any) -> Value:
    if isinstance(result, int):
        return int(result)
    if isinstance(result, bytes | bytearray):
        return f"{len(result)} bytes"
    if isinstance(result, tuple) and result and isinstance(result[0], bytes | bytearray):
        return f"{len(result[0])} bytes"
    return str(result)
