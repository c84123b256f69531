"""Segments are recognised by what TCP says about them, wherever they are seen."""

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from tb.trace.flows import Ends, Flows, Segment, of_frame

ENDS = Ends(b"\x0a\0\0\1", 7, b"\x0a\0\0\2", 8000)


def data(seq: int, size: int) -> Segment:
    return Segment(ENDS, seq & 0xFFFFFFFF, 1, size, 16)


def test_segment_of_a_train_across_the_wrap_has_the_trains_flow() -> None:
    flows = Flows()
    train = flows.begin(data(-256, 3000))
    assert flows.find(data(-256, 1000)) == flows.find(data(744, 2000)) == [train]
    assert flows.find(data(2744, 1)) == flows.find(data(-257, 1)) == []


def test_segments_joined_by_the_receiver_have_the_flows_of_all_of_them() -> None:
    flows = Flows()
    numbers = [flows.begin(data(100 * n, 100)) for n in range(5)]
    assert flows.find(data(100, 300)) == numbers[1:4]
    assert flows.find(data(150, 100)) == numbers[1:3]


def test_retransmission_is_a_flow_of_its_own_and_the_call_belongs_to_both() -> None:
    flows = Flows()
    first, again = flows.begin(data(10, 100)), flows.begin(data(10, 100))
    assert first != again and flows.find(data(10, 100)) == [again]
    assert flows.every(ENDS, 50, 1) == [first, again]


def test_acks_at_one_sequence_number_are_told_apart_from_each_other_and_from_data() -> None:
    flows = Flows()
    one = flows.begin(Segment(ENDS, 10, 1, 0, 16))
    two = flows.begin(Segment(ENDS, 10, 2, 0, 16))
    text = flows.begin(Segment(ENDS, 10, 2, 5, 16))
    assert [flows.find(Segment(ENDS, 10, ack, 0, 16)) for ack in (1, 2, 3)] == [[one], [two], []]
    assert flows.find(Segment(ENDS, 10, 9, 5, 16)) == [text]


def test_frame_made_by_scapy_is_read_field_by_field() -> None:
    layers = IP(src="10.0.0.1", dst="10.0.0.2") / TCP(
        sport=7, dport=8000, seq=0x12345678, ack=9, flags="SA", options=[("MSS", 1460)]
    )
    frame = bytes(Ether() / layers / b"abc") + bytes(10)
    found = of_frame(frame)
    assert found == Segment(ENDS, 0x12345678, 9, 4, 0x12)
    assert str(found) == "SYN,ACK 3 bytes" and str(ENDS) == "10.0.0.1:7 → 10.0.0.2:8000"
    assert of_frame(frame[:50]) == found, "the headers are enough"


def test_train_that_is_not_cut_yet_is_as_long_as_its_frame() -> None:
    frame = bytearray(bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=7, dport=8000)))
    frame[16:18] = bytes(2)
    found = of_frame(bytes(frame), total=54 + 60_000)
    assert found is not None and found.size == 60_001  # scapy's flags are SYN


def test_what_is_not_tcp_over_ipv4_has_no_flow() -> None:
    assert of_frame(bytes(60)) is None and of_frame(b"") is None
    assert of_frame(bytes(Ether() / IP(proto=17) / bytes(40))) is None
