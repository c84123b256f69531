"""The system calls of a script: made on the machine, their results compared with what the script says."""

import errno
from collections.abc import Callable, Generator
from typing import Any, Final

from pymodel.simtime import MS, SEC, US
from pymodel.task import Blocking
from tb.packetdrill import sockopts
from tb.packetdrill.config import Config
from tb.packetdrill.constants import CONSTANTS, errno_name
from tb.packetdrill.errors import ScriptError, ScriptFailure
from tb.packetdrill.evaluate import array, integer, member, structure, unwrap
from tb.packetdrill.flows import Address, Flows
from tb.packetdrill.machine import Machine
from tb.packetdrill.syntax import ANYTHING, Array, Call, Expression, Name, Number, Structure, Text
from tb.packetdrill.transfers import Transfers, is_null
from tb.packetdrill.wire import UDP

_AF_INET: Final = CONSTANTS["AF_INET"]
_TYPE_MASK: Final = 0xF
_ABSENT: Final = {CONSTANTS["IPPROTO_SCTP"]: "SCTP", CONSTANTS["IPPROTO_UDPLITE"]: "UDP-Lite"}

Arguments = tuple[Expression, ...]
Result = Generator[Any, Any, int]


class Calls(Transfers):
    """Makes calls on `machine` in its one process. Descriptors of the script are mapped to the machine's."""

    def __init__(self, machine: Machine, flows: Flows, config: Config, local: bytes, remote: bytes) -> None:
        super().__init__(machine, flows, config)
        self.local = local
        self.remote = remote

    def make(self, call: Call) -> Blocking[None]:
        """Make `call`. ScriptFailure when its result is another one, ScriptError when it cannot be made."""
        method: Callable[[Arguments, Call], Result] | None = getattr(self, f"do_{call.name}", None)
        if method is None:
            if call.name.startswith(("sctp_", "mmap", "cap_")):
                raise ScriptError(f"{call.name}() is not there")
            raise ScriptError(f"{call.name}() is no system call known here")
        try:
            result, number = (yield from method(call.arguments, call)), 0
        except OSError as error:
            result, number = -1, error.errno or 0
        except IndexError:
            raise ScriptError(f"{call.name}() has too few arguments") from None
        self._judge(call, result, number)

    def _judge(self, call: Call, result: int, number: int) -> None:
        got = f"{result}" if not number else f"{result} {errno_name(number)}"
        if call.result is not ANYTHING:
            expected = integer(call.result)
            mapped = result
            if result >= 0 and call.name in _MAKES_DESCRIPTOR and expected >= 0:
                self.fds[expected] = result
                mapped = expected
            if expected != mapped or bool(call.errno) != bool(number):
                want = f"{expected}" + (f" {call.errno}" if call.errno else "")
                raise ScriptFailure(f"{call.name}() returned {got}, {want} expected")
        elif result >= 0 and call.name in _MAKES_DESCRIPTOR:
            self.fds[result] = result
        if call.errno and number != CONSTANTS.get(call.errno, -1):
            if call.errno not in CONSTANTS:
                raise ScriptError(f"{call.errno} is no error number known here")
            raise ScriptFailure(f"{call.name}() returned {got}, errno {call.errno} expected")

    # ---- names and connections

    def _address(self, expression: Expression, ip: bytes, port: int) -> Address | None:
        """A `sockaddr`; `...` is the address that the configuration gives. None for AF_UNSPEC."""
        if expression is ANYTHING:
            return ip, port
        value = structure(expression)
        family = member(value, _AF_INET, "sa_family", "sin_family", "0")
        if family == CONSTANTS["AF_UNSPEC"]:
            return None
        if family == CONSTANTS["AF_INET6"]:
            raise ScriptError("IPv6 is not there yet")
        if family != _AF_INET:
            raise ScriptError(f"address family {family} is not there")
        number = member(value, int.from_bytes(ip, "big"), "sin_addr", "2")
        return number.to_bytes(4, "big"), member(value, port, "sin_port", "1")

    def do_socket(self, a: Arguments, call: Call) -> Result:
        """socket(2). The family may be `...`."""
        family = _AF_INET if a[0] is ANYTHING else integer(a[0])
        if isinstance(a[0], Name) and a[0].name in ("AF_INET6", "PF_INET6"):
            raise ScriptError("IPv6 is not there yet")
        kind, protocol = integer(a[1]), integer(a[2]) if len(a) > 2 else 0
        if protocol in _ABSENT:
            raise ScriptError(f"{_ABSENT[protocol]} is not there: only TCP and UDP are")
        fd: int = yield from self.machine.call("socket", family, kind, protocol)
        if kind & _TYPE_MASK in (CONSTANTS["SOCK_STREAM"], CONSTANTS["SOCK_DGRAM"]):
            self.flows.opened(fd, 6 if kind & _TYPE_MASK == CONSTANTS["SOCK_STREAM"] else 17)
        return fd

    def do_bind(self, a: Arguments, call: Call) -> Result:
        """bind(2)."""
        fd = self.live(a[0])
        address = self._address(a[1], self.local, self.config.bind_port)
        yield from self.machine.call("bind", fd, address or (bytes(4), 0))
        flow = self.flows.of(fd)
        if flow is not None and address is not None:
            ip, port = yield from self.machine.call("getsockname", fd)
            flow.local = (ip if any(ip) else self.local, port)
        return 0

    def do_listen(self, a: Arguments, call: Call) -> Result:
        """listen(2). Called again, it says that the next SYN begins another connection."""
        fd = self.live(a[0])
        yield from self.machine.call("listen", fd, integer(a[1]))
        flow = self.flows.of(fd)
        if flow is not None:
            flow.listening = True
            if not flow.local[1]:
                _, port = yield from self.machine.call("getsockname", fd)
                flow.local = (self.local, port)
            self.flows.current = flow
        return 0

    def do_accept(self, a: Arguments, call: Call) -> Result:
        """accept(2)."""
        return self._accept(a, 0)

    def do_accept4(self, a: Arguments, call: Call) -> Result:
        """accept4(2)."""
        return self._accept(a, integer(a[3]))

    def _accept(self, a: Arguments, flags: int) -> Result:
        fd, peer = yield from self.machine.call("accept", self.live(a[0]), flags)
        self.flows.accepted(fd, peer)
        return int(fd)

    def do_connect(self, a: Arguments, call: Call) -> Result:
        """connect(2)."""
        fd = self.live(a[0])
        address = self._address(a[1], self.remote, self.config.connect_port)
        flow = self.flows.of(fd)
        if flow is not None and address is not None and not flow.listening:
            if not flow.remote[1] or flow.protocol == UDP:
                flow.remote = address
            self.flows.current = flow
        yield from self.machine.call("connect", fd, address)
        return 0

    def do_getsockname(self, a: Arguments, call: Call) -> Result:
        """getsockname(2); an address that the script gives is compared."""
        name = yield from self.machine.call("getsockname", self.live(a[0]))
        self._compare_address("getsockname", a[1], name)
        return 0

    def do_getpeername(self, a: Arguments, call: Call) -> Result:
        """getpeername(2); an address that the script gives is compared."""
        name = yield from self.machine.call("getpeername", self.live(a[0]))
        self._compare_address("getpeername", a[1], name)
        return 0

    def _compare_address(self, call: str, expected: Expression, got: Address) -> None:
        if expected is ANYTHING:
            return
        wanted = self._address(unwrap(expected), got[0], got[1])
        if wanted != got:
            raise ScriptFailure(f"{call}() gave {got[0].hex('.')} port {got[1]}, another address expected")

    def do_shutdown(self, a: Arguments, call: Call) -> Result:
        """shutdown(2)."""
        fd = self._use(a[0])
        yield from self.machine.call("shutdown", fd, integer(a[1]))
        return 0

    def do_close(self, a: Arguments, call: Call) -> Result:
        """close(2)."""
        script, fd = integer(a[0]), self._use(a[0])
        self.flows.closed(fd)
        self.fds.pop(script, None)
        yield from self.machine.call("close", fd)
        return 0

    # ---- descriptors

    def do_dup(self, a: Arguments, call: Call) -> Result:
        """dup(2)."""
        return self.machine.call("dup", self.live(a[0]))

    def do_dup2(self, a: Arguments, call: Call) -> Result:
        """dup2(2)."""
        return self.machine.call("dup2", self.live(a[0]), self.live(a[1]))

    def do_fcntl(self, a: Arguments, call: Call) -> Result:
        """fcntl(2)."""
        argument = [integer(x) for x in a[2:3] if x is not ANYTHING]
        return self.machine.call("fcntl", self.live(a[0]), integer(a[1]), *argument)

    def do_ioctl(self, a: Arguments, call: Call) -> Result:
        """ioctl(2): a number that it fetches is compared with the one in `[…]`."""
        request = integer(a[1])
        argument = unwrap(a[2]) if len(a) > 2 else Number(0)
        if request == CONSTANTS["FIONBIO"]:
            yield from self.machine.call("ioctl", self.live(a[0]), request, integer(argument))
            return 0
        value = yield from self.machine.call("ioctl", self._use(a[0]), request, 0)
        if argument is not ANYTHING and integer(argument) != value:
            raise ScriptFailure(f"ioctl() fetched {value}, {integer(argument)} expected")
        return 0

    # ---- options

    def do_setsockopt(self, a: Arguments, call: Call) -> Result:
        """setsockopt(2)."""
        fd = self.live(a[0])
        if sockopts.harmless(a[2]):
            yield from self.machine.call("getsockopt", fd, 1, CONSTANTS["SO_TYPE"], 4)  # EBADF, ENOTSOCK
            return 0
        length = None if a[4:5] in ((), (ANYTHING,)) else integer(unwrap(a[4]))
        value = sockopts.pack(a[3], length)
        yield from self.machine.call("setsockopt", fd, integer(a[1]), integer(a[2]), value)
        return 0

    def do_getsockopt(self, a: Arguments, call: Call) -> Result:
        """getsockopt(2): value and length are compared unless they are `...`."""
        fd, level, name = self.live(a[0]), integer(a[1]), integer(a[2])
        length = unwrap(a[4]) if len(a) > 4 else ANYTHING
        room = sockopts.LENGTH if length is ANYTHING else integer(length)
        value: bytes = yield from self.machine.call("getsockopt", fd, level, name, room)
        wrong = sockopts.mismatch(level, name, a[3], value)
        if wrong is not None:
            raise ScriptFailure(f"getsockopt(): {wrong}")
        if length is not ANYTHING and not isinstance(unwrap(a[3]), Text) and len(value) != room:
            raise ScriptFailure(f"getsockopt() returned {len(value)} bytes, {room} expected")
        return 0

    # ---- waiting

    def do_poll(self, a: Arguments, call: Call) -> Result:
        """poll(2): `revents` are compared."""
        entries = [structure(item) for item in array(a[0])]
        asked = [(self.live(_member(e, "fd", "0")), member(e, 0, "events", "1")) for e in entries]
        ready = yield from self.machine.call("poll", asked, _timeout(a[2]))
        for entry, (fd, _) in zip(entries, asked, strict=True):
            expected = entry.get("revents", "2")
            got = dict(ready).get(fd, 0)
            if expected is not None and expected is not ANYTHING and integer(expected) != got:
                raise ScriptFailure(f"poll(): revents {integer(expected):#x} expected, {got:#x} returned")
        return len(ready)

    def do_select(self, a: Arguments, call: Call) -> Result:
        """select(2): `select(nfds, [3, 4], [5], NULL, {tv_sec, tv_usec} or NULL) = 2`.

        A set that stands for itself and what is left of it, `[3, 4] -> [4]`, is not in the language: the
        number of ready descriptors is what a script sees.
        """
        sets = [[] if is_null(item) else [self.live(fd) for fd in array(item)] for item in a[1:4]]
        timeout = None
        if len(a) > 4 and not is_null(a[4]) and a[4] is not ANYTHING:
            limit = structure(a[4])
            timeout = member(limit, 0, "tv_sec", "0") * SEC + member(limit, 0, "tv_usec", "1") * US
        ready = yield from self.machine.call("select", *sets, timeout)
        return sum(map(len, ready))

    def do_epoll_create(self, a: Arguments, call: Call) -> Result:
        """epoll_create(2): EINVAL for a size below 1."""
        if integer(a[0]) <= 0:
            raise OSError(errno.EINVAL, "")
        return self.machine.call("epoll_create", 0)

    def do_epoll_create1(self, a: Arguments, call: Call) -> Result:
        """epoll_create1(2)."""
        return self.machine.call("epoll_create", integer(a[0]))

    def do_epoll_ctl(self, a: Arguments, call: Call) -> Result:
        """epoll_ctl(2): the data that come back are `ptr`, `fd`, `u32` or `u64`."""
        event = unwrap(a[3]) if len(a) > 3 else ANYTHING
        events, data = 0, integer(a[2])
        if isinstance(event, Structure):
            events = member(event, 0, "events", "0")
            data = member(event, data, "fd", "ptr", "u32", "u64", "1")
        yield from self.machine.call(
            "epoll_ctl", self.live(a[0]), integer(a[1]), self.live(a[2]), events & 0xFFFF_FFFF, data
        )
        return 0

    def do_epoll_wait(self, a: Arguments, call: Call) -> Result:
        """epoll_wait(2): events and data are compared."""
        ready = yield from self.machine.call("epoll_wait", self.live(a[0]), integer(a[2]), _timeout(a[3]))
        expected = () if a[1] is ANYTHING or not isinstance(a[1], Array | Structure) else array(a[1])
        got = [(data, events) for data, events in ready]
        for item, (data, events) in zip(expected, got, strict=False):
            if not isinstance(item, Structure):
                continue
            want = member(item, events, "events", "0") & 0xFFFF_FFFF
            if want != events:
                raise ScriptFailure(f"epoll_wait(): events {want:#x} expected, {events:#x} returned")
            want_data = member(item, data, "fd", "ptr", "u32", "u64", "1")
            if want_data != data:
                raise ScriptFailure(f"epoll_wait(): data {want_data} expected, {data} returned")
        return len(got)


_MAKES_DESCRIPTOR: Final = frozenset(
    {"socket", "accept", "accept4", "dup", "dup2", "open", "epoll_create", "epoll_create1"}
)


def _member(value: Structure, *names: str) -> Expression:
    found = value.get(*names)
    if found is None:
        raise ScriptError(f"the structure has no {names[0]}")
    return found


def _timeout(expression: Expression) -> int | None:
    """Milliseconds to ps; negative: for ever."""
    milliseconds = integer(expression)
    return None if milliseconds < 0 else milliseconds * MS
