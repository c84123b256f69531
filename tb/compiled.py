"""The host stack compiled: `pymodel` but for its sockets, made into an extension by mypyc.

From the same sources, with nothing changed: what they do is the same, in half to a third of the time. What
has been compiled lies in a directory of its own, named after the sources' content; `use` puts it in front of
the sources where it fits them, so that a change of theirs is never hidden by what was compiled before. Runs
with trace points are interpreted, since those are put in from outside, and so are tests.
"""

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from tb import toolchain

PACKAGE: Final = toolchain.ROOT / "pymodel"

_PARTS: Final = ("tcp", "ip", "udp", "wire", "driver", "golden")
_MODULES: Final = (
    *("gro", "gso", "hostmem", "iommu", "link", "loopback", "netdev", "poolmem", "regs", "scheduler"),
    *("simtime", "skbuff"),
)
"""Not among them: `task`, whose generators are awaited, too; `socket`, whose kernel has four parents and
whose programs are threads of the interpreter, and what stands above; `lwip` and `regionmem`, both ctypes."""

_SWITCH: Final = "FDWIRE_COMPILED"


def sources() -> list[Path]:
    """What is compiled, in order."""
    found = [PACKAGE / f"{name}.py" for name in _MODULES]
    for part in _PARTS:
        found += (PACKAGE / part).rglob("*.py")
    return sorted(found)


def directory() -> Path:
    """Where the package compiled from the sources as they are lies, if it has been made."""
    digest = hashlib.sha256(repr((sys.version, metadata.version("mypy_extensions"))).encode())
    compiler = Path(__file__).with_name("compile_stack.py")
    for path in (Path(__file__), compiler, *sorted(PACKAGE.rglob("*.py"))):
        content = path.read_bytes()
        digest.update(repr((path.name, len(content))).encode() + content)
    return toolchain.BUILD / "stack" / digest.hexdigest()[:12]


def use(arguments: Sequence[str] = ()) -> bool:
    """Take the compiled package, here and in processes started from here, if it fits the sources; whether so.

    To be called before anything of `pymodel` is imported. `arguments`: the command line; nothing is done for
    `sim`, whose report follows segments, nor where FDWIRE_COMPILED is "off".
    """
    if arguments[:1] == ["sim"] or os.environ.get(_SWITCH) == "off":
        return False
    if not (toolchain.BUILD / "stack").is_dir():
        return False
    found = directory()
    if not (found / "pymodel").is_dir():
        return False
    sys.path.insert(0, str(found))
    return True


@contextlib.contextmanager
def left_out() -> Iterator[None]:
    """What is started meanwhile runs the sources."""
    path, switch = list(sys.path), os.environ.get(_SWITCH)
    sys.path[:] = [place for place in path if Path(place).parent != toolchain.BUILD / "stack"]
    os.environ[_SWITCH] = "off"
    try:
        yield
    finally:
        sys.path[:] = path
        if switch is None:
            del os.environ[_SWITCH]
        else:
            os.environ[_SWITCH] = switch


def in_use() -> bool:
    """This process runs the compiled package."""
    import pymodel.scheduler

    return not str(pymodel.scheduler.__file__).endswith(".py")
