"""Conditions over facts, as the definitions under `mappings/measures/` write them; every answer is yes, no or unknown.

A condition is a mapping of fact names to tests, all of which must hold. A test is

    value                    the fact equals it
    [value, …]               the fact is one of them
    {is: value}              the same, with options
    {not: value}             the fact is something else
    {below: n}               less than n          {atLeast: n}   n or more
    … absent: true|false     what a missing fact counts as; without it the answer is unknown

Refuses unknown words at load, so that a misspelt fact cannot make a rule silently never hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from gateway.errors import DataFileInvalid, Place

Fact = str | bool | int | Decimal
Facts = Mapping[str, Fact]
_TESTS = ("is", "not", "below", "atLeast")


class Test(NamedTuple):
    """One test of one fact. `absent` None: a missing fact makes the answer unknown."""

    fact: str
    kind: str
    values: tuple[Fact, ...]
    absent: bool | None

    def ask(self, facts: Facts) -> bool | None:
        """Return yes, no or unknown."""
        if self.fact not in facts:
            return self.absent
        value = facts[self.fact]
        if self.kind in ("below", "atLeast"):
            below = Decimal(value) < Decimal(self.values[0])
            return below if self.kind == "below" else not below
        return (value in self.values) is (self.kind == "is")


class Condition(NamedTuple):
    """Tests that must all hold."""

    tests: tuple[Test, ...]

    def ask(self, facts: Facts) -> bool | None:
        """Return no as soon as one test says no, else unknown if one is unknown, else yes."""
        return all_of(test.ask(facts) for test in self.tests)


def all_of(answers: Iterable[bool | None]) -> bool | None:
    """Return the conjunction in Kleene's logic: no beats unknown beats yes."""
    seen = set(answers)
    return False if False in seen else None if None in seen else True


def any_of(answers: Iterable[bool | None]) -> bool | None:
    """Return the disjunction in Kleene's logic: yes beats unknown beats no."""
    seen = set(answers)
    return True if True in seen else None if None in seen else False


def parse(written: Any, known: frozenset[str], place: Place) -> Condition:
    """Read a condition as written in a definition; raises `DataFileInvalid` naming the place."""
    if not isinstance(written, Mapping):
        raise DataFileInvalid("a condition is a mapping of fact names to tests", place=place)
    return Condition(tuple(_test(str(fact), test, known, place) for fact, test in written.items()))


def _test(fact: str, written: Any, known: frozenset[str], place: Place) -> Test:
    if fact not in known:
        raise DataFileInvalid("a condition names a fact that does not exist", place=place)
    options = dict(written) if isinstance(written, Mapping) else {"is": written}
    absent = options.pop("absent", None)
    if len(options) != 1 or next(iter(options)) not in _TESTS or absent not in (None, True, False):
        raise DataFileInvalid("a test is one of is, not, below, atLeast, with absent at most", place=place)
    kind, value = next(iter(options.items()))
    values = tuple(value) if isinstance(value, list) else (value,)
    if kind in ("below", "atLeast"):
        values = (_number(value, place),)
    if not values or not all(isinstance(v, str | bool | int | Decimal) for v in values):
        raise DataFileInvalid("a test compares with text, yes/no or a number", place=place)
    return Test(fact, kind, values, absent)


def _number(value: Any, place: Place) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise DataFileInvalid("a limit is a number", place=place) from None
