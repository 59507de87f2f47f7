"""The table of a run: the same Markdown on the screen and in the README, and JSON for machines.

Rules: the README is changed only between its two markers. Refuses a file without them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from tests.bench.figure import Figure

HEAD = ("what", "median", "spread", "target", "met", "floor in the same run", "of floor")
_RIGHT = {1, 2, 3, 6}


def render(figures: Sequence[Figure], machine: Mapping[str, str], seconds: float) -> str:
    """The machine as a list, then the table."""
    lines = [f"- {name}: {value}" for name, value in machine.items()]
    lines.append(f"- the whole run: {seconds:.0f} s")
    return "\n".join([*lines, "", *_aligned([HEAD, *(row(f) for f in figures)])]) + "\n"


def row(figure: Figure) -> tuple[str, ...]:
    """One figure as the cells of the table."""
    low, high = figure.spread
    sign = "≤" if figure.at_most else "≥"
    return (
        figure.name,
        f"{number(figure.median)} {figure.unit}".strip(),
        f"{number(low)} … {number(high)}",
        f"{sign} {number(figure.target)}" if figure.target is not None else "",
        {True: "yes", False: "**no**", None: ""}[figure.met],
        f"{figure.floor.name}: {number(figure.floor.median)}" if figure.floor else "",
        number(figure.ratio) if figure.ratio is not None else "",
    )


def number(value: float) -> str:
    """Three significant digits, whole from a hundred on, thousands set apart."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{float(f'{value:.3g}'):g}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = ["-" * (w - 1) + ":" if i in _RIGHT else "-" * w for i, w in enumerate(widths)]
    for cells in (rows[0], rule, *rows[1:]):
        yield (
            "| "
            + " | ".join(_cell(c, w, i in _RIGHT) for i, (c, w) in enumerate(zip(cells, widths, strict=True)))
            + " |"
        )


def _cell(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)


def write(path: Path, name: str, text: str) -> None:
    """Put `text` between the two marks of this name. Raises ValueError when they are not there, once each, in order."""
    first, last = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    whole = path.read_text(encoding="utf-8")
    before, begin, rest = whole.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end or first in after or last in before + after:
        raise ValueError(f"{path.name} has no place for the table")
    path.write_text(f"{before}{first}\n\n{text.strip()}\n\n{last}{after}", encoding="utf-8")


def write_json(path: Path, figures: Iterable[Figure], machine: Mapping[str, str], seconds: float) -> None:
    """The run as JSON: machine, seconds, figures with all their rounds."""
    run: dict[str, Any] = {
        "machine": dict(machine),
        "seconds": round(seconds, 1),
        "figures": [f.as_dict() for f in figures],
    }
    path.write_bytes(orjson.dumps(run, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
