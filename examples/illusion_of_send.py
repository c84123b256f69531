"""send() succeeds long after the peer is gone: its bytes have reached the send buffer, not the peer."""

from pathlib import Path

from pymodel.lab import Lab
from pymodel.link import Impairments

CAPTURE = Path("build/examples/illusion_of_send.pcapng")


def server() -> None:
    import socket
    import time

    with socket.create_server(("b", 7)) as listener:
        connection, _ = listener.accept()
        connection.recv(100)
        time.sleep(1e6)


def client(lab: Lab) -> None:
    import errno
    import fcntl
    import socket
    import struct
    import termios
    import time

    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
    sock.connect(("b", 7))
    sock.sendall(b"hello")
    time.sleep(1)

    lab.link.impairments = Impairments(loss=1.0)  # B will never hear from us again
    print("the cable is cut")
    sock.setblocking(False)
    total = 0
    while True:
        try:
            total += sock.send(bytes(1000))
        except BlockingIOError:
            break
    queued = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0]
    print(f"send() has taken {total} bytes, every call a success; then EAGAIN: the send buffer is full")
    print(f"ioctl(SIOCOUTQ): {queued} bytes are not acknowledged")
    assert queued == total >= 20_000

    sock.setblocking(True)
    began = time.monotonic()
    try:
        sock.send(b"one more")
    except OSError as failure:
        after = time.monotonic() - began
        print(f"a send() that blocks: {errno.errorcode[failure.errno or 0]} after {after:.0f} s")
        # After tcp_retries2: 924.6 s at least. ARP has given up on B meanwhile, hence not ETIMEDOUT.
        assert failure.errno == errno.EHOSTUNREACH and 900 < after < 1200
    else:
        raise AssertionError("sent to nobody")


def main() -> None:
    with Lab(capture=CAPTURE) as lab:
        lab.b.spawn(server)
        lab.run(lab.a.spawn(client, lab))


if __name__ == "__main__":
    main()
