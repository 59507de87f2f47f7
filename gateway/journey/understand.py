"""Understand: a partner's bytes become a canonical outcome, checked on both sides of the map."""

from __future__ import annotations

from typing import Any

from gateway.documents.strict_json import loads
from gateway.errors import DocumentInvalid, Place
from gateway.journey.translate import translate
from gateway.journey.world import OUTCOME_SCHEMA, World, iso
from gateway.sealing.manifest import MOST_SEQ


def understand(world: World, partner: str, body: bytes) -> dict[str, Any]:
    """The canonical outcome. Raises UnreadableJson, DocumentInvalid or MappingFailed."""
    profile = world.know.profiles[partner]
    document = loads(body)
    world.know.schemas.require(profile.schemas["outcome"], document)
    outcome = translate(world, profile.mappings["outcome"], document, now=iso(world.clock.now())).document
    world.know.schemas.require(OUTCOME_SCHEMA, outcome)
    for name in ("seq", "corrects"):
        if outcome.get(name, 0) > MOST_SEQ:
            raise DocumentInvalid(f"a number is at most {MOST_SEQ}", place=Place(field=name))
    return outcome
