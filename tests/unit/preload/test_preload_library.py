"""The shim is compiled once, and programs that it could not reach are refused with a reason."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tb.preload import library
from tb.preload.errors import PreloadError

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="cc is not installed (apt install gcc)")


@needs_cc
def test_library_is_compiled_once_without_a_warning_and_named_after_its_source(tmp_path: Path) -> None:
    first = library.build(tmp_path)
    when = first.stat().st_mtime_ns
    assert library.build(tmp_path) == first and first.stat().st_mtime_ns == when
    assert list(tmp_path.iterdir()) == [first]
    command = ["cc", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(library.SOURCE)]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stderr == ""


def test_no_compiler_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PreloadError, match="a C compiler is missing: install gcc"):
        library.build(tmp_path)


def elf(*kinds: int) -> bytes:
    """A 64-bit header with program headers of these types, elf(5)."""
    head = bytearray(64 + 56 * len(kinds))
    head[:6] = b"\x7fELF\x02\x01"
    head[32], head[54], head[56] = 64, 56, len(kinds)
    for at, kind in enumerate(kinds):
        head[64 + 56 * at] = kind
    return bytes(head)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(elf(6, 1), "is statically linked"), (elf(6, 3, 1), ""), (b"#!/bin/sh\n", ""), (b"\x7fELF", "")],
)
def test_only_what_has_a_dynamic_linker_can_be_run(tmp_path: Path, content: bytes, complaint: str) -> None:
    program = tmp_path / "program"
    program.write_bytes(content)
    program.chmod(0o755)
    if complaint:
        with pytest.raises(PreloadError, match=complaint):
            library.find(str(program))
    else:
        assert library.find(str(program)) == program


def test_unknown_program_is_one_sentence() -> None:
    with pytest.raises(PreloadError, match="no-such-program is not a program here"):
        library.find("no-such-program")
