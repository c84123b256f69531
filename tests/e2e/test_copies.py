"""The table of copies of `fdwire bench`, measured through the RTL."""

import pytest

from tb import lwip, toolchain
from tb.bench import copies


@pytest.fixture(scope="module")
def ways() -> dict[str, copies.Record]:
    return {record.way: record for record in copies.measure(lambda text: None)}


@pytest.mark.parametrize(
    ("way", "expected"), [("send()", 1.0), ("send(), no scatter-gather", 2.0), ("send(MSG_ZEROCOPY)", 0.0)]
)
def test_copies_for_each_byte_sent_through_the_rtl(
    ways: dict[str, copies.Record], way: str, expected: float
) -> None:
    assert ways[way].copies_per_byte == expected


@pytest.mark.parametrize(
    ("way", "expected"), [("lwIP tcp_write()", 1.0), ("lwIP udp_sendto(), PBUF_ROM", 0.0)]
)
def test_copies_of_lwip_through_the_rtl(ways: dict[str, copies.Record], way: str, expected: float) -> None:
    try:
        lwip.load()
    except toolchain.ToolMissing as missing:
        pytest.skip(str(missing))
    assert ways[way].copies_per_byte == expected


@pytest.mark.parametrize("way", ["send()", "send(), no scatter-gather", "send(MSG_ZEROCOPY)"])
def test_pieces_cost_a_tenth_of_the_bus_at_most_and_no_line_rate(
    ways: dict[str, copies.Record], way: str
) -> None:
    record = ways[way]
    assert 1.0 < record.bus_bytes_per_byte < 1.1
    # 1538 byte times are 192.25 cycles; the rest is the opening of the window.
    assert record.cycles_per_frame is not None and 192 < record.cycles_per_frame < 205
