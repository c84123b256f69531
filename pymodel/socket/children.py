"""Who has started whom: children of a process, and how they have ended (waitpid(2))."""

from collections.abc import Callable
from dataclasses import dataclass, field

from pymodel.task import WaitQueue


@dataclass(slots=True)
class Child:
    """A process started by another. `status` as wait(2) gives it, None while it runs.

    `signal(number)` sends it one; nothing happens once it has ended.
    """

    pid: int
    signal: Callable[[int], None]
    status: int | None = None
    ended: WaitQueue = field(default_factory=WaitQueue)


class Children:
    """Those of one process that it has not waited for yet. `told(child)` is called when one has ended."""

    def __init__(self, told: Callable[[Child], None]) -> None:
        self.known: dict[int, Child] = {}
        self.changed = WaitQueue()
        self._told = told

    def add(self, child: Child) -> None:
        """It has been started."""
        self.known[child.pid] = child

    def end(self, child: Child, status: int) -> None:
        """It has ended, and waits to be waited for."""
        if child.status is None:
            child.status = status
            child.ended.wake()
            self.changed.wake()
            self._told(child)

    def take(self, pid: int) -> Child | None:
        """A child that has ended, known no more from now on; `pid` -1: any. ChildProcessError: none such."""
        candidates = [child for child in self.known.values() if pid in (-1, 0, child.pid)]
        if not candidates:
            raise ChildProcessError(10, "No child processes")
        for child in candidates:
            if child.status is not None:
                return self.known.pop(child.pid)
        return None
