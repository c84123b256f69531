"""Runs `fdwire vhost-user` and DPDK's testpmd as a user does, for the tests."""

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tb import toolchain

PATIENCE = 60.0
"""Wall seconds until something that is waited for has failed."""


def needs_dpdk() -> None:
    """Skip the test where DPDK is missing."""
    if shutil.which("dpdk-testpmd") is None:
        pytest.skip("dpdk-testpmd is not installed (apt install dpdk-dev)")


class Told:
    """A process of ours: what it has said so far, and what is waited for in it."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=toolchain.ROOT,
            process_group=0,
        )
        self.said = ""
        self._looked = 0

    def type(self, line: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def until(self, pattern: str, patience: float = PATIENCE) -> re.Match[str]:
        """Wait for it to say `pattern`, behind what was waited for last."""
        deadline = time.monotonic() + patience
        while (found := re.compile(pattern).search(self.said, self._looked)) is None:
            left = deadline - time.monotonic()
            assert left > 0 and self._read(left), f"it never said {pattern!r}:\n{self.said}"
        self._looked = found.end()
        return found

    def _read(self, patience: float) -> bool:
        assert self.process.stdout is not None
        fd = self.process.stdout.fileno()
        if not select.select([fd], [], [], patience)[0]:
            return False
        data = os.read(fd, 65536)
        self.said += data.decode(errors="replace")
        return bool(data)

    def ended(self, patience: float = PATIENCE) -> int:
        """Its exit status, once it has ended; all that it said is then known."""
        status = self.process.wait(patience)
        while self._read(0):
            pass
        return status

    def close(self) -> None:
        """End it if it still runs; all that it said is then known."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.ended()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


@contextlib.contextmanager
def backend(out: Path, *arguments: str, nic: str = "golden", ready: str = "Ctrl-C ends it") -> Iterator[Told]:
    """`fdwire vhost-user`, that waits for clients at `out`/s once it has said `ready`. It must end by SIGINT,
    or before, with all as it should be.
    """
    where = ["--socket", str(out / "s"), "--out", str(out)]
    device = Told([sys.executable, "-m", "tb.cli", "vhost-user", "--nic", nic, *where, *arguments])
    try:
        device.until(ready, 240)
        yield device
        device.process.send_signal(signal.SIGINT)
        assert device.ended() == 0, device.said
        assert "Traceback" not in device.said
        if nic == "rtl" and "--no-lockstep" not in arguments:
            assert re.search(r"golden model +[\d,]+ comparisons, 0 mismatches", device.said), device.said
        assert not (out / "s").exists()
    finally:
        device.close()
        print(device.said)


@contextlib.contextmanager
def pmd(out: Path, *options: str, vdev: str = "", start: bool = True) -> Iterator[Told]:
    """testpmd as a virtio-user client of `out`/s, at its prompt."""
    device = (
        f"--vdev=net_virtio_user0,path={out / 's'},mac=02:00:00:00:00:01,queue_size=256,packed_vq=1{vdev}"
    )
    # A prefix of its own, since files of DPDK's in /var/run are named so.
    eal = [
        "-l",
        "0-1",
        "--no-huge",
        "-m",
        "128",
        "--no-pci",
        "--no-telemetry",
        f"--file-prefix=fdwire{os.getpid()}",
    ]
    own = ["-i", "--total-num-mbufs=4096", "--no-flush-rx", *options]
    client = Told(["stdbuf", "-oL", "dpdk-testpmd", *eal, device, "--", *own])
    try:
        client.until("testpmd> ")
        if start:
            client.type("start")
        yield client
    finally:
        client.close()
        print(client.said)


def configure(client: Told, *commands: str) -> None:
    """testpmd's port is stopped for `commands` and started again."""
    for command in ("port stop 0", *commands, "port start 0"):
        client.type(command)
        client.until("testpmd> ")


def stop(client: Told) -> dict[str, int]:
    """Stop forwarding; testpmd's own counters."""
    client.type("stop")
    client.until("Forward statistics for port 0")
    shown = client.until(r"RX-packets: (\d+)\D+RX-dropped: (\d+)\D+RX-total: \d+\s+TX-packets: (\d+)")
    client.until("Done")
    return {"rx": int(shown[1]), "tx": int(shown[3])}


def stats(client: Told) -> dict[str, int]:
    """Frames and bytes (without FCS) so far, as testpmd's port counts them."""
    client.type("show port stats 0")
    names = ("RX-packets", "RX-bytes", "TX-packets", "TX-bytes")
    shown = client.until(r"[^#]*".join(rf"{name}: +(\d+)" for name in names))
    return {name: int(shown[index]) for index, name in enumerate(names, 1)}


def quit(client: Told) -> None:
    """Leave, in order."""
    client.type("quit")
    assert client.ended() == 0, client.said


def wait_for(done: Callable[[], bool], patience: float = 30) -> None:
    """Until `done()`."""
    deadline = time.monotonic() + patience
    while not done():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.3)


def sent(out: Path, count: int, patience: float = 30) -> list[bytes]:
    """Wait until `count` frames of the client's are in the capture; all that are."""
    return _frames(out, count, patience, inbound=False)


def arrived(out: Path, count: int, patience: float = 30) -> list[bytes]:
    """As `sent`, of the frames of the far end."""
    return _frames(out, count, patience, inbound=True)


def _frames(out: Path, count: int, patience: float, *, inbound: bool) -> list[bytes]:
    deadline = time.monotonic() + patience
    while True:
        found = [frame for way, frame in captured(out / "wire.pcapng") if way == inbound]
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.3)


def captured(path: Path) -> list[tuple[bool, bytes]]:
    """The frames of a capture that may still grow: (from the far end, the bytes). pcapng, read by hand."""
    data = path.read_bytes()
    found, at = [], 0
    while at + 12 <= len(data):
        kind, length = (int.from_bytes(data[at + i : at + i + 4], "little") for i in (0, 4))
        if at + length > len(data):
            break
        if kind == 6:  # enhanced packet block
            size = int.from_bytes(data[at + 20 : at + 24], "little")
            options = data[at + 28 + (size + 3 & ~3) : at + length - 4]
            inbound = options[:4] == b"\2\0\4\0" and options[4] & 3 == 1
            found.append((inbound, data[at + 28 : at + 28 + size]))
        at += length
    return found
