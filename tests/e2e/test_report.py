"""report.html of a run over a bad wire, against summary.json, the capture read by others, and a browser."""

import html
import itertools
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from commands import fdwire
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.utils import RawPcapNgReader

from tb.report.page import render

VOID = {"meta", "link", "path", "wbr"}
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
            self.rows.append(named.get("class") or "")
        for name in ("src", "href", "action"):
            assert named.get(name, "data:").startswith(("data:", "#"))  # type: ignore[union-attr]
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
        shown = {tuple(name): value for name, value in zip(run.data["shapes"][row[6]], row[10:], strict=True)}
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


def browse(page: Path, scratch: Path, *, dark: bool = False, fragment: str = "") -> str:
    """What Chromium has made of a page; it must not complain."""
    result = subprocess.run(
        [CHROMIUM or "", "--headless=new", "--no-sandbox", "--disable-gpu",
         f"--user-data-dir={scratch}/profile", "--window-size=1400,900",
         f"--blink-settings=preferredColorScheme={int(not dark)}",
         "--virtual-time-budget=3000", "--enable-logging=stderr", "--dump-dom", page.as_uri() + fragment],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in result.stderr, result.stderr
    return result.stdout


DRIVE = """<script>
  const told = parent.document.documentElement;
  addEventListener("error", (e) => told.setAttribute("data-failed", e.message));
  addEventListener("unhandledrejection", (e) => told.setAttribute("data-failed", e.reason));
  const all = (of) => [...document.querySelectorAll(of)];
  const shown = () => [
    document.getElementById("about").innerText, document.getElementById("came").innerText,
    all("#hops .hop").map((row) => row.innerText),
  ];
  const key = (name, on = document.body) =>
    on.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
  addEventListener("load", async () => {
    const seen = { first: shown() };
    for (const details of all("details")) details.open = true;
    seen.figures = all("data").map((d) => [d.dataset.key, d.value, d.innerText]);
    await new Promise((done) => setTimeout(done, 200));
    const list = document.getElementById("segment");
    list.value = WANTED;
    list.dispatchEvent(new Event("change"));
    seen.listed = shown();
    key("n");
    seen.next = shown();
    key("p");
    seen.back = shown();
    document.querySelector('.step[data-frame="2"]').click();
    seen.clicked = shown();
    const plot = document.querySelector("[data-plot]");
    const [index, x, y] = JSON.parse(document.getElementById("frames").textContent).plots[0][3];
    const at = new DOMPoint(x, y).matrixTransform(plot.getScreenCTM());
    plot.dispatchEvent(new MouseEvent("click", { clientX: at.x, clientY: at.y, bubbles: true }));
    seen.plotted = [index, ...shown()];
    key("ArrowRight", plot);
    seen.stepped = shown();
    seen.rings = all(".ring").length;
    document.querySelector('#hops [data-hop]').focus();
    seen.decoded = document.getElementById("decoded").innerText;
    document.querySelector("#decoded .copy").click();
    await new Promise((done) => setTimeout(done, 100));
    seen.copied = document.querySelector("#decoded .copy").innerText;
    const rows = all(".step, .hop");
    for (const row of rows) row.dispatchEvent(new FocusEvent("focusin", { bubbles: true }));
    const root = document.documentElement;
    seen.rows = all(".step").length;
    seen.width = innerWidth;
    seen.wide = root.scrollWidth - root.clientWidth;
    seen.ground = getComputedStyle(document.body).backgroundColor;
    told.dataset.seen = JSON.stringify(seen);
  });</script></head>"""
"""What a reader's keys and pointer do, and what is to be seen then."""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium (apt install chromium)")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)])
def test_reader_chooses_segments_and_sees_their_journeys_at_any_width(
    run: Run, tmp_path: Path, width: int, dark: bool
) -> None:
    # The page is in a frame, as no window is as narrow as a phone, and what came of it is said outside.
    lost = next(i for i, row in enumerate(run.data["frames"]) if row[5] == "lost" and row[8] is not None)
    page = tmp_path / "driven.html"
    framed = html.escape(run.text.replace("</head>", DRIVE.replace("WANTED", str(lost)), 1))
    page.write_text(f'<!doctype html><iframe width="{width}" height="800" srcdoc="{framed}"></iframe>')
    root = re.search(r"<html[^>]*>", browse(page, tmp_path, dark=dark))
    assert root and "data-failed" not in root[0], root
    found = re.search(r'data-seen="([^"]*)"', root[0])
    assert found
    seen = json.loads(html.unescape(found[1]))

    for key, value, text in seen["figures"]:
        if key in run.summary:
            assert value == str(run.summary[key])
        digits = text.replace(",", "").split()[0]
        if digits.isdigit():
            assert digits == value, key
    assert [key for key, *_ in seen["figures"]].count("file") == len(run.summary["files"])

    assert seen["rows"] == len(run.records) > 100
    for name, index in (("listed", lost), ("next", lost + 1), ("back", lost), ("clicked", 2)):
        about, came, hops = seen[name]
        assert about.startswith(f"Frame {index + 1}: {run.data['frames'][index][1]}"), name
        assert ("Lost on its way" in came) is (index == lost)
        assert len(hops) > 4
    again = run.data["frames"][lost][8]
    assert "Sent again" in seen["listed"][1] and f"frame {again + 1}" in seen["listed"][1]
    index, about, *_ = seen["plotted"]
    assert about.startswith(f"Frame {index + 1}:") and seen["rings"] == 1
    assert seen["stepped"][0].startswith(f"Frame {run.data['plots'][0][4][0] + 1}:")

    first = run.data["traced"]["journeys"][run.data["first"]]
    hops = [run.data["traced"]["hops"][place] for place in first]
    times = [f"{hop[2] / 1000:,.1f}" for hop in hops]
    assert [row.split("\n")[0] for row in seen["first"][2]] == times
    cycles = [f"+{(b[2] - a[2]) / 6400:,.1f}" for a, b in itertools.pairwise([hops[0], *hops])]
    assert [row.split("\n")[1] for row in seen["first"][2]] == cycles
    assert " ps" in seen["decoded"] and "cycle " in seen["decoded"] and seen["copied"] == "copied"

    assert (seen["width"], seen["wide"]) == (width, 0)
    ground = re.search(r"rgb\((\d+)", seen["ground"])
    assert ground and (int(ground[1]) < 64) == dark


def test_regression_copies_of_a_connection_that_is_not_drawn_whole_are_not_claimed(run: Run) -> None:
    """Its bytes were counted up to the last frame drawn, its copies as long as the trace went."""
    document = json.loads((run.out / "report.json").read_text())
    whole = render(run.summary, document)
    assert whole.count("Copies by the processor") == 3 and "As far as drawn" not in whole
    document["frames"] = document["frames"][:60]  # in the second of three
    part = render(run.summary, document)
    assert part.count("Copies by the processor") == 1 and part.count("As far as drawn: ") == 1


MEASURE = """<script>addEventListener("load", async () => {
    const all = (of) => [...document.querySelectorAll(of)];
    for (const details of all("details")) details.open = true;
    await new Promise((done) => setTimeout(done, 200));
    const times = all(".step time, .hop time");
    const wide = times.filter((time) => time.scrollWidth > time.clientWidth);
    const seen = { times: times.length, wide: wide.length };
    const read = all(".plot span, .plot b, .plot p").filter((text) => text.offsetParent);
    const around = (text) => {
      const range = document.createRange();
      range.selectNodeContents(text);
      return range.getBoundingClientRect();
    };
    seen.smallest = Math.min(...read.map((text) => parseFloat(getComputedStyle(text).fontSize)));
    seen.stretched = all("svg text").length;
    seen.read = read.length;
    seen.hidden = [];
    for (const one of read) {
      const a = around(one);
      const edge = document.documentElement.clientWidth;
      if (a.left < 0 || a.right > edge) seen.hidden.push([one.innerText, "beyond the edge"]);
      for (const other of read) {
        const b = around(other);
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const tall = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (other !== one && wide > 1 && tall > 3) seen.hidden.push([one.innerText, other.innerText]);
      }
    }
    parent.document.documentElement.dataset.seen = JSON.stringify(seen);
  });</script></head>"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium (apt install chromium)")
@pytest.mark.parametrize("width", [1280, 900, 600, 360])
def test_large_numbers_cover_nothing_at_any_width_and_can_be_read(
    run: Run, tmp_path: Path, width: int
) -> None:
    document = json.loads((run.out / "report.json").read_text())
    for row in document["frames"]:
        row[1:3] = [time + 10**12 for time in row[1:3]]  # ARP asks again after a second
    for hop in document["traced"]["hops"]:
        hop[2] += 10**12
    for _, points in document["traced"]["counters"]:
        points[:] = [[time + 10**12, value] for time, value in points]
    document["sizes"] = [[[size, 71_234] for size in (60, 64, 100, 200, 400, 800, 1518, 9000)]] * 2
    framed = html.escape(render(run.summary, document).replace("</head>", MEASURE, 1))
    page = tmp_path / "late.html"
    page.write_text(f'<!doctype html><iframe width="{width}" height="800" srcdoc="{framed}"></iframe>')
    found = re.search(r'data-seen="([^"]*)"', browse(page, tmp_path))
    assert found
    seen = json.loads(html.unescape(found[1]))
    assert seen["wide"] == 0 and seen["times"] > 100, seen
    assert seen["smallest"] >= 11 and seen["stretched"] == 0 and seen["read"] > 60, seen
    assert seen["hidden"] == []


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium (apt install chromium)")
def test_address_of_a_page_names_the_segment_by_its_number_in_the_capture(run: Run, tmp_path: Path) -> None:
    index = next(i for i, row in enumerate(run.data["frames"]) if "again" in row[0])
    shown = browse(run.out / "report.html", tmp_path, fragment=f"#segment={index + 1}")
    label = html.escape(run.data["frames"][index][1], quote=False)
    assert f'<div id="about"><p><b>Frame {index + 1}: {label}</b>' in shown
    assert (
        f'Its first byte had been sent before, in <a href="#segment={run.data["frames"][index][7] + 1}">'
        in shown
    )
