"""The frames on the wire by their numbers in the capture, wherever they are seen."""

from tb.trace.flows import Ends, Flows, Segment, of_frame

_KEY = 52
"""A frame is known by so many first bytes: TCP's checksum, the last of them, stands for all behind."""


class Frames:
    """Numbers frames as they are sent (`left`), from 1 on, and knows them again.

    `flows`: of each frame, in order, the segments that it carried when it was sent.
    """

    def __init__(self, flows: list[list[int]]) -> None:
        self.flows = flows
        self._segments = Flows()
        self._numbers: dict[bytes, int] = {}

    def left(self, data: bytes, segments: Flows) -> int:
        """Frame `data` is sent; its number."""
        segment = of_frame(data)
        if segment is None:
            self._segments.skip()
            self.flows.append([])
        else:
            self._segments.begin(segment)
            self.flows.append(segments.find(segment))
        number = self._numbers[data[:_KEY]] = len(self.flows)
        return number

    def seen(self, data: bytes) -> list[int]:
        """The number of the frame that begins with `data`, if that is enough to know it."""
        number = self._numbers.get(data[:_KEY])
        return [] if number is None else [number]

    def of(self, segment: Segment) -> list[int]:
        """The frames that `segment`, joined from them by the receiver, came in."""
        return self._segments.find(segment)

    def every(self, ends: Ends, seq: int, size: int) -> list[int]:
        """All frames that carried some of these sequence numbers, retransmissions too."""
        return self._segments.every(ends, seq, size)
