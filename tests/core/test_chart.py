"""Where the marks of a plot lie."""

from __future__ import annotations

import pytest

from busctl.core.reports import chart
from busctl.core.reports.chart import Curve, plot, worth_drawing
from busctl.core.sizes import show_size


def size(value: float) -> str:
    return show_size(round(value))


def drawn(*curves: Curve, level: float | None = None) -> chart.Plot:
    return plot("t", curves, size, chart.milliseconds, level)


def test_equal_ratios_are_equal_distances() -> None:
    found = drawn(Curve("a", [(1_000, 1), (10_000, 10), (100_000, 100)]))
    one, two, three = found.curves[0].dots
    assert two.x - one.x == pytest.approx(three.x - two.x, abs=0.2)
    assert one.y - two.y == pytest.approx(two.y - three.y, abs=0.2)
    assert one.y > two.y > three.y, "more is higher up"
    assert two.told == "a, 10 KB: 10 ms"


@pytest.mark.parametrize(
    "points",
    [[], [(5, 5)], [(0, 0)], [(0, 1), (1e9, 1e-9)], [(1, 0.5), (1, 900)], [(1e3, 7), (1.1e3, 8)]],
)
def test_every_mark_lies_inside_the_axes(points: list[tuple[float, float]]) -> None:
    found = drawn(Curve("a", points), level=1)
    for dot in found.curves[0].dots:
        assert chart.LEFT <= dot.x <= chart.RIGHT and chart.TOP <= dot.y <= chart.BOTTOM
    assert found.level is not None and chart.TOP < found.level < chart.BOTTOM
    assert all(chart.LEFT <= tick.at <= chart.RIGHT for tick in found.across)
    assert all(chart.TOP <= tick.at <= chart.BOTTOM for tick in found.up)


@pytest.mark.parametrize(("low", "high"), [(1, 1), (1, 3), (1, 50), (1, 1e9), (1e-4, 1e12)])
def test_an_axis_has_some_marks_and_not_too_many(low: float, high: float) -> None:
    ticks = drawn(Curve("a", [(low, low), (high, high)])).up
    assert 1 <= len(ticks) <= chart.MOST_TICKS + 1
    assert len({tick.label for tick in ticks}) == len(ticks)


def test_a_name_without_points_keeps_its_place() -> None:
    found = drawn(Curve("a", []), Curve("b", [(1, 1)]))
    assert [one.name for one in found.curves] == ["a", "b"]


def test_plots_of_one_size_give_way_to_others() -> None:
    single, several = drawn(Curve("a", [(1, 2), (1, 3)])), drawn(Curve("a", [(1, 2), (9, 3)]))
    assert worth_drawing([single, several]) == [several]
    assert worth_drawing([single]) == [single]
