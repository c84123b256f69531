"""The send buffer: bytes that the user wrote and the peer has not acknowledged, and where writes ended.

As Linux's write queue of sk_buffs, what is unsent is held in chunks: a write fills the last chunk up to the
size goal and then begins another. A chunk's end is where PSH goes (RFC 9293 §3.9.1.2); no segment spans two.
"""

from typing import Final

from pymodel.skbuff import Page
from pymodel.tcp.seq import HALF, MASK

PIECE: Final = 65_536
"""Bytes that are kept together at most. A single bytearray would move all of its bytes when it grows."""


class Chunk:
    """Unsent bytes up to `end`; `push`: its last segment carries PSH; `eor`: nothing may join it."""

    __slots__ = ("end", "eor", "push")

    def __init__(self, end: int) -> None:
        self.end = end
        self.push = False
        self.eor = False


class SendBuffer:
    """A byte string whose first byte has sequence number `base`. `len()` is what is held.

    `copied`: bytes that the processor has moved, into the buffer and out of it into segments.
    """

    __slots__ = ("_front", "_held", "_length", "base", "chunks", "copied")

    def __init__(self, base: int) -> None:
        self.base = base
        # Lists, though they are queues: short ones, and an empty deque takes 760 bytes.
        self.chunks: list[Chunk] = []
        self.copied = 0
        self._held: list[bytearray] = []
        self._front = 0
        """Bytes of the first piece that are gone."""
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def end(self) -> int:
        """Sequence number behind the last byte."""
        return (self.base + self._length) & MASK

    def tail(self, snd_nxt: int) -> int:
        """Unsent bytes in the last chunk; 0: there is none that takes more."""
        chunks = self.chunks
        if not chunks or chunks[-1].eor:
            return 0
        start = chunks[-2].end if len(chunks) > 1 else snd_nxt
        return (chunks[-1].end - start) & MASK

    def append(self, data: bytes | bytearray | memoryview, continued: bool, *, lent: bool = False) -> Chunk:
        """Copy `data` behind what is there: into the last chunk if `continued`, else into a new one.

        `lent`: `data` stays as it is until it was acknowledged, and may be referred to; not here.
        """
        size = len(data)
        held = self._held
        at = 0
        if held:
            at = min(PIECE - len(held[-1]), size)
            if at > 0:
                held[-1] += data[:at]
        while at < size:
            held.append(bytearray(data[at : at + PIECE]))
            at += PIECE
        self._length += size
        self.copied += size
        return self._note(continued)

    def _note(self, continued: bool) -> Chunk:
        if continued:
            chunk = self.chunks[-1]
            chunk.end = self.end
            chunk.push = False
        else:
            chunk = Chunk(self.end)
            self.chunks.append(chunk)
        return chunk

    def read(self, seq: int, n: int) -> bytearray:
        """A copy of `n` bytes from sequence number `seq` on."""
        data = bytearray(n)
        self.copy(memoryview(data), seq)
        return data

    def lends(self, data: memoryview) -> bool:
        """`append` refers to `data` when it is lent."""
        return False

    def reach(self, seq: int, n: int) -> int:
        """Of the `n` bytes from `seq` on, how many `pieces` can give to one sk_buff, or be copied into it."""
        return n

    def pieces(self, seq: int, n: int) -> list[tuple[Page, int, int]] | None:
        """(page, offset, size) of each fragment that the `n` bytes from `seq` on make; None: `copy` them."""
        return None

    def copy(self, room: memoryview, seq: int) -> None:
        """Fill `room` with bytes from `seq` on."""
        skip = ((seq - self.base) & MASK) + self._front
        done, size = 0, len(room)
        for piece in self._held:
            if skip >= len(piece):
                skip -= len(piece)
                continue
            with memoryview(piece) as held:
                part = held[skip : skip + size - done]
                room[done : done + len(part)] = part
                done += len(part)
                part.release()
            if done == size:
                break
            skip = 0
        self.copied += size

    def grow(self, n: int) -> None:
        """Move up to `n` bytes from the second chunk to the first, so that they leave in one go (Linux:
        tcp_grow_skb). A record's end stays what it is."""
        first, second = self.chunks[0], self.chunks[1]
        if first.eor:
            return
        left = (second.end - first.end) & MASK
        if n < left:
            first.end = (first.end + n) & MASK
            return
        first.end = second.end
        first.push |= second.push
        first.eor = second.eor
        del self.chunks[1]

    def sent(self, upto: int) -> None:
        """Everything before sequence number `upto` was sent once."""
        chunks = self.chunks
        while chunks and (upto - chunks[0].end) & MASK < HALF:
            del chunks[0]

    def acknowledge(self, seq: int) -> int:
        """Drop everything before `seq`; how many bytes that was. A FIN's number counts for none."""
        n = min((seq - self.base) & MASK, self._length)
        self._length -= n
        self._front += n
        held = self._held
        while held and self._front >= len(held[0]):
            self._front -= len(held.pop(0))
        self.base = (self.base + n) & MASK
        return n

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()
        self._front = self._length = 0
        self.chunks.clear()
