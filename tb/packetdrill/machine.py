"""The machine under test, as a runner sees it: a kernel, and a wire that ends at the runner."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pymodel.scheduler import Scheduler
from pymodel.task import Blocking


@dataclass(frozen=True)
class BadAddress:
    """In the place of a buffer of `length` bytes: a pointer to where there is no memory."""

    length: int

    def __len__(self) -> int:
        return self.length


class Machine(Protocol):
    """Everything that happens, happens on `scheduler`; packets are whole IP packets."""

    scheduler: Scheduler

    def start(self, receive: Callable[[int, bytes], None]) -> Blocking[None]:
        """Bring it up. `receive(time, packet)` is called for each packet that it sends."""

    def call(self, name: str, *arguments: Any) -> Blocking[Any]:
        """The system call `name`, in the one process that a script is.

        Arguments and results are those of `pymodel.socket.syscalls.Kernel`; what `write`, `sendto` and
        `sendmsg` send, and the count of `read` and `recv`, may be a `BadAddress`. Raises OSError, or
        ScriptError for a call that is not there.
        """

    def inject(self, packet: bytes) -> Blocking[None]:
        """`packet` arrives; returns when the machine has dealt with it. ScriptError if it cannot be sent."""

    def command(self, text: str) -> Blocking[None]:
        """A shell command. ScriptError for one that is not known, ScriptFailure for one that fails."""

    def wall_clock(self) -> int:
        """The machine's CLOCK_REALTIME now, in ns: what its time stamps count."""

    def stop(self) -> None:
        """Switch it off."""
