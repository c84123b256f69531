"""The proofs' own machinery: plants fit the RTL, and a proof of a broken cell fails."""

from pathlib import Path

import pytest

from tb import toolchain
from tb.formal.proofs import PROOFS
from tb.formal.prove import Proof, available, catch, check
from tb.formal.smtbmc import wanted
from tb.planted import Plant, StalePlant

needs_tools = pytest.mark.skipif(not available(), reason="Yosys and z3 are not installed (make formal)")


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.name)
def test_planted_bug_of_each_proof_fits_the_rtl(proof: Proof) -> None:
    assert proof.plant.file in proof.rtl
    text = (toolchain.RTL / proof.plant.file).read_text()
    assert proof.plant.spoil(text) != text


def test_plant_whose_passage_is_gone_is_refused() -> None:
    plant = Plant("lib/fdw_skid.v", "no such passage", "x")
    with pytest.raises(StalePlant, match="0 times"):
        plant.spoil("module")


def test_names_of_proofs_are_unique() -> None:
    assert len({proof.name for proof in PROOFS}) == len(PROOFS)


@needs_tools
def test_skid_buffer_is_proven_and_a_broken_one_is_not(tmp_path: Path) -> None:
    skid = next(proof for proof in PROOFS if proof.name == "skid")
    proven, caught = check(skid, tmp_path / "good"), catch(skid, tmp_path / "bad")
    assert proven.ok and proven.how.startswith("proven"), proven
    assert caught.ok and "fdw_skid.v" in caught.how, caught


def test_only_the_trace_that_is_read_is_written() -> None:
    asked = [
        "-s",
        "z3",
        "--dump-vcd",
        "t.vcd",
        "--dump-yw",
        "t.yw",
        "--dump-vlogtb",
        "t.v",
        "--dump-smtc",
        "t",
        "d",
    ]
    assert wanted(asked) == ["-s", "z3", "--dump-vcd", "t.vcd", "d"]
