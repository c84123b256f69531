"""The predicted segment takes a short cut; it must leave the connection as the long way would.

Two layers get the same segments, calls and times; one of them is not let use the short cut. After each step
every variable of both connections is equal, and so is every byte that they sent.
"""

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tcp_bench import HERE, LPORT, MSS_ONLY, RPORT, SYN_OPTIONS, THERE, TS, Bench

from pymodel.gso import checksum_help
from pymodel.simtime import US
from pymodel.skbuff import SkBuff
from pymodel.tcp import State, predicted
from pymodel.tcp.lazytimer import LazyTimer
from pymodel.tcp.seq import MASK
from pymodel.wire import tcp
from pymodel.wire.checksum import checksum, pseudo_header

_SKIPPED = {"layer", "queue", "listener", "profile", "_scheduler", "_callback", "_timer", "memory", "page"}


class RawBench(Bench):
    """What leaves is kept as bytes with its time: it is compared, not read."""

    def __init__(self, options: list[Any]) -> None:
        super().__init__()
        self.sent: list[tuple[int, bytes, object]] = []
        self.conn = self.tcp.connect((HERE, LPORT), (THERE, RPORT))
        self.iss = self.conn.iss
        self.ts = TS if options is SYN_OPTIONS else None
        self.run(10 * US)
        self.peer("SA", options=options)
        assert self.conn.state is State.ESTABLISHED

    def send(self, skb: SkBuff, proto: int, src: bytes, dst: bytes, **more: object) -> int:
        checksum_help(skb)
        self.sent.append((self.now, skb.bytes(), more.get("tos")))
        skb.free()
        return 0


def _dump(value: Any, depth: int = 0) -> Any:
    """Everything that `value` consists of, to be compared."""
    if value is None or isinstance(value, int | str | bytes | float):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, LazyTimer):
        return value.deadline
    if isinstance(value, dict):
        return [(_dump(k, depth + 1), _dump(v, depth + 1)) for k, v in value.items()]
    if isinstance(value, list | tuple | set | frozenset):
        return [_dump(each, depth + 1) for each in value]
    if callable(value) or depth > 5:
        return None
    names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    names += list(getattr(value, "__dict__", ()))
    return {name: _dump(getattr(value, name, None), depth + 1) for name in names if name not in _SKIPPED}


def _segment(bench: RawBench, step: dict[str, Any]) -> bytes:
    """A segment of the peer's that relates to the connection as `step` says."""
    conn = bench.conn
    ack = {
        "una": conn.snd_una,
        "nxt": conn.snd_nxt,
        "half": conn.snd_una + ((conn.snd_nxt - conn.snd_una & MASK) + 1) // 2,
        "old": conn.snd_una - 1,
        "beyond": conn.snd_nxt + 1,
    }[step["ack"]]
    header = tcp.TcpHeader(
        RPORT, LPORT, conn.rcv_nxt + step["shift"] & MASK, ack & MASK, step["flags"], step["window"]
    )
    if bench.ts is not None and step["stamp"] is not None:
        bench.ts += step["stamp"]
        header.ts_val, header.ts_ecr = bench.ts & MASK, conn.ts_offset + bench.now // 10**9 & MASK
    raw = bytearray(tcp.emit(header, tcp.options_bytes(header)) + bytes(range(step["size"])))
    value = checksum(raw, pseudo_header(THERE, HERE, tcp.PROTO, len(raw)))
    raw[16:18] = value.to_bytes(2, "big")
    return bytes(raw)


def _segments(**odd: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Segments of a peer in good order, but for what `odd` says otherwise."""
    fields: dict[str, Any] = {
        "what": st.just("segment"),
        "shift": st.just(0),
        "size": st.sampled_from([0, 100, 250]),
        "ack": st.just("nxt"),
        "flags": st.sampled_from([tcp.ACK, tcp.ACK | tcp.PSH]),
        "window": st.just(1000),
        "stamp": st.sampled_from([0, 1]),
    }
    return st.fixed_dictionaries({**fields, **odd})


ORDERLY = _segments()
ODD = st.one_of(
    _segments(shift=st.sampled_from([-20, 20, 150])),
    _segments(ack=st.sampled_from(["una", "half", "old", "beyond"])),
    _segments(flags=st.sampled_from([tcp.ACK | tcp.FIN, tcp.ACK | tcp.URG, 0])),
    _segments(window=st.sampled_from([65535, 1, 0])),
    _segments(stamp=st.sampled_from([-5, None])),
)
CALL = st.one_of(
    st.fixed_dictionaries({"what": st.just("send"), "size": st.sampled_from([1, 1000, 5000])}),
    st.fixed_dictionaries({"what": st.just("read"), "size": st.sampled_from([1, 1000, 100_000])}),
    st.fixed_dictionaries({"what": st.just("wait"), "size": st.sampled_from([1, 100, 50_000, 300_000])}),
)
STEP = st.integers(0, 9).flatmap(lambda n: ODD if n == 9 else CALL if n > 6 else ORDERLY)


def _do(bench: RawBench, step: dict[str, Any]) -> Any:
    match step["what"]:
        case "segment":
            return bench.raw(_segment(bench, step))
        case "send":
            return bench.conn.send(bytes(step["size"]))
        case "read":
            return bench.conn.recv(step["size"])
        case _:
            return bench.run(step["size"] * US)


@settings(max_examples=40)
@given(st.sampled_from(["timestamps", "bare"]), st.lists(STEP, min_size=15, max_size=30))
def test_any_history_ends_the_same_with_and_without_the_short_cut(
    options: str, steps: list[dict[str, Any]]
) -> None:
    short, long = (RawBench(SYN_OPTIONS if options == "timestamps" else MSS_ONLY) for _ in range(2))
    for step in steps:
        result = _do(short, step)
        with patch.object(predicted, "taken", lambda *_: False):
            assert _do(long, step) == result
        assert short.sent == long.sent
        assert _dump(short.conn) == _dump(long.conn)
        assert short.tcp.stats == long.tcp.stats


@pytest.mark.parametrize("ahead", [False, True])
def test_text_in_order_takes_the_short_cut_and_text_ahead_does_not(ahead: bool) -> None:
    bench = RawBench(SYN_OPTIONS)
    step = {"shift": 0, "size": 0, "ack": "una", "flags": tcp.ACK, "window": 1000, "stamp": 1}
    bench.raw(_segment(bench, {**step, "size": 1}))  # a window that was scaled, other than the SYN's
    took = []
    real = predicted.taken
    with patch.object(predicted, "taken", lambda *args: took.append(real(*args)) or took[-1]):
        bench.raw(_segment(bench, {**step, "shift": 20 if ahead else 0, "size": 100}))
    assert took == [not ahead]
    assert bench.conn.readable == (1 if ahead else 101)
