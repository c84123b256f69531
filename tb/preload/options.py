"""Options of `fdwire run -- PROGRAM`, in one object that survives the way into the simulator."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Options:
    """`words`: the program and its arguments, on `host` ("a" or "b"). `peers`: shell commands on the other
    host, `beside`: on the same, both ended with the run. `out`: the directory of the capture.
    """

    words: tuple[str, ...]
    out: str
    nic: str = "golden"
    host: str = "a"
    seed: int = 1
    peers: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    sockets: bool = False
    library: str = ""
    """The shim, once it is built."""
    environment: dict[str, str] = field(default_factory=dict)
    """What the programs get, not the simulator's own."""

    @property
    def directory(self) -> Path:
        """`out` as a path."""
        return Path(self.out)

    def to_json(self) -> str:
        """For the way into the simulator."""
        return json.dumps(vars(self))

    @classmethod
    def from_json(cls, text: str) -> "Options":
        """The inverse of `to_json`."""
        fields: dict[str, Any] = json.loads(text)
        for key in ("words", "peers", "beside"):
            fields[key] = tuple(fields[key])
        return cls(**fields)
