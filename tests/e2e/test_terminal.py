"""What the main job shows where a person looks, and that it is quiet where a program reads."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tb import toolchain

FDWIRE = str(Path(sys.executable).parent / "fdwire")


@pytest.mark.slow
def test_sim_has_a_bar_on_a_terminal_and_only_its_results_in_a_pipe(tmp_path: Path) -> None:
    command = [FDWIRE, "sim", "--waves", "off", "--bytes", "100000", "--out", str(tmp_path)]
    # What is built is built before, as that is said in a pipe, too.
    subprocess.run(command, cwd=toolchain.ROOT, check=True, capture_output=True, timeout=280)
    quiet = subprocess.run(
        command, cwd=toolchain.ROOT, check=True, capture_output=True, text=True, timeout=280
    )
    first = quiet.stdout.splitlines()[0]
    assert first.startswith("frames ") and "\x1b" not in quiet.stdout and quiet.stderr == ""

    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, cwd=toolchain.ROOT, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm"}
    ) as shown:
        os.close(theirs)
        text = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # how a terminal ends whose last writer is gone
                break
            if not part:
                break
            text += part
        os.close(ours)
        assert shown.wait(timeout=60) == 0
    said = text.decode()
    assert "\x1b[" in said and "━" in said and "GET random.bin" in said
    assert "of 122,716 bytes" in said and "SHA-256" in said
