"""listen() makes a queue of finished connections; accept() takes one off it, as a new descriptor."""

from pathlib import Path

from pymodel.lab import Lab

CAPTURE = Path("build/examples/backlog_and_accept.pcapng")
CLIENTS = 5


def server() -> list[int]:
    import socket
    import time

    listener = socket.socket()
    listener.bind(("b", 80))
    listener.listen(2)
    print(f"server: socket() = {listener.fileno()}, listen(backlog 2); now it sleeps for 10 s")
    time.sleep(10)
    fds = []
    connections = []
    for _ in range(CLIENTS):
        connection, (host, port) = listener.accept()
        connections.append(connection)
        fds.append(connection.fileno())
        request = connection.recv(100)
        print(f"server: accept() = {fds[-1]}, from {host}:{port}; read({fds[-1]}) = {request!r}")
    return fds


def client(number: int) -> float:
    import socket
    import time

    time.sleep(number / 10)
    began = time.monotonic()
    sock = socket.create_connection(("b", 80))
    took = time.monotonic() - began
    sock.sendall(b"I am client %d" % number)
    print(f"client {number}: connected after {took:.6f} s, its first bytes are sent")
    time.sleep(30)
    return took


def main() -> None:
    with Lab(capture=CAPTURE) as lab:
        serving = lab.b.spawn(server)
        clients = [lab.a.spawn(client, number, name=f"client {number}") for number in range(CLIENTS)]
        fds = lab.run(serving)
        took = [lab.run(program) for program in clients]
        # accept() was not called yet, but the kernel finishes handshakes as long as the queue has room:
        # backlog + 1 of them on Linux. The others' SYNs are dropped, and sent again and again.
        quick = [seconds < 0.001 for seconds in took]
        assert quick == [True] * 3 + [False] * 2, took
        assert fds == [4, 5, 6, 7, 8], "each accept() gives the lowest free descriptor"
        print(f"accept queue overflowed {lab.b.tcp.stats['listen_overflow']} times")


if __name__ == "__main__":
    main()
