"""Function calls: those of the library's table, and those with a meaning of their own (where, iif, ref …)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gateway.documents.gwmap import access, functions
from gateway.documents.gwmap.frame import NOTHING, Expr, Frame, Run, as_list, derived, spend
from gateway.documents.gwmap.functions import DAYS, FUNCTIONS, TEXT, Function
from gateway.documents.gwmap.model import LeafError, UnfitError, did_you_mean, masked
from gateway.documents.gwmap.shapes import Type
from gateway.documents.gwmap.syntax import Call, Literal
from gateway.documents.gwmap.translate import translate

if TYPE_CHECKING:
    from gateway.documents.gwmap.expressions import Expressions, Scope

_YES = Type("boolean", sure=True)


def call(ex: Expressions, node: Call, scope: Scope) -> Expr:
    """Compile one call; an unknown name is refused with the nearest known one."""
    ex.used_functions.add(node.name)
    special = _FREE.get(node.name) if node.base is None else _SPECIAL.get(node.name)
    if node.named and node.name != "translate":
        ex.report.add("S2", f"{node.name}() takes no named arguments")
    if special is not None:
        return special(ex, node, scope)
    if node.base is not None and node.name in FUNCTIONS:
        return _library(ex, FUNCTIONS[node.name], node, scope)
    known = _FREE if node.base is None else [*_SPECIAL, *FUNCTIONS]
    ex.report.add("S2", f"there is no function '{node.name}'", did_you_mean(node.name, known))
    return NOTHING


def _base(ex: Expressions, node: Call, scope: Scope) -> Expr:
    return ex.expr(node.base, scope) if node.base is not None else scope.this


def _counted(ex: Expressions, node: Call, least: int, most: int) -> bool:
    if least <= len(node.args) <= most:
        return True
    wanted = str(least) if least == most else f"{least} to {most}"
    ex.report.add("S4", f"{node.name}() takes {wanted} arguments, {len(node.args)} are given")
    return False


# ── the library's table ──────────────────────────────────────────────────────────────────────────────────────────────
def _library(ex: Expressions, fn: Function, node: Call, scope: Scope) -> Expr:
    base = _base(ex, node, scope)
    if not _counted(ex, node, fn.needed, len(fn.args)):
        return NOTHING
    many = base.type.many and fn.ours
    ex.single(base if not many else replace(base, type=base.type.one()), f"{fn.name}()", fn.takes)
    args = [ex.single(ex.expr(a, scope), f"{fn.name}()", k) for a, k in zip(node.args, fn.args, strict=False)]
    if any(a.constant and a.run([]) is None for a in args):
        ex.report.add("S4", f"{fn.name}() is given nothing", "leave the argument out")
        return NOTHING
    _patterns(ex, fn, base, args)
    kind = "date" if fn.name == "date" and args and args[0].type.codes == ("yyyy-MM-dd",) else fn.gives
    sure = base.type.sure and all(a.type.sure for a in args) and fn.name != "substring"
    one = _applied(fn, base, args)
    run = _over(base.run, one) if many else (_direct(fn, base, args) or _on(base.run, one))
    return derived(Type(kind, many=many, sure=sure), run, base, *args)


def _patterns(ex: Expressions, fn: Function, base: Expr, args: list[Expr]) -> None:
    """Constant patterns and time zones are tried at load, where they are nobody's data and may be shown."""
    patterns = args[:1] if fn.name == "date" else []
    zones = args[1:] if fn.name == "date" else (args if fn.name == "ymdhm" else [])
    tried = [(functions.date_format, a, "date pattern (yyyy MM dd HH mm ss XXX)") for a in patterns if a.constant]
    for attempt, arg, what in [*tried, *((functions.zone, a, "time zone") for a in zones if a.constant)]:
        try:
            attempt(arg.run([]))
        except UnfitError:
            ex.report.add("S4", f"'{arg.run([])}' is not a {what}")
    for pattern in patterns:
        if base.type.kind == "date" and pattern.constant and functions.tells_time(pattern.run([])):
            ex.report.add("S4", f"{base.called()} is a day, '{pattern.run([])}' asks for a time")


def _applied(fn: Function, base: Expr, args: list[Expr]) -> Callable[[Frame, Any], Any]:
    """(frame, value) to result; failures become MAP-VALUE with the value masked."""
    do, name, path, codes = fn.run, fn.name, base.path or "", base.type.codes

    def failed(value: Any, reason: str) -> LeafError:
        return LeafError("MAP-VALUE", f"{name} failed on {base.called()}: {masked(value, codes)} {reason}", path)

    if all(a.constant for a in args):
        fixed = [a.run([]) for a in args]

        def with_constants(_: Frame, value: Any) -> Any:
            try:
                return do(value, *fixed)
            except UnfitError as error:
                raise failed(value, str(error)) from None

        return with_constants
    runs = [a.run for a in args]

    def with_values(frame: Frame, value: Any) -> Any:
        values = [r(frame) for r in runs]
        if None in values:
            return None
        try:
            return do(value, *values)
        except UnfitError as error:
            raise failed(value, str(error)) from None

    return with_values


def _direct(fn: Function, base: Expr, args: list[Expr]) -> Run | None:
    """One closure instead of three, for the common case of no or one constant argument."""
    if len(args) > 1 or not all(a.constant for a in args):
        return None
    inner, do, again = base.run, fn.run, _applied(fn, base, args)
    if not args:

        def plain(frame: Frame) -> Any:
            value = inner(frame)
            try:
                return None if value is None else do(value)
            except UnfitError:
                return again(frame, value)  # once more, for the sentence

        return plain
    fixed = args[0].run([])

    def run(frame: Frame) -> Any:
        value = inner(frame)
        try:
            return None if value is None else do(value, fixed)
        except UnfitError:
            return again(frame, value)

    return run


def _on(base: Run, one: Callable[[Frame, Any], Any]) -> Run:
    def run(frame: Frame) -> Any:
        value = base(frame)
        return None if value is None else one(frame, value)

    return run


def _over(base: Run, one: Callable[[Frame, Any], Any]) -> Run:
    def run(frame: Frame) -> Any:
        return [v for item in base(frame) if (v := one(frame, item)) is not None]

    return run


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _item(ex: Expressions, base: Expr) -> tuple[int, Expr]:
    slot = ex.slot()
    return slot, ex.held(slot, replace(base, type=base.type.one(sure=True)))


def _where(ex: Expressions, node: Call, scope: Scope) -> Expr:
    base = _base(ex, node, scope)
    if not _counted(ex, node, 1, 1):
        return NOTHING
    slot, item = _item(ex, base)
    criteria = ex.condition(node.args[0], scope.at(item))
    items, test = as_list(base), criteria.run

    def kept(frame: Frame) -> list[Any]:
        found = items(frame)
        spend(frame, len(found))
        out = []
        for value in found:
            frame[slot] = value
            if test(frame) is True:
                out.append(value)
        return out

    run = kept if base.type.many else _first_of(kept)
    return Expr(
        replace(base.type, sure=False),
        run,
        base.path,
        base.uses | criteria.sources(),
        base.via | criteria.via,
        base.tables | criteria.tables,
    )


def _first_of(kept: Run) -> Run:
    return access.nth(kept, 0)


def _select(ex: Expressions, node: Call, scope: Scope) -> Expr:
    base = _base(ex, node, scope)
    if not _counted(ex, node, 1, 1):
        return NOTHING
    slot, item = _item(ex, base)
    inner = ex.expr(node.args[0], scope.at(item)).whole()
    items, each = as_list(base), as_list(inner)

    def run(frame: Frame) -> list[Any]:
        found = items(frame)
        spend(frame, len(found))
        out: list[Any] = []
        for value in found:
            frame[slot] = value
            out.extend(each(frame))
        return out

    many = base.type.many or inner.type.many
    kind = replace(inner.type, many=many, sure=base.type.sure and inner.type.sure)
    return replace(derived(kind, run if many else _first_of(run), base, inner), constant=False)


def _all(ex: Expressions, node: Call, scope: Scope) -> Expr:
    base = _base(ex, node, scope)
    if not _counted(ex, node, 1, 1):
        return NOTHING
    slot, item = _item(ex, base)
    criteria = ex.condition(node.args[0], scope.at(item))
    items, test = as_list(base), criteria.run

    def run(frame: Frame) -> bool:
        found = items(frame)
        spend(frame, len(found))
        for value in found:
            frame[slot] = value
            if test(frame) is not True:
                return False
        return True

    return derived(_YES, run, base, criteria)


def _exists(ex: Expressions, node: Call, scope: Scope) -> Expr:
    if not _counted(ex, node, 0, 1):
        return NOTHING
    base = _where(ex, node, scope) if node.args else _base(ex, node, scope)
    base = _soft(ex, node, scope, base)
    return derived(_YES, _there(base), base)


def _there(base: Expr) -> Run:
    inner = base.run
    if base.type.many:
        return lambda frame: bool(inner(frame))
    return lambda frame: inner(frame) is not None


def _soft(ex: Expressions, node: Call, scope: Scope, base: Expr) -> Expr:
    """A path that is asked for by exists() or empty() may be missing even if the schema requires it."""
    if not base.type.sure or base.path is None or node.args:
        return base
    certain, ex.certain = ex.certain, lambda _name, _required: False
    soft = _base(ex, node, scope)
    ex.certain = certain
    return soft


def _empty(ex: Expressions, node: Call, scope: Scope) -> Expr:
    if not _counted(ex, node, 0, 0):
        return NOTHING
    base = _soft(ex, node, scope, _base(ex, node, scope))
    there = _there(base)
    return derived(_YES, lambda frame: not there(frame), base)


def _count(ex: Expressions, node: Call, scope: Scope) -> Expr:
    if not _counted(ex, node, 0, 0):
        return NOTHING
    base = _base(ex, node, scope)
    items = as_list(base)
    return derived(Type("integer", sure=True), lambda frame: len(items(frame)), base)


def _not(ex: Expressions, node: Call, scope: Scope) -> Expr:
    if not _counted(ex, node, 0, 0):
        return NOTHING
    base = ex.single(_base(ex, node, scope), "not()", frozenset({"boolean"}))
    inner = base.run

    def run(frame: Frame) -> bool | None:
        value = inner(frame)
        return None if value is None else not value

    return derived(Type("boolean", sure=base.type.sure), run, base)


def _pick(position: int) -> Callable[[Expressions, Call, Scope], Expr]:
    def pick(ex: Expressions, node: Call, scope: Scope) -> Expr:
        base = _base(ex, node, scope)
        if not _counted(ex, node, 0, 0) or not base.type.many:
            return base
        return replace(base, type=base.type.one(), run=access.nth(base.run, position), constant=False)

    return pick


def _single(ex: Expressions, node: Call, scope: Scope) -> Expr:
    base = _base(ex, node, scope)
    if not _counted(ex, node, 0, 0) or not base.type.many:
        return base
    return replace(base, type=base.type.one(), run=access.only(base.run, base.path or ""), constant=False)


def _join(ex: Expressions, node: Call, scope: Scope) -> Expr:
    base = _base(ex, node, scope)
    if not _counted(ex, node, 0, 1):
        return NOTHING
    ex.single(replace(base, type=base.type.one()), "join()", TEXT)
    arg = node.args[0] if node.args else Literal("")
    if not isinstance(arg, Literal) or not isinstance(arg.value, str):
        ex.report.add("S4", "join() takes a text, such as join(', ')")
        return NOTHING
    separator, items = arg.value, as_list(base)
    return derived(Type("string", sure=base.type.sure), lambda frame: separator.join(items(frame)) or None, base)


# ── free functions ───────────────────────────────────────────────────────────────────────────────────────────────────
def _iif(ex: Expressions, node: Call, scope: Scope) -> Expr:
    if not _counted(ex, node, 2, 3):
        return NOTHING
    test = ex.condition(node.args[0], scope)
    then = ex.expr(node.args[1], scope).whole()
    other = ex.expr(node.args[2] if len(node.args) > 2 else Literal(None), scope).whole()
    many = then.type.many or other.type.many
    yes, no = (as_list(then), as_list(other)) if many else (then.run, other.run)
    check = test.run
    return derived(_unified(ex, then, other, many), lambda f: yes(f) if check(f) is True else no(f), test, then, other)


def _unified(ex: Expressions, then: Expr, other: Expr, many: bool) -> Type:
    kinds = {e.type.kind for e in (then, other) if e.type.kind != "any"}
    if kinds <= functions.NUMBER and len(kinds) == 2:
        kinds = {"decimal"}
    if kinds <= TEXT and len(kinds) == 2:
        kinds = {"string"}
    if len(kinds) > 1:
        ex.report.add("S4", f"iif() gives either a {' or a '.join(sorted(kinds))}; both must be of one kind")
    codes = [e.type.codes for e in (then, other) if not (e.constant and e.run([]) is None)]
    known = None if None in codes else tuple(dict.fromkeys(c for found in codes for c in found or ()))
    sure = then.type.sure and other.type.sure
    return Type(
        kinds.pop() if len(kinds) == 1 else "any", many=many, sure=sure, codes=known or None, walk=then.type.walk
    )


def _ref(ex: Expressions, node: Call, scope: Scope) -> Expr:
    if not _counted(ex, node, 2, 2):
        return NOTHING
    kind, key = node.args[0], ex.single(ex.expr(node.args[1], scope), "ref()", TEXT)
    if not isinstance(kind, Literal) or not isinstance(kind.value, str):
        ex.report.add("S4", "ref() takes the name of a resource first, such as ref('Patient', caseNo)")
        return NOTHING
    one = _applied(
        Function("ref", TEXT, (), 0, "string", lambda v, name=kind.value: functions.reference(name, v)), key, []
    )
    return derived(Type("string", sure=key.type.sure), _on(key.run, one), key)


def _months_between(ex: Expressions, node: Call, scope: Scope) -> Expr:
    if not _counted(ex, node, 2, 2):
        return NOTHING
    start, end = (ex.single(ex.expr(a, scope), "monthsBetween()", DAYS) for a in node.args)
    one = _applied(Function("monthsBetween", DAYS, (DAYS,), 1, "integer", functions.months_between), start, [end])
    return derived(Type("integer", sure=start.type.sure and end.type.sure), _on(start.run, one), start, end)


Special = Callable[["Expressions", Call, "Scope"], Expr]
_SPECIAL: dict[str, Special] = {
    "exists": _exists,
    "empty": _empty,
    "not": _not,
    "count": _count,
    "first": _pick(0),
    "last": _pick(-1),
    "single": _single,
    "where": _where,
    "select": _select,
    "all": _all,
    "join": _join,
    "translate": translate,
}
_FREE: dict[str, Special] = {"iif": _iif, "ref": _ref, "monthsBetween": _months_between}
