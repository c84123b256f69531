"""What ss(8) shows of a host: every socket with state and queues, every TCB with figures and timers."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from pymodel.simtime import MS, SEC
from pymodel.socket import constants as c
from pymodel.socket.dropin.netdb import dotted
from pymodel.socket.messages import SockAddr
from pymodel.socket.sock import Socket
from pymodel.socket.tcpsock import TcpSocket
from pymodel.socket.udpsock import UdpSocket
from pymodel.socket.unixsock import UnixSocket

if TYPE_CHECKING:
    from pymodel.socket.syscalls import Kernel

NAMES = {
    "ESTABLISHED": "ESTAB",
    "SYN_SENT": "SYN-SENT",
    "SYN_RECEIVED": "SYN-RECV",
    "FIN_WAIT_1": "FIN-WAIT-1",
    "FIN_WAIT_2": "FIN-WAIT-2",
    "TIME_WAIT": "TIME-WAIT",
    "CLOSED": "UNCONN",
    "CLOSE_WAIT": "CLOSE-WAIT",
    "LAST_ACK": "LAST-ACK",
}
"""States as ss(8) writes them."""

_UNIX = {c.SOCK_STREAM: "u_str", c.SOCK_DGRAM: "u_dgr", c.SOCK_SEQPACKET: "u_seq"}


class Row(NamedTuple):
    """One socket or TCB. Queues are bytes (of a listener: connections waiting, and the backlog).

    An AF_UNIX socket has paths for addresses; its send queue is the memory that its data takes with the peer.
    `owner`: ("name", pid, fd), or None for what no program holds any more. `timer`: (name, ps left) of each
    timer that runs. `info`: TCP_INFO by name, empty for all but TCP.
    """

    kind: str
    state: str
    receive_queue: int
    send_queue: int
    local: SockAddr
    remote: SockAddr
    owner: tuple[str, int, int] | None
    timers: tuple[tuple[str, int], ...]
    info: dict[str, int]


_TIMERS = (("rtx_timer", "on"), ("delack_timer", "delack"), ("keepalive_timer", "keepalive"),
           ("state_timer", "timewait"))  # fmt: skip


def _timers(connection: Any, now: int) -> Iterator[tuple[str, int]]:
    for attribute, name in _TIMERS:
        deadline = getattr(getattr(connection, attribute, None), "deadline", None)
        if deadline is not None:
            if name == "on" and getattr(connection, "persisting", False):
                name = "persist"
            yield name, max(deadline - now, 0)


def _connection_row(connection: Any, owner: tuple[str, int, int] | None, now: int) -> Row:
    return Row(
        "tcp",
        NAMES.get(connection.state.name, connection.state.name),
        connection.readable,
        connection.unacknowledged,
        connection.local,
        connection.remote,
        owner,
        tuple(_timers(connection, now)),
        connection.info(),
    )


def _unix_row(sock: UnixSocket, owner: tuple[str, int, int]) -> Row:
    peer = (b"", 0) if sock.peer is None else sock.peer.local_name()
    state = "LISTEN" if sock.listening else "UNCONN" if sock.peer is None else "ESTAB"
    queues = sock.waiting if sock.listening else (sock.queued, sock.charged)
    return Row(_UNIX[sock.type], state, *queues, sock.local_name(), peer, owner, (), {})


def _socket_row(sock: Socket, owner: tuple[str, int, int], now: int) -> Row | None:
    if isinstance(sock, UdpSocket):
        remote = sock.endpoint.remote
        state = "UNCONN" if remote is None else "ESTAB"
        queued, sending = sock.endpoint.held, sock.endpoint.sending
        return Row("udp", state, queued, sending, sock.local_name(), remote or (bytes(4), 0), owner, (), {})
    if isinstance(sock, UnixSocket):
        return _unix_row(sock, owner)
    if not isinstance(sock, TcpSocket):
        return None
    if sock.listener is not None:
        waiting, backlog = sock.listener.pending, sock.listener.backlog
        return Row(
            "tcp", "LISTEN", waiting, backlog, sock.local_name(), (bytes(4), 0), owner, (), sock.info()
        )
    if sock.connection is not None:
        return _connection_row(sock.connection, owner, now)
    return Row("tcp", "UNCONN", 0, 0, sock.local_name(), (bytes(4), 0), owner, (), sock.info())


def rows(kernel: "Kernel") -> list[Row]:
    """Every socket of every process, then the connections that no descriptor leads to any more."""
    now = kernel.scheduler.now
    found: list[Row] = []
    seen: set[int] = set()
    for pid, process in sorted(kernel.processes.items()):
        for fd in process.files.open_fds():
            file = process.files.get(fd)
            if not isinstance(file, Socket) or id(file) in seen:
                continue
            seen.add(id(file))
            if isinstance(file, TcpSocket) and file.connection is not None:
                seen.add(id(file.connection))
            row = _socket_row(file, (process.name, pid, fd), now)
            if row is not None:
                found.append(row)
    for connection in kernel.network.tcp.connections.values():
        if id(connection) not in seen:
            found.append(_connection_row(connection, None, now))
    return found


def _address(kind: str, address: SockAddr) -> str:
    host, port = address
    if kind in _UNIX.values():
        return host.decode(errors="replace").replace("\0", "@") or "*"
    return f"{dotted(host) if any(host) else '*'}:{port or '*'}"


def _time(ps: int) -> str:
    return f"{ps / SEC:.3g}s" if ps >= SEC else f"{ps / MS:.3g}ms"


def _details(row: Row) -> str:
    parts = [f"timer:({name},{_time(left)})" for name, left in row.timers]
    info = row.info
    if info and row.state not in ("LISTEN", "UNCONN"):
        parts += [
            f"rto:{info['rto'] / 1000:g}",
            f"rtt:{info['rtt'] / 1000:g}/{info['rttvar'] / 1000:g}",
            f"mss:{info['snd_mss']}",
            f"cwnd:{info['snd_cwnd']}",
        ]
        parts += [f"{name}:{info[name]}" for name in ("unacked", "retrans", "lost", "sacked") if info[name]]
        parts += [f"notsent:{info['notsent_bytes']}"] if info["notsent_bytes"] else []
    if row.owner is not None:
        parts.append('users:(("{}",pid={},fd={}))'.format(*row.owner))
    return " ".join(parts)


def lines(found: Iterable[Row]) -> list[str]:
    """`found` as ss(8) prints it with -tunxaopi, one line each, after a heading."""
    heading = ("Netid", "State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port", "")
    cells = [heading]
    for row in found:
        cells.append(
            (
                row.kind,
                row.state,
                str(row.receive_queue),
                str(row.send_queue),
                _address(row.kind, row.local),
                _address(row.kind, row.remote),
                _details(row),
            )
        )
    widths = [max(len(line[column]) for line in cells) for column in range(6)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[6]]).rstrip()
        for line in cells
    ]


def table(*kernels: "Kernel") -> str:
    """The sockets of all `kernels` in one table."""
    return "\n".join(lines(row for kernel in kernels for row in rows(kernel)))
