"""Drawings: what the numbers become."""

import re

from tb.report import charts


def path(drawing: str) -> list[tuple[str, float]]:
    (d,) = re.findall(r'class="curve c0" d="M([^"]*)"', drawing)
    x, _, rest = d.partition(" ")
    found = [("H", float(x)), ("V", float(re.match(r"[0-9.]+", rest)[0]))]  # type: ignore[index]
    return found + [(letter, float(value)) for letter, value in re.findall(r"([HV])([0-9.]+)", rest)]


def test_curve_keeps_each_value_until_the_next_and_ends_at_the_last() -> None:
    drawn = path(charts.curves([("n", [[0, 0], [500, 10], [1000, 5]])]))
    left, right = charts.LEFT, charts.WIDTH - charts.RIGHT
    low, high = charts.HEIGHT - charts.BOTTOM, charts.TOP
    corners = [place for i, place in enumerate(drawn) if drawn[i - 1] != place]
    middle = (left + right) / 2, (low + high) / 2
    assert corners == [("H", left), ("V", low), ("H", middle[0]), ("V", high), ("H", right), ("V", middle[1]),
                       ("H", right)]  # fmt: skip


def test_curve_of_very_many_values_is_short_and_keeps_its_one_peak_and_its_one_dip() -> None:
    points = [[i, 100] for i in range(60_000)]
    points[30_000][1], points[40_000][1] = 200, 0
    drawing = charts.curves([("n", points)])
    assert len(drawing) < 60_000
    heights = [value for letter, value in path(drawing) if letter == "V"]
    assert heights.count(charts.TOP) == heights.count(charts.HEIGHT - charts.BOTTOM) == 1


def test_bars_are_as_tall_as_their_counts_and_say_them() -> None:
    drawn = charts.bars(["a", "b"], [[10, 5], [0, 1000]], "things")
    tall = [float(h) for h in re.findall(r'height="([0-9.]+)"', drawn)]
    full = charts.HEIGHT - charts.TOP - charts.BOTTOM - 16
    assert tall == [round(full * n / 1000, 1) for n in (10, 0, 5, 1000)]
    assert re.findall(r">([0-9,]+)</text>", drawn) == ["10", "0", "5", "1,000"]
