"""`make faults`: every row of the matrix in full, and a table of what it showed.

    --hits 200     hits per crash point
    --cases 150    cases in a round (a case has three partners)
    --rows 1,2     only these rows
    --write        write the table into tests/faults/README.md

Exit 1 when anything is wrong anywhere, or when a row was not hit often enough.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from gateway.store.embedded import embedded_postgres
from tests.conftest import home_folder, make_template
from tests.faults.ground import Ground
from tests.faults.matrix import ROWS, Row
from tests.faults.rounds import Result, until_hit

PAGE = Path(__file__).parent / "README.md"
HEAD = "| row | what | hits | kills | messages | L D O E S X | recovery s | took s |"


class Shown(NamedTuple):
    """A row and everything that its rounds showed together."""

    row: Row
    found: Result
    wanted: int

    @property
    def hits(self) -> int:
        """How often what the row is about happened."""
        return self.found.hits[self.row.counted]

    @property
    def good(self) -> bool:
        """Nothing is wrong, and it was hit often enough."""
        return not self.found.wrong and self.hits >= self.wanted

    def line(self) -> str:
        """A line of the table."""
        found, numbers = self.found, " ".join(map(str, self.found.findings.numbers))
        hits = str(self.hits) if self.hits >= self.wanted else f"**{self.hits} of {self.wanted}**"
        return (
            f"| {self.row.number} | {self.row.what} | {hits} | {found.kills} | {found.messages} | {numbers} "
            f"| {found.recovery_s:.1f} | {found.seconds:.0f} |"
        )


def show(row: Row, ground: Ground, wanted: int) -> Shown:
    """Run a row's rounds until it was hit often enough."""
    return Shown(row, until_hit(partial(row.run, ground), [row.counted], wanted), wanted)


def run(hits: int, cases: int, wanted: set[str]) -> Iterator[Shown]:
    """Every row, one after the other, on one PostgreSQL of its own."""
    with home_folder() as home, embedded_postgres(home) as url, home_folder() as folder:
        make_template(url)
        ground = Ground(url, folder, cases, home)
        for row in ROWS:
            if not wanted or row.number in wanted:
                yield show(row, ground, row.wanted or hits)


def main() -> int:
    """Run, print, and write if asked to."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--hits", type=int, default=200)
    parser.add_argument("--cases", type=int, default=150)
    parser.add_argument("--rows", default="")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    rows = set(given.rows.split(",")) - {""}
    if unknown := rows - {row.number for row in ROWS}:
        parser.error(f"no row {', '.join(sorted(unknown))}")
    if given.write and rows:
        parser.error("some rows do not make the table: --write takes all of them")
    began, found = time.monotonic(), []
    print(HEAD, re.sub(r"[^|]+", "---", HEAD), sep="\n", flush=True)
    for shown in run(given.hits, given.cases, rows):
        found.append(shown)
        print(shown.line(), *([shown.found.findings] if shown.found.wrong else []), sep="\n", flush=True)
    load, minutes = os.getloadavg()[2], (time.monotonic() - began) / 60
    print(f"\n{len(found)} rows, {sum(s.hits for s in found)} hits, {minutes:.0f} min, load {load:.1f}")
    if given.write:
        machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, load average {load:.1f}"
        write(found, f"{time.strftime('%Y-%m-%d', time.gmtime())}, {minutes:.0f} min on {machine}.")
    return 0 if all(s.good for s in found) else 1


def write(found: list[Shown], when: str) -> None:
    """Put the table between its marks on the page."""
    table = "\n".join([when, "", HEAD, re.sub(r"[^|]+", "---", HEAD), *(s.line() for s in found)])
    page = PAGE.read_text(encoding="utf-8")
    between = re.compile(r"(<!-- faults -->\n).*?(\n<!-- /faults -->)", re.DOTALL)
    PAGE.write_text(between.sub(lambda m: m[1] + table + m[2], page), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
