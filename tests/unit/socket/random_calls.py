"""Random system calls on a few sockets, from a seed: a program that two kernels must agree on, call by call.

Reported are results, and after each call the poll mask of every socket. Port numbers are chance: they are
reported by the order in which they were first seen. `SETTLE` lets segments in flight arrive.
"""

SETTLE = 0.003
ASKED = 0x20C7
"""Every event that poll(2) knows."""
OPTIONS = [(1, 2), (1, 9), (1, 15), (6, 1), (6, 3), (0, 1), (0, 2), (1, 25)]


class Player:
    """Four to eight non-blocking sockets, and what was done with them."""

    def __init__(self, seed):
        import random
        import socket

        self.rng = random.Random(seed)
        self.socket = socket
        self.socks = [self.fresh() for _ in range(4)]
        self.ports = []
        self.numbers = {}

    def attempt(self, call, *args):
        try:
            return call(*args)
        except OSError as error:
            return type(error).__name__, error.errno

    def fresh(self):
        kind = self.rng.choice([self.socket.SOCK_STREAM] * 3 + [self.socket.SOCK_DGRAM])
        made = self.socket.socket(type=kind)
        made.setblocking(False)
        return made

    def known(self, name):
        if "." not in name[0]:
            return name  # an error
        return name[0], self.numbers.setdefault(name[1], len(self.numbers)) if name[1] else 0

    def target(self, hosts=("127.0.0.1",)):
        return self.rng.choice(hosts), self.rng.choice(self.ports)

    # ---- the calls

    def bind(self, sock):
        address = self.rng.choice(["127.0.0.1", "", "127.0.0.2"]), self.rng.choice([0, 0, *self.ports])
        return self.attempt(sock.bind, address)

    def listen(self, sock):
        return self.attempt(sock.listen, self.rng.choice([0, 1, 5]))

    def connect(self, sock):
        return self.attempt(sock.connect, self.target()) if self.ports else None

    def accept(self, sock):
        made = self.attempt(sock.accept)
        if not isinstance(made[0], self.socket.socket):
            return made
        made[0].setblocking(False)
        if len(self.socks) < 8:
            self.socks.append(made[0])
        else:
            self.socks[self.rng.randrange(8)] = made[0]
        return "accepted"

    def send(self, sock):
        flags = self.rng.choice([0, 0, self.socket.MSG_MORE, self.socket.MSG_NOSIGNAL])
        return self.attempt(sock.send, bytes(self.rng.choice([0, 1, 100, 5000])), flags)

    def sendto(self, sock):
        return (
            self.attempt(sock.sendto, bytes(self.rng.choice([0, 7])), self.target()) if self.ports else None
        )

    def recv(self, sock):
        flags = self.rng.choice([0, 0, 0, self.socket.MSG_PEEK, self.socket.MSG_PEEK | self.socket.MSG_TRUNC])
        got = self.attempt(sock.recv, self.rng.choice([0, 1, 50, 100_000]), flags)
        return len(got) if isinstance(got, bytes) else got

    def shutdown(self, sock):
        return self.attempt(sock.shutdown, self.rng.randrange(3))

    def close(self, sock):
        sock.close()
        self.socks[self.socks.index(sock)] = self.fresh()

    def names(self, sock):
        return self.known(self.attempt(sock.getsockname)), self.known(self.attempt(sock.getpeername))

    def option(self, sock):
        level, name = self.rng.choice(OPTIONS)
        value = self.rng.choice([0, 1, 5, 300])
        return self.attempt(sock.setsockopt, level, name, value), self.attempt(sock.getsockopt, level, name)

    def error(self, sock):
        return self.attempt(sock.getsockopt, 1, self.rng.choice([4, 30, 3]))

    def linger(self, sock):
        return self.attempt(sock.setsockopt, 1, 13, b"\1\0\0\0\0\0\0\0")

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
        call = self.rng.choice(CALLS)
        result = getattr(self, call)(sock)
        time.sleep(SETTLE)
        bound = ("", 0) if sock.fileno() < 0 else self.attempt(sock.getsockname)
        if "." in bound[0] and bound[1] and bound[1] not in self.ports:
            self.ports.append(bound[1])
        return call, at, result, [self.mask(other) for other in self.socks]

    def finish(self):
        for sock in self.socks:
            sock.close()


CALLS = ["bind", "listen", "shutdown", "close", "names", "option", "error", "linger", "sendto"]
CALLS += ["connect", "accept", "send"] * 2 + ["recv"] * 3


def play(seed, calls):
    """What `calls` random calls did."""
    player = Player(seed)
    report = [player.step() for _ in range(calls)]
    player.finish()
    return report
