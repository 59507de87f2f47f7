"""What a user would take instead, on the same work in the same run: maps in other languages, and other validators.

Maps: the document of 77 values and 12 entries, written in JSONata (jsonata-python, npm `jsonata`, and npm `fumifier`,
whose FLASH blocks need FHIR's own types while this document has none), Liquid (python-liquid, which makes text) and the
FHIRPath mapping language (fpml, with its expressions compiled once). Each makes the same document as our map, or the
bench fails. Validators: the FHIR message of 12 entries, held against fhir.resources (R4B models, a parser more than a
judge), jsonschema and ajv with our strict schemas, npm `fhir` and `@medplum/core`; each must accept it.
No targets: the figures say what the choice costs. A peer that takes milliseconds is measured with few repetitions.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import fhirpathpy
import orjson
from fhir.resources.R4B.bundle import Bundle
from fpml import resolve_template
from jsonata import Jsonata
from jsonschema import Draft202012Validator
from liquid import Environment
from referencing import Registry, Resource

from gateway.documents.fhir.rules import FhirRules
from gateway.documents.gwmap import CompiledMap
from tests.bench import bench_gwmap
from tests.bench.bench_fhir import FHIR
from tests.bench.bench_gwmap import KINDS, PARAMS, SEX, SOURCE
from tests.bench.figure import Figure, Floor, micros, per_second
from tests.bench.languages import FHIRPATH, JSONATA, LIQUID, text

JUDGES = FHIR.parents[1] / "tests" / "contract" / "javascript"
PEERS = Path(__file__).parent / "peers"
NODE = Path(sys.executable).parent / "node"  # of the wheel, whatever the machine has
ROUNDS, NODE_S = 5, 0.2
INPUT = {"s": SOURCE, "p": PARAMS, "sex": SEX, "kind": KINDS}
Act = Callable[[], object]


def run() -> tuple[Figure, ...]:
    """Bundles a second of the maps, then microseconds a message of the validators."""
    raw = (FHIR / "good" / "referral-message.json").read_bytes()
    message: dict[str, Any] = orjson.loads(raw)
    with tempfile.TemporaryDirectory() as folder:
        ours = bench_gwmap.build(Path(folder))
        document = ours.apply(SOURCE, PARAMS).document
        told = {"text": text(JSONATA), "input": INPUT, "wanted": document}
        node = _node(PEERS, map=told, bundle=message)
        maps = _maps(ours, document, node["maps"])
        return (*maps, *_validators(message, node["validators"]))


# ── maps ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _maps(ours: CompiledMap, wanted: object, node: Mapping[str, list[float]]) -> Iterator[Figure]:
    peers = {
        f"JSONata (jsonata-python {version('jsonata-python')})": _jsonata(),
        f"Liquid (python-liquid {version('python-liquid')})": _liquid(),
        f"FHIRPath (fpml {version('fpml')})": _fhirpath(),
    }
    for name, act in peers.items():
        if act() != wanted:
            raise AssertionError(f"{name} makes another document")
    mine, *theirs = per_second([lambda: ours.apply(SOURCE, PARAMS), *peers.values()], rounds=ROUNDS)
    rates = dict(zip(peers, theirs, strict=True))
    rates |= {f"JSONata ({name})": tuple(1e6 / each for each in took) for name, took in node.items()}
    floor = Floor("gwmap", Figure("", "", mine).median)
    for name, found in rates.items():
        yield Figure(f"the same map in {name}", "Bundles/s", found, floor=floor)


def _jsonata() -> Act:
    """One expression; the code tables come with the input, as they would from a table of the user's."""
    expression = Jsonata(text(JSONATA))
    return lambda: expression.evaluate(INPUT)


def _liquid() -> Act:
    """Text out, read again: a document is what is wanted."""
    template = Environment().from_string(text(LIQUID))
    return lambda: orjson.loads(template.render(**INPUT))


def _fhirpath() -> Act:
    """Every expression is compiled once and kept: fpml's own evaluator compiles it at each use."""
    template, source, compiled = orjson.loads(text(FHIRPATH)), dict(SOURCE), cache(fhirpathpy.compile)

    def evaluate(resource: Any, expression: str, context: Any) -> list[Any]:
        found: list[Any] = compiled(expression)(resource, context)
        return found

    return lambda: resolve_template(source, template, {"p": PARAMS}, evaluate=evaluate)


# ── validators ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _validators(message: dict[str, Any], node: Mapping[str, list[float]]) -> Iterator[Figure]:
    rules = FhirRules.load(FHIR)
    schemas = [orjson.loads(path.read_bytes()) for path in sorted((FHIR / "r4" / "strict").glob("*.json"))]
    slow = _jsonschema(schemas)
    if not slow(message):
        raise AssertionError("jsonschema refuses the message")
    mine, models, pure = per_second(
        [lambda: rules.check(message), lambda: Bundle.model_validate(message), lambda: slow(message)], rounds=ROUNDS
    )
    ours = Floor("our rules, everything", Figure("", "", micros(mine)).median)
    judges = _node(JUDGES, schemas=schemas, bundle=message)
    what = f"FHIR message, {len(message['entry'])} entries"
    theirs = {
        f"{what}: fhir.resources {version('fhir.resources')}": micros(models),
        f"{what}: jsonschema {version('jsonschema')}, our schemas": micros(pure),
        **{f"{what}: {name}": tuple(took) for name, took in {**judges, **node}.items()},
    }
    for name, rounds in theirs.items():
        yield Figure(name, "µs", rounds, floor=ours)


def _jsonschema(schemas: list[dict[str, Any]]) -> Callable[[Any], bool]:
    """The Bundle by its schema, and each resource in it by its own: the schemas do not descend into resources."""
    known = Registry().with_resources([(s["$id"], Resource.from_contents(s)) for s in schemas])
    of = {s["$id"].rpartition("/")[2]: Draft202012Validator(s, registry=known) for s in schemas}
    return lambda bundle: all(of[part["resourceType"]].is_valid(part) for part in _parts(bundle))


def _parts(bundle: Any) -> list[Any]:
    return [bundle, *(entry["resource"] for entry in bundle["entry"])]


def _node(folder: Path, **told: Any) -> dict[str, Any]:
    """What `time.mjs` of a folder says: microseconds by name, measured by node itself."""
    told |= {"rounds": ROUNDS, "seconds": NODE_S}
    asked = orjson.dumps(told)
    done = subprocess.run([NODE, "time.mjs"], input=asked, stdout=subprocess.PIPE, check=True, cwd=folder)
    found: dict[str, Any] = orjson.loads(done.stdout)
    return found
