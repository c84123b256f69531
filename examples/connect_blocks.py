"""connect() sends a SYN and does not return before the three-way handshake is done."""

from pathlib import Path

from pymodel.lab import Lab
from pymodel.simtime import MS

CAPTURE = Path("build/examples/connect_blocks.pcapng")


def server() -> None:
    import socket

    with socket.create_server(("b", 80)) as listener:
        listener.accept()


def client() -> None:
    import errno
    import select
    import socket
    import time

    def say(text: str) -> float:
        now = time.monotonic() * 1e3
        print(f"{now:13.6f} ms  program  {text}")
        return now

    blocking = socket.socket()
    began = say("connect() to port 80 is called")
    blocking.connect(("b", 80))
    ended = say("connect() returns")
    # ARP first; then SYN and SYN ACK; each of the four takes 5 ms. The ACK is on its way.
    assert 20 < ended - began < 20.1

    eager = socket.socket()
    eager.setblocking(False)
    code = eager.connect_ex(("b", 81))
    say(f"O_NONBLOCK: connect() to port 81 returns at once: {errno.errorcode[code]}")
    assert code == errno.EINPROGRESS
    select.select([], [eager], [])
    code = eager.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    say(f"select() says writable; SO_ERROR is {errno.errorcode[code]}")
    assert code == errno.ECONNREFUSED


def main() -> None:
    with Lab(capture=CAPTURE, watch=print, delay=5 * MS) as lab:
        lab.b.spawn(server)
        lab.run(lab.a.spawn(client))


if __name__ == "__main__":
    main()
