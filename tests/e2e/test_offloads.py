"""Traffic with offloads in the NIC, in software and not at all: what is on the wire is the same."""

from dataclasses import dataclass, replace
from typing import Any

import cocotb
import pytest
from offload_run import Sent, Wire, payload, start
from scapy.layers.inet import TCP
from scapy.layers.l2 import Ether

from pymodel.golden.nic import GoldenNic
from pymodel.host import World
from pymodel.hostmem import HostMemory
from pymodel.link import Direction, Impairments
from pymodel.scheduler import Scheduler
from pymodel.simtime import US
from pymodel.tcp.profile import EMBEDDED, FREEBSD, LINUX, Profile
from tb.block import run_nic
from tb.testbench import Testbench

LOSSY = Impairments(loss=0.02)
ECN = replace(LINUX, ecn=1)
LENT = replace(LINUX, scatter_gather=True)


@dataclass
class Result:
    """One run of `offload_run`."""

    world: World
    wire: Wire
    sent: Sent


def run(
    switches: dict[str, bool], profile: Profile, impairments: Impairments | None = None, *, lend: bool = False
) -> Result:
    """The transfer with A's offloads switched."""
    scheduler = Scheduler()
    nics = [GoldenNic(scheduler, HostMemory(), mac=bytes((2, 0, 0, 0, 0, n))) for n in (1, 2)]
    world = World(scheduler, *nics, seed=5, delay=20 * US, profile=profile, impairments=impairments)
    wire, sent = Wire(), Sent()
    world.link.on_frame = wire.frame
    up = world.bring_up()
    world.run(lambda: up.done)
    world.a.device.set_features(**switches)
    sent.watch(world.a.device)
    program, received = start(world, lend)
    world.run(lambda: program.done)
    scheduler.run_until(scheduler.now + 500 * US)  # frames that are under way
    world.power_off()
    world.check_programs()
    assert received() == payload()
    return Result(world, wire, sent)


WAYS: dict[str, dict[str, bool]] = {
    "NIC": {},
    "GSO": {"tso": False},
    "TCP": {"tso": False, "gso": False},
    "no checksums": {"tx": False, "sg": False},
}


@pytest.mark.parametrize("profile", [LINUX, ECN, LENT], ids=["linux", "ecn", "lent"])
def test_wire_is_the_same_whoever_cuts(profile: Profile) -> None:
    results = [run(way, profile, lend=profile is LENT) for way in WAYS.values()]
    assert all(result.wire.sent == results[0].wire.sent for result in results)
    assert [result.sent.largest > 9 for result in results] == [True, True, False, True]
    frames = [result.world.a.device.stats.tx_packets for result in results]
    assert max(frames[1:]) - min(frames[1:]) <= 1 and frames[0] < 0.6 * frames[1]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("profile", [LINUX, ECN, FREEBSD, LENT], ids=["linux", "ecn", "freebsd", "lent"])
def test_wire_is_what_scapy_makes_of_the_super_segments_under_loss(profile: Profile, way: str) -> None:
    result = run(WAYS[way], profile, LOSSY, lend=profile is LENT)
    assert result.world.link.counters(Direction.A_TO_B).lost
    assert result.wire.out == result.sent.expected


async def _through_the_rtl(dut: Any, switches: dict[str, bool], profile: Profile) -> None:
    bench = await Testbench.start(dut, seed=5, impairments=LOSSY, profile=profile)
    wire, sent = Wire(), Sent()
    bench.link.on_frame = wire.frame
    bench.a.device.set_features(**switches)
    sent.watch(bench.a.device)
    program, received = start(bench.world, profile is LENT)
    await bench.run(program)
    await bench.finish()
    assert received() == payload()
    assert bench.link.counters(Direction.A_TO_B).lost
    assert sent.largest > 4
    assert wire.out == sent.expected


@cocotb.test()
async def wire_of_the_rtl_is_what_scapy_makes_of_the_super_segments(dut: Any) -> None:
    for profile in (ECN, LENT):
        await _through_the_rtl(dut, WAYS["NIC"], profile)


@cocotb.test()
async def wire_of_the_rtl_is_the_same_where_software_cuts(dut: Any) -> None:
    await _through_the_rtl(dut, WAYS["GSO"], ECN)


def test_wire_of_the_rtl() -> None:
    run_nic(__name__)


def test_lost_segments_alone_are_sent_again() -> None:
    result = run({}, LINUX, LOSSY)
    seen: set[int] = set()
    again = 0
    for tcp in (Ether(data)[TCP] for data in result.wire.out if TCP in Ether(data)):
        if len(tcp.payload) > 6:
            again += tcp.seq in seen
            seen.add(tcp.seq)
    lost = result.world.link.counters(Direction.A_TO_B).lost
    assert lost > 1 and 1 <= again <= lost + 3


def test_embedded_profile_uses_neither() -> None:
    result = run({}, EMBEDDED)
    assert result.sent.largest == 0
    assert "GRO" not in repr(result.world.b.device.features)
