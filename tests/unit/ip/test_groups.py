"""What a host wants of a multicast group is what all its members want together (RFC 3376 §3.2)."""

import pytest

from pymodel.ip.groups import NOBODY, Filter, Groups, Membership

GROUP, ALL_SYSTEMS = bytes((239, 1, 2, 3)), bytes((224, 0, 0, 1))
A, B, C = (bytes((10, 0, 0, n)) for n in (1, 2, 3))


def including(*sources: bytes) -> Membership:
    return Membership(GROUP, "eth0", False, set(sources))


def excluding(*sources: bytes) -> Membership:
    return Membership(GROUP, "eth0", True, set(sources))


# The examples of RFC 3376 §3.2, and the empty cases.
COMBINED = [
    ([], Filter(False, frozenset())),
    ([excluding(A, B), excluding(B, C), including(C)], Filter(True, frozenset({B}))),
    ([excluding(A, B), excluding(B, C), including(B, C)], Filter(True, frozenset())),
    ([including(A, B), including(B, C)], Filter(False, frozenset({A, B, C}))),
    ([excluding()], Filter(True, frozenset())),
    ([including()], Filter(False, frozenset())),
]


@pytest.mark.parametrize(("members", "wanted"), COMBINED)
def test_filter_of_an_interface_lets_in_what_any_member_wants(
    members: list[Membership], wanted: Filter
) -> None:
    told: list[tuple[Filter, Filter]] = []
    groups = Groups(lambda interface, group, old, new: told.append((old, new)))
    for member in members:
        groups.join(member)
    assert groups.filter("eth0", GROUP) == wanted and groups.filter("lo", GROUP) == NOBODY
    for source in (A, B, C):
        assert groups.admits("eth0", GROUP, source) == any(m.admits(source) for m in members)
        assert groups.admits("eth0", GROUP, source) == ((source in wanted.sources) != wanted.exclude)
    for member in members:
        groups.leave(member)
    assert groups.joined("eth0") == [] and not groups.admits("eth0", GROUP, A)
    state = NOBODY
    for old, new in told:  # every change was told, none twice
        assert old == state != new
        state = new
    assert state == NOBODY


def test_what_is_sent_to_all_systems_always_comes_in() -> None:
    groups = Groups(lambda *_: None)
    assert groups.admits("eth0", ALL_SYSTEMS, A) and not groups.admits("eth0", GROUP, A)


def test_membership_that_changes_its_filter_is_told_once() -> None:
    told: list[tuple[Filter, Filter]] = []
    groups = Groups(lambda interface, group, old, new: told.append((old, new)))
    member = excluding()
    groups.join(member)
    groups.change(member, True, {A})
    groups.change(member, True, {A})
    assert told[1:] == [(Filter(True, frozenset()), Filter(True, frozenset({A})))]
    assert not groups.admits("eth0", GROUP, A) and groups.admits("eth0", GROUP, B)
