"""Two hosts on golden NICs and a wire, without a simulator: for scripts, notebooks and quick looks.

    with Lab() as lab:
        lab.b.spawn(server)
        print(lab.run(lab.a.spawn(client)))

Programs are plain functions that `import socket`, or coroutines with `AsyncSocket`. Simulated time passes
only in `run` and `sleep`.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeVar

from pymodel.capture import Capture
from pymodel.host import World
from pymodel.link import Direction, Impairments
from pymodel.ports import Frame
from pymodel.simtime import MS, SEC, US
from pymodel.tcp.profile import LINUX, Profile
from pymodel.wire.oneline import one_line

T_co = TypeVar("T_co", covariant=True)


class Running(Protocol[T_co]):
    """A `Task` or a `Program`."""

    @property
    def done(self) -> bool:
        """It has ended."""

    def result(self) -> T_co:
        """What it returned; raises what it raised."""


class Lab:
    """Hosts `a` (10.0.0.1) and `b` (10.0.0.2), both up, joined by `link`; their names resolve.

    `seed`, `delay` (ps), `impairments`, `profile`: see `pymodel.host.World`. `capture`: a pcapng file for
    every frame as it was sent; its directory is made. `watch` is told of each frame, in one line.
    Leaving the context ends all programs, and raises ProgramFailed if one has raised and nobody has asked
    for its result.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        delay: int = 1 * US,
        impairments: Impairments | None = None,
        profile: Profile = LINUX,
        capture: str | Path | None = None,
        watch: Callable[[str], object] | None = None,
    ) -> None:
        self.world = World.golden(seed=seed, delay=delay, impairments=impairments, profile=profile)
        self.scheduler = self.world.scheduler
        self.a, self.b, self.link = self.world.a, self.world.b, self.world.link
        self._open = ExitStack()
        self._capture = None if capture is None else self._begin(Path(capture))
        self._watch = watch
        self.link.on_frame = self._sent

    def _begin(self, path: Path) -> Capture:
        path.parent.mkdir(parents=True, exist_ok=True)
        capture = self._open.enter_context(Capture(path.open("wb")))
        capture.interface("a")
        return capture

    def _sent(self, direction: Direction, frame: Frame) -> None:
        if self._capture is not None:
            self._capture.frame(0, frame, inbound=direction is Direction.B_TO_A)
        if self._watch is not None:
            self._watch(f"{frame.start / MS:13.6f} ms  {direction.value}  {one_line(frame.data)}")

    def __enter__(self) -> "Lab":
        self.world.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.world.power_off()
        self._open.close()
        if error is None:
            self.world.check_programs()

    @property
    def now(self) -> float:
        """Simulated seconds since the start."""
        return self.scheduler.now / SEC

    def run(self, program: Running[T_co], *, timeout: float = 10_000.0) -> T_co:
        """Let time pass until `program` has ended; its result, or what it raised.

        Raises TimeoutError after `timeout` simulated seconds, or when nothing is left that could happen.
        """
        self.world.run(lambda: program.done, timeout=round(timeout * SEC))
        return program.result()

    def sleep(self, seconds: float) -> None:
        """Let simulated `seconds` pass."""
        self.scheduler.run_until(self.scheduler.now + round(seconds * SEC))
