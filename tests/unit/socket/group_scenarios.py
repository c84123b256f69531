"""Multicast on the loopback interface: memberships, source filters, sending; rules as in `scenario`."""

from scenario import SETTLE, attempt, mask

GROUP, OTHER, LOOP, SECOND = "239.255.7.1", "239.255.7.2", "127.0.0.1", "127.0.0.2"

UNBLOCK, BLOCK, ADD_SOURCE, DROP_SOURCE = 37, 38, 39, 40


def packed(*addresses):
    import socket

    return b"".join(map(socket.inet_aton, addresses))


def receiver(port=0, address=""):
    import socket

    s = socket.socket(type=socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.settimeout(0)
    return s


def sender(address=LOOP):
    import socket

    s = socket.socket(type=socket.SOCK_DGRAM)
    s.bind((address, 0))
    return s


def all_of(s):
    import time

    time.sleep(SETTLE)
    found = []
    while mask(s) & 1:
        data, address = s.recvfrom(100)
        found.append((data, address[0]))
    return found


def memberships_and_their_errors():
    import socket
    import struct

    s, t = receiver(), socket.socket()
    report = []
    for name in (socket.IP_ADD_MEMBERSHIP, socket.IP_DROP_MEMBERSHIP):
        for value in (
            packed(GROUP, LOOP),
            packed(GROUP, LOOP),
            packed("10.0.0.1", LOOP),
            packed(GROUP, "192.0.2.77"),
            packed(OTHER, SECOND),
            packed(GROUP),
            b"",
            packed(OTHER, LOOP) + struct.pack("i", 1),
            packed(OTHER, LOOP) + struct.pack("i", 99),
            packed(OTHER, "192.0.2.77") + struct.pack("i", 1),
        ):
            report.append(attempt(s.setsockopt, 0, name, value))
        report += [attempt(t.setsockopt, 0, name, packed(GROUP, LOOP)), attempt(t.setsockopt, 0, name, b"")]
    for number in range(22):
        report.append(attempt(s.setsockopt, 0, socket.IP_ADD_MEMBERSHIP, packed(f"239.1.1.{number}", LOOP)))
    return report


def interface_to_send_by():
    import socket
    import struct

    s, t = receiver(), socket.socket()
    report = [s.getsockopt(0, socket.IP_MULTICAST_IF, 9)]
    for value in (
        packed(LOOP),
        packed("192.0.2.77"),
        packed("0.0.0.0"),
        packed(GROUP, LOOP),
        packed(GROUP, SECOND),
        packed(GROUP, "0.0.0.0") + struct.pack("i", 1),
        packed(GROUP, "1.2.3.4") + struct.pack("i", 1),
        packed(GROUP, LOOP) + struct.pack("i", 99),
        b"abc",
        b"",
    ):
        report.append(
            (attempt(s.setsockopt, 0, socket.IP_MULTICAST_IF, value), attempt(s.getsockopt, 0, 32, 9))
        )
    report.append(attempt(t.setsockopt, 0, socket.IP_MULTICAST_IF, packed(LOOP)))
    for name, values in ((33, (-1, 0, 1, 255, 256)), (34, (0, 1, 7, 300)), (49, (0, 1, 2))):
        for value in values:
            report.append((name, value, attempt(s.setsockopt, 0, name, value), s.getsockopt(0, name)))
        report.append((attempt(s.setsockopt, 0, name, b"\2"), s.getsockopt(0, name)))
    return report


def source_filters_and_their_errors():
    s = receiver()
    report = []
    for name, group, source in (
        (BLOCK, GROUP, LOOP),
        (ADD_SOURCE, GROUP, LOOP),
        (ADD_SOURCE, GROUP, LOOP),
        (ADD_SOURCE, GROUP, SECOND),
        (BLOCK, GROUP, LOOP),
        (UNBLOCK, GROUP, LOOP),
        (DROP_SOURCE, GROUP, "127.0.0.3"),
        (DROP_SOURCE, GROUP, LOOP),
        (DROP_SOURCE, GROUP, SECOND),
        (DROP_SOURCE, GROUP, SECOND),
        (35, GROUP, None),
        (UNBLOCK, GROUP, LOOP),
        (BLOCK, GROUP, LOOP),
        (BLOCK, GROUP, LOOP),
        (ADD_SOURCE, GROUP, LOOP),
        (UNBLOCK, GROUP, LOOP),
        (ADD_SOURCE, GROUP, SECOND),
        (36, GROUP, None),
        (36, GROUP, None),
        (ADD_SOURCE, "10.0.0.1", LOOP),
        (BLOCK, "10.0.0.1", LOOP),
    ):
        value = packed(group, LOOP, source) if source else packed(group, LOOP)
        report.append((name, source, attempt(s.setsockopt, 0, name, value)))
    for length in (0, 8, 11, 13):
        report.append(attempt(s.setsockopt, 0, ADD_SOURCE, bytes(length)))
    for number in (*range(1, 13), 1):
        report.append(attempt(s.setsockopt, 0, ADD_SOURCE, packed(OTHER, LOOP, f"127.0.1.{number}")))
    return report


def memberships_of_any_family():
    import socket
    import struct

    def request(index, *addresses, family=socket.AF_INET):
        body = struct.pack("I4x", index)
        for address in addresses:
            body += struct.pack("=HH4s120x", family, 0, packed(address))
        return body

    s = receiver()
    report = []
    for name, value in (
        (42, request(1, GROUP)),
        (42, request(1, GROUP)),
        (42, request(99, GROUP)),
        (42, request(1, "10.0.0.1")),
        (42, request(1, GROUP, family=7)),
        (42, request(1, GROUP)[:-1]),
        (43, request(1, GROUP, LOOP)),
        (44, request(1, GROUP, LOOP)),
        (44, request(1, GROUP, LOOP, family=7)),
        (45, request(1, GROUP)),
        (45, request(1, GROUP)),
        (46, request(1, GROUP, LOOP)),
        (47, request(1, GROUP, SECOND)),
        (47, request(1, GROUP, LOOP)),
        (47, request(1, GROUP, LOOP)),
        (47, request(1, GROUP, LOOP)[:-1]),
    ):
        report.append((name, attempt(s.setsockopt, 0, name, value)))
    return report


def who_receives_what_is_sent_to_a_group():
    import socket

    joined, not_joined, lonely = receiver(), None, None
    port = joined.getsockname()[1]
    not_joined, lonely = receiver(port), receiver(port)
    bound, other = receiver(port, GROUP), receiver(port, OTHER)
    lonely.setsockopt(0, 49, 0)
    everybody = (joined, not_joined, lonely, bound, other)
    s = sender()
    report = [attempt(s.sendto, b"too early", (GROUP, port)), [all_of(r) for r in everybody]]
    joined.setsockopt(0, socket.IP_ADD_MEMBERSHIP, packed(GROUP, LOOP))
    report += [s.sendto(b"first", (GROUP, port)), [all_of(r) for r in everybody]]
    report += [s.sendto(b"to another", (OTHER, port)), [all_of(r) for r in everybody]]
    report += [sender(SECOND).sendto(b"from another", (GROUP, port)), [all_of(r) for r in everybody]]
    report += [s.sendto(b"unicast", (LOOP, port)), sum(len(all_of(r)) for r in everybody)]
    report += [s.sendto(b"to all systems", ("224.0.0.1", port)), [all_of(r) for r in everybody]]
    joined.close()
    report += [s.sendto(b"too late", (GROUP, port)), [all_of(r) for r in everybody[1:]]]
    return report


def filters_decide_about_senders():
    import socket

    r = receiver()
    port = r.getsockname()[1]
    a, b = sender(LOOP), sender(SECOND)

    def both():
        a.sendto(b"a", (GROUP, port))
        b.sendto(b"b", (GROUP, port))
        return all_of(r)

    r.setsockopt(0, ADD_SOURCE, packed(GROUP, LOOP, SECOND))
    report = [both()]
    r.setsockopt(0, ADD_SOURCE, packed(GROUP, LOOP, LOOP))
    report += [both()]
    r.setsockopt(0, DROP_SOURCE, packed(GROUP, LOOP, SECOND))
    report += [both()]
    r.setsockopt(0, socket.IP_DROP_MEMBERSHIP, packed(GROUP, LOOP))
    report += [both()]
    r.setsockopt(0, socket.IP_ADD_MEMBERSHIP, packed(GROUP, LOOP))
    r.setsockopt(0, BLOCK, packed(GROUP, LOOP, LOOP))
    report += [both()]
    q = receiver(port)  # takes any group, of which the interface lets everybody in who one socket wants
    report += [both(), all_of(q)]
    p = receiver(port)
    p.setsockopt(0, ADD_SOURCE, packed(GROUP, LOOP, LOOP))
    return [*report, both(), all_of(p), all_of(q)]


def names_and_ancillary_data_of_a_group():
    import socket
    import struct

    r = receiver()
    port = r.getsockname()[1]
    r.setsockopt(0, socket.IP_ADD_MEMBERSHIP, packed(GROUP, LOOP))
    for option in (8, 12, 13, 20):  # PKTINFO, RECVTTL, RECVTOS, RECVORIGDSTADDR
        r.setsockopt(0, option, 1)
    s = socket.socket(type=socket.SOCK_DGRAM)
    s.setsockopt(0, socket.IP_MULTICAST_IF, packed(LOOP))
    report = [s.sendto(b"x", (GROUP, port)), s.getsockname()[0]]
    s.setsockopt(0, socket.IP_MULTICAST_TTL, 7)
    report += [s.connect((GROUP, port)), s.getsockname()[0], s.getpeername()[0], s.send(b"y")]
    s.setsockopt(0, socket.IP_MULTICAST_TTL, 0)
    report += [s.send(b"z"), s.send(b"")]
    for _ in range(4):
        data, control, flags, (host, _) = r.recvmsg(100, 500)
        control = [
            (level, kind, value[:2] + value[4:] if kind == 20 else value) for level, kind, value in control
        ]
        report += [data, control, flags, host]
    u = socket.socket(type=socket.SOCK_DGRAM)
    info = struct.pack("=i4s4s", 1, packed(SECOND), bytes(4))
    report += [u.sendmsg([b"by pktinfo"], [(0, 8, info)], 0, (GROUP, port))]
    info = struct.pack("=i4s4s", 99, bytes(4), bytes(4))
    report += [attempt(u.sendmsg, [b"by pktinfo"], [(0, 8, info)], 0, (GROUP, port))]
    report += [r.recvmsg(100, 500)[0::3][0], attempt(s.send, bytes(65508))]
    report += [attempt(r.sendto, b"", ("224.0.0.1", 0)), attempt(r.bind, (GROUP, 0))]
    t = socket.socket()
    t.settimeout(0.05)
    return [*report, attempt(t.connect, (GROUP, port)), attempt(t.bind, (GROUP, 0)), attempt(t.listen)]


SCENARIOS = [
    memberships_and_their_errors,
    interface_to_send_by,
    source_filters_and_their_errors,
    memberships_of_any_family,
    who_receives_what_is_sent_to_a_group,
    filters_decide_about_senders,
    names_and_ancillary_data_of_a_group,
]
