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
    print(f"{DATAGRAMS} calls of send() have returned, without any time having passed")


def main() -> None:
    with Lab(capture=CAPTURE) as lab:
        device = lab.a.device
        receiving = lab.b.spawn(receiver)
        lab.run(lab.a.spawn(sender))
        stopped = device.queue_stopped
        print(f"queue stopped: {stopped}; in the qdisc wait {device.queued} frames")
        assert stopped and device.queued
        while device.queued:
            lab.sleep(5e-6)
            print(f"{lab.now * 1e6:10.3f} us  {device.queued:3d} wait, {device.stats.tx_packets:3d} sent")
        counted = lab.run(receiving)
        print(f"B has received {counted} datagrams; dropped on the way: {device.stats.tx_dropped}")
        assert counted == DATAGRAMS and not device.stats.tx_dropped


if __name__ == "__main__":
    main()
