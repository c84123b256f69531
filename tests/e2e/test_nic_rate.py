"""The NIC keeps up with the wire and adds little delay: simulated cycles, so the same on every machine."""

import pytest

from tb.bench import latency, nic


@pytest.mark.parametrize("features", nic.FEATURE_SETS)
@pytest.mark.parametrize("size", [64, 65, 1518, 9018])
@pytest.mark.parametrize("direction", nic.WAYS)
def test_nic_with_memory_a_microsecond_away_keeps_line_rate(direction: str, size: int, features: str) -> None:
    record = nic.record(direction, size, 1000, features)
    assert record.line_rate_ratio >= 0.995, f"{record.cycles_per_frame} cycles a frame"
    assert record.line_rate_ratio <= 1.002, "faster than the wire: the measurement is wrong"
    assert record.lost == 0


@pytest.mark.parametrize("features", nic.FEATURE_SETS)
@pytest.mark.parametrize("memory_ns", latency.LATENCIES)
@pytest.mark.parametrize("size", latency.SIZES)
def test_received_frame_interrupts_within_24_cycles_beside_three_round_trips_to_memory(
    size: int, memory_ns: int, features: str
) -> None:
    """From the last word on XGMII: the rest of the frame to memory, used entry, event suppression, irq."""
    record = latency.record("wire to irq", size, memory_ns, features, nic.FEATURE_SETS[features])
    assert record.memory_hops == ("data B", "used B", "event R")
    assert record.own_cycles <= 24, f"{record.own_cycles} cycles: {record.hops}"


@pytest.mark.parametrize("path", ["doorbell to wire", "doorbell to wire, indirect"])
@pytest.mark.parametrize("memory_ns", latency.LATENCIES)
@pytest.mark.parametrize("size", latency.SIZES)
def test_transmitted_frame_begins_on_the_wire_within_24_cycles_beside_its_round_trips_to_memory(
    size: int, memory_ns: int, path: str
) -> None:
    """From the doorbell to the first word on XGMII: descriptors, a table of them if it is indirect, data."""
    record = latency.record(path, size, memory_ns, "on", nic.FEATURE_SETS["on"])
    table = ("table R",) if path.endswith("indirect") else ()
    assert record.memory_hops == ("descriptor R", *table, "data R")
    assert record.own_cycles <= 24, f"{record.own_cycles} cycles: {record.hops}"
