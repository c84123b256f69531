"""Runs with what is compiled, or with the sources as FDWIRE_COMPILED says; leaves a capture of each seed.

Arguments: a directory, seeds. Prints a JSON object: what `pymodel` was, and bytes received for each seed.
"""

import json
import sys
from pathlib import Path

from tb import compiled

COMPILED = compiled.use()
SIZE = 200_000


def story(seed: int, capture: Path) -> int:
    """Two connections over one bad wire, the first one ended by a reset, and a datagram in fragments.

    Returns how many bytes the server has received.
    """
    from pymodel.lab import Lab
    from pymodel.link import Impairments

    def server() -> int:
        import contextlib
        import socket

        received = 0
        with socket.create_server(("b", 7)) as listener:
            for _ in range(2):
                sock, _ = listener.accept()
                with sock, contextlib.suppress(ConnectionResetError):
                    while data := sock.recv(65536):
                        received += len(data)
                        sock.sendall(data[::10])
        return received

    def client() -> None:
        import socket
        import struct

        with socket.create_connection(("b", 7)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(b"reset")
            assert sock.recv(1) == b"r"
        with socket.create_connection(("b", 7)) as sock:
            for _ in range(0, SIZE, 10_000):
                sock.sendall(bytes(range(250)) * 40)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.sendto(bytes(5000), ("b", 9))

    harm = Impairments(loss=0.03, duplicate=0.02, corrupt=0.01, reorder=0.05)
    with Lab(seed=seed, impairments=harm, capture=capture) as lab:
        served = lab.b.spawn(server)
        lab.a.spawn(client)
        return lab.run(served)


def main() -> None:
    """Run, print."""
    out = Path(sys.argv[1])
    received = {seed: story(int(seed), out / f"{seed}.pcapng") for seed in sys.argv[2:]}
    assert compiled.in_use() == COMPILED
    print(json.dumps({"compiled": COMPILED, "received": received}))


if __name__ == "__main__":
    main()
