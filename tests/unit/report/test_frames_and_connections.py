"""Frames decoded and sorted into connections, judged by scapy's packets and by numbers laid down here."""

import itertools
import random
import re
from dataclasses import replace

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import ARP, Ether

from pymodel.link import Direction, Impairments, Link
from pymodel.ports import Frame, WirePort
from pymodel.scheduler import Scheduler
from tb.report import charts
from tb.report.charts import BINS, bins
from tb.report.collect import HEAD, KEPT, Collector
from tb.report.connections import FOLDED, Connection, Fate, Fold, fates, find
from tb.report.frames import Seen, fields

A, B = "10.0.0.1", "10.0.0.2"


def packet(a_to_b: bool, flags: str, seq: int, ack: int, payload: int = 0, port: int = 5000) -> bytes:
    src, dst = (A, B) if a_to_b else (B, A)
    sport, dport = (port, 80) if a_to_b else (80, port)
    header = TCP(sport=sport, dport=dport, flags=flags, seq=seq & 0xFFFFFFFF, ack=ack & 0xFFFFFFFF)
    return bytes(Ether() / IP(src=src, dst=dst) / header / bytes(payload))


def seen(*packets: tuple[bool, bytes]) -> list[Seen]:
    return [
        Seen(i, a_to_b, i * 1000, i * 1000 + 800, len(data) + 4, "", data[:HEAD])
        for i, (a_to_b, data) in enumerate(packets)
    ]


def conversation(isn: int, segments: int, port: int = 5000) -> list[tuple[bool, bytes]]:
    """B sends so many segments of 100 bytes, from sequence number isn + 1 on."""
    packets = [
        (True, packet(True, "S", 77, 0, port=port)),
        (False, packet(False, "SA", isn, 78, port=port)),
        (True, packet(True, "A", 78, isn + 1, port=port)),
    ]
    for i in range(segments):
        packets.append((False, packet(False, "PA", isn + 1 + 100 * i, 78, 100, port=port)))
    packets.append((False, packet(False, "FA", isn + 1 + 100 * segments, 78, port=port)))
    return packets


def one(packets: list[tuple[bool, bytes]]) -> Connection:
    (connection,), others = find(seen(*packets))
    assert not others
    return connection


@pytest.mark.parametrize("seed", range(5))
def test_fields_of_random_segment_are_those_that_scapy_put_in(seed: int) -> None:
    rng = random.Random(seed)
    options = [("MSS", rng.randrange(1 << 16)), ("WScale", rng.randrange(15)), ("SAckOK", b"")]
    options += [("Timestamp", (rng.randrange(1 << 32), rng.randrange(1 << 32)))]
    made = IP(src=A, dst=B, id=rng.randrange(1 << 16), ttl=rng.randrange(1, 256), flags="DF") / TCP(
        sport=rng.randrange(1 << 16), dport=rng.randrange(1 << 16), seq=rng.randrange(1 << 32),
        ack=rng.randrange(1 << 32), window=rng.randrange(1 << 16), flags="SAE", options=options,
    )  # fmt: skip
    ip, tcp = made[IP], made[TCP]
    found = {(layer, name): value for layer, name, value in fields(bytes(Ether() / made / b"hello")[:HEAD])}
    assert found["IPv4", "identification"] == str(ip.id) and found["IPv4", "time to live"] == str(ip.ttl)
    assert found["IPv4", "source"] == A and found["IPv4", "flags, offset"] == "DF, 0"
    assert found["TCP", "ports"] == f"{tcp.sport} → {tcp.dport}"
    assert (found["TCP", "sequence number"], found["TCP", "acknowledgment"]) == (str(tcp.seq), str(tcp.ack))
    assert found["TCP", "flags"] == "SYN, ACK, ECE" and found["TCP", "window"] == str(tcp.window)
    given = dict(options)
    assert found["TCP", "MSS"] == str(given["MSS"]) and found["TCP", "window scale"] == str(given["WScale"])
    assert found["TCP", "time stamp, echo"] == "{}, {}".format(*given["Timestamp"])
    assert found["TCP", "payload bytes"] == "5"


def test_arp_request_and_what_cannot_be_read_are_told_in_words() -> None:
    request = bytes(Ether(src="02:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff") / ARP(psrc=A, pdst=B, op=1))
    assert ("ARP", "operation", "1 (request)") in fields(request)
    assert fields(b"\0" * 10) == [("Ethernet", "unreadable", "eth_truncated")]
    assert find(seen((True, request)))[1] == seen((True, request))


@pytest.mark.parametrize("isn", [1000, 0xFFFFFFFF - 250])
def test_sequence_numbers_count_from_the_syn_also_over_the_wrap(isn: int) -> None:
    connection = one(conversation(isn, 5))
    assert [step.kind for step in connection.steps] == ["syn", "syn", "ack", *["data"] * 5, "fin"]
    assert [step.seq for step in connection.steps if step.kind == "data"] == [1, 101, 201, 301, 401]
    assert connection.steps[2].ack == 1 and connection.payload(False) == 500 and connection.again == 0


def test_data_that_comes_a_second_time_is_marked_and_so_is_a_second_syn() -> None:
    packets = conversation(9, 4)
    packets.insert(1, packets[0])
    packets.insert(-1, packets[5])
    steps = one(packets).steps
    assert [i for i, step in enumerate(steps) if step.kind == "again"] == [1, 8]
    assert steps[8].label.endswith("retransmission")


def test_what_came_before_again_and_as_acknowledgment_is_known_of_each_segment() -> None:
    isn = 0xFFFFFFFF - 150
    data = [packet(False, "PA", isn + 1 + 100 * i, 78, 100) for i in range(3)]
    packets = [
        (True, packet(True, "S", 77, 0)),  # 0
        (False, packet(False, "SA", isn, 78)),  # 1
        *((False, each) for each in data),  # 2, 3, 4
        (True, packet(True, "A", 78, isn + 201)),  # 5, lost
        (True, packet(True, "A", 78, isn + 101)),  # 6
        (False, data[1]),  # 7
        (True, packet(True, "A", 78, isn + 301)),  # 8
    ]
    frames = seen(*packets)
    frames[5] = replace(frames[5], fate="lost")
    (connection,), _ = find(frames)
    assert fates(connection) == {
        0: Fate(acked=1), 1: Fate(acked=6), 2: Fate(acked=6), 3: Fate(again=7, acked=8), 4: Fate(acked=8),
        7: Fate(before=3, acked=8),
    }  # fmt: skip


def test_each_segment_of_a_plot_has_its_place_there() -> None:
    connection = one(conversation(9, 4))
    drawn, points = charts.time_sequence(connection, False, 6)
    assert [index for index, *_ in points] == [3, 4, 5, 6] and 'data-plot="6"' in drawn
    assert points == sorted(points, key=lambda p: p[1]) == sorted(points, key=lambda p: -p[2])
    strokes = re.findall(r"M([0-9.]+) ([0-9.]+)v-([0-9.]+)", drawn)
    assert [(round(float(x)), round(float(y) - float(tall) / 2)) for x, y, tall in strokes] == [
        (x, y) for _, x, y in points
    ]


def test_two_ports_and_a_port_used_again_are_three_connections() -> None:
    packets = conversation(9, 1) + conversation(500, 2, port=5001)
    again = [(True, packet(True, "S", 99_999, 0))]
    connections, _ = find(seen(*packets, *again))
    assert [len(c.steps) for c in connections] == [5, 6, 1]
    assert [c.ends for c in connections] == [(f"{A}:{p}", f"{B}:80") for p in (5000, 5001, 5000)]


@pytest.mark.parametrize("segments", [FOLDED - 2, FOLDED - 1, 40])
def test_only_long_runs_are_folded_and_no_step_is_left_out(segments: int) -> None:
    connection = one(conversation(9, segments))  # the ACK before them is plain, too
    rows = list(connection.rows())
    folds = [row for row in rows if isinstance(row, Fold)]
    assert len(folds) == (segments + 1 >= FOLDED)
    flat = [s for row in rows for s in (row.steps if isinstance(row, Fold) else [row])]
    assert flat == connection.steps


def test_lost_segment_interrupts_a_fold() -> None:
    frames = seen(*conversation(9, 40))
    frames[20] = Seen(20, False, 0, 1, 154, "lost", frames[20].head)
    (connection,), _ = find(frames)
    shown = [row for row in connection.rows() if not isinstance(row, Fold)]
    assert any(step.frame.fate and "lost on its way" in step.label for step in shown)


def test_sizes_fall_into_the_bins_of_rfc_2819_each_once() -> None:
    assert bins([(63, 1), (64, 2), (65, 3), (127, 4), (128, 5), (1518, 6), (1519, 7)]) == [
        1, 2, 7, 5, 0, 0, 6, 7,
    ]  # fmt: skip
    assert all(low == high + 1 for (_, high), (low, _) in itertools.pairwise(BINS))


class Port(WirePort):
    def set_wire_handler(self, handler: object) -> None:
        self.send = handler

    def deliver(self, frame: Frame) -> None:
        """Nobody is there."""


@pytest.mark.parametrize("which", ["loss", "corrupt"])
def test_collector_knows_each_frames_fate_as_the_link_counts_it(which: str) -> None:
    port = Port()
    link = Link(Scheduler(), port, Port(), impairments=Impairments(**{which: 0.3}), seed=5)
    collector = Collector(link)
    fates = []
    counters = link.counters(Direction.A_TO_B)
    link.on_frame = collector.frame
    for i in range(200):
        before = counters.lost, counters.corrupted
        port.send(Frame(bytes(64), 1000 * i, 1000 * i + 500))  # type: ignore[operator]
        after = counters.lost, counters.corrupted
        fates.append("" if before == after else "lost" if after[0] > before[0] else "corrupted")
    document = collector.document({"seed": 5}, {"frames": 3})
    assert [frame[4] for frame in document["frames"]] == fates and len(set(fates)) == 2
    assert document["frames"][7] == [True, 7000, 7500, 64, fates[7], "00" * 64]
    assert (document["total"], document["sizes"]) == (200, [[(64, 200)], []])


def test_collector_keeps_no_more_than_it_says_and_counts_all() -> None:
    port = Port()
    link = Link(Scheduler(), port, Port())
    collector = Collector(link)
    for i in range(KEPT + 5):
        collector.frame(Direction.B_TO_A, Frame(bytes(100), i, i + 1))
    document = collector.document({}, {})
    assert len(document["frames"]) == KEPT and document["sizes"] == [[], [(100, KEPT + 5)]]
