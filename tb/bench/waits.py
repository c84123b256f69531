"""What a person waits for: the first frame of `make sim`, and a build after one line of the RTL has changed.

Both in wall seconds of this machine at this moment, the second and later time: medians of several.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tb import toolchain

FIRST_FRAME = 3.0
"""s, from `fdwire sim` to the first frame on the wire."""
REBUILD = 30.0
"""s, from a changed line to a simulator that can run."""

_ROUNDS = 3
_CHANGED = "mac/fdw_mac_rx.v"
_CONSTANT = "32'hdebb20e3"
"""What good frames leave in the register of the CRC; what is built with another one is not run."""
_BUILD = (
    "from tb import toolchain, verilate; from tb.cosim.build import spec;"
    "verilate.build(spec(), where=toolchain.BUILD / 'nic')"
)


@dataclass(frozen=True)
class Record:
    """One wait; `limit`: what it should not exceed."""

    name: str
    value: float
    unit: str
    limit: float

    @property
    def met(self) -> bool:
        """The limit is kept."""
        return self.value <= self.limit


def first_frame() -> float:
    """Seconds from the start of the main job's command to its first frame; what it needs is built before.

    Raises RuntimeError when the job failed.
    """
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "tb.cli", "sim", "--bytes", "1000", "--out", out]
        began = time.time()
        done = subprocess.run(command, cwd=toolchain.ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the main job failed: {done.stdout.strip()[-500:]}")
        return float(json.loads((Path(out) / "summary.json").read_text())["first_frame_at"]) - began


def rebuild(number: int) -> float:
    """Seconds to build the simulator without waves when one line of one file of the RTL is another one.

    The compiler's cache has what did not change. `number` makes the change a new one. Raises
    subprocess.CalledProcessError.
    """
    with tempfile.TemporaryDirectory(dir=toolchain.BUILD) as scratch:
        rtl = Path(scratch) / "rtl"
        shutil.copytree(toolchain.RTL, rtl)
        file = rtl / _CHANGED
        before, found, after = file.read_text().partition(_CONSTANT)
        assert found, f"{_CHANGED} has no {_CONSTANT}"
        file.write_text(f"{before}32'd{number}{after}")
        environment = os.environ | {"FDWIRE_RTL": str(rtl), "FDWIRE_BUILD": scratch}
        environment["CCACHE_DIR"] = os.environ.get("CCACHE_DIR", str(toolchain.BUILD / "ccache"))
        words = [sys.executable, "-c", _BUILD]
        began = time.perf_counter()
        subprocess.run(words, cwd=toolchain.ROOT, env=environment, capture_output=True, check=True)
        return time.perf_counter() - began


def measure(say: Callable[[str], None]) -> list[Record]:
    """Both; `say` hears what is under way. Raises RuntimeError or subprocess.CalledProcessError."""
    say("waits: the first frame of the main job")
    first_frame()
    frames = [first_frame() for _ in range(_ROUNDS)]
    say("waits: a build after a changed line")
    rebuild(0)
    seed = time.time_ns()
    builds = [rebuild((seed + number) & 0xFFFF_FFFF) for number in range(_ROUNDS)]
    return [
        Record(
            "first frame of the main job, simulator built",
            round(statistics.median(frames), 2),
            "s",
            FIRST_FRAME,
        ),
        Record("build after one line of the RTL changed", round(statistics.median(builds), 2), "s", REBUILD),
    ]


def to_json(records: list[Record]) -> str:
    """The records as a JSON list."""
    return json.dumps([{**asdict(record), "met": record.met} for record in records], indent=2) + "\n"
