"""Each example runs by itself, says what it promises, and leaves a capture that scapy can read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scapy.utils import rdpcap

from tb import lwip, toolchain

EXAMPLES = toolchain.ROOT / "examples"

# What the last line says, and the least number of frames in the capture.
SAYS = {
    "backlog_and_accept": ("accept queue overflowed", 30),
    "bind_in_use": ("4000 again, with SO_REUSEADDR", 4),
    "connect_blocks": ("select() says writable; SO_ERROR is ECONNREFUSED", 8),
    "illusion_of_send": ("a send() that blocks: EHOSTUNREACH after", 20),
    "lwip_pbufs": ("0 bytes copied between the program's memory and the wire", 90),
    "offloads": ("and 4 times the same bytes: nobody can tell who has cut them", 150),
    "packet_journey": ("interrupt   lowered", 6),
    "packetdrill_through_rtl": ("ok ", 0),
    "retransmission": ("SHA-256 equal: True", 300),
    "ring_full": ("B has received 400 datagrams; dropped on the way: 0", 400),
    "socket_is_an_fd": ("write(5) after close(5): Bad file descriptor", 8),
    "zero_copy": ("200,000 bytes each time, with the same SHA-256", 140),
}


def test_every_example_is_in_the_list() -> None:
    scripts = {path.stem for path in EXAMPLES.glob("*.py")}
    assert scripts == set(SAYS) | {path.stem for path in EXAMPLES.glob("test_*.py")}


@pytest.mark.parametrize("name", SAYS)
def test_example_says_what_it_shows_and_leaves_a_capture(name: str) -> None:
    if name == "lwip_pbufs":
        try:
            lwip.load()
        except toolchain.ToolMissing as missing:
            pytest.skip(str(missing))
    said, frames = SAYS[name]
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py"],
        cwd=toolchain.ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
    assert said in done.stdout.splitlines()[-1], done.stdout
    if frames:
        assert len(rdpcap(str(toolchain.BUILD / "examples" / f"{name}.pcapng"))) >= frames


@pytest.mark.slow
def test_lwip_example_without_the_library_says_what_to_install(tmp_path: Path) -> None:
    compiler = tmp_path / "g++"  # one that finds no header, as where the library is not installed
    compiler.write_text("#!/bin/sh\nexit 1\n")
    compiler.chmod(0o755)
    done = subprocess.run(
        [sys.executable, EXAMPLES / "lwip_pbufs.py"],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "lwIP is missing: install its library (Debian/Ubuntu: apt install liblwip-dev)\n"


def test_example_without_its_network_fails(tmp_path: Path) -> None:
    """An example that shows nothing does not pass for one that does."""
    broken = (EXAMPLES / "connect_blocks.py").read_text().replace("time.monotonic()", "0.0")
    script = tmp_path / "broken.py"
    script.write_text(broken)
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode != 0 and b"AssertionError" in done.stderr
