"""The run-time frame and the expression that runs on it.

A frame is a list: the source, the notes (what was left out on purpose), the steps taken, then one slot for each
parameter, let, loop variable and `$this`. Closures read slots by position; nothing is looked up by name at run time.
An empty value is None when one value is meant and a sequence without items when a list is meant; types tell which.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from gateway.documents.gwmap import limits
from gateway.documents.gwmap.model import At, Finding, LeafError, Severity
from gateway.documents.gwmap.shapes import ANY, Type

Frame = list[Any]
Run = Callable[[Frame], Any]
SOURCE: Final = 0
NOTES: Final = 1
STEPS: Final = 2
FIRST_SLOT: Final = 3


class Held:
    """Reads a slot. A closure that would call it reads the slot itself instead, where it is called often."""

    __slots__ = ("slot",)

    def __init__(self, slot: int) -> None:
        self.slot = slot

    def __call__(self, frame: Frame) -> Any:
        """What stands in the slot."""
        return frame[self.slot]


# What a closure may raise when a record is not what its schema says; becomes an issue, never a crash.
RUN_ERRORS = (LeafError, KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError)


class Note(NamedTuple):
    """Something left out on purpose while a leaf was computed."""

    severity: Severity
    detail: str
    text: str
    path: str


@dataclass(frozen=True, slots=True)
class Expr:
    """A compiled expression: its type, its closure, and what it depends on.

    `path`: the source path it stands for, still open for more names ('' the whole source, None no path).
    `uses`: source paths it depends on besides; `via`: lets; `tables`: code tables.
    """

    type: Type
    run: Run
    path: str | None = None
    uses: frozenset[str] = frozenset()
    via: frozenset[str] = frozenset()
    tables: frozenset[str] = frozenset()
    constant: bool = False

    def sources(self) -> frozenset[str]:
        """Every source path that can change the value; `*` is the whole source."""
        return self.uses if self.path is None else self.uses | {self.path or "*"}

    def whole(self) -> Expr:
        """The same, handed on as one: an object takes all its parts along, under whatever name comes after it."""
        if self.type.walk is None or not self.path:
            return self
        parts = self.type.walk.properties() or ("*",)
        return replace(self, uses=self.uses | {f"{self.path}.{name}" for name in parts})

    def called(self) -> str:
        """How a text names it."""
        return f"'{self.path}'" if self.path else "the value"


def constant(value: Any, kind: Type) -> Expr:
    """An expression that is always `value`."""
    return Expr(kind, lambda _: value, constant=True)


NOTHING = Expr(ANY, lambda _: None)


def together(*parts: Expr) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """uses, via and tables of several expressions."""
    return (
        frozenset().union(*(p.sources() for p in parts)),
        frozenset().union(*(p.via for p in parts)),
        frozenset().union(*(p.tables for p in parts)),
    )


def derived(kind: Type, run: Run, *parts: Expr) -> Expr:
    """An expression computed from others; constant when they are, and then computed once."""
    uses, via, tables = together(*parts)
    if parts and all(p.constant for p in parts):
        try:
            value = run([{}, [], 0])
        except RUN_ERRORS:
            return Expr(kind, run, None, uses, via, tables)
        return Expr(kind, lambda _: value, None, uses, via, tables, constant=True)
    return Expr(kind, run, None, uses, via, tables)


def spend(frame: Frame, steps: int) -> None:
    """Count steps of loops; a run that takes too many is stopped."""
    frame[STEPS] += steps
    if frame[STEPS] > limits.STEPS:
        raise LeafError("MAP-LIMIT", f"the map took more than {limits.STEPS} steps")


def as_list(expr: Expr) -> Callable[[Frame], Sequence[Any]]:
    """The closure of an expression, always giving a sequence."""
    run = expr.run
    if expr.type.many:
        return run

    def one(frame: Frame) -> Sequence[Any]:
        value = run(frame)
        return () if value is None else (value,)

    return one


@dataclass(slots=True)
class Report:
    """Collects findings while a map is compiled; knows where the compiler is."""

    findings: list[Finding] = field(default_factory=list)
    at: At = field(default_factory=lambda: At("", 1))
    target: str = ""

    def add(self, code: str, text: str, hint: str = "", *, severity: Severity = Severity.ERROR) -> None:
        """Keep one finding at the present place."""
        found = Finding(self.at.file, self.at.line, code, severity, text, hint, self.target)
        if found not in self.findings:
            self.findings.append(found)

    def warn(self, code: str, text: str, hint: str = "") -> None:
        """Keep one warning."""
        self.add(code, text, hint, severity=Severity.WARNING)
