"""Strict JSON at the door: bytes in, value out, or a refusal that names no value.

Order of checks (each cheaper than the next, so that hostile bytes never reach an expensive one):
1. size in bytes;
2. no byte order mark, strict UTF-8;
3. depth and tokens, by one linear scan that cannot recurse;
4. RFC 8259 grammar, without duplicate names, NaN, Infinity or numbers beyond a double;
5. integers within ±(2^53 - 1) (RFC 7493, I-JSON), text without lone surrogates.

It refuses to repair anything, and it refuses to quote what it read: a message names the rule and the byte, never data.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

import orjson

from gateway.errors import DocumentTooLarge, UnreadableJson

LARGEST_INT = 2**53 - 1
_BOM = b"\xef\xbb\xbf"
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]|[^\s"\[\]{},:]+', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def loads(raw: bytes, *, max_bytes: int = 1_048_576, max_depth: int = 32, max_tokens: int = 20_000) -> Any:
    """Parse `raw` strictly. Raises `DocumentTooLarge` (size) or `UnreadableJson` (everything else)."""
    if len(raw) > max_bytes:
        raise DocumentTooLarge(f"{len(raw)} bytes, at most {max_bytes} are taken")
    text = _text(raw)
    _scan(raw, max_depth, max_tokens)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise UnreadableJson(f"syntax error at character {error.pos}") from None
    if _SURROGATE.search(raw):
        _refuse_lone_surrogates(value)
    return value


def dumps(value: Any) -> bytes:
    """UTF-8 bytes without spaces, names in insertion order."""
    return orjson.dumps(value)


def reread(raw: bytes) -> Any:
    """What `dumps` wrote and we kept. Only for our own bytes: nothing of the above is checked a second time."""
    return orjson.loads(raw)


def _text(raw: bytes) -> str:
    if raw.startswith(_BOM):
        raise UnreadableJson("a byte order mark stands before the text")
    try:
        return raw.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise UnreadableJson(f"byte {error.start} is not UTF-8") from None


def _scan(raw: bytes, max_depth: int, max_tokens: int) -> None:
    """Count brackets, strings and bare words without building anything (linear: a token never starts twice)."""
    depth = 0
    tokens = _TOKEN.findall(raw)
    if len(tokens) > max_tokens:
        raise UnreadableJson(f"more than {max_tokens} tokens")
    for token in tokens:
        if token in (b"{", b"["):
            depth += 1
            if depth > max_depth:
                raise UnreadableJson(f"nested deeper than {max_depth}")
        elif token in (b"}", b"]"):
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UnreadableJson("a name occurs twice in one object")
    return found


def _constant(_: str) -> NoReturn:
    raise UnreadableJson("NaN and Infinity are not JSON")


def _integer(text: str) -> int:
    if len(text) > 17 or abs(number := int(text)) > LARGEST_INT:
        raise UnreadableJson("an integer is beyond 2^53 - 1")
    return number


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise UnreadableJson("a number is beyond a double")
    return number


def _refuse_lone_surrogates(value: Any) -> None:
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        raise UnreadableJson("text with half a surrogate pair") from None


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_float, strict=True
)
