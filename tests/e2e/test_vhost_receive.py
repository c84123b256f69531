"""What the far host sends arrives at DPDK's virtio-user driver, and comes back: `fdwire vhost-user`.

The counters are testpmd's own; the frames those of the capture.
"""

import os
import random
from pathlib import Path

import pytest
from vhost_run import arrived, backend, needs_dpdk, pmd, quit, sent, stats, stop, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FAR = """
import os, random, socket, sys, time
where, rounds, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = random.Random(seed)
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
print("far end waits", flush=True)
for number in range(rounds):
    while not os.path.exists(f"{where}/go{number}"):
        time.sleep(0.02)
    for _ in range(200):
        sock.sendto(rng.randbytes(rng.randrange(1473)), ("10.0.0.255", 9))
while not os.path.exists(f"{where}/end"):
    time.sleep(0.05)
"""
"""Rounds of broadcasts of every size, to whoever has what MAC. A ring of 256 has room for one round."""

PEER = bytes.fromhex("020000000002")
OWN = bytes.fromhex("020000000001")


@pytest.mark.parametrize("nic", ["golden", "rtl"])
@pytest.mark.parametrize("mode", ["rxonly", "mac"])
@pytest.mark.parametrize("vdev", ["", ",mrg_rxbuf=0"], ids=["merging", "no-merging"])
def test_every_frame_that_the_far_host_sends_is_received_and_forwarded(
    tmp_path: Path, nic: str, mode: str, vdev: str
) -> None:
    needs_dpdk()
    seed = int(os.environ.get("FDWIRE_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"FDWIRE_SEED={seed}")
    rounds = 4 if nic == "golden" else 2
    far = ("--python", "-c", FAR, str(tmp_path), str(rounds), str(seed))
    with backend(tmp_path, *far, nic=nic, ready="far end waits") as device:
        with pmd(tmp_path, f"--forward-mode={mode}", f"--eth-peer=0,{PEER.hex(':')}", vdev=vdev) as client:
            device.until("client 1 runs")
            for number in range(rounds):
                (tmp_path / f"go{number}").touch()
                count = (number + 1) * 200
                came = arrived(tmp_path, count)
                assert len(came) == count
                went = sent(tmp_path, count) if mode == "mac" else []
                wait_for(lambda count=count: stats(client)["RX-packets"] == count)
            assert stop(client) == {"rx": len(came), "tx": len(went)}
            assert stats(client) == {
                "RX-packets": len(came),
                "RX-bytes": sum(len(frame) - 4 for frame in came),
                "TX-packets": len(went),
                "TX-bytes": sum(len(frame) - 4 for frame in went),
            }
            if mode == "mac":
                assert [frame[:-4] for frame in went] == [PEER + OWN + frame[12:-4] for frame in came]
            quit(client)
        device.until("client 1 has gone")
        (tmp_path / "end").touch()
        assert device.ended() == 0
