"""One referral as a document, without database and network: check what came, map, check what goes, bytes, digest.

The referral as a FHIR Bundle (`case-to-fhir`), and the message to each partner in its own form. The source is the
map's fullest fixture, as the `refer` verb holds it: already read, and narrowed for a partner. Floor: the bytes and the
digest of the same document. Target: 300 µs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from typing import Any

import orjson

from gateway.documents.strict_json import dumps
from gateway.journey.world import CASE_SCHEMA, Knowledge
from tests.bench import stage
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
    """µs a document: the request, and the message to each partner."""
    with stage.home() as home:
        known = stage.knowledge(home)
    return tuple(_figures(known))


def _figures(known: Knowledge) -> Iterator[Figure]:
    case: dict[str, Any] = orjson.loads(FIXTURE.read_bytes())
    yield _figure("referral as FHIR Bundle", known, case, case, "case-to-fhir|1.0.0", known.fhir.require)
    for profile in known.profiles.values():
        schema, pin = profile.schemas.get("referral"), profile.mappings["referral"]
        check = known.fhir.require if schema is None else partial(known.schemas.require, schema)
        leg = orjson.loads(
            (FOLDER / profile.iss / "referral-out" / pin[-5:] / "fixtures" / "narrowed.json").read_bytes()
        )
        yield _figure(f"referral to {profile.id}", known, case, leg, pin, check, receiver=profile.iss)


def _figure(
    name: str,
    known: Knowledge,
    case: dict[str, Any],
    source: dict[str, Any],
    pin: str,
    check: Callable[[dict[str, Any]], None],
    **more: str,
) -> Figure:
    """`case` is what comes in; `source` what the map may see of it."""
    compiled = known.catalogue.get(pin)
    params = {name: value for name, value in {**PARAMS, **more}.items() if name in compiled.header.params}

    def whole() -> bytes:
        known.schemas.require(CASE_SCHEMA, case)
        document = compiled.apply(source, params).document
        check(document)
        return sha256(dumps(document)).digest()

    made = compiled.apply(source, params).document
    ours, bare = per_second([whole, lambda: sha256(dumps(made)).digest()], rounds=5)
    floor = Floor("bytes and digest alone", Figure("", "", micros(bare)).median)
    return Figure(f"{name}, {len(dumps(made)) / 1000:.1f} kB", "µs", micros(ours), MOST_US, True, floor)
