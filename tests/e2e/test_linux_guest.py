"""`examples/linux_guest`: unmodified Linux in stock QEMU drives our NICs, and its own sha256sum judges."""

import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tap_run

from tb import toolchain

EXAMPLE = toolchain.ROOT / "examples" / "linux_guest" / "run.py"
PINGS = "3 packets transmitted, 3 packets received, 0% packet loss"
TRANSPORT = {"q35": "virtio-pci", "microvm": "virtio-mmio"}

pytestmark = pytest.mark.slow


def run(out: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """The example, to its end."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--out", str(out), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | ({} if path is None else {"PATH": path}),
    )
    print(done.stdout, done.stderr)
    if re.match(r"linux_guest: apt-(get|cache) .* (failed|has not ended)", done.stderr):
        pytest.skip(f"apt cannot download what the guest is made of: {done.stderr.strip()}")
    assert "Traceback" not in done.stderr
    return done


def needs() -> None:
    """Skip the test where there is no QEMU, or no way to what the guest is made of."""
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("qemu-system-x86_64 is not installed (apt install qemu-system-x86)")
    if not (toolchain.ROOT / "build" / "guest").exists() and shutil.which("apt-get") is None:
        pytest.skip("the guest is made of Debian's packages, and there is no apt-get here to download them")


def guest(out: Path, *arguments: str) -> list[str]:
    """What the guest has done, all of which must have gone well."""
    needs()
    done = run(out, *arguments)
    assert done.returncode == 0 and not done.stderr
    assert (out / "wire.pcapng").stat().st_size > 1_000_000
    return [line.removeprefix("guest: ") for line in done.stdout.splitlines() if line.startswith("guest: ")]


def digests(said: list[str]) -> list[str]:
    return [found[1] for line in said if (found := re.search("SHA-256 ([0-9a-f]{64})", line))]


def judge(said: list[str], machine: str, size: int) -> None:
    """On that machine a file of `size` bytes has come down and gone up whole."""
    assert any(f"virtio_net's, behind {TRANSPORT[machine]};" in line for line in said)
    assert any(line.startswith(f"has downloaded {size:,} bytes") for line in said)
    assert any(line.startswith(f"has uploaded {size:,} bytes") for line in said)
    assert digests(said)[:2] == 2 * [hashlib.sha256(random.Random(1).randbytes(size)).hexdigest()]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("machine", "size"), [("microvm", 10_000_000), ("q35", 3_000_000)])
def test_guest_on_the_rtl_pings_loads_files_takes_its_interface_down_and_reboots(
    tmp_path: Path, machine: str, size: int
) -> None:
    said = guest(tmp_path, "--nic", "rtl", "--machine", machine, "--bytes", str(size))
    judge(said, machine, size)
    assert said.count(PINGS) == 3
    after = digests(said)[2:]
    assert len(after) == 2 and after[0] == after[1]
    assert said[-1] == "powers off" and "reboots" in said


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("nic", "machine", "size"),
    [("golden", "q35", 2_000_000), ("golden", "microvm", 2_000_000), ("rtl", "microvm", 10_000_000)],
)
def test_guest_talks_to_the_kernel_through_a_tap(tmp_path: Path, nic: str, machine: str, size: int) -> None:
    tap_run.needs()
    said = guest(tmp_path, "--nic", nic, "--machine", machine, "--tap", "--no-reboot", "--bytes", str(size))
    judge(said, machine, size)
    assert said.count(PINGS) == 2


def test_guest_that_hears_nothing_fails(tmp_path: Path) -> None:
    """A run in which the wire loses every frame does not pass for one in which it does not."""
    needs()
    done = run(tmp_path, "--nic", "golden", "--loss", "1")
    assert done.returncode == 1
    assert done.stderr.startswith("linux_guest: the guest's `ping")


def test_missing_qemu_is_one_sentence(tmp_path: Path) -> None:
    done = run(tmp_path, path=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == (
        "linux_guest: qemu-system-x86_64 is missing (Debian/Ubuntu: apt install qemu-system-x86)\n"
    )
