"""epoll(7), poll(2) and select(2) on sockets, pipes and epolls; each is run on Linux and on a simulated host.

As in `scenario`: imports inside, nothing beyond 127/8, nothing that may differ by chance.
"""

from scenario import SETTLE, attempt, pair


def watch(epoll, names, timeout=0.0):
    """What `epoll` reports now, by name, sorted; times out at once."""
    return sorted((names.get(fd, fd), events) for fd, events in epoll.poll(timeout))


def udp_pair():
    import socket

    a, b = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
    for s in (a, b):
        s.bind(("127.0.0.1", 0))
    a.connect(b.getsockname())
    b.connect(a.getsockname())
    return a, b


def level_triggered_reports_as_long_as_it_is_so():
    import select
    import time

    client, server = pair()
    with select.epoll() as epoll:
        names = {client.fileno(): "client", server.fileno(): "server"}
        epoll.register(client, select.EPOLLIN | select.EPOLLOUT)
        epoll.register(server.fileno(), select.EPOLLIN | select.EPOLLRDHUP)
        report = [watch(epoll, names), watch(epoll, names)]
        client.send(b"hello")
        time.sleep(SETTLE)
        report += [watch(epoll, names), watch(epoll, names), server.recv(2), watch(epoll, names)]
        report += [server.recv(9), watch(epoll, names)]
        client.close()
        time.sleep(SETTLE)
        report += [watch(epoll, names), server.recv(1), watch(epoll, names)]
        server.close()
        return [*report, watch(epoll, names)]


def edge_triggered_input_reports_every_arrival():
    import select
    import time

    client, server = pair()
    epoll = select.epoll()
    names = {server.fileno(): "server"}
    epoll.register(server, select.EPOLLIN | select.EPOLLET)
    report = [watch(epoll, names)]
    for data in (b"one", b"two"):
        client.send(data)
        time.sleep(SETTLE)
        report += [watch(epoll, names), watch(epoll, names)]
    report += [server.recv(2), watch(epoll, names), server.recv(99), watch(epoll, names)]
    client.send(b"x")
    time.sleep(SETTLE)
    report += [server.recv(9), watch(epoll, names)]
    client.shutdown(1)
    time.sleep(SETTLE)
    report += [watch(epoll, names), watch(epoll, names), server.recv(1), watch(epoll, names)]
    client.close()
    server.close()
    return [*report, watch(epoll, names)]


def edge_triggered_output_of_a_datagram_socket():
    import select
    import time

    a, b = udp_pair()
    epoll = select.epoll()
    names = {a.fileno(): "a", b.fileno(): "b"}
    epoll.register(a, select.EPOLLOUT | select.EPOLLET)
    report = [watch(epoll, names), watch(epoll, names)]
    for _ in range(3):
        a.send(b"x")
        time.sleep(SETTLE)
        report += [watch(epoll, names), watch(epoll, names)]
    epoll.register(b, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
    report += [watch(epoll, names), watch(epoll, names)]
    b.recv(9)
    time.sleep(SETTLE)
    report += [watch(epoll, names)]
    a.send(b"y")
    time.sleep(SETTLE)
    report += [watch(epoll, names), watch(epoll, names)]
    b.send(b"z")
    time.sleep(SETTLE)
    report += [watch(epoll, names), watch(epoll, names)]
    a.setsockopt(1, 7, 100_000)
    return [*report, watch(epoll, names)]


def edge_triggered_output_after_a_full_buffer_drained():
    import select
    import time

    client, server = pair(lambda s: s.setsockopt(1, 8, 20_000))
    client.setsockopt(1, 7, 40_000)
    client.setblocking(False)
    epoll = select.epoll()
    names = {client.fileno(): "client"}
    epoll.register(client, select.EPOLLOUT | select.EPOLLET)
    report = [watch(epoll, names), watch(epoll, names)]
    client.send(b"x" * 100)
    time.sleep(SETTLE)
    report += [watch(epoll, names)]
    for _ in range(2):
        while isinstance(attempt(client.send, bytes(10_000)), int):
            time.sleep(SETTLE / 4)
        report += [watch(epoll, names), attempt(client.send, b"x")]
        server.settimeout(0.05)
        while isinstance(attempt(server.recv, 1 << 20), bytes):
            pass
        time.sleep(SETTLE)
        report += [watch(epoll, names), watch(epoll, names)]
    return report


def level_triggered_output_of_a_full_buffer():
    import select
    import time

    client, server = pair(lambda s: s.setsockopt(1, 8, 20_000))
    client.setsockopt(1, 7, 40_000)
    client.setblocking(False)
    epoll = select.epoll()
    names = {client.fileno(): "client"}
    epoll.register(client, select.EPOLLOUT)
    report = [watch(epoll, names)]
    while isinstance(attempt(client.send, bytes(10_000)), int):
        time.sleep(SETTLE / 4)
    report += [watch(epoll, names), watch(epoll, names)]
    server.settimeout(0.05)
    while isinstance(attempt(server.recv, 1 << 20), bytes):
        pass
    time.sleep(SETTLE)
    return [*report, watch(epoll, names), watch(epoll, names)]


def one_shot_reports_once_until_it_is_armed_again():
    import select
    import time

    client, server = pair()
    epoll = select.epoll()
    names = {server.fileno(): "server"}
    epoll.register(server, select.EPOLLIN | select.EPOLLONESHOT)
    client.send(b"abc")
    time.sleep(SETTLE)
    report = [watch(epoll, names), watch(epoll, names), server.recv(1), watch(epoll, names)]
    client.send(b"d")
    time.sleep(SETTLE)
    report += [watch(epoll, names)]
    epoll.modify(server, select.EPOLLIN | select.EPOLLONESHOT)
    report += [watch(epoll, names), watch(epoll, names)]
    epoll.modify(server, select.EPOLLOUT | select.EPOLLONESHOT | select.EPOLLET)
    report += [watch(epoll, names), watch(epoll, names)]
    client.close()
    time.sleep(SETTLE)
    report += [watch(epoll, names)]
    epoll.modify(server, select.EPOLLRDHUP)
    return [*report, watch(epoll, names), watch(epoll, names)]


def modify_rearms_an_edge():
    import select
    import time

    client, server = pair()
    epoll = select.epoll()
    names = {server.fileno(): "server"}
    epoll.register(server, select.EPOLLIN | select.EPOLLET)
    client.send(b"abc")
    time.sleep(SETTLE)
    report = [watch(epoll, names), watch(epoll, names)]
    epoll.modify(server, select.EPOLLIN | select.EPOLLET)
    report += [watch(epoll, names), watch(epoll, names)]
    epoll.modify(server, select.EPOLLPRI | select.EPOLLET)
    report += [watch(epoll, names)]
    epoll.modify(server, select.EPOLLOUT | select.EPOLLIN)
    report += [watch(epoll, names), watch(epoll, names)]
    epoll.unregister(server)
    return [*report, watch(epoll, names), attempt(epoll.unregister, server)]


def control_errors():
    import os
    import select
    import socket

    epoll, other = select.epoll(), select.epoll()
    s = socket.socket()
    report = [attempt(epoll.register, s), attempt(epoll.register, s), attempt(epoll.modify, s, 1)]
    report += [attempt(epoll.unregister, s), attempt(epoll.unregister, s), attempt(epoll.modify, s, 1)]
    report += [attempt(epoll.register, 999), attempt(epoll.register, epoll), attempt(epoll.register, -1)]
    report += [attempt(epoll.poll, 0, 0), attempt(epoll.poll, 0, -2)]
    report += [attempt(epoll.register, "x"), attempt(select.epoll, -2), attempt(select.epoll, 1, 12356)]
    report += [attempt(epoll.register, other), attempt(other.register, epoll)]
    report += [attempt(os.read, epoll.fileno(), 1), attempt(os.write, epoll.fileno(), b"x")]
    number = epoll.fileno()
    again = select.epoll.fromfd(os.dup(number))
    report += [attempt(again.unregister, other), attempt(epoll.unregister, other)]
    epoll.close()
    report += [epoll.closed, attempt(epoll.fileno), attempt(epoll.poll, 0), attempt(epoll.register, s)]
    return [
        *report,
        attempt(again.register, s),
        again.poll(0) == [(s.fileno(), select.EPOLLHUP | select.EPOLLOUT)],
    ]


def epolls_nested():
    import select
    import time

    client, server = pair()
    chain = [select.epoll() for _ in range(7)]
    report = []
    for outer, inner in zip(chain[1:], chain, strict=False):
        report.append(attempt(outer.register, inner, select.EPOLLIN))
    names = {chain[0].fileno(): "inner", server.fileno(): "server"}
    report += [attempt(chain[0].register, chain[2]), watch(chain[1], names)]
    chain[0].register(server, select.EPOLLIN)
    report += [watch(chain[1], names)]
    client.send(b"x")
    time.sleep(SETTLE)
    report += [watch(chain[1], names), watch(chain[1], names), watch(chain[0], names)]
    report += [select.select([chain[0]], [], [], 0)[0] == [chain[0]]]
    server.recv(1)
    report += [watch(chain[1], names), select.select([chain[0]], [], [], 0)]
    edge = select.epoll()
    edge.register(chain[0], select.EPOLLIN | select.EPOLLET)
    report += [watch(edge, names)]
    client.send(b"y")
    time.sleep(SETTLE)
    report += [watch(edge, names), watch(edge, names)]
    return report


def epolls_nested_too_deep():
    import select

    report = []
    for count in range(2, 8):
        # From the inside out, then from the outside in.
        for order in (range(count - 1), range(count - 2, -1, -1)):
            epolls = [select.epoll() for _ in range(count)]
            report.append([attempt(epolls[i + 1].register, epolls[i], 1) for i in order])
    return report


def several_ready_take_turns():
    import select

    socks = [udp_pair() for _ in range(3)]
    epoll = select.epoll()
    names = {}
    for number, (a, _) in enumerate(socks):
        names[a.fileno()] = number
        epoll.register(a, select.EPOLLOUT)
    return [[names[fd] for fd, _ in epoll.poll(0, 2)] for _ in range(4)]


def duplicate_keeps_the_entry_alive():
    import os
    import select
    import time

    client, server = pair()
    epoll = select.epoll()
    number = server.fileno()
    names = {number: "server"}
    epoll.register(server, select.EPOLLIN)
    copy = os.dup(number)
    epoll.register(copy, select.EPOLLIN)
    names[copy] = "copy"
    client.send(b"x")
    time.sleep(SETTLE)
    report = [watch(epoll, names)]
    server.close()
    report += [watch(epoll, names), attempt(epoll.unregister, number)]
    os.read(copy, 1)
    report += [watch(epoll, names)]
    os.close(copy)
    return [*report, watch(epoll, names)]


def exclusive_flags():
    import select
    import socket
    import time

    listener = socket.create_server(("127.0.0.1", 0))
    epolls = [select.epoll() for _ in range(3)]
    names = {listener.fileno(): "listener"}
    exclusive = select.EPOLLEXCLUSIVE
    report = [attempt(epolls[0].register, listener, exclusive | select.EPOLLIN | select.EPOLLONESHOT)]
    report += [attempt(epolls[0].register, listener, exclusive | select.EPOLLIN | select.EPOLLPRI)]
    report += [attempt(epolls[0].register, epolls[1], exclusive | select.EPOLLIN)]
    for epoll in epolls:
        report += [attempt(epoll.register, listener, exclusive | select.EPOLLIN)]
    report += [attempt(epolls[0].modify, listener, select.EPOLLIN)]
    report += [attempt(epolls[0].modify, listener, exclusive | select.EPOLLIN)]
    client = socket.create_connection(listener.getsockname())
    time.sleep(SETTLE)
    report += [watch(epoll, names) for epoll in epolls]
    client.close()
    return report


def exclusive_waiters_are_woken_one_at_a_time():
    import select
    import socket
    import threading
    import time

    listener = socket.create_server(("127.0.0.1", 0))
    woken = []

    def wait(name):
        epoll = select.epoll()
        epoll.register(listener, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        if epoll.poll(10 * SETTLE):
            woken.append(name)

    threads = [threading.Thread(target=wait, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(SETTLE)
    client = socket.create_connection(listener.getsockname())
    time.sleep(2 * SETTLE)
    first = len(woken)
    other = socket.create_connection(listener.getsockname())
    time.sleep(2 * SETTLE)
    second = len(woken)
    for thread in threads:
        thread.join()
    client.close()
    other.close()
    return first, second


def state_changes_wake_edges():
    import select
    import socket
    import time

    client, server = pair()
    epoll = select.epoll()
    names = {client.fileno(): "client", server.fileno(): "server"}
    everything = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLPRI | select.EPOLLET
    epoll.register(client, everything)
    epoll.register(server, everything)
    report = [watch(epoll, names), watch(epoll, names)]
    client.send(b"x")
    time.sleep(SETTLE)
    report += [watch(epoll, names)]
    server.shutdown(socket.SHUT_RD)
    report += [watch(epoll, names)]
    client.shutdown(socket.SHUT_WR)
    time.sleep(SETTLE)
    report += [watch(epoll, names), watch(epoll, names)]
    server.close()
    time.sleep(SETTLE)
    return [*report, watch(epoll, names), attempt(client.recv, 1), watch(epoll, names)]


def connecting_is_reported_by_edge():
    import select
    import socket
    import time

    listener = socket.create_server(("127.0.0.1", 0))
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    report = []
    for target in (listener, closed):
        s = socket.socket()
        s.setblocking(False)
        epoll = select.epoll()
        epoll.register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
        names = {s.fileno(): "s"}
        report += [watch(epoll, names), watch(epoll, names), s.connect_ex(target.getsockname())]
        time.sleep(SETTLE)
        report += [watch(epoll, names), watch(epoll, names)]
        report += [s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), watch(epoll, names)]
        report += [s.connect_ex(target.getsockname())]
        time.sleep(SETTLE)
        report += [watch(epoll, names)]
    return report


def reset_is_reported_by_edge():
    import select
    import struct
    import time

    client, server = pair()
    epoll = select.epoll()
    names = {server.fileno(): "server"}
    epoll.register(server, select.EPOLLIN | select.EPOLLET)
    client.setsockopt(1, 13, struct.pack("ii", 1, 0))
    client.close()
    time.sleep(SETTLE)
    report = [watch(epoll, names), watch(epoll, names), attempt(server.recv, 1), watch(epoll, names)]
    return [*report, server.recv(1), attempt(server.send, b"x"), watch(epoll, names)]


def datagram_errors_are_reported_by_edge():
    import select
    import socket
    import time

    probe = socket.socket(type=socket.SOCK_DGRAM)
    probe.bind(("127.0.0.1", 0))
    s = socket.socket(type=socket.SOCK_DGRAM)
    s.connect(probe.getsockname())
    probe.close()
    epoll = select.epoll()
    names = {s.fileno(): "s"}
    epoll.register(s, select.EPOLLIN | select.EPOLLET)
    report = [watch(epoll, names), s.send(b"x")]
    time.sleep(SETTLE)
    report += [watch(epoll, names), watch(epoll, names), attempt(s.recv, 1), watch(epoll, names)]
    s.send(b"y")
    time.sleep(SETTLE)
    return [
        *report,
        attempt(s.send, b"z"),
        watch(epoll, names),
        s.shutdown(socket.SHUT_RD),
        watch(epoll, names),
    ]


def low_water_mark_holds_back_input():
    import select
    import time

    client, server = pair()
    server.setsockopt(1, 18, 10)
    epoll, poller = select.epoll(), select.poll()
    names = {server.fileno(): "server"}
    epoll.register(server, select.EPOLLIN | select.EPOLLET)
    poller.register(server, select.POLLIN)
    report = []
    for data in (b"12345", b"67890", b"1"):
        client.send(data)
        time.sleep(SETTLE)
        report += [watch(epoll, names), [events for _, events in poller.poll(0)]]
    return report


def empty_waits_take_their_time():
    import select
    import time

    epoll, poller = select.epoll(), select.poll()
    report = []
    for wait in (lambda: epoll.poll(0.05), lambda: poller.poll(50), lambda: select.select([], [], [], 0.05)):
        start = time.monotonic()
        result = wait()
        report += [result, 0.045 < time.monotonic() - start < 1]
    return report


SCENARIOS = [
    level_triggered_reports_as_long_as_it_is_so,
    edge_triggered_input_reports_every_arrival,
    edge_triggered_output_of_a_datagram_socket,
    edge_triggered_output_after_a_full_buffer_drained,
    level_triggered_output_of_a_full_buffer,
    one_shot_reports_once_until_it_is_armed_again,
    modify_rearms_an_edge,
    control_errors,
    epolls_nested,
    epolls_nested_too_deep,
    several_ready_take_turns,
    duplicate_keeps_the_entry_alive,
    exclusive_flags,
    exclusive_waiters_are_woken_one_at_a_time,
    state_changes_wake_edges,
    connecting_is_reported_by_edge,
    reset_is_reported_by_edge,
    datagram_errors_are_reported_by_edge,
    low_water_mark_holds_back_input,
    empty_waits_take_their_time,
]
