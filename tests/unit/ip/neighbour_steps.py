"""One story of a neighbour, told to two hosts: steps, and what is seen after each.

Run as a program, in a network namespace of its own, it is told to the real kernel behind a TAP device, and
the result is printed as JSON. Times are seconds; those of the kernel's table are made short, and random ones
have room on both sides.
"""

REACHABLE, DELAY, RETRANS = 2.0, 1.0, 0.25
SETTLE = 0.05
STATES = {1: "INCOMPLETE", 2: "REACHABLE", 4: "STALE", 8: "DELAY", 16: "PROBE", 32: "FAILED"}
"""NUD_* of linux/neighbour.h."""
LONG = 1.5 * REACHABLE + 0.4
"""REACHABLE is over, however long Linux has drawn it."""
HALF = REACHABLE / 2 - 0.2
"""It is not over."""

STEPS = [
    *(["send", 0.0], ["wait", 0.9], ["wait", 0.5]),
    *(["send", 0.0], ["answer", 0.0], ["wait", HALF], ["wait", LONG - HALF]),
    *(["send", 0.0], ["wait", 0.6], ["send", 0.0], ["wait", 0.33], ["wait", 1.1]),
    *(["send", 0.0], ["answer", 0.0], ["wait", LONG], ["send", 0.0], ["wait", 0.6], ["confirm", 0.0]),
    *(["wait", 0.5], ["wait", LONG], ["send", 0.0], ["wait", 1.0], ["answer", 0.0], ["send", 0.0]),
    *(["confirm", HALF], ["confirm", HALF], ["confirm", HALF], ["confirm", HALF], ["wait", LONG]),
    *(["asked", 0.0], ["send", 0.0], ["asked", 0.0], ["wait", 0.95], ["asked", 0.0], ["answer", 0.0]),
]
"""`send` a datagram, `confirm` with one, the neighbour's `answer`, `asked` by it; and the time that passes.

Seen: what has left, ARP to "all" or to "one" or a "reply", "data"; and the state.
"""


class Kernel:
    """The real one: a TAP device with 10.0.0.1/24, whose neighbour is 10.0.0.2."""

    def __init__(self):
        import fcntl
        import os
        import socket
        import struct
        import subprocess
        import time

        self.tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.tap, 0x400454CA, struct.pack("16sH22x", b"tap0", 0x1002))
        where = "/proc/sys/net/ipv4/neigh/tap0/"
        for name, value in (
            ("base_reachable_time_ms", round(REACHABLE * 1000)),
            ("delay_first_probe_time", round(DELAY)),
            ("retrans_time_ms", round(RETRANS * 1000)),
        ):
            with open(where + name, "w") as file:
                file.write(str(value))
        for line in (
            "link set tap0 address 02:00:00:00:00:01",
            "addr add 10.0.0.1/24 dev tap0",
            "link set tap0 up",
        ):
            subprocess.run(["ip", *line.split()], check=True)
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.end = time.monotonic()

    def send(self, flags=0):
        self.socket.sendto(b"x", flags, ("10.0.0.2", 9))

    def receive(self, frame):
        import os

        os.write(self.tap, frame)

    def wait(self, seconds):
        import os
        import select
        import time

        self.end, frames = self.end + seconds, []
        while True:
            left = self.end - time.monotonic()
            if select.select([self.tap], [], [], max(left, 0))[0]:
                frames.append(os.read(self.tap, 2000))
            elif left <= 0:
                return frames

    def state(self):
        """RTM_GETNEIGH of rtnetlink(7)."""
        import struct

        self.netlink.send(struct.pack("=IHHIIB11x", 28, 30, 0x301, 1, 0, 2))
        found = None
        while True:
            data = self.netlink.recv(1 << 16)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind == 3:  # NLMSG_DONE
                    return found
                if bytes((8, 0, 1, 0, 10, 0, 0, 2)) in data[:length]:  # NDA_DST
                    found = STATES[struct.unpack_from("=H", data, 24)[0]]
                data = data[length + 3 & ~3 :]


def arp(operation, to):
    """From 10.0.0.2 at 02:…:02."""
    mac = bytes.fromhex("020000000002")
    body = bytes.fromhex("0001080006040000")[:-1] + bytes([operation])
    return to + mac + b"\x08\x06" + body + mac + bytes((10, 0, 0, 2)) + bytes(6) + bytes((10, 0, 0, 1))


def seen(frame):
    if frame[12:14] == b"\x08\x00" and frame[23] == 17:
        return "data"
    if frame[12:14] != b"\x08\x06" or frame[38:42] != bytes((10, 0, 0, 2)):
        return None  # IPv6, IGMP, a search for others with our address
    if frame[21] == 2:
        return "reply"
    return "all" if frame[:6] == b"\xff" * 6 else "one"


def tell(host):
    """What `host` does: for each step what has left, and the state of the neighbour."""
    report = []
    own, everybody = bytes.fromhex("020000000001"), b"\xff" * 6
    host.wait(SETTLE)
    for action, seconds in STEPS:
        if action in ("send", "confirm"):
            host.send(0x800 if action == "confirm" else 0)
        elif action != "wait":
            host.receive(arp(2, own) if action == "answer" else arp(1, everybody))
        left = [seen(frame) for frame in host.wait(seconds + SETTLE)]
        report.append([action, [name for name in left if name], host.state()])
    return report


if __name__ == "__main__":
    import json

    print(json.dumps(tell(Kernel())))
