"""sendmsg and recvmsg with ancillary data, error queues and every option; run on Linux and simulated.

As in `scenario`: imports inside, nothing beyond 127/8, nothing that may differ by chance.
"""

from scenario import SETTLE, attempt, mask, pair

RECVERR, ERRQUEUE, ZEROCOPY = 11, 0x2000, 0x4000000


def udp_pair():
    import socket

    a, b = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
    for s in (a, b):
        s.bind(("127.0.0.1", 0))
        s.settimeout(1)
    a.connect(b.getsockname())
    return a, b


def scan(kind, level, names, values):
    """What reading and setting each option gives, on a fresh socket each."""
    import socket

    report = []
    for name in names:
        report.append((level, name, attempt(socket.socket(type=kind).getsockopt, level, name)))
        for value in values:
            s = socket.socket(type=kind)
            outcome = attempt(s.setsockopt, level, name, value)
            report.append((level, name, value, outcome, attempt(s.getsockopt, level, name)))
    return report


VALUES = (0, 1, 2, 7, 100, 300, -1, 40_000)
SOL_NAMES = (
    1,
    2,
    3,
    4,
    5,
    6,
    9,
    10,
    11,
    12,
    13,
    14,
    15,
    18,
    19,
    20,
    29,
    30,
    35,
    36,
    38,
    39,
    40,
    42,
    45,
    46,
    49,
    60,
)
IP_NAMES = (1, 2, 4, 6, 7, 8, 10, 11, 12, 13, 14, 15, 20, 21, 24, 25, 32, 33, 34, 49)
TCP_NAMES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 17, 18, 23, 25, 27, 30, 34, 36, 37, 99)
UDP_NAMES = (1, 9, 101, 102, 103, 104)


def options_of_the_socket_level():
    import socket

    # Where the limits of the machine come in (-1 for SO_RCVLOWAT), they may differ.
    streams = scan(socket.SOCK_STREAM, 1, SOL_NAMES, VALUES)
    return [item for item in streams if item[:3] != (1, 18, -1)] + scan(
        socket.SOCK_DGRAM, 1, SOL_NAMES, VALUES
    )


def options_of_the_ip_level():
    import socket

    report = scan(socket.SOCK_STREAM, 0, IP_NAMES, VALUES) + scan(socket.SOCK_DGRAM, 0, IP_NAMES, VALUES)
    s = socket.socket()
    for value in (b"", b"\x08", b"\x10\0", b"\x20\0\0\0"):
        report += [attempt(s.setsockopt, 0, 1, value), s.getsockopt(0, 1), s.getsockopt(0, 1, 1)]
    report += [
        attempt(s.setsockopt, 0, 2, b"\0"),
        s.getsockopt(0, 2, 2),
        attempt(s.setsockopt, 0, 35, bytes(8)),
    ]
    return report


def options_of_the_tcp_level():
    import socket

    report = scan(socket.SOCK_STREAM, 6, TCP_NAMES, VALUES)
    s = socket.socket()
    for name in (b"reno", b"cubic", b"", b"nothing", b"reno\0junk"):
        report += [attempt(s.setsockopt, 6, 13, name), name and s.getsockopt(6, 13, 5)]
    report += [
        attempt(s.setsockopt, 6, 1, b"\1"),
        s.getsockopt(6, 13, 100)[:4],
        len(s.getsockopt(6, 13, 100)),
    ]
    report += [s.getsockopt(6, 11, 1), len(s.getsockopt(6, 11, 104)), attempt(s.setsockopt, 6, 11, 1)]
    report += [attempt(s.getsockopt, 17, 1), attempt(s.setsockopt, 17, 1, 1), attempt(s.getsockopt, 41, 1)]
    s.listen(3)
    info = s.getsockopt(6, 11, 104)
    return [*report, info[0], info[24:32], attempt(s.setsockopt, 6, 10, 0)]


def options_of_the_udp_level():
    import socket

    report = scan(socket.SOCK_DGRAM, 17, UDP_NAMES, VALUES)
    s = socket.socket(type=socket.SOCK_DGRAM)
    return [*report, attempt(s.setsockopt, 17, 1, b"\1"), attempt(s.getsockopt, 6, 1)]


def options_of_a_connection():
    import socket
    import struct

    client, server = pair(lambda s: s.setsockopt(6, 2, 1000))
    report = [s.getsockopt(6, 2) for s in (client, server)]
    for name in (1, 3, 4, 5, 6, 7, 8, 9, 18, 25):
        report += [(name, client.getsockopt(6, name), attempt(client.setsockopt, 6, name, 100))]
        report += [client.getsockopt(6, name)]
    report += [attempt(client.setsockopt, 6, 10, 0), attempt(client.setsockopt, 6, 23, 1)]
    info = client.getsockopt(6, 11, 232)
    state, ca, _retransmits, _probes, _backoff, options = struct.unpack_from("6B", info)
    report += [state, ca, options & 1, options >> 1 & 1, struct.unpack_from("I", info, 16)]
    report += [client.getsockopt(0, 14) > 1000, client.getsockopt(1, 4), client.getsockopt(0, 2)]
    client.setsockopt(1, socket.SO_KEEPALIVE, 1)
    client.shutdown(1)
    return [*report, client.getsockopt(1, socket.SO_KEEPALIVE), client.getsockopt(6, 11, 1) in (b"\4", b"\5")]


def ancillary_data_of_datagrams():
    import socket
    import struct

    a, b = udp_pair()
    for option in (8, 12, 13, 20):
        b.setsockopt(0, option, 1)
    a.setsockopt(0, 2, 33)
    a.setsockopt(0, 1, 0x28)
    a.send(b"first")
    data, control, flags, sender = b.recvmsg(100, 200)
    name = b.getsockname()
    where = struct.pack("!HH4s8x", 0x0200, name[1], b"\x7f\0\0\1")
    report = [data, [item for item in control if item[1] != 20], flags, sender == a.getsockname()]
    report += [item[2] == where for item in control if item[1] == 20]
    a.sendmsg([b"se", b"cond"], [(0, 2, struct.pack("i", 5)), (0, 1, b"\x10")])
    report += [[item for item in b.recvmsg(100, 200)[1] if item[1] != 20]]
    other = socket.socket(type=socket.SOCK_DGRAM)
    local = struct.pack("i4s4s", 0, b"\x7f\0\0\5", bytes(4))
    report += [attempt(other.sendmsg, [b"x"], [(0, 8, local)], 0, name), b.recvmsg(100, 200)[3][0]]
    for item in (
        (0, 2, struct.pack("i", 0)),
        (0, 2, struct.pack("i", 256)),
        (0, 2, b"\1"),
        (0, 1, struct.pack("i", 256)),
        (0, 1, b""),
        (0, 8, b"1234"),
        (0, 99, b"1234"),
        (1, 99, b"1234"),
        (1, 1, b"1234"),
        (6, 1, b"1234"),
        (17, 103, b"1"),
        (17, 99, b"12"),
        (0, 8, struct.pack("i4s4s", 0, b"\x0a\1\2\3", bytes(4))),
    ):
        report += [(item, attempt(a.sendmsg, [b"x"], [item]))]
    return report


def room_for_ancillary_data():
    import socket

    a, b = udp_pair()
    for option in (8, 12, 13):
        b.setsockopt(0, option, 1)
    report = []
    for space in (0, 1, 15, 16, 20, 27, 28, 31, 32, 40, 50, 51, 52, 55, 56, 64, 72, 80, 200):
        a.send(b"hello")
        report.append((space, b.recvmsg(3, space)[:3]))
    report += [socket.CMSG_LEN(0), socket.CMSG_LEN(5), socket.CMSG_SPACE(0), socket.CMSG_SPACE(5)]
    return [
        *report,
        attempt(socket.CMSG_LEN, -1),
        attempt(socket.CMSG_SPACE, 1 << 40),
        attempt(b.recvmsg, 1, -1),
    ]


def time_stamps():
    import struct
    import time

    a, b = udp_pair()
    report = []
    for option, divisor in ((29, 1e6), (35, 1e9)):
        b.setsockopt(1, option, 1)
        a.send(b"x")
        time.sleep(SETTLE)
        before = time.time()
        data, control, _, _ = b.recvmsg(9, 200)
        seconds, part = struct.unpack("ll", control[0][2])
        report += [data, [item[:2] for item in control]]
        report += [-1 < before - (seconds + part / divisor) < 1, b.getsockopt(1, 29), b.getsockopt(1, 35)]
    b.setsockopt(1, 35, 0)
    a.send(b"y")
    return [*report, b.recvmsg(9, 200)[1]]


def stream_messages_with_control():
    import struct
    import time

    client, server = pair()
    report = [attempt(client.sendmsg, [b"a", b"b"], [item]) for item in ((0, 99, b"1234"), (1, 99, b"1234"))]
    report += [attempt(client.sendmsg, [b"c"], [(1, 1, b"1234")]), attempt(client.sendmsg, [])]
    server.setsockopt(6, 36, 1)
    client.send(b"0123456789")
    time.sleep(SETTLE)
    report += [server.recvmsg(5, 100), server.recvmsg(100, 100)]
    client.close()
    time.sleep(SETTLE)
    report += [server.recvmsg(5, 100), server.recvmsg(5, 4)]
    return [*report, attempt(server.recvmsg, 5, 100, ERRQUEUE), struct.calcsize("i")]


def errors_queued_for_a_connected_datagram_socket():
    import socket
    import time

    probe, s = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
    probe.bind(("127.0.0.1", 0))
    target = probe.getsockname()
    probe.close()
    s.setsockopt(0, RECVERR, 1)
    s.setblocking(False)
    s.connect(target)
    report = [attempt(s.recvmsg, 10, 200, ERRQUEUE), mask(s)]
    for data in (b"one", b"two!"):
        report += [attempt(s.send, data)]
        time.sleep(SETTLE)
    report += [mask(s), attempt(s.recv, 1), mask(s)]
    data, control, flags, name = s.recvmsg(2, 200, ERRQUEUE)
    report += [data, control, flags, name == target, mask(s)]
    s.send(b"three")
    time.sleep(SETTLE)
    report += [s.recvmsg(99, 20, ERRQUEUE)[:3]]
    report += [mask(s), attempt(s.recvmsg, 9, 200, ERRQUEUE)]
    return report


def errors_queued_for_an_unconnected_datagram_socket():
    import socket
    import time

    probe, s = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
    probe.bind(("127.0.0.1", 0))
    target = probe.getsockname()
    probe.close()
    s.sendto(b"x", target)
    time.sleep(SETTLE)
    report = [mask(s)]
    s.setsockopt(0, RECVERR, 1)
    s.sendto(b"y", target)
    time.sleep(SETTLE)
    report += [mask(s), s.getsockopt(1, 4), mask(s), attempt(s.sendto, b"z", target)]
    time.sleep(SETTLE)
    data, control, flags, name = s.recvmsg(9, 200, ERRQUEUE)
    return [*report, data, control, flags, name == target, s.getsockopt(1, 4)]


def too_big_for_the_path():
    import socket

    a, _b = udp_pair()
    report = [attempt(a.send, bytes(65_507)), attempt(a.send, bytes(65_508)), attempt(a.send, bytes(65_536))]
    return [*report, a.getsockopt(0, socket.IP_MTU if hasattr(socket, "IP_MTU") else 14)]


def zero_copy_completions():
    import time

    client, server = pair()
    report = [attempt(client.send, b"ignored", ZEROCOPY), attempt(client.recvmsg, 1, 200, ERRQUEUE)]
    client.setsockopt(1, 60, 1)
    report += [attempt(client.send, b"abc", ZEROCOPY)]
    time.sleep(SETTLE)
    server.recv(100)
    time.sleep(SETTLE)
    report += [mask(client), client.recvmsg(9, 200, ERRQUEUE), mask(client)]
    for _ in range(3):
        client.send(b"data", ZEROCOPY)
        time.sleep(SETTLE)
        server.recv(100)
        time.sleep(SETTLE)
    report += [client.recvmsg(9, 200, ERRQUEUE), attempt(client.recvmsg, 9, 200, ERRQUEUE)]
    report += [attempt(client.send, b"", ZEROCOPY), attempt(client.recvmsg, 9, 200, ERRQUEUE)]
    return [*report, mask(client), client.getsockopt(1, 4)]


def zero_copy_datagrams():
    import time

    a, b = udp_pair()
    a.setsockopt(1, 60, 1)
    report = [a.send(b"xyz", ZEROCOPY), b.recv(9)]
    time.sleep(SETTLE)
    report += [mask(a), a.recvmsg(9, 200, ERRQUEUE), mask(a)]
    return report


def zero_copy_edges():
    import select
    import time

    client, server = pair()
    client.setsockopt(1, 60, 1)
    epoll = select.epoll()
    epoll.register(client, select.EPOLLET)
    report = [epoll.poll(0)]
    for _ in range(2):
        client.send(b"x" * 100, ZEROCOPY)
        time.sleep(SETTLE)
        server.recv(1000)
        time.sleep(SETTLE)
        report += [[events for _, events in epoll.poll(0)], epoll.poll(0)]
    return report


def corked_datagrams():
    import socket

    a, b = udp_pair()
    report = [a.send(b"one ", socket.MSG_MORE if hasattr(socket, "MSG_MORE") else 0x8000), a.send(b"two")]
    report += [b.recv(99)]
    a.setsockopt(17, 1, 1)
    report += [a.send(b"1"), a.send(b"2"), a.setsockopt(17, 1, 0), b.recv(99)]
    other = socket.socket(type=socket.SOCK_DGRAM)
    report += [other.sendto(b"x", 0x8000, b.getsockname()), other.sendto(b"y", ("127.0.0.1", 9)), b.recv(99)]
    report += [attempt(other.sendto, bytes(60_000), 0x8000, b.getsockname())]
    report += [attempt(other.sendto, bytes(10_000), b.getsockname())]
    report += [other.sendto(b"again", b.getsockname()), b.recv(99)]
    a.setsockopt(17, 103, 4)
    report += [a.send(b"0123456789"), b.recv(99), b.recv(99), b.recv(99)]
    a.setsockopt(17, 103, 0)
    report += [a.sendmsg([b"abcde"], [(17, 103, b"\2\0")]), b.recv(99), b.recv(99), b.recv(99)]
    a.setsockopt(17, 103, 1)
    return [*report, attempt(a.send, bytes(200))]


def stream_held_back_by_more():
    import time

    client, server = pair()
    client.setsockopt(6, 1, 1)
    client.send(b"held", 0x8000)
    time.sleep(SETTLE)
    server.setblocking(False)
    report = [attempt(server.recv, 9), client.send(b" sent")]
    time.sleep(SETTLE)
    report += [server.recv(99)]
    client.setsockopt(6, 3, 1)
    client.send(b"corked")
    time.sleep(SETTLE)
    report += [attempt(server.recv, 99), client.setsockopt(6, 3, 0)]
    time.sleep(SETTLE)
    report += [server.recv(99)]
    client.send(b"late", 0x8000)
    time.sleep(0.5)
    return [*report, server.recv(99)]


def urgent_data_and_its_mark():
    import fcntl
    import select
    import struct
    import time

    def at_mark(s):
        return struct.unpack("i", fcntl.ioctl(s, 0x8905, bytes(4)))[0]

    client, server = pair()
    report = [attempt(server.recv, 1, 1), client.send(b"before"), client.send(b"!", 1), client.send(b"after")]
    time.sleep(SETTLE)
    report += [mask(server), at_mark(server), select.select([], [], [server], 0)[2] == [server]]
    report += [server.recv(99), at_mark(server), server.recv(1, 1), mask(server), attempt(server.recv, 1, 1)]
    report += [server.recv(99), at_mark(server)]
    server.setsockopt(1, 10, 1)
    client.send(b"xy", 1)
    time.sleep(SETTLE)
    report += [mask(server), server.recv(99), at_mark(server), server.recv(99), attempt(server.recv, 1, 1)]
    return report


SCENARIOS = [
    urgent_data_and_its_mark,
    options_of_the_socket_level,
    options_of_the_ip_level,
    options_of_the_tcp_level,
    options_of_the_udp_level,
    options_of_a_connection,
    ancillary_data_of_datagrams,
    room_for_ancillary_data,
    time_stamps,
    stream_messages_with_control,
    errors_queued_for_a_connected_datagram_socket,
    errors_queued_for_an_unconnected_datagram_socket,
    too_big_for_the_path,
    zero_copy_completions,
    zero_copy_datagrams,
    zero_copy_edges,
    corked_datagrams,
    stream_held_back_by_more,
]
