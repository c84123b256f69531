"""Corners of TCP sockets, epoll and datagrams that the other scenarios leave out; rules as in `scenario`."""

from scenario import SETTLE, attempt, mask, pair


def epoll_of_a_dup_survives_the_close_of_the_number():
    import os
    import select
    import time

    client, server = pair()
    report = []
    for flags in (select.EPOLLIN, select.EPOLLIN | select.EPOLLET, select.EPOLLIN | select.EPOLLONESHOT):
        with select.epoll() as epoll:
            copy = os.dup(server.fileno())
            epoll.register(copy, flags)
            client.send(b"x")
            time.sleep(SETTLE)
            report += [[e for _, e in epoll.poll(0)], [e for _, e in epoll.poll(0)]]
            os.close(copy)  # the description lives on, and so does the entry (epoll(7), Q6)
            report += [attempt(epoll.modify, copy, flags), attempt(epoll.unregister, copy)]
            client.send(b"y")
            time.sleep(SETTLE)
            report += [[(n == copy, e) for n, e in epoll.poll(0)], server.recv(9)]
    return report


def peek_offset():
    import socket
    import time

    client, server = pair()
    report = [server.getsockopt(socket.SOL_SOCKET, 42), attempt(server.setsockopt, socket.SOL_SOCKET, 42, 0)]
    client.send(b"0123456789")
    time.sleep(SETTLE)
    peek = socket.MSG_PEEK
    report += [server.recv(3, peek), server.recv(3, peek), server.getsockopt(socket.SOL_SOCKET, 42)]
    report += [server.recv(2), server.getsockopt(socket.SOL_SOCKET, 42), server.recv(3, peek)]
    report += [attempt(server.setsockopt, socket.SOL_SOCKET, 42, 100), attempt(server.recv, 1, peek | 0x40)]
    report += [
        attempt(server.setsockopt, socket.SOL_SOCKET, 42, -1),
        server.recv(3, peek),
        server.recv(3, peek),
    ]
    return report


def peek_offset_of_messages():
    import socket

    peek, trunc = socket.MSG_PEEK | socket.MSG_DONTWAIT, socket.MSG_TRUNC
    report = []
    inet = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(2)]
    inet[1].bind(("127.0.0.1", 0))
    inet[0].connect(inet[1].getsockname())
    pairs = [inet, *(socket.socketpair(socket.AF_UNIX, kind) for kind in (1, 2, 5))]
    for a, b in pairs:

        def see(*arguments, b=b):
            got = attempt(b.recvmsg, *arguments)
            found = got[0::2][:2] if isinstance(got[0], bytes) else got
            return found, b.getsockopt(socket.SOL_SOCKET, 42)

        report += [attempt(b.setsockopt, socket.SOL_SOCKET, 42, 0)]
        for data in (b"0123456789", b"", b"abcdef", b"x"):
            a.send(data)
        for size in (3, 3, 7, 9, 9, 9, 9, 9):
            report.append(see(size, 0, peek))
        report += [see(4), see(9, 0, peek), see(9, 0, peek | trunc), see(9, 0, peek)]
        report += [b.setsockopt(socket.SOL_SOCKET, 42, 2), see(2, 0, peek | trunc), see(2, 0, peek)]
        report += [see(9), see(9, 0, peek), see(9, 0, trunc | socket.MSG_DONTWAIT), see(9, 0, peek)]
        report += [b.setsockopt(socket.SOL_SOCKET, 42, -1), see(9, 0, peek), see(9, 0, peek)]
        report += [b.setsockopt(socket.SOL_SOCKET, 42, 50), see(9, 0, peek), see(9, 0, socket.MSG_DONTWAIT)]
    return report


def memory_of_sockets():
    import socket
    import struct
    import time

    def memory(s, *fields):
        figures = struct.unpack("9I", s.getsockopt(socket.SOL_SOCKET, 55, 99))
        return [figures[field] for field in fields or range(9)]

    received, buffer, sending, sent_buffer, _, queued, _, _, drops = range(9)
    a, b = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
    report = [memory(b), [len(b.getsockopt(socket.SOL_SOCKET, 55, n)) for n in (1, 4, 36, 99)]]
    b.bind(("127.0.0.1", 0))
    a.connect(b.getsockname())
    for size in (0, 10, 3000):
        a.send(bytes(size))
        report.append(memory(b))
    b.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    for _ in range(5):
        a.send(bytes(700))
    report += [memory(b, received, buffer, sending, sent_buffer, drops), memory(a)]
    u, v = socket.socketpair()
    u.send(bytes(100))
    report += [memory(u), memory(v)]
    client, server = pair()
    report += [memory(client, received, buffer, queued, drops), memory(socket.socket())]
    client.send(bytes(1000))
    time.sleep(SETTLE)
    report += [
        memory(server, buffer, queued),
        memory(client, queued),
        1000 < memory(server, received)[0] < 3000,
    ]
    server.recv(2000)
    return [*report, memory(server, received, queued)]


def linger_while_not_blocking():
    import socket
    import struct
    import time

    report = []
    for on, seconds in ((1, 0), (1, 5), (0, 0)):
        client, server = pair()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", on, seconds))
        client.setblocking(False)
        client.send(b"data")
        started = time.monotonic()
        client.close()
        report += [time.monotonic() - started < 1]
        time.sleep(SETTLE)
        report += [mask(server), attempt(server.recv, 9), attempt(server.recv, 9)]
    return report


def association_dissolved():
    import socket

    listener = socket.create_server(("127.0.0.1", 0))
    s = socket.socket()
    report = [
        attempt(s.connect, listener.getsockname()),
        attempt(s.listen),
        attempt(listener.connect, ("127.0.0.1", 9)),
    ]
    report += [
        attempt(listener.listen, 0),
        attempt(listener.listen, -1),
        attempt(listener.shutdown, socket.SHUT_WR),
    ]
    return [
        *report,
        mask(listener),
        attempt(listener.sendto, b"", ("127.0.0.1", 9)),
        attempt(listener.getpeername),
    ]


def backlog_of_zero():
    import socket
    import time

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    first = socket.create_connection(listener.getsockname())
    second = socket.socket()
    second.settimeout(0.1)
    report = [attempt(second.connect, listener.getsockname()), mask(listener)]
    listener.accept()[0].close()
    time.sleep(SETTLE)
    return [*report, mask(first)]


def urgent_byte_inline():
    import fcntl
    import socket
    import struct
    import termios
    import time

    def at_mark(s):
        return struct.unpack("i", fcntl.ioctl(s, 0x8905, struct.pack("i", 7)))[0]

    def ready(s):
        return struct.unpack("i", fcntl.ioctl(s, termios.FIONREAD, struct.pack("i", 7)))[0]

    report = []
    for inline in (0, 1):
        client, server = pair()
        server.settimeout(0)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, inline)
        client.send(b"ab")
        client.send(b"cd", socket.MSG_OOB)
        client.send(b"ef")
        time.sleep(SETTLE)
        report += [
            mask(server),
            ready(server),
            at_mark(server),
            attempt(server.recv, 9, socket.MSG_OOB | socket.MSG_PEEK),
        ]
        report += [server.recv(9), at_mark(server), ready(server), mask(server)]
        report += [
            attempt(server.recv, 9, socket.MSG_OOB),
            attempt(server.recv, 9, socket.MSG_OOB),
            at_mark(server),
        ]
        report += [server.recv(1), at_mark(server), server.recv(9), mask(server), ready(server)]
    return report


def refused_datagrams():
    import socket
    import time

    gone = socket.socket(type=socket.SOCK_DGRAM)
    gone.bind(("127.0.0.1", 0))
    name = gone.getsockname()
    gone.close()
    report = []
    for connected in (True, False):
        s = socket.socket(type=socket.SOCK_DGRAM)
        s.settimeout(0)
        if connected:
            s.connect(name)
        for learn in (
            lambda s: s.recv(1),
            lambda s: s.send(b"x"),
            lambda s: s.getsockopt(1, 4),
            lambda s: s.recv(1, 2),
        ):
            report += [attempt(s.sendto, b"", name) if not connected else attempt(s.send, b"")]
            time.sleep(SETTLE)
            report += [mask(s), attempt(learn, s), mask(s), attempt(s.getsockopt, 1, 4)]
    return report


def datagrams_of_no_bytes_and_lengths():
    import fcntl
    import socket
    import struct
    import termios

    a, b = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
    b.bind(("127.0.0.1", 0))
    a.connect(b.getsockname())
    b.settimeout(1)

    def ready(s):
        return struct.unpack("i", fcntl.ioctl(s, termios.FIONREAD, struct.pack("i", 7)))[0]

    report = [
        a.send(b""),
        mask(b),
        ready(b),
        b.recv(0),
        a.send(b""),
        b.recvmsg(0)[0],
        a.send(b"12345"),
        ready(b),
    ]
    report += [
        b.recv(2, socket.MSG_PEEK),
        b.recvmsg(2)[2],
        a.send(b"12345"),
        b.recv_into(bytearray(2), 2, socket.MSG_TRUNC),
    ]
    report += [a.send(b"12345"), b.recvmsg(0)[2], attempt(b.recv, 1, socket.MSG_DONTWAIT)]
    report += [attempt(a.send, bytes(65507)), len(b.recv(70000)), attempt(a.send, bytes(65508))]
    return report


def options_with_short_buffers_and_bad_values():
    import socket

    s, u = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
    report = []
    for level, name in ((1, 2), (1, 13), (1, 20), (1, 7), (6, 1), (6, 2), (0, 1), (0, 2), (0, 10), (1, 3)):
        report += [
            (level, name, size, attempt(s.getsockopt, level, name, size)) for size in (1, 2, 3, 5, 8, 17)
        ]
        report += [
            (level, name, v, attempt(s.setsockopt, level, name, v))
            for v in (-1, 1 << 30, b"", b"\1", b"\1\0")
        ]
    for level, name in (
        (0, 33),
        (0, 34),
        (0, 32),
        (0, 10),
        (0, 15),
        (0, 21),
        (0, 24),
        (0, 49),
        (17, 1),
        (17, 103),
        (1, 6),
    ):
        report += [(level, name, size, attempt(u.getsockopt, level, name, size)) for size in (1, 2, 5)]
        report += [
            (level, name, v, attempt(u.setsockopt, level, name, v)) for v in (-1, 256, 1 << 30, b"", b"\1")
        ]
    return report


def select_beyond_its_set():
    import select

    client, server = pair()
    report = [attempt(select.select, [1024], [], []), attempt(select.select, [], [1 << 40], [])]
    report += [attempt(select.select, [-1], [], [])]
    return [*report, len(select.select([], [client, client, server], [], 0)[1])]


def waiting_for_all_with_a_time_limit():
    import socket
    import struct
    import time

    client, server = pair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50_000))
    client.send(b"abc")
    started = time.monotonic()
    report = [server.recv(9, socket.MSG_WAITALL), time.monotonic() - started > 0.04]
    report += [
        attempt(server.recv, 9, socket.MSG_WAITALL),
        attempt(server.recv, 9, socket.MSG_WAITALL | socket.MSG_PEEK),
    ]
    client.send(b"abc")
    started = time.monotonic()
    report += [server.recv(9, socket.MSG_WAITALL | socket.MSG_PEEK), time.monotonic() - started > 0.04]
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 5)
    report += [mask(server), attempt(server.recv, 9), mask(server)]
    return report


def shut_before_it_is_connected():
    import socket
    import time

    report = []
    for how in (0, 1, 2):
        listener, client = socket.socket(), socket.socket()
        report += [attempt(listener.shutdown, how), listener.listen(), mask(listener)]
        client.settimeout(1)
        report += [client.connect(listener.getsockname()), attempt(client.send, b"abc")]
        server = listener.accept()[0]
        server.settimeout(1)
        time.sleep(SETTLE)
        report += [mask(client), mask(server), attempt(server.recv, 9), attempt(server.send, b"x")]
        client = socket.socket()
        report += [attempt(client.shutdown, how), client.connect(listener.getsockname()), mask(client)]
        report += [attempt(client.send, b"x"), attempt(client.shutdown, how)]
        server = listener.accept()[0]
        time.sleep(SETTLE)
        report += [mask(client), mask(server)]
        listener.listen(0)
        opening = [socket.socket() for _ in range(3)]
        for s in opening:
            s.setblocking(False)
            report += [attempt(s.connect, listener.getsockname())]
        s = opening[-1]  # there is no room for it in the backlog
        report += [mask(s), attempt(s.shutdown, how), mask(s), attempt(s.recv, 1), mask(s)]
    return report


def connected_to_no_address():
    import socket

    listener = socket.create_server(("127.0.0.2", 0))
    port = listener.getsockname()[1]
    report = []
    for host in ("127.0.0.2", "127.0.0.1", ""):
        s = socket.socket()
        s.bind((host, 0))
        report += [attempt(s.connect, ("0.0.0.0", port)), s.getsockname()[0]]
    return report


def urgent_bytes_told_by_the_flags():
    import fcntl
    import socket
    import time

    oob, peek = socket.MSG_OOB, socket.MSG_PEEK
    report = []
    for client, server in (pair(), socket.socketpair()):
        server.settimeout(0)
        for inline in (0, 1):
            report += [server.setsockopt(1, 10, inline), attempt(server.recv, 1, oob)]
            report += [
                client.send(b"abcd", oob),
                client.send(b"ef"),
                client.send(b"g", oob),
                client.send(b"h"),
            ]
            time.sleep(SETTLE)
            for size, flags in (
                (9, oob | peek),
                (0, oob | peek),
                (9, peek),
                (2, 0),
                (9, 0),
                (1, oob),
                (9, peek),
                (9, 0),
                (9, 0),
            ):
                report += [attempt(server.recvmsg, size, 0, flags), mask(server)]
                report += [attempt(fcntl.ioctl, server, 0x8905, b"abcd")]
        report += [attempt(client.send, b"", oob), client.send(b"i", oob), client.close()]
        time.sleep(SETTLE)
        report += [mask(server), attempt(server.recv, 1, oob), mask(server), attempt(server.recv, 1)]
    return report


def datagram_probed_and_held_back():
    import socket
    import time

    more, probe = socket.MSG_MORE, 0x10
    s, r, q = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(3))
    for receiver in (r, q):
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(0)
    report = [
        attempt(s.send, b"x", probe),
        s.connect(r.getsockname()),
        s.send(b"x", probe),
        s.send(b"", probe),
    ]
    report += [attempt(r.recv, 9), s.send(b"a", more), s.connect(q.getsockname()), s.send(b"b")]
    report += [attempt(r.recv, 9), attempt(q.recv, 9), s.send(b"c", more), q.close()]
    time.sleep(SETTLE)
    report += [s.shutdown(socket.SHUT_WR), s.send(b"d"), mask(s) & 8, attempt(s.send, b"e")]
    return [*report, s.send(b"f", probe), attempt(s.send, b"g")]


def send_with_a_time_limit_takes_a_part():
    import socket
    import struct

    report = []
    for size in (4608, 10_000, 20_000, 65_536):
        client, _server = pair(lambda s: s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 50_000))
        # What it takes last is due to the ACKs of what it took first; what comes later is for the next call.
        report += [attempt(client.send, bytes(1 << 20)), attempt(client.send, bytes(100))]
    return report


def bound_after_a_connection_failed():
    import socket

    gone = socket.socket()
    gone.bind(("127.0.0.1", 0))
    report = []
    for address in ("127.0.0.1", ""):
        s = socket.socket()
        s.settimeout(1)
        report += [attempt(s.connect, gone.getsockname()), attempt(s.bind, (address, 0))]
        report += [s.getsockname()[0], attempt(s.bind, (address, 0)), attempt(s.listen), mask(s)]
        report += [attempt(s.shutdown, socket.SHUT_RD), attempt(s.bind, (address, 0)), s.getsockname()[0]]
        t = socket.socket()
        t.setblocking(False)
        report += [attempt(t.connect, gone.getsockname()), attempt(t.bind, (address, 0))]
        report += [attempt(t.recv, 1), attempt(t.connect, gone.getsockname()), t.getsockname()[0]]
        report += [attempt(t.bind, (address, 0)), attempt(t.listen), t.getsockname()[0]]
        u = socket.socket()
        u.settimeout(1)
        report += [u.bind((address, 0)), attempt(u.connect, gone.getsockname()), u.getsockname()[0]]
        report += [attempt(u.listen), u.getsockname()[0]]
    return report


SCENARIOS = [
    bound_after_a_connection_failed,
    send_with_a_time_limit_takes_a_part,
    shut_before_it_is_connected,
    connected_to_no_address,
    urgent_bytes_told_by_the_flags,
    datagram_probed_and_held_back,
    epoll_of_a_dup_survives_the_close_of_the_number,
    peek_offset,
    peek_offset_of_messages,
    memory_of_sockets,
    linger_while_not_blocking,
    association_dissolved,
    backlog_of_zero,
    urgent_byte_inline,
    refused_datagrams,
    datagrams_of_no_bytes_and_lengths,
    options_with_short_buffers_and_bad_values,
    select_beyond_its_set,
    waiting_for_all_with_a_time_limit,
]
