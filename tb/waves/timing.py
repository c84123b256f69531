"""Timing diagrams of the documentation, drawn from the waves of a real run.

    python -m tb.waves.timing build/sim/waves.fst docs/images

writes transmit.svg and receive.svg: one frame's way each, from the waves of `fdwire sim`.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from tb.waves import names, view
from tb.waves.wavefile import WaveFile

_NIC: Final = f"{view.TOP}.nic"
_LEFT: Final = 150
_ROW: Final = 30
_HIGH: Final = 18
_TICK: Final = 100_000
"""ps between two lines of the ruler."""
_PS_PER_PIXEL: Final = 1200
_LETTER: Final = 6.2
"""Pixels of a letter, about."""


@dataclass(frozen=True)
class Span:
    """From `start` to `end` (ps) something is so; `text` says what, if there is room."""

    start: int
    end: int
    text: str = ""


@dataclass(frozen=True)
class Row:
    """One line of a diagram; `bus`: boxes with text, else a level that is high in its spans."""

    label: str
    spans: tuple[Span, ...]
    bus: bool = False


def level(waves: WaveFile, label: str, signal: str, *, rest: int = 0) -> Row:
    """A signal of which only matters whether it is other than `rest`."""
    spans, begun = [], None
    for time, value in waves.changes(signal):
        if value != rest and begun is None:
            begun = time
        elif value == rest and begun is not None:
            spans.append(Span(begun, time))
            begun = None
    return Row(label, tuple(spans))


def bus(waves: WaveFile, label: str, valid: str, value: str, texts: dict[int, str]) -> Row:
    """What `value` says while `valid` is high."""
    changes = sorted(
        [(time, 0, high) for time, high in waves.changes(valid)]
        + [(time, 1, v) for time, v in waves.changes(value)]
    )
    spans: list[Span] = []
    high, now, begun = 0, 0, 0
    for time, kind, new in changes:
        if high and time > begun:
            text = texts.get(now, str(now))
            if spans and spans[-1].text == text and spans[-1].end == begun:
                spans[-1] = Span(spans[-1].start, time, text)
            else:
                spans.append(Span(begun, time, text))
        begun = time
        if kind:
            now = new
        else:
            high = new
    return Row(label, tuple(spans), bus=True)


def _shapes(row: Row, y: int, start: int, end: int) -> Iterator[str]:
    def x(time: int) -> float:
        return _LEFT + (min(max(time, start), end) - start) / _PS_PER_PIXEL

    shown = [span for span in row.spans if span.end > start and span.start < end]
    low, high = y + _HIGH, y
    if row.bus:
        yield f'<line class="rest" x1="{_LEFT}" x2="{x(end):.1f}" y1="{low}" y2="{low}"/>'
        for span in shown:
            width = max(x(span.end) - x(span.start), 2)
            yield f'<rect x="{x(span.start):.1f}" y="{high}" width="{width:.1f}" height="{_HIGH}"/>'
            if len(span.text) * _LETTER < width:
                middle = x(span.start) + width / 2
                yield f'<text class="in" x="{middle:.1f}" y="{low - 5}">{escape(span.text)}</text>'
            elif span.text:
                yield f'<text class="over" x="{x(span.start):.1f}" y="{high - 2}">{escape(span.text)}</text>'
        return
    points = [(float(_LEFT), low)]
    for span in shown:
        points += [(x(span.start), low), (x(span.start), high), (x(span.end), high), (x(span.end), low)]
    points.append((x(end), low))
    yield f'<polyline points="{" ".join(f"{a:.1f},{b}" for a, b in points)}"/>'


def svg(title: str, rows: Sequence[Row], start: int, end: int) -> str:
    """The diagram from `start` to `end` (ps), a picture by itself; times are shown from `start` on."""
    width = _LEFT + (end - start) // _PS_PER_PIXEL + 20
    height = 40 + _ROW * len(rows) + 10
    style = (
        "text{font:11px sans-serif;fill:#222}.in{text-anchor:middle;font-size:10px}"
        ".over{font-size:8px;fill:#555}"
        "polyline{fill:none;stroke:#1f5fa8;stroke-width:1.5}rect{fill:#dce8f5;stroke:#1f5fa8}"
        ".rest{stroke:#1f5fa8}.tick{stroke:#ddd}.time{font-size:9px;fill:#777}"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">',
        f"<title>{escape(title)}</title><style>{style}</style>",
        f'<rect x="0" y="0" width="{width}" height="{height}" style="fill:#fff;stroke:none"/>',
    ]
    for time in range(start, end + 1, _TICK):
        at = _LEFT + (time - start) / _PS_PER_PIXEL
        parts.append(f'<line class="tick" x1="{at:.1f}" x2="{at:.1f}" y1="24" y2="{height - 8}"/>')
        parts.append(f'<text class="time" x="{at + 2:.1f}" y="20">{(time - start) // 1000} ns</text>')
    for number, row in enumerate(rows):
        y = 36 + _ROW * number
        parts.append(f'<text x="4" y="{y + _HIGH - 4}">{escape(row.label)}</text>')
        parts += _shapes(row, y, start, end)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _rows(waves: WaveFile) -> dict[str, Row]:
    ids = dict(names.tables([])["axi_id"].text)
    channels = {
        "AR: asked for": ("arvalid", "arid"),
        "R: read": ("rvalid", "rid"),
        "AW: written": ("awvalid", "awid"),
        "B: in memory": ("bvalid", "bid"),
    }
    rows = {
        label: bus(waves, label, f"{_NIC}.m_axi_{valid}", f"{_NIC}.m_axi_{ident}", ids)
        for label, (valid, ident) in channels.items()
    }
    rows["doorbell"] = level(waves, "doorbell", f"{_NIC}.regs.notify")
    rows["irq"] = level(waves, "irq", f"{_NIC}.irq")
    for way, label in (("tx", "XGMII sent"), ("rx", "XGMII received")):
        rows[label] = level(waves, label, f"{_NIC}.xgmii_{way}c", rest=view.XGMII_IDLE)
    return rows


def draw(waves: WaveFile) -> dict[str, str]:
    """Pictures by file name: the first frame sent, and the first one received, of a run.

    Raises ValueError when the waves have none, from doorbell or first word to interrupt.
    """
    rows = _rows(waves)
    sent, got = rows["XGMII sent"].spans, rows["XGMII received"].spans
    sent = tuple(span for span in sent if span.start)  # before reset the lanes are anything
    got = tuple(span for span in got if span.start)
    bells = [span.start for span in rows["doorbell"].spans if sent and span.start < sent[0].start]
    after = [span.end for span in rows["irq"].spans if got and span.end > got[0].end]
    done = [span.end for span in rows["irq"].spans if sent and span.end > sent[0].start]
    if not (bells and after and done):
        raise ValueError("no frame was sent and received, with doorbell and interrupt, in these waves")
    order = ("AR: asked for", "R: read", "XGMII sent", "AW: written", "B: in memory", "irq")
    transmit = [rows[label] for label in ("doorbell", *order)]
    receive = [
        rows[label]
        for label in ("XGMII received", "AW: written", "B: in memory", "AR: asked for", "R: read", "irq")
    ]
    margin = _TICK // 2
    return {
        "transmit.svg": svg("one frame sent", transmit, bells[-1] - margin, done[0] + margin),
        "receive.svg": svg("one frame received", receive, got[0].start - margin, after[0] + margin),
    }


def main(arguments: list[str]) -> int:
    """Write the pictures; exit status 2 with a sentence when that cannot be."""
    if len(arguments) != 2:
        print("usage: python -m tb.waves.timing WAVES DIRECTORY", file=sys.stderr)
        return 2
    try:
        pictures = draw(WaveFile(Path(arguments[0])))
    except (FileNotFoundError, ValueError) as error:
        print(f"fdwire: {error}: make some with `fdwire sim --bytes 2000`", file=sys.stderr)
        return 2
    directory = Path(arguments[1])
    directory.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        (directory / name).write_text(picture)
        print(f"written: {directory / name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
