"""Frames are known again by their first bytes, or as parts of what was joined from them."""

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from tb.trace.flows import Flows, of_frame
from tb.trace.frames import Frames


def frame(seq: int, stamp: int = 0) -> bytes:
    tcp = TCP(sport=7, dport=80, seq=seq, flags="A", options=[("Timestamp", (stamp, 0))])
    return bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / tcp / bytes(100))


def test_frame_is_known_by_its_beginning_and_its_repetition_is_another() -> None:
    frames, flows = Frames([]), Flows()
    first, again = frame(5), frame(5, stamp=9)
    assert [frames.left(first, flows), frames.left(bytes(60), flows), frames.left(again, flows)] == [1, 2, 3]
    assert frames.seen(first[:60]) == [1] and frames.seen(again[:60]) == [3]
    assert frames.seen(frame(6)) == []


def test_frames_of_a_train_have_its_flow_and_are_found_in_what_is_joined_from_them() -> None:
    frames, flows = Frames([]), Flows()
    whole = of_frame(frame(0))
    assert whole is not None
    flow = flows.begin(whole._replace(size=300))
    for seq in (0, 100, 200):
        frames.left(frame(seq), flows)
    assert frames.flows == [[flow]] * 3
    assert frames.of(whole._replace(seq=100, size=200)) == [2, 3]
    assert frames.every(whole.ends, 150, 1) == [2]
