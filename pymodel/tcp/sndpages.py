"""The send buffer of a host whose device takes frames in pieces: bytes in DMA memory, never moved again.

A write is copied once, into pages; what a program lends (MSG_ZEROCOPY, from memory registered for DMA) not at
all. Segments are built of references to both (Linux: sk_page_frag, skb_zerocopy_iter_stream).
"""

from typing import Final

from pymodel.hostmem import HostMemory
from pymodel.skbuff import MAX_SKB_FRAGS, Page
from pymodel.tcp.seq import HALF, MASK
from pymodel.tcp.sndbuf import Chunk, SendBuffer

__all__ = ["LARGE_PAGE", "PAGE", "SMALL_PAGE", "Loan", "PagedSendBuffer"]

PAGE: Final = 4096
LARGE_PAGE: Final = 32_768
"""For a write beyond a page: fewer pieces to a segment (Linux: SKB_FRAG_PAGE_ORDER)."""

SMALL_PAGE: Final = 1024
"""For send buffers of a few segments, of which a large page would hold too much."""


class Loan(Page):
    """Memory of a program's that segments refer to: it is the program's to free."""

    __slots__ = ()

    def __init__(self, memory: HostMemory, address: int, size: int) -> None:
        super().__init__(memory, size, address)

    def put(self) -> None:
        """Drop a reference; nothing is freed."""
        self.refs -= 1


class _Piece:
    __slots__ = ("offset", "page", "size")

    def __init__(self, page: Page, offset: int, size: int) -> None:
        self.page = page
        self.offset = offset
        self.size = size


class PagedSendBuffer(SendBuffer):
    """As `SendBuffer`, in pages of `page_size` bytes from `memory`; a large write gets `LARGE_PAGE`s."""

    __slots__ = ("_at", "_at_seq", "_memory", "_page_size", "_pieces")

    def __init__(self, base: int, memory: HostMemory, page_size: int = PAGE) -> None:
        super().__init__(base)
        self._memory = memory
        self._page_size = page_size
        self._pieces: list[_Piece] = []
        self._at = 0
        self._at_seq = base
        """The piece that was looked at last, and the sequence number of its first byte."""

    def append(self, data: bytes | bytearray | memoryview, continued: bool, *, lent: bool = False) -> Chunk:
        """As `SendBuffer.append`. `lent`: refer to `data` if it lies in DMA memory.

        Where pages are short it takes what it can; MemoryError when that is nothing.
        """
        address = self._memory.address_of(data) if lent and isinstance(data, memoryview) else None
        if address is not None:
            self._pieces.append(_Piece(Loan(self._memory, address, len(data)), 0, len(data)))
        else:
            data = self._copy(memoryview(data))
        self._length += len(data)
        return self._note(continued)

    def lends(self, data: memoryview) -> bool:
        """`data` lies in DMA memory."""
        return self._memory.address_of(data) is not None

    def _copy(self, data: memoryview) -> memoryview:
        """Copy what there is room for; that part of `data`."""
        last = self._pieces[-1] if self._pieces else None
        room = 0
        if last is not None and not isinstance(last.page, Loan):
            room = min(last.page.size - last.offset - last.size, len(data))
        size = self._page_size
        if size == PAGE and len(data) - room > PAGE:
            size = LARGE_PAGE
        pages: list[Page] = []
        try:
            for _ in range(room, len(data), size):
                pages.append(Page(self._memory, size))
        except MemoryError:
            data = data[: room + len(pages) * size]
            if not data:
                raise
        self.copied += len(data)
        if room and last is not None:
            last.page.view(last.offset + last.size, room)[:] = data[:room]
            last.size += room
        for page in pages:
            part = data[room : room + size]
            page.view(0, len(part))[:] = part
            self._pieces.append(_Piece(page, 0, len(part)))
            room += size
        return data

    def _range(self, seq: int, n: int) -> list[tuple[Page, int, int]]:
        """(page, offset, size) of each piece of `n` bytes from `seq` on."""
        pieces, at = self._pieces, self._at
        skip = (seq - self._at_seq) & MASK
        if skip >= HALF:
            at, skip = 0, (seq - self.base) & MASK
        while skip >= pieces[at].size:
            skip -= pieces[at].size
            at += 1
        self._at, self._at_seq = at, (seq - skip) & MASK
        found = []
        while n:
            piece = pieces[at]
            size = piece.size - skip
            if size > n:
                size = n
            found.append((piece.page, piece.offset + skip, size))
            n -= size
            skip = 0
            at += 1
        return found

    def read(self, seq: int, n: int) -> bytearray:
        """A copy of `n` bytes from sequence number `seq` on."""
        self.copied += n
        data = bytearray()
        for page, offset, size in self._range(seq, n):
            data += page.view(offset, size)
        return data

    def reach(self, seq: int, n: int) -> int:
        """As `SendBuffer.reach`: what lies in `MAX_SKB_FRAGS` pieces."""
        return sum(size for _, _, size in self._range(seq, n)[:MAX_SKB_FRAGS])

    def pieces(self, seq: int, n: int) -> list[tuple[Page, int, int]] | None:
        """As `SendBuffer.pieces`. None: they are too many for an sk_buff."""
        found = self._range(seq, n)
        return found if len(found) <= MAX_SKB_FRAGS else None

    def copy(self, room: memoryview, seq: int) -> None:
        """Fill `room` with bytes from `seq` on."""
        room[:] = self.read(seq, len(room))

    def acknowledge(self, seq: int) -> int:
        """As `SendBuffer.acknowledge`. Pages that the device still has stay until it has sent them."""
        n = min((seq - self.base) & MASK, self._length)
        self.base = (self.base + n) & MASK
        self._length -= n
        pieces = self._pieces
        gone, left = 0, n
        while left and left >= pieces[gone].size:
            left -= pieces[gone].size
            pieces[gone].page.put()
            gone += 1
        del pieces[:gone]
        if left:
            pieces[0].offset += left
            pieces[0].size -= left
        self._at -= gone
        if self._at <= 0:
            self._at, self._at_seq = 0, self.base
        return n

    def clear(self) -> None:
        """Forget everything."""
        while self._pieces:
            self._pieces.pop().page.put()
        self._at, self._at_seq = 0, self.base
        self._length = 0
        self.chunks.clear()
