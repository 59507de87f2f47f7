"""What a target may hold: FHIR R4 elements, or a partner's JSON Schema, behind one small interface.

`Shape` answers: which children, which of them are required, list or single, which kind, which codes. FHIR shapes come
from the element table (`schemas/fhir/r4/elements.json.gz`), JSON shapes from the schema. A part the schema leaves open
has kind `any` and takes everything.

It refuses to judge values: that is the validators' work on the finished document.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from gateway.documents import strict_json
from gateway.documents.gwmap.shapes import Json, Type, Walk, type_of

_PRIMITIVES = {
    "boolean": "boolean",
    "integer": "integer",
    "positiveInt": "integer",
    "unsignedInt": "integer",
    "decimal": "decimal",
    "date": "date",
    "dateTime": "dateTime",
    "instant": "instant",
}
_TEXTS = ("string", "code", "id", "uri", "url", "canonical", "oid", "uuid", "markdown", "base64Binary", "xhtml", "time")
_PRIMITIVES |= dict.fromkeys(_TEXTS, "string")


class Members(Protocol):
    """The children of an object shape."""

    def child(self, name: str) -> Shape | None:
        """The shape of a child, None if there is none of that name."""

    def names(self) -> tuple[str, ...]:
        """Every name there is (for hints)."""

    def required(self) -> tuple[tuple[str, ...], ...]:
        """Required children; each as the names that satisfy it (several for a choice of types)."""

    def choice_of(self, name: str) -> str:
        """The choice element a name belongs to, such as `value[x]`, or ''."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One place of a target. `name` is a FHIR type or a JSON kind; scalar kinds as in `shapes`."""

    name: str
    kind: str
    many: bool = False
    codes: tuple[str, ...] | None = None
    members: Members | None = None

    def item(self) -> Shape:
        """One item of a list shape."""
        return replace(self, many=False)


OPEN = Shape("any", "any")


# ── JSON Schema ──────────────────────────────────────────────────────────────────────────────────────────────────────
def json_shape(schema: Json) -> Shape:
    """The shape of a JSON Schema document."""
    return _json(type_of(schema, schema, sure=True), str(schema.get("$id", "the schema")))


def _json(found: Type, name: str) -> Shape:
    members = _Properties(found.walk) if found.walk is not None and not found.walk.open() else None
    kind = "any" if found.kind == "object" and members is None else found.kind
    return Shape(name if members else found.kind, kind, found.many, found.codes, members)


@dataclass(frozen=True, slots=True)
class _Properties:
    walk: Walk

    def child(self, name: str) -> Shape | None:
        found = self.walk.properties().get(name)
        return None if found is None else _json(type_of(self.walk.root, found), f"'{name}'")

    def names(self) -> tuple[str, ...]:
        return tuple(self.walk.properties())

    def required(self) -> tuple[tuple[str, ...], ...]:
        return tuple((name,) for name in self.walk.node.get("required", ()))

    def choice_of(self, name: str) -> str:
        return ""


# ── FHIR ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
class ElementTable:
    """The FHIR element table. `types[Type].elements[name]` with min, max, types, ref, codes."""

    def __init__(self, document: Mapping[str, Any], digest: str) -> None:
        self.types: Mapping[str, Any] = document["types"]
        self._value_sets: Mapping[str, list[str]] = document.get("valueSets", {})
        self.digest = digest

    @classmethod
    def load(cls, path: Path) -> ElementTable:
        """Read the gzip'ed table."""
        raw = gzip.decompress(path.read_bytes())
        document = strict_json.loads(raw, max_bytes=67_108_864, max_tokens=10_000_000)
        return cls(document, "sha256:" + hashlib.sha256(raw).hexdigest())

    def shape(self, name: str, *, many: bool = False, codes: tuple[str, ...] | None = None) -> Shape:
        """The shape of a type by its name."""
        short = name.rsplit(".", 1)[-1].lower() if name.startswith("http") else name
        if short in _PRIMITIVES:
            return Shape(short, _PRIMITIVES[short], many, codes)
        if name in ("Resource", "DomainResource"):
            return Shape("Resource", "object", many, None, None)
        if name not in self.types:
            return Shape(name, "any", many)
        return Shape(name, "object", many, None, _Elements(self, name))

    def element(self, owner: str, name: str, facts: Mapping[str, Any], kind: str) -> Shape:
        """The shape of one element of type `owner`."""
        many = facts.get("max", "1") != "1"
        if facts.get("ref"):
            return self.shape(str(facts["ref"]), many=many)
        if kind in ("BackboneElement", "Element") and f"{owner}.{name}" in self.types:
            return self.shape(f"{owner}.{name}", many=many)
        return self.shape(kind, many=many, codes=self._codes(facts))

    def _codes(self, facts: Mapping[str, Any]) -> tuple[str, ...] | None:
        if facts.get("codes"):
            return tuple(facts["codes"])
        binding = facts.get("binding") or {}
        found = self._value_sets.get(binding.get("valueSet", "")) if binding.get("strength") == "required" else None
        return tuple(found) if found else None


@dataclass(frozen=True, slots=True)
class _Elements:
    table: ElementTable
    owner: str

    def _own(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.table.types[self.owner]["elements"]
        return found

    def child(self, name: str) -> Shape | None:
        if name == "resourceType":
            return Shape("code", "string")
        if name.startswith("_") and self.child(name[1:]) is not None:
            return replace(self.table.shape("Element"), kind="any")
        facts = self._own().get(name)
        if facts is not None and len(facts.get("types", ())) <= 1:
            return self.table.element(self.owner, name, facts, (facts.get("types") or ["Element"])[0])
        choice = self.choice_of(name)
        if choice:
            kind = self._kind(choice, name)
            return self.table.element(self.owner, choice, self._own()[choice], kind)
        if name in ("id", "extension", "modifierExtension"):
            return self.table.shape("string" if name == "id" else "Extension", many=name != "id")
        return None

    def _kind(self, choice: str, name: str) -> str:
        suffix = name[len(choice) - 3 :]
        return next(str(t) for t in self._own()[choice]["types"] if t[:1].upper() + t[1:] == suffix)

    def choice_of(self, name: str) -> str:
        for choice, facts in self._own().items():
            if choice.endswith("[x]") and name.startswith(choice[:-3]):
                suffix = name[len(choice) - 3 :]
                if any(t[:1].upper() + t[1:] == suffix for t in facts["types"]):
                    return str(choice)
        return ""

    def names(self) -> tuple[str, ...]:
        found: list[str] = []
        for name, facts in self._own().items():
            found += _spelt(name, facts)
        return tuple(found)

    def required(self) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(_spelt(n, f)) for n, f in self._own().items() if f.get("min", 0) > 0)


def _spelt(name: str, facts: Mapping[str, Any]) -> list[str]:
    if not name.endswith("[x]"):
        return [name]
    return [name[:-3] + t[:1].upper() + t[1:] for t in facts["types"]]
