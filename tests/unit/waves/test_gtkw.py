"""Save files for small waves of the tests' own. A real run's: tests/e2e."""

import re
from pathlib import Path

import pytest

from tb.waves import gtkw, names, view
from tb.waves.wavefile import WaveFile

VCD = """$timescale 1ps $end
$scope module fdw_tb $end
$scope module nic $end
$var wire 1 a irq $end
$var wire 3 b state [2:0] $end
$var wire 8 c txc [7:0] $end
$var wire 64 d txd [63:0] $end
$upscope $end
$upscope $end
$enddefinitions $end
#0
0a
b0 b
b11111111 c
b0 d
#6400
b101 b
#12800
1a
#19200
0a
"""


@pytest.fixture
def waves(tmp_path: Path) -> Path:
    path = tmp_path / "waves.vcd"
    path.write_text(VCD)
    return path


@pytest.fixture
def writer(waves: Path) -> gtkw.Writer:
    tables = {"m.state": names.Names(3, {0: "OFF"}), "xgmii_lane": names.Names(9, {})}
    return gtkw.Writer(WaveFile(waves), tables, Path("/filters"))


def test_trace_has_its_flags_and_the_name_with_the_range(writer: gtkw.Writer) -> None:
    assert list(writer.lines([view.Trace("nic.irq"), view.Trace("nic.txc", view.Radix.HEX)])) == [
        "@28", "+{irq} fdw_tb.nic.irq",
        "@22", "+{txc} fdw_tb.nic.txc[7:0]",
    ]  # fmt: skip


def test_trace_with_names_refers_to_their_filter_file(writer: gtkw.Writer) -> None:
    trace = view.Trace("nic.state", view.Radix.HEX, "m.state", view.Colour.ORANGE)
    assert list(writer.lines([trace])) == [
        "@2022", "^1 /filters/m.state.txt", "[color] 2", "+{state} fdw_tb.nic.state[2:0]",
    ]  # fmt: skip
    assert writer.missing == []


def test_names_of_another_width_are_reported_and_the_value_stays_a_number(writer: gtkw.Writer) -> None:
    lines = list(writer.lines([view.Trace("nic.txc", view.Radix.HEX, "m.state")]))
    assert lines == ["@22", "+{txc} fdw_tb.nic.txc[7:0]"]
    assert writer.missing == ["m.state as names for the 8 bits of nic.txc"]


def test_names_that_no_source_has_are_reported(writer: gtkw.Writer) -> None:
    list(writer.lines([view.Trace("nic.state", view.Radix.HEX, "gone.state")]))
    assert writer.missing == ["gone.state as names for the 3 bits of nic.state"]


def test_signal_that_the_waves_lack_is_reported_and_its_neighbours_stay(writer: gtkw.Writer) -> None:
    lines = list(writer.lines([view.Trace("nic.renamed"), view.Trace("nic.irq")]))
    assert lines == ["@28", "+{irq} fdw_tb.nic.irq"]
    assert writer.missing == ["fdw_tb.nic.renamed"]


def test_group_opens_and_closes_around_its_traces(writer: gtkw.Writer) -> None:
    inner = view.Group("inner", (view.Trace("nic.irq"),), closed=True)
    assert list(writer.lines([view.Group("outer", (view.Comment("why"), inner))])) == [
        "@800200", "-outer",
        "@200", "-why",
        "@c00200", "-inner",
        "@28", "+{irq} fdw_tb.nic.irq",
        "@1401200", "-inner",
        "@1000200", "-outer",
    ]  # fmt: skip


def test_lane_is_its_control_bit_above_its_eight_data_bits(writer: gtkw.Writer) -> None:
    *_, line = writer.lines([view.Lane("lane 1", 1, "nic.txd", "nic.txc")])
    data = " ".join(f"({63 - bit})fdw_tb.nic.txd[63:0]" for bit in (15, 14, 13, 12, 11, 10, 9, 8))
    assert line == f"#{{lane 1}} (6)fdw_tb.nic.txc[7:0] {data}"


def test_moment_is_when_its_signal_first_rises(writer: gtkw.Writer) -> None:
    assert writer.time_of(view.Moment("nic.irq", "interrupt")) == 12800
    assert writer.missing == []


def test_moment_of_a_word_begins_once_it_has_been_at_rest(tmp_path: Path) -> None:
    path = tmp_path / "words.vcd"
    path.write_text(VCD.replace("b11111111 c\n", "b0 c\n") + "#30000\nb11111111 c\n#36400\nb1 c\n")
    writer = gtkw.Writer(WaveFile(path), {}, Path("/filters"))
    assert writer.time_of(view.Moment("nic.txc", "word", 0xFF)) == 36400


def test_place_that_is_asked_for_has_the_last_marker_and_the_view(waves: Path, tmp_path: Path) -> None:
    gtkw.write(waves, tmp_path / "waves.gtkw", [], here=15_000)
    text = (tmp_path / "waves.gtkw").read_text()
    assert "[markername] Fhere" in text
    assert re.search(r"^\*-16.000000 15000 (-1 ){4}12800 15000 -1", text, re.MULTILINE)


def test_waves_that_end_before_the_doorbell_open_at_their_beginning(waves: Path, tmp_path: Path) -> None:
    missing = gtkw.write(waves, tmp_path / "waves.gtkw", [])
    text = (tmp_path / "waves.gtkw").read_text()
    assert "fdw_tb.nic.regs.notify" in missing
    assert "[timestart] 0\n" in text
    assert f"\n*-16.000000 {' '.join(['-1'] * 5)} 12800 {' '.join(['-1'] * 21)}\n" in text
    assert "[markername] E" in text
    assert "[markername] A" not in text


def test_writing_again_leaves_no_filter_file_of_a_state_machine_that_is_gone(
    waves: Path, tmp_path: Path
) -> None:
    source = tmp_path / "m.v"
    source.write_text(
        "module m; localparam [0:0] A = 1'd0, B = 1'd1; reg [0:0] s; wire x = s == A || s == B; endmodule"
    )
    gtkw.write(waves, tmp_path / "waves.gtkw", [source])
    assert (tmp_path / "gtkw" / "m.s.txt").read_text() == "0 A\n1 B\n"
    gtkw.write(waves, tmp_path / "waves.gtkw", [])
    assert not (tmp_path / "gtkw" / "m.s.txt").exists()
    assert (tmp_path / "gtkw" / "resp.txt").exists()


def test_missing_wave_file_is_said_by_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"waves\.fst"):
        gtkw.write(tmp_path / "waves.fst", tmp_path / "waves.gtkw", [])


def test_labels_of_the_view_tell_the_signals_of_a_group_apart() -> None:
    def check(items: tuple[view.Item, ...]) -> None:
        labels = [item.label for item in items if isinstance(item, view.Trace | view.Lane)]
        assert len(labels) == len(set(labels))
        for item in items:
            if isinstance(item, view.Group):
                check(item.items)

    check(view.ITEMS)
