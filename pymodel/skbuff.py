"""`SkBuff`: one packet on its way through the stack, in memory that a device can reach by DMA.

The names and rules are those of Linux's ``struct sk_buff`` (Documentation/networking/skbuff.rst): a
linear area ``head <= data <= tail <= end`` and, after it, fragments of shared pages::

    head        data             tail         end
     | headroom  | linear data    | tailroom   |      + frags[0] + frags[1] + …
                 |<-- headlen --->|                   |<---- data_len ---->|
                 |<--------------------- len ----------------------------->|

All positions are bus addresses. Nothing is copied unless a method says so. A `SkBuff` has one owner at
a time: who takes it (a transmit call, a receive handler) must `free` it. The linear area is reference
counted (clones share it), fragments are counted per page.
"""

import builtins
from collections.abc import Callable
from enum import IntEnum
from typing import Final, Protocol

from mypy_extensions import mypyc_attr

from pymodel.hostmem import HostMemory

__all__ = [
    "MAX_SKB_FRAGS",
    "Checksum",
    "Page",
    "SkBuff",
    "SkbDevice",
    "SkbError",
    "SkbOverPanic",
    "SkbUnderPanic",
    "alloc_skb",
]

MAX_SKB_FRAGS: Final = 17
"""Fragments in one packet (Linux: 64 KiB in 4 KiB pages, plus one for misalignment)."""


class SkbError(Exception):
    """A misuse of a packet buffer: a bug of the caller, never of a peer."""


class SkbOverPanic(SkbError):
    """More was put behind the data than there is room for (Linux: skb_over_panic)."""


class SkbUnderPanic(SkbError):
    """More was pushed in front of the data than there is room for (Linux: skb_under_panic)."""


class SkbDevice(Protocol):
    """What a packet says about its device; `pymodel.netdev.NetDevice` is one."""

    name: str
    mtu: int


class Checksum(IntEnum):
    """`SkBuff.ip_summed` (Linux, include/linux/skbuff.h, "Checksumming of received/transmitted packets")."""

    NONE = 0
    """Nothing was checked (receive), or the checksum is in the packet already (transmit)."""
    UNNECESSARY = 1
    """The device has verified the checksum."""
    COMPLETE = 2
    """The device has summed the whole packet."""
    PARTIAL = 3
    """The sum from `csum_start` on has to be put at `csum_start + csum_offset`."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Page:
    """A reference-counted block of DMA memory, for linear areas and fragments; one reference is its maker's.

    Without `address` it is allocated; else it was, and the page frees it from now on.
    """

    __slots__ = ("address", "memory", "refs", "size")

    def __init__(self, memory: HostMemory, size: int = 4096, address: int | None = None) -> None:
        if address is None:
            address = memory.alloc(size, min(4096, 1 << (size - 1).bit_length()))
        self.memory = memory
        self.address = address
        self.size = size
        self.refs = 1

    def get(self) -> "Page":
        """Take a reference; the page itself. Raises SkbError when it was freed already."""
        if self.refs <= 0:
            raise SkbError(f"page at {self.address:#x} is used after it was freed")
        self.refs += 1
        return self

    def put(self) -> None:
        """Drop a reference; the last one frees the memory. Raises SkbError when there was none."""
        self.refs = refs = self.refs - 1
        if refs > 0:
            return
        if refs < 0:
            self.refs = 0
            raise SkbError(f"page at {self.address:#x} was freed twice")
        self.memory.free(self.address)

    def view(self, offset: int, size: int) -> memoryview:
        """A writable window into the page. Raises SkbError when it leaves the page."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise SkbError(f"{size} bytes at {offset} are outside a page of {self.size}")
        return self.memory.slice(self.address + offset, size)


class SkBuff:
    """One packet. Made by `alloc_skb` or `clone`, ended by `free`.

    `head`, `data`, `tail`, `end`: bus addresses of the linear area. `len`: bytes of the packet; `data_len`:
    those of them in fragments. `mac_header`, `network_header`, `transport_header`: bus addresses or None.
    `csum_start` counts from `head`, `csum_offset` from there (both only with `Checksum.PARTIAL`).
    `gso_type`, `gso_size`, `gso_segs`: as in virtio_net_hdr. `tstamp`: ps. `protocol`: EtherType.
    `destructor(skb)` is called once when this skb (not a clone of it) is freed.
    """

    __slots__ = (
        "_base",
        "_frags",
        "_head",
        "_view",
        "csum_offset",
        "csum_start",
        "data",
        "data_len",
        "destructor",
        "dev",
        "end",
        "gso_segs",
        "gso_size",
        "gso_type",
        "head",
        "ip_summed",
        "len",
        "mac_header",
        "memory",
        "network_header",
        "protocol",
        "tail",
        "transport_header",
        "tstamp",
    )

    def __init__(self, memory: HostMemory, head: Page) -> None:
        self.memory = memory
        self._view = memory.view
        self._base = memory.base
        self._head: Page | None = head
        self._frags: list[tuple[Page, int, int]] | None = None
        self.head = self.data = self.tail = address = head.address
        self.end = address + head.size
        self.len = 0
        self.data_len = 0
        self.mac_header: int | None = None
        self.network_header: int | None = None
        self.transport_header: int | None = None
        self.protocol = 0
        self.dev: SkbDevice | None = None
        self.ip_summed: Checksum = Checksum.NONE
        self.csum_start = 0
        self.csum_offset = 0
        self.gso_type = 0
        self.gso_size = 0
        self.gso_segs = 0
        self.tstamp = 0
        self.destructor: Callable[[SkBuff], None] | None = None

    def __repr__(self) -> str:
        if self._head is None:
            return "<SkBuff freed>"
        return (
            f"<SkBuff len={self.len} data_len={self.data_len} headroom={self.data - self.head} "
            f"tailroom={self.end - self.tail} dataref={self._head.refs}>"
        )

    def __len__(self) -> int:
        return self.len

    def _window(self, address: int, size: int) -> memoryview:
        offset = address - self._base
        return self._view[offset : offset + size]

    def _live(self) -> Page:
        if self._head is None:
            raise SkbError("skb is used after it was freed")
        return self._head

    # --- the linear area ------------------------------------------------------------------------

    @property
    def headlen(self) -> int:
        """Bytes of the packet in the linear area."""
        return self.len - self.data_len

    def headroom(self) -> int:
        """Free bytes in front of the data."""
        return self.data - self.head

    def tailroom(self) -> int:
        """Free bytes behind the data; 0 when there are fragments, as nothing can be put between."""
        return 0 if self.data_len else self.end - self.tail

    def reserve(self, n: int) -> None:
        """Move the start of an empty buffer by `n`, to keep headroom. Raises SkbError, SkbOverPanic."""
        self._live()
        if self.len:
            raise SkbError(f"reserve({n}) on an skb that holds {self.len} bytes")
        if n < 0 or self.tail + n > self.end:
            raise SkbOverPanic(f"reserve({n}): headroom {self.headroom()}, tailroom {self.end - self.tail}")
        self.data += n
        self.tail += n

    def put(self, n: int) -> memoryview:
        """Add `n` bytes behind the data; the window to fill. Raises SkbOverPanic, SkbError (fragments)."""
        tail = self.tail
        if n < 0 or tail + n > self.end or self._head is None:
            self._live()
            raise SkbOverPanic(f"put({n}): len {self.len}, tailroom {self.end - tail}")
        if self.data_len:
            raise SkbError(f"put({n}) on an skb with {self.data_len} bytes in fragments: linearize first")
        self.tail = tail + n
        self.len += n
        offset = tail - self._base
        return self._view[offset : offset + n]

    def push(self, n: int) -> memoryview:
        """Add `n` bytes in front of the data; the window to fill. Raises SkbUnderPanic."""
        data = self.data - n
        if n < 0 or data < self.head or self._head is None:
            self._live()
            raise SkbUnderPanic(f"push({n}): len {self.len}, headroom {self.headroom()}")
        self.data = data
        self.len += n
        offset = data - self._base
        return self._view[offset : offset + n]

    def pull(self, n: int) -> memoryview:
        """Remove `n` bytes from the front; a window of them, valid until the next push or free.

        Bytes that are in fragments are first moved into the linear area (Linux: pskb_may_pull); the
        window is then in a new linear area. Raises SkbUnderPanic when there are fewer than `n` bytes.
        """
        if n < 0 or n > self.len or self._head is None:
            self._live()
            raise SkbUnderPanic(f"pull({n}): the packet has {self.len} bytes")
        if n > self.len - self.data_len:
            self._pull_tail(n)
        data = self.data
        self.data = data + n
        self.len -= n
        offset = data - self._base
        return self._view[offset : offset + n]

    def trim(self, n: int) -> None:
        """Cut the packet to `n` bytes; nothing happens when it is not longer. Raises SkbError for n < 0."""
        self._live()
        if n < 0:
            raise SkbError(f"trim({n})")
        if n >= self.len:
            return
        headlen = self.len - self.data_len
        if n <= headlen:
            self._drop_frags()
            self.tail = self.data + n
        else:
            self._cut_frags(n - headlen)
        self.len = n

    # --- fragments --------------------------------------------------------------------------------

    @property
    def frags(self) -> tuple[tuple[Page, int, int], ...]:
        """The fragments, in order: (page, offset in it, size)."""
        return tuple(self._frags or ())

    def add_frag(self, page: Page, offset: int, size: int) -> None:
        """Append `size` bytes of `page` at `offset`. The skb takes a reference of its own.

        Raises SkbError when the range leaves the page or there are `MAX_SKB_FRAGS` already.
        """
        if self._head is None:
            self._live()
        if offset < 0 or size <= 0 or offset + size > page.size:
            raise SkbError(f"fragment of {size} bytes at {offset} in a page of {page.size}")
        frags = self._frags
        if frags is None:
            frags = self._frags = []
        elif len(frags) >= MAX_SKB_FRAGS:
            raise SkbError(f"more than {MAX_SKB_FRAGS} fragments")
        frags.append((page.get(), offset, size))
        self.data_len += size
        self.len += size

    def _drop_frags(self) -> None:
        for page, _, _ in self._frags or ():
            page.put()
        self._frags = None
        self.len -= self.data_len
        self.data_len = 0

    def _cut_frags(self, keep: int) -> None:
        """Keep the first `keep` bytes (> 0) of the fragments."""
        self.data_len = keep
        frags = self._frags or []
        kept = []
        for page, offset, size in frags:
            if keep <= 0:
                page.put()
            else:
                kept.append((page, offset, min(size, keep)))
                keep -= size
        self._frags = kept

    def _eat_frags(self, n: int) -> builtins.bytes:
        """Remove the first `n` bytes of the fragments and return them."""
        eaten = bytearray()
        rest = []
        for page, offset, size in self._frags or []:
            part = min(size, n - len(eaten))
            eaten += page.view(offset, part)
            if part == size:
                page.put()
            else:
                rest.append((page, offset + part, size - part))
        self._frags = rest or None
        self.data_len -= len(eaten)
        return bytes(eaten)

    def _pull_tail(self, n: int) -> None:
        """Make the first `n` bytes linear (Linux: __pskb_pull_tail)."""
        need = n - (self.len - self.data_len)
        if self._live().refs > 1 or self.tail + need > self.end:
            self._move(self.data - self.head, max(self.end - self.tail, need))
        data = self._eat_frags(need)
        self._window(self.tail, need)[:] = data
        self.tail += need

    def linearize(self) -> None:
        """Move the whole packet into the linear area; it can then be `put` to."""
        self._live()
        if self.data_len:
            self._pull_tail(self.len)

    # --- sharing ------------------------------------------------------------------------------------

    @property
    def cloned(self) -> bool:
        """True while another skb shares the linear area."""
        return self._live().refs > 1

    def clone(self) -> "SkBuff":
        """A second skb over the same bytes, with pointers of its own; the destructor is not inherited."""
        other = SkBuff(self.memory, self._live().get())
        other.data = self.data
        other.tail = self.tail
        other.len = self.len
        other.data_len = self.data_len
        if self._frags:
            other._frags = [(page.get(), offset, size) for page, offset, size in self._frags]
        other.mac_header = self.mac_header
        other.network_header = self.network_header
        other.transport_header = self.transport_header
        other.protocol = self.protocol
        other.dev = self.dev
        other.ip_summed = self.ip_summed
        other.csum_start = self.csum_start
        other.csum_offset = self.csum_offset
        other.gso_type = self.gso_type
        other.gso_size = self.gso_size
        other.gso_segs = self.gso_segs
        other.tstamp = self.tstamp
        return other

    def sibling(self, size: int) -> "SkBuff":
        """A new packet of `size` linear bytes, not written yet, with what this one knows beside its bytes:
        for one with the same headers, behind as much headroom. Raises MemoryError when memory is full.
        """
        memory = self.memory
        headroom = self.data - self.head
        total = headroom + size
        address = memory.alloc(total)
        moved = address - self.head
        other = SkBuff(memory, Page(memory, total, address))
        other.data = address + headroom
        other.tail = other.end
        other.len = size
        if self.mac_header is not None:
            other.mac_header = self.mac_header + moved
        if self.network_header is not None:
            other.network_header = self.network_header + moved
        if self.transport_header is not None:
            other.transport_header = self.transport_header + moved
        other.protocol = self.protocol
        other.dev = self.dev
        other.ip_summed = self.ip_summed
        other.csum_start = self.csum_start
        other.csum_offset = self.csum_offset
        other.tstamp = self.tstamp
        return other

    def _move(self, headroom: int, tailroom: int) -> None:
        """Copy the linear data into an area of its own with that much room (Linux: pskb_expand_head)."""
        old = self._live()
        headlen = self.len - self.data_len
        size = headroom + headlen + tailroom
        address = self.memory.alloc(max(size, 1))
        data = address + headroom
        self._window(data, headlen)[:] = self._window(self.data, headlen)
        delta = data - self.data
        if self.mac_header is not None:
            self.mac_header += delta
        if self.network_header is not None:
            self.network_header += delta
        if self.transport_header is not None:
            self.transport_header += delta
        if self.ip_summed is Checksum.PARTIAL:
            self.csum_start += headroom - (self.data - self.head)
        self._head = Page(self.memory, max(size, 1), address)
        old.put()
        self.head = address
        self.data = data
        self.tail = data + headlen
        self.end = address + size

    def cow(self, headroom: int = 0) -> None:
        """Before writing into headers: a linear area of one's own with at least `headroom` free in front.

        Copies only when a clone shares the area or the room is too small (Linux: skb_cow_head).
        Windows got earlier stay on the old area. Fragments stay shared.
        """
        room = self.data - self.head
        if self._live().refs > 1 or room < headroom:
            self._move(max(room, headroom), self.end - self.tail)

    def free(self) -> None:
        """End this skb; the memory goes when its last user has. Raises SkbError when freed before."""
        head = self._head
        if head is None:
            raise SkbError("skb was freed twice")
        destructor = self.destructor
        if destructor is not None:
            self.destructor = None
            destructor(self)
        self._head = None
        if self._frags:
            self._drop_frags()
        head.put()

    def into_page(self) -> Page:
        """End this skb and keep its linear area as a page, for fragments of another one.

        Raises SkbError when the area is shared, or the skb has fragments or a destructor.
        """
        head = self._live()
        if head.refs > 1 or self._frags or self.destructor is not None:
            raise SkbError("into_page() on an skb that is shared, or has fragments or a destructor")
        self._head = None
        return head

    def join(self, other: "SkBuff", start: int) -> None:
        """Append `other` from `start` on, which is in its linear area, as fragments; consumes it.

        Nothing is copied, and there may be more than `MAX_SKB_FRAGS` afterwards: that is what a device takes,
        and such an skb only goes up (Linux: skb_gro_receive, with its frag_list). Raises SkbError when
        `other` is shared or has a destructor.
        """
        head = other._live()
        if self._head is None or head.refs > 1 or other.destructor is not None:
            self._live()
            raise SkbError("join() of an skb that is shared or has a destructor")
        length = other.len - start
        linear = length - other.data_len
        self.data_len += length
        self.len += length
        frags = self._frags
        if frags is None:
            frags = self._frags = []
        other._head = None
        if linear:
            frags.append((head, other.data + start - head.address, linear))
        else:
            head.put()
        if other._frags:
            frags += other._frags
            other._frags = None

    # --- reading ------------------------------------------------------------------------------------

    def linear(self) -> memoryview:
        """A window of the packet's bytes in the linear area."""
        if self._head is None:
            self._live()
        offset = self.data - self._base
        return self._view[offset : offset + self.len - self.data_len]

    def bytes(self) -> builtins.bytes:
        """A linear copy of the whole packet."""
        linear = self.linear()
        if not self._frags:
            return linear.tobytes()
        view, base = self._view, self._base
        pieces = [linear]
        for page, offset, size in self._frags:
            at = page.address - base + offset
            pieces.append(view[at : at + size])
        return b"".join(pieces)

    def segments(self) -> list[tuple[int, int]]:
        """(bus address, length) of each piece of the packet, in order, for a device to fetch."""
        headlen = self.len - self.data_len
        self._live()
        if not self._frags:
            return [(self.data, headlen)] if headlen else []
        pieces = [(page.address + offset, size) for page, offset, size in self._frags]
        if headlen:
            pieces.insert(0, (self.data, headlen))
        return pieces

    def reset_mac_header(self) -> None:
        """The MAC header begins at the present data."""
        self.mac_header = self.data

    def reset_network_header(self) -> None:
        """The network header begins at the present data."""
        self.network_header = self.data

    def reset_transport_header(self) -> None:
        """The transport header begins at the present data."""
        self.transport_header = self.data


def alloc_skb(memory: HostMemory, size: int, headroom: int = 0) -> SkBuff:
    """An empty skb with room for `headroom` + `size` bytes, the former reserved.

    Raises ValueError for a negative size, MemoryError when host memory is full.
    """
    if size < 0 or headroom < 0:
        raise ValueError(f"alloc_skb(size={size}, headroom={headroom})")
    total = (size + headroom) or 1
    address = memory.alloc(total)
    skb = SkBuff(memory, Page(memory, total, address))
    skb.data = skb.tail = address + headroom
    return skb
