"""Expressions: tree in, typed closure out. Checks S3 (paths) and S4 (types, one or many) happen here.

Rules: a bare name is a property of the item at hand inside where/select/all/exists, and of the source elsewhere
(`%context` is always the source). A list where one value is wanted is refused, with the three ways out. A comparison
with a text that the code list of the field does not hold is refused, because it could never be true.

It refuses to run anything but to fold constants, and it refuses unknown names with the nearest known one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gateway.documents.gwmap import access, calls, operators
from gateway.documents.gwmap.concept_maps import Table
from gateway.documents.gwmap.frame import (
    FIRST_SLOT,
    NOTHING,
    SOURCE,
    Expr,
    Frame,
    Held,
    Report,
    as_list,
    constant,
    derived,
)
from gateway.documents.gwmap.functions import DATES, MOMENTS, NUMBER, TEXT
from gateway.documents.gwmap.model import a, did_you_mean
from gateway.documents.gwmap.shapes import Type, Walk, kind_of_constant
from gateway.documents.gwmap.syntax import (
    Binary,
    Call,
    Concat,
    Field,
    Index,
    Literal,
    Negative,
    Node,
    This,
    Variable,
)

_BOOLEAN = Type("boolean")
A_DAY = "use .date('yyyy-MM-dd', 'Asia/Seoul')"


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean here: the item at hand, and the variables."""

    this: Expr
    variables: Mapping[str, Expr]

    def at(self, item: Expr) -> Scope:
        """The scope inside where/select/all/exists."""
        return replace(self, this=item)

    def with_variable(self, name: str, value: Expr) -> Scope:
        """The scope with one more variable."""
        return replace(self, variables={**self.variables, name: value})


class Expressions:
    """Compiles the expressions of one map against one source schema."""

    def __init__(
        self, source: Walk, schema: str, report: Report, tables: Mapping[str, Table], policy: Mapping[str, str]
    ) -> None:
        self.report, self.tables, self.policy, self.schema = report, tables, policy, schema
        self.slots = FIRST_SLOT
        self.used_variables: set[str] = set()
        self.used_tables: set[str] = set()
        self.used_functions: set[str] = set()
        self.certain: Callable[[str, bool], bool] = lambda _, required: required  # whether a top field is surely there
        self.root = Expr(Type("object", sure=True, walk=source), _source, path="")

    def slot(self) -> int:
        """A new place in the frame."""
        self.slots += 1
        return self.slots - 1

    def held(self, slot: int, like: Expr) -> Expr:
        """What stands in a slot, with the type and dependencies of `like`."""
        return replace(like, run=Held(slot), constant=False)

    def expr(self, node: Node, scope: Scope) -> Expr:  # noqa: PLR0911 - one line a kind of node
        """The typed closure of a tree; findings go to the report."""
        match node:
            case Literal(value):
                codes = (value,) if isinstance(value, str) else None
                return constant(value, Type(kind_of_constant(value), sure=value is not None, codes=codes))
            case Variable(name):
                return self._variable(name, scope)
            case This():
                return scope.this
            case Field(base, name):
                return self.field(self.expr(base, scope) if base else scope.this, name)
            case Index(base, position):
                return self._index(self.expr(base, scope), position)
            case Call():
                return calls.call(self, node, scope)
            case Concat(parts):
                return self._concat([self.expr(p, scope) for p in parts])
            case Negative(operand):
                inner = self.single(self.expr(operand, scope), "-", NUMBER)
                return derived(replace(inner.type, codes=None), operators.negative(inner.run), inner)
            case Binary(op, left, right):
                return self._binary(op, self.expr(left, scope), self.expr(right, scope))

    def condition(self, node: Node, scope: Scope) -> Expr:
        """An expression that must be true or false."""
        expr = self.expr(node, scope)
        if expr.type.many or expr.type.kind not in ("boolean", "any"):
            self.report.add(
                "S4", f"a condition must be true or false, {expr.called()} is {a(expr.type)}", "use .exists()?"
            )
        return expr

    # ── names ─────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _variable(self, name: str, scope: Scope) -> Expr:
        if name == "context":
            return self.root
        if name in scope.variables:
            self.used_variables.add(name)
            return scope.variables[name]
        hint = did_you_mean(name, scope.variables)
        self.report.add("S13", f"'%{name}' is neither a parameter nor a let nor a loop variable", hint)
        return NOTHING

    def field(self, base: Expr, name: str) -> Expr:
        """`base.name`."""
        path = None if base.path is None else (f"{base.path}.{name}" if base.path else name)
        found = base.type.walk.property(name) if base.type.walk else None
        if base.type.kind == "any":
            found = Type("any")
        if found is None:
            self._unknown(base, name, path)
            return NOTHING
        sure = base.type.sure and (self.certain(name, found.sure) if base.path == "" else found.sure)
        many = base.type.many or found.many
        run = access.getter(base, name, many=found.many, sure=sure, path=path or name)
        return Expr(replace(found, many=many, sure=sure), run, path, base.uses, base.via, base.tables)

    def _unknown(self, base: Expr, name: str, path: str | None) -> None:
        if base.type.walk is None:
            self.report.add("S3", f"{base.called()} is {a(base.type.kind)} and has no field '{name}'")
            return
        where = f"the schema {self.schema}" if path is not None else "its schema"
        known = base.type.walk.properties()
        self.report.add("S3", f"source field '{path or name}' does not exist in {where}", did_you_mean(name, known))

    def _index(self, base: Expr, position: int) -> Expr:
        if not base.type.many:
            self.report.add("S4", f"{base.called()} is not a list; [{position}] has nothing to choose from")
            return NOTHING
        sure = base.type.sure and position == 0
        return replace(base, type=base.type.one(sure=sure), run=access.nth(base.run, position), constant=False)

    # ── one value, of these kinds ─────────────────────────────────────────────────────────────────────────────────────
    def single(self, expr: Expr, what: str, kinds: frozenset[str]) -> Expr:
        """The expression, after checking that it is one value of a fitting kind."""
        if expr.type.many:
            self.report.add(
                "S4", f"{expr.called()} is a list; '{what}' wants one value", "use .first(), .single() or .join(', ')"
            )
        elif expr.type.kind not in kinds and expr.type.kind != "any":
            hint = "use .toString()" if kinds <= TEXT and expr.type.kind in NUMBER | {"boolean"} else ""
            if "date" in kinds and expr.type.kind in MOMENTS:
                hint = A_DAY
            self.report.add("S4", f"'{what}' cannot take {expr.called()}: it is {a(expr.type.kind)}", hint)
        return expr

    def _concat(self, parts: list[Expr]) -> Expr:
        for part in parts:
            self.single(part, "&", TEXT)
        sure = any(p.type.sure and not (p.constant and p.run([]) == "") for p in parts)
        return derived(Type("string", sure=sure), operators.concat(tuple(parts)), *parts)

    def _binary(self, op: str, left: Expr, right: Expr) -> Expr:
        sure = left.type.sure and right.type.sure
        if op in ("and", "or"):
            for side in (left, right):
                self.single(side, op, frozenset({"boolean"}))
            run = (operators.both if op == "and" else operators.either)(left.run, right.run)
            return derived(replace(_BOOLEAN, sure=sure), run, left, right)
        if op == "in":
            return self._member(left, right)
        if op in ("=", "!=", "<", "<=", ">", ">="):
            return self._comparison(op, left, right)
        return self._math(op, left, right)

    def _member(self, left: Expr, right: Expr) -> Expr:
        if left.type.many:
            self.single(left, "in", TEXT)
        if not right.type.many:
            right = replace(right, run=as_list(right), type=replace(right.type, many=True))
        self._comparable("in", left, right)
        return derived(replace(_BOOLEAN, sure=left.type.sure), operators.member(left.run, right.run), left, right)

    def _comparison(self, op: str, left: Expr, right: Expr) -> Expr:
        for side in (left, right):
            self.single(side, op, TEXT | NUMBER | {"boolean"})
        self._comparable(op, left, right)
        moments = left.type.kind in MOMENTS and right.type.kind in MOMENTS
        run = operators.compared(op, left, right, moments=moments)
        return derived(replace(_BOOLEAN, sure=left.type.sure and right.type.sure), run, left, right)

    def _comparable(self, op: str, left: Expr, right: Expr) -> None:
        one, two = left.type.kind, right.type.kind
        if "any" in (one, two):
            return
        if {one, two} & MOMENTS and "date" in (one, two):
            self.report.add("S4", f"'{op}' compares a date with a moment", A_DAY)
        elif not ({one, two} <= TEXT or {one, two} <= NUMBER or one == two):
            self.report.add("S4", f"'{op}' compares {a(one)} with {a(two)}; that is never true")
        elif op in ("=", "!=", "in"):
            self._in_codes(op, left, right)
            self._in_codes(op, right, left)

    def _in_codes(self, op: str, literal: Expr, coded: Expr) -> None:
        if not literal.constant or coded.constant or coded.type.codes is None or literal.type.codes is None:
            return
        for code in set(literal.type.codes) - set(coded.type.codes):
            hint = did_you_mean(code, coded.type.codes)
            self.report.add("S4", f"'{op}' can never hold: {coded.called()} is never '{code}'", hint)

    def _math(self, op: str, left: Expr, right: Expr) -> Expr:
        given = {left.type.kind, right.type.kind}
        text = op == "+" and bool(given & TEXT) and given <= TEXT | {"any"}
        kinds = DATES if text else NUMBER
        for side in (left, right):
            self.single(side, op, kinds)
        whole = left.type.kind == right.type.kind == "integer" and op != "/"
        kind = "string" if text else ("integer" if whole or op == "div" else "decimal")
        sure = left.type.sure and right.type.sure and op in ("+", "-", "*")
        return derived(Type(kind, sure=sure), operators.calculated(op, left.run, right.run), left, right)


def _source(frame: Frame) -> Any:
    return frame[SOURCE]
