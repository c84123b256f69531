"""SYN cookies (RFC 4987 §3.6): a half-open connection that lives in its own initial sequence number.

When the SYN queue is full nothing is stored: the SYN,ACK's sequence number holds a keyed hash of the
addresses, the peer's ISN and a minute counter, and what the SYN said. The last ACK of the handshake brings it
back. Linux has room for an MSS only, and puts the other options into the low bits of its timestamp, if the
peer sends those; FreeBSD keeps them in the cookie.
"""

import hashlib
from typing import Final

from pymodel.simtime import SEC
from pymodel.tcp import accecn
from pymodel.tcp.profile import Profile
from pymodel.tcp.seq import MASK
from pymodel.wire.tcp import CWR, ECE, SYN, TcpHeader

_PERIOD: Final = 60 * SEC
_MAX_AGE: Final = 2
"""Periods for which a cookie is good."""
_COUNT_BITS: Final = 5

MSS_TABLE: Final = (536, 1300, 1440, 1460)
"""What an MSS is rounded down to: two bits of the cookie."""
_BSD_MSS: Final = (216, 536, 1200, 1360, 1400, 1440, 1452, 1460)
_BSD_SCALE: Final = (0, 0, 1, 2, 4, 6, 7, 8)
"""tcp_sc_msstab and tcp_sc_wstab: three bits each; the first scale is none at all."""
_BSD_SACK: Final = 1 << 6

STAMP_BITS: Final = 6
"""Of a timestamp in Linux: the peer's window scale (15: none), SACK, ECN."""
_STAMP_NO_SCALE: Final = 15
_STAMP_SACK: Final = 1 << 4
_STAMP_ECN: Final = 1 << 5
_ACCURATE: Final = 3
"""tcp_ecn from which on AccECN is agreed to."""
_BOTH: Final = 3
_ALL: Final = 7
"""ACE of SYNs that ask for ECN and for AccECN."""


def _floor(table: tuple[int, ...], value: int) -> int:
    """Index of the largest entry that is not above `value`."""
    return max((index for index, entry in enumerate(table) if entry <= value), default=0)


def bits(profile: Profile) -> int:
    """How many bits of a cookie say something about the SYN."""
    return 7 if profile.berkeley else 2


def described(profile: Profile, header: TcpHeader) -> int:
    """What a cookie remembers of the SYN in `header`."""
    mss = header.mss or profile.default_mss
    if not profile.berkeley:
        return _floor(MSS_TABLE, mss)
    scaled = profile.window_scaling and header.wscale is not None
    scale = max(_floor(_BSD_SCALE, header.wscale or 0), 1) if scaled else 0
    sack = _BSD_SACK if header.sack_permitted and profile.sack else 0
    return sack | scale << 3 | _floor(_BSD_MSS, mss)


def stamp_bits(profile: Profile, header: TcpHeader) -> int | None:
    """What Linux puts into the timestamp of its SYN,ACK; None if it has none, or needs nothing of it."""
    if profile.berkeley or not profile.timestamps or header.ts_val is None:
        return None
    scaled = profile.window_scaling and header.wscale is not None
    value = min(header.wscale or 0, 14) if scaled else _STAMP_NO_SCALE
    value |= _STAMP_SACK if header.sack_permitted and profile.sack else 0
    accurate = profile.ecn >= _ACCURATE and accecn.asked_by(header)
    asked = accurate or (header.flags & (ECE | CWR) == ECE | CWR and profile.ecn)
    return value | (_STAMP_ECN if asked else 0)


def remembered_syn(profile: Profile, header: TcpHeader) -> TcpHeader:
    """The SYN in `header` without what a cookie would forget."""
    syn = TcpHeader(header.sport, header.dport, header.seq, 0, SYN, header.window)
    syn.mss = header.mss
    if profile.berkeley or stamp_bits(profile, header) is not None:
        syn.ts_val, syn.sack_permitted, syn.wscale = header.ts_val, header.sack_permitted, header.wscale
        syn.flags |= header.flags & (ECE | CWR)
    if profile.ecn >= _ACCURATE and accecn.asked_by(header):
        accecn.set_ace(syn, accecn.ace_of(header))
    return syn


def syn_of(profile: Profile, ack: TcpHeader, data: int, ts_offset: int) -> TcpHeader | None:
    """The SYN that `ack`, with a cookie that says `data`, brings back.

    None if its timestamp speaks of options that are not agreed to now. `ts_offset`: of our timestamps.
    """
    syn = TcpHeader(ack.sport, ack.dport, (ack.seq - 1) & MASK, 0, SYN, ack.window)
    if profile.berkeley:
        syn.mss = _BSD_MSS[data & 7]
        syn.ts_val = ack.ts_val
        syn.sack_permitted = bool(data & _BSD_SACK)
        syn.wscale = _BSD_SCALE[data >> 3 & 7] if data >> 3 & 7 else None
        return syn
    syn.mss = MSS_TABLE[data]
    if ack.ts_val is None or not ack.ts_ecr:
        return syn
    said = (ack.ts_ecr - ts_offset) & MASK
    sack, scale = bool(said & _STAMP_SACK), said & 15
    scaled = scale != _STAMP_NO_SCALE
    if not profile.timestamps or (sack and not profile.sack) or (scaled and not profile.window_scaling):
        return None
    syn.ts_val, syn.sack_permitted = ack.ts_val, sack
    syn.wscale = scale if scaled else None
    if said & _STAMP_ECN:
        # An ACE field that an RFC 3168 peer cannot send (Linux: cookie_accecn_ok).
        accecn.set_ace(syn, _ALL if profile.ecn >= _ACCURATE and accecn.ace_of(ack) > 1 else _BOTH)
    return syn


class SynCookies:
    """Makes and checks cookies; `secret` keys them, `room` bits of each say something."""

    def __init__(self, secret: bytes, room: int) -> None:
        self._key = hashlib.blake2s(secret, person=b"cookie").digest()
        self._room = room
        self._hash_bits = 32 - _COUNT_BITS - room

    def _hash(self, connection: tuple[bytes, int, bytes, int], irs: int, count: int, data: int) -> int:
        laddr, lport, raddr, rport = connection
        message = b"%b%b%b%b%b%b" % (
            laddr,
            raddr,
            lport.to_bytes(2, "big"),
            rport.to_bytes(2, "big"),
            irs.to_bytes(4, "big"),
            (count << self._room | data).to_bytes(8, "big"),
        )
        digest = hashlib.blake2s(message, key=self._key, digest_size=4).digest()
        return int.from_bytes(digest, "big") & (1 << self._hash_bits) - 1

    def make(self, connection: tuple[bytes, int, bytes, int], irs: int, data: int, now: int) -> int:
        """The ISN of a SYN,ACK: 5 bits of time, `data`, and a hash."""
        count = now // _PERIOD
        head = (count & (1 << _COUNT_BITS) - 1) << self._room | data
        return head << self._hash_bits | self._hash(connection, irs, count, data)

    def check(self, connection: tuple[bytes, int, bytes, int], irs: int, iss: int, now: int) -> int | None:
        """The data in `iss` if it is a cookie of ours, not too old; else None."""
        count = now // _PERIOD
        head = iss >> self._hash_bits
        age = (count - (head >> self._room)) & (1 << _COUNT_BITS) - 1
        data = head & (1 << self._room) - 1
        if age > _MAX_AGE or age > count:
            return None
        expected = self._hash(connection, irs & MASK, count - age, data)
        return data if expected == iss & (1 << self._hash_bits) - 1 else None
