"""The picture of a run says what its table says."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from tests.bench import plot
from tests.bench.figure import Figure

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("figure", "share"),
    [
        (Figure("more", "/s", (200.0,), target=100), 2.0),
        (Figure("less", "/s", (50.0,), target=100), 0.5),
        (Figure("quick", "µs", (50.0,), target=100, at_most=True), 2.0),
        (Figure("slow", "µs", (400.0,), target=100, at_most=True), 0.25),
    ],
)
def test_right_of_the_line_is_always_better(figure: Figure, share: float) -> None:
    assert plot.share(figure) == share
    assert (share >= 1) == figure.met


def test_every_figure_with_a_target_is_a_bar_in_its_colour() -> None:
    figures = [
        Figure("a < b", "/s", (200.0,), target=100),
        Figure("  of the floor", "", (0.5,), target=1),
        Figure("no target", "/s", (1.0,)),
    ]
    drawn = ET.fromstring(plot.draw(figures))  # noqa: S314 - our own text
    assert [bar.get("fill") for bar in drawn.iter(f"{SVG}rect")][1:] == [plot.GOOD, plot.BAD]
    texts = [text.text for text in drawn.iter(f"{SVG}text")]
    assert "a < b" in texts
    assert "a < b: of the floor" in texts
    assert "no target" not in texts
    assert "200 /s" in texts
