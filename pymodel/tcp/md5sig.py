"""TCP MD5 signatures (RFC 2385): each segment of a connection with a key carries a digest that proves it.

A segment whose digest is missing, wrong or unexpected is dropped without an answer (§2.0, §4.1). RFC 5925 has
superseded it, but routers still use it.
"""

import hashlib
from typing import TYPE_CHECKING, Final

from pymodel.wire.tcp import HEADER_LEN, PROTO, TcpHeader

if TYPE_CHECKING:
    from pymodel.tcp.options import TcpOptions

OPTION_LEN: Final = 20
"""Bytes that the option takes, two NOPs in front of it."""
DIGEST_AT: Final = HEADER_LEN + 4
"""Where the digest lies: the option is the first."""
KEY_MAX: Final = 80
"""TCP_MD5SIG_MAXKEYLEN of Linux."""


def digest(
    src: bytes, dst: bytes, header: bytes, length: int, payload: bytes | bytearray | memoryview, key: bytes
) -> bytes:
    """§2.0: over pseudo-header, the TCP header without options and with checksum 0, payload and key.

    `header`: the first 20 bytes; `length`: of the whole segment.
    """
    made = hashlib.md5(usedforsecurity=False)
    if len(src) == 4:
        made.update(src + dst + bytes((0, PROTO)) + length.to_bytes(2, "big"))
    else:
        made.update(src + dst + length.to_bytes(4, "big") + bytes((0, 0, 0, PROTO)))
    made.update(header[:16] + bytes(2) + header[18:HEADER_LEN])
    made.update(payload)
    made.update(key)
    return made.digest()


def refused(
    options: "TcpOptions | None", header: TcpHeader, data: memoryview | bytes, src: bytes, dst: bytes
) -> str:
    """Why the segment `data` is dropped, as a name to count by; "": it is not. `options`: its receiver's."""
    key = options.md5_keys.get(src) if options is not None and options.md5_keys else None
    if key is None:
        return "" if header.md5 is None else "md5_unexpected"
    if header.md5 is None:
        return "md5_missing"
    made = digest(src, dst, bytes(data[:HEADER_LEN]), len(data), data[header.header_len :], key)
    return "" if made == header.md5 else "md5_wrong"
