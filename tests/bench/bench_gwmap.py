"""How fast a map runs: 77 source values into a Bundle of 12 entries, against a bare dictionary literal.

`run()` gives figures; `python tests/bench/bench_gwmap.py` prints them. One core, one process, median of rounds; map and
literal take turns, so that a busy machine slows both. Targets: at least 8,000 Bundles a second on an idle core, and at
least one eighth of the literal. The map and the literal below must stay twins: `run` compares their documents.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.documents.gwmap import Catalogue, CompiledMap

ROOT = Path(__file__).parents[2]
SYS = "https://gateway.example/fhir/"
PARAMS = {"now": "2026-11-23T01:02:03Z", "base": "https://gw.example"}
SEX = {"male": "1", "female": "2", "unknown": "9"}
KINDS = {"a": "alpha", "b": "beta", "c": "gamma"}

MAP = """
gwmap: 1
id: bench
version: 1.0.0
status: active
direction: outbound
source: {schema: "urn:bench:source:1"}
target: {schema: "urn:bench:target:1"}
maps:
  sex: "https://gateway.example/fhir/ConceptMap/bench-sex|1.0.0"
  kind: "https://gateway.example/fhir/ConceptMap/bench-kind|1.0.0"
params: {now: instant, base: url}
let:
  patient: "=%base & '/Patient/' & f00"
template:
  resourceType: Bundle
  type: collection
  timestamp: "=%now"
  entry:
"""

# entry: resource type, (element, kind of rule) for six source values each; 12 x 6 = 72, the rest in the patient
RULES = ("copy", "optional", "concat", "ymd", "code", "kind")


def fields() -> list[tuple[str, str]]:
    """Names of the source fields and how each is used."""
    found = [(f"f{n:02d}", RULES[n % 6]) for n in range(72)]
    return [*found, ("sex", "sex"), ("tel", "phone"), ("alias", "copy"), ("note", "optional"), ("old", "copy")]


def _value(name: str, rule: str) -> str:
    known = {"ymd": "20260228", "code": "male", "kind": "b", "sex": "male", "phone": "01012345678"}
    return known.get(rule, f"value-{name}")


SOURCE = {name: _value(name, rule) for name, rule in fields()}


def _expression(name: str, rule: str) -> str:
    known = {
        "concat": f"'{name}/' & {name}",
        "ymd": f"{name}.ymd()",
        "code": f"{name}.translate('sex')",
        "sex": f"{name}.translate('sex')",
        "kind": f"{name}.translate('kind')",
        "phone": f"{name}.phone()",
    }
    return "=" + known.get(rule, name)


def _schema(name: str, rule: str) -> dict[str, Any]:
    if rule in ("code", "sex"):
        return {"enum": list(SEX)}
    return {"enum": list(KINDS)} if rule == "kind" else {"type": "string"}


def _entry(number: int, names: list[tuple[str, str]]) -> str:
    a, b, c, d, e, f = [_expression(*n) for n in names[:6]]
    extra = "".join(
        f'        x{i}: [{{system: "{SYS}x", value: "{_expression(*n)}"}}]\n' for i, n in enumerate(names[6:])
    )
    return f"""    - fullUrl: "=%base & '/R{number}/' & f00"
      resource:
        resourceType: R{number}
        identifier: [{{use: official, system: "{SYS}sid/a", value: "{a}"}}]
        name: [{{text: "{b}"}}]
        subject: {{reference: "=%patient", display: "{c}"}}
        period: {{start: "{d}"}}
        status: "{e}"
        code: {{coding: [{{system: "{SYS}kind", code: "{f}"}}]}}
{extra}"""


def _table(name: str, codes: dict[str, str]) -> dict[str, Any]:
    elements = [{"code": a, "target": [{"code": b, "equivalence": "equivalent"}]} for a, b in codes.items()]
    return {
        "resourceType": "ConceptMap",
        "url": f"{SYS}ConceptMap/{name}",
        "version": "1.0.0",
        "group": [{"source": "urn:a", "target": "urn:b", "element": elements}],
    }


def _closed(**properties: Any) -> dict[str, Any]:
    optional = {"display"}
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _listed(**properties: Any) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "maxItems": 1, "items": _closed(**properties)}


def _target() -> dict[str, Any]:
    """The Bundle to the letter: every element named, coded, dated or bounded, and no other."""
    text, url = {"type": "string", "minLength": 1}, {"type": "string", "pattern": "^https://[!-~]+$"}
    date = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
    entries = []
    for number in range(12):
        resource = {
            "resourceType": {"const": f"R{number}"},
            "identifier": _listed(use={"const": "official"}, system={"const": f"{SYS}sid/a"}, value=text),
            "name": _listed(text=text),
            "subject": _closed(reference=url, display=text),
            "period": _closed(start=date),
            "status": {"enum": list(SEX.values())},
            "code": _closed(coding=_listed(system={"const": f"{SYS}kind"}, code={"enum": list(KINDS.values())})),
        }
        if number == 0:
            resource |= {f"x{i}": _listed(system={"const": f"{SYS}x"}, value=text) for i in range(5)}
        entries.append(_closed(fullUrl=url, resource=_closed(**resource)))
    entry = {"type": "array", "prefixItems": entries, "minItems": 12, "maxItems": 12}
    kind = {"resourceType": {"const": "Bundle"}, "type": {"const": "collection"}}
    return _closed(**kind, timestamp={"type": "string", "pattern": "^[0-9T:-]{19}Z$"}, entry=entry)


def build(folder: Path) -> CompiledMap:
    """The map of the benchmark, built in an empty folder."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    required = [name for name, rule in fields() if rule != "optional"]
    source = {"type": "object", "required": required, "properties": {n: _schema(n, r) for n, r in fields()}}
    names = fields()
    groups = [names[n * 6 : n * 6 + 6] for n in range(12)]
    groups[0] = groups[0] + names[72:]
    files = {
        "schemas/source.json": json.dumps({"$schema": dialect, "$id": "urn:bench:source:1", **source}),
        "schemas/target.json": json.dumps({"$schema": dialect, "$id": "urn:bench:target:1", **_target()}),
        "mappings/bench/1.0.0/map.yaml": MAP + "".join(_entry(n, g) for n, g in enumerate(groups)),
        "mappings/conceptmaps/bench-sex/1.0.0.json": json.dumps(_table("bench-sex", SEX)),
        "mappings/conceptmaps/bench-kind/1.0.0.json": json.dumps(_table("bench-kind", KINDS)),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    shutil.copytree(ROOT / "schemas" / "meta", folder / "schemas" / "meta")
    return Catalogue.load(folder / "mappings", folder / "schemas").get("bench|1.0.0")


def literal_source() -> str:
    """The text of the bare literal: one expression, every name and constant written out."""
    entries = ",".join(_entry_text(number) for number in range(12))
    head = '{"resourceType":"Bundle","type":"collection","timestamp":p["now"],"entry":[' + entries + "]}"
    return f"def literal(s, p, SEX, KINDS):\n    base = p['base']\n    return {head}\n"


def _entry_text(number: int) -> str:
    a, b, c, d, e, f = (f"f{number * 6 + i:02d}" for i in range(6))
    extra = ""
    if number == 0:
        values = [
            "SEX[s['sex']]",
            "'+82-10-' + s['tel'][3:7] + '-' + s['tel'][7:]",
            "s['alias']",
            "s['note']",
            "s['old']",
        ]
        extra = "".join(f",'x{i}':[{{'system':'{SYS}x','value':{v}}}]" for i, v in enumerate(values))
    return (
        f"{{'fullUrl':f\"{{base}}/R{number}/{{s['f00']}}\",'resource':{{'resourceType':'R{number}',"
        f"'identifier':[{{'use':'official','system':'{SYS}sid/a','value':s['{a}']}}],'name':[{{'text':s['{b}']}}],"
        f"'subject':{{'reference':f\"{{base}}/Patient/{{s['f00']}}\",'display':'{c}/'+s['{c}']}},"
        f"'period':{{'start':s['{d}'][:4]+'-'+s['{d}'][4:6]+'-'+s['{d}'][6:]}},'status':SEX[s['{e}']],"
        f"'code':{{'coding':[{{'system':'{SYS}kind','code':KINDS[s['{f}']]}}]}}{extra}}}}}"
    )


def _rate(call: Callable[[], Any], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        call()
    return times / (time.perf_counter() - began)


def run(rounds: int = 7, times: int = 1_000) -> dict[str, float]:
    """Bundles a second of the map and of the literal, and their ratio (medians of `rounds`)."""
    with tempfile.TemporaryDirectory() as folder:
        compiled = build(Path(folder))
        space: dict[str, Any] = {}
        exec(literal_source(), space)  # noqa: S102 - the bare literal, made from this file
        literal = space["literal"]
        document = compiled.apply(SOURCE, PARAMS).document
        if document != literal(SOURCE, PARAMS, SEX, KINDS):
            raise AssertionError("map and literal disagree")
        maps, literals = [], []
        for _ in range(rounds):
            maps.append(_rate(lambda: compiled.apply(SOURCE, PARAMS), times))
            literals.append(_rate(lambda: literal(SOURCE, PARAMS, SEX, KINDS), times))
        fast, bare = statistics.median(maps), statistics.median(literals)
        return {
            "source_values": float(len(SOURCE)),
            "entries": 12.0,
            "bytes": float(len(json.dumps(document))),
            "bundles_per_s": round(fast, 1),
            "literal_per_s": round(bare, 1),
            "ratio": round(fast / bare, 4),
        }


if __name__ == "__main__":
    for name, figure in run().items():
        print(f"{name:16} {figure:,}")
