"""Plain FHIR: R4 without what hardly anybody writes. What has this form needs few questions afterwards (`short_way`).

Taken from the element table: ids and extensions within the small data types, period and assigner of an identifier,
contained resources, extensions with rare kinds of values. From the primitives: their extensions (`_birthDate`), nulls
in lists, base64 in lines, years outside 1900 to 2099, leap seconds, and every day that does not exist. From references:
conditions, fragments and versions.

What is plain is strict R4 by construction: names are only taken away, and forms only narrowed. One thing is left open,
what a reference may lead to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.documents.fhir import findings, primitives, strict
from gateway.documents.fhir.table import Table

Json = dict[str, Any]

_SMALL = frozenset({"Coding", "CodeableConcept", "Identifier", "Period", "Reference"})
_RARE = frozenset({("Identifier", "period"), ("Identifier", "assigner")})
_VALUES = ("Boolean", "Code", "CodeableConcept", "Coding", "Date", "DateTime", "Decimal", "Identifier", "Integer",
           "Period", "Quantity", "Reference", "String", "Uri", "Url")  # fmt: skip
_EXTENDING = {"extension", "url", *(f"value{kind}" for kind in _VALUES)}
SETTLED = {"Extension": frozenset({findings.DUPLICATE_CHOICE, findings.MISSING})}
"""Rules that the plain form of a type decides: an extension has its url and one name more (ext-1)."""

_YEAR, _MONTH = "(19|20)[0-9]{2}", "(0[1-9]|1[0-2])"
_LEAP = "(19([02468][48]|[2468]0|[13579][26])|20([02468][048]|[13579][26]))"
_DAY = f"({_YEAR}-({_MONTH}-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)|{_LEAP}-02-29)"
_TIME = r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_B64 = "[0-9a-zA-Z+/]"


def _text(pattern: str) -> Json:
    return {"type": "string", "pattern": f"^{pattern}$"}


FORMS: Mapping[str, Json] = {
    **primitives.SCHEMAS,
    **{name: _text(r"\S*") | {"minLength": 1} for name in ("canonical", "uri", "url")},  # the same, found quicker
    "base64Binary": _text(f"({_B64}{{4}})*{_B64}{{2}}({_B64}{{2}}|{_B64}=|==)"),
    "date": _text(f"({_YEAR}(-{_MONTH})?|{_DAY})"),
    "dateTime": _text(f"({_YEAR}(-{_MONTH})?|{_DAY}({_TIME})?)"),
    "instant": _text(_DAY + _TIME),
}
_REFERENCE = _text(
    r"(urn:(uuid|oid):[0-9A-Za-z.\-]+|(https?://[!\"$->@-~]+/)?[A-Z][A-Za-z]{1,63}/[A-Za-z0-9\-.]{1,64})"
)


def plain(table: Table) -> Table:
    """The element table without the rare elements."""
    return table.without(lambda owner, name: _rare(table, owner, name))


def schemas(table: Table) -> dict[str, Json]:
    """The strict schemas of a plain table, without extensions of primitives and without null.

    Primitives stand where they are used; what a reference may lead to is left to the question that follows anyway.
    """
    found = strict.schemas(table)
    types = found[strict.DATATYPES]["$defs"]
    types["Reference"]["properties"]["reference"] = _REFERENCE
    types["Extension"] |= {"minProperties": 2, "maxProperties": 2}
    return {name: _narrowed(schema) for name, schema in found.items()}


def _narrowed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_narrowed(item) for item in schema if item is not None]
    if not isinstance(schema, dict):
        return schema
    kind = str(schema.get("$ref", "")).rpartition("/")[2].removesuffix("-or-null")
    if kind in FORMS:
        return FORMS[kind]
    if kind == "Reference":
        return {"$ref": schema["$ref"]}
    return {name: _narrowed(value) for name, value in schema.items() if not name.startswith("_")}


def _rare(table: Table, owner: str, name: str) -> bool:
    if name == "id":
        return owner not in table.exchanged
    if owner == "Extension":
        return name not in _EXTENDING
    return name == "contained" or (owner, name) in _RARE or (name == "extension" and owner in _SMALL)
