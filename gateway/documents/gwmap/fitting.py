"""Does a value fit its place? Checks S4 (kinds) and S7 (codes) for constants and expressions."""

from __future__ import annotations

import re
from typing import Any

from gateway.documents.gwmap.frame import Expr, Report
from gateway.documents.gwmap.model import a, did_you_mean
from gateway.documents.gwmap.shapes import kind_of_constant
from gateway.documents.gwmap.targets import Shape

# Kinds a place of a kind takes besides its own.
_TAKES = {
    "string": frozenset({"date", "dateTime", "instant"}),
    "decimal": frozenset({"integer"}),
    "dateTime": frozenset({"instant"}),
    "instant": frozenset({"dateTime"}),
}
_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?\Z")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2})\Z")
_HINTS = {
    ("string", "date"): "use .ymd() for YYYYMMDD",
    ("string", "integer"): "use .toInteger()",
    ("string", "decimal"): "use .toDecimal()",
    ("string", "boolean"): "use .toBoolean()",
    ("dateTime", "date"): "use .date('yyyy-MM-dd', 'Asia/Seoul')",
    ("instant", "date"): "use .date('yyyy-MM-dd', 'Asia/Seoul')",
    ("integer", "string"): "use .toString()",
    ("decimal", "string"): "use .toString()",
    ("decimal", "integer"): "use .toInteger()",
    ("boolean", "string"): "use iif(…, 'Y', 'N') or .toString()",
}


def constant(report: Report, value: Any, shape: Shape) -> None:
    """Check a constant."""
    if value is None or value == "":
        report.add("S1", "a constant must hold something; leave the name out instead")
    elif shape.kind == "object":
        report.add("S5", f"{a(shape.name)} is wanted here, a constant is given")
    elif shape.codes is not None and value not in shape.codes:
        report.add("S7", f"'{value}' is not among the codes allowed here", _codes_hint(str(value), shape.codes))
    elif not _constant_fits(value, shape.kind):
        report.add("S4", f"'{value}' is not {a(shape.kind)}")


def _constant_fits(value: Any, kind: str) -> bool:
    own = kind_of_constant(value)
    if kind in ("date", "dateTime", "instant"):
        pattern = _DATE if kind == "date" else _MOMENT
        return own == "string" and bool(pattern.match(value) or (kind == "dateTime" and _DATE.match(value)))
    return kind in ("any", own) or own in _TAKES.get(kind, ())


def leaf(report: Report, expr: Expr, shape: Shape, *, fhir: bool) -> None:
    """Check an expression."""
    if expr.type.many and not shape.many and shape.kind != "any":
        report.add("S4", f"{expr.called()} is a list, one value is wanted", "use .first(), .single() or .join(', ')")
    _kinds(report, expr, shape, fhir=fhir)
    _codes(report, expr, shape)


def _kinds(report: Report, expr: Expr, shape: Shape, *, fhir: bool) -> None:
    own, wanted = expr.type.kind, shape.kind
    if "any" in (own, wanted):
        return
    if wanted == "object":
        if own != shape.name:
            given = f"{expr.called()} is {a(own)}"
            report.add("S4", f"{a(shape.name)} is wanted here, {given}", "write its fields one by one")
    elif own != wanted and own not in _TAKES.get(wanted, ()) and not (fhir and (own, wanted) == ("date", "dateTime")):
        report.add("S4", f"{expr.called()} is {a(own)}, {a(wanted)} is wanted", _HINTS.get((own, wanted), ""))


def _codes(report: Report, expr: Expr, shape: Shape) -> None:
    if shape.codes is None or expr.type.kind == "any":
        return
    if expr.type.codes is None:
        if not expr.sources():  # a parameter: the host answers for it
            return
        report.warn("S7", f"{expr.called()} is any text, only certain codes are allowed here")
        return
    strange = [code for code in expr.type.codes if code not in shape.codes]
    if not strange:
        return
    by = f" (by ConceptMap {', '.join(sorted(expr.tables))})" if expr.tables else ""
    shown = ", ".join(f"'{c}'" for c in strange[:6]) + (", …" if len(strange) > 6 else "")
    hint = _codes_hint(strange[0], shape.codes)
    if expr.path is None:
        report.add("S7", f"{shown}{by} not among the codes allowed here", hint)
    else:
        report.warn("S7", f"{expr.called()} may hold {shown}, not among the codes allowed here", hint)


def _codes_hint(code: str, allowed: tuple[str, ...]) -> str:
    shown = ", ".join(allowed[:12]) + (", …" if len(allowed) > 12 else "")
    return did_you_mean(code, allowed) or f"allowed: {shown}"
