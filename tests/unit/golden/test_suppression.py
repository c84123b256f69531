"""Which used slots does the driver want to hear of? Against positions counted without end."""

import pytest

from pymodel.golden.suppression import structure, wants_interrupt
from pymodel.regs import EventFlag


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_named_slot_is_found_if_and_only_if_it_was_passed(size):
    for start in range(4 * size):
        for passed in range(1, size + 1):
            covered = {(p % size, p // size % 2 == 0) for p in range(start, start + passed)}
            for slot in range(size + 2):
                for wrap in (False, True):
                    raw = structure(EventFlag.DESC, slot, wrap)
                    got = wants_interrupt(
                        raw, start % size, start // size % 2 == 0, passed, size, event_idx=True
                    )
                    assert got == ((slot, wrap) in covered), (start, passed, slot, wrap)


def test_flags_of_specification():
    def wants(flags: int, event_idx: bool) -> bool:
        return wants_interrupt(b"\x05\x00" + bytes([flags, 0]), 0, True, 1, 8, event_idx=event_idx)

    assert [wants(flags, False) for flags in (0, 1, 2)] == [True, False, True]
    assert [wants(flags, True) for flags in (0, 1, 2)] == [True, False, False]


def test_structure_has_wrap_counter_in_bit_15():
    assert structure(EventFlag.DESC, 3, True) == bytes.fromhex("03800200")
    assert structure(EventFlag.DISABLE) == bytes.fromhex("00000100")
