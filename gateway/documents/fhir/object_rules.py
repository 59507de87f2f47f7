"""What must hold of one object by its type: the invariants of the standard, and what the element table says of names.

From the table: one spelling of a choice at most, one at least where it is required, and no null in a list of primitives
without its extension beside it. A rule gets an object whose form the first pass has accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.documents.fhir import findings
from gateway.documents.fhir.invariants import INVARIANTS, Invariant
from gateway.documents.fhir.table import Table

QUANTITIES = frozenset({"Age", "Duration", "Count", "Distance"})
"""Types that are quantities too, and keep their rules."""


def rules_of(table: Table, owner: str) -> tuple[Invariant, ...]:
    """The rules of a type; none for one that the table does not have."""
    if owner not in table.types:
        return ()
    found = [rule for rule in INVARIANTS if rule.owner == owner]
    found += [Invariant(owner, *r[1:]) for r in INVARIANTS if r.owner == "Quantity" and owner in QUANTITIES]
    found += _choice_rules(table, owner)
    lists = _primitive_lists(table, owner)
    return tuple(found) + ((_paired(owner, lists),) if lists else ())


def _choice_rules(table: Table, owner: str) -> list[Invariant]:
    return [rule for name, spellings in table.choices(owner) for rule in _choice(table, owner, name, spellings)]


def _choice(table: Table, owner: str, name: str, spellings: tuple[str, ...]) -> list[Invariant]:
    names = frozenset(spellings) | {"_" + s for s in spellings}
    needed = owner == "Extension" or table.types[owner]["elements"][name]["min"] > 0
    if owner == "Extension":
        names |= {"extension"}

    required = sum(len(spelt) == 1 for _, spelt in table.required(owner)) + (owner in table.exchanged)  # resourceType

    def at_most_one(value: Mapping[str, Any]) -> bool:
        if len(value) < required + 2:  # room for one more than what must be there: the usual case, decided first
            return True
        hits = names.intersection(value)
        return len(hits) < 2 or len({h.removeprefix("_") for h in hits}) < 2

    def at_least_one(value: Mapping[str, Any]) -> bool:
        return not names.isdisjoint(value)

    shown = "a value or extensions (ext-1)" if owner == "Extension" else name
    rules = [Invariant(owner, findings.DUPLICATE_CHOICE, at_most_one, f"only one of {shown} may stand here")]
    return rules + ([Invariant(owner, findings.MISSING, at_least_one, f"{shown} is missing")] if needed else [])


def _primitive_lists(table: Table, owner: str) -> list[str]:
    return [n for n, e in table.spellings(owner).items() if e.primitive and e.many]


def _paired(owner: str, lists: list[str]) -> Invariant:
    def holds(value: Mapping[str, Any]) -> bool:
        for name in lists:
            if name in value and None in value[name]:
                beside = value.get("_" + name, ())
                if any(v is None and (i >= len(beside) or beside[i] is None) for i, v in enumerate(value[name])):
                    return False
        return True

    return Invariant(owner, findings.EMPTY, holds, "a null in a list needs its extension beside it")
