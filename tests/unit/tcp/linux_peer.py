"""Our TCP against the kernel of the machine it runs on, through a TUN device, in real time.

A program of its own (`test_tcp_linux.py` starts it in a network namespace, ``unshare -rn``): the kernel
is 10.0.0.2, our stack 10.0.0.1. Arguments: bytes each way, loss probability, seed. Prints JSON.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import select
import socket
import struct
import sys
import threading
import time

from below_tcp import BelowTcp

from pymodel.hostmem import HostMemory
from pymodel.scheduler import Scheduler
from pymodel.simtime import NS, SEC
from pymodel.tcp import State, TcpConnection, TcpLayer
from pymodel.wire.checksum import checksum

OURS, KERNEL = "10.0.0.1", "10.0.0.2"
DEADLINE = 60.0
TUNSETIFF, SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK = 0x400454CA, 0x8914, 0x8916, 0x891C
IFF_TUN_NO_PI, IFF_UP_RUNNING = 0x1001, 0x41


def open_tun() -> int:
    """A TUN device with the kernel's address, up."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", b"fdw0", IFF_TUN_NO_PI))

    def request(address: str) -> bytes:
        return struct.pack("16sHH4s8x", b"fdw0", socket.AF_INET, 0, socket.inet_aton(address))

    with socket.socket() as control:
        fcntl.ioctl(control, SIOCSIFADDR, request(KERNEL))
        fcntl.ioctl(control, SIOCSIFNETMASK, request("255.255.255.0"))
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH", b"fdw0", IFF_UP_RUNNING))
    return fd


class World(BelowTcp):
    """Our layer, with the TUN device as its network and the real clock as its time."""

    def __init__(self, loss: float, seed: int) -> None:
        super().__init__(socket.inet_aton(OURS), HostMemory(8 << 20))
        self.scheduler = Scheduler()
        self.fd = open_tun()
        self.loss, self.rng = loss, random.Random(seed)
        self.tcp = TcpLayer(self.scheduler, self, secret=b"linux")
        self.start = time.monotonic()

    def leave(self, data: bytes, src: bytes, dst: bytes, tos: int) -> int:
        if self.rng.random() >= self.loss:
            header = bytearray(
                struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 0, 0x4000, 64, 6, 0, src, dst)
            )
            header[10:12] = checksum(header).to_bytes(2, "big")
            os.write(self.fd, bytes(header) + data)
        return 0

    def turn(self) -> None:
        """Let time pass until a packet, a timer, or 20 ms."""
        deadline = self.scheduler.next_deadline()
        now = int((time.monotonic() - self.start) * 1e9) * NS
        pause = 0.02 if deadline is None else max(0.0, min(0.02, (deadline - now) / SEC))
        ready = select.select([self.fd], [], [], pause)[0]
        self.scheduler.run_until(int((time.monotonic() - self.start) * 1e9) * NS)
        for _ in range(64 if ready else 0):
            try:
                packet = os.read(self.fd, 2000)
            except BlockingIOError:
                break
            if packet[0] == 0x45 and packet[9] == 6 and self.rng.random() >= self.loss:
                data = packet[20 : int.from_bytes(packet[2:4], "big")]
                self.arrive(data, packet[12:16], packet[16:20])
        if time.monotonic() - self.start > DEADLINE:
            raise TimeoutError([conn.info() for conn in self.tcp.connections.values()])

    def exchange(self, conn: TcpConnection, data: bytes) -> bytes:
        """Send `data` and FIN, read to EOF, until the connection is over on our side."""
        sent, got = 0, bytearray()
        while conn.state not in (State.TIME_WAIT, State.CLOSED) or conn.readable:
            if conn.state >= State.ESTABLISHED:
                sent += conn.send(memoryview(data)[sent : sent + 65536])
                if sent == len(data):
                    conn.shutdown_write()
            got += conn.recv(65536)
            if not conn.readable:
                self.turn()
        return bytes(got)


def kernel_side(sock: socket.socket, data: bytes, result: dict[str, bytes], key: str) -> None:
    """The same by the kernel's own sockets."""
    with sock:
        writer = threading.Thread(target=lambda: (sock.sendall(data), sock.shutdown(socket.SHUT_WR)))
        writer.start()
        got = bytearray()
        while part := sock.recv(65536):
            got += part
        writer.join()
    result[key] = bytes(got)


def main() -> None:
    size, loss, seed = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(seed)
    forth, back = rng.randbytes(size), rng.randbytes(size)
    world = World(loss, seed)
    results: dict[str, bytes] = {}
    report: dict[str, object] = {}
    ours, kernel = socket.inet_aton(OURS), socket.inet_aton(KERNEL)

    server = socket.create_server((KERNEL, 9000))
    thread = threading.Thread(
        target=lambda: kernel_side(server.accept()[0], back, results, "active"), daemon=True
    )
    thread.start()
    conn = world.tcp.connect((ours, 40000), (kernel, 9000))
    report["active_received"] = world.exchange(conn, forth) == back
    report["active_error"] = conn.error
    report["active_options"] = [conn.ts_on, conn.sack_on, conn.scale_on, conn.snd_mss]
    while thread.is_alive():
        world.turn()
    report["active_delivered"] = results.get("active") == forth

    listener = world.tcp.listen((bytes(4), 80), 5)
    thread = threading.Thread(
        target=lambda: kernel_side(socket.create_connection((OURS, 80)), back, results, "passive"),
        daemon=True,
    )
    thread.start()
    while (accepted := listener.accept()) is None:
        world.turn()
    report["passive_received"] = world.exchange(accepted, forth) == back
    report["passive_error"] = accepted.error
    while thread.is_alive():
        world.turn()
    report["passive_delivered"] = results.get("passive") == forth

    refused = world.tcp.connect((ours, 40001), (kernel, 9999))
    while refused.state is not State.CLOSED:
        world.turn()
    report["refused_error"] = refused.error
    report["bad"] = {k: n for k, n in world.tcp.stats.items() if k in ("bad_checksum", "malformed_options")}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
