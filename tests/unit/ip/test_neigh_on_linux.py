"""The states of a neighbour, step by step, on this machine's kernel and on ours; it takes half a minute."""

import json
import os
import subprocess
import sys
from pathlib import Path

import neighbour_steps
import pytest
from ip_bench import OWN, PEER, Bench
from scapy.layers.l2 import Ether

from pymodel.ip import neigh
from pymodel.simtime import SEC

HERE = Path(__file__).parent


class Ours:
    """As `neighbour_steps.Kernel`."""

    def __init__(self) -> None:
        self.bench = Bench()

    def send(self, flags: int = 0) -> None:
        bench = self.bench
        data = bytes.fromhex("000100090009000078")
        source, peer = (bytes(map(int, address.split("."))) for address in (OWN, PEER))
        if flags:
            bench.ip.confirm(peer)
        assert bench.ip.send(bench.payload(data), 17, source, peer) == 0

    def receive(self, frame: bytes) -> None:
        self.bench.receive(Ether(frame))

    def wait(self, seconds: float) -> list[bytes]:
        scheduler = self.bench.scheduler
        scheduler.run_until(scheduler.now + round(seconds * SEC))
        return [bytes(frame) for frame in self.bench.take()]

    def state(self) -> str | None:
        assert self.bench.interface.neighbours is not None
        entry = self.bench.interface.neighbours.entries.get(bytes((10, 0, 0, 2)))
        return None if entry is None else entry.state.value


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/net/tun").exists(), reason="a TAP device needs root")
def test_neighbour_goes_through_the_states_that_it_has_in_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neigh, "REACHABLE_TIME", round(neighbour_steps.REACHABLE * SEC))
    monkeypatch.setattr(neigh, "DELAY_TIME", round(neighbour_steps.DELAY * SEC))
    monkeypatch.setattr(neigh, "RETRANS_TIME", round(neighbour_steps.RETRANS * SEC))
    ours = neighbour_steps.tell(Ours())
    command = ["unshare", "-n", sys.executable, str(HERE / "neighbour_steps.py")]
    for _ in range(2):  # on a busy machine a real second may be too long
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        theirs = json.loads(done.stdout)
        if ours == theirs:
            break
    for step, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        assert one == other, f"step {step}"
