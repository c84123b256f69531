"""Data received out of order (RFC 9293 §3.10.7.4 "seventh"), and what SACK says about it (RFC 2018)."""

from bisect import bisect_left
from typing import Final

from pymodel.tcp.seq import MASK

_REPORTED: Final = 4
"""Blocks that are remembered for SACK (Linux: TCP_NUM_SACKS); an option holds no more."""


class _Block:
    __slots__ = ("data", "start")

    def __init__(self, start: int, data: bytearray) -> None:
        self.start = start
        self.data = data


class Reassembly:
    """Blocks of bytes beyond RCV.NXT: sorted, never touching each other. A FIN counts as a byte.

    Inside, positions are distances from one fixed origin, so that nothing wraps. Where segments
    overlap, the bytes that came first are kept: a later segment cannot rewrite what was acknowledged.
    """

    __slots__ = ("_blocks", "_nxt", "_position", "_reported", "held")

    def __init__(self, rcv_nxt: int) -> None:
        self._blocks: list[_Block] = []
        self._nxt = rcv_nxt
        self._position = 0
        self._reported: list[tuple[int, int]] = []
        """What SACK reports, by position, the newest first. As in Linux it is a memory of its own: what was
        pushed out by newer blocks is not reported again until it grows."""
        self.held = 0
        """Bytes held."""

    def __len__(self) -> int:
        return len(self._blocks)

    def _advance(self, rcv_nxt: int) -> None:
        self._position += (rcv_nxt - self._nxt) & MASK
        self._nxt = rcv_nxt

    def insert(self, seq: int, data: bytes | bytearray | memoryview, rcv_nxt: int) -> tuple[int, int] | None:
        """Keep `data`, which begins at `seq` > RCV.NXT and lies in the window.

        The range of it that was held already, as D-SACK reports it (RFC 2883 §4.1, §4.2), or None.
        """
        self._advance(rcv_nxt)
        start = self._position + ((seq - rcv_nxt) & MASK)
        self._report(start, start + len(data))
        blocks = self._blocks
        low = bisect_left(blocks, start, key=lambda block: block.start)
        if low and blocks[low - 1].start + len(blocks[low - 1].data) >= start:
            low -= 1
        end = start + len(data)
        high = low
        while high < len(blocks) and blocks[high].start <= end:
            high += 1
        if low == high:
            blocks.insert(low, _Block(start, bytearray(data)))
            self.held += len(data)
            return None
        twice = self._overlap(blocks[low:high], start, end)
        before = sum(len(block.data) for block in blocks[low:high])
        merged = blocks[low]
        if merged.start > start:
            merged = _Block(start, bytearray())
            rest = blocks[low:high]
        else:
            rest = blocks[low + 1 : high]
        for block in rest:
            self._extend(merged, start, data, block.start)
            merged.data += block.data
        self._extend(merged, start, data, end)
        blocks[low:high] = [merged]
        self.held += len(merged.data) - before
        return twice

    def _report(self, start: int, end: int) -> None:
        """RFC 2018 §4: the block that has just grown comes first."""
        rest = []
        for left, right in self._reported:
            if start <= right and left <= end:
                start, end = min(start, left), max(end, right)
            else:
                rest.append((left, right))
        self._reported = [(start, end), *rest][:_REPORTED]

    def report_place(self, seq: int, n: int, rcv_nxt: int) -> int:
        """Which of the reported blocks `n` bytes at `seq` would join; how many there are if none."""
        self._advance(rcv_nxt)
        start = self._position + ((seq - rcv_nxt) & MASK)
        for place, (left, right) in enumerate(self._reported):
            if start <= right and left <= start + n:
                return place
        return len(self._reported)

    def _overlap(self, blocks: list[_Block], start: int, end: int) -> tuple[int, int] | None:
        """What D-SACK reports of several overlaps: the first (as Linux; RFC 2883 §4 has room for one)."""
        origin = self._nxt - self._position
        for block in blocks:
            left, right = max(block.start, start), min(block.start + len(block.data), end)
            if left < right:
                return (origin + left) & MASK, (origin + right) & MASK
        return None

    @staticmethod
    def _extend(block: _Block, start: int, data: bytes | bytearray | memoryview, upto: int) -> None:
        """Continue `block` with `data` (which begins at `start`) as far as `upto`."""
        have = block.start + len(block.data)
        if have < upto:
            block.data += data[have - start : upto - start]

    def overtaken(self, rcv_nxt: int) -> tuple[int, int] | None:
        """What of the first block text in order has just brought again; None: nothing."""
        self._advance(rcv_nxt)
        if not self._blocks or self._blocks[0].start >= self._position:
            return None
        first, origin = self._blocks[0], self._nxt - self._position
        end = min(first.start + len(first.data), self._position)
        return (origin + first.start) & MASK, (origin + end) & MASK

    def extract(self, rcv_nxt: int) -> bytearray | None:
        """Take the bytes that follow `rcv_nxt` without a gap; None if there are none."""
        self._advance(rcv_nxt)
        found: bytearray | None = None
        blocks = self._blocks
        while blocks and blocks[0].start <= self._position + (len(found) if found else 0):
            block = blocks.pop(0)
            self.held -= len(block.data)
            skip = self._position + (len(found) if found else 0) - block.start
            if skip < len(block.data):
                found = block.data[skip:] if found is None else found + block.data[skip:]
        edge = self._position + (len(found) if found else 0)
        self._reported = [pair for pair in self._reported if pair[0] > edge] if blocks else []
        return found

    def last(self) -> int | None:
        """Sequence number of the block farthest ahead; None: there is none."""
        if not self._blocks:
            return None
        return (self._nxt - self._position + self._blocks[-1].start) & MASK

    def drop_last(self) -> int:
        """Take back the block farthest ahead (RFC 2018 §8 allows it) and all SACK reports; its bytes."""
        n = len(self._blocks.pop().data)
        self.held -= n
        self._reported.clear()
        return n

    def clear(self) -> None:
        """Forget everything: there is nothing behind a FIN."""
        self._blocks.clear()
        self._reported.clear()
        self.held = 0

    def sack_blocks(self, limit: int) -> tuple[tuple[int, int], ...]:
        """Up to `limit` SACK blocks, the one with the newest segment first (RFC 2018 §4)."""
        origin = self._nxt - self._position
        return tuple(
            ((origin + left) & MASK, (origin + right) & MASK) for left, right in self._reported[:limit]
        )

    @property
    def reported(self) -> int:
        """How many blocks SACK reports."""
        return len(self._reported)

    def highest(self) -> int | None:
        """Sequence number behind the last byte held; None: nothing is."""
        if not self._blocks:
            return None
        block = self._blocks[-1]
        return (self._nxt - self._position + block.start + len(block.data)) & MASK

    def covers(self, seq: int, end: int, rcv_nxt: int) -> bool:
        """True if everything from `seq` (>= RCV.NXT) to `end` is held already."""
        self._advance(rcv_nxt)
        start = self._position + ((seq - rcv_nxt) & MASK)
        stop = start + ((end - seq) & MASK)
        return any(b.start <= start and stop <= b.start + len(b.data) for b in self._blocks)
