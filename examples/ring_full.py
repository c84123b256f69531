"""A ring that is full holds the kernel back, not the program's data: the queue waits, nothing is lost."""

from pathlib import Path

from pymodel.lab import Lab

CAPTURE = Path("build/examples/ring_full.pcapng")
DATAGRAMS = 400


def receiver() -> int:
    import socket

    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind(("b", 9))
    sock.settimeout(1)
    count = 0
    try:
        while sock.recv(2000):
            count += 1
    except TimeoutError:
        return count
    return count


def sender() -> None:
    import socket
    import time

    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    sock.connect(("b", 9))
    sock.send(b"first")
    time.sleep(0.001)  # for ARP, which keeps only some packets while it asks
    for number in range(DATAGRAMS - 1):
        sock.send(b"%100d" % number)
    print(f"send() has been called {DATAGRAMS - 1} times and has returned each time; no time has passed")


def row(lab: Lab, began: float, earlier: tuple[int, int]) -> tuple[int, int]:
    """Print where the frames are now; how many wait in the qdisc and in the ring."""
    device = lab.a.device
    back = device.stats.tx_packets - earlier[0]
    there = lab.b.device.stats.rx_packets - earlier[1]
    waiting = device.queued
    ring = DATAGRAMS - 1 - waiting - back
    state = "stopped" if device.queue_stopped else "open"
    print(
        f"{(lab.now - began) * 1e6:7.1f}   {state:9s}   {waiting:12d}   {ring:11d}   {back:21d}   {there:4d}"
    )
    return waiting, ring


def main() -> None:
    with Lab(capture=CAPTURE) as lab:
        sending, receiving = lab.a.device, lab.b.device
        counting = lab.b.spawn(receiver)
        lab.run(lab.a.spawn(sender))
        began, earlier = lab.now, (sending.stats.tx_packets, receiving.stats.rx_packets)
        print("the ring is full: A's queue is stopped, and what has no room in the ring waits in the qdisc")
        print(f"where the {DATAGRAMS - 1} frames are, microseconds later:")
        print("   time   A's queue   in the qdisc   in the ring   given back by the NIC   at B")
        assert sending.queue_stopped and sending.queued
        while sum(row(lab, began, earlier)[:2]):
            lab.sleep(5e-6)
        counted = lab.run(counting)
        print(f"B has received {counted} datagrams; dropped on the way: {sending.stats.tx_dropped}")
        assert counted == DATAGRAMS and not sending.stats.tx_dropped


if __name__ == "__main__":
    main()
