"""TSO and checksums in the NIC, in the kernel, in TCP: less to do for the host, the same bytes on the wire.

`ethtool -K eth0 tso off` of Linux is `device.set_features(tso=False)` here. In the capture a checksum is
right and no frame is longer than 1514 bytes, whoever has done the work.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pymodel.lab import Lab
from pymodel.link import Direction
from pymodel.ports import Frame
from pymodel.skbuff import SkBuff

CAPTURE = Path("build/examples/offloads.pcapng")
MESSAGES = [1, 1448, 1449, 10_000, 14_480, 20_000, 30_000, 60_001]
"""Each is answered before the next one is sent, so that what is sent depends on no nanoseconds."""

WAYS = {
    "all in the NIC": {},
    "tso off": {"tso": False},
    "tso off, tx off": {"tso": False, "tx": False, "sg": False},
    "tso off, gso off": {"tso": False, "gso": False},
}


def server() -> None:
    import socket

    with socket.create_server(("b", 7)) as listener:
        connection, _ = listener.accept()
        for size in MESSAGES:
            left = size
            while left:
                left -= len(connection.recv(left))
            connection.sendall(b"ok")
        connection.recv(1)


def client() -> None:
    import socket

    sock = socket.create_connection(("b", 7))
    for number, size in enumerate(MESSAGES):
        sock.sendall(hashlib.shake_256(bytes([number])).digest(size))
        assert sock.recv(100) == b"ok"
    sock.close()


@dataclass
class Run:
    """One way of sending."""

    sk_buffs: int = 0
    largest: int = 0
    chains: int = 0
    doorbells: int = 0
    frames: int = 0
    digest: str = ""


def run(switches: dict[str, bool], capture: Path | None) -> Run:
    """Send everything; what it took, and what was on the wire."""
    result = Run()
    wire = hashlib.sha256()
    with Lab(capture=capture) as lab:
        device, write, send = lab.a.device, lab.link.on_frame, lab.a.device.xmit
        device.set_features(**switches)

        def sent(skb: SkBuff) -> bool:
            result.sk_buffs += 1
            result.largest = max(result.largest, skb.len)
            return send(skb)

        def seen(way: Direction, frame: Frame) -> None:
            if way is Direction.A_TO_B:
                result.frames += 1
                wire.update(frame.data)
            if write is not None:
                write(way, frame)

        device.xmit, lab.link.on_frame = sent, seen  # type: ignore[method-assign]
        serving = lab.b.spawn(server)
        lab.run(lab.a.spawn(client))
        lab.run(serving)
        result.chains, result.doorbells = device.stats.tx_packets, device.driver_stats.kicks
    result.digest = wire.hexdigest()
    return result


def main() -> None:
    print(
        f"{'':18}{'sk_buffs':>9}{'largest':>9}{'chains':>8}{'doorbells':>10}{'frames':>8}  the wire's SHA-256"
    )
    runs = []
    for way, switches in WAYS.items():
        result = run(switches, None if runs else CAPTURE)
        runs.append(result)
        print(
            f"{way:18}{result.sk_buffs:9}{result.largest:9}{result.chains:8}{result.doorbells:10}"
            f"{result.frames:8}  {result.digest[:32]}"
        )
    first = runs[0]
    assert all(result.digest == first.digest for result in runs)
    assert first.chains < runs[1].chains / 2 and first.largest > 9 * 1514 and runs[3].largest == 1514
    print(f"{first.frames} frames, and {len(runs)} times the same bytes: nobody can tell who has cut them")


if __name__ == "__main__":
    main()
