"""Pipes, splice, sendfile and descriptors by number, through `os` and `fcntl`; run on Linux and simulated."""

from scenario import SETTLE, attempt, pair


def mask(fd):
    import select

    poller = select.poll()
    poller.register(fd, 0x20C7)
    ready = poller.poll(0)
    return ready[0][1] if ready else 0


def drained(fd):
    import os

    os.set_blocking(fd, False)
    data = b""
    while True:
        try:
            part = os.read(fd, 1 << 20)
        except BlockingIOError:
            return data
        if not part:
            return data
        data += part


def pipe_filled_and_drained():
    import fcntl
    import os
    import struct

    r, w = os.pipe2(os.O_NONBLOCK)
    report = [mask(r), mask(w), attempt(os.read, r, 1), attempt(os.write, r, b"x"), attempt(os.read, w, 1)]
    report += [os.write(w, b"abc"), mask(r), os.read(r, 2), os.read(r, 9), mask(r)]
    for size in (4096, 1, 4095, 100_000, 1, 4097):
        report += [attempt(os.write, w, bytes(size)), mask(w)]
    report += [struct.unpack("i", fcntl.ioctl(r, 0x541B, bytes(4)))[0]]
    report += [len(os.read(r, 1)), mask(w), len(os.read(r, 4095)), mask(w), attempt(os.write, w, bytes(9000))]
    report += [len(drained(r)), mask(w), mask(r)]
    for size in (1, 1, 4090, 6, 4, 1):
        report += [os.write(w, bytes(size))]
    return [*report, len(drained(r))]


def small_writes_take_slots():
    import os

    r, w = os.pipe2(os.O_NONBLOCK)
    report = []
    for size in (3000, 3000, 2000, 4095, 2, 5000, 3000):
        count = 0
        while isinstance(attempt(os.write, w, bytes(size)), int):
            count += 1
        report += [count, len(drained(r))]
    return report


def pipe_ends_closed():
    import os

    r, w = os.pipe()
    os.write(w, b"rest")
    os.close(w)
    report = [mask(r), os.read(r, 2), mask(r), os.read(r, 9), os.read(r, 9), mask(r)]
    os.close(r)
    r, w = os.pipe()
    os.close(r)
    report += [mask(w), attempt(os.write, w, b"x"), attempt(os.write, w, b""), attempt(os.close, r)]
    copy = os.dup(w)
    os.close(w)
    return [*report, mask(copy), attempt(os.write, copy, b"x"), attempt(os.write, w, b"x")]


def pipe_sizes():
    import fcntl
    import os

    r, w = os.pipe2(os.O_NONBLOCK)
    report = [fcntl.fcntl(r, 1032), fcntl.fcntl(w, 1031, 5000), fcntl.fcntl(r, 1032)]
    os.write(w, bytes(8192))
    report += [mask(w), attempt(fcntl.fcntl, w, 1031, 100), fcntl.fcntl(w, 1031, 70_000), mask(w)]
    report += [attempt(fcntl.fcntl, w, 1031, 0), attempt(fcntl.fcntl, w, 1031, -1), len(drained(r))]
    return [*report, attempt(fcntl.fcntl, w, 1031, 0), fcntl.fcntl(r, 1031, 1 << 20)]


def blocked_reader_and_writer():
    import os
    import threading
    import time

    r, w = os.pipe()
    report = []

    def read():
        report.append(os.read(r, 3))

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(SETTLE)
    report.append("writing")
    os.write(w, b"abcdef")
    thread.join()
    report.append(os.read(r, 9))

    def write():
        report.append(os.write(w, bytes(200_000)))

    thread = threading.Thread(target=write)
    thread.start()
    total = 0
    while total < 200_000:
        total += len(os.read(r, 70_000))
    thread.join()
    return report


def pipe_edges():
    import os
    import select

    r, w = os.pipe2(os.O_NONBLOCK)
    epoll = select.epoll()
    epoll.register(r, select.EPOLLIN | select.EPOLLET)
    names = {r: "r", w: "w"}

    def watch():
        return sorted((names[fd], events) for fd, events in epoll.poll(0))

    report = [watch()]
    for _ in range(2):
        os.write(w, b"xy")
        report += [watch(), watch()]
    os.read(r, 1)
    report += [watch()]
    epoll.register(w, select.EPOLLOUT | select.EPOLLET)
    report += [watch(), watch()]
    os.write(w, b"x")
    report += [watch()]
    while isinstance(attempt(os.write, w, bytes(4096)), int):
        pass
    report += [
        watch(),
        len(os.read(r, 2)),
        watch(),
        len(os.read(r, 3000)),
        watch(),
        len(os.read(r, 4096)),
        watch(),
    ]
    report += [len(os.read(r, 4096)), watch()]
    os.close(w)
    report += [watch(), watch()]
    return report


def descriptors_by_number():
    import fcntl
    import os
    import socket
    import stat

    s = socket.socket()
    fd = s.fileno()
    report = [stat.S_ISSOCK(os.fstat(fd).st_mode), os.get_blocking(fd), os.isatty(fd), os.get_inheritable(fd)]
    os.set_blocking(fd, False)
    report += [os.get_blocking(fd), fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK != 0]
    os.set_inheritable(fd, True)
    report += [fcntl.fcntl(fd, fcntl.F_GETFD), attempt(os.lseek, fd, 0, 0), attempt(os.pread, fd, 1, 0)]
    report += [
        attempt(os.read, fd, 1),
        attempt(os.read, fd, 0),
        attempt(os.fsync, fd),
        attempt(os.ftruncate, fd, 0),
    ]
    copy = os.dup(fd)
    report += [copy - fd, os.get_inheritable(copy), os.get_blocking(copy)]
    other = os.dup2(fd, copy + 3)
    report += [other - copy, attempt(os.dup2, fd, fd) - fd, os.get_inheritable(other)]
    report += [os.dup2(fd, other, False) - other, os.get_inheritable(other), attempt(os.dup2, 900, other)]
    os.set_blocking(other, True)
    report += [os.get_blocking(fd), fcntl.fcntl(copy, fcntl.F_DUPFD, copy) - copy]
    report += [attempt(fcntl.fcntl, 900, fcntl.F_GETFD), attempt(os.close, 900), attempt(os.fstat, 900)]
    s.close()
    report += [attempt(os.fstat, fd), stat.S_ISSOCK(os.fstat(copy).st_mode)]
    os.close(copy)
    r, w = os.pipe()
    report += [stat.S_ISFIFO(os.fstat(r).st_mode), os.get_inheritable(r), fcntl.fcntl(r, fcntl.F_GETFL) & 3]
    report += [fcntl.fcntl(w, fcntl.F_GETFL) & 3, attempt(os.lseek, r, 0, 0), attempt(os.pwrite, w, b"x", 0)]
    return [*report, attempt(fcntl.ioctl, r, 0x5411, bytes(4)), attempt(fcntl.ioctl, fd, 0x541B, bytes(4))]


def sockets_read_and_written_by_number():
    import os
    import time

    client, server = pair()
    a, b = client.fileno(), server.fileno()
    report = [os.write(a, b"hello"), os.writev(a, [b" ", b"world"])]
    time.sleep(SETTLE)
    buffers = [bytearray(4), bytearray(100)]
    report += [os.read(b, 0), os.read(b, 3), os.readv(b, buffers), bytes(buffers[0]), bytes(buffers[1][:4])]
    with os.fdopen(os.dup(a), "wb") as file:
        file.write(b"line 1\nline 2\n")
    time.sleep(SETTLE)
    with os.fdopen(os.dup(b), "r") as text:
        report += [text.readline()]
    with open(os.dup(b), "rb", buffering=0) as raw:
        os.write(a, b"again")
        time.sleep(SETTLE)
        report += [raw.read(99), raw.seekable(), raw.fileno() > b]
    os.close(a)
    time.sleep(SETTLE)
    report += [os.read(b, 1), attempt(client.send, b"x")]
    client.detach()
    return report


def spliced_between_pipes_and_sockets():
    import os
    import time

    client, server = pair()
    r, w = os.pipe()
    report = [attempt(os.splice, client.fileno(), server.fileno(), 10), attempt(os.splice, r, w, 10)]
    os.write(w, b"through the pipe")
    report += [os.splice(r, client.fileno(), 7), os.splice(r, client.fileno(), 100)]
    time.sleep(SETTLE)
    report += [server.recv(100), os.splice(r, client.fileno(), 0)]
    server.send(b"0123456789")
    time.sleep(SETTLE)
    report += [os.splice(client.fileno(), w, 4), os.splice(client.fileno(), w, 100), os.read(r, 100)]
    client.setblocking(False)
    report += [attempt(os.splice, client.fileno(), w, 100), attempt(os.splice, r, w, 1, 0)]
    r2, w2 = os.pipe()
    os.write(w, b"abcdef")
    report += [os.splice(r, w2, 4), os.read(r2, 9), os.read(r, 9)]
    report += [attempt(os.splice, r, w2, 4, None, None, 2), attempt(os.splice, r, w2, 4, 0)]
    report += [attempt(os.splice, w, r, 4), attempt(os.splice, 900, w, 4)]
    server.close()
    time.sleep(SETTLE)
    report += [os.splice(client.fileno(), w, 100)]
    os.close(w)
    report += [os.splice(r, client.fileno(), 100)]
    os.close(r2)
    return [*report, attempt(os.splice, client.fileno(), w2, 10)]


def file_sent_to_a_socket():
    import os
    import tempfile
    import time

    client, server = pair()
    with tempfile.TemporaryFile() as file:
        file.write(bytes(range(256)) * 100)
        file.flush()
        file.seek(0)
        fd = file.fileno()
        report = [os.sendfile(client.fileno(), fd, 100, 50), os.lseek(fd, 0, 1)]
        report += [os.sendfile(client.fileno(), fd, None, 300), os.lseek(fd, 0, 1)]
        report += [os.sendfile(client.fileno(), fd, 25_590, 300), os.sendfile(client.fileno(), fd, 30_000, 1)]
        time.sleep(SETTLE)
        report += [server.recv(50), server.recv(300), server.recv(300)]
        file.seek(0)
        report += [client.sendfile(file, 20_000), os.lseek(fd, 0, 1)]
    client.close()
    data = b""
    while part := server.recv(9999):
        data += part
    r, _w = os.pipe()
    return [*report, len(data), sum(data), attempt(os.sendfile, server.fileno(), r, None, 1)]


def queue_lengths():
    import fcntl
    import struct
    import termios
    import time

    def length(sock, request):
        return attempt(lambda: struct.unpack("i", fcntl.ioctl(sock, request, bytes(4)))[0])

    inq, outq, unsent = termios.FIONREAD, termios.TIOCOUTQ, 0x894B
    import socket

    report = []
    listener = socket.create_server(("127.0.0.1", 0))
    fresh = socket.socket()
    for sock in (listener, fresh):
        report += [length(sock, request) for request in (inq, outq, unsent, 0x8905)]
    client, server = pair(lambda s: s.setsockopt(1, 8, 5000))
    client.setblocking(False)
    client.send(b"123")
    time.sleep(SETTLE)
    report += [length(server, inq), length(client, outq), length(client, unsent), length(client, inq)]
    server.recv(2)
    report += [length(server, inq), attempt(fcntl.ioctl, client, 0x1234, bytes(4))]
    client.send(bytes(100_000))
    time.sleep(SETTLE)
    report += [length(client, outq) >= length(client, unsent) > 10_000, length(server, inq) > 1000]
    udp = socket.socket(type=socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    for size in (10, 0, 30):
        udp.sendto(bytes(size), udp.getsockname())
    time.sleep(SETTLE)
    for _ in range(3):
        report += [length(udp, inq), length(udp, outq), len(udp.recv(99))]
    return report


def broken_pipe_signals():
    import os
    import signal
    import socket
    import time

    client, server = pair()
    server.close()
    time.sleep(SETTLE)
    client.send(b"x")
    time.sleep(SETTLE)
    report = [attempt(client.recv, 1), attempt(client.send, b"x"), attempt(os.write, client.fileno(), b"x")]
    report += [attempt(client.send, b"x", socket.MSG_NOSIGNAL)]
    return [*report, signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN]


SCENARIOS = [
    pipe_filled_and_drained,
    small_writes_take_slots,
    pipe_ends_closed,
    pipe_sizes,
    blocked_reader_and_writer,
    pipe_edges,
    descriptors_by_number,
    sockets_read_and_written_by_number,
    spliced_between_pipes_and_sockets,
    file_sent_to_a_socket,
    queue_lengths,
    broken_pipe_signals,
]
