"""What a check of a FHIR resource can find: where, which rule, and one sentence.

`path` is written like FHIRPath (`Bundle.entry[3].resource.for`), `code` is one of the kinds below or the key of an
invariant of the standard (`bdl-12`, `obs-7`). A sentence names elements, types and codes that are allowed.

It refuses to hold a value of the resource.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

MISSING = "missing-required"
BAD_CODE = "bad-required-code"
UNKNOWN = "unknown-field"
BAD_DATE = "bad-date"
WRONG_TYPE = "wrong-type"
LIST_EXPECTED = "array-expected"
SINGLE_EXPECTED = "single-expected"
WRONG_TARGET = "wrong-reference-target"
DANGLING = "dangling-reference"
INVERTED = "inverted-period"
DUPLICATE_CHOICE = "duplicate-choice"
EMPTY = "empty-element"
BAD_FORM = "bad-form"
TOO_MANY = "too-many"
UNKNOWN_RESOURCE = "unknown-resource"
FULL_URL = "full-url"
PROFILE = "profile"

# A place while walking: (place of the parent, name, index in a list or None). The root is (None, type, None).
Trail: TypeAlias = tuple[Any, str, int | None]


class Finding(NamedTuple):
    """One broken rule."""

    path: str
    code: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}: {self.sentence} ({self.code})"


def spell(trail: Trail) -> str:
    """The path of a place."""
    parts: list[str] = []
    at: Trail | None = trail
    while at is not None:
        parent, name, index = at
        parts.append(name if index is None else f"{name}[{index}]")
        at = parent
    return ".".join(reversed(parts))
