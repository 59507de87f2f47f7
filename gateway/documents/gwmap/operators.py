"""Operators of the FHIRPath subset as closures: empty propagates, `and`/`or` have three values, numbers are exact.

Source: hl7.org/fhirpath/N1, sections 6.1 (equality), 6.2 (comparison), 6.3 (boolean logic), 6.6 (math).
Decimals are computed as `Decimal` and handed on as the nearest double, which prints what a person would write.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import Decimal
from math import isfinite
from typing import Any

from gateway.documents.gwmap.frame import Expr, Frame, Run
from gateway.documents.gwmap.functions import moment
from gateway.documents.gwmap.model import LeafError

_EXACT = 2**53

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compared(op: str, left: Expr, right: Expr, *, moments: bool) -> Run:
    """`left op right`; empty when a side is empty. `moments`: compare instants, not text."""
    do, a, b = _COMPARE[op], left.run, right.run
    if right.constant and not moments:
        return _with_constant(do, a, b([]))

    def run(frame: Frame) -> bool | None:
        x, y = a(frame), b(frame)
        if x is None or y is None:
            return None
        return do(moment(x), moment(y)) if moments else do(x, y)

    return run


def _with_constant(do: Callable[[Any, Any], bool], a: Run, y: Any) -> Run:
    if y is None:
        return lambda _: None

    def run(frame: Frame) -> bool | None:
        x = a(frame)
        return None if x is None else do(x, y)

    return run


def both(left: Run, right: Run) -> Run:
    """`and` with three values."""

    def run(frame: Frame) -> bool | None:
        x = left(frame)
        if x is False:
            return False
        y = right(frame)
        if y is False:
            return False
        return True if x and y else None

    return run


def either(left: Run, right: Run) -> Run:
    """`or` with three values."""

    def run(frame: Frame) -> bool | None:
        x = left(frame)
        if x is True:
            return True
        y = right(frame)
        if y is True:
            return True
        return None if x is None or y is None else False

    return run


def member(left: Run, right: Run) -> Run:
    """`left in right`: empty when left is empty, false when right is."""

    def run(frame: Frame) -> bool | None:
        x = left(frame)
        return None if x is None else x in right(frame)

    return run


def concat(parts: tuple[Expr, ...]) -> Run:
    """`a & b & …`: empty parts count as no text. Neighbouring constants are merged."""
    pieces: list[str | Run] = []
    for part in parts:
        if not part.constant:
            pieces.append(part.run)
            continue
        text = part.run([]) or ""
        if pieces and isinstance(pieces[-1], str):
            pieces[-1] += text
        else:
            pieces.append(text)
    return _joined(pieces)


def _joined(pieces: list[str | Run]) -> Run:
    match pieces:
        case [str(head), run] if not isinstance(run, str):
            return _prefixed(head, run)
        case [run, str(tail)] if not isinstance(run, str):
            return _suffixed(run, tail)
    texts = [piece if isinstance(piece, str) else "" for piece in pieces]
    return _filled(texts, tuple((i, piece) for i, piece in enumerate(pieces) if not isinstance(piece, str)))


def _prefixed(head: str, run: Run) -> Run:
    return lambda frame: head + (run(frame) or "")


def _suffixed(run: Run, tail: str) -> Run:
    return lambda frame: (run(frame) or "") + tail


def _filled(texts: list[str], runs: tuple[tuple[int, Run], ...]) -> Run:
    """Constant texts, with places for the others between them."""

    def run(frame: Frame) -> str:
        found = texts.copy()
        for place, text in runs:
            found[place] = text(frame) or ""
        return "".join(found)

    return run


def calculated(op: str, left: Run, right: Run) -> Run:
    """`+ - * / div mod`, and `+` of texts; empty when a side is empty or the divisor is 0."""
    do = _MATH[op]

    def run(frame: Frame) -> Any:
        x, y = left(frame), right(frame)
        return None if x is None or y is None else _writable(do(x, y))

    return run


def _writable(found: Any) -> Any:
    """What was computed, if JSON can hold it: integers as I-JSON has them (RFC 7493), no infinity."""
    if (isinstance(found, int) and abs(found) >= _EXACT) or (isinstance(found, float) and not isfinite(found)):
        raise LeafError("MAP-VALUE", "what comes out is beyond the numbers of JSON")
    return found


def _exact(do: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def run(x: Any, y: Any) -> Any:
        if isinstance(x, float) or isinstance(y, float):
            return float(do(Decimal(str(x)), Decimal(str(y))))
        return do(x, y)

    return run


def _divide(x: Any, y: Any) -> float | int | None:
    if y == 0:
        return None
    found = Decimal(str(x)) / Decimal(str(y))
    return int(found) if found == found.to_integral_value() else float(round(found, 8))


def _div(x: Any, y: Any) -> int | None:
    return None if y == 0 else int(Decimal(str(x)) // Decimal(str(y)))


def _mod(x: Any, y: Any) -> Any:
    if y == 0:
        return None
    found = Decimal(str(x)) % Decimal(str(y))
    return int(found) if isinstance(x, int) and isinstance(y, int) else float(found)


_MATH = {
    "+": _exact(operator.add),
    "-": _exact(operator.sub),
    "*": _exact(operator.mul),
    "/": _divide,
    "div": _div,
    "mod": _mod,
}


def negative(operand: Run) -> Run:
    """`-x`."""

    def run(frame: Frame) -> Any:
        x = operand(frame)
        return None if x is None else -x

    return run
