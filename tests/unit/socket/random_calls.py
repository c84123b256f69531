"""Random system calls on a few sockets, from a seed: a program that two kernels must agree on, call by call.

Reported are results, and after each call the poll mask of every socket. Port numbers and names are chance:
they are reported by the order in which they were first seen. `SETTLE` lets segments in flight arrive.
"""

SETTLE = 0.003
ASKED = 0x20C7
"""Every event that poll(2) knows."""
ANYWHERE = [(1, 2), (1, 9), (1, 10), (1, 15), (1, 18), (0, 1), (0, 2), (0, 11), (1, 60)]
STREAM = [(6, 1), (6, 3), (6, 9), (6, 25), (6, 30), (6, 36)]
UNIX = [(1, 2), (1, 10), (1, 16), (1, 18), (1, 42)]
"""Options: (level, name)."""

CALLS = "bind listen connect connect accept accept send send sendmsg recv recv recv shutdown close names"
CALLS += " option error linger ioctl dup"
EPOLL = " add add modify remove poll poll poll"
KINDS = {
    "streams": (["tcp"], CALLS),
    "datagrams": (["udp"], CALLS.replace("listen", "").replace("accept", "")),
    "unix": (["stream", "datagram", "packet"], CALLS + " pair pair bind"),
    "polled": (["tcp", "tcp", "udp", "stream"], CALLS + EPOLL),
}
"""Which sockets there are, and what is done with them."""


class Player:
    """Four to eight non-blocking sockets, two epolls, and what was done with them."""

    def __init__(self, seed, kind):
        import random
        import select
        import socket

        self.rng = random.Random(f"{kind}/{seed}")
        self.socket = socket
        self.kinds, calls = KINDS[kind]
        self.calls = calls.split()
        self.names_seen = {}
        self.addresses = []
        self.entries = {}
        self.socks = [self.fresh() for _ in range(4)]
        self.epolls = [select.epoll() for _ in range(2)]

    def attempt(self, call, *args):
        try:
            return call(*args)
        except OSError as error:
            return type(error).__name__, error.errno

    def fresh(self):
        kind, lib = self.rng.choice(self.kinds), self.socket
        unix = {"stream": lib.SOCK_STREAM, "datagram": lib.SOCK_DGRAM, "packet": lib.SOCK_SEQPACKET}
        if kind in unix:
            made = lib.socket(lib.AF_UNIX, unix[kind])
        else:
            made = lib.socket(type=lib.SOCK_STREAM if kind == "tcp" else lib.SOCK_DGRAM)
        made.setblocking(False)
        return made

    def keep(self, made):
        if len(self.socks) < 8:
            self.socks.append(made)
            return
        at = self.rng.randrange(8)
        self.socks[at].close()
        self.socks[at] = made

    def is_unix(self, sock):
        return sock.family == self.socket.AF_UNIX

    def known(self, name):
        if isinstance(name, bytes) or not name:
            return self.names_seen.setdefault(name, len(self.names_seen)) if name else name
        if name[0] and "." not in name[0]:
            return name  # an error
        return name[0], self.names_seen.setdefault(name[1], len(self.names_seen)) if name[1] else 0

    def target(self, sock):
        found = [a for a in self.addresses if isinstance(a, bytes) is self.is_unix(sock)]
        if not found:
            return None
        address = self.rng.choice(found)
        return address if self.is_unix(sock) else (self.rng.choice(["127.0.0.1", "127.0.0.2", ""]), address)

    # ---- the calls

    def bind(self, sock):
        if self.is_unix(sock):
            return self.attempt(sock.bind, b"")
        ports = [port for port in self.addresses if isinstance(port, int)]
        address = self.rng.choice(["127.0.0.1", "", "127.0.0.2"]), self.rng.choice([0, 0, *ports])
        return self.known(address), self.attempt(sock.bind, address)

    def listen(self, sock):
        return self.attempt(sock.listen, self.rng.choice([0, 1, 5, -1]))

    def connect(self, sock):
        target = self.target(sock)
        return self.known(target), self.attempt(sock.connect, target) if target else None

    def accept(self, sock):
        made = self.attempt(sock.accept)
        if not isinstance(made[0], self.socket.socket):
            return made
        made[0].setblocking(False)
        self.keep(made[0])
        return "accepted", self.known(made[1])

    def dup(self, sock):
        self.keep(sock.dup())

    def pair(self, sock):
        for made in self.socket.socketpair(self.socket.AF_UNIX, sock.type):
            made.setblocking(False)
            self.keep(made)

    def send(self, sock):
        lib = self.socket
        flags = self.rng.choice([0, 0, 0, lib.MSG_MORE, lib.MSG_OOB, lib.MSG_EOR, lib.MSG_NOSIGNAL])
        if flags == lib.MSG_MORE and sock.type == lib.SOCK_STREAM:
            flags = 0  # it holds back for so long that a busy machine has it over too early
        return int(flags), self.attempt(sock.send, bytes(self.rng.choice([0, 1, 100, 1000, 7680])), flags)

    def sendmsg(self, sock):
        target = self.rng.choice([None, self.target(sock)])
        parts = [bytes(self.rng.choice([0, 1, 7])) for _ in range(self.rng.randrange(4))]
        flags = self.rng.choice([0, 0, self.socket.MSG_OOB, self.socket.MSG_EOR])
        sent = self.attempt(sock.sendmsg, parts, [], flags, *([target] if target else []))
        return int(flags), self.known(target), sent

    def recv(self, sock):
        lib = self.socket
        peek, oob, trunc = lib.MSG_PEEK, lib.MSG_OOB, lib.MSG_TRUNC
        flags = self.rng.choice(
            [0, 0, 0, peek, peek | trunc, oob, lib.MSG_WAITALL, oob | peek, lib.MSG_ERRQUEUE, trunc]
        )
        got = self.attempt(sock.recvmsg, self.rng.choice([0, 1, 50, 100_000]), 500, flags)
        if isinstance(got[0], str):
            return int(flags), got
        control = [(level, kind, len(value)) for level, kind, value in got[1]]
        return int(flags), len(got[0]), control, int(got[2]), self.known(got[3])

    def shutdown(self, sock):
        return self.attempt(sock.shutdown, self.rng.randrange(3))

    def close(self, sock):
        sock.close()
        self.socks[self.socks.index(sock)] = self.fresh()

    def names(self, sock):
        return self.known(self.attempt(sock.getsockname)), self.known(self.attempt(sock.getpeername))

    def option(self, sock):
        stream = sock.type == self.socket.SOCK_STREAM
        level, name = self.rng.choice(UNIX if self.is_unix(sock) else ANYWHERE + STREAM * stream)
        value = self.rng.choice([-1, 0, 3] if name == 42 else [0, 1, 1, 5, 300])
        done = self.attempt(sock.setsockopt, level, name, value)
        return level, name, value, done, self.attempt(sock.getsockopt, level, name)

    def error(self, sock):
        return self.attempt(sock.getsockopt, 1, self.rng.choice([4, 30, 3, 38, 39]))

    def linger(self, sock):
        import struct

        value = struct.pack("ii", self.rng.randrange(2), self.rng.choice([0, 5, -1]))
        return self.attempt(sock.setsockopt, 1, 13, value)

    def ioctl(self, sock):
        import fcntl

        return self.attempt(fcntl.ioctl, sock, self.rng.choice([0x541B, 0x8905]), b"abcd")

    # ---- epoll

    def flags(self):
        import select

        events = self.rng.choice([1, 4, 5, 0x2005, 0x2007])
        return events | self.rng.choice([0, select.EPOLLET]) | self.rng.choice([0, select.EPOLLONESHOT])

    def add(self, sock):
        epoll = self.rng.choice(self.epolls)
        result = self.attempt(epoll.register, sock, self.flags())
        if result is None:
            self.entries[epoll.fileno(), sock.fileno()] = len(self.entries)
        return result

    def modify(self, sock):
        return self.attempt(self.rng.choice(self.epolls).modify, sock, self.flags())

    def remove(self, sock):
        return self.attempt(self.rng.choice(self.epolls).unregister, sock)

    def poll(self, sock):
        epoll = self.rng.choice(self.epolls)
        return sorted((self.entries.get((epoll.fileno(), fd), -1), found) for fd, found in epoll.poll(0))

    # ---- the game

    def mask(self, sock):
        import select

        poller = select.poll()
        poller.register(sock, ASKED)
        found = poller.poll(0)
        return found[0][1] if found else 0

    def step(self):
        import time

        at = self.rng.randrange(len(self.socks))
        sock = self.socks[at]
        call = self.rng.choice(self.calls)
        result = getattr(self, call)(sock)
        time.sleep(SETTLE)
        self.learn(sock)
        return call, at, result, [self.mask(other) for other in self.socks]

    def learn(self, sock):
        if sock.fileno() < 0:
            return
        name = sock.getsockname()
        address = name if self.is_unix(sock) else name[1]
        if address and address not in self.addresses:
            self.addresses.append(address)

    def finish(self):
        for file in (*self.epolls, *self.socks):
            file.close()


def play(kind, seed, calls):
    """What `calls` random calls on sockets of `kind` did."""
    player = Player(seed, kind)
    report = [player.step() for _ in range(calls)]
    player.finish()
    return report
