"""SCM_RIGHTS (unix(7)): descriptors of the sender become open files, those descriptors of the receiver."""

import errno
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pymodel.socket import constants as c
from pymodel.socket.errors import error
from pymodel.socket.file import OpenFile
from pymodel.socket.messages import CMSG_HEADER, Control, SockAddr, check_socket_level, cmsg_space
from pymodel.socket.sock import Message
from pymodel.socket.unixsock import CREDENTIALS, UnixSocket
from pymodel.task import Blocking

if TYPE_CHECKING:
    from pymodel.socket.process import Process

MOST: Final = 253
"""SCM_MAX_FD."""


def send(
    process: "Process",
    sock: UnixSocket,
    data: memoryview,
    flags: int,
    address: SockAddr | None,
    control: Sequence[Control],
) -> Blocking[int]:
    """sendmsg(2) on an AF_UNIX socket. EINVAL, EBADF, EPERM for credentials of somebody else."""
    files = _files(process, control)
    for file in files:
        file.get()
    try:
        return (yield from sock.send_with(data, flags, address, files))
    except BaseException:
        for file in files:
            file.put()
        raise


def _files(process: "Process", control: Sequence[Control]) -> list[OpenFile]:
    check_socket_level(control)
    numbers: list[int] = []
    for level, kind, data in control:
        if level != c.SOL_SOCKET:
            continue
        if kind == c.SCM_RIGHTS:
            numbers += struct.unpack(f"@{len(data) // 4}i", data[: len(data) // 4 * 4])
        elif kind == c.SCM_CREDENTIALS:
            if len(data) != CREDENTIALS.size:
                raise error(errno.EINVAL)
            if process.uid and CREDENTIALS.unpack(data) != process.credentials:
                raise error(errno.EPERM)
    if len(numbers) > MOST:
        raise error(errno.EINVAL)
    return [process.files.get(number) for number in numbers]


def receive(sock: UnixSocket, count: int, flags: int) -> Blocking[tuple[Message, Sequence[OpenFile]]]:
    """recvmsg(2) on an AF_UNIX socket: the message, and the files that came with it."""
    taken = yield from sock.receive_with(count, flags)
    return taken.message, taken.files


def install(
    process: "Process", files: Sequence[OpenFile], control: list[Control], space: int | None, flags: int
) -> int:
    """Give the process descriptors for `files`, as many as fit beside `control`; MSG_CTRUNC if not all do."""
    if space is not None:
        space -= sum(cmsg_space(len(data)) for _, _, data in control)
    room = len(files) if space is None else max(space - CMSG_HEADER, 0) // 4
    numbers: list[int] = []
    for file in files:
        if len(numbers) < room:
            try:
                numbers.append(process.files.install(file, cloexec=bool(flags & c.MSG_CMSG_CLOEXEC)))
            except OSError:
                room = 0
        file.put()
    if numbers:
        control.append((c.SOL_SOCKET, c.SCM_RIGHTS, struct.pack(f"@{len(numbers)}i", *numbers)))
    return c.MSG_CTRUNC if len(numbers) < len(files) else 0
