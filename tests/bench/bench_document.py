"""One document from record to digest, without database and network: check, map (with its bytes), check again, digest.

First the document of 77 values and 12 entries (`bench_gwmap`), between two closed schemas; then the real ones: the
message to each partner in its own form, and our own FHIR record, which both passes of the FHIR rules judge. Their
source is the map's fullest fixture, as the `refer` verb holds it: already read, and narrowed for a partner. Floor: the
bytes and the digest of the same document. Target: 300 µs for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from typing import Any

import orjson

from gateway.documents.gwmap import CompiledMap, Mapped
from gateway.documents.schemas import Schemas
from gateway.documents.strict_json import dumps
from gateway.journey.admit import CASE_SCHEMA
from gateway.journey.world import Knowledge
from tests.bench import bench_gwmap, stage
from tests.bench.bench_mapping import FIXTURE, NOW, ROOT
from tests.bench.figure import Figure, Floor, micros, per_second

MOST_US = 300
FOLDER = ROOT / "mappings" / "partners"
NARROWED = "fixtures/narrowed.json"
PARAMS = {
    "now": NOW,
    "base": "https://gw.example/fhir",
    "mid": "0190e4a5-7b5c-7d3e-9f10-a1b2c3d4e5f6",
    "sender": "comwel",
}


def run() -> tuple[Figure, ...]:
    """µs a document: the plain one, the message to each partner, and our own record."""
    with stage.home() as home:
        known = stage.knowledge(home)
        compiled, schemas = bench_gwmap.build(home), Schemas.load(home / "schemas")
    return (_plain(compiled, schemas), *_figures(known))


def _plain(compiled: CompiledMap, schemas: Schemas) -> Figure:
    source, params = bench_gwmap.SOURCE, bench_gwmap.PARAMS
    check_in, check_out = (partial(schemas.require, f"urn:bench:{name}:1") for name in ("source", "target"))
    name = f"document of {len(source)} values"
    return _figure(name, partial(check_in, source), lambda: compiled.apply(source, params), check_out)


def _figures(known: Knowledge) -> Iterator[Figure]:
    case: dict[str, Any] = orjson.loads(FIXTURE.read_bytes())
    check_in = partial(known.schemas.require, CASE_SCHEMA, case)
    for profile in known.profiles.values():
        schema, pin = profile.schemas.get("referral"), profile.mappings["referral"]
        check = known.fhir.require if schema is None else partial(known.schemas.require, schema)
        folder = FOLDER / profile.iss / "referral-out" / pin[-5:]
        make = _map(known, pin, orjson.loads((folder / NARROWED).read_bytes()), receiver=profile.iss)
        yield _figure(f"referral to {profile.id}", check_in, make, check)
    make = _map(known, "case-to-fhir|1.0.0", case)
    yield _figure("our own FHIR record", check_in, make, known.fhir.require)


def _map(known: Knowledge, pin: str, source: dict[str, Any], **more: str) -> Callable[[], Mapped]:
    """`source` is what the map may see of the case."""
    compiled = known.catalogue.get(pin)
    params = {name: value for name, value in {**PARAMS, **more}.items() if name in compiled.header.params}
    return lambda: compiled.apply(source, params)


def _figure(
    name: str,
    check_in: Callable[[], None],
    make: Callable[[], Mapped],
    check_out: Callable[[Any], None],
) -> Figure:
    def whole() -> bytes:
        check_in()
        mapped = make()
        check_out(mapped.document)
        return sha256(mapped.body).digest()

    made = make().document
    size = f"{len(made['entry'])} entries, " if made.get("resourceType") == "Bundle" else ""
    ours, bare = per_second([whole, lambda: sha256(dumps(made)).digest()], rounds=5)
    floor = Floor("bytes and digest alone", Figure("", "", micros(bare)).median)
    return Figure(f"{name}, {size}{len(dumps(made)) / 1000:.1f} kB", "µs", micros(ours), MOST_US, True, floor)
