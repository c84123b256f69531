"""Initial sequence numbers and timestamp offsets: keyed, clock-driven, unguessable from outside."""

import hashlib
from typing import Final

from pymodel.simtime import US
from pymodel.tcp.seq import MASK

_TICK: Final = 4 * US
"""M of RFC 6528 §3 ticks every 4 µs."""


class IsnGenerator:
    """ISN = M + F(4-tuple, secret) of RFC 6528 §3; F is keyed BLAKE2s. Same secret, same numbers."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.blake2s(secret).digest()

    def _hash(self, use: bytes, laddr: bytes, lport: int, raddr: bytes, rport: int) -> int:
        message = b"%b%b%b%b" % (laddr, raddr, lport.to_bytes(2, "big"), rport.to_bytes(2, "big"))
        digest = hashlib.blake2s(message, key=self._key, person=use, digest_size=4).digest()
        return int.from_bytes(digest, "big")

    def isn(self, now: int, laddr: bytes, lport: int, raddr: bytes, rport: int) -> int:
        """The sequence number of a SYN sent at `now` (ps)."""
        return (now // _TICK + self._hash(b"isn", laddr, lport, raddr, rport)) & MASK

    def timestamp_offset(self, laddr: bytes, lport: int, raddr: bytes, rport: int) -> int:
        """What is added to the timestamp clock of this 4-tuple (RFC 7323 §7.1, "Privacy considerations")."""
        return self._hash(b"ts", laddr, lport, raddr, rport)
