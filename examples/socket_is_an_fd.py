"""Everything is a file: socket() returns a small int, and the calls of files work on it."""

from pathlib import Path

from pymodel.lab import Lab

CAPTURE = Path("build/examples/socket_is_an_fd.pcapng")


def server() -> None:
    import socket

    with socket.create_server(("b", 7)) as listener:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(connection.recv(100).upper())


def client() -> None:
    import fcntl
    import os
    import select
    import socket

    first, second = socket.socket(), socket.socket()
    print(f"two sockets: fd {first.fileno()} and fd {second.fileno()} (0, 1 and 2 are taken)")
    assert (first.fileno(), second.fileno()) == (3, 4)

    first.close()
    third = socket.socket()
    print(f"closed the first, opened a third: fd {third.fileno()}, the lowest that is free")
    assert third.fileno() == 3

    third.connect(("b", 7))
    fd = third.fileno()
    copy = os.dup(fd)
    print(f"dup({fd}) = {copy}: two descriptors, one open file description, one connection")
    fcntl.fcntl(copy, fcntl.F_SETFL, os.O_NONBLOCK)
    shared = bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK)
    print(f"O_NONBLOCK set on {copy} shows on {fd}: {shared}")
    assert shared

    written = os.write(fd, b"hello, file")
    print(f"write({fd}, …) = {written}")
    try:
        os.read(copy, 100)
    except BlockingIOError:
        print(f"read({copy}) = EAGAIN: nothing has come back yet")
    select.select([copy], [], [])
    answer = os.read(copy, 100)
    print(f"read({copy}) after select() = {answer!r}")
    assert answer == b"HELLO, FILE"

    os.close(copy)
    try:
        os.write(copy, b"?")
    except OSError as error:
        print(f"write({copy}) after close({copy}): {error.strerror}")
    third.close()
    second.close()


def main() -> None:
    with Lab(capture=CAPTURE) as lab:
        served = lab.b.spawn(server)
        lab.run(lab.a.spawn(client))
        lab.run(served)


if __name__ == "__main__":
    main()
