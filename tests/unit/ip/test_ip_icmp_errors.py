"""ICMP errors about packets that we sent: who hears what, and quotes that lie about themselves."""

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ip_bench import OWN, PEER, Bench
from scapy.layers.inet import ICMP, IP, TCP, IPOption_RR

Heard = list[tuple[int, bytes, bytes, bytes]]

SENT = IP(src=OWN, dst=PEER, id=1) / TCP(sport=1000, dport=80, seq=77)


def listening(bench: Bench) -> Heard:
    heard: Heard = []
    bench.ip.icmp.on_error[6] = lambda *what: heard.append(what)
    return heard


@pytest.mark.parametrize(
    ("kind", "code", "error"),
    [
        (3, 0, errno.ENETUNREACH),
        (3, 1, errno.EHOSTUNREACH),
        (3, 2, errno.ENOPROTOOPT),
        (3, 3, errno.ECONNREFUSED),
        (3, 4, errno.EMSGSIZE),
        (3, 7, errno.EHOSTDOWN),
        (3, 13, errno.EHOSTUNREACH),
        (11, 0, errno.EHOSTUNREACH),
        (12, 0, errno.EPROTO),
    ],
)
def test_error_about_our_segment_reaches_its_protocol_as_linux_s_errno(
    kind: int, code: int, error: int
) -> None:
    bench = Bench()
    heard = listening(bench)
    bench.receive_ip(IP(src=PEER, dst=OWN) / ICMP(type=kind, code=code) / bytes(SENT)[:28])
    assert heard == [(error, bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2)), bytes(SENT)[20:28])]


def test_transport_header_is_found_behind_quoted_options() -> None:
    bench = Bench()
    heard = listening(bench)
    sent = bytes(IP(src=OWN, dst=PEER, options=[IPOption_RR(routers=["0.0.0.0"] * 3)]) / TCP(sport=1000))
    bench.receive_ip(IP(src=PEER, dst=OWN) / ICMP(type=3, code=1) / sent[:44])
    assert [what[3] for what in heard] == [sent[36:44]]


@pytest.mark.parametrize(("kind", "code"), [(4, 0), (5, 1)])
def test_source_quench_and_redirect_are_heard_by_nobody(kind: int, code: int) -> None:
    bench = Bench()
    heard = listening(bench)
    bench.receive_ip(IP(src=PEER, dst=OWN) / ICMP(type=kind, code=code) / bytes(SENT)[:28])
    assert heard == [] and bench.ip.icmp.stats["icmp_errors_in"] == 1


@pytest.mark.parametrize("first", [0x4F, 0x46, 0x44, 0x40, 0x65])
def test_regression_quote_too_short_for_its_own_header_length_is_counted_and_dropped(first: int) -> None:
    bench = Bench()
    heard = listening(bench)
    quote = bytes([first]) + bytes(SENT)[1:28]
    bench.receive_ip(IP(src=PEER, dst=OWN) / ICMP(type=3, code=1) / quote)
    assert heard == [] and bench.ip.icmp.stats["icmp_short_quote"] == 1


@given(st.sampled_from([3, 4, 5, 11, 12]), st.integers(0, 255), st.binary(max_size=80))
def test_arbitrary_quote_gives_its_protocol_eight_bytes_or_nothing(
    kind: int, code: int, quote: bytes
) -> None:
    bench = Bench()
    heard = listening(bench)
    for protocol in range(256):
        bench.ip.icmp.on_error[protocol] = bench.ip.icmp.on_error[6]
    bench.receive_ip(IP(src=PEER, dst=OWN) / ICMP(type=kind, code=code) / quote)
    assert all(len(header) >= 8 for _, _, _, header in heard)
    assert bench.take() == [] and bench.memory.allocated == 0  # an error is never answered
