"""Messages of odd sizes from A to B, each answered, and every frame that they put on the wire.

A sends the next one when it has the answer, and none is larger than the congestion window: so what A sends
does not depend on nanoseconds of when an acknowledgement arrives.
"""

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy_offloads import segments

from pymodel.host import World
from pymodel.link import Direction
from pymodel.netdev import NetDevice
from pymodel.ports import Frame
from pymodel.skbuff import SkBuff
from pymodel.socket import AsyncSocket
from pymodel.socket import constants as c

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from test_gso import packet, super_segment

__all__ = ["Sent", "Wire", "packet", "payload", "start", "super_segment"]

SIZES = (1, 1447, 1448, 1449, 2897, 14_479, 3, 14_480, 20_001, 33_333, 64_999)
"""Bytes of each message."""


@dataclass
class Wire:
    """Frames by direction, each with what is above Ethernet's FCS."""

    sent: dict[Direction, list[bytes]] = field(default_factory=lambda: {way: [] for way in Direction})

    def frame(self, way: Direction, frame: Frame) -> None:
        """For `Link.on_frame`."""
        self.sent[way].append(frame.data[:-4])

    @property
    def out(self) -> list[bytes]:
        """From A to B."""
        return self.sent[Direction.A_TO_B]


@dataclass
class Sent:
    """What A's stack gave to its device: frames, and what scapy makes of super-segments."""

    largest: int = 0
    """Segments in one sk_buff."""
    _given: list[tuple[bytes, int]] = field(default_factory=list)

    def watch(self, device: NetDevice) -> None:
        """Look at everything that the stack gives to `device` from now on."""
        send = device.xmit

        def noted(skb: SkBuff) -> bool:
            self._note(skb)
            return send(skb)

        device.xmit = noted  # type: ignore[method-assign]

    def _note(self, skb: SkBuff) -> None:
        self._given.append((skb.bytes(), skb.gso_size))
        self.largest = max(self.largest, skb.gso_segs)

    def expected(self) -> list[bytes]:
        """The frames, by scapy."""
        frames = []
        for data, size in self._given:
            whole = Ether(data)
            if TCP in whole:
                del whole[IP].len, whole[IP].chksum, whole[TCP].chksum
            frames += segments(whole, size) if size else [bytes(whole).ljust(60, b"\0")]
        return frames


def payload() -> bytes:
    """What is sent."""
    return random.Random(3).randbytes(sum(SIZES))


def start(world: World, lend: bool = False) -> tuple[Any, Callable[[], bytes]]:
    """Spawn both programs; B's, whose end is the end, and what it has received. `lend`: MSG_ZEROCOPY.

    The result of B's is how many segments with data its connection has counted.
    """
    received = bytearray()

    async def server() -> int:
        listener = AsyncSocket()
        listener.bind(("b", 7))
        listener.listen()
        sock, _ = await listener.accept()
        end = 0
        for size in SIZES:
            end += size
            while len(received) < end:
                received.extend(await sock.recv(1 << 16))
            await sock.sendall(b"thanks")
        assert not await sock.recv(1)
        (connection,) = (each for each in world.b.tcp.connections.values() if each.sport == 7)
        await sock.close()
        return connection.data_segs_in

    async def client() -> None:
        memory = world.a.registered(sum(SIZES))
        memory[:] = payload()
        async with AsyncSocket() as sock:
            await sock.connect(("b", 7))
            sock.setsockopt(c.SOL_SOCKET, c.SO_ZEROCOPY, 1)
            at = 0
            for size in SIZES:
                end = at + size
                while at < end:
                    at += await sock.send(memory[at:end], c.MSG_ZEROCOPY if lend else 0)
                assert await sock.recv(100) == b"thanks"
            sock.shutdown(c.SHUT_WR)
            assert not await sock.recv(1)

    program = world.b.spawn(server)
    world.a.spawn(client)
    return program, lambda: bytes(received)
