"""P5: where semantics are shared, our expressions say what fhirpathpy says, on generated expressions and records.

Left out because we differ on purpose: conversions that fail (we refuse, FHIRPath is empty), `join` of nothing, equality
of lists, `now()`, and comparisons our checks refuse. `mod` of negative numbers: the
specification says remainder of the truncated division (-7 mod 3 = -1), fhirpathpy gives Python's 2.
"""

from __future__ import annotations

import re
import warnings
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.documents.gwmap.expressions import Expressions, Scope
from gateway.documents.gwmap.frame import Report
from gateway.documents.gwmap.parser import parse
from gateway.documents.gwmap.shapes import Walk

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fhirpathpy import evaluate

SCHEMA = {
    "type": "object",
    "properties": {
        "s": {"type": "string"},
        "t": {"type": "string"},
        "n": {"type": "integer"},
        "m": {"type": "integer"},
        "d": {"type": "string", "format": "date"},
        "b": {"type": "boolean"},
        "c": {"type": "boolean"},
        "l": {"type": "array", "items": {"type": "string"}},
        "o": {
            "type": "array",
            "items": {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "integer"}}},
        },
    },
}
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "s": st.sampled_from(["a", "ab", "Abc", "b"]),
        "t": st.sampled_from(["a", "b", "xyz"]),
        "n": st.integers(-5, 9),
        "m": st.integers(0, 5),
        "b": st.booleans(),
        "c": st.booleans(),
        "l": st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=3),
        "o": st.lists(
            st.fixed_dictionaries({}, optional={"k": st.sampled_from(["a", "b"]), "v": st.integers(0, 3)}),
            min_size=1,
            max_size=3,
        ),
    },
)

GRAMMAR = {
    "text": (
        ("s", "t", "'a'", "'ab'", "l.first()", "l[1]", "o.k.first()", "o.where(v > 1).first().k", "{}"),
        ("(<text> & '_' & <text>)", "<text>.upper()", "<text>.lower()", "<text>.substring(1)",
         "<text>.replace('a', 'z')", "iif(<truth>, <text>, <text>)", "(<text> + 'x')"),
    ),
    "number": (
        ("n", "m", "1", "(-2)", "l.count()", "o.where(k = 'a').count()", "o.v.first()", "s.length()"),
        ("(<number> + <number>)", "(<number> - <number>)", "(<number> * <number>)", "(<number> div 2)",
         "<text>.indexOf('b')"),
    ),
    "truth": (
        ("b", "c", "true", "false", "s.exists()", "l.empty()", "o.exists(k = 'a')", "o.all(v < 3)",
         "l.where($this = 'a').exists()", "o.select(k & 'x').exists()"),
        ("(<truth> and <truth>)", "(<truth> or <truth>)", "(<number> = <number>)", "(<number> != <number>)",
         "(<number> < <number>)", "(<number> >= <number>)", "(<text> = <text>)", "(<text> != <text>)",
         "<truth>.not()", "<text>.startsWith('a')", "<text>.contains('b')", "(<text> in l)"),
    ),
}  # fmt: skip
LISTS = ("l", "o.k", "o.v", "o.where(v > 0).k", "o.select(k)", "l.last()")


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """A text of the shared grammar, at most four levels deep."""

    def grown(kind: str, depth: int) -> str:
        plain, rules = GRAMMAR[kind]
        if depth == 0 or draw(st.booleans()):
            return draw(st.sampled_from(plain))
        rule = draw(st.sampled_from(rules))
        return re.sub("<([a-z]+)>", lambda found: grown(found[1], depth - 1), rule)

    kind = draw(st.sampled_from(["text", "number", "truth", "list"]))
    return draw(st.sampled_from(LISTS)) if kind == "list" else grown(kind, 4)


def ours(source: str, record: dict[str, Any]) -> list[Any]:
    report = Report()
    ex = Expressions(Walk(SCHEMA, SCHEMA), "s", report, {}, {})
    found = ex.expr(parse(source), Scope(ex.root, {}))
    assert not report.findings, report.findings
    value = found.run([record, [], 0, *[None] * 40])
    return list(value) if found.type.many else ([] if value is None else [value])


@given(expressions().filter(lambda e: len(e) < 400), RECORDS)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_our_expressions_agree_with_fhirpathpy(source: str, record: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = evaluate(record, source, {})
    assert ours(source, record) == theirs


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(-800, 800))
@settings(max_examples=60, deadline=None)
def test_days_added_to_a_date_agree_with_fhirpathpy(day: date, days: int) -> None:
    (theirs,) = evaluate({}, f"@{day} {'-' if days < 0 else '+'} {abs(days)} days", {})
    assert ours(f"d.plusDays({days})", {"d": day.isoformat()}) == [theirs]


@pytest.mark.parametrize("source", ["7 / 2", "1 / 3", "0.1 + 0.2", "(-7) div 2", "7 mod 3", "7.5 mod 2"])
def test_numbers_agree_with_fhirpathpy(source: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (theirs,) = evaluate({}, source, {})
    (mine,) = ours(source, {})
    assert float(mine) == pytest.approx(float(theirs), abs=1e-7)
