"""Stream sockets: shut down, closed, reset, and what the other end is told; rules as in `scenario`."""

from scenario import SETTLE, attempt, mask, pair


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


def duplicate_shares_the_description():
    client, server = pair()
    copy = server.dup()
    server.setblocking(False)
    report = [attempt(copy.recv, 1)]
    server.close()
    report += [copy.send(b"still here"), client.recv(99)]
    copy.close()
    return [*report, client.recv(1)]


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


SCENARIOS = [
    orderly_end_both_ways,
    reading_side_shut,
    both_sides_shut_and_the_peer_sends,
    peer_closes_with_unread_data,
    peer_is_gone_and_we_go_on_sending,
    linger_zero_resets,
    listener_closed_with_a_connection_pending,
    local_port_in_time_wait,
    duplicate_shares_the_description,
    descriptor_closed_while_a_thread_waits_for_it,
]
