"""What must come out of the NIC, kept by the test itself: neither golden model nor checker has a part in it.

Every frame carries a serial number in its source address, so each can be told from all others.
"""

import zlib
from collections import Counter, deque
from dataclasses import dataclass

from pymodel.ports import Frame

SERIAL_AT, SERIAL_SIZE = 6, 6
HEADER = 12
"""struct virtio_net_hdr (virtio 1.2 §5.1.6)."""
NET_HDR = bytes(10) + b"\1\0"
"""That of a received frame: zeros, num_buffers 1 (§5.1.6.4.1)."""


def numbered(serial: int, frame: bytes) -> bytes:
    """`frame` (>= 14 bytes) with `serial` as its source address."""
    return frame[:SERIAL_AT] + serial.to_bytes(SERIAL_SIZE, "big") + frame[SERIAL_AT + SERIAL_SIZE :]


def with_fcs(frame: bytes) -> bytes:
    """IEEE 802.3 §3.2.9."""
    return frame + zlib.crc32(frame).to_bytes(4, "little")


def on_wire(frame: bytes) -> bytes:
    """What a MAC sends for `frame`: padded to 60 bytes (§4.2.3.3), FCS appended."""
    return with_fcs(frame.ljust(60, b"\0"))


@dataclass(slots=True)
class _Sent:
    """A frame given to the NIC. `life`: of the ring; `optional`: it may be dropped; `used`: given back."""

    data: bytes
    life: int
    optional: bool = False
    used: bool = False


class TxLedger:
    """Frames posted, in order; each must appear once. `sent` and `sent_bytes` count those on the wire.

    What a stop makes optional must be cut off at one point: of each life of the ring a first part without
    gaps is sent.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.sent_bytes = 0
        self._pending: deque[_Sent] = deque()
        self._cut: set[int] = set()

    @property
    def required(self) -> int:
        """Frames that must still be sent."""
        return sum(not entry.optional for entry in self._pending)

    def post(self, frame: bytes, life: int) -> _Sent:
        """`frame` (no FCS) was posted in `life` of the ring; the entry to mark as used."""
        entry = _Sent(on_wire(frame), life)
        self._pending.append(entry)
        return entry

    def stopped(self, *, reset: bool) -> None:
        """The ring was stopped, or the device reset: what is in flight may be dropped."""
        for entry in self._pending:
            if reset or not entry.used:
                entry.optional = True

    def pin_reset(self) -> None:
        """Everything is forgotten."""
        self._pending.clear()
        self.sent = self.sent_bytes = 0

    def appeared(self, frame: Frame) -> None:
        """The NIC has sent `frame`."""
        assert not frame.error, f"a frame of {len(frame.data)} bytes was broken off"
        self.sent += 1
        self.sent_bytes += len(frame.data)
        while self._pending:
            entry = self._pending.popleft()
            if entry.data == frame.data:
                assert entry.life not in self._cut, "a frame was sent after one of the same life was dropped"
                return
            assert entry.optional, (
                f"sent: {frame.data[:16].hex()} ({len(frame.data)} bytes); due: {entry.data[:16].hex()} "
                f"({len(entry.data)} bytes), with {len(self._pending)} behind it"
            )
            self._cut.add(entry.life)
        raise AssertionError(f"sent, but never posted, or twice: {frame.data[:16].hex()}")


class RxLedger:
    """Frames put on the wire towards the NIC, counted under the name that the contract gives each.

    `delivered` and `truncated` count used entries, all since the last hardware reset.
    """

    def __init__(self) -> None:
        self.pin_reset()

    def pin_reset(self) -> None:
        """The NIC forgets what is on its way and clears its counters."""
        self.kinds: Counter[str] = Counter()
        self.delivered = 0
        self.truncated = 0
        self._good: deque[bytes] = deque()

    def arrives(self, kind: str, frame: bytes) -> None:
        """A frame (no FCS) of `kind` ("good" or a counter's name) is put on the wire."""
        self.kinds[kind] += 1
        if kind == "good":
            self._good.append(frame)

    @property
    def frames(self) -> int:
        """How many were put on the wire."""
        return self.kinds.total()

    def used(self, length: int, capacity: int, content: bytes) -> None:
        """A chain of `capacity` bytes that now begin with `content` came back with `length`."""
        good = self._good
        if length:
            data = content[:length]
            self.delivered += 1
        else:
            data = content[:capacity]
            self.truncated += 1
        assert data[:HEADER] == NET_HDR[: len(data)], f"header {data[:HEADER].hex()}"
        frame = data[HEADER:]
        while good:
            candidate = good.popleft()
            if length and candidate == frame:
                return
            if not length and len(candidate) > len(frame) and candidate.startswith(frame):
                return
            # Those in between were lost, and the counters say why.
        raise AssertionError(
            f"a frame of {len(frame)} bytes (used length {length}, capacity {capacity}) was delivered that "
            f"nobody sent, or out of order, or twice, or changed: {frame[:20].hex()}"
        )
