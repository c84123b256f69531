"""Builds what joins lwIP to Python, once, from `pymodel/lwip/shim.c` and the installed liblwip."""

import functools
import hashlib
import os
import subprocess

from pymodel.lwip.library import SOURCE, Library
from tb import toolchain

__all__ = ["load"]

_FLAGS = ("-x", "c", "-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared")
_HEADERS = "/usr/include/lwip"
_MISSING = "lwIP is missing: install its library (Debian/Ubuntu: apt install liblwip-dev)"


@functools.cache
def load() -> Library:
    """The library, compiled if it was not before. Raises ToolMissing when lwIP is not installed,
    RuntimeError when it is not the lwIP that the shim was written for."""
    toolchain.check_machine()
    has = ["g++", "-x", "c", "-fsyntax-only", f"-I{_HEADERS}", "-"]
    probe = subprocess.run(has, input="#include <lwip/init.h>\n", text=True, capture_output=True, check=False)
    if probe.returncode:
        raise toolchain.ToolMissing(_MISSING)
    key = hashlib.sha256(SOURCE.read_bytes() + " ".join(_FLAGS).encode()).hexdigest()[:16]
    target = toolchain.BUILD / "lwip" / f"shim-{key}.so"
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        # Others may build the same at the same time: each under its own name, the last one stays.
        mine = target.with_suffix(f".{os.getpid()}")
        command = ["g++", *_FLAGS, f"-I{_HEADERS}", "-o", str(mine), str(SOURCE), "-llwip", "-ldl"]
        result = subprocess.run(command, text=True, capture_output=True, check=False)
        if result.returncode:
            raise RuntimeError(f"shim.c does not compile with the installed lwIP:\n{result.stderr}")
        mine.replace(target)
    return Library(target)
