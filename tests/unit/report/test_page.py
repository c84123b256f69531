"""The page of a run that failed, and of one longer than is drawn."""

import re
from typing import Any

import pytest

from pymodel.regs import Feature
from tb.report.markup import Waves
from tb.report.page import NothingToReport, render, write

SUMMARY: dict[str, Any] = {
    "ok": False, "trouble": "GET x: <timed out>", "seed": 9, "features": [Feature.CSUM.name],
    "frames_a_to_b": 7001, "frames_b_to_a": 2, "bytes_a_to_b": 3, "bytes_b_to_a": 4, "simulated_ns": 5,
    "goodput_bps": 0, "cycles": 6, "cycles_per_wall_second": 7, "comparisons": 8, "mismatches": 1,
    "mismatch_reports": ["6.4 ns: used entry: <id> 3"], "waves": "waves.fst",
    "files": [{"name": "GET x", "bytes": 10, "sent": "a", "received": "b"}],
}  # fmt: skip
ARP = (
    "ffffffffffff0200000000010806" + "0001080006040001" + "02000000000" + "10a000001" + "0000000000000a000002"
)


def document(**other: Any) -> dict[str, Any]:
    frames = [[True, 6_400_000, 6_467_200, 64, "", ARP]]
    asked = {"loss": 0.0, "lockstep": True, "plant": "used length"}
    return {
        "asked": asked,
        "compared": {"frames": 8},
        "total": 1,
        "sizes": [[], []],
        "frames": frames,
    } | other


def test_failed_run_says_what_went_wrong_and_what_was_planted_in_text_that_is_no_markup() -> None:
    page = render(SUMMARY, document())
    assert '<span class="bad">failed</span>' in page and "A bug was planted: used length." in page
    assert "GET x: &lt;timed out&gt;" in page and "used entry: &lt;id&gt; 3" in page
    assert "✗ GET x" in page and "agreed everywhere" not in page


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"trouble": ""}, "<p>RTL and golden model differ."),
        ({"trouble": "", "mismatches": 0, "mismatch_reports": []}, "<p>A file did not arrive whole."),
    ],
)
def test_failed_run_says_which_of_both_went_wrong(other: dict[str, Any], said: str) -> None:
    assert said in render(SUMMARY | other, document())


def test_header_leads_to_each_section_and_to_the_command_that_makes_the_run() -> None:
    page = render(SUMMARY, document(asked={"again": "fdwire sim --plant='used length'"}))
    sections = re.findall('<section id="(.*?)">', page)
    assert re.findall('<a href="#(.*?)">', page) == sections and len(sections) == 6
    assert "<code>.venv/bin/fdwire sim --plant=&#x27;used length&#x27;</code>" in page


def test_frame_of_no_connection_is_listed_with_its_time_in_words() -> None:
    page = render(SUMMARY, document())
    assert "<time>6.467</time><span>ARP 1 (request): 00:00:00:00:00:00 10.0.0.2</span>" in page


@pytest.mark.parametrize(("end", "digits"), [(6_467_200, 5), (1_000_006_467_200, 13)])
def test_page_knows_how_wide_its_longest_time_is(end: int, digits: int) -> None:
    page = render(SUMMARY, document(frames=[[True, end - 67_200, end, 64, "", ARP]]))
    assert f'<body style="--digits:{digits}">' in page


@pytest.mark.parametrize(("total", "said"), [(1, False), (7003, True)])
def test_frames_that_are_not_drawn_are_owned_up_to(total: int, said: bool) -> None:
    assert ("Only the first 1 of 7,003 frames" in render(SUMMARY, document(total=total))) is said


def test_run_without_lockstep_does_not_claim_a_comparison() -> None:
    page = render(SUMMARY, document(compared={}, asked={"lockstep": False}))
    assert "not compared with the golden model" in page and "comparisons" not in page


def test_waves_are_named_with_their_span_and_the_command_that_opens_them() -> None:
    page = render(SUMMARY, document(), Waves(0, 200_000_000, "fdwire waves --at"))
    assert "<code>waves.fst</code> are from 0.000 to 200.000 µs" in page
    assert '"waves":[0,200000000,"fdwire waves --at"]' in page
    assert "left no waves" in render(SUMMARY, document()) and '"waves":null' in render(SUMMARY, document())


def test_directory_without_a_run_is_refused_by_the_missing_files_name(tmp_path: Any) -> None:
    with pytest.raises(NothingToReport, match=r"summary\.json is not there"):
        write(tmp_path)
