"""DPDK's virtio-user driver on our NICs: `fdwire vhost-user`. The counters are testpmd's own."""

import time
from pathlib import Path

import pytest
from vhost_run import backend, needs_dpdk, pmd, quit, sent, stop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("nic", ["golden", "rtl"])
def test_txonly_sends_what_it_counts(tmp_path: Path, nic: str) -> None:
    needs_dpdk()
    with backend(tmp_path, nic=nic) as device:
        with pmd(tmp_path, "--forward-mode=txonly") as client:
            device.until("client 1 runs with rings of 256 and 256")
            time.sleep(1)
            count = stop(client)["tx"]
            assert len(sent(tmp_path, count)) == count > 256
            quit(client)
        device.until("client 1 has gone")
