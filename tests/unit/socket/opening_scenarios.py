"""Stream sockets: made, bound, listening, connecting; rules as in `scenario`."""

from scenario import SETTLE, attempt, mask


def descriptors_closed_and_reopened():
    import socket

    socks = [socket.socket() for _ in range(4)]
    base = socks[0].fileno()
    report = [s.fileno() - base for s in socks]
    socks[2].close()
    socks[1].close()
    again = [socket.socket() for _ in range(3)]
    report += [s.fileno() - base for s in again]
    copy = again[0].dup()
    report += [copy.fileno() - base, socks[1].fileno(), attempt(socks[1].getsockname)]
    number = copy.detach()
    report += [number - base, copy.fileno(), attempt(copy.listen)]
    return report, socket.close(number)


def fresh_socket_used_too_early():
    import socket

    s = socket.socket()
    return [
        mask(s),
        s.getsockname(),
        attempt(s.getpeername),
        attempt(s.send, b"x"),
        attempt(s.sendto, b"x", ("127.0.0.1", 9)),
        attempt(s.recv, 1),
        attempt(s.recv, 0),
        attempt(s.accept),
        attempt(s.shutdown, socket.SHUT_WR),
        mask(s),
        attempt(s.recv, 1),
        attempt(s.shutdown, 7),
        attempt(s.shutdown, socket.SHUT_RD),
        mask(s),
        attempt(s.recv, 1),
    ]


def socket_arguments():
    import socket

    return [
        attempt(lambda: socket.socket(99).family),
        attempt(lambda: socket.socket(socket.AF_INET, 99)),
        attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_UDP)),
        attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 1000000)),
        attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET)),
        attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP).type.name),
        attempt(lambda: socket.socket(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK).gettimeout()),
        attempt(lambda: socket.socket().bind("x")),
        attempt(lambda: socket.socket().bind(("127.0.0.1",))),
        attempt(lambda: socket.socket().bind((1, 2))),
        attempt(lambda: socket.socket().bind(("127.0.0.1", -1))),
        attempt(lambda: socket.socket().connect(("127.0.0.1", 65536))),
        attempt(lambda: socket.socket().connect(("127.0.0.1", "80"))),
        attempt(lambda: socket.socket().recv(-1)),
        attempt(lambda: socket.socket().settimeout(-1)),
    ]


def bind_conflicts():
    import socket

    def bound(address, *options):
        s = socket.socket()
        for option in options:
            s.setsockopt(socket.SOL_SOCKET, option, 1)
        return s, attempt(s.bind, address)

    report = []
    a, _ = bound(("127.0.0.1", 0))
    port = a.getsockname()[1]
    report += [32768 <= port <= 60999, attempt(a.bind, ("127.0.0.1", 0))]
    b, outcome = bound(("127.0.0.1", port))
    report += [outcome, b.getsockname()]
    report += [bound((host, port))[1] for host in ("0.0.0.0", "127.0.0.2", "192.0.2.1")]
    report += [bound(("127.0.0.1", port), socket.SO_REUSEADDR)[1]]
    report += [bound(("127.0.0.1", port), socket.SO_REUSEPORT)[1]]
    a.close()
    a, outcome = bound(("127.0.0.1", port), socket.SO_REUSEADDR)
    b, second = bound(("0.0.0.0", port), socket.SO_REUSEADDR)
    report += [outcome, second, attempt(a.listen), attempt(b.listen)]
    report += [bound(("127.0.0.1", port), socket.SO_REUSEADDR)[1]]
    a.close()
    report += [attempt(b.listen), b.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)]
    b.close()
    c, outcome = bound(("127.0.0.1", port), socket.SO_REUSEPORT)
    _d, second = bound(("127.0.0.1", port), socket.SO_REUSEPORT)
    return [*report, outcome, second, attempt(c.bind, ("127.0.0.1", port))]


def bind_to_groups():
    import socket

    report = []
    listener = socket.create_server(("127.0.0.1", 0))
    for host in ("224.0.0.1", "239.255.255.255", "240.0.0.1", "192.0.2.1"):
        s = socket.socket()
        report += [attempt(s.bind, (host, 0)), s.getsockname()[0], attempt(s.bind, (host, 0))]
        report += [attempt(s.connect, listener.getsockname()), s.getsockname()[0]]
    return report


def listen_without_bind():
    import socket

    s = socket.socket()
    report = [s.listen(-1), s.getsockname()[0], s.getsockname()[1] >= 32768, s.listen(5)]
    report += [mask(s), attempt(s.bind, ("127.0.0.1", 0)), attempt(s.connect, ("127.0.0.1", 1))]
    report += [attempt(s.recv, 1), attempt(s.send, b"x"), attempt(s.getpeername)]
    report += [attempt(s.shutdown, socket.SHUT_WR), mask(s), attempt(s.shutdown, socket.SHUT_RD), mask(s)]
    return [*report, attempt(s.accept), s.getsockname()[1] >= 32768, attempt(s.listen)]


def port_shared_by_listeners():
    import socket
    import time

    def shared(reuse=1):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuse)
        return s

    first, second, third = shared(), shared(), shared(0)
    first.bind(("127.0.0.1", 0))
    name = first.getsockname()
    report = [attempt(second.bind, name), attempt(third.bind, name)]
    report += [attempt(s.listen, 100) for s in (first, second)]
    clients = [socket.create_connection(name) for _ in range(60)]
    time.sleep(SETTLE)
    counts = []
    for s in (first, second):
        s.setblocking(False)
        counts.append(0)
        while isinstance(attempt(s.accept)[0], socket.socket):
            counts[-1] += 1
    second.close()
    clients += [socket.create_connection(name) for _ in range(8)]
    time.sleep(SETTLE)
    while isinstance(attempt(first.accept)[0], socket.socket):
        counts[0] += 1
    return report, min(counts) >= 5, sum(counts)


def connect_refused_then_accepted():
    import socket

    probe = socket.socket()
    probe.bind(("127.0.0.1", 0))
    s = socket.socket()
    report = [attempt(s.connect, probe.getsockname()), mask(s), attempt(s.getpeername)]
    report += [s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), attempt(s.recv, 1), attempt(s.send, b"x")]
    probe.listen()
    report += [attempt(s.connect, probe.getsockname()), attempt(s.connect, probe.getsockname())]
    report += [attempt(s.listen), s.getpeername() == probe.getsockname(), s.getsockname()[0], mask(s)]
    report += [attempt(s.bind, ("127.0.0.1", 0)), attempt(s.connect_ex, probe.getsockname())]
    return report


def connect_to_unusual_addresses():
    import socket

    listener = socket.create_server(("127.0.0.2", 0))
    port = listener.getsockname()[1]
    report = [attempt(socket.socket().connect, (host, port)) for host in ("224.0.0.1", "127.0.0.3")]
    bound = socket.socket()
    bound.bind(("127.0.0.9", 0))
    name = bound.getsockname()
    report += [attempt(bound.connect, ("127.0.0.2", port)), bound.getsockname() == name]
    connection, peer = listener.accept()
    report += [peer == name, connection.getsockname() == ("127.0.0.2", port)]
    again = socket.socket()
    again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return [*report, attempt(again.bind, name)]


def nonblocking_connect_succeeds():
    import select
    import socket

    listener = socket.create_server(("127.0.0.1", 0))
    s = socket.socket()
    s.setblocking(False)
    listener.setblocking(False)
    report = [attempt(listener.accept)]
    report += [attempt(s.connect, listener.getsockname())]
    _, ready, _ = select.select([], [s], [], 5)
    report += [ready == [s], s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), mask(s)]
    report += [attempt(s.connect, listener.getsockname()), attempt(s.connect, listener.getsockname())]
    return [*report, attempt(s.recv, 1), s.connect_ex(listener.getsockname())]


def nonblocking_connect_refused():
    import select
    import socket

    probe = socket.socket()
    probe.bind(("127.0.0.1", 0))
    reports = []
    for learn in (0, 1, 2):
        s = socket.socket()
        s.setblocking(False)
        report = [s.connect_ex(probe.getsockname())]
        select.select([s], [s], [], 5)
        report += [mask(s)]
        if learn == 0:
            report += [s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), mask(s), attempt(s.recv, 1)]
        if learn == 1:
            report += [attempt(s.recv, 1), attempt(s.recv, 1), attempt(s.send, b"x")]
        report += [s.connect_ex(probe.getsockname()), mask(s), attempt(s.recv, 1)]
        reports.append(report)
    return reports


SCENARIOS = [
    descriptors_closed_and_reopened,
    fresh_socket_used_too_early,
    socket_arguments,
    bind_conflicts,
    bind_to_groups,
    listen_without_bind,
    port_shared_by_listeners,
    connect_refused_then_accepted,
    connect_to_unusual_addresses,
    nonblocking_connect_succeeds,
    nonblocking_connect_refused,
]
