"""Path MTUs learnt from ICMP (RFC 1191 §6.3)."""

from pymodel.ip.pathmtu import EXPIRES, MIN_MTU, PathMtus

DST, OTHER = b"\xc0\0\2\1", b"\xc0\0\2\2"


def test_reduced_path_is_limited_until_it_expires_and_no_other_is() -> None:
    known = PathMtus()
    known.reduce(DST, 740, 1500, 10)
    assert known.limit(DST, 1500, 10) == 740 and known.limit(OTHER, 1500, 10) == 1500
    assert known.limit(DST, 1500, 9 + EXPIRES) == 740 and known.limit(DST, 1500, 10 + EXPIRES) == 1500


def test_message_that_claims_less_than_the_minimum_reduces_to_the_minimum() -> None:
    known = PathMtus()
    known.reduce(DST, 68, 1500, 0)
    assert known.limit(DST, 1500, 0) == MIN_MTU


def test_message_that_claims_more_than_is_used_changes_nothing() -> None:
    known = PathMtus()
    known.reduce(DST, 2000, 1500, 0)
    assert known.limit(DST, 9000, 0) == 9000


def test_cache_forgets_the_oldest_beyond_its_bound() -> None:
    known = PathMtus()
    for n in range(5000):
        known.reduce(n.to_bytes(4, "big"), 1000, 1500, 0)
    assert known.limit((0).to_bytes(4, "big"), 1500, 0) == 1500
    assert known.limit((4999).to_bytes(4, "big"), 1500, 0) == 1000
