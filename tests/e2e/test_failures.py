"""What a failed test of the whole NIC leaves: can a stranger see from it what failed, when, and how?"""

import re
from pathlib import Path

import pytest
from scapy.layers.inet import TCP
from scapy.utils import rdpcap

from tb import toolchain, verilate
from tb.block import run_nic
from tb.cosim.build import spec, waves_format
from tb.failure.guard import KEEP
from tb.waves.wavefile import WaveFile

MODULE = "failing_run"
SWAPPED = "test_swapped_byte_is_told_field_by_field_with_the_way_of_each_descriptor"


def fail(monkeypatch: pytest.MonkeyPatch, where: Path, testcase: str, bug: str = "") -> str:
    """Run a cocotb test that fails, with its bundle below `where`; what pytest says."""
    monkeypatch.setattr(toolchain, "FAILURES", where)
    monkeypatch.setenv("FDWIRE_SEED", "77")
    monkeypatch.setenv("FAILING_RUN_BUG", bug)
    with pytest.raises(pytest.fail.Exception) as caught:
        run_nic(MODULE, testcase, where=f"{MODULE}-{testcase}")
    return str(caught.value)


def without_waves(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine on which the build with waves is not there yet."""
    monkeypatch.setattr("tb.block.is_built", lambda wanted: False)


def steps(bundle: Path, what: str) -> list[str]:
    lines = (bundle / "descriptors.txt").read_text().splitlines()
    return [line for line in lines if re.match(rf" *[\d.]+ ns  ..  {what} ", line)]


def test_swapped_byte_is_told_field_by_field_with_the_way_of_each_descriptor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_waves(monkeypatch)
    said = fail(monkeypatch, tmp_path, "disagrees", "swapped byte")
    bundle = tmp_path / f"{MODULE}-disagrees.disagrees"
    assert str(bundle / "REPORT.md") in said.splitlines()[0]
    report = (bundle / "REPORT.md").read_text()

    first_page = report.split("## What happened last")[0]
    assert "RTL and golden model differ: frame sent: byte 16 of 70" in first_page
    assert re.search(r"\*\*When:\*\* [\d,.]+ ns of simulated time \(cycle [\d,]+\)", first_page)
    assert "**Seed:** 77" in first_page
    test = f"tests/e2e/test_failures.py::{SWAPPED}"
    assert f"FDWIRE_SEED=77 .venv/bin/pytest -m 'slow or not slow' '{test}'" in first_page
    # A bare ACK: 20 bytes of IPv4 header and 32 of TCP; its length field is what was swapped.
    assert "|  | total length | 52 | 13312 | **differs** |" in first_page
    assert "|  | header checksum | 0x8110 | 0x8110 (wrong) | **differs** |" in first_page
    assert len(re.findall(r"\*\*differs\*\*", first_page)) == 3  # and the payload that follows from it
    assert "expected  00 34 a5" in first_page and "came      34 00 a5" in first_page

    # Chains of one descriptor: each that is used was fetched, and made available, before.
    for ring in ("RX", "TX"):
        used = [line for line in steps(bundle, "used") if f"  {ring}  " in line]
        assert used
        for line in used:
            ident, at = re.search(r"id +(\d+)", line), float(line.split()[0])
            assert ident is not None
            fetched = [
                s for s in steps(bundle, "fetched") if f"  {ring}  " in s and f"id {ident[1]:>3} " in s
            ]
            assert any(float(s.split()[0]) < at for s in fetched), line
    assert "slots 0 to 255 (256)" in steps(bundle, "available")[0]
    assert (
        "FIN-WAIT" in (bundle / "sockets.txt").read_text() or "ESTAB" in (bundle / "sockets.txt").read_text()
    )


@pytest.mark.slow
def test_both_seams_are_in_captures_that_scapy_reads_and_say_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_waves(monkeypatch)
    fail(monkeypatch, tmp_path, "asserts")
    bundle = tmp_path / f"{MODULE}-asserts.asserts"
    wire, host = rdpcap(str(bundle / "wire.pcapng")), rdpcap(str(bundle / "host.pcapng"))
    on_wire = [(p[TCP].sport, p[TCP].seq, p[TCP].ack, int(p[TCP].flags)) for p in wire if TCP in p]
    at_driver = [(p[TCP].sport, p[TCP].seq, p[TCP].ack, int(p[TCP].flags)) for p in host if TCP in p]
    assert len(at_driver) >= 9
    assert set(at_driver) <= set(on_wire)  # nothing was cut up: the messages are short
    assert b"num_buffers=1" in (bundle / "host.pcapng").read_bytes()
    report = (bundle / "REPORT.md").read_text()
    assert "**What:** AssertionError" in report
    assert "at `failing_run.py` line" in report and 'await planted_echo(bench) == b"something else"' in report
    assert "## Expected and come" not in report
    assert "Traceback (most recent call last)" in report


@pytest.mark.slow
def test_test_that_passes_leaves_nothing_and_removes_what_it_left_when_it_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(toolchain, "FAILURES", tmp_path)
    stale = tmp_path / f"{MODULE}-passes.passes"
    stale.mkdir()
    (stale / "REPORT.md").write_text("of yesterday")
    run_nic(MODULE, "passes", where=f"{MODULE}-passes")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bug", "kind"),
    [("used length", "used entry"), ("used twice", "descriptor used twice"), ("interrupt", "lost interrupt")],
)
def test_failure_is_repeated_for_the_waves_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bug: str, kind: str
) -> None:
    verilate.build(spec(waves=waves_format()), where=toolchain.BUILD / "nic")
    fail(monkeypatch, tmp_path, "disagrees", bug)
    bundle = tmp_path / f"{MODULE}-disagrees.disagrees"
    report = (bundle / "REPORT.md").read_text()
    assert f"RTL and golden model differ: {kind}: " in report
    failed = round(float(re.search(r"\*\*When:\*\* ([\d,.]+) ns", report)[1].replace(",", "")) * 1000)  # type: ignore[index]
    waves = WaveFile(bundle / f"waves.{waves_format()}")
    changes = waves.changes("fdw_tb.clk")
    assert changes[0][0] <= failed <= changes[-1][0] + 3_000_000
    assert changes[-1][0] - changes[0][0] <= KEEP
    saved = (bundle / "waves.gtkw").read_text()
    assert re.search(r"\[markername\] [A-Z]here", saved)
    if kind != "lost interrupt":  # of that the checker hears later
        writes = [time for time, valid in waves.changes("fdw_tb.nic.m_axi_wvalid") if valid]
        assert any(failed - 500_000 < time <= failed for time in writes)


@pytest.mark.slow
def test_no_bundle_is_left_when_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    said = fail(monkeypatch, Path("off"), "asserts")
    assert "explained" not in said
    assert not (tmp_path / "off").exists()
