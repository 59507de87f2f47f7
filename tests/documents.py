"""Walking JSON documents, for tests that judge what is inside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document, the outermost first."""
    if isinstance(value, dict):
        yield value
        for child in value.values():
            yield from objects(child)
    elif isinstance(value, list):
        for child in value:
            yield from objects(child)


def resources(value: Any) -> Iterator[dict[str, Any]]:
    """Every FHIR resource in a document, the outermost first."""
    return (each for each in objects(value) if "resourceType" in each)
