"""The floor under a map: one bare dictionary literal that makes the same document.

It is made from a document that the map made: text, numbers and truth values that stand word for word in the source are
read from there, one subscript after the other; everything else is a constant, also what the map had to compute. So the
floor is lower than any program that works. Refuses to be faster by sharing: every object and list is built anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Literal = Callable[[Mapping[str, Any]], Any]


def literal(document: Any, source: Mapping[str, Any]) -> Literal:
    """A function of one expression: from `source` to a document equal to `document`."""
    known = {value: path for path, value in _leaves(source, "s") if isinstance(value, str) and len(value) > 3}
    space: dict[str, Any] = {}
    exec(f"def literal(s):\n    return {_text(document, known)}\n", space)  # noqa: S102 - text made from our own data
    made: Literal = space["literal"]
    if made(source) != document:
        raise AssertionError("the bare literal makes another document")
    return made


def _text(value: Any, known: Mapping[str, str]) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{k!r}:{_text(v, known)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_text(v, known) for v in value) + "]"
    return known.get(value, repr(value)) if isinstance(value, str) else repr(value)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}[{key!r}]")
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{at}]")
    else:
        yield path, value
