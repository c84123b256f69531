"""SYN cookies (RFC 4987 §3.6): a half-open connection that lives in its own initial sequence number.

When the SYN queue is full nothing is stored: the SYN,ACK's sequence number holds a keyed hash of the
addresses, the peer's ISN and a minute counter, and an index of its MSS. The last ACK of the handshake brings
it back. Without timestamps there is no room for more, so window scaling and SACK are not offered with it.
"""

import hashlib
from typing import Final

from pymodel.simtime import SEC
from pymodel.tcp.seq import MASK

_PERIOD: Final = 60 * SEC
_MAX_AGE: Final = 2
"""Periods for which a cookie is good."""

MSS_TABLE: Final = (536, 1300, 1440, 1460)
"""What an MSS is rounded down to: two bits of the cookie."""


class SynCookies:
    """Makes and checks cookies; `secret` keys them."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.blake2s(secret, person=b"cookie").digest()

    def _hash(self, connection: tuple[bytes, int, bytes, int], irs: int, count: int, index: int) -> int:
        laddr, lport, raddr, rport = connection
        message = b"%b%b%b%b%b%b" % (
            laddr,
            raddr,
            lport.to_bytes(2, "big"),
            rport.to_bytes(2, "big"),
            irs.to_bytes(4, "big"),
            (count << 2 | index).to_bytes(8, "big"),
        )
        return int.from_bytes(hashlib.blake2s(message, key=self._key, digest_size=4).digest(), "big")

    def make(self, connection: tuple[bytes, int, bytes, int], irs: int, mss: int, now: int) -> int:
        """The ISN of a SYN,ACK: 5 bits of time, 2 of MSS, 25 of hash."""
        count = now // _PERIOD
        index = max((i for i, size in enumerate(MSS_TABLE) if size <= mss), default=0)
        value = self._hash(connection, irs, count, index) & 0x1FF_FFFF
        return (count & 31) << 27 | index << 25 | value

    def check(self, connection: tuple[bytes, int, bytes, int], irs: int, iss: int, now: int) -> int:
        """The peer's MSS if `iss` is a cookie of ours, not too old; else 0."""
        count = now // _PERIOD
        age = (count - (iss >> 27)) & 31
        index = iss >> 25 & 3
        if age > _MAX_AGE or age > count:
            return 0
        expected = self._hash(connection, irs & MASK, count - age, index) & 0x1FF_FFFF
        return MSS_TABLE[index] if expected == iss & 0x1FF_FFFF else 0
