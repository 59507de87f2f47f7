"""What no schema can say, as closures compiled once from the element table and the invariants (no `eval`).

Per type there is a table of *acts*: name → what to do with that element. Names without an act are never looked at. A
*calm* type (`Coding`, `CodeableConcept`, `Identifier`, `HumanName` …) has no rules of its own: it is visited only if it
holds something loud, such as an extension, a period or a reference. So most elements cost one look at their names.

Found here: days that do not exist, inverted periods, two spellings of one choice, references that lead to the wrong
type or nowhere, elements that hold only an id, nulls without their extension, padding of base64, invariants.

It refuses to look at what the first pass has not accepted: every object has the form that the strict schema demands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from gateway.documents.fhir import dates, findings, references
from gateway.documents.fhir.findings import Finding, Trail, spell
from gateway.documents.fhir.invariants import INVARIANTS, Invariant
from gateway.documents.fhir.object_rules import QUANTITIES, rules_of
from gateway.documents.fhir.primitives import DATES
from gateway.documents.fhir.table import Element, Table

Json: TypeAlias = dict[str, Any]
Visit: TypeAlias = Callable[[Json, Trail, "Scope"], None]
Act: TypeAlias = Callable[[Any, Trail, str, "Scope"], None]
Nested: TypeAlias = Callable[[Json, Trail, "Scope"], None]
Quiet: TypeAlias = Callable[[Any], bool]

_DEEP = 3  # rounds in which calm types may build on calm types


class Scope:
    """One run: what has been found, and what references of the resource at hand can lead to."""

    __slots__ = ("around", "contained", "found", "nested")

    def __init__(self, found: list[Finding], nested: Nested, around: references.Around = references.ALONE) -> None:
        self.found, self.nested, self.around = found, nested, around
        self.contained: dict[str, str] = {}

    def add(self, trail: Trail, code: str, sentence: str) -> None:
        """Keep a finding."""
        self.found.append(Finding(spell(trail), code, sentence))


class SecondPass:
    """Compiled visits, one per type."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._acts: dict[str, dict[str, Act]] = {owner: {} for owner in table.types}
        self._acts["Element"] = {}
        self._quiet = _calm_types(table)
        self._visits: dict[str, Visit] = {o: _visit(acts, rules_of(table, o)) for o, acts in self._acts.items()}
        for owner in table.types:
            self._acts[owner].update(self._acts_of(owner))
        self._acts["Element"]["extension"] = _each(self._visits["Extension"])
        self._acts["Bundle"]["entry"] = _entries(self._visits["Bundle.entry"])

    def visit(self, resource: Json, trail: Trail, scope: Scope) -> None:
        """Walk a resource whose form is right. Its findings go to `scope`."""
        self._visits[resource["resourceType"]](resource, trail, scope)

    # ── compiling ────────────────────────────────────────────────────────────────────────────────────────────────────
    def _acts_of(self, owner: str) -> dict[str, Act]:
        acts: dict[str, Act] = {}
        for name, element in self._table.spellings(owner).items():
            act = self._act(element)
            if act is not None:
                acts[name] = act
            if element.primitive and name != "id":
                acts["_" + name] = _shadow(self._visits["Element"])
        if owner not in self._table.exchanged:
            acts["id"] = _noticed  # a visit looks at an element that has one, see `_visit`
        return acts

    def _act(self, element: Element) -> Act | None:
        if element.kind == "Resource":
            return _whole(many=element.many)
        if element.kind == "Reference":
            refer = self._refer(frozenset(element.targets))
            return _each(refer) if element.many else _single(refer)
        if element.kind in DATES:
            return _dates if element.many else _date
        if element.kind == "base64Binary":
            return _base64
        if element.primitive:
            return None
        visit, quiet = self._visits[element.kind], self._quiet.get(element.kind)
        if quiet is not None:
            return _each_loud(visit, quiet) if element.many else _single_loud(visit, quiet)
        return _each(visit) if element.many else _single(visit)

    def _refer(self, targets: frozenset[str]) -> Visit:
        whole, known = self._visits["Reference"], self._table.resources
        accepted = known if not targets or "Resource" in targets else targets
        keys = frozenset({"identifier", "extension", "_reference", "_display", "_type", "id"})

        def refer(value: Json, trail: Trail, scope: Scope) -> None:
            text = value.get("reference")
            if text is not None and scope.around.entries.get(text) not in accepted:
                wrong = references.trouble(text, targets, scope.around, scope.contained, known)
                if wrong is not None:
                    scope.add(trail, *wrong)
            if text is not None and len(value) == 1:
                return
            if "type" in value and not references.fits(value["type"], targets, known):
                scope.add(trail, findings.WRONG_TARGET, "type names a resource that is no target here")
            if not keys.isdisjoint(value):
                whole(value, trail, scope)

        return refer


# ── visits ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _visit(acts: dict[str, Act], rules: tuple[Invariant, ...]) -> Visit:
    checks = tuple((rule.holds, rule.code, rule.sentence) for rule in rules)

    def visit(value: Json, trail: Trail, scope: Scope) -> None:
        for name in value:
            if name in acts:
                act = acts[name]
                if act is _noticed:
                    _only_id(value, trail, scope)
                else:
                    act(value[name], trail, name, scope)
        for holds, code, sentence in checks:
            if not holds(value):
                scope.add(trail, code, sentence)

    return visit


def _calm_types(table: Table) -> dict[str, Quiet]:
    """Types without rules of their own, each with a test: is there nothing in this value that asks for a visit?"""
    ruled = {rule.owner for rule in INVARIANTS} | QUANTITIES | {"Extension", "Reference"} | set(table.exchanged)
    calm = [owner for owner in table.types if owner not in ruled and not list(table.choices(owner))]
    found: dict[str, Quiet] = {}
    for _ in range(_DEEP):
        found = {owner: _quiet(table, owner, found) for owner in calm}
    return found


def _quiet(table: Table, owner: str, calm: dict[str, Quiet]) -> Quiet:
    loud = {"id"}
    inner: list[tuple[str, bool, Quiet]] = []
    for name, element in table.spellings(owner).items():
        if element.primitive:
            loud |= {"_" + name} | ({name} if element.kind in DATES or element.kind == "base64Binary" else set())
            if element.many:
                inner.append((name, False, _without_null))
        elif element.kind in calm:
            inner.append((name, element.many, calm[element.kind]))
        else:
            loud.add(name)
    return _tested(frozenset(loud), tuple(inner))


def _tested(loud: frozenset[str], inner: tuple[tuple[str, bool, Quiet], ...]) -> Quiet:
    if not inner:
        return loud.isdisjoint

    def quiet(value: Any) -> bool:
        if not loud.isdisjoint(value):
            return False
        for name, many, test in inner:
            child = value.get(name)
            if child is None:
                continue
            if not many:
                if not test(child):
                    return False
            else:
                for item in child:
                    if not test(item):
                        return False
        return True

    return quiet


def _without_null(values: Any) -> bool:
    return None not in values


def _only_id(value: Json, trail: Trail, scope: Scope) -> None:
    if len(value) == 1:
        scope.add(trail, findings.EMPTY, "holds nothing but an id (ele-1)")


# ── acts ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _single(visit: Visit) -> Act:
    def act(child: Any, trail: Trail, name: str, scope: Scope) -> None:
        visit(child, (trail, name, None), scope)

    return act


def _each(visit: Visit) -> Act:
    def act(child: Any, trail: Trail, name: str, scope: Scope) -> None:
        for index, item in enumerate(child):
            visit(item, (trail, name, index), scope)

    return act


def _single_loud(visit: Visit, quiet: Quiet) -> Act:
    def act(child: Any, trail: Trail, name: str, scope: Scope) -> None:
        if not quiet(child):
            visit(child, (trail, name, None), scope)

    return act


def _each_loud(visit: Visit, quiet: Quiet) -> Act:
    def act(child: Any, trail: Trail, name: str, scope: Scope) -> None:
        for index, item in enumerate(child):
            if not quiet(item):
                visit(item, (trail, name, index), scope)

    return act


def _whole(*, many: bool) -> Act:
    def act(child: Any, trail: Trail, name: str, scope: Scope) -> None:
        for index, item in enumerate(child if many else [child]):
            scope.nested(item, (trail, name, index if many else None), scope)

    return act


def _entries(visit: Visit) -> Act:
    """Entries of a Bundle. One with only an address and a resource, the usual case, is not walked itself."""

    def act(child: Any, trail: Trail, name: str, scope: Scope) -> None:
        for index, entry in enumerate(child):
            url, resource = entry.get("fullUrl"), entry.get("resource")
            fits = url is None or resource is None or references.full_url_fits(url, resource)
            if not fits:
                scope.add(
                    (trail, name, index), findings.FULL_URL, "fullUrl does not end with the type and id of the resource"
                )
            if fits and len(entry) == 2 and resource is not None and url is not None:
                scope.nested(resource, ((trail, name, index), "resource", None), scope)
            else:
                visit(entry, (trail, name, index), scope)

    return act


def _shadow(visit: Visit) -> Act:
    def act(child: Any, trail: Trail, name: str, scope: Scope) -> None:
        for index, item in enumerate(child if isinstance(child, list) else [child]):
            if item is not None:
                visit(item, (trail, name, index if isinstance(child, list) else None), scope)

    return act


def _date(child: Any, trail: Trail, name: str, scope: Scope) -> None:
    if child[8:10] > dates.SURE and not dates.exists(child):
        scope.add((trail, name, None), findings.BAD_DATE, "is no day of the calendar")


def _dates(child: Any, trail: Trail, name: str, scope: Scope) -> None:
    for index, item in enumerate(child):
        if item is not None and not dates.exists(item):
            scope.add((trail, name, index), findings.BAD_DATE, "is no day of the calendar")


def _base64(child: Any, trail: Trail, name: str, scope: Scope) -> None:
    for item in child if isinstance(child, list) else [child]:
        if len("".join(item.split())) % 4:
            scope.add((trail, name, None), findings.BAD_FORM, "is not whole base64")


def _noticed(child: Any, trail: Trail, name: str, scope: Scope) -> None:
    """Stands for `id` in a table of acts; `_visit` judges the object that has it."""
