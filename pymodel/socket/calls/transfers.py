"""sendfile(2), splice(2), tee(2): data from descriptor to descriptor."""

import errno
from typing import TYPE_CHECKING

from pymodel.socket import constants as c
from pymodel.socket.calls.base import Calls
from pymodel.socket.errors import error
from pymodel.socket.file import OpenFile
from pymodel.socket.pipe import PAGE, PipeReader, PipeWriter
from pymodel.socket.regular import RegularFile
from pymodel.socket.sock import Socket
from pymodel.task import Blocking

if TYPE_CHECKING:
    from pymodel.socket.process import Process

SPLICE_FLAGS = c.SPLICE_F_MOVE | c.SPLICE_F_NONBLOCK | c.SPLICE_F_MORE | c.SPLICE_F_GIFT


class TransferCalls(Calls):
    """Calls with a source and a destination."""

    def sendfile(
        self, process: "Process", out: int, source: int, offset: int | None, count: int
    ) -> Blocking[int]:
        """sendfile(2): from the regular file `source`, at `offset` or its own position, to `out`.

        The position moves only if `offset` is None. EBADF, ESPIPE (offset into what has no position),
        EINVAL (a source that is no file, a destination with O_APPEND), and what writing raises.
        """
        with (
            self._file(process, source, c.O_RDONLY) as reading,
            self._file(process, out, c.O_WRONLY) as writing,
            self._sigpipe(process, writing),
        ):
            if not isinstance(reading, RegularFile):
                raise error(errno.EINVAL if offset is None else errno.ESPIPE)
            if writing.append:
                raise error(errno.EINVAL)
            start = reading.position if offset is None else offset
            data = memoryview(reading.pread(count, start))
            sent = (yield from writing.write(data)) if data else 0
            if offset is None:
                reading.position = start + sent
            return sent

    def splice(
        self,
        process: "Process",
        source: int,
        source_offset: int | None,
        out: int,
        out_offset: int | None,
        count: int,
        flags: int = 0,
    ) -> Blocking[int]:
        """splice(2): up to `count` bytes; one side must be a pipe (EINVAL). 0 at the end of the input.

        ESPIPE for an offset into a pipe, EAGAIN with SPLICE_F_NONBLOCK, EPIPE with SIGPIPE.
        """
        if not count:
            return 0
        if flags & ~SPLICE_FLAGS:
            raise error(errno.EINVAL)
        with (
            self._file(process, source, c.O_RDONLY) as reading,
            self._file(process, out, c.O_WRONLY) as writing,
            self._sigpipe(process, writing),
        ):
            nonblock = bool(flags & c.SPLICE_F_NONBLOCK)
            if isinstance(reading, PipeReader):
                if source_offset is not None or (isinstance(writing, PipeWriter) and out_offset is not None):
                    raise error(errno.ESPIPE)
                if isinstance(writing, PipeWriter):
                    return (yield from self._pipe_to_pipe(reading, writing, count, nonblock))
                return (yield from self._from_pipe(reading, writing, out_offset, count, flags))
            if isinstance(writing, PipeWriter):
                if out_offset is not None:
                    raise error(errno.ESPIPE)
                return (yield from self._to_pipe(reading, source_offset, writing, count, nonblock))
            raise error(errno.EINVAL)

    def tee(self, process: "Process", source: int, out: int, count: int, flags: int = 0) -> Blocking[int]:
        """tee(2): copy from pipe to pipe and leave the source as it is; EINVAL."""
        if flags & ~SPLICE_FLAGS:
            raise error(errno.EINVAL)
        if not count:
            return 0
        with (
            self._file(process, source, c.O_RDONLY) as reading,
            self._file(process, out, c.O_WRONLY) as writing,
            self._sigpipe(process, writing),
        ):
            if not isinstance(reading, PipeReader) or not isinstance(writing, PipeWriter):
                raise error(errno.EINVAL)
            nonblock = bool(flags & c.SPLICE_F_NONBLOCK)
            if reading.pipe is writing.pipe:
                raise error(errno.EINVAL)
            if not (yield from reading.wait_data(nonblock)):
                return 0
            yield from writing.wait_room(nonblock)
            return writing.pipe.add(memoryview(reading.pipe.peek(count)))

    def _pipe_to_pipe(
        self, reading: PipeReader, writing: PipeWriter, count: int, nonblock: bool
    ) -> Blocking[int]:
        if reading.pipe is writing.pipe:
            raise error(errno.EINVAL)
        nonblock = nonblock or reading.nonblock or writing.nonblock
        if not (yield from reading.wait_data(nonblock)):
            return 0
        yield from writing.wait_room(nonblock)
        moved = writing.pipe.add(memoryview(reading.pipe.peek(count)))
        reading.pipe.take(moved)
        return moved

    def _from_pipe(
        self, reading: PipeReader, writing: OpenFile, offset: int | None, count: int, flags: int
    ) -> Blocking[int]:
        if writing.append:
            raise error(errno.EINVAL)
        if offset is not None and not isinstance(writing, RegularFile):
            raise error(errno.ESPIPE)
        nonblock = bool(flags & c.SPLICE_F_NONBLOCK) or reading.nonblock
        if not (yield from reading.wait_data(nonblock)):
            return 0
        data = memoryview(reading.pipe.peek(count))
        if isinstance(writing, Socket):
            more = c.MSG_MORE if flags & c.SPLICE_F_MORE else 0
            moved = yield from writing.send(data, more)
        elif isinstance(writing, RegularFile) and offset is not None:
            moved = writing.pwrite(data, offset)
        else:
            moved = yield from writing.write(data)
        reading.pipe.take(moved)
        return moved

    def _to_pipe(
        self, reading: OpenFile, offset: int | None, writing: PipeWriter, count: int, nonblock: bool
    ) -> Blocking[int]:
        if offset is not None and not isinstance(reading, RegularFile):
            raise error(errno.ESPIPE)
        yield from writing.wait_room(nonblock or writing.nonblock)
        room = (writing.pipe.slots - len(writing.pipe.buffers)) * PAGE
        if isinstance(reading, RegularFile) and offset is not None:
            data = reading.pread(min(count, room), offset)
        else:
            data = yield from reading.read(min(count, room))
        return writing.pipe.add(memoryview(data)) if data else 0
