"""Programs of the machine that a simulated one starts: they run beside the simulation, in real time.

Their standard streams lead to the simulated files by real pipes, which are served in steps. While nothing
comes, the simulation waits `PATIENCE` of real time at each step, and its clock goes on by as much as the real
one has: so neither runs away from the other.
"""

import os
import select
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from pymodel.scheduler import Scheduler
from pymodel.simtime import MS, SEC
from pymodel.socket.asyncsocket import at_once
from pymodel.socket.dropin.descriptors import StandardStream
from pymodel.socket.dropin.realfiles import RealFile
from pymodel.socket.file import OpenFile

T = TypeVar("T")

STEP = MS
"""Of simulated time, at least."""
PATIENCE = 0.001
"""Seconds."""
_CHUNK = 4096


class External:
    """A running program. `files`: 0, 1 and 2, None: closed. `on_end(status)` is told as wait(2) tells it.

    OSError as `subprocess.Popen`.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        argv: list[str],
        executable: str,
        directory: str,
        environment: dict[bytes, bytes],
        files: Mapping[int, OpenFile | None],
    ) -> None:
        self.on_end: Callable[[int], None] = lambda status: None
        self._scheduler = scheduler
        same = files[2] is not None and files[2] is files[1]
        streams = [_stream(number, files[number]) for number in range(3)]
        self._program = subprocess.Popen(
            argv,
            executable=executable,
            cwd=directory,
            env=environment,
            stdin=streams[0],
            stdout=streams[1],
            stderr=subprocess.STDOUT if same else streams[2],
        )
        self._input = (self._program.stdin, files[0])
        outputs = ((self._program.stdout, files[1]), (self._program.stderr, files[2]))
        self._outputs = {stream.fileno(): (stream, file) for stream, file in outputs if stream and file}
        self._waiting: dict[int, bytes] = {}
        """What has come of an output and found no room yet."""
        held = {id(file): file for file in files.values() if file is not None}
        self._held = list(held.values())
        for file in self._held:
            file.get()
        for stream in (self._program.stdin, self._program.stdout, self._program.stderr):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
        self._ended = False
        """What it has written may still be on its way, or processes of its own may write more."""
        self._rest = b""
        self._looked = time.monotonic()
        scheduler.after(STEP, self._step)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._program.send_signal(number)

    def _step(self) -> None:
        moved = self._feed()
        moved |= self._drain()
        status = self._program.poll()
        if status is not None and not self._ended:
            self._ended = True
            while self._drain():
                pass
            self.on_end(-status if status < 0 else status << 8)
        if self._ended and not self._outputs:
            self._close()
            return
        if not moved:
            select.select(list(self._outputs), [], [], PATIENCE)
        now = time.monotonic()
        passed, self._looked = now - self._looked, now
        self._scheduler.after(max(STEP, round(passed * SEC)), self._step)

    def _feed(self) -> bool:
        stream, file = self._input
        if stream is None or file is None:
            return False
        if not self._rest:
            data = _attempt(file, lambda: at_once(file.read(_CHUNK)))
            if data is None:
                return False
            if not data:
                stream.close()
                self._input = (None, None)
                return True
            self._rest = data
        try:
            self._rest = self._rest[os.write(stream.fileno(), self._rest) :]
        except BlockingIOError:
            return False
        except OSError:
            stream.close()
            self._input = (None, None)
        return True

    def _drain(self) -> bool:
        moved = False
        for fd, (stream, file) in list(self._outputs.items()):
            data = self._waiting.pop(fd, b"")
            if not data:
                try:
                    data = os.read(fd, _CHUNK)
                except BlockingIOError:
                    continue
                if not data:
                    stream.close()
                    del self._outputs[fd]
                    continue
            moved = True
            view = memoryview(data)
            try:
                written = _attempt(file, lambda file=file, view=view: at_once(file.write(view)))  # type: ignore[misc]
            except OSError:
                stream.close()  # nobody reads it: the program gets SIGPIPE
                del self._outputs[fd]
                continue
            if (written or 0) < len(data):
                self._waiting[fd] = data[written or 0 :]
                moved = bool(written)
        return moved

    def _close(self) -> None:
        stream, _ = self._input
        if stream is not None:
            stream.close()
        for file in self._held:
            file.put()


def _stream(number: int, file: OpenFile | None) -> int | None:
    if file is None:
        return subprocess.DEVNULL
    if isinstance(file, StandardStream):
        return None
    return file.real if isinstance(file, RealFile) else subprocess.PIPE


def _attempt(file: OpenFile, call: Callable[[], T]) -> T | None:
    """What a call on `file` gives now; None if it would block."""
    before, file.nonblock = file.nonblock, True
    try:
        return call()
    except BlockingIOError:
        return None
    finally:
        file.nonblock = before
