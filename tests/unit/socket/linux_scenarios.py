"""Small socket programs that report what every call did, for comparing two implementations.

Each is run twice by test_against_linux: on this machine's kernel and on a simulated host. So they
import inside, they reach nothing beyond 127/8, and they report nothing that may differ by chance
(port numbers, sizes of buffers nobody set). `SETTLE` lets segments in flight arrive.
"""

SETTLE = 0.02


def attempt(call, *args):
    """What `call(*args)` returns, or its error's class and errno."""
    try:
        result = call(*args)
    except (OSError, TypeError, ValueError, OverflowError) as error:
        return type(error).__name__, getattr(error, "errno", None)
    return result


def mask(sock):
    """poll(2)'s view, all bits asked for."""
    import select

    poller = select.poll()
    poller.register(sock, 0x20C7)
    ready = poller.poll(0)
    return ready[0][1] if ready else 0


def pair(prepare=lambda listener: None):
    """A connected client and server on 127.0.0.1; the listener is closed."""
    import socket

    listener = socket.socket()
    prepare(listener)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    client = socket.socket()
    client.connect(listener.getsockname())
    server, _ = listener.accept()
    listener.close()
    return client, server


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


def listen_without_bind():
    import socket

    s = socket.socket()
    report = [s.listen(-1), s.getsockname()[0], s.getsockname()[1] >= 32768, s.listen(5)]
    report += [mask(s), attempt(s.bind, ("127.0.0.1", 0)), attempt(s.connect, ("127.0.0.1", 1))]
    report += [attempt(s.recv, 1), attempt(s.send, b"x"), attempt(s.getpeername)]
    report += [attempt(s.shutdown, socket.SHUT_WR), mask(s), attempt(s.shutdown, socket.SHUT_RD), mask(s)]
    return [*report, attempt(s.accept), s.getsockname()[1] >= 32768, attempt(s.listen)]


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


def orderly_end_both_ways():
    import socket
    import time

    client, server = pair()
    report = [mask(client), client.send(b"abc"), client.shutdown(socket.SHUT_WR), attempt(client.send, b"x")]
    report += [attempt(client.shutdown, socket.SHUT_WR)]
    time.sleep(SETTLE)
    report += [mask(client), mask(server), server.recv(2), mask(server), server.recv(9), server.recv(9)]
    report += [mask(server), server.send(b"de"), server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]
    time.sleep(SETTLE)
    report += [mask(client), client.recv(9), server.shutdown(socket.SHUT_WR)]
    time.sleep(SETTLE)
    report += [mask(client), client.recv(9), attempt(client.recv, 9), attempt(server.recv, 1), mask(server)]
    return [*report, attempt(server.shutdown, socket.SHUT_RDWR), attempt(client.getpeername)[0]]


def reading_side_shut():
    import socket
    import time

    client, server = pair()
    report = [server.shutdown(socket.SHUT_RD), mask(server), attempt(server.recv, 1)]
    client.send(b"late")
    time.sleep(SETTLE)
    report += [mask(server), server.recv(9), server.recv(9), server.send(b"ok"), client.recv(9)]
    return report


def both_sides_shut_and_the_peer_sends():
    import socket
    import time

    reports = []
    for order in ((socket.SHUT_RDWR,), (socket.SHUT_RD, socket.SHUT_WR), (socket.SHUT_WR, socket.SHUT_RD)):
        client, server = pair()
        for how in order:
            client.shutdown(how)
        time.sleep(SETTLE)
        report = [server.send(b"late")]
        time.sleep(SETTLE)
        report += [mask(client), attempt(client.recv, 9), mask(client), attempt(client.recv, 9)]
        report += [mask(server), attempt(server.send, b"x"), attempt(server.recv, 9), mask(server)]
        reports.append([*report, attempt(client.shutdown, socket.SHUT_RDWR), attempt(client.getpeername)])
    return reports


def bind_to_groups():
    import socket

    report = []
    listener = socket.create_server(("127.0.0.1", 0))
    for host in ("224.0.0.1", "239.255.255.255", "240.0.0.1", "192.0.2.1"):
        s = socket.socket()
        report += [attempt(s.bind, (host, 0)), s.getsockname()[0], attempt(s.bind, (host, 0))]
        report += [attempt(s.connect, listener.getsockname()), s.getsockname()[0]]
    return report


def peer_closes_with_unread_data():
    import socket
    import time

    report = []
    for learn in ("recv", "send", "option"):
        client, server = pair()
        client.send(b"unread")
        time.sleep(SETTLE)
        server.close()
        time.sleep(SETTLE)
        report += [mask(client)]
        if learn == "option":
            report += [client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]
        if learn == "recv":
            report += [attempt(client.recv, 9), mask(client)]
        report += [attempt(client.send, b"x"), attempt(client.recv, 9), attempt(client.recv, 9)]
        report += [mask(client), attempt(client.shutdown, socket.SHUT_WR), attempt(client.getpeername)]
        report += [client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]
    return report


def peer_is_gone_and_we_go_on_sending():
    import socket
    import time

    client, server = pair()
    server.close()
    time.sleep(SETTLE)
    report = [mask(client), client.send(b"into the void")]
    time.sleep(SETTLE)
    report += [mask(client), attempt(client.send, b"x"), attempt(client.send, b"x"), mask(client)]
    report += [client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), attempt(client.recv, 1)]
    client, server = pair()
    server.close()
    time.sleep(SETTLE)
    client.send(b"into the void")
    time.sleep(SETTLE)
    return [
        *report,
        attempt(client.recv, 1),
        attempt(client.recv, 1),
        attempt(client.send, b"x"),
        mask(client),
    ]


def linger_zero_resets():
    import socket
    import struct
    import time

    client, server = pair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.send(b"data")
    time.sleep(SETTLE)
    server.close()
    time.sleep(SETTLE)
    return [mask(client), attempt(client.recv, 9), attempt(client.recv, 9), attempt(client.recv, 9)]


def listener_closed_with_a_connection_pending():
    import socket
    import time

    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    time.sleep(SETTLE)
    report = [mask(listener)]
    listener.close()
    time.sleep(SETTLE)
    return [*report, mask(client), attempt(client.recv, 1), attempt(client.recv, 1)]


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


def receive_flags():
    import socket
    import time

    client, server = pair()
    report = [attempt(server.recv, 1, socket.MSG_DONTWAIT), attempt(server.recv, 1, socket.MSG_OOB)]
    client.send(b"0123456789")
    time.sleep(SETTLE)
    report += [server.recv(4, socket.MSG_PEEK), server.recv(4), len(server.recv(2, socket.MSG_TRUNC))]
    report += [server.recv(0), attempt(server.recv, 9, socket.MSG_WAITALL | socket.MSG_DONTWAIT)]
    client.send(b"abc")
    client.shutdown(socket.SHUT_WR)
    report += [server.recv(9, socket.MSG_WAITALL), server.recv(9, socket.MSG_WAITALL)]
    buffer = bytearray(4)
    server.send(b"xyz")
    time.sleep(SETTLE)
    report += [client.recv_into(buffer), buffer, attempt(client.recv_into, buffer, 5)]
    server.send(b"xyz")
    return [*report, client.recvfrom(9)]


def waiting_with_time_limits():
    import socket
    import struct
    import time

    client, server = pair()
    started = time.monotonic()
    client.settimeout(0.05)
    report = [attempt(client.recv, 1), 0.04 < time.monotonic() - started < 1, client.getblocking()]
    client.settimeout(None)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50_000))
    started = time.monotonic()
    report += [attempt(client.recv, 1), 0.04 < time.monotonic() - started < 1]
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    report += [attempt(listener.accept)]
    server.send(b"x")
    client.settimeout(5)
    report += [client.recv(9), client.gettimeout(), client.setblocking(False), client.gettimeout()]
    return [*report, attempt(client.recv, 1)]


def send_buffer_filled():
    import socket
    import time

    client, server = pair()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
    client.setblocking(False)
    total = stalled = 0
    while stalled < 2:
        sent = attempt(client.send, bytes(3000))
        stalled = 0 if isinstance(sent, int) else stalled + 1
        total += sent if isinstance(sent, int) else 0
        if sent != 3000:
            time.sleep(SETTLE)
    report = [sent, total >= 20_000]
    received = 0
    while received < total:
        received += len(server.recv(65536))
    time.sleep(SETTLE)
    return [*report, mask(client), received == total, client.send(b"x")]


def sendall_with_a_time_limit():
    import socket
    import time

    client, _server = pair()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
    client.settimeout(0.1)
    started = time.monotonic()
    report = [attempt(client.sendall, bytes(50_000_000)), 0.09 < time.monotonic() - started < 1]
    return [*report, attempt(client.sendall, b""), attempt(client.sendall, "text")]


def duplicate_shares_the_description():
    client, server = pair()
    copy = server.dup()
    server.setblocking(False)
    report = [attempt(copy.recv, 1)]
    server.close()
    report += [copy.send(b"still here"), client.recv(99)]
    copy.close()
    return [*report, client.recv(1)]


def local_port_in_time_wait():
    import socket
    import time

    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    name = listener.getsockname()
    client = socket.create_connection(name)
    server, _ = listener.accept()
    listener.close()
    server.close()
    client.close()
    time.sleep(SETTLE)
    report = []
    for reuse in (0, 1):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        report += [attempt(s.bind, name)]
        s.close()
    return report


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


def descriptor_closed_while_a_thread_waits_for_it():
    import select
    import socket
    import threading
    import time

    def polled(s):
        poller = select.poll()
        poller.register(s, select.POLLIN)
        return lambda: [events for _, events in poller.poll(5000 * SETTLE)]

    def selected(s):
        fd = s.fileno()
        return lambda: select.select([fd], [], [], 5 * SETTLE)[0] == [fd]

    waits = [polled, selected, lambda s: lambda: s.recv(1), lambda s: s.accept]
    report = []
    for prepare in waits:
        s, peer = pair() if prepare is not waits[-1] else (socket.create_server(("127.0.0.1", 0)), None)
        s.settimeout(5 * SETTLE)
        wait = prepare(s)
        start = time.monotonic()
        thread = threading.Thread(target=lambda wait=wait: report.append(attempt(wait)))
        thread.start()
        time.sleep(SETTLE)
        s.close()
        thread.join()
        report.append(time.monotonic() - start > 4 * SETTLE)
        del peer
    return report


def arguments_refused_before_anything_is_done():
    import socket

    client, server = pair()
    server.send(b"data")
    report = [
        attempt(client.recv_into, b"read only"),
        attempt(client.recvfrom_into, memoryview(b"read only")),
    ]
    report += [attempt(client.recv, 1 << 70), attempt(client.recv, 1, 1 << 40), attempt(client.recv, "1")]
    report += [attempt(client.recvfrom, 1 << 70), attempt(client.recv_into, bytearray(3), 1 << 70)]
    report += [attempt(client.recv_into, bytearray(3), -1), attempt(client.recv_into, bytearray(3), 4)]
    report += [client.recv(9)]
    reuse = socket.SOL_SOCKET, socket.SO_REUSEADDR
    report += [attempt(client.setsockopt, *reuse, None, 4), attempt(client.setsockopt, *reuse, None, 0)]
    report += [attempt(client.setsockopt, *reuse, 1 << 40), attempt(client.setsockopt, *reuse)]
    report += [attempt(client.setsockopt, "a", 1, 1), attempt(client.setsockopt, 1, 1 << 40, 1)]
    return [*report, attempt(client.getsockopt, 1, "a"), attempt(client.getsockopt, 1 << 40, 1)]


def select_arguments():
    import select
    import socket

    client, server = pair()
    closed = socket.socket()
    closed.close()
    report = [attempt(select.select, [closed], [], []), attempt(select.select, ["x"], [], [])]
    report += [attempt(select.select, [], [], [], -1), select.select([client], [], [], 0)]
    report += [[len(group) for group in select.select([client], [client, server], [client], None)]]
    poller = select.poll()
    poller.register(client.fileno(), select.POLLIN)
    report += [poller.poll(0), poller.poll(20), attempt(poller.modify, 999, 1)]
    fd = client.fileno()
    client.close()
    report += [poller.poll(0) == [(fd, select.POLLNVAL)]]
    return report


def file_interface():
    client, server = pair()
    with client.makefile("rw", encoding="ascii", newline="\n") as text, server.makefile("rb") as data:
        text.write("first line\nsecond\n")
        text.flush()
        report = [data.readline(), data.read(3)]
        server.sendall(b"answer\n" * 3)
        report += [text.readline(), text.readline()]
        client.close()
        report += [client.fileno() >= 0, text.readline()]
    return [*report, client.fileno(), server.recv(1)]


SCENARIOS = [
    descriptors_closed_and_reopened,
    fresh_socket_used_too_early,
    socket_arguments,
    bind_conflicts,
    listen_without_bind,
    connect_refused_then_accepted,
    connect_to_unusual_addresses,
    nonblocking_connect_succeeds,
    nonblocking_connect_refused,
    orderly_end_both_ways,
    reading_side_shut,
    both_sides_shut_and_the_peer_sends,
    bind_to_groups,
    peer_closes_with_unread_data,
    peer_is_gone_and_we_go_on_sending,
    linger_zero_resets,
    listener_closed_with_a_connection_pending,
    options_read_written_refused,
    options_inherited_by_accept,
    receive_flags,
    waiting_with_time_limits,
    send_buffer_filled,
    sendall_with_a_time_limit,
    duplicate_shares_the_description,
    local_port_in_time_wait,
    port_shared_by_listeners,
    descriptor_closed_while_a_thread_waits_for_it,
    arguments_refused_before_anything_is_done,
    select_arguments,
    file_interface,
]
