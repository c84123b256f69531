"""A wire that loses and reorders frames: TCP repeats what is missing, and every byte arrives once."""

from pathlib import Path

from pymodel.lab import Lab
from pymodel.link import Direction, Impairments

CAPTURE = Path("build/examples/retransmission.pcapng")
SIZE = 500_000


def server() -> str:
    import hashlib
    import socket

    with socket.create_server(("b", 80)) as listener:
        connection, _ = listener.accept()
        received = hashlib.sha256()
        while data := connection.recv(65536):
            received.update(data)
        return received.hexdigest()


def client() -> tuple[str, dict[str, int]]:
    import hashlib
    import random
    import socket
    import struct

    data = random.Random(1).randbytes(SIZE)
    sock = socket.create_connection(("b", 80))
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
    sock.recv(1)  # the peer's FIN: everything has arrived
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
    retransmits, reordering = struct.unpack_from("I", info, 100)[0], struct.unpack_from("I", info, 88)[0]
    return hashlib.sha256(data).hexdigest(), {"total_retrans": retransmits, "reordering": reordering}


def transfer(impairments: Impairments | None) -> int:
    with Lab(seed=3, impairments=impairments, delay=100_000_000, capture=CAPTURE) as lab:
        receiving = lab.b.spawn(server)
        began = lab.now
        sent, info = lab.run(lab.a.spawn(client))
        took = lab.now - began
        received = lab.run(receiving)
        way = lab.link.counters(Direction.A_TO_B)
        print(
            f"{took * 1e3:10.3f} ms  {way.sent:4d} frames a->b: {way.lost} lost, {way.reordered} reordered;"
            f" TCP_INFO: {info}; SHA-256 equal: {sent == received}"
        )
        assert sent == received
        return info["total_retrans"]


def main() -> None:
    assert transfer(None) == 0
    assert transfer(Impairments(loss=0.02)) > 0
    transfer(Impairments(loss=0.02, reorder=0.05))


if __name__ == "__main__":
    main()
