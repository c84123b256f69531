"""The shim as a shared library, compiled by the machine's C compiler once; which programs it can reach."""

import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tb import toolchain
from tb.preload.errors import PreloadError

SOURCE: Final = Path(__file__).with_name("shim.c")

_FLAGS: Final = ("-shared", "-fPIC", "-O2", "-fvisibility=hidden")
_INTERPRETER: Final = 3
"""PT_INTERP of elf(5): who loads the libraries of a dynamically linked program."""


def build(where: Path | None = None) -> Path:
    """The library, made if it is not there yet. PreloadError without a compiler, or if it refuses."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise PreloadError("a C compiler is missing: install gcc (Debian/Ubuntu: apt install gcc libc6-dev)")
    source = SOURCE.read_bytes()
    key = hashlib.sha256(source + repr((compiler, _FLAGS)).encode()).hexdigest()[:16]
    library = (where or toolchain.BUILD / "preload") / f"shim-{key}.so"
    if library.is_file():
        return library
    toolchain.writable(library.parent)
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        made = Path(scratch) / library.name
        command = [compiler, *_FLAGS, "-o", str(made), str(SOURCE), "-ldl"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PreloadError(f"{compiler} cannot compile {SOURCE.name}: {done.stderr.strip()}")
        made.replace(library)  # at once: others may look for it at this moment
    return library


def find(program: str) -> Path:
    """The file that a command name means.

    PreloadError if there is none, or if the dynamic linker would preload nothing there (ld.so(8)): a
    statically linked one, or one that changes its user.
    """
    found = shutil.which(program)
    if found is None:
        raise PreloadError(f"{program} is not a program here: there is no such executable file")
    path = Path(found)
    mode = path.stat().st_mode
    if mode & (stat.S_ISUID | stat.S_ISGID) and os.geteuid() != 0:
        raise PreloadError(f"{program} changes its user or group (setuid), and so takes no preloaded library")
    if _static(path):
        raise PreloadError(
            f"{program} is statically linked, its calls cannot be taken over: use a dynamically linked one"
        )
    return path


def _static(path: Path) -> bool:
    """An ELF executable without PT_INTERP. Scripts are none: what runs them is."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
            if head[:4] != b"\x7fELF" or len(head) < 64:
                return False
            wide, order = head[4] == 2, "little" if head[5] == 1 else "big"

            def number(raw: bytes, at: int, size: int) -> int:
                return int.from_bytes(raw[at : at + size], order)  # type: ignore[arg-type]

            start = number(head, 32, 8) if wide else number(head, 28, 4)
            size = number(head, 54, 2) if wide else number(head, 42, 2)
            count = number(head, 56, 2) if wide else number(head, 44, 2)
            file.seek(start)
            table = file.read(size * count)
    except OSError:
        return False  # who may not read it learns it from exec
    return not any(number(table, at, 4) == _INTERPRETER for at in range(0, len(table), size or 1))
