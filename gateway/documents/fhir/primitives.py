"""How the primitive types of FHIR R4 look in JSON: one JSON Schema each, and the same as a compiled test.

Source: https://hl7.org/fhir/R4/datatypes.html. Stricter than the official expressions in one way: no value is empty
(rule ele-1), so `""` is refused everywhere. More faithful in one way: a `string` may hold any white space but no
control characters, as the text of the standard says (the official expression refuses U+3000, which Korean names have).

Looking at a text takes time that grows with its length and no faster: no form can divide it between two repetitions.

It refuses floating point tricks: `integer` types take whole numbers only, within 32 bits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Json = dict[str, Any]

_YEAR = r"([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)"
_MONTH, _DAY = r"(0[1-9]|1[0-2])", r"(0[1-9]|[1-2][0-9]|3[0-1])"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
_ZONE = r"(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_PLAIN = r"[^\x00-\x08\x0b\x0c\x0e-\x1f]"
_INT32 = 2**31


def _text(pattern: str) -> Json:
    return {"type": "string", "pattern": f"^{pattern}$"}


_BLANK = r"[^\S\x00-\x08\x0b\x0c\x0e-\x1f]"  # white space that is no control character
_STRING = {"type": "string", "pattern": rf"^{_BLANK}*[^\s\x00-\x1f]{_PLAIN}*$"}

SCHEMAS: Mapping[str, Json] = {
    "base64Binary": _text(r"[0-9a-zA-Z+/\s]+(={1,2}\s*)?"),
    "boolean": {"type": "boolean"},
    "canonical": _text(r"\S+"),
    "code": _text(r"[^\s]+(\s[^\s]+)*"),
    "date": _text(rf"{_YEAR}(-{_MONTH}(-{_DAY})?)?"),
    "dateTime": _text(rf"{_YEAR}(-{_MONTH}(-{_DAY}(T{_CLOCK}{_ZONE})?)?)?"),
    "decimal": {"type": "number"},
    "id": _text(r"[A-Za-z0-9\-\.]{1,64}"),
    "instant": _text(rf"{_YEAR}-{_MONTH}-{_DAY}T{_CLOCK}{_ZONE}"),
    "integer": {"type": "integer", "minimum": -_INT32, "maximum": _INT32 - 1},
    "markdown": _STRING,
    "oid": _text(r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+"),
    "positiveInt": {"type": "integer", "minimum": 1, "maximum": _INT32 - 1},
    "string": _STRING,
    "time": _text(_CLOCK),
    "unsignedInt": {"type": "integer", "minimum": 0, "maximum": _INT32 - 1},
    "uri": _text(r"\S+"),
    "url": _text(r"\S+"),
    "uuid": _text(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    "xhtml": _text(r"\s*<div[\s\S]*</div>\s*"),
}
DATES = frozenset({"date", "dateTime", "instant"})

_JSON_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: (isinstance(v, int) and not isinstance(v, bool)) or (isinstance(v, float) and v.is_integer()),
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
}


def has_type(name: str, value: Any) -> bool:
    """Is `value` of the JSON type that the primitive `name` takes?"""
    return _JSON_TYPES[SCHEMAS[name]["type"]](value)


def has_form(name: str, value: Any) -> bool:
    """Does a `value` of the right JSON type keep to the form of the primitive?"""
    schema = SCHEMAS[name]
    if "pattern" in schema:
        return _COMPILED[name].fullmatch(value) is not None
    return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))


_COMPILED = {n: re.compile(s["pattern"][1:-1]) for n, s in SCHEMAS.items() if "pattern" in s}
