"""The NIC keeps up with the wire and adds little delay: simulated cycles, so the same on every machine."""

import pytest

from tb.bench import nic


@pytest.mark.parametrize("features", nic.FEATURE_SETS)
@pytest.mark.parametrize("size", [64, 65, 1518])
@pytest.mark.parametrize("direction", nic.WAYS)
def test_nic_with_memory_a_microsecond_away_keeps_line_rate(direction: str, size: int, features: str) -> None:
    record = nic.record(direction, size, 1000, features)
    assert record.line_rate_ratio >= 0.995, f"{record.cycles_per_frame} cycles a frame"
    assert record.line_rate_ratio <= 1.002, "faster than the wire: the measurement is wrong"
    assert record.lost == 0
