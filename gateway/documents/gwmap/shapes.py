"""Shapes: what a source may hold and what a target may take, seen through one small type.

A `Type` is what an expression yields: kind, one or many, surely there or not, codes if closed, schema to walk on.
Kinds: string, integer, decimal, boolean, date, dateTime, instant, object, any, and names of FHIR types (Coding …).
Source types come from JSON Schema 2020-12 (`$ref`, properties, items, enum, const, format, required, minItems).
It refuses to guess: a schema part it cannot see through has kind `any`, which every check lets pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

Json = Mapping[str, Any]
_FORMATS = {"date": "date", "date-time": "dateTime"}
_KINDS = {"string": "string", "integer": "integer", "number": "decimal", "boolean": "boolean", "object": "object"}


@dataclass(frozen=True, slots=True)
class Type:
    """What an expression yields. `sure`: proven never empty. `walk`: where its properties are described."""

    kind: str
    many: bool = False
    sure: bool = False
    codes: tuple[str, ...] | None = None
    walk: Walk | None = None

    def one(self, *, sure: bool | None = None) -> Type:
        """One item of it."""
        return replace(self, many=False, sure=self.sure if sure is None else sure)

    def __str__(self) -> str:
        return f"list of {self.kind}" if self.many else self.kind


ANY = Type("any")


@dataclass(frozen=True, slots=True)
class Walk:
    """A place in a JSON Schema. `root` resolves `$ref`."""

    root: Json
    node: Json

    def properties(self) -> Mapping[str, Json]:
        """The properties of an object schema."""
        found: Mapping[str, Json] = self.node.get("properties", {})
        return found

    def open(self) -> bool:
        """Whether names beyond `properties` are possible."""
        return not self.properties() and self.node.get("additionalProperties", True) is not False

    def required(self, name: str) -> bool:
        """Whether the property must be there."""
        return name in self.node.get("required", ())

    def property(self, name: str) -> Type | None:
        """The type of a property; None when the schema does not know it."""
        found = self.properties().get(name)
        if found is None:
            return ANY if self.open() else None
        return type_of(self.root, found, sure=self.required(name))

    def title(self, name: str) -> str:
        """The title of a property, or its name."""
        return str(resolved(self.root, self.properties().get(name, {})).get("title", name))

    def grade(self, name: str) -> str:
        """The protection class of a property (`x-gw-class`), or `unclassified`."""
        return str(resolved(self.root, self.properties().get(name, {})).get("x-gw-class", "unclassified"))


def resolved(root: Json, node: Json) -> Json:
    """Follow `$ref` inside the document, and a lone `allOf`."""
    for _ in range(8):
        if "$ref" in node:
            target: Any = root
            for part in str(node["$ref"]).removeprefix("#/").split("/"):
                target = (
                    target.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(target, Mapping) else {}
                )
            node = {**target, **{k: v for k, v in node.items() if k != "$ref"}}
        elif len(node.get("allOf", ())) == 1 and "properties" not in node and "type" not in node:
            node = {**node["allOf"][0], **{k: v for k, v in node.items() if k != "allOf"}}
        else:
            break
    return node


def type_of(root: Json, node: Json, *, sure: bool = False) -> Type:
    """The type a schema describes."""
    node = resolved(root, node)
    if _schema_type(node) == "array":
        item = type_of(root, node.get("items", {}))
        return replace(item, many=True, sure=sure and node.get("minItems", 0) > 0)
    codes = _codes(node)
    kind = _kind(node)
    walk = Walk(root, node) if kind == "object" else None
    return Type(kind, sure=sure, codes=codes, walk=walk)


def _schema_type(node: Json) -> str | None:
    found = node.get("type")
    if isinstance(found, list):
        rest = [t for t in found if t != "null"]
        return rest[0] if len(rest) == 1 else None
    return found


def _codes(node: Json) -> tuple[str, ...] | None:
    values = node.get("enum", [node["const"]] if "const" in node else None)
    if values is None or not all(isinstance(v, str) for v in values):
        return None
    return tuple(values)


def _kind(node: Json) -> str:
    found = _schema_type(node)
    if found == "string":
        return _FORMATS.get(str(node.get("format")), "string")
    if found is not None:
        return _KINDS.get(found, "any")
    values = node.get("enum", [node["const"]] if "const" in node else [])
    if values:
        return _of_values(values)
    return "object" if "properties" in node else "any"


def _of_values(values: list[Any]) -> str:
    kinds = {kind_of_constant(v) for v in values}
    return kinds.pop() if len(kinds) == 1 else "any"


def kind_of_constant(value: Any) -> str:
    """The kind of a JSON scalar."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "decimal"
    return "string" if isinstance(value, str) else "any"
