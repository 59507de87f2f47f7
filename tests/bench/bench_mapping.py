"""Maps as closures: documents a second on one core, against a bare dictionary literal that makes the same document.

A plain map of 77 source values and 12 entries (`bench_gwmap`), and the real `case-to-fhir` over its fullest fixture.
Target for both: 8,000 Bundles a second, and an eighth of the literal.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from gateway.documents.gwmap import Catalogue
from tests.bench import bench_gwmap
from tests.bench.bare import literal
from tests.bench.figure import Figure, Floor, per_second

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "mappings" / "case-to-fhir" / "1.0.0" / "fixtures" / "case-full.json"
NOW = "2026-11-23T01:02:03Z"
LEAST_PER_S = 8_000
LEAST_RATIO = 1 / 8


def run() -> tuple[Figure, ...]:
    """Two maps, two figures each: Bundles a second, and the ratio to the literal."""
    return (*_plain(), *_real())


def _real() -> Iterator[Figure]:
    compiled = Catalogue.load(ROOT / "mappings", ROOT / "schemas").get("case-to-fhir|1.0.0")
    case: dict[str, Any] = orjson.loads(FIXTURE.read_bytes())
    params = {"now": NOW}
    document = compiled.apply(case, params).document
    bare = literal(document, case)
    kilobytes = len(orjson.dumps(document)) / 1000
    name = f"map case-to-fhir, {len(document['entry'])} entries, {kilobytes:.0f} kB"
    yield from _two(name, lambda: compiled.apply(case, params), lambda: bare(case))


def _plain() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        compiled = bench_gwmap.build(Path(folder))
        space: dict[str, Any] = {}
        exec(bench_gwmap.literal_source(), space)  # noqa: S102 - text made from our own data
        tables = (bench_gwmap.SEX, bench_gwmap.KINDS)
        source, params, bare = bench_gwmap.SOURCE, bench_gwmap.PARAMS, space["literal"]
        if compiled.apply(source, params).document != bare(source, params, *tables):
            raise AssertionError("map and literal disagree")
        name = f"map of {len(source)} values, 12 entries"
        yield from _two(name, lambda: compiled.apply(source, params), lambda: bare(source, params, *tables))


def _two(name: str, mapped: Callable[[], object], bare: Callable[[], object]) -> Iterator[Figure]:
    maps, literals = per_second([mapped, bare])
    shares = tuple(m / b for m, b in zip(maps, literals, strict=True))
    floor = Floor("bare literal", Figure("", "", literals).median)
    yield Figure(name, "Bundles/s", maps, LEAST_PER_S, floor=floor)
    yield Figure("  share of the bare literal", "", shares, target=LEAST_RATIO)
