"""bind() gives a socket its address, or says why not."""

from pathlib import Path

from pymodel.lab import Lab

CAPTURE = Path("build/examples/bind_in_use.pcapng")


def peer() -> None:
    import socket

    with socket.create_server(("b", 80)) as listener:
        connection, _ = listener.accept()
        connection.recv(1)
        connection.close()


def program() -> None:
    import errno
    import socket

    def bind(sock: socket.socket, address: tuple[str, int]) -> str:
        try:
            sock.bind(address)
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        return "ok, getsockname() = {}:{}".format(*sock.getsockname())

    def attempt(what: str, sock: socket.socket, address: tuple[str, int], expected: str) -> None:
        outcome = bind(sock, address)
        print(f"{what:58} {outcome}")
        assert outcome.startswith(expected), expected

    one, two, three = socket.socket(), socket.socket(), socket.socket()
    attempt("bind 10.0.0.1:80", one, ("10.0.0.1", 80), "ok")
    one.listen()
    attempt("the same by another socket", two, ("10.0.0.1", 80), "EADDRINUSE")
    attempt("any address, the same port", two, ("0.0.0.0", 80), "EADDRINUSE")
    attempt("another port", two, ("0.0.0.0", 81), "ok")
    attempt("bound twice", two, ("0.0.0.0", 82), "EINVAL")
    attempt("an address that is not ours", three, ("10.9.9.9", 80), "EADDRNOTAVAIL")
    attempt("port 0: the kernel chooses", three, ("", 0), "ok")
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    attempt("UDP 80, while TCP 80 is taken", datagrams, ("", 80), "ok")

    # A connection in TIME-WAIT keeps its port, unless it and the newcomer have SO_REUSEADDR.
    four, five = socket.socket(), socket.socket()
    four.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    attempt("bind 10.0.0.1:4000", four, ("10.0.0.1", 4000), "ok")
    four.connect(("b", 80))
    four.close()
    attempt("4000 again, its connection is in TIME-WAIT", five, ("10.0.0.1", 4000), "EADDRINUSE")
    five.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    attempt("4000 again, with SO_REUSEADDR", five, ("10.0.0.1", 4000), "ok")


def main() -> None:
    with Lab(capture=CAPTURE) as lab:
        lab.b.spawn(peer)
        lab.run(lab.a.spawn(program))


if __name__ == "__main__":
    main()
