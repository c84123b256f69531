"""Frames that somebody else's driver gets rid of a wall second: DPDK's testpmd on `fdwire vhost-user`.

testpmd fills the TX ring as fast as it is emptied, with 64-byte frames and FCS, and reports the rate itself.
Golden NIC and RTL, the latter also in lockstep. On two processors they share them with testpmd, which polls
without end.
"""

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tb import toolchain
from tb.bench.cosim import Record

__all__ = ["measure", "missing"]

_TESTPMD = "dpdk-testpmd"
_KINDS = (
    ("golden NIC", ("--nic", "golden"), "golden NIC"),
    ("RTL", ("--nic", "rtl", "--no-lockstep"), "RTL"),
    ("RTL, lockstep", ("--nic", "rtl"), "RTL"),
)
"""Name, options of the command, and whose rate is the yardstick."""

_SHOWN = 4
"""Seconds that testpmd reports: the first has not begun, and in the second the ring is filled."""
_PATIENCE = 60.0
"""Wall seconds until a measurement that does not get there has failed."""


def missing() -> str:
    """What is told instead of figures where there can be none; empty if there can."""
    if shutil.which(_TESTPMD) is None:
        return "DPDK on vhost-user was left out: dpdk-testpmd is not installed (apt install dpdk-dev)."
    return ""


def measure(say: Callable[[str], None]) -> list[Record]:
    """One record a NIC, none where testpmd is `missing`; `say` hears what is under way.

    Raises RuntimeError when a run fails.
    """
    if missing():
        return []
    rates: dict[str, float] = {}
    for name, options, _ in _KINDS:
        say(f"DPDK txonly on vhost-user: {name}")
        rates[name] = _rate(options)
    return [
        Record(
            f"DPDK txonly, {name}",
            round(rates[name]),
            "frames/s",
            f"DPDK txonly, {yardstick}",
            round(rates[name] / rates[yardstick], 4),
        )
        for name, _, yardstick in _KINDS
    ]


def _rate(options: Sequence[str]) -> float:
    """Frames a wall second, of one run."""
    with tempfile.TemporaryDirectory() as directory:
        where = Path(directory)
        socket = where / "s"
        device = _start(
            [
                sys.executable,
                "-m",
                "tb.cli",
                "vhost-user",
                "--socket",
                str(socket),
                "--out",
                directory,
                *options,
            ],
            where / "device.log",
        )
        client: subprocess.Popen[bytes] | None = None
        shown: list[str] = []
        try:
            _until(socket.exists, device, where / "device.log")
            client = _start(_client(socket), where / "client.log")

            def enough() -> bool:
                shown[:] = re.findall(r"Tx-pps: +(\d+)", (where / "client.log").read_text())
                return len(shown) >= _SHOWN

            _until(enough, client, where / "client.log")
        finally:
            for process in (client, device):
                if process is not None:
                    _end(process)
        return statistics.mean(map(int, shown[2:]))


def _client(socket: Path) -> list[str]:
    processors = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    return [
        _TESTPMD,
        f"--lcores=(0-1)@({processors})",
        "--no-huge",
        *("-m", "128"),
        "--no-pci",
        "--no-telemetry",
        f"--file-prefix=fdwire{os.getpid()}",
        f"--vdev=net_virtio_user0,path={socket},mac=02:00:00:00:00:01,queue_size=256,packed_vq=1",
        "--",
        "--forward-mode=txonly",
        "--total-num-mbufs=4096",
        "--no-flush-rx",
        "--stats-period=1",
    ]


def _start(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as told:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=told, stderr=subprocess.STDOUT, cwd=toolchain.ROOT
        )


def _until(done: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not done():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the run to be measured failed: {log.read_text().strip()[-500:]}")
        time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    """In order, as far as it lets itself be ended so."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
