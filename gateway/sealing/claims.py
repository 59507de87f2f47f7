"""Strict JSON for JOSE headers and payloads: small flat objects whose every member is known beforehand.

Rules: ASCII octets, no duplicate member at any depth, no NaN or Infinity, no fractions, integers up to 2^53 - 1, few
brackets (so no depth bomb). An object has exactly the members of its table, and each passes its test.

This module refuses to be lenient: an unknown member is refused, not ignored, because its author meant something by it.
It never repeats a value, nor the name of an unknown member, in an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from json import JSONDecoder
from typing import Any, NoReturn

from gateway.errors import ManifestInvalid, Place

MAX_BRACKETS = 64
MAX_INT = 2**53 - 1

Test = Callable[[Any], bool]


def load(raw: bytes) -> dict[str, Any]:
    """Return the one JSON object that `raw` holds. Raises ManifestInvalid."""
    if raw.count(b"{") + raw.count(b"[") > MAX_BRACKETS:
        raise ManifestInvalid("too many brackets")
    try:
        value = _DECODER.decode(raw.decode("ascii"))
    except ValueError:
        raise ManifestInvalid("not strict JSON") from None
    if not isinstance(value, dict):
        raise ManifestInvalid("not a JSON object")
    return value


def require(found: Mapping[str, Any], members: Mapping[str, Test], *, at: str = "") -> None:
    """Check that `found` has exactly `members` and that each passes its test. Raises ManifestInvalid.

    `at` is the JSON pointer of `found`, for the error's place.
    """
    for name, test in members.items():
        if name not in found:
            raise ManifestInvalid("a member is missing", place=Place(field=f"{at}/{name}"))
        if not test(found[name]):
            raise ManifestInvalid("a member has the wrong form", place=Place(field=f"{at}/{name}"))
    if len(found) != len(members):
        raise ManifestInvalid("an unknown member", place=Place(field=at or "/"))


def parts(found: Mapping[str, Any], members: Mapping[str, Test]) -> Iterator[dict[str, Any]]:
    """The objects of the list `parts`, each with exactly `members`. Raises ManifestInvalid."""
    for index, part in enumerate(found["parts"]):
        at = f"/parts/{index}"
        if not isinstance(part, dict):
            raise ManifestInvalid("a part is not an object", place=Place(field=at))
        require(part, members, at=at)
        yield part


def whole(low: int, high: int = MAX_INT) -> Test:
    """A test for whole numbers between `low` and `high`; `true` is not 1."""
    return lambda value: type(value) is int and low <= value <= high


def text(pattern: str) -> Test:
    """A test for text that matches `pattern` from its first to its last character."""
    match = re.compile(pattern, re.ASCII).fullmatch
    return lambda value: isinstance(value, str) and match(value) is not None


def one_of(values: Iterable[str]) -> Test:
    """A test for text out of a closed list."""
    known = frozenset(values)
    return lambda value: isinstance(value, str) and value in known


def maybe(test: Test) -> Test:
    """A test that also lets null through."""
    return lambda value: value is None or test(value)


KID = text(r"[!#-\[\]-~]{1,128}")  # printable, and needs no escape in JSON or in a structured field
PARTY = text(r"[a-z0-9][a-z0-9-]{1,31}")
UUID = text(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
SECONDS = whole(1_000_000_000, 9_999_999_999)  # seconds since 1970, from 2001 to 2286


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate member")
    return found


def _no(_: str) -> NoReturn:
    raise ValueError("not a whole number")


_DECODER = JSONDecoder(object_pairs_hook=_no_duplicates, parse_float=_no, parse_constant=_no)
