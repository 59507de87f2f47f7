"""Translate: run one map over one document, with the parameters it declares and no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.documents.gwmap import CompiledMap
from gateway.journey.world import World


class Translated(NamedTuple):
    """A document, its bytes and what made it: the map's pin, and the digest of everything that decided the mapping."""

    document: dict[str, Any]
    body: bytes
    pin: str
    digest: str


def translate(world: World, pin: str, source: Mapping[str, Any], **params: Any) -> Translated:
    """Map `source` with the map `pin`. Raises MappingFailed with every issue of the record."""
    compiled = world.know.catalogue.get(pin)
    mapped = compiled.apply(source, declared(compiled, params))
    return Translated(mapped.document, mapped.body, pin, compiled.digest)


def declared(compiled: CompiledMap, params: Mapping[str, Any]) -> dict[str, Any]:
    """Of these parameters those that a map declares."""
    return {name: params[name] for name in compiled.header.params if name in params}
