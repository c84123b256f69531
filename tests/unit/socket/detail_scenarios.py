"""Tables of rarer calls in every state of a socket; rules as in `scenario`."""

from scenario import SETTLE, attempt, mask, pair


def shutdown_in_every_state():
    import socket
    import time

    report = []
    for how in (0, 1, 2):
        for again in (0, 1, 2):
            client, server = pair()
            report += [attempt(client.shutdown, how), mask(client), attempt(client.shutdown, again)]
            time.sleep(SETTLE / 4)
            report += [mask(client), mask(server), attempt(server.shutdown, how)]
            time.sleep(SETTLE / 4)
            report += [
                mask(client),
                mask(server),
                attempt(client.shutdown, again),
                attempt(client.getpeername)[0],
            ]
        listener = socket.create_server(("127.0.0.1", 0))
        waiting = socket.create_connection(listener.getsockname())
        time.sleep(SETTLE / 4)
        report += [mask(listener), attempt(listener.shutdown, how), mask(listener)]
        listener.settimeout(0)
        report += [
            attempt(lambda s=listener: s.accept()[0].close()),
            attempt(listener.listen),
            mask(listener),
        ]
        report += [attempt(waiting.recv, 1, socket.MSG_DONTWAIT), mask(waiting)]
        fresh = socket.socket()
        report += [attempt(fresh.shutdown, how), mask(fresh), attempt(fresh.getpeername)]
        opening = socket.socket()
        opening.setblocking(False)
        report += [opening.connect_ex(("127.0.0.1", 1)) in (111, 115), attempt(opening.shutdown, how)]
        report += [mask(opening)]
    return report


def listening_again_and_again():
    import socket

    s = socket.socket()
    report = [attempt(s.listen, n) for n in (0, -1, 5, 1 << 20, 1)]
    name = s.getsockname()
    report += [name[1] > 0, attempt(s.bind, ("127.0.0.1", 0)), attempt(s.connect, name), attempt(s.listen)]
    report += [s.getsockopt(1, 30), attempt(s.recv, 1), attempt(s.send, b""), attempt(s.getpeername)]
    client, server = pair()
    report += [attempt(client.listen), attempt(client.accept), attempt(client.bind, ("127.0.0.1", 0))]
    report += [client.getsockopt(1, 30), attempt(client.connect, server.getsockname())]
    report += [client.connect_ex(("127.0.0.1", 1)), client.connect_ex(("0.0.0.0", 0))]
    client.shutdown(socket.SHUT_WR)
    return [*report, attempt(client.listen), client.connect_ex(server.getsockname())]


def accepted_descriptors_and_their_flags():
    import fcntl
    import os
    import socket

    report = []
    for blocking in (True, False):
        listener = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(listener.getsockname())
        listener.setblocking(blocking)
        server, _ = listener.accept()
        report += [
            fcntl.fcntl(server, fcntl.F_GETFL),
            fcntl.fcntl(server, fcntl.F_GETFD),
            os.get_blocking(server.fileno()),
        ]
        copy = os.dup(server.fileno())
        os.set_blocking(copy, not blocking)
        report += [
            os.get_blocking(server.fileno()),
            fcntl.fcntl(copy, fcntl.F_GETFD),
            fcntl.fcntl(server, fcntl.F_SETFL, 0),
        ]
        report += [os.get_blocking(copy), attempt(os.lseek, copy, 0, 0), attempt(os.pread, copy, 1, 0)]
        report += [attempt(os.preadv, copy, [bytearray(1)], 0), attempt(os.pwritev, copy, [b"x"], 0)]
        report += [
            attempt(os.readv, copy, []),
            attempt(os.writev, copy, []),
            os.writev(copy, [b"ab", b"", b"cd"]),
        ]
        parts = [bytearray(1), bytearray(0), bytearray(9)]
        report += [os.readv(client.fileno(), parts), parts, attempt(os.writev, copy, [b"x"] * 1025)]
        report += [attempt(os.readv, copy, [bytearray(1)] * 1025), attempt(os.ftruncate, copy, 0)]
        report += [attempt(os.fsync, copy), attempt(os.fchdir, copy), os.fstat(copy).st_mode, os.isatty(copy)]
        os.close(copy)
        report += [client.send(b"still"), server.recv(9)]
    return report


def binding_beside_others():
    import socket

    def make(kind, reuse):
        s = socket.socket(type=kind)
        for option in reuse:
            s.setsockopt(socket.SOL_SOCKET, option, 1)
        return s

    here, there = "127.0.0.1", "127.0.0.2"
    addresses = ((here, here), (here, ""), ("", there), (here, there))
    nothing, address, port, both = (), (socket.SO_REUSEADDR,), (socket.SO_REUSEPORT,), (2, 15)
    report = []
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        for first in (nothing, address, port, both):
            for second in (nothing, address, port, both):
                for one, two in addresses:
                    for state in ("bound", "listening", "connected", "duplicated", "late"):
                        a, b = make(kind, first), make(kind, second)
                        a.bind((one, 0))
                        name = a.getsockname()
                        if state == "listening" and kind == socket.SOCK_STREAM:
                            a.listen()
                        elif state == "connected":
                            c = socket.create_server(("127.0.0.1", 0))
                            a.connect(c.getsockname())
                        elif state == "duplicated":
                            a, old = a.dup(), a
                            old.close()
                        elif state == "late":
                            a.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        line = [attempt(b.bind, (two, name[1]))]
                        if kind == socket.SOCK_STREAM:
                            line += [attempt(b.listen), attempt(a.listen)]
                        report.append((kind, first, second, one, two, state, line))
                        a.close()
                        b.close()
    return report


def requests_on_every_kind_of_socket():
    import fcntl
    import socket
    import struct
    import time

    client, server = pair()
    client.send(b"12345")
    u, v = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
    v.bind(("127.0.0.1", 0))
    u.connect(v.getsockname())
    u.send(b"123")
    u.send(b"")
    a, b = socket.socketpair()
    d, e = socket.socketpair(type=socket.SOCK_DGRAM)
    a.send(b"1234")
    d.send(b"12")
    time.sleep(SETTLE)
    report = []
    for s in (client, server, u, v, a, b, d, e, socket.socket(), socket.create_server(("127.0.0.1", 0))):
        for request in (0x541B, 0x8905, 0x894B, 0x5411 + 0x9000, 0x5401):
            got = attempt(fcntl.ioctl, s, request, struct.pack("i", -7))
            report.append((request, struct.unpack("i", got) if isinstance(got, bytes) else got))
    s = v
    for request in (0x8910, 0x8912, 0x8913, 0x8915, 0x8917, 0x8919, 0x891B, 0x8921, 0x8927, 0x8933, 0x8942):
        for name in (b"lo", b"none"):
            ifreq = struct.pack("16s24x", name)
            if request == 0x8910:
                ifreq = struct.pack("16si20x", b"", 1 if name == b"lo" else 99)
            if request == 0x8912:
                continue
            report.append((hex(request), name, attempt(fcntl.ioctl, s, request, ifreq)))
    return report


def reading_flags_on_a_stream():
    import socket
    import time

    def seen(s, size, flags):
        got = attempt(s.recvmsg, size, 0, flags)
        if flags & socket.MSG_TRUNC and isinstance(got[0], bytes):
            return len(got[0]), got[1:]  # the bytes themselves are not copied
        return got

    report = []
    peek, trunc, wait = socket.MSG_PEEK, socket.MSG_TRUNC, socket.MSG_WAITALL
    dont, oob = socket.MSG_DONTWAIT, socket.MSG_OOB
    combined = (peek | trunc, wait | dont, peek | wait | dont, oob | peek)
    for flags in (0, peek, trunc, wait, oob, 0x2000, 0x40000, *combined):
        for sent in (b"", b"abc"):
            client, server = pair()
            if sent:
                client.send(sent)
            time.sleep(SETTLE / 8)
            server.settimeout(0)
            for size in (0, 2, 9):
                report.append((flags, sent, size, seen(server, size, flags)))
            client.close()
            time.sleep(SETTLE / 8)
            report.append((seen(server, 9, flags), seen(server, 9, flags)))
    return report


def sending_with_names_and_control():
    import array
    import socket

    client, server = pair()
    fresh = socket.socket()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]).tobytes())]
    report = []
    for s in (client, fresh):
        report += [attempt(s.sendto, b"x", ("127.0.0.1", 1)), attempt(s.sendto, b"", ("127.0.0.1", 1))]
        report += [attempt(s.sendmsg, [b"y"], rights), attempt(s.sendmsg, [], rights), attempt(s.sendmsg, [])]
        report += [
            attempt(s.sendmsg, [b"z"], [(0, 2, b"\1\0\0\0")]),
            attempt(s.sendmsg, [b"z"], [(1, 99, b"")]),
        ]
        report += [attempt(s.send, b"", socket.MSG_OOB), attempt(s.send, b"q", 0x80000000 - 0x100000000)]
        report += [attempt(s.sendmsg, [b"n"], [], socket.MSG_NOSIGNAL, ("127.0.0.1", 1))]
    report += [server.recv(100)]
    u = socket.socket(type=socket.SOCK_DGRAM)
    report += [attempt(u.sendmsg, [b"x"], rights), attempt(u.sendmsg, [], [], 0, ("127.0.0.1", 9))]
    report += [
        attempt(u.send, b"", socket.MSG_OOB),
        attempt(u.sendto, b"x", socket.MSG_OOB, ("127.0.0.1", 9)),
    ]
    report += [attempt(u.sendto, b"x", ("0.0.0.0", 9)), attempt(u.connect, ("127.0.0.1", 0))]
    return [*report, attempt(u.send, b"x"), attempt(u.getpeername)]


def epoll_of_duplicates_and_closed_descriptors():
    import os
    import select
    import socket
    import time

    report = []
    for flags in (0, select.EPOLLET, select.EPOLLONESHOT, select.EPOLLET | select.EPOLLONESHOT):
        client, server = pair()
        with select.epoll() as epoll, select.epoll() as outer:
            copy = os.dup(server.fileno())
            events = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | flags
            epoll.register(server, events)
            epoll.register(copy, events)
            outer.register(epoll, select.EPOLLIN | flags)
            name = {server.fileno(): "fd", copy: "copy", epoll.fileno(): "epoll"}

            def look(which, limit=-1, name=name):
                return sorted((name[fd], found) for fd, found in which.poll(0, limit))

            report += [look(outer), look(epoll), look(outer), look(epoll), mask(epoll)]
            client.send(b"x")
            time.sleep(SETTLE / 2)
            report += [look(outer), look(epoll, 1), look(epoll), look(outer)]
            epoll.modify(copy, select.EPOLLIN)
            report += [look(epoll), look(epoll)]
            client.shutdown(socket.SHUT_WR)
            time.sleep(SETTLE / 2)
            report += [look(epoll), server.recv(9), look(epoll), server.recv(9), look(epoll)]
            epoll.unregister(server)
            report += [look(epoll), attempt(epoll.unregister, server), attempt(epoll.register, copy, 0)]
            again = os.dup(epoll.fileno())
            os.close(copy)
            report += [
                look(epoll),
                attempt(select.epoll.fromfd(again).poll, 0) != [],
                attempt(epoll.modify, copy, 0),
            ]
            server.close()
            report += [look(epoll), look(outer), mask(epoll)]
    return report


def events_by_their_own_descriptors():
    import os
    import select

    report = []
    for flags in (0, os.EFD_SEMAPHORE):
        e = os.eventfd(3, flags | os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        report += [mask(e), os.eventfd_read(e), mask(e), attempt(os.eventfd_read, e)]
        report += [os.eventfd_write(e, 2), os.eventfd_write(e, 5), mask(e), os.read(e, 8), os.get_blocking(e)]
        report += [
            attempt(os.read, e, 7),
            attempt(os.write, e, b"1234567"),
            os.write(e, bytes([9]) + bytes(7)),
            os.eventfd_read(e),
        ]
        while mask(e) & 1:
            os.eventfd_read(e)
        report += [
            os.eventfd_write(e, (1 << 64) - 2),
            mask(e),
            attempt(os.eventfd_write, e, 1),
            attempt(os.eventfd_write, e, 0),
        ]
        report += [attempt(os.write, e, b"\xff" * 8), os.eventfd_read(e), mask(e), attempt(os.lseek, e, 0, 0)]
        os.close(e)
        e = os.eventfd(0, flags)
        with select.epoll() as epoll:
            epoll.register(e, select.EPOLLIN | select.EPOLLET)
            report += [len(epoll.poll(0)), os.eventfd_write(e, 1), len(epoll.poll(0)), os.eventfd_write(e, 1)]
            report += [
                len(epoll.poll(0)),
                len(epoll.poll(0)),
                select.select([e], [e], [e], 0) == ([e], [e], []),
            ]
        copy = os.dup(e)
        os.close(e)
        report += [
            os.eventfd_read(copy) > 0,
            attempt(os.eventfd_read, e),
            os.fstat(copy).st_mode,
            attempt(os.pread, copy, 8, 0),
        ]
        os.close(copy)
    return [*report, attempt(os.eventfd, 1, 0x8000000), attempt(os.eventfd, -1), attempt(os.eventfd, 1 << 32)]


def an_event_wakes_who_waits_for_it():
    import os
    import threading

    e, f = os.eventfd(0), os.eventfd((1 << 32) - 1)
    got = []
    threads = [threading.Thread(target=lambda: got.append(os.eventfd_read(e))) for _ in range(2)]
    for thread in threads:
        thread.start()
    os.eventfd_write(e, 3)
    os.eventfd_write(e, 4) if got else None
    import time

    time.sleep(SETTLE)
    os.eventfd_write(e, 4)
    for thread in threads:
        thread.join(2)
    os.eventfd_write(f, (1 << 64) - 2 - ((1 << 32) - 1))
    writer = threading.Thread(target=os.eventfd_write, args=(f, 1))
    writer.start()
    writer.join(SETTLE)
    report = [writer.is_alive(), os.eventfd_read(f) == (1 << 64) - 2]
    writer.join(2)
    report += [writer.is_alive(), os.eventfd_read(f), sorted(got)]
    return [*report, os.close(e), os.close(f)]


def files_sent_and_spliced():
    import os
    import socket
    import tempfile

    client, server = pair()
    r, w = os.pipe()
    report = []
    with tempfile.TemporaryFile() as file:
        file.write(b"0123456789")
        file.flush()
        fd, out = file.fileno(), client.fileno()
        os.lseek(fd, 0, 0)
        for offset, count in (
            (0, 4),
            (8, 9),
            (10, 1),
            (50, 1),
            (0, 0),
            (-1, 1),
            (None, 3),
            (None, 99),
            (None, 1),
        ):
            report.append((offset, count, attempt(os.sendfile, out, fd, offset, count), os.lseek(fd, 0, 1)))
        report += [server.recv(99), attempt(os.sendfile, out, r, None, 1), attempt(os.sendfile, out, r, 0, 1)]
        report += [
            attempt(os.sendfile, out, server.fileno(), None, 1),
            attempt(os.sendfile, w, fd, 2, 3),
            os.read(r, 9),
        ]
        report += [
            attempt(os.sendfile, -1, fd, 0, 1),
            attempt(os.sendfile, out, -1, 0, 1),
            attempt(os.sendfile, r, fd, 0, 1),
        ]
        report += [
            attempt(os.splice, fd, w, 4, 1),
            os.read(r, 9),
            attempt(os.splice, fd, w, 4),
            os.lseek(fd, 0, 1),
        ]
        os.lseek(fd, 3, 0)
        report += [
            attempt(os.splice, fd, w, 4),
            os.read(r, 9),
            os.lseek(fd, 0, 1),
            attempt(os.splice, fd, out, 1),
        ]
        os.write(w, b"abcdef")
        report += [attempt(os.splice, r, fd, 2), os.lseek(fd, 0, 1), attempt(os.splice, r, fd, 2, None, 20)]
        report += [attempt(os.splice, r, out, 1), server.recv(9), attempt(os.splice, r, fd, 9, 1)]
        report += [attempt(os.splice, r, w, 9), attempt(os.splice, fd, fd, 9), os.pread(fd, 99, 0)]
        report += [attempt(os.splice, 0, 1, -1), attempt(os.splice, r, -1, 1), os.read(r, 9)]
    u = socket.socket(type=socket.SOCK_DGRAM)
    v = socket.socket(type=socket.SOCK_DGRAM)
    v.bind(("127.0.0.1", 0))
    u.connect(v.getsockname())
    with tempfile.TemporaryFile() as file:
        file.write(b"x" * 5000)
        file.flush()
        report += [os.sendfile(u.fileno(), file.fileno(), 0, 100), len(v.recv(9999))]
        client.setblocking(False)
        total = 0
        while True:
            sent = attempt(os.sendfile, client.fileno(), file.fileno(), 0, 5000)
            if not isinstance(sent, int):
                break
            total += sent
        report += [sent, total > 5000]
    return [*report, os.close(r), os.close(w)]


SCENARIOS = [
    shutdown_in_every_state,
    listening_again_and_again,
    accepted_descriptors_and_their_flags,
    binding_beside_others,
    requests_on_every_kind_of_socket,
    reading_flags_on_a_stream,
    sending_with_names_and_control,
    epoll_of_duplicates_and_closed_descriptors,
    events_by_their_own_descriptors,
    an_event_wakes_who_waits_for_it,
    files_sent_and_spliced,
]
