"""Says what is wrong with a resource that the strict schema has refused: every place, not only the first.

The schemas decide, quickly and without words; this walk over the same element table finds the words. It looks at form
only: names, cardinalities, types, codes, choices and the targets that a reference shows by itself.

It refuses to look into resources inside the resource (they are judged on their own), and to quote values.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any

from gateway.documents.fhir import findings as kinds
from gateway.documents.fhir import primitives
from gateway.documents.fhir.findings import Finding, Trail, spell
from gateway.documents.fhir.strict import reference_pattern
from gateway.documents.fhir.table import Element, Table

_SHOWN = 12  # codes named in a sentence


class Diagnosis:
    """Walks refused resources along the element table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def resource(self, resource: Any, trail: Trail) -> tuple[Finding, ...]:
        """Everything wrong in the form of `resource`, whose type is an exchanged one."""
        return tuple(
            Finding(spell(at), code, says) for at, code, says in self._object(resource["resourceType"], resource, trail)
        )

    def _object(self, owner: str, value: Any, trail: Trail) -> Iterator[tuple[Trail, str, str]]:
        if not isinstance(value, dict):
            yield trail, *_not_object(value)
            return
        if not value:
            yield trail, kinds.EMPTY, "is empty"
            return
        known = self._table.spellings(owner)
        for name, child in value.items():
            if name == "resourceType" and owner in self._table.exchanged:
                continue
            element = known.get(name) or self._shadowed(known, name)
            if element is None:
                yield (trail, name, None), kinds.UNKNOWN, f"{owner} has no such element{_meant(name, known)}"
            else:
                yield from self._property(element, child, (trail, name, None), shadow=name not in known)
        yield from self._cardinality(owner, value, trail)

    def _shadowed(self, known: Any, name: str) -> Element | None:
        element = known.get(name[1:]) if name.startswith("_") else None
        return element if element is not None and element.primitive and name != "_id" else None

    def _cardinality(self, owner: str, value: dict[str, Any], trail: Trail) -> Iterator[tuple[Trail, str, str]]:
        for name, names in self._table.required(owner):
            if not any(n in value for n in names):
                yield (trail, name, None), kinds.MISSING, "is missing"
        for name, names in self._table.choices(owner):
            written = [n for n in names if n in value]
            if len(written) > 1:
                yield (
                    (trail, name, None),
                    kinds.DUPLICATE_CHOICE,
                    f"is written {len(written)} times: {', '.join(written)}",
                )
        if owner == "Extension" and ("extension" in value) == any(n.startswith("value") for n in value):
            both = "extension" in value
            yield (
                trail,
                kinds.DUPLICATE_CHOICE if both else kinds.MISSING,
                "needs a value or extensions, not both (ext-1)",
            )

    def _property(
        self, element: Element, value: Any, trail: Trail, *, shadow: bool
    ) -> Iterator[tuple[Trail, str, str]]:
        if value is None:
            yield trail, kinds.EMPTY, "is null"
        elif not element.many:
            if isinstance(value, list):
                yield trail, kinds.SINGLE_EXPECTED, "is not a list"
            else:
                yield from self._value(element, value, trail, shadow=shadow)
        elif not isinstance(value, list):
            yield trail, kinds.LIST_EXPECTED, "is a list, even of one"
        else:
            yield from self._list(element, value, trail, shadow=shadow)

    def _list(
        self, element: Element, value: list[Any], trail: Trail, *, shadow: bool
    ) -> Iterator[tuple[Trail, str, str]]:
        if not value:
            yield trail, kinds.EMPTY, "is an empty list"
        if element.max is not None and len(value) > element.max:
            yield trail, kinds.TOO_MANY, f"has more than {element.max} items"
        parent, name, _ = trail
        for index, item in enumerate(value):
            if item is not None or not element.primitive:
                yield from self._value(element, item, (parent, name, index), shadow=shadow)

    def _value(self, element: Element, value: Any, trail: Trail, *, shadow: bool) -> Iterator[tuple[Trail, str, str]]:
        if shadow:
            yield from self._shadow(value, trail)
        elif element.kind == "Resource":
            yield from self._hole(value, trail)
        elif element.primitive:
            yield from _primitive(element, value, trail)
        else:
            yield from self._object(element.kind, value, trail)
            if element.kind == "Reference":
                yield from _target(element, value, trail)
            if element.concept and isinstance(value, dict):
                yield from _concept(*element.concept, value, trail)

    def _shadow(self, value: Any, trail: Trail) -> Iterator[tuple[Trail, str, str]]:
        if not isinstance(value, dict):
            yield trail, *_not_object(value)
            return
        for name in value:
            if name not in ("id", "extension"):
                yield (trail, name, None), kinds.UNKNOWN, "beside a primitive there are only id and extension"
        if "extension" not in value:
            yield trail, kinds.EMPTY, "holds no extension"
        known = self._table.spellings("Extension")
        for name in ("id", "extension"):
            if name in value:
                yield from self._property(known[name], value[name], (trail, name, None), shadow=False)

    def _hole(self, value: Any, trail: Trail) -> Iterator[tuple[Trail, str, str]]:
        if not isinstance(value, dict):
            yield trail, *_not_object(value)
        elif "resourceType" not in value:
            yield (trail, "resourceType", None), kinds.MISSING, "is missing"
        elif value["resourceType"] not in self._table.exchanged:
            yield trail, kinds.UNKNOWN_RESOURCE, "is of a resource type that is not exchanged here"


def _not_object(value: Any) -> tuple[str, str]:
    if isinstance(value, list):
        return kinds.SINGLE_EXPECTED, "is not a list"
    return (kinds.EMPTY, "is null") if value is None else (kinds.WRONG_TYPE, "is an object")


def _meant(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f" (did you mean {near[0]}?)" if near else ""


def _primitive(element: Element, value: Any, trail: Trail) -> Iterator[tuple[Trail, str, str]]:
    name = element.kind
    if value is None or value == "":
        yield trail, kinds.EMPTY, "is empty"
    elif isinstance(value, list):
        yield trail, kinds.SINGLE_EXPECTED, "is not a list"
    elif not primitives.has_type(name, value):
        yield trail, kinds.WRONG_TYPE, f"is of type {name}, in JSON {primitives.SCHEMAS[name]['type']}"
    elif element.codes:
        if value not in element.codes:
            shown = ", ".join(element.codes[:_SHOWN]) + (", …" if len(element.codes) > _SHOWN else "")
            yield trail, kinds.BAD_CODE, f"is one of {shown}"
    elif not primitives.has_form(name, value):
        code = kinds.BAD_DATE if name in primitives.DATES else kinds.BAD_FORM
        yield trail, code, f"has not the form of {name}"


def _target(element: Element, value: Any, trail: Trail) -> Iterator[tuple[Trail, str, str]]:
    text = value.get("reference") if isinstance(value, dict) else None
    if not isinstance(text, str) or re.search(reference_pattern(element.targets or ("Resource",)), text):
        return
    if re.search(reference_pattern(("Resource",)), text):
        yield trail, kinds.WRONG_TARGET, f"leads to a type that is not allowed; allowed is {', '.join(element.targets)}"
    elif text:
        yield trail, kinds.BAD_FORM, "reference is Type/id, an address ending so, urn:uuid:, or #id"


def _concept(
    systems: tuple[str, ...], codes: tuple[str, ...], value: Any, trail: Trail
) -> Iterator[tuple[Trail, str, str]]:
    codings = value.get("coding")
    if codings is not None and not isinstance(codings, list):
        return
    good = [c for c in codings or () if isinstance(c, dict) and c.get("system") in systems and c.get("code") in codes]
    if not good:
        yield trail, kinds.BAD_CODE, f"needs a coding of {systems[0]}: {', '.join(codes[:_SHOWN])}"
