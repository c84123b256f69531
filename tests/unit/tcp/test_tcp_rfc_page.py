"""docs/rfc9293.md names only what exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_page_names_files_and_tests_that_exist() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "docs" / "rfc9293.md").read_text().splitlines()
        if re.match(r"\| (MUST|SHLD|MAY)-", line)
    ]
    assert len(rows) > 30
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "unit").rglob("test_*.py"))
    known = set(re.findall(r"def test_(\w+)\(", tests))
    scripts = ROOT / "tests" / "packetdrill"
    known |= {str(path.relative_to(scripts)) for path in scripts.rglob("*.pkt")}
    for _, _, where, test in rows:
        files, names = re.findall(r"`([^`]+)`", where), re.findall(r"`([^`]+)`", test)
        assert files and names
        assert [f for f in files if not (ROOT / "pymodel" / f).exists()] == []
        assert [n for n in names if n not in known] == []


def test_page_has_every_must_of_appendix_b() -> None:
    page = (ROOT / "docs" / "rfc9293.md").read_text()
    found = {int(number) for number in re.findall(r"MUST-(\d+)", page)}
    assert sorted(set(range(1, 70)) - found) == []
