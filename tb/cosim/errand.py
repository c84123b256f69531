"""What a command has done in the simulator, as if it were done in the command itself: with its standard
streams, directory and path of modules there, and with what came of it here.

The command calls `run`; the cocotb test that it names works inside `received`.
"""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from tb import handover, toolchain, verilate
from tb.cosim.build import run_cocotb

_ENVIRONMENT: Final = "FDWIRE_ERRAND"
_OUTCOME: Final = "status.json"

Streams = tuple[IO[str], IO[str], IO[str]]
"""Standard input, output and error."""


class EndedEarly(Exception):
    """The simulator ended with its errand undone; the text is the whole message."""


@dataclass
class Errand:
    """`given`: what the command gave; `where`: the directory of the run; `streams`: the command's own;
    `descriptors`: duplicates of the others that it handed over. `outcome` goes back to it, as JSON.
    """

    given: Any
    where: Path
    streams: Streams
    descriptors: list[int]
    outcome: dict[str, Any] = field(default_factory=dict)


def run(
    module: str,
    given: object,
    *,
    where: Path,
    descriptors: Sequence[int] = (),
    seed: int | None = None,
    simulate: Callable[..., Path] = run_cocotb,
) -> dict[str, Any]:
    """Give the cocotb test in `module` what is `given` (as JSON), run it in directory `where`; its outcome.

    `simulate`: `run_cocotb`, perhaps with more arguments, or another of its kind. Raises PlaceUnusable if
    nothing can be written to `where`, before it or why it ended early; else EndedEarly; ToolMissing,
    BuildFailed.
    """
    outcome = toolchain.writable(where) / _OUTCOME
    outcome.unlink(missing_ok=True)
    sys.stdout.flush()
    with handover.offered([0, 1, 2, *descriptors]) as name:
        handed = {
            "given": given,
            "directory": os.getcwd(),
            "path": sys.path,
            "name": name,
            "count": 3 + len(descriptors),
            "outcome": str(outcome),
        }
        simulate(module, where=where, environment={_ENVIRONMENT: json.dumps(handed)}, seed=seed).unlink(
            missing_ok=True
        )
    if not outcome.is_file():
        toolchain.writable(where)  # or else that is why
        raise EndedEarly(f"the simulation ended early; its log is {where / verilate.LOG}")
    found: dict[str, Any] = json.loads(outcome.read_text())
    return found


@contextlib.contextmanager
def received() -> Generator[Errand, None, None]:
    """In the simulator: inside, all is the command's. The outcome goes back unless something is raised."""
    handed = json.loads(os.environ[_ENVIRONMENT])
    source, out, err, *further = handover.take(handed["name"], handed["count"])
    os.chdir(handed["directory"])
    sys.path[:] = handed["path"]
    before = sys.stdin, sys.stdout, sys.stderr
    with (
        open(source, buffering=1) as stdin,
        open(out, "w", buffering=1) as stdout,
        open(err, "w", buffering=1) as stderr,
    ):
        where = Path(handed["outcome"]).parent
        errand = Errand(handed["given"], where, (stdin, stdout, stderr), further)
        sys.stdin, sys.stdout, sys.stderr = errand.streams
        try:
            yield errand
        finally:
            sys.stdin, sys.stdout, sys.stderr = before
    Path(handed["outcome"]).write_text(json.dumps(errand.outcome))
