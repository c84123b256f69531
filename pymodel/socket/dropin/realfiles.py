"""Real files of a program on their way through simulated AF_UNIX sockets (SCM_RIGHTS).

The simulated kernel knows only its own files. A real one travels as a simulated file that holds a duplicate;
who receives it gets a real descriptor again.
"""

import os
import struct

from pymodel.socket import constants as c
from pymodel.socket.current import current_process
from pymodel.socket.dropin.descriptors import is_simulated, move_up
from pymodel.socket.file import NullFile
from pymodel.socket.messages import Control
from pymodel.task import Blocking


class RealFile(NullFile):
    """A duplicate of a real descriptor, closed with the last reference."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self.real = os.dup(fd)

    def read(self, count: int) -> Blocking[bytes]:
        """read(2) of the real file."""
        yield from ()
        return os.read(self.real, count)

    def write(self, data: memoryview) -> Blocking[int]:
        """write(2) to the real file."""
        yield from ()
        return os.write(self.real, data)

    def seek(self, offset: int, whence: int) -> int:
        """lseek(2)."""
        return os.lseek(self.real, offset, whence)

    def release(self) -> None:
        """Close it."""
        os.close(self.real)


def _numbers(control: Control) -> list[int]:
    level, kind, data = control
    if (level, kind) != (c.SOL_SOCKET, c.SCM_RIGHTS):
        return []
    return list(struct.unpack(f"@{len(data) // 4}i", data[: len(data) // 4 * 4]))


def _pack(numbers: list[int]) -> Control:
    return c.SOL_SOCKET, c.SCM_RIGHTS, struct.pack(f"@{len(numbers)}i", *numbers)


def lend(control: list[Control]) -> list[int]:
    """Replace real descriptors in `control` by simulated ones, to be `end`ed after the call. EBADF."""
    lent: list[int] = []
    files = current_process().files
    for at, piece in enumerate(control):
        numbers = _numbers(piece)
        try:
            for index, number in enumerate(numbers):
                if not is_simulated(number):
                    numbers[index] = files.install(RealFile(number))
                    lent.append(numbers[index])
        except OSError:
            end(lent)
            raise
        if numbers:
            control[at] = _pack(numbers)
    return lent


def end(lent: list[int]) -> None:
    """Close what `lend` has opened."""
    for number in lent:
        current_process().files.remove(number).put()


def landed(control: list[Control]) -> list[Control]:
    """What recvmsg(2) gave, with real descriptors for real files."""
    files = current_process().files
    result: list[Control] = []
    for piece in control:
        numbers = _numbers(piece)
        for index, number in enumerate(numbers):
            file = files.peek(number)
            if isinstance(file, RealFile):
                numbers[index] = move_up(os.dup(file.real))
                files.remove(number).put()
        result.append(_pack(numbers) if numbers else piece)
    return result
