"""Explicit congestion notification (RFC 3168) and urgent data (RFC 9293 §3.8.5, RFC 6093)."""

from dataclasses import replace
from errno import EAGAIN, EINVAL
from typing import Any

import pytest
import tcp_bench
from tcp_bench import MSS_ONLY, Bench, established

from pymodel.tcp import FREEBSD, LINUX
from pymodel.tcp.tcb import Recovery

ASKS = replace(LINUX, ecn=1, congestion="reno")


class EcnBench(Bench):
    """Notes the TOS of what leaves, and gives arriving segments one."""

    def __init__(self, **kw: Any) -> None:
        super().__init__(**kw)
        self.tos: list[int] = []

    def leave(self, data: bytes, src: bytes, dst: bytes, tos: int) -> int:
        self.tos.append(tos)
        return super().leave(data, src, dst, tos)

    def marked(self, flags: str, tos: int, **kw: Any) -> None:
        data = self.build(flags, **kw)
        self.peer_nxt += len(kw.get("payload", b""))
        self.arrive(data, tcp_bench.THERE, tcp_bench.HERE, tos)


def agreed() -> EcnBench:
    bench = EcnBench(profile=ASKS)
    bench.conn = bench.tcp.connect((tcp_bench.HERE, 40000), (tcp_bench.THERE, 80))
    bench.iss = bench.conn.iss
    bench.expect("SEC")
    bench.peer("SAE", options=MSS_ONLY)
    bench.expect("A")
    assert bench.conn.ecn_on and set(bench.tos) == {0}
    bench.tos.clear()
    return bench


@pytest.mark.parametrize(("setting", "answer"), [(0, "SA"), (1, "SAE"), (2, "SAE")])
def test_syn_that_asks_for_ecn_is_answered_as_the_setting_says(setting: int, answer: str) -> None:
    bench = tcp_bench.listening(profile=replace(LINUX, ecn=setting))
    bench.peer("SEC", options=MSS_ONLY)
    bench.expect(answer)


def test_syn_ack_that_mirrors_both_bits_is_no_agreement() -> None:
    bench = tcp_bench.syn_sent()
    assert not bench.conn.ecn_offered
    bench = Bench(profile=ASKS)
    bench.conn = bench.tcp.connect((tcp_bench.HERE, 40000), (tcp_bench.THERE, 80))
    bench.iss = bench.conn.iss
    bench.peer("SAEC", options=MSS_ONLY)
    assert not bench.conn.ecn_on


def test_new_data_is_marked_and_acks_and_retransmissions_are_not() -> None:
    bench = agreed()
    bench.conn.send(b"abc")
    assert bench.tos == [2]
    bench.tos.clear()
    bench.run(300_000_000_000)
    bench.peer("A")
    bench.peer("PA", payload=b"x")
    bench.run(100_000_000_000)
    assert bench.tos and set(bench.tos) == {0}


def test_echo_reduces_the_window_once_and_the_next_new_segment_says_so() -> None:
    bench = agreed()
    bench.conn.send(bytes(20 * 1460))
    bench.out.clear()
    bench.peer("AE", ack=1 + 2 * 1460)
    assert bench.conn.recovery is Recovery.CWR and bench.conn.cc.ssthresh == 5
    for n in range(3, 9):
        bench.peer("AE", ack=1 + n * 1460)
    assert bench.conn.cc.ssthresh == 5
    flags = [seg.flags for seg in bench.out if seg.payload]
    assert "C" in flags[0] and not any("C" in other for other in flags[1:])


def test_mark_is_echoed_until_the_peer_says_it_has_reduced() -> None:
    bench = agreed()
    bench.marked("PA", 3, payload=b"a")
    bench.run(50_000_000_000)
    assert bench.out.pop().flags == "AE"
    bench.marked("PA", 2, payload=b"b")
    bench.run(50_000_000_000)
    assert bench.out.pop().flags == "AE"
    bench.marked("PAC", 2, payload=b"c")
    bench.run(50_000_000_000)
    assert bench.out.pop().flags == "A"


def test_urgent_byte_is_taken_out_of_the_stream_and_reading_stops_at_the_mark() -> None:
    bench = established()
    data = bytearray(bench.build("PUA", payload=b"abXcd"))
    packet = tcp_bench.TCP(bytes(data))
    packet.urgptr = 3
    del packet.chksum
    raw = bytes(tcp_bench.IP(src="10.0.0.2", dst="10.0.0.1") / packet)[20:]
    bench.raw(raw)
    conn = bench.conn
    assert conn.urgent_ready and not conn.at_mark and conn.readable == 2
    assert conn.recv(10) == b"ab" and conn.at_mark
    assert conn.recv_oob(peek=True) == b"X" and conn.recv_oob() == b"X"
    with pytest.raises(OSError) as caught:
        conn.recv_oob()
    assert caught.value.errno == EINVAL
    assert conn.recv(10) == b"cd"


def test_urgent_byte_stays_in_line_if_the_program_wants_so() -> None:
    bench = established()
    bench.conn.set_option("oobinline", True)
    packet = tcp_bench.TCP(bench.build("PUA", payload=b"abX"))
    packet.urgptr = 3
    del packet.chksum
    bench.raw(bytes(tcp_bench.IP(src="10.0.0.2", dst="10.0.0.1") / packet)[20:])
    assert bench.conn.recv(10) == b"ab" and bench.conn.at_mark and bench.conn.recv(10) == b"X"


def test_urgent_byte_that_is_announced_but_not_here_is_eagain() -> None:
    bench = established()
    packet = tcp_bench.TCP(bench.build("PUA", payload=b"ab"))
    packet.urgptr = 5
    del packet.chksum
    bench.raw(bytes(tcp_bench.IP(src="10.0.0.2", dst="10.0.0.1") / packet)[20:])
    with pytest.raises(OSError) as caught:
        bench.conn.recv_oob()
    assert caught.value.errno == EAGAIN


def test_urgent_data_is_sent_with_the_pointer_behind_its_last_byte() -> None:
    bench = established()
    bench.conn.send(b"abX", oob=True)
    seg = bench.expect("PAU", seq=1, length=3)
    assert int.from_bytes(seg.raw[18:20], "big") == 3
    bench.peer("A")
    bench.conn.send(b"later")
    bench.expect("PA", seq=4)


def test_freebsd_profile_orders_its_syn_options_its_own_way() -> None:
    bench = Bench(profile=FREEBSD)
    bench.conn = bench.tcp.connect((tcp_bench.HERE, 40000), (tcp_bench.THERE, 80))
    syn = bench.out[0]
    assert [name for name, _ in syn.options] == ["MSS", "NOP", "WScale", "SAckOK", "Timestamp"]
    assert syn.option("WScale") == 6
