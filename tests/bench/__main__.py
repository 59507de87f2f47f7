"""`make bench`: every figure of one run, each bench in a fresh process, one after the other.

    python -m tests.bench [--only NAME …] [--write] [--json FILE] [--year SHARE]

`--write` puts the table and the picture (`plot.svg`) into `tests/bench/README.md`, and the table of a year to its own
place there. A bench that takes longer than its share is stopped and named. Exit: 0 when every target is met, 1 when
one is not or a bench gave no figure. Nothing leaves 127.0.0.1.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import orjson

from gateway.telemetry.logs import log_from
from tests.bench import bench_million, bench_year, plot
from tests.bench.figure import Figure
from tests.bench.machine import machine
from tests.bench.table import render, write, write_json

HERE = Path(__file__).parent
PICTURE = "![Every figure with a target, as a bar against the line of its target](plot.svg)"
LONGEST_S = {
    "floors": 35,
    "mapping": 25,
    "peers": 75,
    "document": 35,
    "fhir": 45,
    "record": 15,
    "intake": 160,
    "refer": 35,
    "loop": 240,
    "engine": 250,
    "inbound": 90,
    "memory": 70,
    "log": 90,
    "slowdown": 120,
}
"""The benches in order, and the seconds each may take at most."""


def main(arguments: list[str]) -> int:
    """Run the benches (or, as a child, one of them) and show what came of it."""
    given = _parse(arguments)
    if given.child:
        return _child(given.child)
    on, began = machine(), time.monotonic()
    if given.year:
        return _year(given.year, on, began, keep=given.write)
    figures: list[Figure] = []
    silent: list[str] = []
    for name in given.only or LONGEST_S:
        print(f"{name} …", file=sys.stderr, flush=True)
        found = _measure(name)
        figures += found
        silent += [] if found else [name]
    seconds = time.monotonic() - began
    text = render(figures, on, seconds)
    print(text)
    if given.write and not silent and not given.only:
        write(HERE / "README.md", "bench", f"{PICTURE}\n\n{text}")
        plot.write(HERE / "plot.svg", figures)
    if given.json:
        write_json(given.json, figures, on, seconds)
    for name in silent:
        print(f"no figure from {name}", file=sys.stderr)
    return 1 if silent or any(f.met is False for f in figures) else 0


def _year(share: float, on: Mapping[str, str], began: float, *, keep: bool) -> int:
    """A year and a million exchanges, or a part of them, by themselves: it takes as long as it takes."""
    log_from(logging.WARNING)
    figures = list(bench_year.run(share))
    print(render(figures, on, time.monotonic() - began), flush=True)
    figures += bench_million.run(share)
    text = render(figures, on, time.monotonic() - began)
    print(text)
    if keep:
        write(HERE / "README.md", "year", text)
    return 1 if any(f.met is False for f in figures) else 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(LONGEST_S), metavar="NAME", help=", ".join(LONGEST_S))
    parser.add_argument(
        "--write", action="store_true", help="put the table of a whole run, or of a year, into tests/bench/README.md"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the run as JSON")
    parser.add_argument(
        "--year",
        type=float,
        metavar="SHARE",
        help="a national year and a million exchanges instead; 0.02 is a fiftieth of them",
    )
    parser.add_argument("--child", choices=list(LONGEST_S), help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _measure(name: str) -> list[Figure]:
    """Run one bench in a process of its own; no figures when it fails or takes too long."""
    command = [sys.executable, "-m", "tests.bench", "--child", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=HERE.parents[1]) as process:
        try:
            out, _ = process.communicate(timeout=LONGEST_S[name])
        except subprocess.TimeoutExpired:
            process.send_signal(2)  # as Ctrl-C: it stops its own children
            out, _ = process.communicate()
    lines = out.splitlines()
    return [Figure.read(f) for f in orjson.loads(lines[-1])] if process.returncode == 0 and lines else []


def _child(name: str) -> int:
    """Measure here, and say it in the last line of the output."""
    log_from(logging.WARNING)  # as the command line does
    figures = importlib.import_module(f"tests.bench.bench_{name}").run()
    sys.stdout.buffer.write(b"\n" + orjson.dumps([f.as_dict() for f in figures]) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
