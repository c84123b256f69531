"""Traffic with offloads in the NIC, in software and not at all: what is on the wire is the same."""

import itertools
from dataclasses import dataclass, replace
from typing import Any

import cocotb
import pytest
from offload_run import Sent, Wire, packet, payload, start, super_segment
from scapy.layers.inet import TCP
from scapy.layers.l2 import Ether

from pymodel.host import World
from pymodel.lab import Lab
from pymodel.link import GAP, Direction, Impairments
from pymodel.ports import Frame
from pymodel.simtime import US
from pymodel.skbuff import Checksum
from pymodel.socket import AsyncSocket
from pymodel.socket import constants as c
from pymodel.tcp import segment
from pymodel.tcp.profile import EMBEDDED, FREEBSD, LINUX, Profile
from pymodel.tcp.segment import SentSegment
from pymodel.tcp.tcb import Tcb
from tb.block import run_nic
from tb.testbench import Testbench

LOSSY = Impairments(loss=0.02)
ECN = replace(LINUX, ecn=1)
LENT = replace(LINUX)  # told from LINUX by identity: the client lends its memory


@dataclass
class Result:
    """One run of `offload_run`."""

    world: World
    wire: Wire
    sent: Sent
    data_segs_in: int


def run(
    switches: dict[str, bool],
    profile: Profile,
    impairments: Impairments | None = None,
    *,
    lend: bool = False,
    wait: int = 0,
    defer: int = 0,
    seed: int = 5,
) -> Result:
    """The transfer with A's offloads switched. `wait`, `defer`: how B's interrupts are moderated."""
    world = World.golden(seed=seed, delay=20 * US, profile=profile, impairments=impairments)
    scheduler = world.scheduler
    wire, sent = Wire(), Sent()
    world.link.on_frame = wire.frame
    world.start()
    world.a.device.set_features(**switches)
    sent.watch(world.a.device)
    world.b.device.gro_flush_timeout, world.b.device.napi_defer_hard_irqs = wait, defer
    program, received = start(world, lend)
    world.run(lambda: program.done)
    scheduler.run_until(scheduler.now + 500 * US)  # frames that are under way
    world.power_off()
    world.check_programs()
    assert received() == payload()
    return Result(world, wire, sent, program.result())


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
    assert result.wire.out == result.sent.expected()


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
    assert wire.out == sent.expected()


@cocotb.test()
async def wire_of_the_rtl_is_what_scapy_makes_of_the_super_segments(dut: Any) -> None:
    for profile in (ECN, LENT):
        await _through_the_rtl(dut, WAYS["NIC"], profile)


@cocotb.test()
async def wire_of_the_rtl_is_the_same_where_software_cuts(dut: Any) -> None:
    await _through_the_rtl(dut, WAYS["GSO"], ECN)


@cocotb.test()
async def driver_of_the_rtl_that_moderates_interrupts_joins_what_came(dut: Any) -> None:
    bench = await Testbench.start(dut)
    device = bench.a.device
    device.gro_flush_timeout, device.napi_defer_hard_irqs = 20 * US, 2
    sent = payload()

    async def source() -> None:
        listener = AsyncSocket()
        listener.bind(("b", 7))
        listener.listen()
        sock, _ = await listener.accept()
        await sock.sendall(sent)
        await sock.close()

    async def sink() -> bytes:
        received = bytearray()
        async with AsyncSocket() as sock:
            await sock.connect(("b", 7))
            while data := await sock.recv(1 << 16):
                received.extend(data)
        return bytes(received)

    bench.b.spawn(source)
    assert await bench.run(bench.a.spawn(sink)) == sent
    frames = device.stats.rx_packets
    assert frames > len(sent) / 1448
    assert bench.a.ip.stats["ip_in"] < frames / 3
    assert device.driver_stats.interrupts < frames / 6
    await bench.finish()


def test_wire_of_the_rtl() -> None:
    run_nic(__name__)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "profile",
    [LINUX, FREEBSD, replace(LINUX, sack=False), replace(LINUX, rack=False)],
    ids=["linux", "freebsd", "no sack", "no rack"],
)
def test_queue_of_trains_is_as_good_as_one_of_segments(
    profile: Profile, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = Impairments(loss=0.02, reorder=0.02, duplicate=0.01)
    trains = run({}, profile, bad, seed=seed)
    append = segment.append_train

    def at_once(tcb: Tcb, train: SentSegment, count: int, mss: int) -> None:
        append(tcb, train, count, mss)
        segment.unpack(tcb)

    monkeypatch.setattr(segment, "append_train", at_once)
    segments = run({}, profile, bad, seed=seed)
    assert trains.wire.sent == segments.wire.sent


def test_super_frames_of_the_golden_nic_leave_while_they_are_read_and_without_gaps() -> None:
    world = World.golden()
    world.start()
    scheduler = world.scheduler
    frames: list[Frame] = []
    world.link.on_frame = lambda way, frame: frames.append(frame) if way is Direction.A_TO_B else None
    began = scheduler.now
    for _ in range(3):
        whole = packet(bytes(60_000))
        skb = super_segment(world.a.memory, whole, 1448, linear=60_000, pieces=(1,))
        assert world.a.device.xmit(skb)
    scheduler.run_until(began + 500 * US)
    del frames[3 * 42 :]  # what follows is an ARP request
    assert all(len(frame.data) > 600 for frame in frames) and len(frames) == 3 * 42
    # A frame takes 1.2 µs on the wire, 60 kB take 24 µs to be read.
    assert frames[0].start - began < 3 * US
    assert {after.start - before.end for before, after in itertools.pairwise(frames)} == {GAP}


def test_super_segments_pass_lo_uncut_and_unsummed() -> None:
    sent = payload()

    async def server() -> bytes:
        listener = AsyncSocket()
        listener.bind(("127.0.0.1", 7))
        listener.listen()
        sock, _ = await listener.accept()
        received = bytearray()
        while data := await sock.recv(1 << 20):
            received.extend(data)
        (connection,) = (each for each in lab.a.tcp.connections.values() if each.sport == 7)
        counted.append(connection.data_segs_in)
        return bytes(received)

    async def client() -> None:
        async with AsyncSocket() as sock:
            sock.setsockopt(c.IPPROTO_TCP, c.TCP_MAXSEG, 1012)
            await sock.connect(("127.0.0.1", 7))
            await sock.sendall(sent)

    counted: list[int] = []
    with Lab() as lab:
        lo = lab.a.ip.interfaces[0].dev
        summed: list[Checksum] = []
        up = lo.receive
        lo.receive = lambda skb: (summed.append(skb.ip_summed), up(skb))[1]  # type: ignore[method-assign]
        receiving = lab.a.spawn(server)
        lab.a.spawn(client)
        assert lab.run(receiving) == sent
    assert counted[0] >= len(sent) // 1000
    assert len(summed) < counted[0] / 2 and set(summed) == {Checksum.PARTIAL}


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


@pytest.mark.parametrize("defer", [0, 2])
@pytest.mark.parametrize("impairments", [None, LOSSY], ids=["clean", "lossy"])
def test_receiver_that_moderates_interrupts_joins_segments_and_counts_each(
    impairments: Impairments | None, defer: int
) -> None:
    plain = run({}, LINUX, impairments)
    result = run({}, LINUX, impairments, wait=20 * US, defer=defer)
    device, ip = result.world.b.device, result.world.b.ip
    assert device.stats.rx_packets - ip.stats["ip_in"] > (40 if impairments else 60)
    if not impairments:
        tcp = (Ether(frame)[TCP] for frame in result.wire.out if TCP in Ether(frame))
        assert result.data_segs_in == sum(len(segment.payload) > 0 for segment in tcp)
    if defer:
        before = plain.world.b.device.driver_stats.interrupts
        assert device.driver_stats.interrupts < before / 2
