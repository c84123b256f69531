"""`fdwire` as a user runs it."""

import os
import subprocess
import sys

from tb import toolchain


def environment() -> dict[str, str]:
    """A user's: without what pytest and cocotb say to what they start."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COCOTB_"))}


def fdwire(*arguments: object, timeout: float = 280) -> subprocess.CompletedProcess[str]:
    """Run it to its end, in pipes."""
    done = subprocess.run(
        [sys.executable, "-m", "tb.cli", *map(str, arguments)],
        cwd=toolchain.ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    print(done.stdout, done.stderr)
    return done
