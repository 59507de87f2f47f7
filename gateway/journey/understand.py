"""Understand: a partner's bytes become a canonical outcome, checked on both sides of the map.

Rules: what is checked against the partner's schema is what came; what is mapped is the same without control characters,
blank text and what is empty then, for a field that says nothing is a field that is not there. What the schema requires
must be there then as well. A whole number is one in whatever way it is written: `1.0` is an integer to JSON Schema, and
1 to everybody behind it. The bytes are kept as they came.
Refuses a resident registration number in any field (PIPA 24-2).
"""

from __future__ import annotations

from typing import Any

from gateway.cases.rrn import find_anywhere
from gateway.documents.strict_json import LARGEST_INT, loads
from gateway.errors import DocumentHoldsResidentNumber, DocumentInvalid, Place
from gateway.journey.translate import translate
from gateway.journey.world import World, iso
from gateway.sealing.manifest import MOST_SEQ

OUTCOME_SCHEMA = "urn:comwel:schema:outcome:1.0.0"
ELEVEN_DIGITS = 10**10
"""From here on a JSON number may be a resident registration number without its leading zeros; smaller ones count."""


def understand(world: World, partner: str, body: bytes) -> dict[str, Any]:
    """The canonical outcome. Raises UnreadableJson, DocumentHoldsResidentNumber, DocumentInvalid or MappingFailed."""
    profile, schemas = world.know.profiles[partner], world.know.schemas
    came = loads(body)
    held = find_anywhere(came, least=ELEVEN_DIGITS)
    if held is not None:
        raise DocumentHoldsResidentNumber(place=Place(field=held))
    schemas.require(profile.schemas["outcome"], came)
    document = _said(came)
    if document != came:
        schemas.require(profile.schemas["outcome"], document)
    outcome = translate(world, profile.mappings["outcome"], document, now=iso(world.clock.now())).document
    schemas.require(OUTCOME_SCHEMA, outcome)
    for name in ("seq", "corrects"):
        if outcome.get(name, 0) > MOST_SEQ:
            raise DocumentInvalid(f"a number is at most {MOST_SEQ}", place=Place(field=name))
    return outcome


_CONTROL = dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - set(map(ord, "\t\n\r")))
_EMPTY: tuple[Any, ...] = ("", [], {})


def _said(value: Any) -> Any:
    """What a value says: no control characters (FHIR R4 string has but tab, line feed, carriage return), no blanks.

    A whole number is an int.
    """
    if isinstance(value, dict):
        return {name: one for name, one in ((name, _said(one)) for name, one in value.items()) if one not in _EMPTY}
    if isinstance(value, list):
        return [one for one in map(_said, value) if one not in _EMPTY]
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST_INT:
        return int(value)
    if not isinstance(value, str):
        return value
    text = value.translate(_CONTROL)
    return text if text.strip() else ""
