"""Sequence numbers: integers modulo 2^32, compared on the circle (RFC 9293 §3.4).

A sequence number is a plain `int` in 0…2^32-1. Compares hold while the two are less than 2^31 apart,
which window sizes guarantee. Hot paths write ``(a - b) & MASK`` themselves.
"""

from typing import Final

MASK: Final = 0xFFFF_FFFF
HALF: Final = 0x8000_0000


def add(a: int, n: int) -> int:
    """`a` + `n` on the circle; `n` may be negative."""
    return (a + n) & MASK


def diff(a: int, b: int) -> int:
    """How far `a` is after `b`: positive if later, negative if earlier (-2^31…2^31-1)."""
    return ((a - b + HALF) & MASK) - HALF


def lt(a: int, b: int) -> bool:
    """`a` < `b`: `a` comes before `b`."""
    return (a - b) & MASK >= HALF


def le(a: int, b: int) -> bool:
    """`a` =< `b`."""
    return (b - a) & MASK < HALF


def gt(a: int, b: int) -> bool:
    """`a` > `b`."""
    return (b - a) & MASK >= HALF


def ge(a: int, b: int) -> bool:
    """`a` >= `b`."""
    return (a - b) & MASK < HALF


def later(a: int, b: int) -> int:
    """The later of two sequence numbers."""
    return a if (a - b) & MASK < HALF else b
