"""Command files for Surfer, done by something that takes commands as Surfer is said to."""

import re
from pathlib import Path

import pytest

from tb.waves import surfer, view
from tb.waves.wavefile import WaveFile

VCD = """$timescale 1ps $end
$scope module fdw_tb $end
$scope module nic $end
$var wire 1 a irq $end
$scope module regs $end
$var wire 32 b status_value [31:0] $end
$scope module status_value_name $end
$var wire 32 c text [31:0] $end
$upscope $end
$var wire 13 e read_address [12:0] $end
$var wire 1 f needs_reset $end
$var wire 16 g mtu [15:0] $end
$var wire 2 h queue_ready [1:0] $end
$upscope $end
$upscope $end
$upscope $end
$enddefinitions $end
#0
0a
b0 b
b0 c
b0 e
0f
b0 g
b0 h
#12800
1a
"""


@pytest.fixture
def waves(tmp_path: Path) -> Path:
    path = tmp_path / "waves.vcd"
    path.write_text(VCD)
    return path


class Viewer:
    """Rows of [what was added, text, colour, format] and the rest, as the commands make them.

    A command that is not as it should be is told in `refused`, and nothing comes of it.
    """

    def __init__(self, known: frozenset[str] | None = None) -> None:
        self.rows: list[list[str]] = []
        self.refused: list[str] = []
        self.markers: dict[str, int] = {}
        self.cursor: int | None = None
        self._known = known
        self._focus: int | None = None

    def run(self, text: str) -> "Viewer":
        for line in text.splitlines():
            for part in line.split("#")[0].split(";"):
                name, _, argument = part.strip().partition(" ")
                if (self._known is not None and name not in self._known) or not self._do(name, argument):
                    self.refused.append(part)
        return self

    def _do(self, name: str, argument: str) -> bool:
        if name in ("variable_add", "divider_add") and re.fullmatch(r"\S+", argument):
            assert self._focus is None, "a row is added behind the one that has the focus"
            self.rows.append([argument, argument, "", ""])
        elif name == "item_focus" and re.fullmatch("[a-p]+", argument):
            self._focus = int(argument.translate(str.maketrans("abcdefghijklmnop", "0123456789abcdef")), 16)
        elif name in ("item_rename", "item_set_color", "item_set_format") and self._focus is not None:
            column = ("", "item_rename", "item_set_color", "item_set_format").index(name)
            self.rows[self._focus][column] = argument
        elif name == "item_unfocus":
            self._focus = None
        elif name == "marker_set" and re.fullmatch(r"\w+ \d+", argument):
            marker, time = argument.split()
            self.markers[marker] = int(time)
        elif name == "cursor_set" and argument.isdigit():
            self.cursor = int(argument)
        else:
            return name in ("zoom_fit", "goto_cursor")
        return True


def test_rows_have_text_colour_and_format_and_the_names_that_the_waves_have(
    waves: Path, tmp_path: Path
) -> None:
    surfer.write(waves, tmp_path / "waves.sucl")
    seen = Viewer().run((tmp_path / "waves.sucl").read_text())
    assert seen.refused == []
    rows = {row[1]: row for row in seen.rows}
    assert [row[1] for row in seen.rows] == [
        "moments", "first interrupt at 12.8 ns", "irq", "registers", "regs read_address",
        "regs status_value", "regs needs_reset", "bit 1: TX, bit 0: RX", "regs queue_ready",
        "queues and configuration", "regs mtu",
    ]  # fmt: skip
    assert rows["moments"][2:] == ["Blue", ""]
    assert rows["irq"] == ["fdw_tb.nic.irq", "irq", "", ""]
    assert rows["regs read_address"][2:] == ["", "Hexadecimal"], "there are no names of it"
    assert rows["regs status_value"][0] == "fdw_tb.nic.regs.status_value_name.text"
    assert rows["regs status_value"][2:] == ["Orange", "Enum"]
    assert rows["regs needs_reset"][2:] == ["Red", ""]
    assert rows["regs mtu"][2:] == ["", "Unsigned"]
    assert rows["regs queue_ready"][2:] == ["", "Binary"]
    assert seen.markers == {"first_interrupt": 12_800} and seen.cursor == 12_800


def test_command_that_a_viewer_does_not_know_changes_nothing_of_the_others(
    waves: Path, tmp_path: Path
) -> None:
    surfer.write(waves, tmp_path / "waves.sucl", here=15_000)
    text = (tmp_path / "waves.sucl").read_text()
    whole = Viewer().run(text)
    assert whole.cursor == whole.markers["here"] == 15_000
    assert "here at 15.0 ns" in [row[1] for row in whole.rows]
    known = frozenset(line.split(" ")[0] for line in text.splitlines())
    for missing in known - {"variable_add", "divider_add"}:
        seen = Viewer(known - {missing}).run(text)
        assert seen.refused
        for row, wanted in zip(seen.rows, whole.rows, strict=True):
            assert all(a in (b, wanted[0], "") for a, b in zip(row, wanted, strict=True)), missing


@pytest.mark.parametrize(("index", "letters"), [(0, "a"), (15, "p"), (16, "ba"), (200, "mi")])
def test_place_is_hexadecimal_in_letters(index: int, letters: str) -> None:
    assert surfer.place(index) == letters


def test_group_of_which_the_waves_have_nothing_has_no_divider(waves: Path) -> None:
    items = (view.Group("empty", (view.Comment("of what"), view.Trace("nic.nothing"))), view.Trace("nic.irq"))
    assert [row.text for row in surfer.rows(WaveFile(waves), items)] == ["irq"]
