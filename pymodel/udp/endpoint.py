"""One end of UDP: the association, the receive queue and its bound, the pending error.

What a socket holds (`struct udp_sock`). Buffers are accounted in `truesize`, as Linux does: a queue of
empty datagrams takes memory, too.
"""

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

BUFFER_DEFAULT: Final = 212_992
"""net.core.rmem_default and wmem_default, in bytes of truesize."""

_SKB: Final = 256
"""`struct sk_buff`, cache-aligned."""
_SHARED_INFO: Final = 320
"""`struct skb_shared_info` at the end of every buffer."""
_SMALL: Final = 576
"""What `skb_small_head_cache` hands out."""
_BEFORE: Final = 28 + 31
"""IP and UDP header, link header and alignment (`__ip_append_data`)."""
_LINEAR_MOST: Final = 16_384 - _SHARED_INFO
"""SKB_MAX_ALLOC: a longer datagram has its data in page fragments."""


def truesize(length: int) -> int:
    """What a datagram of `length` bytes is charged to a buffer: `skb->truesize` of one sent over loopback.

    Its buffer is of the smallest size class that holds the data, the headers and the end.
    """
    if length + _BEFORE >= _LINEAR_MOST:
        return _SKB + _SMALL + length
    need = (length + _BEFORE + 63 & ~63) + _SHARED_INFO
    return _SKB + (_SMALL if need <= _SMALL else 1 << (need - 1).bit_length())


class Datagram(NamedTuple):
    """What was received: its data, the sender's (address, port), and what the IP header said.

    `interface`: the name of the device it came in by.
    """

    data: bytes
    sender: tuple[bytes, int]
    destination: tuple[bytes, int] = (bytes(4), 0)
    ttl: int = 0
    tos: int = 0
    interface: str = ""


class Refusal(NamedTuple):
    """An error that was reported about a datagram sent, for who wants to know all of it (IP_RECVERR).

    `number`: errno; `kind`, `code`, `info`, `offender`: of the ICMP message; `payload`: what it quotes of the
    datagram to `destination`.
    """

    number: int
    kind: int
    code: int
    info: int
    offender: bytes
    destination: tuple[bytes, int]
    payload: bytes


class Event(Enum):
    """What an endpoint tells its owner of."""

    DATA = 1
    """A datagram was queued."""
    ERROR = 2
    """There is a pending error."""
    ROOM = 3
    """Something sent has left the host."""


class Endpoint:
    """Bound to `local` if its port is not 0 (by `UdpLayer.bind`); connected if `remote` is not None.

    `tell` is called for every `Event`. `refused`, if it is set, for every error reported by ICMP, whether the
    endpoint is connected or not. `rcvbuf` and `sndbuf` are
    bytes of truesize. `share`: divide the senders with others of this kind at the same address and port
    (SO_REUSEPORT). `arrivals` counts datagrams queued so far; `drops` those that found no room.
    """

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self.tell = tell
        self.refused: Callable[[Refusal], None] | None = None
        self.local: tuple[bytes, int] = (bytes(4), 0)
        self.remote: tuple[bytes, int] | None = None
        self.rcvbuf = BUFFER_DEFAULT
        self.sndbuf = BUFFER_DEFAULT
        self.share = False
        self.admits: Callable[[Datagram], bool] = lambda datagram: True
        """Whether it takes a datagram that was sent to a multicast group (ip_mc_sf_allow)."""
        self.error = 0
        self.arrivals = 0
        self.drops = 0
        self.sending = 0
        """Truesize of what was sent and has not left the host's queues yet (sk_wmem_alloc)."""
        self.received: deque[Datagram] = deque()
        """What waits for `receive`, oldest first."""
        self._held = 0

    @property
    def pending(self) -> int:
        """Datagrams that wait for `receive`."""
        return len(self.received)

    @property
    def held(self) -> int:
        """Truesize of what waits."""
        return self._held

    @property
    def next_length(self) -> int:
        """Bytes in the next datagram (FIONREAD, udp(7)); 0 if there is none."""
        return len(self.received[0].data) if self.received else 0

    @property
    def has_room(self) -> bool:
        """Whether a sender may go on (sock_alloc_send_pskb)."""
        return self.sending < self.sndbuf

    @property
    def writable(self) -> bool:
        """Whether poll(2) calls it writable: half of the buffer is free (sock_writeable)."""
        return self.sending < self.sndbuf // 2

    def score(self, local: bytes, sender: tuple[bytes, int]) -> int:
        """How well a datagram from `sender` to address `local` fits; -1: not at all (compute_score).

        The port has been compared. A connected endpoint beats a bound one, that beats one bound to any.
        """
        score = 0
        if any(self.local[0]):
            if self.local[0] != local:
                return -1
            score += 1
        if self.remote is not None:
            if self.remote != sender:
                return -1
            score += 2
        return score

    def deliver(self, datagram: Datagram) -> bool:
        """Queue `datagram`; False if the buffer is full. An empty one takes a datagram of any size."""
        size = truesize(len(datagram.data))
        if self._held and self._held + size > self.rcvbuf:
            self.drops += 1
            return False
        self._held += size
        self.received.append(datagram)
        self.arrivals += 1
        self.tell(Event.DATA)
        return True

    def receive(self) -> Datagram | None:
        """The oldest datagram; None if there is none."""
        if not self.received:
            return None
        datagram = self.received.popleft()
        self._held -= truesize(len(datagram.data))
        return datagram

    def fail(self, error: int) -> None:
        """Report `error` to the next call."""
        self.error = error
        self.tell(Event.ERROR)

    def take_error(self) -> int:
        """The pending errno, cleared; 0: none."""
        error, self.error = self.error, 0
        return error

    def sent(self, size: int) -> None:
        """`size` bytes of truesize have left the host's queues."""
        self.sending -= size
        self.tell(Event.ROOM)
