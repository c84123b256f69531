"""The system calls that move bytes. A buffer is `...` or a string; what is sent for `...` is zeros."""

import struct
from collections.abc import Generator
from typing import Any, Final

from tb.packetdrill.config import Config
from tb.packetdrill.constants import CONSTANTS
from tb.packetdrill.errors import ScriptError, ScriptFailure
from tb.packetdrill.evaluate import array, integer, member, structure, unwrap
from tb.packetdrill.flows import Address, Flows
from tb.packetdrill.machine import BadAddress, Machine
from tb.packetdrill.syntax import ANYTHING, Call, Expression, Name, Number, Structure, Text, Unary

Arguments = tuple[Expression, ...]
Result = Generator[Any, Any, int]


def is_null(expression: Expression) -> bool:
    """NULL, or 0 in its place."""
    return (isinstance(expression, Name) and expression.name == "NULL") or expression == Number(0)


class Transfers:
    """Reading and writing on `machine`. `fds`: the script's descriptors to the machine's."""

    def __init__(self, machine: Machine, flows: Flows, config: Config) -> None:
        self.machine = machine
        self.config = config
        self.flows = flows
        self.fds: dict[int, int] = {}
        self.begun = 0
        """The machine's wall clock (ns) when the script began."""

    def live(self, expression: Expression) -> int:
        """The machine's descriptor for the script's; one never seen is taken as it is."""
        script = integer(expression)
        return self.fds.get(script, script)

    def _use(self, expression: Expression) -> int:
        """As `live`, for a call that works on a connection: the next packet is about it."""
        fd = self.live(expression)
        flow = self.flows.of(fd)
        if flow is not None and not flow.listening:
            self.flows.current = flow
        return fd

    def _address(self, expression: Expression, ip: bytes, port: int) -> Address | None:
        raise NotImplementedError

    # ---- in

    def do_read(self, a: Arguments, call: Call) -> Result:
        """read(2)."""
        data = yield from self.machine.call("read", self._use(a[0]), _room(a[1], integer(a[2])))
        return _compare("read", a[1], data)

    def do_readv(self, a: Arguments, call: Call) -> Result:
        """readv(2)."""
        buffers = [bytearray(length) for _, length in _vectors(a[1])]
        count: int = yield from self.machine.call("readv", self._use(a[0]), [memoryview(b) for b in buffers])
        _compare_vectors("readv", a[1], buffers, count)
        return count

    def do_recv(self, a: Arguments, call: Call) -> Result:
        """recv(2)."""
        return self._receive("recv", a)

    def do_recvfrom(self, a: Arguments, call: Call) -> Result:
        """recvfrom(2)."""
        return self._receive("recvfrom", a)

    def _receive(self, name: str, a: Arguments) -> Result:
        flags, buffer = integer(a[3]), bytearray(max(integer(a[2]), 0))
        if not flags & CONSTANTS["MSG_TRUNC"]:
            room = _room(a[1], len(buffer))
            data: bytes = yield from self.machine.call("recv", self._use(a[0]), room, flags)
            return _compare(name, a[1], data)
        # Only the message's own length tells what was cut off.
        length: int
        length, *_ = yield from self.machine.call("recvmsg", self._use(a[0]), [memoryview(buffer)], flags)
        _compare(name, a[1], bytes(buffer[:length]))
        return length

    def do_recvmsg(self, a: Arguments, call: Call) -> Result:
        """recvmsg(2): contents, `msg_flags` and ancillary data are compared where the script gives them."""
        message, flags = structure(a[1]), integer(a[2])
        vectors = message.get("msg_iov", "2")
        buffers = [bytearray(length) for _, length in _vectors(vectors)] if vectors is not None else []
        views = [memoryview(buffer) for buffer in buffers]
        count, got_flags, *rest = yield from self.machine.call("recvmsg", self._use(a[0]), views, flags)
        if vectors is not None:
            _compare_vectors("recvmsg", vectors, buffers, count)
        expected = message.get("msg_flags", "4")
        if expected is not None and expected is not ANYTHING and integer(expected) != got_flags:
            raise ScriptFailure(
                f"recvmsg(): msg_flags {integer(expected):#x} expected, {got_flags:#x} returned"
            )
        control = message.get("msg_control", "3")
        if control is not None and control is not ANYTHING:
            got = next((item for item in rest if isinstance(item, list)), [])
            _compare_control(control, got, self.begun)
        return int(count)

    # ---- out

    def do_write(self, a: Arguments, call: Call) -> Result:
        """write(2)."""
        return self.machine.call("write", self._use(a[0]), _data(a[1], integer(a[2])))

    def do_writev(self, a: Arguments, call: Call) -> Result:
        """writev(2)."""
        return self.machine.call("writev", self._use(a[0]), [_bytes(*vector) for vector in _vectors(a[1])])

    def do_send(self, a: Arguments, call: Call) -> Result:
        """send(2)."""
        data = _data(a[1], integer(a[2]))
        return self.machine.call("sendto", self._use(a[0]), data, _send_flags(a[3]))

    def do_sendto(self, a: Arguments, call: Call) -> Result:
        """sendto(2). `...` as an address: the connection's, or the remote host for a datagram."""
        fd = self._use(a[0])
        flags = _send_flags(a[3])
        address = self._destination(fd, a[4] if len(a) > 4 else ANYTHING, flags)
        return self.machine.call("sendto", fd, _data(a[1], integer(a[2])), flags, address)

    def _destination(self, fd: int, expression: Expression, flags: int) -> Address | None:
        flow = self.flows.of(fd)
        if flow is not None and flags & CONSTANTS["MSG_FASTOPEN"] and not is_null(expression):
            address = self._address(expression, flow.remote[0], self.config.connect_port)
            if address is not None and not flow.remote[1] and not flow.listening:
                flow.remote = address
            return address
        if is_null(expression) or flow is None:
            return None
        if expression is ANYTHING and (flow.protocol == 6 or flow.remote[1]):
            return None if flow.protocol == 6 else flow.remote
        address = self._address(expression, flow.remote[0], 8080)
        if address is not None and not flow.remote[1]:
            flow.remote = address
        return address

    def do_sendmsg(self, a: Arguments, call: Call) -> Result:
        """sendmsg(2). Integers in ancillary data travel as an int."""
        fd, message = self._use(a[0]), structure(a[1])
        vectors = message.get("msg_iov", "2")
        buffers = [_data(*vector) for vector in _vectors(vectors)] if vectors is not None else []
        flags = _send_flags(a[2])
        address = self._destination(fd, message.get("msg_name", "0") or Number(0), flags)
        control = message.get("msg_control", "3")
        items = [] if control is None or control is ANYTHING or is_null(control) else list(array(control))
        packed = [_pack_control(structure(item)) for item in items]
        views = [b if isinstance(b, BadAddress) else memoryview(b) for b in buffers]
        return self.machine.call("sendmsg", fd, views, packed, flags, address)

    def do_sendfile(self, a: Arguments, call: Call) -> Result:
        """sendfile(2)."""
        offset = None if is_null(a[2]) or a[2] is ANYTHING else integer(unwrap(a[2]))
        return self.machine.call("sendfile", self._use(a[0]), self.live(a[1]), offset, integer(a[3]))

    def do_splice(self, a: Arguments, call: Call) -> Result:
        """splice(2)."""
        source, out = self.live(a[0]), self.live(a[2])
        for end in (a[0], a[2]):
            self._use(end)
        offsets = [None if is_null(x) or x is ANYTHING else integer(unwrap(x)) for x in (a[1], a[3])]
        return self.machine.call("splice", source, offsets[0], out, offsets[1], integer(a[4]), integer(a[5]))

    # ---- files and pipes

    def do_open(self, a: Arguments, call: Call) -> Result:
        """open(2)."""
        if not isinstance(a[0], Text):
            raise ScriptError("open() needs a path")
        return self.machine.call("open", a[0].value.decode(), integer(a[1]))

    def do_pipe(self, a: Arguments, call: Call) -> Result:
        """pipe(2), pipe2(2): both descriptors are mapped."""
        ends = yield from self.machine.call("pipe", integer(a[1]) if len(a) > 1 else 0)
        for expression, fd in zip(array(a[0]), ends, strict=True):
            self.fds[fd if expression is ANYTHING else integer(expression)] = fd
        return 0

    do_pipe2 = do_pipe


def _send_flags(expression: Expression) -> int:
    """A script has no signal handler: EPIPE comes without SIGPIPE, as in the original (which ignores it)."""
    return integer(expression)


def _data(expression: Expression, length: int) -> bytes | BadAddress:
    """`length` bytes: the string's, then zeros. A number is an address where nothing is."""
    if isinstance(expression, Text):
        return expression.value[:length].ljust(max(length, 0), b"\0")
    if expression is ANYTHING or length <= 0:
        return bytes(max(length, 0))
    if isinstance(expression, Number | Name | Unary):
        return BadAddress(length)
    raise ScriptError("a buffer is `...`, a string, or a number: an address that is wrong")


def _bytes(expression: Expression, length: int) -> bytes:
    data = _data(expression, length)
    if isinstance(data, BadAddress):
        raise ScriptError("a wrong address among the buffers of writev() is not there")
    return data


def _room(expression: Expression, length: int) -> int | BadAddress:
    """Where a call shall put what it reads: the size of a buffer, or a wrong address."""
    return BadAddress(length) if isinstance(expression, Number | Name | Unary) and length > 0 else length


def _vectors(expression: Expression) -> list[tuple[Expression, int]]:
    """(buffer, length) of each `{buffer, length}`."""
    found: list[tuple[Expression, int]] = []
    for item in array(expression):
        vector = structure(item)
        base = vector.get("iov_base", "0")
        if base is None:
            raise ScriptError("an iovec is {buffer, length}")
        found.append((base, member(vector, None, "iov_len", "1")))
    return found


def _compare(call: str, expected: Expression, data: bytes) -> int:
    if isinstance(expected, Text) and expected.value[: len(data)] != data:
        raise ScriptFailure(f"{call}() gave {data[:40]!r}, {expected.value[:40]!r} expected")
    return len(data)


def _compare_vectors(call: str, expected: Expression, buffers: list[bytearray], count: int) -> None:
    left = count
    for (wanted, _), buffer in zip(_vectors(expected), buffers, strict=True):
        part = bytes(buffer[: max(left, 0)])
        _compare(call, wanted, part)
        left -= len(part)


_LEVELS: Final = ("cmsg_level", "0")
_TYPES: Final = ("cmsg_type", "1")


def _pack_control(item: Structure) -> tuple[int, int, bytes]:
    data = item.get("cmsg_data", "2")
    value = integer(unwrap(data)) if data is not None else 0
    return member(item, None, *_LEVELS), member(item, None, *_TYPES), value.to_bytes(4, "little")


def _compare_control(expected: Expression, got: list[tuple[int, int, bytes]], begun: int) -> None:
    items = [structure(item) for item in array(expected)]
    if len(items) != len(got):
        raise ScriptFailure(f"recvmsg(): {len(items)} pieces of ancillary data expected, {len(got)} returned")
    for item, (level, kind, data) in zip(items, got, strict=True):
        wanted = (member(item, level, *_LEVELS), member(item, kind, *_TYPES))
        if wanted != (level, kind):
            raise ScriptFailure(f"recvmsg(): ancillary data {wanted} expected, {(level, kind)} returned")
        _compare_control_data(level, kind, item.get("cmsg_data", "2"), data, begun)


_ERROR: Final = {
    "ee_errno": (0, 4), "ee_origin": (4, 5), "ee_type": (5, 6), "ee_code": (6, 7), "ee_pad": (7, 8),
    "ee_info": (8, 12), "ee_data": (12, 16),
}  # fmt: skip
"""struct sock_extended_err."""
_TIMES: Final = frozenset(
    CONSTANTS[name] for name in ("SCM_TIMESTAMP", "SCM_TIMESTAMPNS", "SCM_TIMESTAMPING")
)
_TIME_TOLERANCE: Final = 20_000_000
"""ns by which a time stamp may be off."""


def _compare_control_data(
    level: int, kind: int, expected: Expression | None, data: bytes, begun: int
) -> None:
    if expected is None or expected is ANYTHING:
        return
    inner = unwrap(expected)
    if not isinstance(inner, Structure):
        value = int.from_bytes(data, "little", signed=True)
        if integer(inner) != value:
            raise ScriptFailure(f"recvmsg(): ancillary value {integer(inner)} expected, {value} returned")
    elif level == CONSTANTS["SOL_SOCKET"] and kind in _TIMES:
        seconds, rest = struct.unpack_from("<qq", data)
        got = seconds * 1_000_000_000 + rest * (1000 if kind == CONSTANTS["SCM_TIMESTAMP"] else 1) - begun
        nanoseconds = member(inner, 0, "scm_nsec", "tv_nsec") + 1000 * member(inner, 0, "tv_usec")
        want = member(inner, 0, "scm_sec", "tv_sec") * 1_000_000_000 + nanoseconds
        if abs(got - want) > _TIME_TOLERANCE:
            raise ScriptFailure(
                f"recvmsg(): time stamp {want / 1e9:.6f} s expected, {got / 1e9:.6f} s returned"
            )
    else:
        for name, wanted in inner.members:
            if name not in _ERROR:
                raise ScriptError(f"{name} is no member of ancillary data known here")
            if wanted is ANYTHING:
                continue
            begin, end = _ERROR[name]
            value = int.from_bytes(data[begin:end], "little")
            if integer(wanted) != value:
                raise ScriptFailure(f"recvmsg(): {name} {integer(wanted)} expected, {value} returned")
