"""Timing diagrams: levels and boxes stand where the waves have them."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tb.waves import timing
from tb.waves.wavefile import WaveFile

VCD = """$timescale 1ps $end
$scope module fdw_tb $end
$var wire 1 a valid $end
$var wire 4 b id [3:0] $end
$var wire 8 c txc [7:0] $end
$upscope $end
$enddefinitions $end
#0
0a
b0 b
b11111111 c
#100000
1a
b10 b
#140000
b11 b
#200000
0a
b1 c
#320000
b11111111 c
#400000
1a
"""


@pytest.fixture
def waves(tmp_path: Path) -> WaveFile:
    path = tmp_path / "waves.vcd"
    path.write_text(VCD)
    return WaveFile(path)


def test_level_is_high_while_the_signal_is_not_at_rest(waves: WaveFile) -> None:
    row = timing.level(waves, "sent", "fdw_tb.txc", rest=0xFF)
    assert row.spans == (timing.Span(200_000, 320_000),)


def test_bus_has_a_box_for_each_value_while_it_is_valid(waves: WaveFile) -> None:
    row = timing.bus(waves, "who", "fdw_tb.valid", "fdw_tb.id", {2: "two"})
    assert row.spans == (timing.Span(100_000, 140_000, "two"), timing.Span(140_000, 200_000, "3"))


def test_picture_is_well_formed_and_its_edges_are_to_scale(waves: WaveFile) -> None:
    rows = [
        timing.level(waves, "sent & <more>", "fdw_tb.txc", rest=0xFF),
        timing.bus(waves, "who", "fdw_tb.valid", "fdw_tb.id", {2: "two"}),
    ]
    root = ElementTree.fromstring(timing.svg("a title", rows, 50_000, 350_000))
    line = next(each for each in root.iter() if each.tag.endswith("polyline"))
    xs = sorted({float(x) for x, _ in re.findall(r"([\d.]+),(\d+)", line.get("points") or "")})
    start, rise, fall, end = xs
    assert (rise - start) / (end - start) == pytest.approx(150 / 300, abs=0.001)
    assert (fall - start) / (end - start) == pytest.approx(270 / 300, abs=0.001)
    assert "sent & <more>" in [each.text for each in root.iter()]
    assert "two" in [each.text for each in root.iter()]


def test_waves_without_a_frame_are_refused_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert timing.main([str(tmp_path / "none.fst"), str(tmp_path)]) == 2
    assert "no wave file" in capsys.readouterr().err
    assert timing.main([]) == 2
