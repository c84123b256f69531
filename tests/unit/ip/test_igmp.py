"""IGMP of a host. What is expected was recorded from Linux 6 on a veth pair; scapy builds the queries."""

import pytest
from ip_bench import Bench
from scapy.layers.igmp import IGMP_MQ, IGMPv2_MR, IGMPv3_MQ
from scapy.layers.inet import IP, IPOption_Router_Alert
from scapy.layers.l2 import Ether

from pymodel.ip.groups import Membership
from pymodel.simtime import MS, SEC
from pymodel.wire import igmp
from pymodel.wire.errors import WireError

GROUP = bytes((239, 1, 2, 3))
A, B = bytes((10, 0, 0, 9)), bytes((10, 0, 0, 8))
ROUTER = "10.0.0.2"

# Of Linux: IP packets, by what the host's sockets did.
TO_EXCLUDE = "46c00028000040000102f9f80a000001e0000016940400002200e8f90000000104000000ef010203"
TO_INCLUDE = "46c00028000040000102f9f80a000001e0000016940400002200e9f90000000103000000ef010203"
ALLOW_A = "46c0002c000040000102f9f40a000001e0000016940400002200ddef0000000105000001ef0102030a000009"
ALLOW_B = "46c0002c000040000102f9f40a000001e0000016940400002200ddf00000000105000001ef0102030a000008"
BLOCK_A = "46c0002c000040000102f9f40a000001e0000016940400002200dcef0000000106000001ef0102030a000009"
BLOCK_B = "46c0002c000040000102f9f40a000001e0000016940400002200dcf00000000106000001ef0102030a000008"
TO_EXCLUDE_A = "46c0002c000040000102f9f40a000001e0000016940400002200deef0000000104000001ef0102030a000009"
IS_EXCLUDE_A = "46c0002c000040000102f9f40a000001e0000016940400002200e0ef0000000102000001ef0102030a000009"
REPORT_2 = "46c00020000040000102e9120a000001ef010203940400001600f8faef010203"
REPORT_1 = "1200fcfaef010203"  # RFC 1112 appendix I
LEAVE_2 = "46c00020000040000102fa140a000001e0000002940400001700f7faef010203"


def wait(bench: Bench, time: int) -> list[str]:
    """The IP packets that leave within `time` ps; each in a frame to its group (RFC 1112 §6.4)."""
    bench.scheduler.run_until(bench.scheduler.now + time)
    packets = []
    for frame in bench.take():
        group = bytes(map(int, frame[IP].dst.split(".")))
        assert bytes.fromhex(frame.dst.replace(":", "")) == bytes((1, 0, 0x5E, group[1] & 127)) + group[2:]
        packets.append(bytes(frame[IP]).hex())
    return packets


def ask(bench: Bench, body: object, dst: str = "224.0.0.1") -> None:
    packet = IP(src=ROUTER, dst=dst, ttl=1, options=[IPOption_Router_Alert()]) / body
    bench.receive(Ether(dst="01:00:5e:00:00:01", src="02:00:00:00:00:02") / packet)


def query(group: str = "0.0.0.0", sources: tuple[str, ...] = ()) -> object:
    return IGMPv3_MQ(mrcode=10, gaddr=group, srcaddrs=list(sources))


def test_changes_are_told_twice_as_linux_tells_them() -> None:
    bench = Bench()
    groups = bench.ip.groups
    everybody = Membership(GROUP, "eth0")
    groups.join(everybody)
    assert wait(bench, 2 * MS) == [TO_EXCLUDE]
    assert wait(bench, SEC + 2 * MS) == [TO_EXCLUDE]
    assert wait(bench, 5 * SEC) == []
    groups.leave(everybody)
    assert wait(bench, 5 * SEC) == [TO_INCLUDE] * 2
    some = Membership(GROUP, "eth0", False)
    groups.join(some)
    groups.change(some, False, {A})
    assert wait(bench, 5 * SEC) == [ALLOW_A] * 2
    groups.change(some, False, {A, B})
    assert wait(bench, 5 * SEC) == [ALLOW_B] * 2
    groups.change(some, False, {B})
    assert wait(bench, 5 * SEC) == [BLOCK_A] * 2
    groups.leave(some)
    assert wait(bench, 5 * SEC) == [BLOCK_B] * 2
    first = Membership(GROUP, "eth0")
    groups.join(first)
    groups.change(first, True, {A})  # at once: the report of the mode tells the sources, too
    assert wait(bench, 5 * SEC) == [TO_EXCLUDE_A] * 2
    groups.join(everybody)
    assert wait(bench, 5 * SEC) == [ALLOW_A] * 2


def test_nothing_is_told_of_all_systems_and_of_loopback() -> None:
    bench = Bench()
    bench.ip.groups.join(Membership(igmp.ALL_SYSTEMS, "eth0"))
    bench.ip.groups.join(Membership(GROUP, "lo"))
    assert wait(bench, 5 * SEC) == []


def test_queries_are_answered_within_their_time() -> None:
    bench = Bench()
    bench.ip.groups.join(Membership(GROUP, "eth0", True, {A}))
    wait(bench, 5 * SEC)
    for body, dst, answer in (
        (query(), "224.0.0.1", [IS_EXCLUDE_A]),
        (query("239.1.2.3"), "239.1.2.3", [IS_EXCLUDE_A]),
        (query("239.1.2.4"), "239.1.2.4", []),
        (query("239.1.2.3", ("10.0.0.9",)), "239.1.2.3", []),
    ):
        ask(bench, body, dst)
        assert wait(bench, SEC + 2 * MS) == answer
    # RFC 3376 §5.2, rule 3: of the sources that were asked for those that are wanted, as INCLUDE.
    ask(bench, query("239.1.2.3", ("10.0.0.9", "10.0.0.8")), "239.1.2.3")
    (packet,) = wait(bench, SEC + 2 * MS)
    assert packet.endswith("0000000101000001ef0102030a000008")


def test_two_queries_get_one_answer() -> None:
    bench = Bench()
    bench.ip.groups.join(Membership(GROUP, "eth0", True, {A}))
    wait(bench, 5 * SEC)
    for dst in ("239.1.2.3", "239.1.2.3"):
        ask(bench, query("239.1.2.3"), dst)
    ask(bench, query())
    ask(bench, query())
    assert wait(bench, SEC + 2 * MS) == [IS_EXCLUDE_A] * 2  # one for the group, one for all groups


def test_router_of_version_2_gets_reports_of_version_2_and_a_leave() -> None:
    bench = Bench()
    ask(bench, IGMP_MQ(mrcode=10))
    member = Membership(GROUP, "eth0")
    bench.ip.groups.join(member)
    assert wait(bench, 2 * MS) == [REPORT_2]
    assert wait(bench, 11 * SEC) == [REPORT_2]
    ask(bench, IGMP_MQ(mrcode=10))
    assert wait(bench, SEC + 2 * MS) == [REPORT_2]
    bench.ip.groups.leave(member)
    assert wait(bench, 0) == [LEAVE_2]
    bench.ip.groups.join(member)
    wait(bench, 11 * SEC)
    ask(bench, IGMP_MQ(mrcode=10))
    ask(bench, IGMPv2_MR(gaddr="239.1.2.3"), "239.1.2.3")  # another host was faster
    assert wait(bench, 2 * SEC) == []
    bench.ip.groups.leave(member)  # so it is that host who says when it leaves
    assert wait(bench, SEC) == []
    wait(bench, 270 * SEC)  # the old router is gone
    bench.ip.groups.join(member)
    assert wait(bench, 5 * SEC) == [TO_EXCLUDE] * 2


def test_router_of_version_1_gets_reports_of_version_1_and_no_leave() -> None:
    bench = Bench()
    ask(bench, IGMP_MQ(mrcode=0))  # RFC 3376 §7.1: such a query is of version 1, and waits 10 s
    member = Membership(GROUP, "eth0")
    bench.ip.groups.join(member)
    reports = wait(bench, 11 * SEC)
    assert len(reports) == 2 and all(packet.endswith(REPORT_1) for packet in reports)
    bench.ip.groups.leave(member)
    assert wait(bench, 5 * SEC) == []


def test_regression_group_left_after_the_old_router_has_gone_is_not_left_again() -> None:
    bench = Bench()
    ask(bench, IGMP_MQ(mrcode=10))
    member = Membership(GROUP, "eth0")
    bench.ip.groups.join(member)
    wait(bench, 270 * SEC)
    bench.ip.groups.leave(member)
    assert wait(bench, 5 * SEC) == [TO_INCLUDE] * 2
    ask(bench, IGMP_MQ(mrcode=10))
    bench.ip.groups.join(member)
    bench.ip.groups.leave(member)  # before this host has reported it
    assert wait(bench, 5 * SEC) == []


def test_regression_report_of_more_sources_than_a_packet_holds_tells_them_all() -> None:
    bench = Bench()
    sources = {bytes((10, 1, number >> 8, number & 255)) for number in range(1000)}
    bench.ip.groups.join(Membership(GROUP, "eth0", False, sources))
    first = [bytes.fromhex(packet) for packet in wait(bench, 2 * MS)]
    records = [packet[24 + 8 :] for packet in first]
    assert [(record[0], len(record)) for record in records] == [(5, 8 + 4 * n) for n in (365, 365, 270)]
    told = b"".join(record[8:] for record in records)
    assert {told[at : at + 4] for at in range(0, len(told), 4)} == sources


def test_regression_sources_that_are_asked_for_are_not_collected_without_end() -> None:
    bench = Bench()
    bench.ip.groups.join(Membership(GROUP, "eth0", True, {A}))
    wait(bench, 5 * SEC)
    for third in range(20):
        asked = tuple(f"10.9.{third}.{fourth}" for fourth in range(200))
        ask(bench, query("239.1.2.3", asked), "239.1.2.3")
    assert wait(bench, SEC + 2 * MS) == [IS_EXCLUDE_A]  # all of the group, as if no source were named


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"\x11", "igmp_truncated"),
        (bytes((0x11, 0, 0, 0, 0, 0, 0, 0)), "igmp_bad_checksum"),
        (igmp.short(0x99, GROUP), "igmp_unknown"),
        (igmp.report([]), "igmp_unknown"),
    ],
)
def test_message_that_is_none_is_counted(message: bytes, reason: str) -> None:
    with pytest.raises(WireError, match=reason):
        igmp.parse(message)
    bench = Bench()
    bench.ip.igmp.input("eth0", message)
    assert bench.ip.igmp.stats[reason] == 1


@pytest.mark.parametrize("tenths", [1, 127, 128, 248, 31744])
def test_response_time_from_128_on_is_a_floating_point_number(tenths: int) -> None:
    parsed = igmp.parse(bytes(IGMPv3_MQ(mrcode=tenths)))
    assert isinstance(parsed, igmp.Query) and parsed.response_ds == tenths
