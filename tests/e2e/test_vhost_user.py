"""DPDK's virtio-user driver on our NICs: `fdwire vhost-user`. The counters are testpmd's own."""

import os
import signal
import time
from pathlib import Path

import pytest
from vhost_run import backend, needs_dpdk, pmd, quit, sent, stop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("nic", ["golden", "rtl"])
@pytest.mark.parametrize(
    ("options", "vdev"),
    [
        (("--forward-mode=txonly",), ""),
        (("--forward-mode=txonly", "--txpkts=64,100,300,37"), ""),
        (("--forward-mode=txonly", "--txpkts=64,100,300,37"), ",mrg_rxbuf=0"),
        (("--forward-mode=flowgen",), ""),
    ],
    ids=["plain", "segments", "segments-no-merging", "flowgen"],
)
def test_every_frame_that_testpmd_counts_is_on_the_wire(
    tmp_path: Path, nic: str, options: tuple[str, ...], vdev: str
) -> None:
    needs_dpdk()
    # DPDK 22.11 marks the entries of its indirect tables as device-writable, for transmission, too.
    with backend(tmp_path, "--without", "INDIRECT_DESC", nic=nic) as device:
        with pmd(tmp_path, *options, vdev=vdev) as client:
            told = device.until("client 1 runs with rings of 256 and 256.*")
            assert ("MRG_RXBUF" in told[0]) == (not vdev)
            least = 300 if nic == "golden" else 60
            sent(tmp_path, least)
            count = stop(client)["tx"]
            frames = sent(tmp_path, count)
            assert len(frames) == count >= least
            if "--txpkts=64,100,300,37" in options:
                assert {len(frame) for frame in frames} == {64 + 100 + 300 + 37 + 4}
            quit(client)
        device.until("client 1 has gone")
    assert len(sent(tmp_path, count)) == count


@pytest.mark.parametrize("nic", ["golden"])
def test_killed_client_is_followed_by_the_next(tmp_path: Path, nic: str) -> None:
    needs_dpdk()
    with backend(tmp_path, nic=nic) as device:
        with pmd(tmp_path, "--forward-mode=txonly") as client:
            device.until("client 1 runs")
            time.sleep(0.5)
            os.killpg(client.process.pid, signal.SIGKILL)
            device.until("client 1 has gone")
        time.sleep(1)
        before = len(sent(tmp_path, 1))
        with pmd(tmp_path, "--forward-mode=txonly") as client:
            device.until("client 2 runs")
            time.sleep(0.5)
            count = stop(client)["tx"]
            assert len(sent(tmp_path, before + count)) == before + count
            quit(client)
        device.until("client 2 has gone")


def test_indirect_tables_of_dpdk_that_are_marked_writable_are_said_to_break_the_rules(tmp_path: Path) -> None:
    needs_dpdk()
    with backend(tmp_path) as device:
        with pmd(tmp_path, "--forward-mode=txonly", "--txpkts=64,100") as client:
            device.until("client 1 runs with .*INDIRECT_DESC")
            device.until("client 1 has broken the rules of its rings")
            stop(client)
            quit(client)
        device.until("client 1 has gone")
