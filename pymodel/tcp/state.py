"""Connection states (RFC 9293 §3.3.2) and the transitions between them, as data."""

from enum import IntEnum
from typing import Final


class State(IntEnum):
    """RFC 9293 §3.3.2. LISTEN is a `Listener`, not a connection, and so has no number here."""

    CLOSED = 0
    SYN_SENT = 1
    SYN_RECEIVED = 2
    ESTABLISHED = 3
    FIN_WAIT_1 = 4
    FIN_WAIT_2 = 5
    CLOSE_WAIT = 6
    CLOSING = 7
    LAST_ACK = 8
    TIME_WAIT = 9


SYNCHRONIZED: Final = frozenset(s for s in State if s >= State.ESTABLISHED)
"""Both sides' sequence numbers are known and acknowledged."""

RECEIVING: Final = frozenset({State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2})
"""The peer has not sent its FIN: text is accepted (§3.10.7.4, "seventh, process the segment text")."""

SENDING: Final = frozenset({State.ESTABLISHED, State.CLOSE_WAIT})
"""The user may still hand over data."""

FLUSHING: Final = frozenset({*SENDING, State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK})
"""Data or a FIN may be on its way: what is queued is still sent and retransmitted."""

TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    State.CLOSED: frozenset({State.SYN_SENT, State.SYN_RECEIVED}),
    State.SYN_SENT: frozenset({State.SYN_RECEIVED, State.ESTABLISHED, State.CLOSED}),
    State.SYN_RECEIVED: frozenset({State.ESTABLISHED, State.FIN_WAIT_1, State.CLOSE_WAIT, State.CLOSED}),
    State.ESTABLISHED: frozenset({State.FIN_WAIT_1, State.CLOSE_WAIT, State.CLOSED}),
    State.FIN_WAIT_1: frozenset({State.FIN_WAIT_2, State.CLOSING, State.TIME_WAIT, State.CLOSED}),
    State.FIN_WAIT_2: frozenset({State.TIME_WAIT, State.CLOSED}),
    State.CLOSE_WAIT: frozenset({State.LAST_ACK, State.CLOSED}),
    State.CLOSING: frozenset({State.TIME_WAIT, State.CLOSED}),
    State.LAST_ACK: frozenset({State.CLOSED}),
    State.TIME_WAIT: frozenset({State.CLOSED}),
}
"""RFC 9293 figure 5, SYN-RECEIVED → CLOSE-WAIT (a SYN with data and FIN, RFC 7413), and any state → CLOSED
(RST, abort, timeout)."""
