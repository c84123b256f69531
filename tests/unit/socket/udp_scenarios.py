"""Datagram socket programs that report what every call did; rules as in scenario."""

from scenario import SETTLE, attempt, mask


def pair():
    """Two sockets on 127.0.0.1, the first connected to the second."""
    import socket

    b = socket.socket(type=socket.SOCK_DGRAM)
    b.bind(("127.0.0.1", 0))
    a = socket.socket(type=socket.SOCK_DGRAM)
    a.connect(b.getsockname())
    for s in (a, b):
        s.settimeout(2)
    return a, b


def closed_port():
    """An address where nobody listens."""
    import socket

    with socket.socket(type=socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()


def fresh_datagram_socket_used_too_early():
    import socket

    s = socket.socket(type=socket.SOCK_DGRAM)
    s.setblocking(False)
    report = [mask(s), s.type.name, s.proto, s.getsockname(), attempt(s.getpeername), attempt(s.listen)]
    report += [attempt(s.accept), attempt(s.send, b"x"), s.getsockname()[0], s.getsockname()[1] > 0]
    report += [attempt(s.bind, ("127.0.0.1", 0)), attempt(s.recv, 1), attempt(s.recvfrom, 0)]
    report += [attempt(s.shutdown, 7), attempt(s.shutdown, socket.SHUT_RD), mask(s), attempt(s.recv, 1)]
    s.setblocking(True)
    report += [attempt(s.recvfrom, 9), attempt(s.shutdown, socket.SHUT_WR), mask(s)]
    report += [attempt(s.sendto, b"x", closed_port())]
    return report


def socket_arguments_for_datagrams():
    import socket

    make = socket.socket
    return [
        attempt(lambda: make(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_TCP)),
        attempt(lambda: make(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP).proto),
        attempt(lambda: make(type=socket.SOCK_DGRAM | socket.SOCK_NONBLOCK).gettimeout()),
        attempt(make(type=socket.SOCK_DGRAM).sendto, b"", ("127.0.0.1", 0)),
        attempt(make(type=socket.SOCK_DGRAM).sendto, b""),
        attempt(make(type=socket.SOCK_DGRAM).bind, ("192.0.2.1", 0)),
    ]


def addresses_of_a_datagram():
    import socket

    a, b = pair()
    report = [a.send(b"hello"), a.getsockname()[0], a.getpeername() == b.getsockname()]
    data, sender = b.recvfrom(100)
    report += [data, sender == a.getsockname(), b.sendto(b"back", sender), a.recvfrom(100)[0]]
    report += [attempt(b.getpeername), attempt(b.sendto, b"", 0, sender), a.recvfrom(5)[0]]
    third = socket.socket(type=socket.SOCK_DGRAM)
    third.bind(("127.0.0.2", 0))
    report += [third.sendto(b"not for a", a.getsockname()), third.sendto(b"for b", b.getsockname())]
    report += [b.recvfrom(9)[1] == third.getsockname(), attempt(a.recv, 9, socket.MSG_DONTWAIT)]
    report += [
        a.sendto(b"elsewhere", third.getsockname()),
        third.recv(100),
        a.sendto(b"any", ("", b.getsockname()[1])),
    ]
    return [*report, b.recv(100)]


def lengths_and_truncation():
    import socket

    a, b = pair()
    for size in (0, 1, 100, 100, 100, 1472, 65507, 3):
        a.send(b"x" * size)
    report = [b.recvfrom(10)[0], b.recv(1), b.recv(10), len(b.recv(10, socket.MSG_TRUNC))]
    report += [b.recvfrom(0)[0], b.recv_into(bytearray(2000)), len(b.recv(70000)), b.recv(0), b.recv(9)]
    report += [attempt(a.send, b"x" * n) for n in (65508, 65535, 65536, 100000)]
    a.send(b"abcdef")
    report += [b.recv(3, socket.MSG_PEEK), len(b.recv(3, socket.MSG_PEEK | socket.MSG_TRUNC))]
    buffer = bytearray(4)
    report += [b.recv_into(buffer, 4, socket.MSG_PEEK | socket.MSG_TRUNC), bytes(buffer), b.recv(100)]
    return [*report, attempt(b.recv, 1, socket.MSG_DONTWAIT), attempt(b.recv, 1, 0x2000)]


def messages_gathered_and_scattered():
    import socket

    a, b = pair()
    report = [a.sendmsg([b"one", b"", bytearray(b"two")]), a.sendmsg([]), a.sendmsg([b"four"] * 3)]
    data, control, flags, sender = b.recvmsg(100)
    report += [data, control, flags, sender == a.getsockname()]
    report += [b.recvmsg(100, 64)[:3]]
    parts = [bytearray(5), bytearray(0), bytearray(3)]
    count, control, flags, _ = b.recvmsg_into(parts)
    report += [count, control, flags, parts]
    a.send(b"x" * 50)
    report += [b.recvmsg(10, 0, socket.MSG_TRUNC | socket.MSG_PEEK)[:3], b.recvmsg(0)[:3]]
    report += [attempt(b.recvmsg, -1), attempt(b.recvmsg, 1, -1), attempt(a.sendmsg, [b""] * 1025)]
    report += [b.sendmsg([b"x"], [], 0, a.getsockname()), a.recvmsg(9)[:3], attempt(b.sendmsg, [b"x"])]
    report += [attempt(a.sendmsg, [b"x"], [(socket.SOL_SOCKET, 99, b"")])]
    return [*report, attempt(b.recvmsg, 1, 0, socket.MSG_DONTWAIT)]


def messages_of_a_stream():
    import scenario

    client, server = scenario.pair()
    report = [client.sendmsg([b"ab", b"cd"]), server.recvmsg(3), server.recvmsg_into([bytearray(9)])]
    client.close()
    return [*report, server.recvmsg(3)]


def connected_to_a_closed_port():
    import socket
    import time

    a = socket.socket(type=socket.SOCK_DGRAM)
    a.settimeout(2)
    target = closed_port()
    a.connect(target)
    report = [a.send(b"1")]
    time.sleep(SETTLE)
    report += [mask(a), attempt(a.send, b"2"), a.send(b"3")]
    time.sleep(SETTLE)
    report += [attempt(a.recv, 1), a.send(b"4")]
    time.sleep(SETTLE)
    report += [a.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), mask(a)]
    report += [a.send(b"5"), attempt(a.recv, 1)]
    unconnected = socket.socket(type=socket.SOCK_DGRAM)
    report += [unconnected.sendto(b"6", target)]
    time.sleep(SETTLE)
    report += [mask(unconnected), unconnected.sendto(b"7", target)]
    return report


def associations_changed():
    import socket
    import time

    a, b = pair()
    _, other = pair()
    a.connect(other.getsockname())
    report = [a.getpeername() == other.getsockname(), a.send(b"to other"), other.recv(20)]
    port = a.getsockname()[1]
    b.sendto(b"refused", ("127.0.0.1", port))
    time.sleep(SETTLE)
    report += [attempt(a.recv, 9, socket.MSG_DONTWAIT)]
    a.connect(("0.0.0.0", other.getsockname()[1]))
    report += [a.getpeername()[0], attempt(a.bind, ("127.0.0.1", 0)), a.getsockname() == ("127.0.0.1", port)]
    late = socket.socket(type=socket.SOCK_DGRAM)
    late.bind(("127.0.0.1", 0))
    b.sendto(b"before connect", late.getsockname())
    time.sleep(SETTLE)
    late.connect(other.getsockname())
    report += [late.recv(99)]
    return report


def broadcast_needs_permission():
    import socket

    s = socket.socket(type=socket.SOCK_DGRAM)
    target = ("127.255.255.255", 9)
    option = (socket.SOL_SOCKET, socket.SO_BROADCAST)
    report = [s.getsockopt(*option), attempt(s.sendto, b"", target), attempt(s.connect, target)]
    s.setsockopt(*option, 1)
    return [*report, s.getsockopt(*option), attempt(s.sendto, b"", target), attempt(s.connect, target)]


def datagram_ports_shared():
    import socket

    def bound(address, *options):
        s = socket.socket(type=socket.SOCK_DGRAM)
        for option in options:
            s.setsockopt(socket.SOL_SOCKET, option, 1)
        return s, attempt(s.bind, address)

    a, _ = bound(("127.0.0.1", 0))
    port = a.getsockname()[1]
    report = [bound((host, port))[1] for host in ("127.0.0.1", "0.0.0.0", "127.0.0.2")]
    report += [bound(("127.0.0.1", port), option)[1] for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT)]
    a.close()
    a, outcome = bound(("127.0.0.1", port), socket.SO_REUSEADDR)
    b, second = bound(("127.0.0.1", port), socket.SO_REUSEADDR)
    anywhere, third = bound(("", port), socket.SO_REUSEADDR)
    report += [outcome, second, third, bound(("127.0.0.1", port), socket.SO_REUSEPORT)[1]]
    client = socket.socket(type=socket.SOCK_DGRAM)
    client.sendto(b"the newest exact one", ("127.0.0.1", port))
    client.sendto(b"any", ("127.0.0.3", port))
    names = {a: "a", b: "b", anywhere: "any"}
    import select

    ready, _, _ = select.select(list(names), [], [], 2)
    report += [[names[s] for s in ready], [s.recv(99) for s in ready]]
    a.connect(
        client.getsockname()
        if client.getsockname()[0] != "0.0.0.0"
        else ("127.0.0.1", client.getsockname()[1])
    )
    client.sendto(b"the connected one", ("127.0.0.1", port))
    ready, _, _ = select.select(list(names), [], [], 2)
    report += [[names[s] for s in ready]]
    for s in names:
        s.close()
    c, outcome = bound(("127.0.0.1", port), socket.SO_REUSEPORT)
    d, second = bound(("127.0.0.1", port), socket.SO_REUSEPORT)
    tcp = socket.socket()
    return [*report, outcome, second, attempt(tcp.bind, ("127.0.0.1", port)), c is d]


def bind_datagrams_to_groups():
    import socket

    b, receiver = pair()
    b.close()
    report = []
    for host in ("224.0.0.1", "239.255.255.255", "255.255.255.255", "240.0.0.1", "192.0.2.1"):
        s = socket.socket(type=socket.SOCK_DGRAM)
        report += [attempt(s.bind, (host, 0)), s.getsockname()[0], attempt(s.bind, (host, 0))]
        report += [attempt(s.sendto, b"x", receiver.getsockname()), attempt(receiver.recvfrom, 9)[1][0]]
        report += [attempt(s.connect, receiver.getsockname()), s.getsockname()[0]]
        report += [attempt(s.send, b"y"), attempt(receiver.recvfrom, 9)[1][0]]
    return report


def datagram_time_limits():
    import socket
    import struct
    import time

    _, b = pair()
    b.settimeout(0.05)
    report = [attempt(b.recv, 1), attempt(b.recvfrom, 1)]
    b.setblocking(True)
    b.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, 50_000))
    start = time.monotonic()
    report += [attempt(b.recv, 1), 0.04 < time.monotonic() - start < 1]
    b.setblocking(False)
    return [*report, attempt(b.recv, 1)]


def connected_datagram_socket_shut():
    import socket
    import time

    a, b = pair()
    report = [a.shutdown(socket.SHUT_WR), attempt(a.send, b"x"), mask(a)]
    b.sendto(b"still comes", a.getsockname())
    report += [
        a.recv(99),
        a.shutdown(socket.SHUT_RD),
        mask(a),
        a.recv(9) if a.settimeout(None) is None else 0,
    ]
    b.sendto(b"even now", a.getsockname())
    time.sleep(SETTLE)
    return [*report, a.recvfrom(99)[0], a.recvfrom(99)]


def datagram_options():
    import socket

    s = socket.socket(type=socket.SOCK_DGRAM)
    level = socket.SOL_SOCKET
    report = [
        s.getsockopt(level, o)
        for o in (socket.SO_RCVBUF, socket.SO_SNDBUF, socket.SO_TYPE, socket.SO_PROTOCOL)
    ]
    s.setsockopt(level, socket.SO_RCVBUF, 5000)
    s.setsockopt(level, socket.SO_SNDBUF, 10)
    report += [s.getsockopt(level, o) for o in (socket.SO_RCVBUF, socket.SO_SNDBUF, socket.SO_ACCEPTCONN)]
    report += [attempt(s.getsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY)]
    report += [attempt(s.setsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    return report


def receive_buffer_overrun():
    import socket
    import time

    a, b = pair()
    b.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
    for i in range(200):
        a.send(b"%04d" % i + bytes(1000))
    time.sleep(SETTLE)
    b.setblocking(False)
    got = []
    while isinstance(data := attempt(b.recv, 2000), bytes):
        got.append(int(data[:4]))
    a.send(b"room again")
    b.settimeout(2)
    return got == list(range(len(got))), 10 < len(got) < 60, data, b.recv(99)


SCENARIOS = [
    fresh_datagram_socket_used_too_early,
    socket_arguments_for_datagrams,
    addresses_of_a_datagram,
    lengths_and_truncation,
    messages_gathered_and_scattered,
    messages_of_a_stream,
    connected_to_a_closed_port,
    associations_changed,
    broadcast_needs_permission,
    datagram_ports_shared,
    bind_datagrams_to_groups,
    datagram_time_limits,
    connected_datagram_socket_shut,
    datagram_options,
    receive_buffer_overrun,
]
