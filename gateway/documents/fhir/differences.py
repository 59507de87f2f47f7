"""Compares our element table with definitions of R4 4.0.1 and names every difference. Runs in development only:

    python -m gateway.documents.fhir.differences <folder of R4 definitions> schemas/fhir

The folder holds `profiles-resources.json` and `profiles-types.json`. Written is `r4/differences.json`: what we have
corrected in the R4B definitions, and what still differs. Compared are names, cardinalities, types, targets of
references, and bindings. The id of a data type is passed over: R4 calls it a string, R4B an id.

It refuses to decide who is right; `definitions.CORRECTIONS` does, by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from gateway.documents.fhir import definitions
from gateway.documents.fhir.table import Table

Json = dict[str, Any]
_COMPARED = ("min", "max", "types", "targets", "binding", "ref")


def compare(ours: Mapping[str, Json], r4: Mapping[str, Json]) -> list[Json]:
    """Differences of two tables path → facts, each as path, what, and both sides (None: no such element)."""
    found: list[Json] = []
    for path in sorted(set(ours) | set(r4)):
        if path not in ours or path not in r4:
            found.append({"path": path, "what": "element", "ours": path in ours, "r4": path in r4})
            continue
        for what in _COMPARED:
            a, b = ours[path].get(what), r4[path].get(what)
            if a != b:
                found.append({"path": path, "what": what, "ours": a, "r4": b})
    return found


def flat(table: Table) -> dict[str, Json]:
    """Our table, path → comparable facts."""
    return {
        f"{owner}.{name}": _comparable(facts)
        for owner, kind in table.types.items()
        for name, facts in kind["elements"].items()
        if name != "id"
    }


def official(folder: Path, names: set[str]) -> dict[str, Json]:
    """R4 StructureDefinitions of the types `names`, path → comparable facts."""
    return {path: _comparable(facts) for path, facts in _elements(folder, names) if not path.endswith(".id")}


def _elements(folder: Path, names: set[str]) -> Iterator[tuple[str, Json]]:
    for file in ("profiles-resources.json", "profiles-types.json"):
        for entry in orjson.loads((folder / file).read_bytes())["entry"]:
            resource = entry["resource"]
            if resource["resourceType"] == "StructureDefinition" and resource["id"] in names:
                for element in resource["snapshot"]["element"][1:]:
                    facts = definitions.facts_of(element)
                    if facts is not None:
                        yield str(element["path"]), facts


def _comparable(facts: Json) -> Json:
    found: Json = {k: facts[k] for k in ("min", "max", "ref") if k in facts}
    found["types"], found["targets"] = sorted(facts["types"]), sorted(facts.get("targets", ()))
    if "binding" in facts:
        found["binding"] = [facts["binding"]["strength"], facts["binding"]["valueSet"]]
    return found


def main(arguments: list[str]) -> None:
    """`<folder of R4 definitions> <schemas/fhir>`."""
    source, out = Path(arguments[0]), Path(arguments[1]) / "r4"
    table = Table.load(out / "elements.json.gz")
    names = {owner for owner in table.types if "." not in owner}
    document = {
        "description": "Where R4B 4.3.0, from which we generate, and R4 4.0.1 differ in what we exchange. corrected: "
        "R4's word is put in. remaining: still different, with the reason why it does not matter under why.",
        "corrected": [{"path": p, "what": what, "r4": says} for p, what, says in definitions.CORRECTIONS],
        "remaining": [d | {"why": _why(d)} for d in compare(flat(table), official(source, names))],
    }
    (out / "differences.json").write_bytes(
        orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    )


def _why(difference: Json) -> str:
    """Why a difference does not matter; empty for one that somebody has to look at."""
    if difference["what"] == "binding" and "required" not in (difference["ours"] or [""])[0]:
        return "the ValueSet was renamed; the binding is not a required one"
    if difference["path"].startswith("Meta.") or difference["path"] == "AuditEvent.source.observer":
        return "added by the makers of the compared definitions, not part of R4"
    if difference["path"] == "Bundle.entry.response.outcome":
        return "the compared definitions narrow it to OperationOutcome; R4 says Resource"
    return ""


if __name__ == "__main__":
    main(sys.argv[1:])
