"""Our TCP talks to the real Linux kernel, both ways, opened from either side, with and without loss."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SEED = os.environ.get("FDWIRE_SEED", "1")
PEER = Path(__file__).with_name("linux_peer.py")
ROOT = PEER.parents[3]


def _namespace() -> list[str]:
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare(1), from util-linux")
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("needs read and write access to /dev/net/tun")
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode:
        pytest.skip("needs the right to make a network namespace (unshare -rn)")
    return ["unshare", "-rn"]


@pytest.mark.parametrize(("size", "loss"), [(500_000, 0.0), (100_000, 0.03)], ids=["clean", "loss"])
def test_linux_kernel_exchanges_every_byte_with_us(size: int, loss: float) -> None:
    print(f"FDWIRE_SEED={SEED}")
    command = [*_namespace(), sys.executable, str(PEER), str(size), str(loss), SEED]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert report.pop("active_options") == [True, True, True, 1448]
    assert report == {
        "active_received": True,
        "active_delivered": True,
        "active_error": 0,
        "passive_received": True,
        "passive_delivered": True,
        "passive_error": 0,
        "refused_error": errno.ECONNREFUSED,
        "bad": {},
    }
