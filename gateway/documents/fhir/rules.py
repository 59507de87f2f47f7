"""The door to FHIR checking: two passes over a resource, findings out.

What is plain and without fault takes the short way (`short_way`). Everything else takes the long one:

1. First pass: the strict schema of the type (`gate`). The schema of a Bundle leaves its resources out; each resource
   meets the schema of its own type. When a schema refuses, `diagnose` finds the words.
2. Second pass: compiled closures over what the first pass has accepted (`second_pass`, `references`).
3. Profiles: what `meta.profile` claims of our own profiles must hold.

It refuses resource types that are not exchanged, and our own profiles it does not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import orjson

from gateway.documents.fhir import findings as kinds
from gateway.documents.fhir import references, strict
from gateway.documents.fhir.diagnose import Diagnosis
from gateway.documents.fhir.findings import Finding, Trail, spell
from gateway.documents.fhir.gate import Gate
from gateway.documents.fhir.profiles import Profiles
from gateway.documents.fhir.second_pass import Scope, SecondPass
from gateway.documents.fhir.short_way import ShortWay
from gateway.documents.fhir.table import Table
from gateway.errors import DataFileInvalid, DocumentInvalid, Place

Json = dict[str, Any]
_NAMED = 20  # places named in one refusal


class FhirRules:
    """Everything under `schemas/fhir`, read and compiled once; immutable.

    The strict schemas are compiled for the first document that does not take the short way: they are 28 MB of memory.
    """

    def __init__(self, table: Table, schemas: Mapping[str, Json], profiles: Profiles) -> None:
        self.elements = table
        self._schemas = schemas
        self._second = SecondPass(table)
        self.diagnosis = Diagnosis(table)
        self._profiles = profiles
        self._short = ShortWay(table, profiles)

    @classmethod
    def load(cls, schemas_fhir: Path) -> Self:
        """Read and compile `schemas/fhir`. Raises `DataFileInvalid`."""
        folder = schemas_fhir / "r4"
        table = Table.load(folder / "elements.json.gz")
        names = (strict.DATATYPES, *table.exchanged)
        schemas = {name: _read(folder / "strict" / f"{name}.json") for name in names}
        return cls(table, schemas, Profiles.load(folder / "profiles.json"))

    @cached_property
    def gate(self) -> Gate:
        """The first pass: does the strict schema of its type accept a resource?"""
        return Gate(self._schemas)

    def check(self, resource: Any) -> tuple[Finding, ...]:
        """All findings; empty for a resource that keeps to every rule."""
        if not _is_resource(resource):
            return (Finding("resourceType", kinds.MISSING, "a resource names its type"),)
        return () if self._short.accepts(resource) else self.examine(resource)

    def examine(self, resource: Json) -> tuple[Finding, ...]:
        """All findings, by the long way."""
        found: list[Finding] = []
        kind = resource["resourceType"]
        trail: Trail = (None, kind if kind.isalpha() else "resource", None)
        self._judge(resource, trail, Scope(found, self._judge))
        return tuple(found)

    def require(self, resource: Any) -> None:
        """Raise `DocumentInvalid` naming up to 20 places unless the resource keeps to every rule."""
        found = self.check(resource)
        if found:
            more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
            named = "; ".join(str(f) for f in found[:_NAMED])
            raise DocumentInvalid(f"{named}{more}", place=Place(field=found[0].path))

    # ── one resource ─────────────────────────────────────────────────────────────────────────────────────────────────
    def _judge(self, resource: Json, trail: Trail, scope: Scope) -> None:
        kind = resource["resourceType"]
        if kind not in self.gate.types:
            scope.add(trail, kinds.UNKNOWN_RESOURCE, "is of a resource type that is not exchanged here")
        elif kind == "Bundle":
            self._bundle(resource, trail, scope)
        elif not self.gate.accepts(resource):
            self._refused(resource, trail, scope)
        elif trail[1] == "contained":
            self._second.visit(resource, trail, scope)
        else:
            self._accepted(resource, trail, scope)

    def _accepted(self, resource: Json, trail: Trail, scope: Scope) -> None:
        inside = scope
        if "contained" in resource or scope.contained:
            inside = Scope(scope.found, self._judge, scope.around)
            _enter_contained(resource, trail, inside)
        self._second.visit(resource, trail, inside)
        meta = resource.get("meta")
        if meta is not None and "profile" in meta:
            scope.found.extend(self._profiles.check(resource, trail, scope.around))

    def _refused(self, resource: Json, trail: Trail, scope: Scope) -> None:
        found = self.diagnosis.resource(resource, trail)
        scope.found.extend(found)
        if not found:  # the schema knows a rule that the words do not: say so rather than let it pass
            path, rule = self.gate.complaint(resource)
            steps = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)
            scope.found.append(Finding(spell(trail) + steps, kinds.BAD_FORM, f"breaks the rule {rule}"))

    # ── a Bundle ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def _bundle(self, bundle: Json, trail: Trail, scope: Scope) -> None:
        accepted = self.gate.accepts(bundle)
        held = references.entries(bundle)
        inside = Scope(scope.found, self._judge, references.around(bundle, held))
        if accepted:
            self._second.visit(bundle, trail, inside)
            return
        self._refused(bundle, trail, scope)
        for index, entry in enumerate(bundle["entry"] if held else ()):
            if isinstance(entry, dict) and _is_resource(entry.get("resource")):
                self._judge(entry["resource"], ((trail, "entry", index), "resource", None), inside)


def _is_resource(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("resourceType"), str)


# ── contained resources: rules dom-2 to dom-5 ────────────────────────────────────────────────────────────────────────
def _enter_contained(resource: Json, trail: Trail, scope: Scope) -> None:
    scope.contained = {"#": resource["resourceType"]}
    for item in resource.get("contained", ()):
        scope.contained[f"#{item.get('id', '')}"] = item["resourceType"]
    used = set(_local_references(resource))
    for index, item in enumerate(resource.get("contained", ())):
        meta = item.get("meta")
        labels = meta if isinstance(meta, dict) else {}
        at: Trail = (trail, "contained", index)
        if "contained" in item:
            scope.add(at, "dom-2", "contained resources contain none")
        if f"#{item.get('id', '')}" not in used and "#" not in set(_local_references(item)):
            scope.add(at, "dom-3", "nothing in the resource refers to it")
        if "versionId" in labels or "lastUpdated" in labels:
            scope.add(at, "dom-4", "contained resources have no version")
        if "security" in labels:
            scope.add(at, "dom-5", "contained resources have no security label")


def _local_references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for child in value.values():
            yield from _local_references(child)
    elif isinstance(value, list):
        for child in value:
            yield from _local_references(child)
    elif isinstance(value, str) and value.startswith("#"):
        yield value


# ── loading ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _read(path: Path) -> Json:
    try:
        return dict(orjson.loads(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise DataFileInvalid(str(error), place=Place(file=str(path))) from None
