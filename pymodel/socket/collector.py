"""The garbage collector finalizes a program's objects only while a program runs.

`__del__` of a program's object may make system calls, and only the program's own thread may do that. So while
any thread of a program is alive, automatic collection rests as long as the scheduler's side has the baton.
What becomes garbage meanwhile is counted all the same, and collected when a program runs next.
"""

import gc


class _Collector:
    def __init__(self) -> None:
        self._threads = 0
        self._wanted = True
        """As the programs, or the interpreter before them, have set it (gc.enable, gc.disable)."""

    def thread_begins(self) -> None:
        """One more thread of a program; called on the scheduler's side."""
        if not self._threads:
            self._wanted = gc.isenabled()
            gc.disable()
        self._threads += 1

    def thread_ended(self) -> None:
        """One less; after the last everything is as it was."""
        self._threads -= 1
        if not self._threads and self._wanted:
            gc.enable()

    def resume(self) -> None:
        """The program's side has the baton."""
        if self._wanted:
            gc.enable()

    def rest(self) -> None:
        """The program's side is about to hand it back."""
        self._wanted = gc.isenabled()
        gc.disable()


collector = _Collector()
