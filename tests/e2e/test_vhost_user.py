"""DPDK's virtio-user driver on our NICs: `fdwire vhost-user`. The counters are testpmd's own."""

import os
import signal
import time
from pathlib import Path

import pytest
from vhost_run import backend, configure, needs_dpdk, pmd, quit, sent, stop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SEGMENTS = "--txpkts=64,100,300,37"


@pytest.mark.parametrize("nic", ["golden", "rtl"])
@pytest.mark.parametrize(
    ("options", "vdev", "without"),
    [
        (("--forward-mode=txonly",), "", ""),
        (("--forward-mode=txonly", SEGMENTS), "", "INDIRECT_DESC"),
        (("--forward-mode=txonly", SEGMENTS), ",mrg_rxbuf=0", "INDIRECT_DESC"),
        # DPDK 22.11 marks the entries of its tables as device-writable, for transmission, too.
        (("--forward-mode=txonly", SEGMENTS), "", ""),
        (("--forward-mode=flowgen",), "", ""),
    ],
    ids=["plain", "segments", "segments-no-merging", "segments-in-tables", "flowgen"],
)
def test_every_frame_that_testpmd_counts_is_on_the_wire(
    tmp_path: Path, nic: str, options: tuple[str, ...], vdev: str, without: str
) -> None:
    needs_dpdk()
    with backend(tmp_path, *(("--without", without) if without else ()), nic=nic) as device:
        with pmd(tmp_path, *options, vdev=vdev) as client:
            told = device.until("client 1 runs with rings of 256 and 256.*")
            assert ("MRG_RXBUF" in told[0]) == (not vdev)
            assert ("INDIRECT_DESC" in told[0]) == (not without)
            least = 300 if nic == "golden" else 60
            sent(tmp_path, least)
            count = stop(client)["tx"]
            frames = sent(tmp_path, count)
            assert len(frames) == count >= least
            if SEGMENTS in options:
                assert {len(frame) for frame in frames} == {64 + 100 + 300 + 37 + 4}
            quit(client)
        device.until("client 1 has gone")
    assert len(sent(tmp_path, count)) == count


@pytest.mark.parametrize("nic", ["golden", "rtl"])
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


@pytest.mark.parametrize("nic", ["golden", "rtl"])
def test_port_that_is_stopped_and_started_again_loses_nothing(tmp_path: Path, nic: str) -> None:
    needs_dpdk()
    # By itself neither is heard of here; but the device is reset for other features.
    change = "port config 0 tx_offload udp_cksum"
    lives = ((), (f"{change} on",), (f"{change} off",), ())
    least = 300 if nic == "golden" else 60
    count = 0
    with backend(tmp_path, nic=nic) as device:
        with pmd(tmp_path, "--forward-mode=txonly", start=False) as client:
            device.until("client 1 runs")
            for life, commands in enumerate(lives, 1):
                configure(client, *commands)
                if commands:
                    told = device.until("client 1 runs.*")[0]
                    assert (" CSUM," in told) == commands[0].endswith("on")
                client.type("start")
                sent(tmp_path, count + least)
                count += stop(client)["tx"]
                assert len(sent(tmp_path, count)) == count >= life * least
            quit(client)
        device.until("client 1 has gone")


@pytest.mark.parametrize("nic", ["golden", "rtl"])
def test_clients_that_listen_are_connected_to_one_after_the_other(tmp_path: Path, nic: str) -> None:
    needs_dpdk()
    least = 300 if nic == "golden" else 60
    count = 0
    with backend(tmp_path, "--connect", nic=nic) as device:
        for number in (1, 2):
            with pmd(tmp_path, "--forward-mode=txonly", vdev=",server=1") as client:
                device.until(f"client {number} runs")
                sent(tmp_path, count + least)
                count += stop(client)["tx"]
                assert len(sent(tmp_path, count)) == count >= number * least
                quit(client)
            device.until(f"client {number} has gone")
