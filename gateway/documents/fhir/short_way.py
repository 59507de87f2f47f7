"""The short way to a clean bill: is a resource plain, and is all well with it? It says yes, or it says nothing.

1. Every resource of a Bundle meets the plain schema of its type first, in one stroke (`plain`, `gate`).
2. Then come the questions that no schema can answer: where references lead, and the rules of objects that have some.
   Types without questions are never looked at; nobody keeps track of the place, because nothing is said of it.
3. Profiles that a resource claims.

A yes means that the long way (`rules`) would find nothing. What is not plain, and what is wrong, goes the long way.
It refuses resources within resources, other than the entries of one Bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from gateway.documents.fhir import findings, plain, references
from gateway.documents.fhir.gate import Gate
from gateway.documents.fhir.object_rules import rules_of
from gateway.documents.fhir.profiles import Profiles
from gateway.documents.fhir.references import Around
from gateway.documents.fhir.table import Element, Table

Json: TypeAlias = dict[str, Any]
Test: TypeAlias = Callable[[Any, Around], bool]


class ShortWay:
    """Plain schemas and the tests of what they accept, compiled once."""

    def __init__(self, table: Table, profiles: Profiles) -> None:
        self._table, self._profiles = plain.plain(table), profiles
        self._gate = Gate(plain.schemas(self._table))
        self._alone = self._gate.types - {"Bundle"}
        self._asking = _asking(self._table)
        questions: dict[str, dict[str, Test]] = {owner: {} for owner in self._asking & self._table.types.keys()}
        self._tests = {owner: _test(asked, self._rules(owner)) for owner, asked in questions.items()}
        for owner, asked in questions.items():
            asked.update(self._asked(owner))
        del questions["Bundle.entry"]["resource"]
        questions["Bundle"]["entry"] = self._entries(self._tests["Bundle.entry"])

    def accepts(self, resource: Json) -> bool:
        """Is the resource, or the Bundle with all that it holds, plain and without fault?"""
        kind = resource["resourceType"]
        if kind in self._alone:
            return self._gate.accepts(resource) and self._keeps(resource, references.ALONE)
        return kind == "Bundle" and self._bundle(resource)

    def _bundle(self, bundle: Json) -> bool:
        if not self._gate.accepts(bundle):
            return False
        entries = [
            (entry.get("fullUrl"), entry["resource"]) for entry in bundle.get("entry", ()) if "resource" in entry
        ]
        resources = [resource for _, resource in entries]
        if not self._alone.issuperset([resource["resourceType"] for resource in resources]):
            return False
        return self._gate.accepts(*resources) and self._tests["Bundle"](bundle, references.around(bundle, entries))

    def _keeps(self, resource: Json, places: Around) -> bool:
        """Are the rules kept by a resource of plain form?"""
        test = self._tests.get(resource["resourceType"])
        if test is not None and not test(resource, places):
            return False
        claims = "meta" in resource and "profile" in resource["meta"]
        return not claims or not any(self._profiles.check(resource, (None, "", None), places))

    # ── compiling ────────────────────────────────────────────────────────────────────────────────────────────────────
    def _rules(self, owner: str) -> tuple[Callable[[Mapping[str, Any]], bool], ...]:
        """Those that the plain form leaves open: it has no null in a list, and its extensions say one thing each."""
        settled = plain.SETTLED.get(owner, frozenset()) | {findings.EMPTY}
        return tuple(rule.holds for rule in rules_of(self._table, owner) if rule.code not in settled)

    def _asked(self, owner: str) -> dict[str, Test]:
        names = self._table.spellings(owner)
        return {name: self._question(e) for name, e in names.items() if e.kind in self._asking}

    def _question(self, element: Element) -> Test:
        if element.kind == "Resource":
            return _never
        test = self._leads(element) if element.kind == "Reference" else self._tests[element.kind]
        return _each(test) if element.many else test

    def _leads(self, element: Element) -> Test:
        """Does a reference lead to a type that the element allows?"""
        targets, known, trouble = frozenset(element.targets), self._table.resources, references.trouble
        accepted = known if not targets or "Resource" in targets else targets

        def leads(value: Json, places: Around) -> bool:
            text = value.get("reference")
            if (
                text is not None
                and places.entries.get(text) not in accepted
                and trouble(text, targets, places, {}, known)
            ):
                return False
            return "type" not in value or references.fits(value["type"], targets, known)

        return leads

    def _entries(self, whole: Test) -> Test:
        """Entries of a Bundle; one with only an address and a resource, the usual case, has no rules of its own."""

        def entries(value: list[Json], places: Around) -> bool:
            for entry in value:
                url, resource = entry.get("fullUrl"), entry.get("resource")
                if (url is None or resource is None or len(entry) > 2) and not whole(entry, places):
                    return False
                if url is not None and resource is not None and not references.full_url_fits(url, resource):
                    return False
                if resource is not None and not self._keeps(resource, places):
                    return False
            return True

        return entries


def _asking(table: Table) -> frozenset[str]:
    """Types that have rules, references, holes for resources, and whatever may hold one of them."""
    kinds = {owner: {element.kind for element in table.spellings(owner).values()} for owner in table.types}
    asking = {"Reference", "Resource"} | {owner for owner in kinds if rules_of(table, owner)}
    while more := {owner for owner in kinds if owner not in asking and kinds[owner] & asking}:
        asking |= more
    return frozenset(asking)


# ── tests; loops that say no at the first no are quicker than `all` with a generator ─────────────────────────────────
def _test(questions: Mapping[str, Test], rules: tuple[Callable[[Mapping[str, Any]], bool], ...]) -> Test:
    def test(value: Json, places: Around) -> bool:
        for name in value:
            if name in questions and not questions[name](value[name], places):
                return False
        for holds in rules:  # noqa: SIM110
            if not holds(value):
                return False
        return True

    return test


def _each(test: Test) -> Test:
    def each(values: list[Json], places: Around) -> bool:
        for value in values:  # noqa: SIM110
            if not test(value, places):
                return False
        return True

    return each


def _never(value: Any, places: Around) -> bool:
    return False
