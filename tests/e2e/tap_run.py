"""Runs `fdwire tap` as a user does, for the tests, and lets tshark judge the capture."""

import functools
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from commands import fdwire

PACKAGES = {
    "ip": "iproute2",
    "nc": "netcat-openbsd",
    "nsenter": "util-linux",
    "ping": "iputils-ping",
    "setpriv": "util-linux",
}
"""Debian's package of a tool that is named otherwise."""

_OPEN = (sys.executable, "-c", "import os; os.open('/dev/net/tun', os.O_RDWR)")


@functools.cache
def _refused() -> str:
    """Why there can be no TAP here, found out without the code under test; empty if there can."""
    if shutil.which("unshare") is None:
        return "unshare is not installed (apt install util-linux)"
    for flags in (["--net"], ["--user", "--map-root-user", "--net"]):
        tried = subprocess.run(["unshare", *flags, *_OPEN], capture_output=True, text=True, check=False)
        if tried.returncode == 0:
            return ""
    return (
        "no TAP in a network namespace here: " + (tried.stderr.strip() or "unshare failed").splitlines()[-1]
    )


def needs(*tools: str) -> None:
    """Skip the test, with the reason, where a TAP or one of the `tools` is missing."""
    if _refused():
        pytest.skip(_refused())
    for tool in ("ip", *tools):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (apt install {PACKAGES.get(tool, tool)})")


def words(out: Path, *arguments: str) -> list[str]:
    """The command line of a run whose results go to `out`."""
    own = [sys.executable, "-m", "tb.cli", "tap", "--out", str(out)]
    return [*own, *arguments]


@dataclass
class Run:
    """What came of a run."""

    status: int
    out: str
    err: str
    capture: Path


def run(out: Path, *arguments: str, timeout: float = 240) -> Run:
    """Run `fdwire tap` to its end."""
    done = fdwire("tap", "--out", out, *arguments, timeout=timeout)
    return Run(done.returncode, done.stdout, done.stderr, out / "wire.pcapng")


def found(capture: Path, display_filter: str) -> list[str]:
    """The frames of a capture that tshark's filter finds, one line each; all checksums are checked."""
    checks = [f"-o{protocol}.check_checksum:TRUE" for protocol in ("ip", "tcp", "udp")]
    command = ["tshark", "-r", str(capture), "-n", *checks, "-Y", display_filter]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


BAD = (
    'ip.checksum.status == "Bad" or (tcp.checksum.status == "Bad" and tcp.checksum != 0xffff)'
    ' or udp.checksum.status == "Bad"'
)
"""A TCP checksum of 0 may be sent as 0xffff, the other zero of ones' complement: Linux (skb_checksum_help)
and devices do so, since UDP needs it. tshark takes that for bad; one frame in 65,536 has it.
"""
AGAIN = "(tcp.analysis.retransmission or tcp.analysis.fast_retransmission) and tcp.len > 0"


def assert_clean(capture: Path) -> None:
    """Every checksum is right, and no data were sent twice. Needs tshark."""
    assert found(capture, "frame"), "the capture holds frames"
    assert found(capture, BAD) == []
    assert found(capture, "icmp.checksum.status == 0") == []
    assert found(capture, AGAIN) == []
