"""What a conformance case gets to see of the NIC under test, and small helpers over it.

A case is ``async def name(bench: Bench)``; it awaits nothing but the methods of its bench (and of helpers
built on them), so any runner can drive it: plainly over the golden NIC, in a simulator's coroutine over
the RTL.
"""

import random
import zlib
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Protocol, TypeVar

from pymodel.hostmem import HostMemory
from pymodel.ports import DevicePort, Frame
from pymodel.scheduler import Scheduler
from pymodel.simtime import BYTE_TIME_10G, MS, NS, US
from pymodel.task import Task

T = TypeVar("T")
PREAMBLE = 8
"""With the start frame delimiter (IEEE 802.3 §3.1.1)."""


class Bench(Protocol):
    """A NIC after hardware reset with the link up, for one case.

    The NIC has the contract's defaults: MAC 02:00:00:00:00:01, MTU 1500, QueueNumMax 256.
    `sent`: what the NIC put on the wire whole, in order, FCS included. `seed`: for the case's random choices.
    """

    scheduler: Scheduler
    port: DevicePort
    memory: HostMemory
    sent: list[Frame]
    seed: int

    async def wire_send(self, data: bytes, *, bad_fcs: bool = False, gap: int = 12) -> None:
        """Put a frame on the wire towards the NIC, FCS added (wrong with `bad_fcs`), nothing padded.

        `gap`: idle bytes between it and the frame before. Returns when the frame is queued or sent.
        """

    async def run_for(self, ps: int) -> None:
        """Let simulated time pass."""

    def set_link(self, up: bool) -> None:
        """Plug the cable in or pull it."""


class WireSide:
    """The wire of a bench whose `port` is a `WirePort`, too."""

    scheduler: Scheduler
    port: Any
    sent: list[Frame]
    _wire_free = 0

    def plug_in(self) -> None:
        """Listen to the wire, with the link up. A frame that broke off is not `sent`: it comes again."""
        self.sent = []
        self.port.set_wire_handler(lambda frame: None if frame.error else self.sent.append(frame))
        self.port.set_link(True)

    def set_link(self, up: bool) -> None:
        """See `Bench`."""
        self.port.set_link(up)

    async def wire_send(self, data: bytes, *, bad_fcs: bool = False, gap: int = 12) -> None:
        """See `Bench`."""
        fcs = zlib.crc32(data) ^ (0x00800000 if bad_fcs else 0)
        whole = data + fcs.to_bytes(4, "little")
        start = max(self.scheduler.now, self._wire_free + gap * BYTE_TIME_10G)
        end = start + (PREAMBLE + len(whole)) * BYTE_TIME_10G
        self._wire_free = end
        self.port.deliver(Frame(whole, start, end))


Case = Callable[[Bench], Coroutine[Any, Any, None]]

MAC = bytes.fromhex("020000000001")
MTU = 1500
QUEUE_NUM_MAX = 256
MAX_FRAME = 1518
"""Greatest frame without FCS: MTU, Ethernet header and a VLAN tag."""

SETTLE = 20 * US
"""Long enough for anything that is going to happen to have happened."""


async def until(
    bench: Bench,
    condition: Callable[[], bool],
    what: str,
    timeout: int = 2 * MS,
    longest_step: int = 2 * US,
) -> None:
    """Let time pass until `condition()`; AssertionError with `what` after `timeout` ps.

    The condition is looked at every `longest_step` ps at least: shorter for what may be soon over.
    """
    deadline = bench.scheduler.now + timeout
    step = min(100 * NS, longest_step)
    while not condition():
        assert bench.scheduler.now < deadline, f"not within {timeout // US} µs: {what}"
        await bench.run_for(step)
        step = min(step * 2, longest_step)


async def finish(bench: Bench, program: Generator[Any, Any, T], what: str, timeout: int = 5 * MS) -> T:
    """Run a blocking generator on the bench's scheduler to its end; its result."""
    task: Task[T] = Task(bench.scheduler, program, what)
    await until(bench, lambda: task.done, what, timeout)
    return task.result()


def random_frame(rng: random.Random, length: int) -> bytes:
    """`length` >= 14 bytes: a header from another station to the NIC, and random payload."""
    return MAC + bytes.fromhex("020000000002") + b"\x88\xb5" + rng.randbytes(length - 14)


def on_wire(frame: bytes) -> bytes:
    """What a MAC makes of `frame`: padded to 60 bytes (IEEE 802.3 §4.2.3.3), FCS appended (§3.2.9)."""
    padded = frame.ljust(60, b"\0")
    return padded + zlib.crc32(padded).to_bytes(4, "little")
