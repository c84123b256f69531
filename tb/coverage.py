"""Coverage of the RTL by Verilator: asked for by the environment, read back, merged over runs, judged.

With FDWIRE_COVERAGE=<directory> every Verilator build counts lines, branches and toggles, and every run
leaves its counts there as a file of its own.
"""

import os
import re
import tomllib
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "FDWIRE_COVERAGE"
KINDS = ("line", "branch", "toggle")


def _directory() -> Path | None:
    text = os.environ.get(VARIABLE)
    return Path(text) if text else None


def build_arguments() -> tuple[str, ...]:
    """What a Verilator build needs for it; nothing when no coverage is wanted."""
    return ("--coverage-line", "--coverage-toggle") if _directory() else ()


def plusargs() -> list[str]:
    """What a run needs for it: the file its counts go to."""
    directory = _directory()
    if directory is None:
        return []
    directory.mkdir(parents=True, exist_ok=True)
    return [f"+verilator+coverage+file+{directory / uuid.uuid4().hex}.dat"]


@dataclass(frozen=True)
class Point:
    """One thing that can be covered: of `kind` at `line` of `file` (below rtl/); `what` says what exactly."""

    file: str
    line: int
    kind: str
    what: str


_RECORD = re.compile(r"^C '(.*)' (\d+)$")
_FIELD = re.compile("\x01([^\x02]+)\x02([^\x01]*)")


def read(files: Iterable[Path], rtl: Path) -> Counter[Point]:
    """Counts of all points below `rtl`, summed over `files` and over the instances of a module."""
    counts: Counter[Point] = Counter()
    for file in files:
        for text in file.read_text(errors="replace").splitlines():
            record = _RECORD.match(text)
            if record is None:
                continue
            fields = dict(_FIELD.findall(record[1]))
            kind = fields.get("page", "").partition("/")[0].removeprefix("v_")
            source = Path(fields.get("f", "")).resolve()
            if kind not in KINDS or not source.is_relative_to(rtl):
                continue
            what = f"{fields.get('o', '')} at {fields.get('n', '')}"
            place = str(source.relative_to(rtl))
            counts[Point(place, int(fields.get("l", 0)), kind, what)] += int(record[2])
    return counts


@dataclass(frozen=True)
class Waiver:
    """A hole that is not to be filled: points of `kinds` on lines of `file` that hold `text`; why."""

    file: str
    text: str
    kinds: tuple[str, ...]
    reason: str


def waivers(file: Path) -> list[Waiver]:
    """The waivers in a TOML file: tables `[[waiver]]` with file, text, kinds, reason."""
    tables = tomllib.loads(file.read_text()).get("waiver", [])
    return [Waiver(t["file"], t["text"], tuple(t["kinds"]), t["reason"]) for t in tables]


@dataclass
class Share:
    """Of one kind in one file: points in all, covered, waived (not covered, and explained)."""

    points: int = 0
    covered: int = 0
    waived: int = 0

    @property
    def ratio(self) -> float:
        """Covered points among those not waived; 1 if there are none."""
        wanted = self.points - self.waived
        return self.covered / wanted if wanted else 1.0


@dataclass(frozen=True)
class Report:
    """`shares`: by file and kind; `holes`: not covered, not waived; `stale`: waivers that waive nothing."""

    shares: Mapping[str, Mapping[str, Share]]
    holes: list[Point]
    stale: list[Waiver]

    def total(self, kind: str) -> Share:
        """Over all files."""
        result = Share()
        for shares in self.shares.values():
            result.points += shares[kind].points
            result.covered += shares[kind].covered
            result.waived += shares[kind].waived
        return result


def judge(counts: Mapping[Point, int], rtl: Path, waived: list[Waiver]) -> Report:
    """Sort every point into covered, waived and hole."""
    lines = {name: (rtl / name).read_text().splitlines() for name in {point.file for point in counts}}
    shares: dict[str, dict[str, Share]] = {}
    holes: list[Point] = []
    used: set[Waiver] = set()
    for point, count in sorted(counts.items(), key=lambda item: (item[0].file, item[0].line, item[0].what)):
        share = shares.setdefault(point.file, {kind: Share() for kind in KINDS})[point.kind]
        share.points += 1
        if count:
            share.covered += 1
            continue
        text = lines[point.file][point.line - 1]
        excuse = next(
            (w for w in waived if w.file == point.file and point.kind in w.kinds and w.text in text), None
        )
        if excuse is None:
            holes.append(point)
        else:
            share.waived += 1
            used.add(excuse)
    return Report(shares, holes, [waiver for waiver in waived if waiver not in used])
