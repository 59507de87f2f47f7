"""The picture of a run: every figure with a target as a bar, on a logarithmic scale, against the line of its target.

Rules: right of the line is met, left of it is not; a figure that should be small is turned round, so that right is
always better. Text and numbers are those of the table. SVG by hand: no library, no script, no font of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from tests.bench.figure import Figure
from tests.bench.table import number

WIDTH, ROW, LEFT, RIGHT, TOP = 920, 24, 400, 130, 46
LEAST, MOST = 0.1, 100.0
GOOD, BAD, INK, GRID = "#2b7a4b", "#b3402e", "#222", "#bbb"


def draw(figures: Sequence[Figure]) -> str:
    """The picture as SVG text."""
    shown = [(name, figure) for name, figure in _named(figures) if figure.target is not None]
    height = TOP + ROW * len(shown) + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12" fill="{INK}" role="img" aria-label="Figures against their targets">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        *(_tick(value, height) for value in (0.1, 1.0, 10.0, 100.0)),
    ]
    parts += [_row(name, figure, TOP + ROW * at) for at, (name, figure) in enumerate(shown)]
    return "\n".join([*parts, "</svg>"]) + "\n"


def write(path: Path, figures: Sequence[Figure]) -> None:
    """Put the picture into a file."""
    path.write_text(draw(figures), encoding="utf-8")


def share(figure: Figure) -> float:
    """How much of its target a figure reaches; 1 is just met."""
    target = figure.target or 1.0
    return target / figure.median if figure.at_most else figure.median / target


def _named(figures: Sequence[Figure]) -> list[tuple[str, Figure]]:
    """A figure that continues the one before it carries that one's name as well."""
    found: list[tuple[str, Figure]] = []
    head = ""
    for figure in figures:
        head = head if figure.name.startswith(" ") else figure.name
        found.append((f"{head}: {figure.name.strip()}" if figure.name.startswith(" ") else head, figure))
    return found


def _x(value: float) -> float:
    inside = min(max(value, LEAST), MOST)
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log(inside / LEAST) / math.log(MOST / LEAST)


def _tick(value: float, height: int) -> str:
    x, bold = _x(value), value == 1.0
    text = "target" if bold else f"× {value:g}"
    return (
        f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{TOP - 10}" y2="{height - 8}" stroke="{INK if bold else GRID}"/>'
        f'<text x="{x:.0f}" y="{TOP - 18}" text-anchor="middle">{text}</text>'
    )


def _row(name: str, figure: Figure, y: int) -> str:
    reached, zero = _x(share(figure)), _x(1.0)
    start, length = min(reached, zero), max(1.0, abs(reached - zero))
    said = f"{number(figure.median)} {figure.unit}".strip()
    colour = GOOD if figure.met else BAD
    short = name if len(name) <= 62 else name[:61] + "…"
    return (
        f'<text x="{LEFT - 10}" y="{y + 15}" text-anchor="end">{escape(short)}</text>'
        f'<rect x="{start:.0f}" y="{y + 4}" width="{length:.0f}" height="{ROW - 9}" fill="{colour}"/>'
        f'<text x="{WIDTH - RIGHT + 12}" y="{y + 15}">{escape(said)}</text>'
    )
