"""Feature bits: as one number, as the registers have them, and as features."""

from collections.abc import Collection, Iterable

from pymodel.regs import FEATURE_NEEDS, Feature


def features_in(bits: int) -> tuple[Feature, ...]:
    """The features whose bits are set in `bits`, lowest first. Bits without a name are passed over."""
    return tuple(feature for feature in Feature if bits >> feature & 1)


def bits_of(features: Iterable[Feature]) -> int:
    """One number with the bits of `features`, each of which is given once."""
    return sum(1 << feature for feature in features)


def complete(features: Collection[Feature]) -> frozenset[Feature]:
    """`features` without those that may not be accepted, as what they need is not among them (§5.1.3.1)."""
    kept = frozenset(features)
    lacking = kept & {one for one, others in FEATURE_NEEDS.items() if kept.isdisjoint(others)}
    return complete(kept - lacking) if lacking else kept
