"""lwIP's network interface over a `NetDevice`: pbuf chains become descriptor chains, frames become pbufs.

No byte is copied either way. A chain that lwIP sends goes to the driver as an skb whose fragments are the
chain's pieces, where they are; the reference to them is given back when the device has used the descriptors.
A received frame goes to lwIP as custom pbufs over the receive ring's own buffers, which return to the ring's
supply when lwIP, and the program that reads, have let go of them.
"""

from dataclasses import dataclass
from typing import Final

from pymodel.hostmem import HostMemory
from pymodel.lwip.library import u32s, u64s
from pymodel.lwip.stack import LwipStack
from pymodel.netdev import Features, NetDevice
from pymodel.skbuff import MAX_SKB_FRAGS, Page, SkBuff, alloc_skb
from pymodel.wire.eth import HEADER_LEN

__all__ = ["LwipNetif", "NetifStats"]

_ROOM: Final = 64
"""Pieces of a chain that are looked at; longer ones are sent joined."""


@dataclass(slots=True)
class NetifStats:
    """What went between lwIP and the driver."""

    tx_frames: int = 0
    tx_pieces: int = 0
    """pbufs of these, each a descriptor."""
    tx_bytes: int = 0
    tx_copied: int = 0
    """Bytes that had to be joined: more pieces than a frame may have, or a device without scatter-gather."""
    tx_dropped: int = 0
    rx_frames: int = 0
    rx_pieces: int = 0
    rx_bytes: int = 0
    rx_dropped: int = 0
    """lwIP held all its receive pbufs, or was switched off."""
    held: int = 0
    """Received frames whose buffers lwIP or a program has at present."""
    held_peak: int = 0


class _Chain(Page):
    """A pbuf chain as the page of an skb's fragments. It spans host memory: pieces may lie anywhere in it."""

    __slots__ = ("_chain", "_stack")

    def __init__(self, stack: LwipStack, memory: HostMemory, chain: int) -> None:
        self._stack = stack
        self._chain = chain
        self.memory = memory
        self.address = memory.base
        self.size = memory.size
        self.refs = 1

    def put(self) -> None:
        """Drop a reference; the last one gives the chain back to lwIP."""
        self.refs -= 1
        if not self.refs:
            self._stack.free(self._chain)


class LwipNetif:
    """Joins `stack` and `device`. `address` as in ``10.0.0.1/24``; the interface has it from the start."""

    def __init__(
        self, stack: LwipStack, device: NetDevice, address: bytes, prefix: int, gateway: bytes
    ) -> None:
        self.stats = NetifStats()
        self._stack = stack
        self._device = device
        self._memory = stack.memory
        self._held: dict[int, tuple[SkBuff, list[int]]] = {}
        self._token = 0
        self._where = u64s([0] * _ROOM)
        self._lengths = u32s([0] * _ROOM)
        stack.output = self._output
        stack.released = self._released
        device.rx_handler = self._receive
        device.on_carrier = self._carrier
        mask = (0xFFFF_FFFF << 32 - prefix & 0xFFFF_FFFF).to_bytes(4, "big")
        words = [int.from_bytes(word, "little") for word in (address, mask, gateway)]
        stack.library.fdl_up(stack.handle, stack.now, device.mac, device.mtu, *words)
        self._carrier(device.carrier)

    def _carrier(self, up: bool) -> None:
        stack = self._stack
        if stack.running:
            stack.library.fdl_link(stack.handle, stack.now, up)
            stack.check()

    def _output(self, chain: int) -> bool:
        """lwIP sends a frame; it has taken a reference for us. False: dropped."""
        stats = self.stats
        count = self._stack.library.fdl_pieces(chain, _ROOM, self._where, self._lengths)
        if count > _ROOM:
            stats.tx_dropped += 1
            return False
        stats.tx_frames += 1
        stats.tx_pieces += count
        page = _Chain(self._stack, self._memory, chain)
        offset = self._memory.pointer
        pieces = [(self._where[i] - offset, self._lengths[i]) for i in range(count)]
        total = sum(length for _, length in pieces)
        stats.tx_bytes += total
        if count > MAX_SKB_FRAGS or not self._device.features & Features.SG:
            stats.tx_copied += total
            skb = alloc_skb(self._memory, total)
            for at, length in pieces:
                skb.put(length)[:] = page.view(at, length)
        else:
            skb = alloc_skb(self._memory, 0)
            for at, length in pieces:
                skb.add_frag(page, at, length)
        page.put()
        if not self._device.xmit(skb):
            stats.tx_dropped += 1
        return True

    def _receive(self, skb: SkBuff) -> None:
        """The driver has a frame, with the Ethernet header pulled; lwIP takes that off by itself."""
        stack = self._stack
        stats = self.stats
        if not stack.running:
            stats.rx_dropped += 1
            skb.free()
            return
        skb.push(HEADER_LEN)
        segments = skb.segments()
        token = self._token = self._token + 1
        self._held[token] = skb, [len(segments)]
        pointers = u64s([stack.pointer(address) for address, _ in segments])
        lengths = u32s([length for _, length in segments])
        stats.held += 1
        stats.held_peak = max(stats.held_peak, stats.held)
        taken = stack.library.fdl_input(stack.handle, stack.now, token, len(segments), pointers, lengths)
        if taken < 0:
            del self._held[token]
            skb.free()
            stats.held -= 1
            stats.rx_dropped += 1
        else:
            stats.rx_frames += 1
            stats.rx_pieces += len(segments)
            stats.rx_bytes += sum(length for _, length in segments)
        stack.check()

    def _released(self, token: int) -> None:
        skb, pieces = self._held[token]
        pieces[0] -= 1
        if not pieces[0]:
            del self._held[token]
            skb.free()
            self.stats.held -= 1
