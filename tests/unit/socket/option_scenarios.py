"""Stream sockets: getsockopt(2) and setsockopt(2); rules as in `scenario`."""

from scenario import attempt, pair


def options_read_written_refused():
    import socket
    import struct

    s = socket.socket()
    sol, tcp = socket.SOL_SOCKET, socket.IPPROTO_TCP
    report = [s.getsockopt(sol, name) for name in (socket.SO_TYPE, socket.SO_DOMAIN, socket.SO_PROTOCOL)]
    report += [s.getsockopt(sol, socket.SO_SNDBUF), s.getsockopt(sol, socket.SO_RCVBUF)]
    for level, name, values in (
        (sol, socket.SO_REUSEADDR, (1, 5, 0)),
        (sol, socket.SO_REUSEPORT, (1,)),
        (sol, socket.SO_KEEPALIVE, (7,)),
        (sol, socket.SO_OOBINLINE, (1,)),
        (sol, socket.SO_SNDBUF, (0, 5000, 50_000)),
        (sol, socket.SO_RCVBUF, (0, 5000, 50_000)),
        (sol, socket.SO_PRIORITY, (3,)),
        (sol, socket.SO_RCVLOWAT, (0, 7, -1)),
        (tcp, socket.TCP_NODELAY, (1, 0, 9)),
        (tcp, socket.TCP_KEEPIDLE, (0, 1, 32767, 32768)),
        (tcp, socket.TCP_KEEPINTVL, (0, 9)),
        (tcp, socket.TCP_KEEPCNT, (0, 127, 128)),
        (sol, socket.SO_TYPE, (1,)),
        (sol, socket.SO_ERROR, (1,)),
        (sol, socket.SO_ACCEPTCONN, (1,)),
        (sol, 12345, (1,)),
        (tcp, 12345, (1,)),
    ):
        report += [attempt(s.getsockopt, level, name)]
        for value in values:
            report += [attempt(s.setsockopt, level, name, value), attempt(s.getsockopt, level, name)]
    for name, values in (
        (socket.SO_LINGER, (struct.pack("ii", 1, 5), struct.pack("ii", 0, 5), b"\1\0\0\0")),
        (socket.SO_RCVTIMEO, (struct.pack("ll", 2, 500_000), struct.pack("ll", 0, 1_000_000), b"\1")),
        (socket.SO_SNDTIMEO, (struct.pack("ll", 3, 0),)),
    ):
        report += [attempt(s.getsockopt, sol, name, 16)]
        for value in values:
            report += [attempt(s.setsockopt, sol, name, value), attempt(s.getsockopt, sol, name, 16)]
    report += [attempt(s.setsockopt, sol, socket.SO_KEEPALIVE, b"\1"), s.getsockopt(sol, socket.SO_TYPE, 2)]
    return [*report, attempt(s.getsockopt, sol, socket.SO_TYPE, -1), attempt(s.setsockopt, sol, 2, 1 << 40)]


def options_inherited_by_accept():
    import socket

    def prepare(listener):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 9000)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    _, server = pair(prepare)
    sol = socket.SOL_SOCKET
    names = (socket.SO_KEEPALIVE, socket.SO_SNDBUF, socket.SO_REUSEADDR, socket.SO_ACCEPTCONN)
    return [
        server.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
        *(server.getsockopt(sol, n) for n in names),
    ]


SCENARIOS = [
    options_read_written_refused,
    options_inherited_by_accept,
]
