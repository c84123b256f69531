"""What the host stack costs and how fast it is: `build/bench/stack.json`.

Costs are processor time of this process, which on an idle machine is wall time, without Python's garbage
collection; of several rounds the best one counts, as whatever else the machine does can only add. Goodput is
a matter of simulated time, and exact.
"""

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pymodel.host import World
from pymodel.scheduler import Scheduler
from pymodel.simtime import US
from pymodel.socket import AsyncSocket, sleep
from pymodel.socket.constants import SOCK_DGRAM
from pymodel.socket.current import current_process
from pymodel.task import Wait, WaitQueue
from pymodel.tcp.profile import LINUX
from tb import compiled, toolchain
from tb.bench.pipe import pipe_world
from tb.cosim import errand

CONNECTIONS = (1, 100, 10_000)
MTUS = (1500, 9000)
FLAT = 0.20
"""By how much a packet may cost more among many connections than alone."""
GOODPUT = 0.99
"""Of what the headers leave of the line rate."""
SEGMENT_COST = 25.0
"""µs, for a segment at MTU 1500."""
SUPER_COST = 60.0
"""µs, for a super-frame of 64 KiB."""
MODERATION = 50 * US
"""So long frames come together before the host looks at them, where there are offloads."""
MEMORY_PER_CONNECTION = 24 << 10
"""Bytes, both ends together, that an idle connection may take."""

_ROUNDS = 3
_TRANSFER = 3_000_000
_SUPER_TRANSFER = 30_000_000
"""In super-frames: of fewer, the start and the kernel's work for memory touched first would be a third."""
_DATAGRAMS = 600
_MESSAGES = 200
"""In one round, of two full segments each."""
_MESSAGE = 2 * 1448
_CROWD_ROUNDS = 80
"""The cheapest counts: a cache that somebody else emptied costs the crowd more than the lone connection."""
_LINE = 10e9
_HEADERS = 52
"""IPv4, TCP and its timestamps (RFC 7323) in each packet."""
_FRAMING = 38
"""Ethernet header, FCS, preamble and gap around each packet (IEEE 802.3)."""


@dataclass(frozen=True)
class Record:
    """One figure. `limit`: what it should not exceed (goodput: fall short of); None: nothing is asked."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    ratio: float | None = None
    """To the figure it is compared with: alone (costs), the theoretical rate (goodput)."""

    @property
    def met(self) -> bool:
        """The limit is kept."""
        if self.limit is None:
            return True
        if self.unit == "Gb/s":
            return self.value >= self.limit
        return self.value <= self.limit


def ideal(mtu: int) -> float:
    """Gb/s that the headers leave of 10 Gb/s to one TCP stream."""
    return _LINE * (mtu - _HEADERS) / (mtu + _FRAMING) / 1e9


def _cost(world: World, done: Callable[[], bool]) -> float:
    """Seconds of processor time until `done`."""
    gc.collect()
    gc.disable()
    began = time.process_time()
    world.run(done)
    spent = time.process_time() - began
    gc.enable()
    return spent


class Transfer:
    """`size` bytes from A to B over one connection; `received`: so many have come."""

    def __init__(self, world: World, size: int) -> None:
        self.received = 0
        self._payload = b"\xa5" * size  # touched: else the kernel's page faults would be in the figure
        self._program = world.b.spawn(self._server)
        world.a.spawn(self._client)

    @property
    def done(self) -> bool:
        """Everything has come, and the FIN."""
        return self._program.done

    async def _server(self) -> None:
        listener = AsyncSocket()
        listener.bind(("b", 7))
        listener.listen()
        sock, _ = await listener.accept()
        while data := await sock.recv(1 << 20):
            self.received += len(data)

    async def _client(self) -> None:
        async with AsyncSocket() as sock:
            await sock.connect(("b", 7))
            await sock.sendall(self._payload)


def bulk(mtu: int, *, poll: int = 0, whole: bool = False) -> float:
    """µs for each full segment of a stream, from `send` to `recv`, acknowledgements included.

    `poll`, `whole`: what the device does, see `tb.bench.pipe`.
    """
    best = float("inf")
    size = _SUPER_TRANSFER if whole else _TRANSFER
    for _ in range(_ROUNDS):
        world, _ = pipe_world(Scheduler(), mtu=mtu, poll=poll, whole=whole)
        transfer = Transfer(world, size)
        spent = _cost(world, lambda transfer=transfer: transfer.done)  # type: ignore[misc]
        world.power_off()
        best = min(best, spent * 1e6 / (size / (mtu - _HEADERS)))
    return best


def interpreted(expression: str) -> Any:
    """What `expression`, in the names of this module, is where the stack is not compiled, by way of JSON.

    Raises RuntimeError when it fails.
    """
    code = f"import json; from tb.bench.stack import *; print(json.dumps({expression}))"
    with compiled.left_out():
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=toolchain.ROOT, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise RuntimeError(f"the stack was not measured: {done.stderr}")
    return json.loads(done.stdout)


def datagrams(size: int) -> float:
    """µs for each UDP datagram of `size` bytes, from `sendto` to `recvfrom`."""
    best = float("inf")
    for _ in range(_ROUNDS):
        scheduler = Scheduler()
        world, _ = pipe_world(scheduler)

        async def server() -> None:
            sock = AsyncSocket(type=SOCK_DGRAM)
            sock.bind(("b", 9))
            for _ in range(_DATAGRAMS):
                await sock.recvfrom(65536)

        async def client() -> None:
            sock = AsyncSocket(type=SOCK_DGRAM)
            for _ in range(_DATAGRAMS):
                await sock.sendto(bytes(size), ("b", 9))
                await sleep(5e-6)  # the first one waits for ARP, and room is bounded

        program = world.b.spawn(server)
        world.a.spawn(client)
        spent = _cost(world, lambda program=program: program.done)  # type: ignore[misc]
        world.power_off()
        best = min(best, spent * 1e6 / _DATAGRAMS)
    return best


class Crowd:
    """`count` open connections from A to B, over which messages of two full segments are sent in turn.

    Every second full segment is acknowledged from the first on (RFC 9293 §3.8.6.3), so that a message is
    three packets, however many connections share them.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        # Buffers that count payload offer all they have at once: while a window grows, each segment is
        # acknowledged.
        profile = replace(LINUX, quick_acks=0, adaptive_delayed_ack=False, skb_overhead=0)
        self._world, self._device = pipe_world(Scheduler(), profile=profile)
        self._near: list[AsyncSocket] = []
        self._far: list[AsyncSocket] = []
        self._messages = 0
        """So many are to be sent in all."""
        self._started = WaitQueue()
        self._received = 0
        before = _resident()
        self._world.b.spawn(self._server)
        self._world.a.spawn(self._client)
        self._world.run(lambda: len(self._near) == len(self._far) == count)
        self.bytes_each = max(_resident() - before, 0) / count

    async def _server(self) -> None:
        current_process().files.limit = self.count + 10  # setrlimit(RLIMIT_NOFILE)
        listener = AsyncSocket()
        listener.bind(("b", 7))
        listener.listen(1024)
        while len(self._far) < self.count:
            self._far.append((await listener.accept())[0])
        while True:
            left = _MESSAGE
            while left:
                left -= len(await self._far[self._place(self._received)].recv(left))
            self._received += 1

    async def _client(self) -> None:
        current_process().files.limit = self.count + 10
        while len(self._near) < self.count:
            sock = AsyncSocket()
            await sock.connect(("b", 7))
            self._near.append(sock)
        sent = 0
        while True:
            while sent == self._messages:
                await Wait(self._started)
            await self._near[self._place(sent)].sendall(bytes(_MESSAGE))
            sent += 1
            await sleep(10e-6)

    def _place(self, number: int) -> int:
        """Which connection message `number` takes: they are visited all over the place."""
        return number * 7919 % self.count

    def cost(self, messages: int) -> float:
        """µs for each packet, both hosts together, while `messages` are sent."""
        frames = self._device.frames + self._device.peer.frames
        self._messages += messages
        self._started.wake()
        spent = _cost(self._world, lambda: self._received == self._messages)
        return spent * 1e6 / (self._device.frames + self._device.peer.frames - frames)


def _resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def crowds(say: Callable[[str], None]) -> list[Record]:
    """The same packets among ever more connections. Rounds alternate, so that noise hits all alike.

    The limit is of the interpreted stack: what a crowd costs more are misses of the caches, as many for the
    compiled one, which does the rest in half the time.
    """
    all_of_them = []
    for count in CONNECTIONS:
        say(f"stack: opening {count:,} connections")
        all_of_them.append(Crowd(count))
    say("stack: packets among them")
    for crowd in all_of_them:
        crowd.cost(crowd.count)  # one message over each: the first one finds a connection that has no history
    best = dict.fromkeys(CONNECTIONS, float("inf"))
    gc.freeze()  # else each round begins with a second's walk through all the connections
    for _ in range(_CROWD_ROUNDS):
        for crowd in all_of_them:
            best[crowd.count] = min(best[crowd.count], crowd.cost(_MESSAGES))
    gc.unfreeze()
    alone = best[CONNECTIONS[0]]
    records = [
        Record(
            f"packet among {count:,} connections, interpreted",
            round(cost, 2),
            "µs",
            None if count == 1 else round(alone * (1 + FLAT), 2),
            round(cost / alone, 3),
        )
        for count, cost in best.items()
    ]
    most = all_of_them[-1]
    records.append(
        Record(
            f"memory of one connection among {most.count:,}, both ends, interpreted",
            round(most.bytes_each),
            "bytes",
            MEMORY_PER_CONNECTION,
        )
    )
    return records


def measure(say: Callable[[str], None]) -> list[Record]:
    """Everything; `say` hears what is under way. Raises ToolMissing, BuildFailed, EndedEarly."""
    records = []
    for mtu in MTUS:
        say(f"stack: segments at MTU {mtu}")
        name = f"TCP segment, MTU {mtu}, sent and received"
        limit = SEGMENT_COST if mtu == 1500 else None
        plain, cost = bulk(mtu), bulk(mtu, poll=MODERATION)
        records.append(Record(f"{name}, one by one", round(plain, 2), "µs"))
        if mtu == 1500 and compiled.in_use():
            again = interpreted(f"bulk({mtu}, poll={MODERATION})")
            records.append(Record(f"{name}, with GSO and GRO, interpreted", round(again, 2), "µs"))
        records.append(
            Record(f"{name}, with GSO and GRO", round(cost, 2), "µs", limit, round(cost / plain, 3))
        )
    whole = bulk(1500, poll=MODERATION, whole=True) * (65_536 / (1500 - _HEADERS))
    records.append(
        Record("64 KiB of TCP in super-frames, sent and received", round(whole, 2), "µs", SUPER_COST)
    )
    for size in (18, 1472):
        say(f"stack: datagrams of {size} bytes")
        name = f"UDP datagram of {size} bytes, sent and received"
        records.append(Record(name, round(datagrams(size), 2), "µs"))
    say("stack: packets among many connections, interpreted")
    records += [Record(**one) for one in interpreted("[asdict(one) for one in crowds(lambda _: None)]")]
    for mtu in MTUS:
        say(f"stack: one TCP stream through the RTL at MTU {mtu}")
        rate, best = goodput(mtu), ideal(mtu)
        name = f"TCP stream through the RTL, MTU {mtu}"
        records.append(Record(name, round(rate, 4), "Gb/s", round(best * GOODPUT, 4), round(rate / best, 4)))
    return records


def goodput(mtu: int) -> float:
    """Gb/s of one TCP stream from the RTL NIC to a golden one, once its window is open.

    Raises ToolMissing, BuildFailed, EndedEarly.
    """
    where = toolchain.BUILD / "bench" / "goodput"
    return float(errand.run("tb.bench.goodput_job", {"mtu": mtu}, where=where, seed=1)["gbps"])


def to_json(records: list[Record]) -> str:
    """The records as a JSON list."""
    return json.dumps([{**asdict(record), "met": record.met} for record in records], indent=2) + "\n"
