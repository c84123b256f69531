"""report.html of a run over a bad wire, against summary.json, the capture read by others, and a browser."""

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.utils import RawPcapNgReader
from test_main_job import fdwire

VOID = {"meta", "link", "rect", "path"}
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


class Reader(HTMLParser):
    """Checks that every element is closed in its turn; keeps the figures, texts and rows."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.figures: list[tuple[str, str]] = []
        self.rows: list[str] = []
        self.script = ""
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "data":
            self.figures.append((named["data-key"] or "", named["value"] or ""))
        if tag == "button":
            self.rows.append(named["class"] or "")
        for name in ("src", "href", "action"):
            assert named.get(name, "data:").startswith("data:")  # type: ignore[union-attr]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"] and data.startswith("{"):
            self.script = data


class Run:
    """One run and what its page says."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
        self.text = (out / "report.html").read_text()
        self.page = Reader(self.text)
        self.data = json.loads(self.page.script)
        with RawPcapNgReader(str(out / "wire.pcapng")) as reader:
            self.records = [((meta.tshigh << 32) + meta.tslow, data) for data, meta in reader]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("report")
    wire = ("--loss", "0.03", "--seed", "3")
    result = fdwire("sim", "--waves", "off", "--bytes", "100000", "--trace", *wire, "--out", str(out))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "report.html" in result.stdout.splitlines()[-1]
    return Run(out)


def test_figures_of_the_page_are_those_of_the_summary(run: Run) -> None:
    figures = dict(run.page.figures)
    compared = {k: int(v) for k, v in figures.items() if k.startswith("compared ")}
    files = [int(value) for key, value in run.page.figures if key == "file"]
    assert files == [file["bytes"] for file in run.summary["files"]]
    assert sum(n for kind, n in compared.items() if not kind.endswith("bytes")) == run.summary["comparisons"]
    plain = {k: v for k, v in figures.items() if k != "file" and k not in compared}
    assert len(plain) >= 11
    assert plain == {key: str(run.summary[key]) for key in plain}


def test_page_has_every_frame_of_the_capture_with_its_time_and_size(run: Run) -> None:
    ours = [(end // 1000, size) for _, _, _, end, size, *_ in run.data["frames"]]
    assert ours == [(stamp, len(data)) for stamp, data in run.records]


def test_fields_of_every_frame_are_those_that_scapy_reads(run: Run) -> None:
    checked = 0
    for row, (_, data) in zip(run.data["frames"], run.records, strict=True):
        shown = {tuple(name): value for name, value in zip(run.data["shapes"][row[6]], row[7:], strict=True)}
        packet = Ether(data[:-4])
        if packet.haslayer(TCP):
            tcp, ip = packet[TCP], packet[IP]
            assert shown["TCP", "sequence number"] == str(tcp.seq)
            assert shown["TCP", "acknowledgment"] == str(tcp.ack)
            assert shown["TCP", "window"] == str(tcp.window)
            length = ip.len - 4 * ip.ihl - 4 * tcp.dataofs
            assert shown["TCP", "payload bytes"] == str(length)
            checked += 1
    assert checked > 100


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed (apt install tshark)")
def test_segments_marked_as_sent_again_are_those_that_tshark_finds(run: Run) -> None:
    # What comes again within 3 ms is "out of order" to tshark; at the sender nothing else is.
    kinds = ("retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order")
    wanted = " || ".join(f"tcp.analysis.{kind}" for kind in kinds)
    capture = str(run.out / "wire.pcapng")
    command = ["tshark", "-r", capture, "-Y", wanted, "-T", "fields", "-e", "frame.number"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    marked = [i for i, row in enumerate(run.data["frames"], 1) if "again" in row[0].split()]
    assert marked == [int(number) for number in shown.split()] and marked


def test_page_needs_nothing_beside_itself(run: Run) -> None:
    assert not re.findall(r"https?://|@import|url\(", run.text)
    assert run.text.count("<h2>Connection") == 3


def test_report_made_once_more_is_the_same_and_without_a_run_it_says_what_to_do(
    run: Run, tmp_path: Path
) -> None:
    (run.out / "report.html").unlink()
    assert fdwire("report", "--out", str(run.out)).returncode == 0
    assert (run.out / "report.html").read_text() == run.text
    nothing = fdwire("report", "--out", str(tmp_path))
    assert nothing.returncode == 1 and "run `fdwire sim`" in nothing.stdout
    assert "Traceback" not in nothing.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium (apt install chromium)")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)])
def test_browser_runs_the_page_without_complaint_and_decodes_what_has_the_focus(
    run: Run, tmp_path: Path, width: int, dark: bool
) -> None:
    # The script that a user's keys and pointer would be: it opens every fold and gives each row the focus.
    # The page is in a frame, as no window is as narrow as a phone, and what came of it is said outside.
    drive = """<script>
      const told = parent.document.documentElement;
      addEventListener("error", (e) => told.setAttribute("data-failed", e.message));
      addEventListener("load", async () => {
        for (const fold of document.querySelectorAll(".fold")) fold.open = true;
        await new Promise((done) => setTimeout(done, 200));
        const rows = document.querySelectorAll(".step, .hop");
        for (const row of rows) row.dispatchEvent(new FocusEvent("focusin", { bubbles: true }));
        const root = document.documentElement;
        told.dataset.rows = rows.length;
        told.dataset.width = innerWidth;
        told.dataset.wide = root.scrollWidth - root.clientWidth;
        told.dataset.ground = getComputedStyle(document.body).backgroundColor;
        told.dataset.decoded = document.getElementById("decoded").innerText;
      });</script></head>"""
    page = tmp_path / "driven.html"
    framed = html.escape(run.text.replace("</head>", drive, 1))
    page.write_text(f'<!doctype html><iframe width="{width}" height="800" srcdoc="{framed}"></iframe>')
    result = subprocess.run(
        [CHROMIUM or "", "--headless=new", "--no-sandbox", "--disable-gpu",
         f"--user-data-dir={tmp_path}/profile", "--window-size=1400,900",
         f"--blink-settings=preferredColorScheme={int(not dark)}",
         "--virtual-time-budget=3000", "--enable-logging=stderr", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in result.stderr, result.stderr
    root = re.search(r"<html[^>]*>", result.stdout)
    assert root and "data-failed" not in root[0]
    rows = len(run.records) + len(run.data["hops"])
    assert rows > len(run.records) > 100
    assert f'data-rows="{rows}"' in root[0] and 'data-wide="0"' in root[0]
    assert f'data-width="{width}"' in root[0]
    ground = re.search(r'data-ground="rgb\((\d+)', root[0])
    assert ground and (int(ground[1]) < 64) == dark
    assert "In the waves" in root[0] and " ps" in root[0]
