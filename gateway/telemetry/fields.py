"""What a log line may hold: a closed list of fields, each with the shape of its values.

Rules: a field that is not in the table is left out and named in `masked`; a value that has not the shape of its field
becomes `***`, and so does every telephone number and every resident registration number in a field whose shape would
have room for it. What a library says in its own words never gets here (see `gateway.telemetry.logs`).
Refuses to guess whether a text is harmless: only a shape lets it through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any, NamedTuple

from gateway.cases import rrn

MASK = "***"
LARGEST = 10**7
"""A number from here on could be a telephone or a resident registration number."""
NUMBER = ""
"""The shape of a field that holds a number."""


class Field(NamedTuple):
    """One field. `shape` is matched in full; ids of `ours` are long numbers by nature and get no second look."""

    name: str
    shape: str
    what: str
    ours: bool = False


_WORD = r"[a-z][a-z0-9_]*(?:[.-][a-z0-9_]+)*"
_CODE = r"[A-Z]{1,8}(?:-[A-Z0-9]+)+|" + _WORD
_PLACE = r"[\w./<>-]{1,120}:\d{1,6}(?: [\w.<>]{1,80})?"

FIELDS = (
    Field("timestamp", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", "when, UTC", ours=True),
    Field("level", r"debug|info|warning|error|critical", "how grave"),
    Field("event", _WORD, "a stable verb: `delivery.attempted`"),
    Field("logger", r"[A-Za-z_][\w.]{0,79}", "who wrote it, when it was a library"),
    Field("request_id", r"[0-9a-f]{32}", "one request at the partners' door, as its answer names it", ours=True),
    Field("trace_id", r"[0-9a-f]{32}", "W3C trace; for a message its message id without hyphens", ours=True),
    Field("actor", _WORD, "who acted"),
    Field("purpose", _WORD, "purpose code"),
    Field("verdict", r"done|refused", "what came of it"),
    Field("code", _CODE, "why it was refused, or how it failed"),
    Field("case_no", r"\d{14}", "case", ours=True),
    Field("ref_no", r"R\d{8}-\d{7}", "leg", ours=True),
    Field("partner", r"[A-Z][A-Z0-9]{1,11}", "the other side"),
    Field("mid", r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "message", ours=True),
    Field("subject", r"(?=[^A-Z]*\Z|.*\d)[A-Za-z0-9][\w.:|/+-]{0,119}", "a file, a map, a rule set, a state"),
    Field("counts", _WORD, "numbers, by name, of an act on many rows"),
    Field("round", r"[a-z]+(?:-[A-Z0-9]{2,12})?", "which round"),
    Field("phase", r"before|attempt|after", "how far an attempt came"),
    Field("route", r"[a-z][a-z_-]{0,39}", "which way into the door"),
    Field("status", NUMBER, "HTTP status"),
    Field("seconds", NUMBER, "how long"),
    Field("left_alone_s", NUMBER, "for how long it is not asked again"),
    Field("port", NUMBER, "TCP port"),
    Field("error", r"[A-Za-z_]\w{0,79}", "class of an unexpected error, without its message"),
    Field("at", _PLACE, "where, innermost last: `file:line function`"),
    Field("masked", _WORD, "fields that were left out or masked"),
)

_SHAPES = {field.name: re.compile(field.shape, re.ASCII) for field in FIELDS}
_OURS = frozenset(field.name for field in FIELDS if field.ours)
_NUMBERS = frozenset(field.name for field in FIELDS if field.shape == NUMBER) | {"counts"}
_TELEPHONE = re.compile(r"(?<!\d)(?:82[. -]?0?|0)(?:2|1[016-9]|[3-6]\d|70|50\d)[. -]?\d{3,4}[. -]?\d{4}(?!\d)")


def cleared(line: Mapping[str, Any]) -> dict[str, Any]:
    """The line as it may be written."""
    kept: dict[str, Any] = {}
    masked: list[str] = []
    for name, value in line.items():
        if name not in _SHAPES:
            masked.append(name if _SHAPES["masked"].fullmatch(name) and _harmless(name) else MASK)
            continue
        kept[name] = _clear(name, value)
        if kept[name] != value:
            masked.append(name)
    return kept | {"masked": sorted(set(masked))} if masked else kept


def _clear(name: str, value: Any) -> Any:
    if isinstance(value, int | float):
        return value if name in _NUMBERS and -LARGEST < value < LARGEST else MASK
    if isinstance(value, Mapping):
        return {_clear(name, key): _clear(name, number) for key, number in value.items()}
    if isinstance(value, list | tuple):
        return [_clear(name, one) for one in value]
    text = str(value) if isinstance(value, str) else ""
    fits = _SHAPES[name].fullmatch(text) if name in _OURS else _word(name, text)
    return text if text and fits else MASK


@lru_cache(1024)  # verbs, codes and partners come again and again
def _word(name: str, text: str) -> bool:
    return _SHAPES[name].fullmatch(text) is not None and _harmless(text)


def _harmless(text: str) -> bool:
    return not (_TELEPHONE.search(text) or rrn.find(text))


def clear(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """`cleared`, as structlog calls its processors."""
    return cleared(line)
