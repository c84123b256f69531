"""AF_UNIX sockets; rules as in `scenario`, with paths in a directory of their own."""

from scenario import attempt, mask


def pair(kind=None):
    import socket

    return socket.socketpair(socket.AF_UNIX, kind or socket.SOCK_STREAM)


def fresh_socket_used_too_early():
    import socket

    report = []
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        s = socket.socket(socket.AF_UNIX, kind)
        s.settimeout(0)
        report += [
            mask(s),
            s.getsockname(),
            attempt(s.getpeername),
            attempt(s.send, b"x"),
            attempt(s.recv, 1),
        ]
        report += [attempt(s.accept), attempt(s.listen), attempt(s.sendto, b"x", "\0none"), mask(s)]
        report += [attempt(s.shutdown, 7), attempt(s.shutdown, socket.SHUT_RD), mask(s), attempt(s.recv, 1)]
        report += [attempt(s.shutdown, socket.SHUT_WR), mask(s)]
    return report


def arguments():
    import socket

    unix = socket.AF_UNIX
    s = socket.socket(unix)
    return [
        attempt(lambda: socket.socket(unix, 99).type),
        attempt(lambda: socket.socket(unix, socket.SOCK_RAW).type),
        attempt(lambda: socket.socket(unix, socket.SOCK_STREAM, 1).proto),
        attempt(lambda: socket.socket(unix, socket.SOCK_STREAM, 6)),
        attempt(lambda: socket.socketpair(socket.AF_INET)),
        attempt(s.bind, 1),
        attempt(s.bind, ("a", 1)),
        attempt(s.bind, "x" * 108),
        attempt(s.bind, b"\0" + b"x" * 108),
        attempt(s.connect, "/nowhere/at/all"),
        attempt(s.connect, "/dev/null"),
        attempt(s.connect, "/"),
        attempt(s.connect, b"\0fdwire nobody"),
        attempt(s.bind, "/nowhere/at/all"),
        attempt(s.bind, "/"),
    ]


def names():
    import os
    import socket
    import stat
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "name")
        s, other = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        report = [attempt(s.bind, path), s.getsockname() == path, stat.S_ISSOCK(os.stat(path).st_mode)]
        report += [attempt(s.bind, path), attempt(s.bind, path + "2"), attempt(other.bind, path)]
        report += [attempt(other.connect, path), s.listen(3)]
        os.rename(path, path + "3")
        report += [attempt(other.connect, path), attempt(other.connect, path + "3")]
        report += [other.getpeername() == path, other.getsockname(), attempt(other.connect, path + "3")]
        child, peer = s.accept()
        report += [
            child.getsockname() == path,
            peer,
            attempt(child.getpeername),
            attempt(s.connect, path + "3"),
        ]
        s.close()
        report += [os.path.exists(path + "3"), attempt(socket.socket(socket.AF_UNIX).connect, path + "3")]
    auto = socket.socket(socket.AF_UNIX)
    report += [auto.bind(""), len(auto.getsockname()), auto.getsockname()[:1], attempt(auto.bind, "")]
    abstract = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    report += [abstract.bind("\0fdwire a\0b"), abstract.getsockname()]
    report += [attempt(socket.socket(socket.AF_UNIX).bind, b"\0fdwire a\0b")]
    report += [attempt(socket.socket(socket.AF_UNIX).connect, b"\0fdwire a\0b")]
    abstract.close()
    return [*report, attempt(socket.socket(socket.AF_UNIX).bind, b"\0fdwire a\0b")]


def backlog_that_is_full():
    import socket

    listener = socket.socket(socket.AF_UNIX)
    listener.bind("\0fdwire backlog")
    listener.listen(1)
    clients = [socket.socket(socket.AF_UNIX) for _ in range(4)]
    report = []
    for client in clients:
        client.settimeout(0)
        report += [attempt(client.connect, listener.getsockname()), mask(client), mask(listener)]
    child, peer = listener.accept()
    report += [
        peer,
        mask(child),
        attempt(clients[2].connect, listener.getsockname()),
        clients[0].send(b"early"),
    ]
    report += [child.recv(9), clients[1].send(b"to an embryo"), listener.shutdown(socket.SHUT_RD)]
    report += [attempt(clients[3].connect, listener.getsockname()), listener.close(), mask(clients[1])]
    return [*report, attempt(clients[1].recv, 9), attempt(clients[1].recv, 9), attempt(clients[1].send, b"x")]


def stream_ends():
    import socket

    report = []
    for how in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR, None, "unread"):
        a, b = pair()
        b.settimeout(0)
        a.send(b"before")
        if how == "unread":
            b.send(b"never read")
        attempt(a.shutdown, how) if isinstance(how, int) else a.close()
        report += [mask(b), attempt(b.recv, 3), attempt(b.recv, 9), attempt(b.recv, 9), mask(b)]
        report += [
            attempt(b.send, b"x"),
            mask(b),
            attempt(b.getpeername),
            attempt(b.shutdown, socket.SHUT_RDWR),
        ]
        report += [b.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]
        if isinstance(how, int):
            report += [mask(a), attempt(a.recv, 9, socket.MSG_DONTWAIT), attempt(a.send, b"x")]
    return report


def stream_receive_flags():
    import socket

    a, b = pair()
    a.send(b"abc")
    a.send(b"defg")
    report = [b.recv(5, socket.MSG_PEEK), b.recv(2), b.recv(0), b.recv(9)]
    report += [attempt(b.recv, 1, socket.MSG_DONTWAIT), a.send(b""), a.sendmsg([b"x", b"yz"])]
    report += [
        attempt(b.recv, 9, socket.MSG_WAITALL | socket.MSG_DONTWAIT),
        attempt(b.recv, 1, socket.MSG_OOB),
    ]
    report += [a.send(b"tail"), a.shutdown(socket.SHUT_WR), b.recv(9, socket.MSG_WAITALL), b.recv(9)]
    b.settimeout(0.01)
    return [*report, attempt(a.sendto, b"x", "\0none"), b.recvfrom(1)]


def datagrams_kept_apart():
    import socket

    report = []
    for kind in (socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        a, b = pair(kind)
        b.settimeout(0)
        report += [a.send(b"first"), a.send(b""), a.send(b"third"), b.recv(2), b.recvmsg(9), mask(b)]
        report += [b.recvmsg(2), attempt(b.recv, 9), a.send(b"long"), b.recv(1, socket.MSG_PEEK)]
        report += [len(b.recv(9, socket.MSG_TRUNC)), attempt(a.send, bytes(300_000)), a.send(bytes(100_000))]
        report += [
            len(b.recv(1 << 20)),
            a.close(),
            mask(b),
            attempt(b.recv, 1),
            attempt(b.send, b"x"),
            mask(b),
        ]
        report += [attempt(b.send, b"x"), attempt(b.getpeername)]
    return report


def datagrams_by_name():
    import socket

    a, b, other = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(3))
    b.bind("\0fdwire b")
    b.settimeout(0)
    report = [a.sendto(b"unnamed", "\0fdwire b"), b.recvfrom(9), a.bind("\0fdwire a")]
    report += [a.sendto(b"named", "\0fdwire b"), b.recvfrom(9), attempt(b.connect, "\0fdwire a")]
    report += [attempt(other.sendto, b"x", "\0fdwire b"), attempt(other.connect, "\0fdwire b")]
    report += [a.connect("\0fdwire b"), a.send(b"connected"), b.recvfrom(9), b.getpeername()]
    full = 0
    a.settimeout(0)
    while attempt(a.send, b"x") == 1 and full < 100:
        full += 1
    report += [full > 10, mask(b), b.close(), mask(a), attempt(a.send, b"x"), attempt(a.send, b"x")]
    return [*report, mask(a), a.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]


def queue_of_a_receiver_is_full():
    import socket

    b = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    b.bind("\0fdwire queue")
    a = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    a.connect("\0fdwire queue")
    a.settimeout(0)
    with open("/proc/sys/net/unix/max_dgram_qlen") as file:
        standard = file.read().strip() == "10"
    sent = (
        [attempt(a.send, b"x") for _ in range(13)] if standard else [1] * 11 + [("BlockingIOError", 11)] * 2
    )
    return [sent, mask(a) if standard else 0, b.recv(1), mask(a) if standard else 0x304]


def send_buffer_filled():
    import fcntl
    import socket
    import struct
    import termios

    report = []
    for size in (1, 100, 1000, 4096, 20_000):
        a, b = pair()
        a.settimeout(0)
        a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
        results = []
        while not results or isinstance(results[-1], int):
            results.append(attempt(a.send, bytes(size)))
        report += [size, results[-2:], 0x304 & mask(a), len(b.recv(1 << 20)) > 0, mask(a)]
        waiting = fcntl.ioctl(b, termios.FIONREAD, struct.pack("i", 0))
        report += [struct.unpack("i", waiting)]
    return report


def files_sent_along():
    import array
    import os
    import socket
    import struct

    def rights(*fds):
        return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]

    a, b = pair()
    r, w = os.pipe()
    report = [a.sendmsg([b"one"], rights(w)), a.send(b"two"), os.close(w)]
    data, control, flags, sender = b.recvmsg(99, socket.CMSG_SPACE(40))
    (fd,) = struct.unpack("i", control[0][2])
    report += [
        data,
        len(control),
        flags,
        sender,
        os.get_inheritable(fd),
        os.write(fd, b"through"),
        os.close(fd),
    ]
    report += [os.read(r, 99), os.read(r, 99), b.recv(9), attempt(a.sendmsg, [b"x"], rights(999))]
    report += [attempt(a.sendmsg, [b"x"], rights(*[r] * 254)), attempt(a.sendmsg, [b""], rights(r))]
    report += [a.sendmsg([b"cut"], rights(r, r)), b.recvmsg(9)[1:3]]
    report += [a.sendmsg([b"cut"], rights(r, r)), len(b.recvmsg(9, socket.CMSG_LEN(4))[1][0][2])]
    report += [a.sendmsg([b"dropped"], rights(r)), b.recv(9)]
    with open("/dev/null", "wb") as null:
        a.sendmsg([b"real"], rights(null.fileno()))
    _, control, _, _ = b.recvmsg(9, socket.CMSG_SPACE(4))
    (fd,) = struct.unpack("i", control[0][2])
    report += [os.write(fd, b"into nothing"), os.close(fd)]
    r2, w2 = os.pipe()
    a.sendmsg([b"in flight"], rights(w2))
    os.close(w2)
    a.close()
    b.close()
    report += [os.read(r2, 1)]
    names = [b"\0fdwire %d %d" % (os.getpid(), number) for number in range(2)]
    ends = [socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(3)]
    for end, name in zip(ends, names, strict=False):
        end.bind(name)
    r3, w3 = os.pipe()
    ends[2].sendmsg([b"in flight"], rights(w3), 0, names[0])
    ends[0].connect(names[1])
    ends[1].sendmsg([b"in flight"], rights(w3), 0, names[0])
    os.close(w3)
    os.set_blocking(r3, False)
    report += [attempt(os.read, r3, 1), ends[0].connect(names[1]), attempt(os.read, r3, 1)]
    ends[2].bind(b"")
    return [*report, ends[0].connect(ends[2].getsockname()), attempt(os.read, r3, 1)]


def credentials():
    import os
    import socket
    import struct

    a, b = pair()
    own = (os.getpid(), os.getuid(), os.getgid())
    report = [struct.unpack("iII", a.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)) == own]
    fresh = socket.socket(socket.AF_UNIX)
    report += [struct.unpack("iii", fresh.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))]
    report += [b.getsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED)]
    b.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    a.send(b"signed")
    data, control, flags, _ = b.recvmsg(9, socket.CMSG_SPACE(12))
    report += [data, flags, control[0][:2], struct.unpack("iII", control[0][2]) == own]
    piece = (socket.SOL_SOCKET, socket.SCM_CREDENTIALS, b"short")
    report += [attempt(a.sendmsg, [b"x"], [piece]), b.getsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED)]
    a.shutdown(socket.SHUT_WR)
    return [*report, b.recvmsg(9, socket.CMSG_SPACE(12))]


def options():
    import socket

    s = socket.socket(socket.AF_UNIX)
    sol = socket.SOL_SOCKET
    report = [s.getsockopt(sol, n) for n in (socket.SO_DOMAIN, socket.SO_TYPE, socket.SO_PROTOCOL)]
    report += [attempt(s.setsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    report += [attempt(s.getsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY)]
    report += [attempt(s.getsockopt, socket.IPPROTO_IP, socket.IP_TTL)]
    s.setsockopt(sol, socket.SO_SNDBUF, 5000)
    return [*report, s.getsockopt(sol, socket.SO_SNDBUF), s.getsockopt(sol, socket.SO_ACCEPTCONN)]


SCENARIOS = [
    fresh_socket_used_too_early,
    arguments,
    names,
    backlog_that_is_full,
    stream_ends,
    stream_receive_flags,
    datagrams_kept_apart,
    datagrams_by_name,
    queue_of_a_receiver_is_full,
    send_buffer_filled,
    files_sent_along,
    credentials,
    options,
]
