"""The Linux kernel at the far end of a vhost-user client: `fdwire vhost-user --tap`."""

from pathlib import Path

import pytest
from tap_run import needs
from vhost_run import arrived, backend, needs_dpdk, pmd, quit, sent, stop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("nic", ["golden", "rtl"])
def test_kernels_pings_are_answered_by_the_client(tmp_path: Path, nic: str) -> None:
    needs_dpdk()
    needs("ping")
    pings = "ping -c 20 -i 0.05 10.0.0.2; ping -c 20 -i 0.05 -s 1472 10.0.0.2"
    script = f"echo far end waits; cd {tmp_path}; until [ -e go ]; do sleep 0.1; done; {pings}; echo pinged; "
    script += "until [ -e end ]; do sleep 0.1; done"
    with backend(tmp_path, "--tap", "--exec", script, nic=nic, ready="far end waits") as device:
        with pmd(tmp_path, "--forward-mode=icmpecho") as client:
            device.until("client 1 runs")
            (tmp_path / "go").touch()
            for _ in range(2):
                device.until("20 packets transmitted, 20 received, 0% packet loss")
            device.until("pinged")
            counted = stop(client)
            # ARP, too, is answered by it.
            assert counted == {"rx": len(arrived(tmp_path, 41)), "tx": len(sent(tmp_path, 41))}
            assert counted["tx"] >= 41
            quit(client)
        device.until("client 1 has gone")
        (tmp_path / "end").touch()
        assert device.ended() == 0
