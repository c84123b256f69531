"""Drawings: what the numbers become."""

import re

import pytest

from tb.report import charts


def path(drawing: str) -> list[tuple[str, float]]:
    (d,) = re.findall(r'class="curve c0" d="M([^"]*)"', drawing)
    x, _, rest = d.partition(" ")
    found = [("H", float(x)), ("V", float(re.match(r"[0-9.]+", rest)[0]))]  # type: ignore[index]
    return found + [(letter, float(value)) for letter, value in re.findall(r"([HV])([0-9.]+)", rest)]


def test_curve_keeps_each_value_until_the_next_and_ends_at_the_last() -> None:
    drawn = path(charts.curves([("n", [[0, 0], [500, 8], [1000, 4]])]))
    corners = [place for i, place in enumerate(drawn) if drawn[i - 1] != place]
    assert corners == [("H", 0), ("V", charts.HEIGHT), ("H", charts.WIDTH / 2), ("V", 0), ("H", charts.WIDTH),
                       ("V", charts.HEIGHT / 2), ("H", charts.WIDTH)]  # fmt: skip


def test_curve_of_very_many_values_is_short_and_keeps_its_one_peak_and_its_one_dip() -> None:
    points = [[i, 100] for i in range(60_000)]
    points[30_000][1], points[40_000][1] = 200, 0
    drawing = charts.curves([("n", points)])
    assert len(drawing) < 60_000
    heights = [value for letter, value in path(drawing) if letter == "V"]
    assert heights.count(0) == heights.count(charts.HEIGHT) == 1


@pytest.mark.parametrize(
    ("high", "marks"),
    [
        (0, ["4", "3", "2", "1", "0"]),
        (256, ["256", "192", "128", "64", "0"]),
        (207_064, ["208,000", "156,000", "104,000", "52,000", "0"]),
        (1_048_783, ["1,080,000", "810,000", "540,000", "270,000", "0"]),
    ],
)
def test_marks_are_round_and_reach_what_is_drawn(high: int, marks: list[str]) -> None:
    drawn = charts.curves([("cwnd (bytes)", [[0, high]]), ("in flight (bytes)", [[10 * 10**6, 0]])])
    ups, times = re.findall(r'<div class="(?:ups|times)">(.*?)</div>', drawn)
    assert re.findall(r"<span>(.*?)</span>", ups) == marks
    assert re.findall(r"<span>(.*?)</span>", times) == ["0.0", "2.5", "5.0", "7.5", "10.0"]
    assert "simulated time in µs · up: bytes<" in drawn


def test_bars_are_as_tall_as_their_counts_and_say_them() -> None:
    drawn = charts.bars(["a–b", "c"], [[10, 5], [0, 1000]], "things")
    assert re.findall(r"height:([0-9.]+)%", drawn) == ["1.0", "0.0", "0.5", "100.0"]
    assert re.findall(r"<b>([0-9,]+)</b>", drawn) == ["10", "0", "5", "1,000"]
    assert re.findall(r"<span>(.*?)</span>", drawn) == ["a–<wbr>b", "c"]
