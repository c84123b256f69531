"""What README.md and docs/ say: commands work, output shown is what is printed, pages hold together."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tb import toolchain

DOCS = sorted((toolchain.ROOT / "docs").glob("*.md"))
PAGES = [toolchain.ROOT / "README.md", *DOCS]
COMMAND = re.compile(r"^ {4}((?:\.venv/bin/|make |gtkwave |surfer ).*?)(?: {2,}#.*)?$", re.MULTILINE)

TRIED = {
    ".venv/bin/fdwire sim --loss 0.02 --reorder 0.05": 0,
    ".venv/bin/fdwire sim --without CSUM,EVENT_IDX": 0,
    '.venv/bin/fdwire sim --plant "used length"': 1,
    '.venv/bin/fdwire sim --bytes 20000 --plant "swapped byte"': 1,
    ".venv/bin/fdwire sim --trace": 0,
    ".venv/bin/fdwire sim --bytes 2000": 0,
    ".venv/bin/python -m tb.waves.timing build/sim/waves.fst docs/images": 0,
    ".venv/bin/pytest tests/e2e/test_plain_cocotb.py examples/test_my_first.py": 0,
    "make docs": 0,
}
"""Commands that a test runs here, and their exit status."""

ELSEWHERE = {
    "make sim": "tests/e2e/test_main_job.py has the command behind it, tests/e2e/test_readme.py its output",
    "make test": "it is what runs this",
    "make env": "what runs this has been made by it",
    "make regress SEEDS=1-20": "an hour; tests/unit/regress has the command",
    "make fast": "minutes of compiling; tests/unit/cosim/test_guided.py has it",
    "make bench": "half an hour; tests/e2e has each measurement",
    ".venv/bin/fdwire report --open": "opens a browser; tests/e2e/test_report.py has the page",
    ".venv/bin/fdwire packetdrill tests/packetdrill/*/*.pkt": "tests/packetdrill/test_scripts.py runs all",
    ".venv/bin/fdwire tap --exec 'ping -c 5 10.0.0.1'": "needs a TAP; tests/e2e/test_tap_rtl.py has it",
    ".venv/bin/fdwire waves --at 14083200ps": "needs a display; tests/e2e/test_waves.py has a virtual one",
    "gtkwave build/sim/waves.gtkw": "needs a display; tests/e2e/test_waves.py has a virtual one",
}
"""Commands that are not run here, and why."""

PATTERNS = {
    r"\.venv/bin/python examples/(\w+)\.py": "tests/e2e/test_examples.py runs every script",
    r"\.venv/bin/fdwire \w[\w-]* .*(\[|…|FILE|SOCKET|/tmp/).*": "a synopsis",
    r"\.venv/bin/fdwire (run|tap|vhost-user)\b.*": "needs a peer; tests/e2e has them",
    r"\.venv/bin/python examples/linux_guest/run\.py": "needs QEMU; tests/e2e/test_linux_guest.py",
    r"\.venv/bin/dask .*": "needs several machines",
}


def commands() -> Iterator[tuple[str, str]]:
    """(page, command) of every page."""
    for page in PAGES:
        for found in COMMAND.finditer(page.read_text()):
            yield page.name, found[1].rstrip()


def test_every_command_shown_is_run_by_a_test_or_named_with_the_reason_why_not() -> None:
    shown = list(commands())
    assert len(shown) > 25
    unknown = [
        (page, command)
        for page, command in shown
        if command not in TRIED
        and command not in ELSEWHERE
        and not any(re.fullmatch(pattern, command) for pattern in PATTERNS)
    ]
    assert unknown == []
    assert set(TRIED) | set(ELSEWHERE) <= {command for _, command in shown} | {"make docs"}


@pytest.mark.slow
@pytest.mark.parametrize("command", TRIED)
def test_command_does_what_it_says(command: str, tmp_path: Path) -> None:
    words = shlex.split(command.replace("docs/images", str(tmp_path)))
    if words[0] == "make" and not (Path(sys.executable).parent / "mkdocs").is_file():
        pytest.skip("mkdocs is not installed (make docs installs it)")
    if words[0].startswith(".venv/bin/"):
        words[0] = str(Path(sys.executable).parent / words[0].removeprefix(".venv/bin/"))
    if "build/sim/waves.fst" in words and not toolchain.has_fst():
        pytest.skip("waves are VCD here: the headers of zlib and lz4 are not installed")
    if "build/sim/waves.fst" in words:
        made = [str(Path(sys.executable).parent / "fdwire"), "sim", "--bytes", "2000", "--out", str(tmp_path)]
        subprocess.run(made, cwd=toolchain.ROOT, env=environment(tmp_path), check=True, capture_output=True)
        words[words.index("build/sim/waves.fst")] = str(tmp_path / "waves.fst")
    elif words[1:2] == ["sim"]:
        words += ["--out", str(tmp_path)]
    done = subprocess.run(
        words,
        cwd=toolchain.ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == TRIED[command], done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def environment(scratch: Path) -> dict[str, str]:
    """A user's: without what pytest and cocotb say to what they start."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COCOTB_"))}
    return kept | {"FDWIRE_FAILURES": str(scratch / "failures"), "FDWIRE_RUNS": str(scratch / "runs")}


def shape(text: str) -> list[str]:
    """The lines without their figures: those are of one run of one state of the code."""
    return [" ".join(re.sub(r"\d[\d,.]*", "#", line).split()) for line in text.splitlines()]


def shown_output(name: str) -> str:
    tutorial = (toolchain.ROOT / "docs" / "tutorial.md").read_text()
    found = re.search(rf"<!-- output: {name} -->\n```\n(.*?)\n```", tutorial, re.DOTALL)
    assert found, name
    return found[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", re.findall(r"<!-- output: (\w+) -->", (toolchain.ROOT / "docs" / "tutorial.md").read_text())
)
def test_output_in_the_tutorial_is_what_the_script_prints(name: str, tmp_path: Path) -> None:
    script = toolchain.ROOT / "examples" / f"{name}.py"
    done = subprocess.run(
        [sys.executable, script],
        cwd=toolchain.ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert shape(done.stdout.rstrip()) == shape(shown_output(name))


def test_shape_of_another_line_is_another() -> None:
    assert shape("  1.5 ns  doorbell 7") == shape(" 12.75 ns doorbell 8")
    assert shape("1 ns doorbell") != shape("1 ns interrupt")
    assert shape("a\nb") != shape("a")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text()
    for name in set(re.findall(r"`((?:rtl|pymodel|tb|tests|docs|examples)/[\w/.-]*\w)`", text)):
        assert (toolchain.ROOT / name).exists() or list(toolchain.ROOT.glob(f"{name}.*")), name
    for target in set(re.findall(r"`make ([a-z-]+)", text)):
        assert re.search(rf"^{target}:.*## ", (toolchain.ROOT / "Makefile").read_text(), re.MULTILINE), target


def test_every_page_can_be_reached_from_the_navigation() -> None:
    nav = (toolchain.ROOT / "mkdocs.yml").read_text().partition("nav:")[2]
    assert sorted(re.findall(r"- ([\w-]+\.md)", nav)) == [page.name for page in DOCS]


@pytest.mark.slow
def test_pages_are_built_without_a_dead_link_and_ask_no_network_for_anything(tmp_path: Path) -> None:
    mkdocs = Path(sys.executable).parent / "mkdocs"
    if not mkdocs.is_file():
        pytest.skip("mkdocs is not installed (make docs installs it)")
    done = subprocess.run(
        [mkdocs, "build", "--site-dir", tmp_path],
        cwd=toolchain.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pages = list(tmp_path.glob("*.html"))
    assert {page.stem for page in DOCS} <= {page.stem for page in pages}
    for page in pages:
        text = page.read_text()
        fetched = re.findall(r"<(?:script|img|iframe)[^>]*src=\"([^\"]*)\"", text)
        fetched += re.findall(r"<link[^>]*href=\"([^\"]*)\"", text)
        outside = [each for each in fetched if re.match(r"(?:https?:)?//", each)]
        assert outside == [], page.name
    for sheet in tmp_path.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", sheet.read_text()), sheet.name
