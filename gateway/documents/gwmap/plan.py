"""From template to plan: every leaf compiled and typed, every target place checked (S4 to S7), lineage collected.

A plan is the template with shapes settled; `fast` turns it into closures, `trace` walks it slowly to say what happened.
`sure` means proven never empty; `dynamic` means there is an expression below.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from gateway.documents.gwmap import fitting
from gateway.documents.gwmap.expressions import Expressions, Scope
from gateway.documents.gwmap.frame import Expr, as_list
from gateway.documents.gwmap.model import At, Lineage, a, did_you_mean
from gateway.documents.gwmap.shapes import Type
from gateway.documents.gwmap.targets import OPEN, ElementTable, Shape
from gateway.documents.gwmap.template import Choice, Constant, Items, Leaf, Loop, Object, Rule


@dataclass(frozen=True, slots=True)
class PConstant:
    """A scalar that is always written."""

    value: Any
    target: str
    at: At
    dynamic: bool = False
    sure: bool = True
    listed: bool = False


@dataclass(frozen=True, slots=True)
class PLeaf:
    """An expression that is written where it is not empty."""

    expr: Expr
    rule: str
    target: str
    at: At
    written: str
    sure: bool
    listed: bool
    forgiving: bool  # policy onValueError: omit
    dynamic: bool = True


@dataclass(frozen=True, slots=True)
class PObject:
    """An object. `must`: names of which one has to be there; `carrier`: pointless without its resource."""

    items: tuple[tuple[str, Plan], ...]
    keep: bool
    must: tuple[tuple[str, ...], ...]
    carrier: bool
    target: str
    at: At
    rule: str
    dynamic: bool
    sure: bool
    listed: bool = False


@dataclass(frozen=True, slots=True)
class PList:
    """A list; items that are `listed` are put in one by one."""

    items: tuple[Plan, ...]
    target: str
    dynamic: bool
    sure: bool
    listed: bool = True


@dataclass(frozen=True, slots=True)
class PChoice:
    """`$if`."""

    test: Expr
    written: str
    then: Plan
    other: Plan | None
    target: str
    at: At
    sure: bool
    listed: bool
    dynamic: bool = True


@dataclass(frozen=True, slots=True)
class PLoop:
    """`$for`; `slot` holds the item, `slot + 1` its index; `criteria` is `where` as written."""

    slot: int
    over: Expr
    where: Expr | None
    body: Plan
    target: str
    at: At
    written: str
    criteria: str
    weight: int
    sure: bool
    listed: bool = True
    dynamic: bool = True


Plan: TypeAlias = PConstant | PLeaf | PObject | PList | PChoice | PLoop


def below(plan: Plan) -> Iterator[Plan]:
    """A plan and everything under it."""
    yield plan
    match plan:
        case PObject(items=items):
            for _, child in items:
                yield from below(child)
        case PList(items=children):
            for child in children:
                yield from below(child)
        case PChoice(then=then, other=other):
            yield from below(then)
            if other is not None:
                yield from below(other)
        case PLoop(body=body):
            yield from below(body)


def may_be_quiet(plan: Plan) -> bool:
    """A list with constant items that are written even when all its expressions are empty; also one under `$if`."""
    if isinstance(plan, PChoice):
        return may_be_quiet(plan.then) or (plan.other is not None and may_be_quiet(plan.other))
    if not isinstance(plan, PList) or not plan.dynamic or all(p.dynamic for p in plan.items):
        return False
    return not any(p.dynamic and p.sure for p in plan.items)


def uses(plan: Plan) -> frozenset[str]:
    """Every source path that decides about anything under a plan."""
    found: set[str] = set()
    for part in below(plan):
        match part:
            case PLeaf(expr=expr):
                found |= expr.sources()
            case PChoice(test=test):
                found |= test.sources()
            case PLoop(over=over, where=where):
                found |= over.sources() | (where.sources() if where else frozenset())
    return frozenset(found)


@dataclass(slots=True)
class _Record:
    """Lineage while it is collected. `open`: a constant whose presence is not yet tied to anything."""

    target: str
    rule: str
    at: At
    written: str
    expr: Expr | None
    guards: set[str]
    open: bool

    def done(self) -> Lineage:
        expr = self.expr
        return Lineage(
            self.target,
            tuple(sorted(expr.sources())) if expr else (),
            tuple(sorted(self.guards)),
            self.rule,
            str(self.at),
            self.written,
            tuple(sorted(expr.via)) if expr else (),
            tuple(sorted(expr.tables)) if expr else (),
        )


@dataclass(slots=True)
class Planner:
    """Builds the plan of one map."""

    ex: Expressions
    fhir: ElementTable | None
    records: list[_Record] = field(default_factory=list)
    _guards: frozenset[str] = frozenset()
    _prefix: tuple[str, str] = ("", "")  # rule name, target it was given at
    _count: int = 0
    _named: dict[str, int] = field(default_factory=dict)
    _depth: int = 0
    _needed: bool = True  # whether every document must hold what is being planned

    def plan(self, rule: Rule, shape: Shape, target: str, scope: Scope) -> Plan:
        """The plan of a rule written at `target`, which takes `shape`."""
        self.ex.report.at, self.ex.report.target = rule.at, target
        if isinstance(rule, Items):
            return self._items(rule, shape, target, scope)
        made = self._one(rule, shape, target, scope)
        if shape.many and not made.listed:
            self.ex.report.at, self.ex.report.target = rule.at, target
            self.ex.report.add("S5", f"'{_last(target)}' is a list: write its items with '-' or in [ ]")
        return made

    def _one(self, rule: Rule, shape: Shape, target: str, scope: Scope) -> Plan:
        match rule:
            case Constant(at, value):
                fitting.constant(self.ex.report, value, shape)
                self._record(target, at, repr(value), None)
                return PConstant(value, target, at)
            case Leaf():
                return self._leaf(rule, shape, target, scope)
            case Object():
                return self._object(rule, shape.item(), target, scope)
            case Choice():
                return self._choice(rule, shape, target, scope)
            case Loop():
                return self._loop(rule, shape, target, scope)
            case _:
                return self._items(rule, shape, target, scope)

    def lineage(self) -> tuple[Lineage, ...]:
        """What was collected, in the order of the template."""
        return tuple(r.done() for r in self.records)

    def _record(self, target: str, at: At, written: str, expr: Expr | None) -> str:
        self._count += 1
        name, base = self._prefix
        rule = self._own(f"{name}{target.removeprefix(base)}") if name else f"r{self._count}"
        self.records.append(_Record(target, rule, at, written, expr, set(self._guards), expr is None))
        return rule

    def _own(self, rule: str) -> str:
        """A name that no other rule has: of two at one target (two loops, both branches) the second is `name#2`."""
        times = self._named[rule] = self._named.get(rule, 0) + 1
        return rule if times == 1 else f"{rule}#{times}"

    # ── leaves ────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _leaf(self, rule: Leaf, shape: Shape, target: str, scope: Scope) -> PLeaf:
        expr = self.ex.expr(rule.node, scope).whole()
        fitting.leaf(self.ex.report, expr, shape, fhir=self.fhir is not None)
        name = self._record(target, rule.at, rule.written, expr)
        forgiving = self.ex.policy.get("onValueError") == "omit"
        sure = expr.type.sure and not forgiving
        return PLeaf(expr, name, target, rule.at, rule.written, sure, expr.type.many, forgiving)

    # ── objects ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def _object(self, rule: Object, shape: Shape, target: str, scope: Scope) -> PObject:
        shape = self._resource(rule, shape)
        if shape.kind not in ("object", "any"):
            self.ex.report.add("S5", f"'{_last(target)}' is {a(shape.name)}, an object is given")
            shape = OPEN
        kept = self._prefix
        if rule.rule:
            self._prefix = (rule.rule, target)
        start = len(self.records)
        self._depth += 1
        items = tuple((n, self._child(n, r, shape, target, scope)) for n, r in rule.items.items())
        self._prefix = kept
        self.ex.report.at, self.ex.report.target = rule.at, target
        self._choices(items, shape)
        dynamic = any(p.dynamic for _, p in items)
        carrier = any(n == "resource" and p.dynamic and isinstance(p, PObject) for n, p in items)
        self._tie(items, start, carrier=carrier, dynamic=dynamic)
        self._depth -= 1
        must = self._must(items, shape, target)
        sure = rule.keep or not dynamic or any(p.dynamic and p.sure and not may_be_quiet(p) for _, p in items)
        if carrier:
            sure = dict(items)["resource"].sure
        return PObject(items, rule.keep, must, carrier, target, rule.at, rule.rule, dynamic, sure)

    def _resource(self, rule: Object, shape: Shape) -> Shape:
        """The shape of the resource an object says it is."""
        if shape.name != "Resource" or self.fhir is None:
            return shape
        kind = rule.items.get("resourceType")
        if not isinstance(kind, Constant):
            self.ex.report.add("S5", "a resource needs its 'resourceType' as a constant")
            return OPEN
        if kind.value not in self.fhir.types:
            known = [t for t in self.fhir.types if "." not in t]
            self.ex.report.add("S5", f"there is no resource '{kind.value}'", did_you_mean(str(kind.value), known))
            return OPEN
        return self.fhir.shape(str(kind.value))

    def _child(self, name: str, rule: Rule, shape: Shape, target: str, scope: Scope) -> Plan:
        place = f"{target}.{name}" if target else name
        child = OPEN if shape.members is None else shape.members.child(name)
        if child is None:
            self.ex.report.at, self.ex.report.target = rule.at, place
            known = shape.members.names() if shape.members else ()
            self.ex.report.add(
                "S5", f"target element '{name}' does not exist in {shape.name}", did_you_mean(name, known)
            )
            child = OPEN
        if child is OPEN or child.kind == "any":
            child = replace(child, many=isinstance(rule, Items))
        outer = self._needed
        self._needed = outer and any(name in names for names in (shape.members.required() if shape.members else ()))
        made = self.plan(rule, child, place, scope)
        self._needed = outer
        return made

    def _choices(self, items: tuple[tuple[str, Plan], ...], shape: Shape) -> None:
        taken: dict[str, str] = {}
        for name, _ in items:
            choice = shape.members.choice_of(name) if shape.members else ""
            if choice and choice in taken:
                self.ex.report.add("S5", f"'{taken[choice]}' and '{name}' are both '{choice}': only one may be written")
            taken[choice] = name

    def _tie(self, items: tuple[tuple[str, Plan], ...], start: int, *, carrier: bool, dynamic: bool) -> None:
        """Constants of an object are there when anything dynamic in it is; an entry is when its resource is."""
        if not dynamic or self._depth == 1:  # a root that is empty is an error, not an omission
            return
        decided = frozenset().union(*(uses(p) for _, p in items if p.dynamic))
        carried = uses(dict(items)["resource"]) if carrier else frozenset()
        for record in self.records[start:]:
            if record.open:
                record.guards |= decided
                record.open = False
            record.guards |= carried if record.expr is not None else frozenset()

    def _must(self, items: tuple[tuple[str, Plan], ...], shape: Shape, target: str) -> tuple[tuple[str, ...], ...]:
        """S6. A required name never written is an error; one that may be empty is checked at run time.

        It is warned of where every document needs it; what is optional as a whole is the analyst's choice.
        """
        written = dict(items)
        must: list[tuple[str, ...]] = []
        dynamic = [n for n, p in items if p.dynamic]
        for names in shape.members.required() if shape.members else ():
            found = [n for n in names if n in written]  # `_name`, a bare extension, is not enough for the FHIR gate
            shown = " or ".join(names) if len(names) < 4 else f"one of {names[0]}, {names[1]}, …"
            self.ex.report.target = f"{target}.{names[0]}" if target else names[0]
            if not found:
                self.ex.report.add("S6", f"'{shown}' is required in {shape.name} but never written")
                continue
            if any(n in written and written[n].sure for n in found) or dynamic == found:
                continue
            place = written[found[0]]
            self.ex.report.at = next((p.at for p in below(place) if not isinstance(p, PList)), self.ex.report.at)
            if self._needed:
                self.ex.report.warn("S6", f"'{found[0]}' is required in {shape.name} but may be empty: {_why(place)}")
            must.append(tuple(found))
        return tuple(must)

    # ── lists, choices, loops ─────────────────────────────────────────────────────────────────────────────────────────
    def _items(self, rule: Items, shape: Shape, target: str, scope: Scope) -> PList:
        if not shape.many and shape.kind != "any":
            self.ex.report.add("S5", f"'{_last(target)}' holds one value, a list is given")
        item = shape.item()
        made: list[Plan] = []
        for index, child in enumerate(rule.items):
            place = f"{target}[{index}]" if not isinstance(child, Loop) else target
            if isinstance(child, Items):
                self.ex.report.at, self.ex.report.target = child.at, place
                self.ex.report.add("S5", "a list directly inside a list")
            listed = replace(item, many=isinstance(child, Loop))  # a loop makes many
            made.append(self._in_list(child, listed, place, scope))
        dynamic = any(p.dynamic for p in made)
        sure = any(p.sure for p in made)
        return PList(tuple(made), target, dynamic, sure)

    def _in_list(self, child: Rule, shape: Shape, place: str, scope: Scope) -> Plan:
        """An item of a list: an expression that is itself a list is put in one by one."""
        self.ex.report.at, self.ex.report.target = child.at, place
        if isinstance(child, Leaf):
            return self._leaf(child, replace(shape, many=True), place, scope)
        return self._one(child, shape, place, scope)

    def _choice(self, rule: Choice, shape: Shape, target: str, scope: Scope) -> PChoice:
        test = self.ex.condition(rule.test.node, scope)
        outer = self._guards, self._needed
        self._guards, self._needed = self._guards | test.sources(), False
        then = self._one(rule.then, shape, target, scope)
        other = self.plan(rule.other, shape, target, scope) if rule.other is not None else None
        self._guards, self._needed = outer
        sure = then.sure and other is not None and other.sure
        listed = then.listed or (other is not None and other.listed)
        return PChoice(test, rule.test.written, then, other, target, rule.at, sure, listed)

    def _loop(self, rule: Loop, shape: Shape, target: str, scope: Scope) -> PLoop:
        if not shape.many and shape.kind != "any":
            self.ex.report.add("S5", f"'{_last(target)}' holds one value, '$for' gives a list")
        over = self.ex.expr(rule.over.node, scope)
        slot, index = self.ex.slot(), self.ex.slot()
        item = self.ex.held(slot, replace(over, type=over.type.one(sure=True)))
        inner = scope.with_variable(rule.name, item)
        inner = inner.with_variable(f"{rule.name}_index", Expr(Type("integer", sure=True), lambda f: f[index]))
        where = self.ex.condition(rule.where.node, inner) if rule.where else None
        outer = self._guards
        self._guards = outer | over.sources() | (where.sources() if where else frozenset())
        body = self._one(rule.body, shape.item(), f"{target}[*]", inner)
        self._guards = outer
        weight = sum(1 for _ in below(body))
        sure = over.type.sure and where is None and body.sure
        over = replace(over, run=as_list(over))
        criteria = rule.where.written if rule.where else ""
        return PLoop(slot, over, where, body, target, rule.at, rule.over.written, criteria, weight, sure)


def _last(target: str) -> str:
    return target.rsplit(".", 1)[-1]


def _why(plan: Plan) -> str:
    if isinstance(plan, PLeaf):
        sources = ", ".join(sorted(plan.expr.sources())) or plan.written
        return f"{sources} is not always there"
    return "nothing in it is always there"
