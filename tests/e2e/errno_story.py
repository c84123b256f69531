"""What every call says, told by an ordinary program: on this machine's kernel, and on a simulated host.

Everything is on 127.0.0.1, and nothing that may differ by chance is printed. For `test_run_programs.py`.
"""

import contextlib
import errno
import os
import select
import signal
import socket
import struct
import sys
import time

SETTLE = float(sys.argv[1]) if len(sys.argv) > 1 else 0.3
"""Seconds in which what was sent has arrived."""


def tell(what, call, *args):
    try:
        result = call(*args)
    except OSError as error:
        result = errno.errorcode.get(error.errno, str(error))
    print(f"{what}: {result}", flush=True)


def mask(sock, events=0x2007):
    poller = select.poll()
    poller.register(sock, events)
    return [hex(found) for _, found in poller.poll(0)]


def pair():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        return client, listener.accept()[0]


def free():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()


def naming():
    s = socket.socket()
    tell("getpeername unconnected", s.getpeername)
    tell("shutdown unconnected", s.shutdown, socket.SHUT_WR)
    tell("accept unconnected", s.accept)
    tell("foreign address", s.bind, ("192.0.2.1", 0))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tell("in use", s.bind, listener.getsockname())
    tell("bound", lambda: s.bind(("127.0.0.1", 0)) or s.getsockname()[0])
    tell("twice", s.bind, ("127.0.0.1", 0))
    tell("family of six", socket.getaddrinfo, "127.0.0.1", 80, socket.AF_INET, socket.SOCK_STREAM)
    tell("kinds", lambda: [s.getsockopt(1, name) for name in (socket.SO_TYPE, socket.SO_ACCEPTCONN)])
    tell("no such option", s.getsockopt, socket.IPPROTO_TCP, 250)
    tell(
        "send buffer doubled",
        lambda: s.setsockopt(1, socket.SO_SNDBUF, 9000) or s.getsockopt(1, socket.SO_SNDBUF),
    )
    s.close()


def connecting():
    nobody = free()
    tell("refused", socket.create_connection, nobody)
    s = socket.socket()
    s.setblocking(False)
    with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
        s.connect(nobody)
    select.select([], [s], [], 5)
    time.sleep(SETTLE)
    tell("SO_ERROR of a refused one", s.getsockopt, 1, socket.SO_ERROR)
    tell("SO_ERROR once more", s.getsockopt, 1, socket.SO_ERROR)
    s.close()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        tell("nobody to accept", listener.accept)
        tell("poll of a listener", mask, listener)
        s = socket.socket()
        s.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            s.connect(listener.getsockname())
        tell("writable", lambda: select.select([], [s], [], 5)[1] == [s])
        tell("SO_ERROR of a connected one", s.getsockopt, 1, socket.SO_ERROR)
        time.sleep(SETTLE)
        tell("poll of a listener with one", mask, listener)
        made, peer = listener.accept()
        tell("the names agree", lambda: (peer == s.getsockname(), made.getsockname() == s.getpeername()))
        tell("connected twice", s.connect, listener.getsockname())
        tell("inherited by accept", made.getblocking)
        s.sendall(b"no filler before it")
        tell("first bytes", made.recv, 100)


def ending():
    a, b = pair()
    a.sendall(b"last words")
    a.shutdown(socket.SHUT_WR)
    tell("read", b.recv, 100)
    tell("end", b.recv, 100)
    tell("the other way goes on", lambda: (b.send(b"still here"), a.recv(100)))
    tell("after SHUT_WR", a.send, b"x", socket.MSG_NOSIGNAL)
    b.close()
    tell("end of both", a.recv, 1)
    a.close()

    a, b = pair()
    a.sendall(b"never read")
    time.sleep(SETTLE)
    b.close()
    time.sleep(SETTLE)
    tell("reset", a.recv, 1)
    tell("once", a.recv, 1)
    tell("then broken", a.send, b"x")

    a, b = pair()
    a.setsockopt(1, socket.SO_LINGER, struct.pack("ii", 1, 0))
    a.close()
    time.sleep(SETTLE)
    tell("reset by linger", os.read, b.fileno(), 1)

    a, b = pair()
    b.close()
    time.sleep(SETTLE)
    tell("first send to a closed one", a.send, b"x")
    time.sleep(SETTLE)
    caught = []
    signal.signal(signal.SIGPIPE, lambda *_: caught.append(1))
    tell("next send", a.send, b"x")
    tell("SIGPIPE", lambda: len(caught))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


def waiting():
    a, b = pair()
    b.setsockopt(1, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50_000))
    tell("SO_RCVTIMEO", b.recv, 1)
    b.setblocking(False)
    tell("nothing yet", b.recv, 1)
    tell("poll of a quiet one", mask, b)
    a.sendall(b"abc")
    time.sleep(SETTLE)
    tell("poll with data", mask, b)
    tell("peek, then the rest", lambda: (b.recv(2, socket.MSG_PEEK), b.recv(9)))
    with select.epoll() as epoll:
        epoll.register(b, select.EPOLLIN | select.EPOLLET)
        copy = b.dup()
        b.close()
        a.sendall(b"to the copy")
        tell("epoll of what dup left", lambda: [found for _, found in epoll.poll(5)])
        tell("the copy reads", copy.recv, 100)


def children():
    a, b = pair()
    if not (pid := os.fork()):
        a.close()
        os.write(b.fileno(), b"from the child")
        os.kill(os.getpid(), signal.SIGKILL)
    b.close()
    os.waitpid(pid, 0)
    tell("written by a child", a.recv, 100)
    tell("end when it was killed", a.recv, 100)
    listener = socket.create_server(("127.0.0.1", 0))
    if not (pid := os.fork()):
        connection, _ = listener.accept()
        connection.sendall(connection.recv(100).upper())
        os._exit(0)
    with socket.create_connection(listener.getsockname()) as client:
        client.sendall(b"accepted by a child")
        tell("answer", client.recv, 100)
        os.waitpid(pid, 0)


def datagrams():
    a, b = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
    b.bind(("127.0.0.1", 0))
    tell("no destination", a.send, b"x")
    tell("too long", a.sendto, bytes(70_000), b.getsockname())
    tell("sent", a.sendto, b"first", b.getsockname())
    data, sender = b.recvfrom(100)
    tell("came", lambda: (data, sender[0], sender[1] == a.getsockname()[1]))
    tell("back", b.sendto, b"reply", sender)
    tell("read(2)", os.read, a.fileno(), 100)
    a.connect(b.getsockname())
    tell("write(2)", os.write, a.fileno(), b"written")
    tell("cut", b.recv, 3)
    tell("empty", lambda: (a.send(b""), b.recvfrom(9)[0]))
    tell("recvmsg", lambda: (a.sendmsg([b"in ", b"parts"]), b.recvmsg(4)[0::2]))
    b.setblocking(False)
    tell("nothing more", b.recv, 1)
    tell("connections", b.listen)
    tell("accept", b.accept)
    b.close()
    tell("to nobody", a.send, b"x")
    time.sleep(SETTLE)
    tell("nobody was there", a.recv, 1)


if __name__ == "__main__":
    for part in (naming, connecting, ending, waiting, children, datagrams):
        part()
