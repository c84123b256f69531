"""Stream sockets: sending, receiving, waiting for either; rules as in `scenario`."""

from scenario import SETTLE, attempt, mask, pair


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
    receive_flags,
    waiting_with_time_limits,
    send_buffer_filled,
    sendall_with_a_time_limit,
    arguments_refused_before_anything_is_done,
    select_arguments,
    file_interface,
]
