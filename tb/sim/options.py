"""What the main job is asked to do, handed from the command to the simulator as JSON."""

import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path

ENVIRONMENT = "FDWIRE_JOB"


@dataclass(frozen=True)
class Options:
    """One run. Probabilities are per frame; `out` is an absolute directory; `blob`: random file's bytes."""

    out: str
    seed: int = 1
    blob: int = 1 << 20
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0
    lockstep: bool = True
    plant: str = ""
    """A bug to plant once both hosts are up (`RtlNic.plant`), to see it caught; empty for none."""
    waves: str = ""
    """File name of the waves in `out`, empty for none."""
    waves_last: int = 0
    """The waves are those of so many ps before the first mismatch, or else the end; 0: not so."""
    without: tuple[str, ...] = ()
    """Names of virtio features that host A's driver does not accept."""
    trace: bool = False
    """Leave trace.perfetto-trace in `out`."""
    progress: str = ""
    """A pipe to write progress to, empty for none."""

    def to_json(self) -> str:
        """For the environment of the simulator."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Options":
        """The inverse of `to_json`."""
        values = json.loads(text)
        return cls(**values | {"without": tuple(values["without"])})

    def command(self) -> str:
        """The command that makes this run, but for where it goes and what it records."""
        words = ["fdwire", "sim", f"--seed={self.seed}", f"--bytes={self.blob}"]
        words += [
            f"--{name}={getattr(self, name)}"
            for name in ("loss", "duplicate", "reorder", "corrupt")
            if getattr(self, name)
        ]
        words += [f"--plant={self.plant}"] if self.plant else []
        words += [f"--without={','.join(self.without)}"] if self.without else []
        words += [] if self.lockstep else ["--no-lockstep"]
        return shlex.join(words)

    @property
    def directory(self) -> Path:
        """`out` as a path."""
        return Path(self.out)
