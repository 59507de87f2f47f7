"""What a user would take instead, on the same work in the same run: maps in other languages, and other validators.

Maps: the document of 77 values and 12 entries, written in JSONata (jsonata-python), Liquid (python-liquid, which makes
text) and the FHIRPath mapping language (fpml, with its expressions compiled once). Each makes the same document as our
map, or the bench fails. Validators: the FHIR message of 12 entries, held against fhir.resources (R4B models, a parser
more than a judge), jsonschema and ajv with our strict schemas, and the validator of npm `fhir`; each must accept it.
No targets: the figures say what the choice costs. A peer that takes milliseconds is measured with few repetitions.
"""

from __future__ import annotations

import subprocess
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
from tests.bench import bench_gwmap
from tests.bench.bench_fhir import FHIR
from tests.bench.bench_gwmap import KINDS, PARAMS, SEX, SOURCE, SYS
from tests.bench.figure import Figure, Floor, micros, per_second

JUDGES = FHIR.parents[1] / "tests" / "contract" / "javascript"
NODE_S = 0.2
Act = Callable[[], object]


def run() -> tuple[Figure, ...]:
    """Bundles a second of four maps, then microseconds a message of five validators."""
    return (*_maps(), *_validators())


# ── maps ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _maps() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        ours = bench_gwmap.build(Path(folder))
        wanted = ours.apply(SOURCE, PARAMS).document
        peers = {
            f"the same map in JSONata (jsonata-python {version('jsonata-python')})": _jsonata(),
            f"the same map in Liquid (python-liquid {version('python-liquid')})": _liquid(),
            f"the same map in FHIRPath (fpml {version('fpml')})": _fhirpath(),
        }
        for name, act in peers.items():
            if act() != wanted:
                raise AssertionError(f"{name} makes another document")
        mine, *theirs = per_second([lambda: ours.apply(SOURCE, PARAMS), *peers.values()], rounds=5)
    rate = Figure("", "", mine).median
    for name, rates in zip(peers, theirs, strict=True):
        yield Figure(name, "Bundles/s", rates, floor=Floor("gwmap", rate))


def _jsonata() -> Act:
    """One expression; the code tables come with the input, as they would from a table of the user's."""
    expression = Jsonata(_text(_JSONATA))
    told = {"s": SOURCE, "p": PARAMS, "sex": SEX, "kind": KINDS}
    return lambda: expression.evaluate(told)


def _liquid() -> Act:
    """Text out, read again: a document is what is wanted."""
    template = Environment().from_string(_text(_LIQUID))
    return lambda: orjson.loads(template.render(s=SOURCE, p=PARAMS, sex=SEX, kind=KINDS))


def _fhirpath() -> Act:
    """Every expression is compiled once and kept: fpml's own evaluator compiles it at each use."""
    template, source, compiled = orjson.loads(_text(_FHIRPATH)), dict(SOURCE), cache(fhirpathpy.compile)

    def evaluate(resource: Any, expression: str, context: Any) -> list[Any]:
        found: list[Any] = compiled(expression)(resource, context)
        return found

    return lambda: resolve_template(source, template, {"p": PARAMS}, evaluate=evaluate)


def _chain(field: str, table: Mapping[str, str]) -> str:
    """A code table where the language has none."""
    made = "{}"
    for code, to in table.items():
        made = f"iif({field}='{code}','{to}',{made})"
    return made


# rule → the value of a field as the language says it, where JSON has a value
_JSONATA = {
    "copy": lambda f: f"s.{f}",
    "concat": lambda f: f'"{f}/" & s.{f}',
    "ymd": lambda f: f'$substring(s.{f},0,4) & "-" & $substring(s.{f},4,2) & "-" & $substring(s.{f},6,2)',
    "sex": lambda f: f"$lookup(sex, s.{f})",
    "kind": lambda f: f"$lookup(kind, s.{f})",
    "phone": lambda f: f'"+82-10-" & $substring(s.{f},3,4) & "-" & $substring(s.{f},7)',
    "now": lambda _: "p.now",
    "base": lambda path: f'p.base & "{path}" & s.f00',
}
_LIQUID = {
    "copy": lambda f: f'"{{{{ s.{f} }}}}"',
    "concat": lambda f: f'"{f}/{{{{ s.{f} }}}}"',
    "ymd": lambda f: '"' + "-".join(f"{{{{ s.{f} | slice: {a}, {n} }}}}" for a, n in ((0, 4), (4, 2), (6, 2))) + '"',
    "sex": lambda f: f'"{{{{ sex[s.{f}] }}}}"',
    "kind": lambda f: f'"{{{{ kind[s.{f}] }}}}"',
    "phone": lambda f: f'"+82-10-{{{{ s.{f} | slice: 3, 4 }}}}-{{{{ s.{f} | slice: 7, 4 }}}}"',
    "now": lambda _: '"{{ p.now }}"',
    "base": lambda path: f'"{{{{ p.base }}}}{path}{{{{ s.f00 }}}}"',
}
_FHIRPATH = {
    "copy": lambda f: f'"{{{{ {f} }}}}"',
    "concat": lambda f: f'"{f}/{{{{ {f} }}}}"',
    "ymd": lambda f: '"' + "-".join(f"{{{{ {f}.substring({a},{n}) }}}}" for a, n in ((0, 4), (4, 2), (6, 2))) + '"',
    "sex": lambda f: f'"{{{{ {_chain(f, SEX)} }}}}"',
    "kind": lambda f: f'"{{{{ {_chain(f, KINDS)} }}}}"',
    "phone": lambda f: f'"+82-10-{{{{ {f}.substring(3,4) }}}}-{{{{ {f}.substring(7) }}}}"',
    "now": lambda _: '"{{ %p.now }}"',
    "base": lambda path: f'"{{{{ %p.base }}}}{path}{{{{ f00 }}}}"',
}
_Language = Mapping[str, Callable[[str], str]]


def _text(say: _Language) -> str:
    """The whole map in one language: JSON with expressions where values stand."""
    entries = ",".join(_entry(say, number) for number in range(12))
    return f'{{"resourceType":"Bundle","type":"collection","timestamp":{say["now"]("")},"entry":[{entries}]}}'


def _entry(say: _Language, number: int) -> str:
    a, b, c, d, e, f = (f"f{number * 6 + i:02d}" for i in range(6))
    extra = ""
    if number == 0:
        values = (say["sex"]("sex"), say["phone"]("tel"), *(say["copy"](n) for n in ("alias", "note", "old")))
        extra = "".join(f',"x{i}":[{{"system":"{SYS}x","value":{v}}}]' for i, v in enumerate(values))
    return (
        f'{{"fullUrl":{say["base"](f"/R{number}/")},"resource":{{"resourceType":"R{number}",'
        f'"identifier":[{{"use":"official","system":"{SYS}sid/a","value":{say["copy"](a)}}}],'
        f'"name":[{{"text":{say["copy"](b)}}}],'
        f'"subject":{{"reference":{say["base"]("/Patient/")},"display":{say["concat"](c)}}},'
        f'"period":{{"start":{say["ymd"](d)}}},"status":{say["sex"](e)},'
        f'"code":{{"coding":[{{"system":"{SYS}kind","code":{say["kind"](f)}}}]}}{extra}}}}}'
    )


# ── validators ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _validators() -> Iterator[Figure]:
    raw = (FHIR / "good" / "referral-message.json").read_bytes()
    message: dict[str, Any] = orjson.loads(raw)
    rules = FhirRules.load(FHIR)
    schemas = [orjson.loads(path.read_bytes()) for path in sorted((FHIR / "r4" / "strict").glob("*.json"))]
    slow = _jsonschema(schemas)
    if not slow(message):
        raise AssertionError("jsonschema refuses the message")
    mine, models, pure = per_second(
        [lambda: rules.check(message), lambda: Bundle.model_validate(message), lambda: slow(message)], rounds=5
    )
    ours = Floor("our rules, everything", Figure("", "", micros(mine)).median)
    what = f"FHIR message, {len(message['entry'])} entries"
    theirs = {
        f"{what}: fhir.resources {version('fhir.resources')}": micros(models),
        f"{what}: jsonschema {version('jsonschema')}, our schemas": micros(pure),
        **{f"{what}: {name}": rounds for name, rounds in _javascript(schemas, message).items()},
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


def _javascript(schemas: list[dict[str, Any]], message: Any) -> dict[str, tuple[float, ...]]:
    """Microseconds a message, rounds by name; measured by node itself."""
    told = orjson.dumps({"schemas": schemas, "bundle": message, "rounds": 5, "seconds": NODE_S})
    script = JUDGES / "time.mjs"
    done = subprocess.run(["node", str(script)], input=told, capture_output=True, check=True, cwd=JUDGES)
    return {name: tuple(rounds) for name, rounds in orjson.loads(done.stdout).items()}
