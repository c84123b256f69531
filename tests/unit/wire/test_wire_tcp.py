"""The TCP header codec against scapy, byte by byte."""

import os
import random
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP

from pymodel.wire import tcp
from pymodel.wire.errors import WireError

SEED = int(os.environ.get("FDWIRE_SEED", "1"))


def scapy_bytes(**kw: Any) -> bytes:
    return bytes(IP(src="1.2.3.4", dst="5.6.7.8") / TCP(**kw))[20:]


ALL = [
    ("MSS", 1460),
    ("SAckOK", b""),
    ("Timestamp", (0xDEADBEEF, 0x12345678)),
    ("NOP", None),
    ("WScale", 7),
]


def test_parse_of_a_syn_with_all_options_reads_what_scapy_wrote() -> None:
    raw = scapy_bytes(
        sport=1, dport=65535, seq=0xFFFFFFFE, ack=7, flags="S", window=64240, urgptr=9, options=ALL
    )
    header = tcp.parse(raw)
    assert (header.sport, header.dport, header.seq, header.ack) == (1, 65535, 0xFFFFFFFE, 7)
    assert (header.flags, header.window, header.urgent, header.header_len) == (tcp.SYN, 64240, 9, 40)
    assert (header.mss, header.sack_permitted, header.wscale) == (1460, True, 7)
    assert (header.ts_val, header.ts_ecr) == (0xDEADBEEF, 0x12345678)
    assert header.sack == () and header.unknown == () and not header.malformed


def test_parse_stops_at_the_header_and_leaves_the_payload() -> None:
    raw = scapy_bytes(options=[("MSS", 536)]) + b"\x02\x04\xff\xff"
    header = tcp.parse(raw)
    assert header.header_len == 24 and header.mss == 536


@pytest.mark.parametrize("name", ["F", "S", "R", "P", "A", "U", "E", "C"])
def test_parse_and_scapy_agree_on_each_flag(name: str) -> None:
    header = tcp.parse(scapy_bytes(flags=name))
    assert header.flags == 1 << "FSRPAUEC".index(name)


def test_parse_of_common_timestamps_takes_the_same_values_as_the_general_way() -> None:
    common = tcp.parse(scapy_bytes(options=[("NOP", None), ("NOP", None), ("Timestamp", (5, 6))]))
    other = tcp.parse(scapy_bytes(options=[("Timestamp", (5, 6)), ("NOP", None), ("NOP", None)]))
    assert (common.ts_val, common.ts_ecr) == (other.ts_val, other.ts_ecr) == (5, 6)


def test_parse_reads_sack_blocks_in_order() -> None:
    header = tcp.parse(scapy_bytes(options=[("NOP", None), ("NOP", None), ("SAck", (1, 2, 3, 4, 5, 6))]))
    assert header.sack == ((1, 2), (3, 4), (5, 6))


def test_parse_keeps_unknown_options() -> None:
    header = tcp.parse(scapy_bytes(options=[(254, b"ab"), ("MSS", 99), (253, b"")]))
    assert header.unknown == ((254, b"ab"), (253, b"")) and header.mss == 99


def test_parse_ignores_what_follows_the_end_of_options() -> None:
    header = tcp.parse(scapy_bytes(options=[("EOL", None), ("EOL", None)]) + b"")
    assert header.mss is None and not header.malformed
    raw = bytearray(scapy_bytes(options=[("MSS", 1460)]))
    raw[20] = 0
    assert tcp.parse(raw).mss is None and not tcp.parse(raw).malformed


@pytest.mark.parametrize(
    ("options", "mss"),
    [
        ("020405b4" + "0800" + "0000", 1460),  # length 0
        ("020405b4" + "0801" + "0000", 1460),  # length 1
        ("020405b4" + "080a" + "0000", 1460),  # beyond the header
        ("020405b4" + "01010108", 1460),  # no room for a length
        ("02030500" + "020405b4", 1460),  # wrong MSS length; 05 00 then is a broken SACK
        ("030405b4" + "020405b4", 1460),  # wrong window scale length, then a good MSS
        ("0506000000000000"[:12] + "0101" + "020405b4" + "00000000", 1460),  # SACK without a whole block
    ],
)
def test_parse_survives_malformed_options_and_keeps_the_good_ones(options: str, mss: int | None) -> None:
    blob = bytes.fromhex(options)
    blob += bytes(-len(blob) % 4)
    raw = scapy_bytes()[:12] + bytes([(20 + len(blob)) << 2]) + scapy_bytes()[13:20] + blob
    header = tcp.parse(raw)
    assert header.malformed
    assert header.mss == (None if options.startswith("0203") else mss)


@pytest.mark.parametrize("length", range(20))
def test_parse_of_a_truncated_header_raises(length: int) -> None:
    with pytest.raises(WireError) as caught:
        tcp.parse(scapy_bytes()[:length])
    assert caught.value.reason == "tcp_truncated"


@pytest.mark.parametrize("words", [0, 1, 4, 6, 15])
def test_parse_of_an_offset_outside_the_segment_raises(words: int) -> None:
    raw = bytearray(scapy_bytes())
    raw[12] = words << 4
    with pytest.raises(WireError) as caught:
        tcp.parse(raw)
    assert caught.value.reason == "tcp_bad_offset"


@given(st.binary(max_size=80))
def test_parse_of_any_bytes_gives_a_header_or_a_wire_error(data: bytes) -> None:
    try:
        header = tcp.parse(data)
    except WireError:
        return
    assert 20 <= header.header_len <= min(60, len(data))


# --- emit ---------------------------------------------------------------------------------------------------


def test_emit_of_every_option_is_what_scapy_reads() -> None:
    header = tcp.TcpHeader(80, 40000, 0xFFFFFFFF, 1, tcp.SYN | tcp.ACK, 64240)
    header.mss, header.wscale, header.sack_permitted = 1460, 7, True
    header.ts_val, header.ts_ecr = 11, 22
    parsed = TCP(tcp.emit(header, tcp.options_bytes(header)))
    assert (parsed.sport, parsed.dport, parsed.seq, parsed.ack) == (80, 40000, 0xFFFFFFFF, 1)
    assert (
        str(parsed.flags) == "SA" and parsed.window == 64240 and parsed.dataofs == 10 and parsed.chksum == 0
    )
    assert parsed.options == [
        ("MSS", 1460),
        ("SAckOK", b""),
        ("Timestamp", (11, 22)),
        ("NOP", None),
        ("WScale", 7),
    ]


def test_emit_pads_options_to_words_with_nops_in_front() -> None:
    header = tcp.TcpHeader()
    header.sack_permitted = True
    assert tcp.options_bytes(header) == b"\x01\x01\x04\x02"
    header.sack = ((1, 2),)
    parsed = TCP(tcp.emit(header, tcp.options_bytes(header)))
    assert parsed.options[-1] == ("SAck", (1, 2)) and parsed.dataofs * 4 == 20 + 4 + 12


def test_emit_of_more_than_40_option_bytes_is_refused() -> None:
    header = tcp.TcpHeader()
    header.ts_val = 1
    header.sack = ((1, 2),) * 4
    with pytest.raises(ValueError, match="40 is the limit"):
        tcp.options_bytes(header)


def test_emit_and_parse_are_inverse_for_random_headers() -> None:
    print(f"FDWIRE_SEED={SEED}")
    rng = random.Random(SEED)
    for _ in range(500):
        header = tcp.TcpHeader(*(rng.getrandbits(bits) for bits in (16, 16, 32, 32, 8, 16)))
        header.urgent, header.reserved = rng.getrandbits(16), rng.getrandbits(4)
        header.mss = rng.choice([None, rng.getrandbits(16)])
        header.wscale = rng.choice([None, rng.getrandbits(8)])
        header.sack_permitted = rng.random() < 0.5
        header.ts_val = rng.choice([None, rng.getrandbits(32)])
        header.ts_ecr = rng.getrandbits(32) if header.ts_val is not None else 0
        room = 40 - len(tcp.options_bytes(header))
        blocks = rng.randrange(0, max((room - 4) // 8, 0) + 1)
        header.sack = tuple((rng.getrandbits(32), rng.getrandbits(32)) for _ in range(blocks))
        again = tcp.parse(tcp.emit(header, tcp.options_bytes(header)))
        for name in tcp.TcpHeader.__slots__:
            if name != "header_len":
                assert getattr(again, name) == getattr(header, name), name


def test_hot_path_emitters_write_the_same_bytes_as_the_general_one() -> None:
    header = tcp.TcpHeader(1, 2, 3, 4, tcp.ACK | tcp.PSH, 5)
    plain = bytearray(20)
    tcp.emit_plain_into(memoryview(plain), 1, 2, 3, 4, tcp.ACK | tcp.PSH, 5)
    assert bytes(plain) == tcp.emit(header, b"")
    header.ts_val, header.ts_ecr = 6, 7
    stamped = bytearray(b"\xff" * 32)
    tcp.emit_timestamps_into(memoryview(stamped), 1, 2, 3, 4, tcp.ACK | tcp.PSH, 5, 6, 7)
    assert bytes(stamped) == tcp.emit(header, tcp.options_bytes(header))


def test_repr_of_a_header_names_flags_and_numbers() -> None:
    header = tcp.parse(scapy_bytes(sport=1, dport=2, flags="SA", options=[("MSS", 5)]))
    assert "SYN|ACK" in repr(header) and "mss=5" in repr(header)
    assert struct.calcsize("!HHIIBBHHH") == tcp.HEADER_LEN


COUNTERS = (0xA1B2C3, 0x000001, 0xFFFFFF)


@pytest.mark.parametrize("fields", [0, 1, 2, 3])
@pytest.mark.parametrize("sack_permitted", [False, True])
@pytest.mark.parametrize("wscale", [None, 7])
@pytest.mark.parametrize("blocks", [0, 1])
@pytest.mark.parametrize("stamps", [False, True])
def test_accecn_option_takes_the_place_of_nops_and_is_read_by_scapy(
    fields: int, sack_permitted: bool, wscale: int | None, blocks: int, stamps: bool
) -> None:
    header = tcp.TcpHeader(1, 2, 3, 4, tcp.ACK, 5)
    header.sack_permitted, header.wscale = sack_permitted, wscale
    header.sack = ((10, 20), (30, 40))[:blocks]
    header.ts_val = 9 if stamps else None
    bare = len(tcp.options_bytes(header))
    header.accecn = tcp.OPT_ACCECN_1, COUNTERS[:fields]
    options = tcp.options_bytes(header)
    size = 2 + 3 * fields
    pairs = int(sack_permitted and not stamps) + bool(blocks)
    spare = 2 if pairs else int(wscale is not None)
    assert len(options) - bare == (size & ~3 if size & 3 <= spare else size + 3 & ~3)
    raw = tcp.emit(header, options)
    seen = [(name, value) for name, value in TCP(raw).options if name not in ("NOP", "EOL")]
    body = b"".join(n.to_bytes(3, "big") for n in COUNTERS[:fields])
    assert (174, body) in [(name, value or b"") for name, value in seen]
    assert len(seen) == 1 + sack_permitted + (wscale is not None) + bool(blocks) + stamps
    again = tcp.parse(raw)
    assert (again.accecn, again.sack, again.wscale) == (header.accecn, header.sack, wscale)
    assert (again.sack_permitted, again.ts_val) == (sack_permitted, header.ts_val)


@pytest.mark.parametrize(("length", "counters"), [(2, 0), (4, 0), (5, 1), (10, 2), (11, 3), (14, 3)])
def test_accecn_option_of_any_length_has_as_many_counters_as_are_whole(length: int, counters: int) -> None:
    option = bytes((172, length)) + bytes(range(1, length - 1))
    padded = option + b"\x01" * (-len(option) % 4)
    header = tcp.parse(tcp.emit(tcp.TcpHeader(), padded))
    assert not header.malformed and header.accecn is not None
    assert header.accecn == (172, (0x010203, 0x040506, 0x070809)[:counters])
