"""Compiles the host stack (`tb.compiled`): half of `make fast`."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Final

from tb import toolchain, verilate
from tb.compiled import PACKAGE, directory, sources

_SETUP: Final = """\
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from mypyc.build import mypycify
from setuptools import setup
from setuptools.command.build_ext import build_ext


class OnAllCores(build_ext):
    def build_extensions(self):
        one_by_one = self.compiler.compile

        def compile(sources, **options):
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                made = pool.map(lambda source: one_by_one([source], **options), sources)
                return [path for paths in made for path in paths]

        self.compiler.compile = compile
        super().build_extensions()


setup(
    name="fdwire-stack",
    packages=[],
    ext_modules=mypycify(sys.argv[1:], opt_level="1", debug_level="0", multi_file=True),
    script_args=["build_ext", "--inplace"],
    cmdclass={"build_ext": OnAllCores},
)
"""


def build(announce: Callable[[str], None]) -> Path:
    """The directory of the compiled package, made unless it is there; `announce` hears what is under way.

    Raises ToolMissing, PlaceUnusable, or verilate.BuildFailed.
    """
    made = directory()
    with verilate.locked(made.parent / "lock"):
        if not made.is_dir():
            _needs()
            announce("compiling the host stack, for two to three minutes")
            with tempfile.TemporaryDirectory(dir=made.parent) as scratch:
                place = Path(scratch) / "whole"
                shutil.copytree(PACKAGE, place / "pymodel", ignore=shutil.ignore_patterns("__pycache__"))
                _compile(place, announce)
                for left in (place / "build", place / "setup.py"):
                    shutil.rmtree(left) if left.is_dir() else left.unlink()
                place.rename(made)
    return made


def _needs() -> None:
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        raise toolchain.ToolMissing(
            "Python.h is missing: install python3-dev (Debian/Ubuntu: apt install python3-dev)"
        )
    try:
        metadata.version("mypy")
    except metadata.PackageNotFoundError:
        raise toolchain.ToolMissing("mypyc is missing from the environment: run `make fast`") from None


def _compile(place: Path, announce: Callable[[str], None]) -> None:
    """Leave the extensions beside their sources, in the copy at `place`."""
    (place / "setup.py").write_text(_SETUP)
    names = [str(path.relative_to(toolchain.ROOT)) for path in sources()]
    options = ["--strict", "--warn-unreachable", "--no-namespace-packages"]
    environment = os.environ | verilate.compiler_cache() | {"CC": f"{toolchain.compiler_cache()} gcc"}
    said: list[str] = []
    command = [sys.executable, "setup.py", *options, *names]
    with subprocess.Popen(
        command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        done = 0
        for line in process.stdout:
            said.append(line.rstrip())
            if " -c build/__native_pymodel" in line:
                done += 1
                if not done % 20:
                    announce(f"{done} of {len(names)} modules")
    if process.returncode:
        log = toolchain.BUILD / "stack" / "build.log"
        log.write_text("\n".join(said) + "\n")
        raise verilate.BuildFailed("\n".join([*said[-20:], f"the whole log: {log}"]))
