"""Options of `fdwire tap` and `fdwire vhost-user`, in one object that survives the way into the simulator."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

HOST: Final = "10.0.0.1"
"""The simulated host's address."""
LINUX: Final = "10.0.0.2"
"""The address of whoever is at the other end: the TAP's, the kernel's; or for a vhost-user client to have."""
PREFIX: Final = 24

LONGEST: Final = 256
"""Greatest size of the NIC's rings for our own driver: the RTL's default."""
LONGEST_OF_CLIENT: Final = 1024
"""The same for a vhost-user client's: vhost-user has no message that says how long rings may be, and QEMU's
virtio-mmio tells its guest 1024 (VIRTQUEUE_MAX_SIZE), which Linux' driver takes.
"""


@dataclass(frozen=True)
class Options:
    """`out`: the directory of the capture. `name`: the TAP interface's.

    `words`: a Python program for the host as (kind, target, arguments), see `tb.run.words`; `serve`: the
    directory of its HTTP server. `execute`: a shell command in the namespace, with whose end the run ends;
    `peers`: commands that run beside. `socket`: a vhost-user client's, whose memory the NIC works on (empty:
    our host does); `connect`: the client listens, not we; `tap`: the kernel is at the far end; `without`:
    features that a client is not offered. `loss` to `corrupt`: see `pymodel.link.Impairments`.
    """

    out: str
    nic: str = "golden"
    name: str = "fdwire0"
    seed: int = 1
    lockstep: bool = True
    words: tuple[str, str, tuple[str, ...]] | None = None
    serve: str = ""
    execute: str = ""
    peers: tuple[str, ...] = ()
    socket: str = ""
    connect: bool = False
    tap: bool = True
    without: tuple[str, ...] = ()
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0
    environment: dict[str, str] = field(default_factory=dict)
    """What commands in the namespace get, not the simulator's own."""

    @property
    def directory(self) -> Path:
        """`out` as a path."""
        return Path(self.out)

    @property
    def impaired(self) -> bool:
        """The wire does something to frames."""
        return bool(self.loss or self.duplicate or self.reorder or self.corrupt)

    @property
    def longest_ring(self) -> int:
        """The NIC's parameter QUEUE_NUM_MAX."""
        return LONGEST_OF_CLIENT if self.socket else LONGEST

    def to_json(self) -> str:
        """For the way into the simulator."""
        return json.dumps(vars(self))

    @classmethod
    def from_json(cls, text: str) -> "Options":
        """The inverse of `to_json`."""
        fields = json.loads(text)
        if fields["words"] is not None:
            kind, target, arguments = fields["words"]
            fields["words"] = (kind, target, tuple(arguments))
        fields["peers"] = tuple(fields["peers"])
        fields["without"] = tuple(fields["without"])
        return cls(**fields)
