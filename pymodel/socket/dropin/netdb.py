"""Name service of a simulated host: numeric addresses, the hosts table, a few services.

It fails as the GNU C library does (getaddrinfo(3), gethostbyname(3)), without asking any server.
Names and addresses at this level are strings, as in the `socket` module.
"""

import errno
import os
import socket as real
from typing import Any

from pymodel.socket import constants as c
from pymodel.socket.current import current_process
from pymodel.socket.errors import error

LOCALHOST = "localhost"

SERVICES = {"echo": 7, "discard": 9, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53,
            "http": 80, "pop3": 110, "imap2": 143, "https": 443, "http-alt": 8080}  # fmt: skip
"""/etc/services, as far as somebody may want it."""

_PROTOCOLS = {"ip": c.IPPROTO_IP, "icmp": c.IPPROTO_ICMP, "tcp": c.IPPROTO_TCP, "udp": c.IPPROTO_UDP}

_KINDS = ((c.SOCK_STREAM, c.IPPROTO_TCP), (c.SOCK_DGRAM, c.IPPROTO_UDP), (c.SOCK_RAW, c.IPPROTO_IP))

_MESSAGES = {
    c.EAI_BADFLAGS: "Bad value for ai_flags",
    c.EAI_ADDRFAMILY: "Address family for hostname not supported",
    c.EAI_NONAME: "Name or service not known",
    c.EAI_FAMILY: "ai_family not supported",
    c.EAI_SOCKTYPE: "ai_socktype not supported",
    c.EAI_SERVICE: "Servname not supported for ai_socktype",
}


def _failure(code: int) -> real.gaierror:
    return real.gaierror(code, _MESSAGES[code])


def dotted(address: bytes) -> str:
    """A packed IPv4 address as text."""
    return ".".join(map(str, address))


def packed(text: str) -> bytes | None:
    """A dotted quad as bytes; None if it is not one."""
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() and len(part) <= 3 for part in parts):
        return None
    numbers = [int(part) for part in parts]
    return bytes(numbers) if max(numbers) < 256 else None


def _packed_6(host: str | bytes | None) -> bytes | None:
    """A numeric IPv6 address as bytes; None if it is not one."""
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if not text or ":" not in text:
        return None
    try:
        return real.inet_pton(real.AF_INET6, text)
    except OSError:
        return None


def resolve(host: str | bytes | bytearray) -> bytes:
    """The packed address of a name or dotted quad; "" is any; gaierror: EAI_NONAME, EAI_ADDRFAMILY."""
    name = host.decode("ascii") if isinstance(host, bytes | bytearray) else host
    if not name:
        return b"\0\0\0\0"
    if name == "<broadcast>":
        return b"\xff\xff\xff\xff"
    address = packed(name)
    if address is None:
        address = current_process().kernel.hosts.get(name.lower().removesuffix("."))
    if address is None and name.lower() == LOCALHOST:
        address = b"\x7f\0\0\1"
    if address is None:
        raise _failure(c.EAI_NONAME if _packed_6(name) is None else c.EAI_ADDRFAMILY)
    return address


def gethostname() -> str:
    """The name that the hosts table has for one of this host's addresses, or localhost."""
    kernel = current_process().kernel
    own = set(kernel.network.addresses())
    return next((name for name, address in kernel.hosts.items() if address in own), LOCALHOST)


def gethostbyname(host: str, /) -> str:
    """The dotted address of `host`; gaierror."""
    return dotted(resolve(host))


def gethostbyname_ex(host: str, /) -> tuple[str, list[str], list[str]]:
    """(name, aliases, addresses); gaierror."""
    return host, [], [gethostbyname(host)]


def gethostbyaddr(host: str, /) -> tuple[str, list[str], list[str]]:
    """(name, aliases, addresses) by address or name; herror if the table has no name for it."""
    address = resolve(host)
    names = [name for name, known in current_process().kernel.hosts.items() if known == address]
    if not names and address[0] == 127:
        names = [LOCALHOST]
    if not names:
        raise real.herror(1, "Unknown host")
    return names[0], names[1:], [dotted(address)]


def getservbyname(name: str, protocol: str = "tcp", /) -> int:
    """The port of a service; OSError if it is not known."""
    if name not in SERVICES or protocol not in ("tcp", "udp"):
        raise OSError("service/proto not found")
    return SERVICES[name]


def getservbyport(port: int, protocol: str = "tcp", /) -> str:
    """The service at a port; OSError if it is not known, OverflowError if it is no port."""
    if not 0 <= port <= 0xFFFF:
        raise OverflowError("getservbyport: port must be 0-65535.")
    for name, number in SERVICES.items():
        if number == port and protocol in ("tcp", "udp"):
            return name
    raise OSError("port/proto not found")


def getprotobyname(name: str, /) -> int:
    """The number of a protocol; OSError if it is not known."""
    if name not in _PROTOCOLS:
        raise OSError("protocol not found")
    return _PROTOCOLS[name]


def _port(port: str | bytes | int | None, flags: int) -> int:
    if port is None:
        return 0
    if not isinstance(port, int | str | bytes):
        raise OSError("Int or String expected")
    if isinstance(port, int) and not -(1 << 63) <= port < 1 << 63:
        raise OverflowError("Python int too large to convert to C long")
    text = port.decode("ascii") if isinstance(port, bytes) else str(port)
    text.encode()  # UnicodeEncodeError
    if text.lstrip("-").isdigit():
        return int(text) & 0xFFFF
    if flags & c.AI_NUMERICSERV:
        raise _failure(c.EAI_NONAME)
    if text not in SERVICES:
        raise _failure(c.EAI_SERVICE)
    return SERVICES[text]


AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]


def getaddrinfo(
    host: str | bytes | None,
    port: str | bytes | int | None,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[AddressInfo]:
    """As `socket.getaddrinfo`: (family, type, proto, canonical name, address) each; gaierror.

    Names are those of IPv4 addresses. A numeric IPv6 address is one, although no socket can use it here.
    """
    if host is None and port is None:
        raise _failure(c.EAI_NONAME)
    six = _packed_6(host)
    if family not in (c.AF_UNSPEC, c.AF_INET, c.AF_INET6):
        raise _failure(c.EAI_FAMILY)
    if family not in (c.AF_UNSPEC, c.AF_INET if six is None else c.AF_INET6):
        text = host.decode("ascii", "replace") if isinstance(host, bytes) else host or ""
        raise _failure(c.EAI_NONAME if six is None and packed(text) is None else c.EAI_ADDRFAMILY)
    kinds = [
        (kind, proto if kind == c.SOCK_RAW else protocol)
        for kind, protocol in _KINDS
        if type in (0, kind) and (proto in (0, protocol) or kind == c.SOCK_RAW)
    ]
    if not kinds:
        raise _failure(c.EAI_SOCKTYPE)
    number = _port(port, flags)
    if six is not None:
        text = real.inet_ntop(real.AF_INET6, six)
        shown = text if flags & c.AI_CANONNAME else ""
        return [(c.AF_INET6, kind, protocol, shown, (text, number, 0, 0)) for kind, protocol in kinds]
    name = host.decode("ascii") if isinstance(host, bytes) else host
    if name is None:
        address = b"\0\0\0\0" if flags & c.AI_PASSIVE else b"\x7f\0\0\1"
    elif not name or (flags & c.AI_NUMERICHOST and packed(name) is None):
        raise _failure(c.EAI_NONAME)
    else:
        address = resolve(name)
    canonical = name or "" if flags & c.AI_CANONNAME else ""
    return [(c.AF_INET, kind, protocol, canonical, (dotted(address), number)) for kind, protocol in kinds]


def getnameinfo(sockaddr: tuple[Any, ...], flags: int, /) -> tuple[str, str]:
    """(host, service) of an address; gaierror with NI_NAMEREQD if it has no name."""
    if not isinstance(sockaddr, tuple):
        del sockaddr  # as in C, where no frame holds it while the error travels
        raise TypeError("getnameinfo() argument 1 must be a tuple")
    host, port = sockaddr[0], sockaddr[1]
    if not isinstance(port, int):
        raise TypeError(f"'{type(port).__name__}' object cannot be interpreted as an integer")
    if not flags & c.NI_NUMERICHOST:
        try:
            host = gethostbyaddr(host)[0]
        except real.herror:
            if flags & c.NI_NAMEREQD:
                raise _failure(c.EAI_NONAME) from None
    service = str(port)
    if not flags & c.NI_NUMERICSERV:
        service = next((name for name, number in SERVICES.items() if number == port), service)
    return host, service


def if_nameindex() -> list[tuple[int, str]]:
    """The interfaces' numbers and names: the loopback and one NIC."""
    return [(1, "lo"), (2, "eth0")]


def if_nametoindex(name: str, /) -> int:
    """The number of an interface; OSError if there is none."""
    for index, known in if_nameindex():
        if known == os.fsdecode(name):
            return index
    raise OSError("no interface with this name")


def if_indextoname(index: int, /) -> str:
    """The name of an interface; OSError(ENXIO) if there is none."""
    if index < 0:
        raise OverflowError("can't convert negative value to unsigned int")
    if index >= 1 << 32:
        raise OverflowError("Python int too large to convert to C unsigned long")
    for known, name in if_nameindex():
        if known == index:
            return name
    raise error(errno.ENXIO)


def sethostname(name: str, /) -> None:
    """EPERM: the host's name belongs to the simulated network."""
    raise error(errno.EPERM)


EXPORTS: dict[str, Any] = {
    **{
        function.__name__: function
        for function in (
            *(gethostname, gethostbyname, gethostbyname_ex, gethostbyaddr, getaddrinfo, getnameinfo),
            *(getservbyname, getservbyport, getprotobyname, if_nameindex),
            *(if_nametoindex, if_indextoname, sethostname),
        )
    },
    **{name: getattr(real, name) for name in ("htons", "htonl", "ntohs", "ntohl")},
    **{name: getattr(real, name) for name in ("inet_aton", "inet_ntoa", "inet_pton", "inet_ntop")},
    "error": OSError,
    "timeout": TimeoutError,
    "gaierror": real.gaierror,
    "herror": real.herror,
    "has_ipv6": False,
}
