"""The section about the golden model: what it explains, and where it leads."""

import re

import pytest

from pymodel.simtime import NS, US
from tb import toolchain
from tb.report import golden
from tb.report.markup import Waves

WAVES = Waves(10 * NS, 1 * US, ".venv/bin/fdwire waves --at")


def test_every_kind_of_comparison_that_there_is_is_explained() -> None:
    files = (toolchain.ROOT / "tb" / "lockstep").glob("*.py")
    kinds = {kind for file in files for kind in re.findall(r'counts\["(.*?)"\]', file.read_text())}
    assert kinds == golden.MEANING.keys()


@pytest.mark.parametrize(
    ("report", "shown"),
    [
        ("12.8 ns: frame sent: 3 bytes", ".venv/bin/fdwire waves --at 12.8ns"),
        ("6.4 ns: frame sent: 3 bytes", ""),
        ("1000.4 ns: frame sent: 3 bytes", ""),
        ("a frame was sent", ""),
    ],
)
def test_mismatch_leads_into_the_waves_if_they_are_of_then(report: str, shown: str) -> None:
    section = golden.section(7, 1, [report], {"frames": 7}, WAVES)
    assert re.findall("<code>(.*?)</code>", section) == ([shown] if shown else [])
    assert "<code>" not in golden.section(7, 1, [report], {"frames": 7}, None)


@pytest.mark.parametrize(("wrong", "said"), [(0, " mismatches<"), (1, " mismatch<"), (2, " mismatches<")])
def test_mismatches_are_counted_in_english(wrong: int, said: str) -> None:
    assert said in golden.section(7, wrong, [], {}, None)
