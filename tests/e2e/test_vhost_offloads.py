"""What DPDK's virtio-user driver leaves to the NIC, and what the NIC tells it: `fdwire vhost-user`.

The frames come from the kernel's side of the wire, as scapy makes them, and scapy judges what comes back.
"""

import os
import random
import shlex
import sys
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet
from scapy_offloads import segments
from tap_run import needs
from vhost_run import arrived, backend, configure, needs_dpdk, pmd, quit, sent, stop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

OWN, PEER = "02:00:00:00:00:01", "02:00:00:00:00:02"
ROUND = 150
"""Frames for which there is room in a ring of 256."""

INJECT = """
import os, socket, sys, time
while not os.path.exists(sys.argv[1]):
    time.sleep(0.02)
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("fdwire0", 0))
for line in open(sys.argv[1]):
    wire.send(bytes.fromhex(line))
time.sleep(1000)
"""


def injector(frames: Path) -> list[str]:
    """Options: in the namespace the frames of the file `frames`, once it is there, are sent."""
    return ["--tap", "--peer", shlex.join([sys.executable, "-c", INJECT, str(frames)])]


def inject(frames: Path, made: list[Packet]) -> None:
    """Write the file that `injector` waits for."""
    frames.with_suffix(".part").write_text("".join(bytes(frame).hex() + "\n" for frame in made))
    frames.with_suffix(".part").rename(frames)


def seeded() -> random.Random:
    """Takes FDWIRE_SEED."""
    seed = int(os.environ.get("FDWIRE_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"FDWIRE_SEED={seed}")
    return random.Random(seed)


def segment(rng: random.Random, layer: Packet) -> Packet:
    """A frame of any size that carries `layer`."""
    room = 1500 - 20 - len(layer)
    return (
        Ether(src=PEER, dst=OWN)
        / IP(src="10.0.0.1", dst="10.0.0.2")
        / layer
        / rng.randbytes(rng.randrange(room + 1))
    )


def right(frame: Packet) -> bytes:
    """`frame` with every checksum as it has to be."""
    fresh = Ether(bytes(frame))
    del fresh[IP].chksum
    for layer in (UDP, TCP):
        if layer in fresh:
            del fresh[layer].chksum
    done = Ether(bytes(fresh))
    if TCP in done and not done[TCP].chksum:
        done[TCP].chksum = 0xFFFF  # the other zero of ones' complement, as devices send it (RFC 1624 §3)
    return bytes(done)


@pytest.mark.parametrize("nic", ["golden", "rtl"])
def test_checksums_that_dpdk_leaves_to_the_nic_are_right_whatever_was_there(tmp_path: Path, nic: str) -> None:
    needs_dpdk()
    needs()
    rng = seeded()
    made = []
    for _ in range(ROUND):
        layer = rng.choice(
            [UDP(sport=5000, dport=6000), TCP(sport=5000, dport=6000, flags="A", seq=rng.getrandbits(32))]
        )
        layer.chksum = rng.getrandbits(16)
        made.append(segment(rng, layer))
    with backend(tmp_path, *injector(tmp_path / "frames"), nic=nic) as device:
        with pmd(tmp_path, "--forward-mode=csum", f"--eth-peer=0,{PEER}", start=False) as client:
            assert "CSUM" not in device.until("client 1 runs.*")[0].split()
            configure(client, "csum set ip sw 0", "csum set udp hw 0", "csum set tcp hw 0")
            assert "CSUM," in device.until("client 1 runs.*")[0].split()
            client.type("start")
            client.until("testpmd> ")
            inject(tmp_path / "frames", made)
            came, went = arrived(tmp_path, ROUND), sent(tmp_path, ROUND)
            assert stop(client) == {"rx": ROUND, "tx": ROUND}
            assert [frame[: len(bytes(sent))] for frame, sent in zip(came, made, strict=True)] == [
                *map(bytes, made)
            ]
            assert [frame[:-4][: len(bytes(sent))] for frame, sent in zip(went, made, strict=True)] == [
                right(Ether(src=OWN, dst=PEER) / frame[IP]) for frame in made
            ]
            quit(client)
        device.until("client 1 has gone")


@pytest.mark.parametrize("nic", ["golden", "rtl"])
def test_checksums_that_the_nic_has_found_right_are_told_to_dpdk(tmp_path: Path, nic: str) -> None:
    needs_dpdk()
    needs()
    rng = seeded()
    made, good = [], []
    for _ in range(ROUND):
        frame = segment(
            rng, rng.choice([UDP(sport=5000, dport=6000), TCP(sport=5000, dport=6000, flags="A")])
        )
        good.append(rng.random() < 0.5)
        if not good[-1]:
            frame = Ether(bytes(frame))
            layer = frame[UDP] if UDP in frame else frame[TCP]
            layer.chksum = layer.chksum ^ 1 << rng.randrange(16) or 1
        made.append(frame)
    with backend(tmp_path, *injector(tmp_path / "frames"), nic=nic) as device:
        with pmd(tmp_path, "--forward-mode=rxonly", start=False) as client:
            assert "GUEST_CSUM," not in device.until("client 1 runs.*")[0].split()
            configure(client, *(f"port config 0 rx_offload {layer}_cksum on" for layer in ("udp", "tcp")))
            assert "GUEST_CSUM," in device.until("client 1 runs.*")[0].split()
            client.type("set verbose 1")
            client.type("start")
            inject(tmp_path / "frames", made)
            found = [client.until(r"ol_flags: .*RTE_MBUF_F_RX_L4_CKSUM_(\w+)")[1] for _ in made]
            assert found == ["GOOD" if one else "UNKNOWN" for one in good]
            assert stop(client)["rx"] == ROUND
            quit(client)
        device.until("client 1 has gone")


@pytest.mark.parametrize("nic", ["golden", "rtl"])
def test_tcp_that_dpdk_leaves_whole_is_cut_by_the_nic_over_ipv4_and_ipv6(tmp_path: Path, nic: str) -> None:
    needs_dpdk()
    needs()
    rng = seeded()
    made, expected, size = [], [], 400
    for _ in range(ROUND // 5):
        layer = TCP(sport=5000, dport=6000, flags=rng.choice(("A", "PA", "FPA")), seq=rng.getrandbits(32))
        ip = rng.choice((IP(src="10.0.0.1", dst="10.0.0.2", id=7), IPv6(src="fd00::1", dst="fd00::2")))
        whole = Ether(src=PEER, dst=OWN) / ip / layer / rng.randbytes(rng.randrange(size + 1, 1400))
        made.append(Ether(bytes(whole)))
        expected += segments(Ether(src=OWN, dst=PEER) / made[-1].payload, size)
    with backend(tmp_path, *injector(tmp_path / "frames"), nic=nic) as device:
        with pmd(tmp_path, "--forward-mode=csum", f"--eth-peer=0,{PEER}", start=False) as client:
            device.until("client 1 runs.*")
            configure(client, "csum set tcp hw 0", f"tso set {size} 0")
            assert {"HOST_TSO4,", "HOST_TSO6,"} <= set(device.until("client 1 runs.*")[0].split())
            client.type("start")
            client.until("testpmd> ")
            inject(tmp_path / "frames", made)
            went = sent(tmp_path, len(expected))
            assert stop(client) == {"rx": len(made), "tx": len(made)}
            assert [frame[:-4] for frame in went] == [frame.ljust(60, b"\0") for frame in expected]
            quit(client)
        device.until("client 1 has gone")
