"""What a good value of a coordinator's entry is: small readers that are put together like the fields themselves.

A reader takes a value and where it stands, and returns the value as the record keeps it, or raises `FlawError` with the
rule that was broken (E-CODE, E-DATE, E-LEN). Lists leave out items that are not good, objects leave out optional parts
that are not good; each is noted. A note names place and rule and refuses to hold the value.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from gateway.cases import regions

Note = dict[str, str]

_JAMO = re.compile(r"[\u1100-\u11ff]+")
_PHONE = r"0[0-9]{8,11}"
_KCD = re.compile(r"([A-Z][0-9]{2})\.?([0-9A-Z]{0,3})")
_EMAIL = re.compile(
    r"(?=[^@]{1,64}@)[A-Za-z0-9_%+-]+(\.[A-Za-z0-9_%+-]+)*"
    r"@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+"
)
_LONGEST_EMAIL = 100
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(  # the year 1 has moments that have no day in Korea
    r"(?!0001)" + _DAY.pattern + r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"
)


class FlawError(Exception):
    """A value is not good: the rule's code and a sentence. Never leaves `gateway.cases`."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(code)
        self.code, self.sentence = code, sentence


class At:
    """Where a reader stands, in canonical names, and the notes it may add to.

    A reader that raises leaves its path behind, so that whoever catches can note the very place, and then cuts it back.
    """

    __slots__ = ("notes", "path")

    def __init__(self, notes: list[Note]) -> None:
        self.path: list[object] = []
        self.notes = notes

    def note(self, flaw: FlawError) -> None:
        self.notes.append({"code": flaw.code, "field": "/".join(map(str, self.path)), "note": flaw.sentence})


Read = Callable[[Any, At], Any]


def text(longest: int) -> Read:
    """Text of 1 to `longest` characters; decomposed Hangul (macOS) is composed, nothing else is normalised."""

    def read(value: Any, at: At) -> str:
        plain = _plain(value)
        if len(plain) > longest:
            raise FlawError("E-LEN", f"longer than {longest}")
        return plain

    return read


def form(pattern: str) -> Read:
    """Text of exactly this form."""
    compiled = re.compile(pattern)

    def read(value: Any, at: At) -> str:
        plain = _plain(value)
        if not compiled.fullmatch(plain):
            raise FlawError("E-CODE", "not in the required form")
        return plain

    return read


def one_of(*words: str) -> Read:
    """One of these words."""
    known = frozenset(words)

    def read(value: Any, at: At) -> str:
        plain = _plain(value)
        if plain not in known:
            raise FlawError("E-CODE", "in no code table")
        return plain

    return read


def whole(least: int, most: int) -> Read:
    """A whole number between two bounds."""

    def read(value: Any, at: At) -> int:
        if type(value) is not int or not least <= value <= most:
            raise FlawError("E-CODE", "not a number in range")
        return value

    return read


def yes_no(value: Any, at: At) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise FlawError("E-CODE", "neither true nor false")
    return value


def day(value: Any, at: At) -> str:
    """A day that exists, YYYY-MM-DD and in no other way of ISO 8601."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise FlawError("E-DATE", "not a day")
    try:
        date.fromisoformat(value)
    except ValueError:
        raise FlawError("E-DATE", "not a day") from None
    return value


def moment(value: Any, at: At) -> str:
    """A moment with its offset, to the second, as RFC 3339 writes it and in no other way of ISO 8601."""
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        raise FlawError("E-DATE", "not a moment with an offset")
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise FlawError("E-DATE", "not a moment with an offset") from None
    return value


def email(value: Any, at: At) -> str:
    """An address of at most 100 characters: words and host names (RFC 1123) with single dots."""
    plain = _plain(value)
    if len(plain) > _LONGEST_EMAIL:
        raise FlawError("E-LEN", f"longer than {_LONGEST_EMAIL}")
    if not _EMAIL.fullmatch(plain):
        raise FlawError("E-CODE", "not in the required form")
    return plain


def phone(value: Any, at: At) -> str:
    """A telephone as digits; hyphens, dots and blanks between them are dropped."""
    digits = re.sub(r"[ .-]", "", _plain(value))
    if not re.fullmatch(_PHONE, digits):
        raise FlawError("E-CODE", "not a telephone")
    return digits


def kcd(value: Any, at: At) -> str:
    """A diagnosis code with its dot: S626 and S62.6 are S62.6."""
    code = dotted(_plain(value))
    if code is None:
        raise FlawError("E-CODE", "not a KCD code")
    return code


def dotted(code: str) -> str | None:
    """The KCD code with a dot behind its third character (S626 is S62.6), or None when it has not the form of one."""
    found = _KCD.fullmatch(code)
    if not found:
        return None
    return f"{found[1]}.{found[2]}" if found[2] else found[1]


def many(item: Read, most: int = 50) -> Read:
    """A list; items that are not good are left out and noted, items beyond `most` too."""

    def read(value: Any, at: At) -> list[Any]:
        if not isinstance(value, list):
            raise FlawError("E-CODE", "not a list")
        kept = []
        for index, inner in enumerate(value):
            depth = len(at.path)
            at.path.append(index)
            try:
                kept.append(item(inner, at))
            except FlawError as flaw:
                at.note(flaw)
            del at.path[depth:]
        if len(kept) > most:
            at.note(FlawError("E-LEN", f"more than {most}"))
        return kept[:most]

    return read


def parts(required: Mapping[str, Read], optional: Mapping[str, Read], rename: Mapping[str, str] | None = None) -> Read:
    """An object. Without a good required part it is not good; an optional part that is not good is left out."""
    names = rename or {}

    def read(value: Any, at: At) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise FlawError("E-CODE", "not an object")
        kept: dict[str, Any] = {}
        for name, inner in required.items():
            if empty(value.get(name)):
                raise FlawError("E-CODE", f"{name} is missing")
            at.path.append(names.get(name, name))
            kept[names.get(name, name)] = inner(value[name], at)
            at.path.pop()
        for name, inner in optional.items():
            if not empty(value.get(name)):
                take(kept, names.get(name, name), inner, value[name], at)
        return kept

    return read


def region(on: date) -> Read:
    """A region code in force on the day `on`."""

    def read(value: Any, at: At) -> str:
        known = regions.current(_plain(value), on)
        if known is None:
            raise FlawError("E-CODE", "no region has this code")
        return known

    return read


def take(kept: dict[str, Any], name: str, read: Read, value: Any, at: At) -> None:
    """Put the good value under `name`; note a value that is not good, and pass over an empty one."""
    depth = len(at.path)
    at.path.append(name)
    try:
        good = read(value, at)
    except FlawError as flaw:
        at.note(flaw)
    else:
        if not empty(good):
            kept[name] = good
    del at.path[depth:]


def empty(value: Any) -> bool:
    """Whether a value says nothing: null, "", [] or {}."""
    return value is None or value in ("", [], {})


def _plain(value: Any) -> str:
    if not isinstance(value, str):
        raise FlawError("E-CODE", "not text")
    return value if value.isascii() else _JAMO.sub(lambda m: unicodedata.normalize("NFC", m.group()), value)
