"""`x.translate('table'[, output][, on][, unmapped])`, also `on: date` and `unmapped: 'omit'`: codes by a ConceptMap.

Outputs: `code` (default), `display`, `system`, `coding` (FHIR Coding), `concept` (FHIR CodeableConcept).
Policies for a code that is not listed: `error` (default), `omit` (left out, with a warning), `text` (only with
`concept`: the display of the source as text, with a warning). `unmatched` is left out, with an information.
Lists are translated item by item. Check S8: every code the field may hold must be listed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gateway.documents.gwmap.concept_maps import Table, Translation
from gateway.documents.gwmap.frame import NOTES, NOTHING, Expr, Frame, Note, Run, derived
from gateway.documents.gwmap.functions import DATES, MOMENTS, TEXT, moment, zone
from gateway.documents.gwmap.model import LeafError, Severity, a, did_you_mean, printable_code
from gateway.documents.gwmap.shapes import Type
from gateway.documents.gwmap.syntax import Call, Literal

if TYPE_CHECKING:
    from gateway.documents.gwmap.expressions import Expressions, Scope

_OUTPUTS: dict[str, Callable[[Translation], Any]] = {
    "code": lambda t: t.code,
    "display": lambda t: t.display,
    "system": lambda t: t.system,
    "coding": lambda t: t.coding(),
    "concept": lambda t: {"coding": [t.coding()]},
}
_KINDS = {"coding": "Coding", "concept": "CodeableConcept"}
_POLICIES = ("error", "omit", "text")
_UNLISTED = object()


def translate(ex: Expressions, node: Call, scope: Scope) -> Expr:
    """Compile one translation."""
    base = ex.expr(node.base, scope) if node.base is not None else scope.this
    table = _table(ex, node)
    output = _option(ex, node, "output", 1, default="code", allowed=tuple(_OUTPUTS))
    policy = _option(ex, node, "unmapped", 3, default=ex.policy.get("unmapped", "error"), allowed=_POLICIES)
    if table is None or base is NOTHING:
        return NOTHING
    if base.type.kind not in TEXT | {"any"}:
        ex.report.add("S4", f"translate() takes codes, {base.called()} is {a(base.type.kind)}")
        return NOTHING
    if policy == "text" and output != "concept":
        ex.report.add("S4", "unmapped: 'text' needs output 'concept'")
    day = _day(ex, node, scope, table)
    _covered(ex, base, table, policy)
    one, ready = _one(base, table, output, policy), _ready(table, output)
    run = _many(base.run, one, day) if base.type.many else _single(base.run, one, day, ready)
    found = derived(_type(base, table, output, policy), run, base, *([day] if day else []))
    return Expr(found.type, found.run, None, found.uses, found.via, found.tables | {table.name})


def _table(ex: Expressions, node: Call) -> Table | None:
    if not node.args or not isinstance(node.args[0], Literal) or not isinstance(node.args[0].value, str):
        ex.report.add("S4", "translate() takes the name of a code table first, such as translate('sex')")
        return None
    name = node.args[0].value
    ex.used_tables.add(name)
    if name not in ex.tables:
        ex.report.add("S13", f"code table '{name}' is not declared under 'maps'", did_you_mean(name, ex.tables))
        return None
    return ex.tables[name]


def _option(ex: Expressions, node: Call, name: str, place: int, *, default: str, allowed: tuple[str, ...]) -> str:
    given = dict(node.named).get(name, node.args[place] if len(node.args) > place else Literal(default))
    value = given.value if isinstance(given, Literal) else None
    if value not in allowed:
        ex.report.add("S4", f"translate(): {name} must be one of {', '.join(allowed)}")
        return default
    return str(value)


def _day(ex: Expressions, node: Call, scope: Scope, table: Table) -> Expr | None:
    named = dict(node.named)
    for name in named.keys() - {"output", "unmapped", "on"}:
        ex.report.add("S4", f"translate() has no argument '{name}'", did_you_mean(name, ("output", "unmapped", "on")))
    given = named.get("on", node.args[2] if len(node.args) > 2 else None)
    if given is not None:
        return _korean_day(ex.single(ex.expr(given, scope), "translate(on: …)", DATES))
    if table.dated:
        ex.report.add("S4", f"code table '{table.name}' is dated; say the day", "translate('…', on: %today)")
    return None


def _korean_day(given: Expr) -> Expr:
    """Code tables hold by Korean calendar days: a moment counts on its day in Seoul."""
    if given.type.kind not in MOMENTS:
        return given
    run = given.run

    def day(frame: Frame) -> str | None:
        value = run(frame)
        return None if value is None else moment(value).astimezone(zone("Asia/Seoul")).date().isoformat()

    return replace(given, run=day)


def _covered(ex: Expressions, base: Expr, table: Table, policy: str) -> None:
    lacking = [c for c in base.type.codes or () if not table.knows(c)]
    if lacking and policy == "error":
        where = base.path or "the value"
        ex.report.add("S8", f"ConceptMap '{table.name}' has no entry for {lacking} allowed by {where}")


def _type(base: Expr, table: Table, output: str, policy: str) -> Type:
    codes = base.type.codes
    sends = all(table.sends(c) for c in codes) if codes else all(table.sends(c) for c in table.entries)
    sure = base.type.sure and sends and policy != "omit" and output not in ("display", "system") and not table.dated
    targets = _reachable(table, codes) if output == "code" and not table.provided else None
    return Type(_KINDS.get(output, "string"), many=base.type.many, sure=sure, codes=targets)


def _reachable(table: Table, codes: tuple[str, ...] | None) -> tuple[str, ...]:
    found = list(table.targets())
    if codes is not None and table.other is None:
        own = [e.to for c in codes for e in table.entries.get(c, ()) if e.to is not None]
        found = own + ([table.fixed] if table.fixed else [])
    return tuple(dict.fromkeys(t.code for t in found))


def _ready(table: Table, output: str) -> dict[str, Any]:
    """Code to result, where one dictionary can answer: no days, and nothing that has to be made anew."""
    if table.dated or output in _KINDS:
        return {}
    shape = _OUTPUTS[output]
    return {code: shape(found[0].to) for code, found in table.entries.items() if found[0].to is not None}


def _one(base: Expr, table: Table, output: str, policy: str) -> Callable[[Frame, str, str | None], Any]:
    """(frame, code, day) to result."""
    shape, path, dated = _OUTPUTS[output], base.path or "", table.dated

    def run(frame: Frame, code: str, day: str | None) -> Any:
        if not isinstance(code, str):
            raise LeafError("MAP-VALUE", f"translate failed on {base.called()}: not a code", path)
        if day is None and dated:
            raise LeafError("MAP-MISSING", f"ConceptMap '{table.name}' is dated and the day is empty", path)
        hit = table.find(code, day[:10] if day else None)
        if isinstance(hit, Translation):
            return shape(hit)
        return _absent(frame, base, table, policy, code, unmatched=hit is None)

    return run


def _absent(frame: Frame, base: Expr, table: Table, policy: str, code: str, *, unmatched: bool) -> Any:
    shown = printable_code(code, [*(base.type.codes or ()), *table.entries])
    path = base.path or ""
    if unmatched:
        text = f"code '{shown}' in {base.called()} is 'unmatched' in ConceptMap '{table.name}': not sent on purpose"
        frame[NOTES].append(Note(Severity.INFORMATION, "MAP-UNMAPPED", text, path))
        return None
    text = f"code '{shown}' in {base.called()} has no entry in ConceptMap '{table.name}'"
    if policy == "error":
        raise LeafError("MAP-UNMAPPED", text, path)
    frame[NOTES].append(Note(Severity.WARNING, "MAP-UNMAPPED", text, path))
    return {"text": table.displays.get(code, code)} if policy == "text" else None


def _single(base: Run, one: Callable[[Frame, str, str | None], Any], day: Expr | None, ready: Mapping[str, Any]) -> Run:
    on = day.run if day else None

    def run(frame: Frame) -> Any:
        code = base(frame)
        if code is None:
            return None
        found = ready.get(code, _UNLISTED)
        return one(frame, code, on(frame) if on else None) if found is _UNLISTED else found

    return run


def _many(base: Run, one: Callable[[Frame, str, str | None], Any], day: Expr | None) -> Run:
    on = day.run if day else None

    def run(frame: Frame) -> Any:
        when = on(frame) if on else None
        return [v for code in base(frame) if (v := one(frame, code, when)) is not None]

    return run
