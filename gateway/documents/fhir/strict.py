"""Writes strict JSON Schemas (2020-12) from the element table: one per exchanged resource, one for all data types.

Rules: no unknown names; required elements present (as a value, a bare extension does not count); lists are lists and
never empty; objects, strings and elements never empty; codes of required bindings; at most one spelling of a choice
(exactly one where required); `reference` has a form whose type the element allows. An element that holds a whole
resource is a hole: its `resourceType` must be an exchanged one, its content is judged by that type's own schema.

What a schema cannot say (dates that do not exist, references that lead nowhere, invariants) is `second_pass`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

from gateway.documents.fhir import primitives
from gateway.documents.fhir.table import Element, Table

Json = dict[str, Any]

BASE = "https://gateway.example/fhir/r4/strict/"
DATATYPES = "datatypes"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_FEW = 3  # up to so many spellings of a choice are excluded pair by pair
_NOT_ONLY_ID: Json = {"if": {"required": ["id"]}, "then": {"minProperties": 2}}  # rule ele-1


def schemas(table: Table) -> dict[str, Json]:
    """File name without suffix → schema."""
    return {DATATYPES: _datatypes(table)} | {name: _resource(table, name) for name in table.exchanged}


def reference_pattern(targets: Iterable[str]) -> str:
    """The forms of `Reference.reference` whose type, where it shows, is one of `targets`."""
    names = "|".join(sorted(targets))
    kinds = r"[A-Z][A-Za-z]{1,63}" if names == "Resource" else f"({names})"
    ident = r"[A-Za-z0-9\-.]{1,64}"
    return (
        rf"^(#[A-Za-z0-9\-.]{{0,64}}|urn:(uuid|oid):[0-9A-Za-z.\-]+"
        rf"|(https?://[^\s?#]+/)?{kinds}/{ident}(/_history/{ident})?|{kinds}\?\S+)$"
    )


def _datatypes(table: Table) -> Json:
    defs: dict[str, Json] = {name: dict(schema) for name, schema in primitives.SCHEMAS.items()}
    defs |= {f"{name}-or-null": {**s, "type": [s["type"], "null"]} for name, s in primitives.SCHEMAS.items()}
    defs["Element"] = _element_only()
    defs["Resource"] = _hole(table)
    for owner in table.types:
        if owner.partition(".")[0] not in table.exchanged:
            defs[owner] = _Writer(table, "", defs).type(owner)
    title = "FHIR R4 data types, strict"
    return {"$schema": _DIALECT, "$id": BASE + DATATYPES, "title": title, "$defs": dict(sorted(defs.items()))}


def _element_only() -> Json:
    extensions = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Extension"}}
    properties = {"id": {"$ref": "#/$defs/string"}, "extension": extensions}
    return {"type": "object", "properties": properties, "required": ["extension"], "additionalProperties": False}


def _hole(table: Table) -> Json:
    kinds = {"resourceType": {"type": "string", "enum": list(table.exchanged)}}
    return {"type": "object", "required": ["resourceType"], "properties": kinds}


def _resource(table: Table, name: str) -> Json:
    defs: dict[str, Json] = {}
    writer = _Writer(table, DATATYPES, defs)
    body = writer.type(name)
    for keyword in ("if", "then", "minProperties"):
        del body[keyword]
    body["properties"] = {"resourceType": {"const": name}, **body["properties"]}
    body["required"] = ["resourceType", *body.get("required", ())]
    for owner in table.types:
        if owner.startswith(name + "."):
            defs[owner] = writer.type(owner)
    head = {"$schema": _DIALECT, "$id": BASE + name, "title": f"FHIR R4 {name}, strict"}
    return head | body | ({"$defs": dict(sorted(defs.items()))} if defs else {})


class _Writer:
    """Writes the schema of a type; data types are at `home`, definitions it needs besides go to `defs`."""

    def __init__(self, table: Table, home: str, defs: dict[str, Json]) -> None:
        self._table, self._home, self._defs = table, home, defs

    def type(self, owner: str) -> Json:
        """The object schema of a data type, backbone element or resource."""
        properties: dict[str, Json] = {}
        for name, element in self._table.spellings(owner).items():
            properties[name] = self._property(element)
            if element.primitive and name != "id":
                properties["_" + name] = self._shadow(element)
        found: Json = {"type": "object", "properties": properties, "additionalProperties": False, "minProperties": 1}
        required = [names[0] for _, names in self._table.required(owner) if len(names) == 1]
        rules = [rule for name, names in self._table.choices(owner) for rule in self._choice(owner, name, names)]
        if required:
            found["required"] = required
        if rules:
            found["allOf"] = rules
        return found | _NOT_ONLY_ID

    def _choice(self, owner: str, name: str, names: tuple[str, ...]) -> list[Json]:
        each = [{"required": [n]} for n in names]
        if owner == "Extension":  # rule ext-1: a value or extensions, never both, never neither
            return [{"oneOf": [{"required": ["extension"]}, *each]}]
        if self._table.types[owner]["elements"][name]["min"] > 0:
            return [{"oneOf": each}]
        if len(names) <= _FEW:
            return [{"not": {"required": list(pair)}} for pair in combinations(names, 2)]
        return [{"oneOf": [*each, {"not": {"anyOf": each}}]}]

    def _property(self, element: Element) -> Json:
        if not element.many:
            return self._value(element)
        items = self._value(element, null=element.primitive)
        found: Json = {"type": "array", "minItems": max(1, element.min), "items": items}
        return found if element.max is None else found | {"maxItems": element.max}

    def _value(self, element: Element, *, null: bool = False) -> Json:
        if element.codes:
            kinds: Any = ["string", "null"] if null else "string"
            return {"type": kinds, "enum": [*element.codes, None] if null else list(element.codes)}
        if element.kind == "Reference":
            return self._reference(element.targets or ("Resource",))
        if element.concept:
            return self._concept(*element.concept)
        return {"$ref": self._at(element.kind + ("-or-null" if null else ""))}

    def _shadow(self, element: Element) -> Json:
        one = self._at("Element")
        if not element.many:
            return {"$ref": one}
        return {"type": "array", "minItems": 1, "items": {"anyOf": [{"type": "null"}, {"$ref": one}]}}

    def _reference(self, targets: tuple[str, ...]) -> Json:
        name = "to-" + "-".join(targets)
        pattern = {"type": "string", "pattern": reference_pattern(targets)}
        self._defs[name] = {"$ref": self._at("Reference"), "properties": {"reference": pattern}}
        return {"$ref": f"#/$defs/{name}"}

    def _concept(self, systems: tuple[str, ...], codes: tuple[str, ...]) -> Json:
        required = {"system": {"enum": list(systems)}, "code": {"enum": list(codes)}}
        coding: Mapping[str, Any] = {"contains": {"required": ["system", "code"], "properties": required}}
        return {"$ref": self._at("CodeableConcept"), "required": ["coding"], "properties": {"coding": coding}}

    def _at(self, name: str) -> str:
        if "." in name and name.partition(".")[0] in self._table.exchanged:
            return f"#/$defs/{name}"
        return f"{self._home}#/$defs/{name}"
