"""What received segments cost in memory, which is what Linux bounds a receive buffer by.

A segment lies in a buffer of its own (`cost`), and a window is promised only as far as there will be memory
for it: `ReceiveMemory.ratio` says how much of 256 bytes is payload, half at first, then as full segments
show it (Linux: sk_rmem_alloc, skb->truesize, scaling_ratio; since 6.6 in place of tcp_adv_win_scale).
"""

from functools import lru_cache
from typing import Final

_HEADROOM: Final = 64
"""NET_SKB_PAD: in front of the IP header."""
_LINE: Final = 64
_SHARED: Final = 320
"""struct skb_shared_info, behind the data."""
_STRUCT: Final = 256
"""struct sk_buff."""
_SMALL: Final = 576
"""The allocator's smallest piece for data; then 1024, 2048 … 8192, then whole pages."""
_LARGEST: Final = 8192
_PAGE: Final = 4096

UNIT: Final = 256
HALF: Final = UNIT // 2
"""TCP_DEFAULT_SCALING_RATIO."""

COLLAPSED: Final = (_PAGE - _SHARED, _STRUCT + _PAGE)
"""Bytes and cost of a buffer that small segments are gathered in when memory is short (tcp_collapse)."""


@lru_cache(maxsize=4096)
def cost(length: int) -> tuple[int, int]:
    """(truesize, bytes left behind the data) of the sk_buff of an IP packet of `length` bytes."""
    need = -(-(_HEADROOM + length) // _LINE) * _LINE + _SHARED
    if need <= _SMALL:
        room = _SMALL
    elif need <= _LARGEST:
        room = 1 << (need - 1).bit_length()
    else:
        room = -(-need // _PAGE) * _PAGE
    return _STRUCT + room, room - _SHARED - _HEADROOM - length


class ReceiveMemory:
    """The memory of one connection's receive queue, and of what waits out of order."""

    __slots__ = ("_queue", "_tail_room", "ahead", "ratio", "used")

    def __init__(self) -> None:
        self.used = 0
        """All of it: sk_rmem_alloc."""
        self.ahead = 0
        """The part that waits out of order."""
        self.ratio = HALF
        self._queue: list[list[int]] = []
        """[bytes unread, cost] of each buffer of the receive queue."""
        self._tail_room = 0

    def window(self, memory: int) -> int:
        """How much payload `memory` bytes are good for (tcp_win_from_space)."""
        return memory * self.ratio >> 8

    def memory(self, window: int) -> int:
        """The opposite (tcp_space_from_win)."""
        return window * UNIT // self.ratio

    def observe(self, n: int, size: int) -> bool:
        """A full segment of `n` bytes costs `size`. True: the ratio is another one now."""
        old = self.ratio
        self.ratio = min(n * UNIT // size, 255) or 1
        return self.ratio != old

    def queued(self, n: int, size: int, room: int) -> None:
        """`n` bytes go to the receive queue, in a buffer that costs `size` with `room` behind its data; or
        into what the last one has left (tcp_try_coalesce)."""
        if self._queue and n <= self._tail_room:
            self._queue[-1][0] += n
            self._tail_room -= n
            return
        self._queue.append([n, size])
        self._tail_room = room
        self.used += size

    def held(self, size: int) -> None:
        """A segment that costs `size` waits out of order."""
        self.ahead += size
        self.used += size

    def released(self, n: int, left: int) -> None:
        """`n` bytes of what waited go to the receive queue; `left` bytes wait still."""
        share = self.ahead if not left else self.ahead * n // (n + left)
        self.ahead -= share
        self._queue.append([n, share])
        self._tail_room = 0

    def released_none(self, n: int, left: int) -> int:
        """`n` bytes of what waited are dropped, `left` wait still; the memory that this frees."""
        share = self.ahead if not left else self.ahead * n // (n + left)
        self.ahead -= share
        self.used -= share
        return share

    def forgotten(self) -> None:
        """Nothing waits out of order any more."""
        self.used -= self.ahead
        self.ahead = 0

    def behind_first(self, n: int) -> int:
        """How many of the first `n` bytes of the receive queue lie behind its first buffer."""
        return max(n - self._queue[0][0], 0) if self._queue else 0

    def read(self, n: int) -> None:
        """`n` bytes have left the receive queue: buffers that are empty are freed."""
        queue = self._queue
        gone = 0
        for entry in queue:
            if n < entry[0]:
                entry[0] -= n
                break
            n -= entry[0]
            self.used -= entry[1]
            gone += 1
        del queue[:gone]
        if not queue:
            self._tail_room = 0

    def collapse(self) -> None:
        """Memory is short: what lies in bad use of its buffers is put into fewer."""
        total = sum(entry[0] for entry in self._queue)
        size, price = COLLAPSED
        better = -(-total // size) * price
        old = sum(entry[1] for entry in self._queue)
        if self._queue and better < old:
            self.used += better - old
            self._queue = [[total, better]]
            self._tail_room = 0

    def drained(self) -> None:
        """Nothing is in the receive queue any more."""
        self._queue.clear()
        self._tail_room = 0
        self.used = self.ahead
