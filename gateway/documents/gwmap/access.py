"""Closures that walk the source: one name further, one item of a list.

Each function returns the cheapest closure for its case. A path proven to be there (`sure`) raises MAP-MISSING when
it is not, because then the record broke its own schema; any other missing path is simply empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.documents.gwmap.frame import SOURCE, Expr, Frame, Held, Run
from gateway.documents.gwmap.model import LeafError

_NO_ITEMS: Sequence[Any] = ()
_ABSENT: tuple[Any, ...] = (None, [])


def missing(path: str) -> LeafError:
    """The error of a required source field that is absent."""
    return LeafError("MAP-MISSING", f"required source field '{path}' is missing", path)


def getter(base: Expr, name: str, *, many: bool, sure: bool, path: str) -> Run:
    """`base.name` where the property itself is a list (`many`) or not."""
    if base.type.many:
        return _flattened(base.run, name) if many else _each(base.run, name)
    if sure:
        return _sure(base, name, path)
    if many:
        return _items(base.run, name)
    return _top(name) if base.path == "" else _next(base.run, name)


def _top(name: str) -> Run:
    def run(frame: Frame) -> Any:
        return frame[SOURCE].get(name)

    return run


def _next(base: Run, name: str) -> Run:
    def run(frame: Frame) -> Any:
        found = base(frame)
        return None if found is None else found.get(name)

    return _next_held(base.slot, name) if isinstance(base, Held) else run


def _next_held(slot: int, name: str) -> Run:
    def run(frame: Frame) -> Any:
        found = frame[slot]
        return None if found is None else found.get(name)

    return run


def _sure(base: Expr, name: str, path: str) -> Run:
    inner = base.run

    def run(frame: Frame) -> Any:
        found = inner(frame).get(name)
        if not found and found in _ABSENT:
            raise missing(path)
        return found

    if base.path == "":
        return _sure_held(SOURCE, name, path)
    return _sure_held(inner.slot, name, path) if isinstance(inner, Held) else run


def _sure_held(slot: int, name: str, path: str) -> Run:
    def run(frame: Frame) -> Any:
        found = frame[slot].get(name)
        if not found and found in _ABSENT:
            raise missing(path)
        return found

    return run


def _items(base: Run, name: str) -> Run:
    def run(frame: Frame) -> Sequence[Any]:
        found = base(frame)
        return _NO_ITEMS if found is None else (found.get(name) or _NO_ITEMS)

    return _items_held(base.slot, name) if isinstance(base, Held) else run


def _items_held(slot: int, name: str) -> Run:
    def run(frame: Frame) -> Sequence[Any]:
        found = frame[slot]
        return _NO_ITEMS if found is None else (found.get(name) or _NO_ITEMS)

    return run


def _each(base: Run, name: str) -> Run:
    def run(frame: Frame) -> Sequence[Any]:
        return [v for item in base(frame) if (v := item.get(name)) is not None]

    return run


def _flattened(base: Run, name: str) -> Run:
    def run(frame: Frame) -> Sequence[Any]:
        return [v for item in base(frame) for v in item.get(name) or _NO_ITEMS]

    return run


def nth(base: Run, position: int) -> Run:
    """`base[n]`; from the end when negative."""

    def run(frame: Frame) -> Any:
        found = base(frame)
        try:
            return found[position]
        except IndexError:
            return None

    return run


def only(base: Run, path: str) -> Run:
    """`base.single()`: the one item; more than one is an error."""

    def run(frame: Frame) -> Any:
        found = base(frame)
        if len(found) > 1:
            raise LeafError("MAP-VALUE", f"single() failed on '{path}': there is more than one item", path)
        return found[0] if found else None

    return run
