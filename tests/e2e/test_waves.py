"""The save file of a real run: does it fit the waves, and does GTKWave show what it promises?"""

import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path

import pytest
import pywellen
from rich.console import Console

from pymodel.simtime import US
from tb import toolchain
from tb.cosim import build
from tb.sim import command
from tb.sim.options import Options
from tb.waves import command as viewer
from tb.waves import enums, fsm, names, timing, view
from tb.waves.wavefile import WaveFile

QUEUE_NOTIFY = 0x050  # virtio 1.2 §4.2.2
GROUPS = ["registers", "TX ring", "RX ring", "DMA", "MAC", "wire"]
OTHER = "vcd" if build.waves_format() == "fst" else "fst"


class Run:
    """A short run's output directory, what it printed, and its waves."""

    def __init__(self, out: Path, kind: str) -> None:
        self.out = out
        self.kind = kind
        self.printed = StringIO()
        options = Options(out=str(out), blob=2000)
        status = command.run(options, waves="20", console=Console(file=self.printed, width=200))
        assert status == 0, self.printed.getvalue()
        self.waves = WaveFile(out / f"waves.{kind}")
        self.lines = (out / "waves.gtkw").read_text().splitlines()

    def signals(self) -> list[str]:
        """Every signal named in the save file, bits of lanes included, as GTKWave has to find it."""
        found = []
        for line in self.lines:
            if line.startswith("+{"):
                found.append(line.split("} ", 1)[1])
            elif line.startswith("#{"):
                found += [re.sub(r"^\(\d+\)", "", bit) for bit in line.split("} ", 1)[1].split(" ")]
        return found

    def markers(self) -> dict[str, int]:
        """Times of the primary marker and of the named ones that are set."""
        (line,) = [line for line in self.lines if re.match(r"\*-\d", line)]
        _, *times = line.split()
        return {
            name: int(time)
            for name, time in zip(["primary", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"], times, strict=True)
            if time != "-1"
        }


@pytest.fixture(
    scope="module",
    params=[build.waves_format(), pytest.param(OTHER, marks=pytest.mark.slow)],
)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    kind: str = request.param
    if kind == "fst" and not toolchain.has_fst():
        pytest.skip("the headers of zlib and lz4 are not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "waves_format", lambda: kind)
        return Run(tmp_path_factory.mktemp("waves"), kind)


def test_unchanged_design_has_everything_that_the_view_wants(run: Run) -> None:
    assert "leaves out" not in run.printed.getvalue()
    assert len(run.signals()) > 150


def test_every_signal_is_in_the_wave_file_with_that_range(run: Run) -> None:
    for signal in run.signals():
        match = re.fullmatch(r"(.+?)(?:\[(\d+):0\])?", signal)
        assert match is not None
        assert run.waves.widths[match[1]] == int(match[2] or 0) + 1, signal


def test_groups_are_there_in_order_and_each_is_closed(run: Run) -> None:
    open_groups: list[str] = []
    outermost = []
    for flags, name in zip(run.lines, run.lines[1:], strict=False):
        if not re.fullmatch(r"@[0-9a-f]+", flags) or not name.startswith("-"):
            continue
        if int(flags[1:], 16) & 0x800000:
            if not open_groups:
                outermost.append(name[1:])
            open_groups.append(name[1:])
        elif int(flags[1:], 16) & 0x1000000:
            assert open_groups.pop() == name[1:]
    assert outermost == GROUPS
    assert open_groups == []


def test_marker_stands_where_the_bus_takes_the_first_write_to_queue_notify(run: Run) -> None:
    edges = [time for time, clk in run.waves.changes("fdw_tb.nic.clk") if clk and time]
    address: list[tuple[int, int]] = []
    data: list[int] = []
    for edge in edges:
        # What the flip-flops see is what was there before the edge.
        bus = {
            name: run.waves.value(f"fdw_tb.nic.s_axil_{name}", edge - 1)
            for name in ("awvalid", "awready", "awaddr", "wvalid", "wready")
        }
        if bus["awvalid"] and bus["awready"]:
            address.append((bus["awaddr"], edge))
        if bus["wvalid"] and bus["wready"]:
            data.append(edge)
        if address and address[-1][0] == QUEUE_NOTIFY and len(data) >= len(address):
            break
    else:
        pytest.fail("no doorbell in the waves")
    doorbell = max(address[-1][1], data[len(address) - 1])
    markers = run.markers()
    assert markers["primary"] == markers["A"] == doorbell
    assert "[markername] Afirst doorbell" in run.lines
    (start,) = [int(line.split()[1]) for line in run.lines if line.startswith("[timestart]")]
    assert doorbell - 200_000 < start < doorbell


def test_other_markers_stand_at_the_first_burst_word_frame_and_interrupt(run: Run) -> None:
    """Against signals that the view does not look at: the bench's own ports, and counters."""
    markers = run.markers()
    named = [line.split(" ", 1)[1] for line in run.lines if line.startswith("[markername]")]
    assert [name[1:] for name in named] == [
        "first doorbell", "first DMA", "first word sent", "first frame received", "first interrupt",
    ]  # fmt: skip
    first_irq = next(time for time, level in run.waves.changes("fdw_tb.irq") if level)
    assert markers["E"] == first_irq
    assert markers["A"] < markers["B"] < markers["C"] < min(markers["D"], markers["E"])
    start = run.waves.value("fdw_tb.nic.xgmii_txd", markers["C"])
    assert start & 0xFF == 0xFB or start >> 32 & 0xFF == 0xFB  # /S/ in lane 0 or 4 (IEEE 802.3 §46.2.2)
    assert run.waves.value("fdw_tb.nic.m_axi_arvalid", markers["B"]) == 1
    assert all(
        not valid for time, valid in run.waves.changes("fdw_tb.nic.m_axi_arvalid") if 0 < time < markers["B"]
    )


def test_descriptor_that_is_read_is_decoded_as_the_driver_wrote_it(run: Run) -> None:
    """Against virtio 1.2 §2.8.13: le64 addr, le32 len, le16 id, le16 flags on the AXI data bus."""
    fetch = "fdw_tb.nic.ring[1].fetch"
    valid = [time for time, level in run.waves.changes(f"{fetch}.m_axi_rvalid") if level]
    assert valid
    for time in valid[:20]:
        beat = run.waves.value(f"{fetch}.m_axi_rdata", time).to_bytes(16, "little")
        fields = struct.unpack("<QIHH", beat)
        assert fields == tuple(
            run.waves.value(f"{fetch}.r_{name}", time) for name in ("addr", "len", "id", "flags")
        )
    table = names.tables([])["desc_flags"].text
    assert table[0x0084] == "INDIRECT|AVAIL" and table[0x8082] == "WRITE|AVAIL|USED"


def surfer_rows(run: Run) -> dict[str, list[str]]:
    """What is added to Surfer's rows and what is done to each, in their order; dividers' words, too."""
    rows: dict[str, list[str]] = {}
    changed: list[str] = []
    for line in (run.out / "waves.sucl").read_text().splitlines():
        command, _, argument = line.partition(" ")
        if command in ("variable_add", "divider_add"):
            rows[f"{len(rows)} {argument}"] = []
        elif command == "item_focus":
            place = int(argument.translate(str.maketrans("abcdefghijklmnop", "0123456789abcdef")), 16)
            changed = list(rows.values())[place]
        elif command.startswith("item_") and argument:
            changed.append(line)
    return {row.split(" ", 1)[1]: done for row, done in rows.items() if " fdw_tb." in row}


def test_surfer_is_told_of_every_signal_of_the_view_in_its_colour_and_format(run: Run) -> None:
    rows = surfer_rows(run)
    assert len(rows) > 150
    assert rows.keys() <= run.waves.widths.keys()
    plain = {re.sub(r"\[\d+:0\]$", "", signal) for signal in run.signals()}
    lanes = {"fdw_tb.nic.xgmii_txd", "fdw_tb.nic.xgmii_txc", "fdw_tb.nic.xgmii_rxd", "fdw_tb.nic.xgmii_rxc"}
    assert {row.removesuffix("_name.text") for row in rows} | lanes == plain
    state = "fdw_tb.nic.ring[1].fetch.state"
    path, shown = (enums.mirror(state), "Enum") if run.kind == "fst" else (state, "Hexadecimal")
    assert rows[path] == [
        "item_rename fetch state", "item_set_color Orange", f"item_set_format {shown}"
    ]  # fmt: skip
    assert rows["fdw_tb.nic.tx.dma.req_len"] == ["item_rename tx dma req_len", "item_set_format Unsigned"]
    assert rows["fdw_tb.nic.regs.needs_reset"] == ["item_rename regs needs_reset", "item_set_color Red"]


def test_surfer_is_told_when_the_moments_are(run: Run) -> None:
    lines = (run.out / "waves.sucl").read_text().splitlines()
    times = [run.markers()[letter] for letter in "ABCDE"]
    words = ("first_doorbell", "first_DMA", "first_word_sent", "first_frame_received", "first_interrupt")
    assert [line for line in lines if line.startswith("marker_set")] == [
        f"marker_set {word} {time}" for word, time in zip(words, times, strict=True)
    ]
    for word, time in zip(words, times, strict=True):
        assert f"item_rename {word.replace('_', ' ')} at {time / 1000:,.1f} ns" in lines
    assert f"cursor_set {times[0]}" in lines


def test_fst_has_the_names_of_all_that_has_names_in_the_view(run: Run) -> None:
    """As wellen, with which Surfer reads waves, sees them."""
    if run.kind != "fst":
        assert not any(row.endswith("_name.text") for row in surfer_rows(run))
        return
    read = {v.full_name: v.enum_type for v in pywellen.Waveform(str(run.out / "waves.fst")).all_vars()}
    tables = names.tables(fsm.read(list(build.rtl_sources())).values())
    wanted = [trace for trace in traces(view.ITEMS) if trace.names and trace.names != "xgmii_word"]
    assert len(wanted) > 25
    for trace in wanted:
        path = f"fdw_tb.{trace.path}"
        _, members = read[enums.mirror(path)]
        table = tables[trace.names].text
        assert {int(value, 2): text for value, text in members} == {
            value: enums.literal(text) for value, text in table.items()
        }, path
        settled = [(time, value) for time, value in run.waves.changes(path) if time]
        for time, value in settled[:50]:
            assert run.waves.value(enums.mirror(path), time) == value, path


def traces(items: Iterable[view.Item]) -> Iterator[view.Trace]:
    for item in items:
        if isinstance(item, view.Group):
            yield from traces(item.items)
        elif isinstance(item, view.Trace):
            yield item


def test_names_of_states_are_what_verilator_made_of_the_localparams(run: Run) -> None:
    scopes = {
        "fdw_ring_fetch": "ring[0].fetch", "fdw_rx_frame": "rx.engine.frame", "fdw_rx_used": "rx.engine.used",
        "fdw_mac_rx": "rx.mac", "fdw_mac_tx": "tx.mac",
        "fdw_tx_segment": "tx.offload.with_tso.segment",
    }  # fmt: skip
    machines = fsm.read(list(build.rtl_sources())).values()
    for machine in machines:
        scope = f"fdw_tb.nic.{scopes[machine.module]}"
        assert run.waves.widths[f"{scope}.{machine.signal}"] == machine.width
        for value, name in machine.states.items():
            assert run.waves.widths[f"{scope}.{name}"] == machine.width
            assert run.waves.value(f"{scope}.{name}", 0) == value, f"{scope}.{name}"
        seen = {value for _, value in run.waves.changes(f"{scope}.{machine.signal}")}
        assert seen <= machine.states.keys(), scope


def test_every_state_machine_of_the_design_is_shown_with_its_names(run: Run) -> None:
    referred = {Path(line[3:]).stem for line in run.lines if line.startswith("^1 ")}
    for machine in fsm.read(list(build.rtl_sources())).values():
        assert f"{machine.module}.{machine.signal}" in referred


def test_names_of_axi_ids_are_those_of_the_top(run: Run) -> None:
    localparams = ("FRAMES", "FETCH", "USED", "TABLE", "RX", "TX")
    constant = {name: run.waves.value(f"fdw_tb.nic.{name}", 0) for name in localparams}
    assert names.tables([])["axi_id"].text == {
        constant["FRAMES"]: "frames",
        constant["FETCH"] + constant["RX"]: "fetch RX",
        constant["FETCH"] + constant["TX"]: "fetch TX",
        constant["USED"] + constant["RX"]: "used RX",
        constant["USED"] + constant["TX"]: "used TX",
        constant["TABLE"] + constant["RX"]: "table RX",
        constant["TABLE"] + constant["TX"]: "table TX",
    }


def test_every_filter_file_that_is_referred_to_lies_beside_the_save_file(run: Run) -> None:
    files = {Path(line[3:]) for line in run.lines if line.startswith("^1 ")}
    assert files
    for file in files:
        assert file.parent == run.out / "gtkw"
        for line in file.read_text().splitlines():
            assert re.fullmatch(r"[0-9a-f]+ \S.*", line), file


TCL = """
set traces [gtkwave::getTotalNumTraces]
for {set i 0} {$i < $traces} {incr i} {
    puts "TRACE\t[gtkwave::getTraceNameFromIndex $i]\t[gtkwave::getTraceValueAtMarkerFromIndex $i]"
}
puts "MARKER\t[gtkwave::getMarker]\t[gtkwave::getNamedMarker A]"
gtkwave::/File/Quit
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("gtkwave") and shutil.which("xvfb-run")),
    reason="needs gtkwave and xvfb-run (apt install gtkwave xvfb xauth)",
)
def test_gtkwave_in_another_directory_shows_every_trace_and_the_states_as_text(
    run: Run, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(run.out, moved)
    script = tmp_path / "show.tcl"
    script.write_text(TCL)
    hidden = run.out.rename(run.out.with_name("elsewhere"))
    try:
        shown = subprocess.run(
            ["xvfb-run", "-a", "gtkwave", "-S", str(script), str(moved / "waves.gtkw")],
            cwd="/", capture_output=True, text=True, timeout=120, check=False,
        ).stdout  # fmt: skip
    finally:
        hidden.rename(run.out)
    rows = [line.split("\t") for line in shown.splitlines() if line.startswith("TRACE")]
    wanted = [
        match[1]
        for line in run.lines
        if (match := re.match(r"[+#]\{(.*?)\} ", line) or re.match(r"-(.+)", line))
    ]
    assert [row[1] for row in rows] == wanted, shown[-2000:]

    marker = run.markers()["A"]
    assert f"MARKER\t{marker}\t{marker}" in shown
    values = {row[1]: row[2] for row in reversed(rows)}  # the first of a name counts: ring 1 of two
    fetch = fsm.read(list(build.rtl_sources()))["fdw_ring_fetch", "state"]
    assert values["fetch state"] == fetch.states[run.waves.value("fdw_tb.nic.ring[1].fetch.state", marker)]
    assert values["regs write_address"] == "QUEUE_NOTIFY"
    assert values["regs status_value"] == "ACKNOWLEDGE|DRIVER|DRIVER_OK|FEATURES_OK"
    assert values["tx mac state"] == "WAIT_FRAME"
    assert values["xgmii_txd"] == "idle"
    assert values["m_axi_rresp"] == "OKAY"


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("gtkwave") and shutil.which("xvfb-run")),
    reason="needs gtkwave and xvfb-run (apt install gtkwave xvfb xauth)",
)
def test_waves_at_a_time_open_in_gtkwave_with_the_marker_there_and_the_time_in_view(
    run: Run, tmp_path: Path
) -> None:
    script = tmp_path / "show.tcl"
    script.write_text(
        'puts "SEEN\t[gtkwave::getMarker]\t[gtkwave::getNamedMarker F]\t[gtkwave::getWindowStartTime]\t'
        '[gtkwave::getWindowEndTime]"\ngtkwave::/File/Quit\n'
    )
    shim = tmp_path / "gtkwave"
    shim.write_text(f'#!/bin/sh\nexec {shutil.which("gtkwave")} -S {script} "$@"\n')
    shim.chmod(0o755)
    at = run.markers()["B"] + 123
    fdwire = Path(sys.executable).parent / "fdwire"
    done = subprocess.run(
        ["xvfb-run", "-a", fdwire, "waves", "--at", f"{at / 1000}ns", "--out", run.out],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        cwd="/", capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    (seen,) = [line.split("\t")[1:] for line in done.stdout.splitlines() if line.startswith("SEEN")]
    marker, named, start, end = map(int, seen)
    assert marker == named == at
    assert start < at < end and end - start < 10 * US
    cursor = [line for line in (run.out / "waves-at.sucl").read_text().splitlines() if "cursor_set" in line]
    assert cursor == [f"cursor_set {at}"]


def test_waves_at_a_time_that_they_do_not_have_say_which_they_have(run: Run) -> None:
    last = max(time for time, _ in run.waves.changes("fdw_tb.nic.clk"))
    said = StringIO()
    assert viewer.run(run.out, last + 1, Console(file=said, width=200)) == 1
    assert f"to {last / 1000:,.1f} ns" in said.getvalue() and "--waves all" in said.getvalue()


@pytest.mark.slow
def test_pictures_of_the_documentation_show_what_a_run_does_now(run: Run) -> None:
    """The same transfers for the same masters in the same order; their times may have changed."""
    for name, picture in timing.draw(run.waves).items():
        shown = (toolchain.ROOT / "docs" / "images" / name).read_text()
        texts = [re.findall(r'class="(?:in|over)"[^>]*>([^<]*)<', svg) for svg in (shown, picture)]
        assert texts[0] == texts[1] and len(texts[0]) >= 7
        assert len(re.findall("<polyline", shown)) == len(re.findall("<polyline", picture))
