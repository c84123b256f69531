"""The NIC's part of a trace, from events at its ports that are written down here, ring by ring."""

import struct
from collections.abc import Iterator

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import ARP, Ether

from pymodel.ports import Frame
from pymodel.regs import Reg
from pymodel.wire import virtio_net_hdr
from pymodel.wire.virtio_net_hdr import VirtioNetHdr
from tb.lockstep import events as ev
from tb.trace.flows import Ends, Flows, Segment
from tb.trace.frames import Frames
from tb.trace.moments import Moment, Trace
from tb.trace.nic import Handed, NicRecorder

NEXT, WRITE, INDIRECT, AVAIL, USED = 1, 2, 4, 1 << 7, 1 << 15
RX_DESCRIPTORS, TX_DESCRIPTORS, TX_TABLE, FRAME, RX_USED, TX_USED = 1, 2, 6, 0, 3, 4
RING, TABLE, HEADER, BODY = 0x1000, 0x2000, 0x3000, 0x4000
ENDS = Ends(b"\x0a\0\0\1", 7, b"\x0a\0\0\2", 80)
BYTES = bytes(
    Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=7, dport=80, seq=100, flags="A") / bytes(200)
)


def descriptor(address: int, length: int, ident: int, flags: int) -> bytes:
    return struct.pack("<QIHH", address, length, ident, flags)


class Made:
    """A recorder, and one segment (flow `flow`) whose frame lies at BODY."""

    def __init__(self) -> None:
        self.trace, self.handed = Trace(), Handed()
        flows = Flows()
        self.flow = flows.begin(Segment(ENDS, 100, 0, 200, 16))
        self.handed.at[BODY] = [self.flow]
        self.handed.fresh = [self.flow]
        self.frames = Frames(self.trace.frames)
        self.nic = NicRecorder(self.trace, flows, self.frames, self.handed, "A", "B")
        self.flows = flows

    def read(self, asked: int, time: int, address: int, data: bytes, ident: int) -> None:
        self.nic.event(ev.DmaRequest(asked, address, False, ident))
        self.nic.event(ev.DmaRead(time, address, data, ident, 0))

    def written(self, asked: int, time: int, address: int, data: bytes, ident: int) -> None:
        self.nic.event(ev.DmaRequest(asked, address, True, ident))
        self.nic.event(ev.DmaWrite(time, address, data, ident, 0))

    def journey(self) -> Iterator[tuple[str, int, int | None]]:
        for moment in sorted(self.trace.moments, key=lambda m: m.time):
            if self.flow in moment.flows:
                yield moment.track[-1], moment.time, moment.duration

    def on(self, line: str) -> list[Moment]:
        return [m for m in self.trace.moments if m.track[-1].startswith(line)]


def test_sent_segment_is_followed_from_the_doorbell_to_its_interrupt() -> None:
    made = Made()
    made.nic.event(ev.MmioWrite(10, Reg.QUEUE_NOTIFY, 1, 4))
    head = descriptor(HEADER, 12, 5, AVAIL | NEXT)
    made.read(20, 30, RING, head + descriptor(BODY, len(BYTES), 5, AVAIL), TX_DESCRIPTORS)
    made.read(40, 50, BODY, BYTES, FRAME)
    made.nic.event(ev.WireOut(90, Frame(BYTES, 70, 90)))
    made.written(75, 80, RING, descriptor(0, 0, 5, AVAIL | USED), TX_USED)
    made.nic.event(ev.Irq(95, True))
    made.nic.event(ev.Irq(99, False))
    assert list(made.journey()) == [
        ("1 doorbells", 10, None),
        ("2 descriptor reads", 20, 10),
        ("3 frame reads (DMA)", 40, 10),
        ("4 checksum, TSO, FIFO", 50, 20),
        ("A → B", 70, 20),
        ("7 used descriptors", 75, 5),
        ("8 interrupt line", 95, 4),
    ]
    (fetch,) = made.on("2")
    assert fetch.details[f"descriptor at {RING + 16:#x}"] == {
        "address": f"{BODY:#x}", "length": len(BYTES), "id": 5, "flags": "0x0080 AVAIL",
    }  # fmt: skip
    assert made.trace.frames == [[made.flow]] and made.on("A → B")[0].frames == [1]


def test_burst_told_beat_by_beat_is_one_slice_and_an_indirect_table_leads_to_the_frame() -> None:
    made = Made()
    stale = descriptor(BODY, 1, 9, AVAIL | USED)
    for beat, data in enumerate((descriptor(TABLE, 32, 3, AVAIL | INDIRECT), stale)):
        made.read(20, 30 + beat, RING + 16 * beat, data, TX_DESCRIPTORS)
    for beat in range(2):
        made.nic.event(ev.DmaRequest(40, TABLE + 16 * beat, False, TX_TABLE))
    for beat, data in enumerate((descriptor(HEADER, 12, 0, 0), descriptor(BODY, len(BYTES), 0, 0))):
        made.nic.event(ev.DmaRead(50 + beat, TABLE + 16 * beat, data, TX_TABLE, 0))
    made.written(75, 80, RING + 8, descriptor(0, 0, 3, AVAIL | USED)[8:], TX_USED)
    ring, table = made.on("2")
    assert (ring.time, ring.duration, ring.details["bytes"], ring.flows) == (20, 11, 32, [])
    assert f"descriptor at {RING + 16:#x}" not in ring.details, "a used slot is no descriptor"
    assert (table.time, table.duration, table.flows) == (40, 11, [made.flow])
    (used,) = made.on("7")
    assert used.flows == [made.flow]


def test_received_segment_is_followed_from_the_wire_to_its_interrupt() -> None:
    made = Made()
    made.frames.left(bytes(60), made.flows)
    assert made.frames.left(BYTES, made.flows) == 2
    made.read(1, 2, RING, descriptor(BODY + 0x800, 2048, 6, AVAIL | WRITE), RX_DESCRIPTORS)
    made.nic.event(ev.WireIn(30, Frame(BYTES, 10, 30)))
    stored = virtio_net_hdr.emit(VirtioNetHdr(flags=2, num_buffers=1)) + BYTES
    made.written(31, 33, BODY + 0x800, stored[:64], FRAME)
    made.nic.event(ev.RxDecision(34, 7))
    made.written(35, 38, BODY + 0x840, stored[64:], FRAME)
    made.written(40, 44, RING, descriptor(0, len(stored), 6, AVAIL | USED | WRITE), RX_USED)
    made.nic.event(ev.Irq(50, True))
    assert list(made.journey()) == [
        ("B → A", 10, 20),
        ("6 frame writes (DMA)", 31, 2),
        ("5 receive decisions", 34, None),
        ("6 frame writes (DMA)", 35, 3),
        ("7 used descriptors", 40, 4),
        ("8 interrupt line", 50, None),
    ]
    assert [m.name for m in made.on("5")] == ["stored"]
    assert {tuple(m.frames) for m in made.trace.moments if made.flow in m.flows} == {(2,)}
    header = made.on("6")[0].details["virtio_net_hdr"]
    assert isinstance(header, dict) and (header["flags"], header["num_buffers"]) == ("0x02 DATA_VALID", 1)


def test_header_that_is_read_in_front_of_a_frame_is_decoded() -> None:
    made = Made()
    head = descriptor(HEADER, 12, 5, AVAIL | NEXT)
    made.read(20, 30, RING, head + descriptor(BODY, len(BYTES), 5, AVAIL), TX_DESCRIPTORS)
    net = virtio_net_hdr.emit(VirtioNetHdr(flags=1, gso_type=1, hdr_len=66, gso_size=1448, csum_start=34))
    made.read(31, 32, HEADER - 4, bytes(4) + net, FRAME)
    made.read(40, 50, BODY, BYTES, FRAME)
    first, second = made.on("3")
    assert first.details["virtio_net_hdr"] == {
        "flags": "0x01 NEEDS_CSUM", "gso_type": "1 TCPV4", "hdr_len": 66, "gso_size": 1448, "csum_start": 34,
        "csum_offset": 0, "num_buffers": 0,
    }  # fmt: skip
    assert "virtio_net_hdr" not in second.details


def test_doorbell_of_a_queue_that_is_not_there_and_bus_errors_are_told() -> None:
    made = Made()
    made.nic.event(ev.MmioWrite(10, Reg.QUEUE_NOTIFY, 7, 4))
    made.nic.event(ev.DmaRequest(20, BODY, False, FRAME))
    made.nic.event(ev.DmaRead(30, BODY, bytes(16), FRAME, 2))
    assert [m.name for m in made.on("1")] == ["queue 7, which is not there"]
    assert [m.details["RRESP"] for m in made.on("3")] == [2]
    assert made.handed.fresh == [made.flow], "the transmit ring's doorbell has not rung"


def test_frames_on_the_wire_are_named_by_what_they_carry() -> None:
    made = Made()
    asked = bytes(Ether() / ARP(psrc="10.0.0.1", pdst="10.0.0.2"))
    for frame in (BYTES, asked):
        made.nic.event(ev.WireOut(90, Frame(frame, 70, 90)))
        made.nic.event(ev.WireIn(90, Frame(frame, 70, 90)))
    for way in ("A → B", "B → A"):
        segment, other = made.on(way)
        assert (segment.name, other.name) == ("ACK 200 bytes", "ARP, Request who-has 10.0.0.2 tell 10.0.0.1")
        assert str(segment.details["frame"]).startswith("IP 10.0.0.1.7 > 10.0.0.2.80: Flags [.]")
        assert segment.details["bytes with FCS"] == len(BYTES)
