"""What must come out of the NIC, kept by the campaign itself: neither golden model nor checker has a part.

Every frame carries a serial number in its source address, so each can be told from all others.
"""

from collections import Counter, deque
from dataclasses import dataclass

from campaign_rx import GOOD, Arrival
from campaign_tx import DATA_VALID, Expectation

from pymodel.ports import Frame

HEADER = 12
SERIAL_END = 12
"""The serial number is the source address."""


@dataclass(slots=True)
class Sent:
    """A chain given to the NIC. `life`: of the ring; `optional`: it may be dropped; `used`: given back;
    `begun`: of its frames some have been seen."""

    expect: Expectation
    life: int
    optional: bool = False
    used: bool = False
    begun: bool = False


class TxLedger:
    """Chains posted, in order; each must appear once, whole. `sent`, `sent_bytes`: frames on the wire.

    What a stop makes optional must be cut off at one point: of each life of the ring a first part without
    gaps is sent. `lenient`: nothing is looked at, because memory was changed under the NIC.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.sent_bytes = 0
        self.broken = 0
        """Frames that broke off since the last hardware reset."""
        self.lenient = False
        self._pending: deque[Sent] = deque()
        self._cut: set[int] = set()
        self._beginning: bytes | None = None

    @property
    def required(self) -> int:
        """Chains of which frames must still be sent."""
        return sum(not entry.optional for entry in self._pending)

    def post(self, expect: Expectation, life: int) -> Sent:
        """A chain was posted in `life` of the ring; the entry to mark as used."""
        entry = Sent(expect, life)
        self._pending.append(entry)
        return entry

    def stopped(self, *, reset: bool) -> None:
        """The ring was stopped, or the device reset: what is in flight may be dropped."""
        for entry in self._pending:
            if reset or not entry.used:
                entry.optional = True
        self._beginning = None

    def pin_reset(self) -> None:
        """Everything is forgotten."""
        self._pending.clear()
        self.sent = self.sent_bytes = self.broken = 0
        self._beginning = None

    def appeared(self, frame: Frame) -> None:
        """The NIC has sent `frame`."""
        if frame.error:
            self.broken += 1
            # Of a memory that was changed it need not come again.
            self._beginning = None if self.lenient else frame.data
            return
        self.sent += 1
        self.sent_bytes += len(frame.data)
        if self.lenient:
            self._beginning = None
            return
        self._match(frame.data)
        beginning, self._beginning = self._beginning, None
        if beginning is not None and not frame.data.startswith(beginning):
            # Only a stopped ring's frame need not come again.
            assert self._cut, f"a frame broke off after {len(beginning)} bytes and did not come again"

    def _match(self, data: bytes) -> None:
        while self._pending:
            entry = self._pending[0]
            if entry.expect.accept(data):
                assert entry.life not in self._cut, "a frame was sent after one of the same life was dropped"
                if entry.expect.done:
                    self._pending.popleft()
                return
            assert entry.optional, (
                f"sent: {data[:16].hex()} ({len(data)} bytes); due: {entry.expect!r:.200}, "
                f"with {len(self._pending)} behind it"
            )
            self._cut.add(entry.life)
            self._pending.popleft()
        raise AssertionError(f"sent, but never posted, or twice: {data[:16].hex()}")


class RxLedger:
    """Frames put on the wire towards the NIC, counted under the name that the contract gives each.

    `delivered` counts frames given to the driver, `truncated` those given with a length of 0, both since the
    last hardware reset.
    """

    def __init__(self) -> None:
        self.pin_reset()

    def pin_reset(self) -> None:
        """The NIC forgets what is on its way and clears its counters."""
        self.kinds: Counter[str] = Counter()
        self.delivered = 0
        self.truncated = 0
        self.garbage = False
        """Words came that make an unknown number of frames."""
        self._good: deque[Arrival] = deque()

    def arrives(self, arrival: Arrival) -> None:
        """A frame is put on the wire."""
        self.kinds[arrival.kind] += 1
        if arrival.kind == GOOD:
            self._good.append(arrival)

    @property
    def frames(self) -> int:
        """How many were put on the wire."""
        return self.kinds.total()

    def came(self, content: bytes, chains: int, *, checked: bool) -> None:
        """A frame was delivered whole in `chains` chains: header and frame. `checked`: with GUEST_CSUM."""
        self.delivered += 1
        arrival = self._take(content[HEADER:], whole=True)
        flags = arrival.flags if checked else 0
        expected = bytes([flags]) + bytes(9) + chains.to_bytes(2, "little")
        assert content[:HEADER] == expected, f"header {content[:HEADER].hex()}, {expected.hex()} expected"

    def came_short(self, content: bytes, *, checked: bool) -> None:
        """A chain came back with length 0; `content`: all of its bytes."""
        self.truncated += 1
        arrival = self._take(content[HEADER:], whole=False)
        flags = arrival.flags if checked else 0
        if len(content) < HEADER + SERIAL_END and checked:
            flags = content[0] & DATA_VALID  # which frame it was, nobody can say
        expected = bytes([flags]) + bytes(9) + b"\1\0"
        assert content[:HEADER] == expected[: len(content)], f"header {content[:HEADER].hex()}"

    def _take(self, frame: bytes, *, whole: bool) -> Arrival:
        good = self._good
        while good:
            arrival = good.popleft()
            body = arrival.data[:-4]
            if body == frame if whole else len(body) > len(frame) and body.startswith(frame):
                return arrival
            # Those in between were lost, and the counters say why.
        raise AssertionError(
            f"a frame of {len(frame)} bytes was delivered that nobody sent, or out of order, or twice, or "
            f"changed: {frame[:20].hex()}"
        )
