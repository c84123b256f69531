"""Hands open descriptors to a process that somebody else starts (unix(7), SCM_RIGHTS).

Reopened by their paths in /proc a file would be cut off, and a socket could not be opened at all.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Generator, Sequence


@contextlib.contextmanager
def offered(fds: Sequence[int]) -> Generator[str, None, None]:
    """Inside, the first process that `take`s the name it is given has duplicates of `fds`."""
    name = f"fdwire/{os.getpid()}/{os.urandom(8).hex()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(f"\0{name}")  # an abstract address: no file, no limit on the length of a path
        listener.listen(1)

        def give() -> None:
            with contextlib.suppress(OSError):  # the simulator never came
                connection, _ = listener.accept()
                with connection:
                    socket.send_fds(connection, [b"fds"], list(fds))

        giver = threading.Thread(target=give, daemon=True)
        giver.start()
        try:
            yield name
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            giver.join()


def take(name: str, count: int) -> list[int]:
    """The `count` descriptors offered as `name`. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(f"\0{name}")
        _, fds, _, _ = socket.recv_fds(connection, 16, count)
    return fds
