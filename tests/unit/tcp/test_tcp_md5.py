"""MD5 signatures (RFC 2385), by scapy's digest."""

from scapy.layers.inet import IP, TCP, calc_tcp_md5_hash
from tcp_bench import HERE, LPORT, RPORT, THERE, Bench

from pymodel.tcp import State
from pymodel.tcp.md5sig import digest
from pymodel.wire.tcp import parse

KEY = b"secret"


def signed(segment: IP, key: bytes = KEY) -> bytes:
    """The TCP part of `segment`, whose first option has room for the digest, signed."""
    made = calc_tcp_md5_hash(IP(bytes(segment))[TCP], key)
    segment[TCP].options = [
        (19, made) if name == 19 else (name, value) for name, value in segment[TCP].options
    ]
    return bytes(segment)[20:]


def syn_ack(bench: Bench, **changes: object) -> IP:
    fields = {"seq": 500, "ack": (bench.conn.iss + 1) % 2**32, "flags": "SA", "window": 60_000, **changes}
    options = [("NOP", None), ("NOP", None), (19, bytes(16)), ("MSS", 1000)]
    return IP(src="10.0.0.2", dst="10.0.0.1") / TCP(sport=RPORT, dport=LPORT, options=options, **fields)


def test_digest_is_scapys_with_and_without_payload() -> None:
    for payload in (b"", b"hello"):
        segment = IP(src="10.0.0.2", dst="10.0.0.1") / TCP(sport=1, dport=2, seq=3, flags="PA") / payload
        built = IP(bytes(segment))
        raw = bytes(built[TCP])
        made = digest(THERE, HERE, raw[:20], len(raw), payload, KEY)
        assert made == calc_tcp_md5_hash(built[TCP], KEY)


def test_signed_syn_ack_is_taken_and_the_ack_is_signed() -> None:
    bench = Bench()
    bench.conn = bench.tcp.connect((HERE, LPORT), (THERE, RPORT), md5_keys={THERE: KEY})
    header = parse(signed(syn_ack(bench)))
    assert header.md5 is not None
    bench.raw(signed(syn_ack(bench)))
    assert bench.conn.state is State.ESTABLISHED
    assert bench.out[-1].option("MD5") is not None and bench.conn.snd_mss == 1000 - 20


def test_wrong_missing_and_unexpected_digests_are_dropped_and_counted() -> None:
    bench = Bench()
    bench.conn = bench.tcp.connect((HERE, LPORT), (THERE, RPORT), md5_keys={THERE: KEY})
    sent = len(bench.out)
    bench.raw(signed(syn_ack(bench), b"other"))
    bench.raw(plain(bench))
    assert bench.conn.state is State.SYN_SENT and len(bench.out) == sent
    assert bench.tcp.stats["md5_wrong"] == 1 and bench.tcp.stats["md5_missing"] == 1
    bench.conn.set_option("md5_keys", {})
    bench.raw(signed(syn_ack(bench)))
    assert bench.tcp.stats["md5_unexpected"] == 1 and bench.conn.state is State.SYN_SENT


def plain(bench: Bench) -> bytes:
    segment = syn_ack(bench)
    segment[TCP].options = [("MSS", 1000)]
    return bytes(segment)[20:]
