"""Templates: what is left out and what stays; loops, choices, fragments; and that both programs always agree."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.documents.gwmap import CompiledMap, RecordNotMapped

CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("an empty leaf is left out", "a: =months\nb: =name", {"b": "남궁민수"}),
    ("an object whose expressions are all empty goes with its constants",
     "a: {system: phone, value: =months}\nb: =name", {"b": "남궁민수"}),
    ("an object of constants only stays", "a: {b: {c: x}}\nb: =name", {"a": {"b": {"c": "x"}}, "b": "남궁민수"}),
    ("a list item whose expressions are all empty goes",
     "a: [{k: one, v: =months}, {k: two, v: =name}]", {"a": [{"k": "two", "v": "남궁민수"}]}),
    ("a list of which nothing is left goes, and what held it",
     "a: {k: c, l: [{k: one, v: =months}]}\nb: =name", {"b": "남궁민수"}),
    ("constant items do not keep the object that holds them",
     "a: {l: [{k: const}], v: =months}\nb: =name", {"b": "남궁민수"}),
    ("a mixed list does not keep the object that holds it",
     "a: {l: [{k: const}, {v: =months}]}\nb: =name", {"b": "남궁민수"}),
    ("a mixed list is written when something else keeps the object",
     "a: {l: [{k: const}, {v: =months}], n: =name}", {"a": {"l": [{"k": "const"}], "n": "남궁민수"}}),
    ("$keep keeps", "a: {$keep: true, k: const, v: =months}", {"a": {"k": "const"}}),
    ("an escaped text is not an expression", "a: '==name'\nb: =name", {"a": "=name", "b": "남궁민수"}),
    ("text is never empty", "a: =months.toString() & ''\nb: =name", {"b": "남궁민수"}),
    ("a list is spliced into a list", "a: [=phone, x]", {"a": ["01012345678", "0212345678", "x"]}),
    ("a list may stand alone", "a: =diagnoses.code", {"a": ["S62.6", "M54.5"]}),
    ("an empty list is left out", "a: =diagnoses.where(code = 'x').code\nb: =name", {"b": "남궁민수"}),
    ("$for makes one item each", "a: [{$for: x in diagnoses, c: =%x.code, i: =%x_index}]",
     {"a": [{"c": "S62.6", "i": 0}, {"c": "M54.5", "i": 1}]}),
    ("$for may stand without a list around it", "a: {$for: x in phone, v: =%x}",
     {"a": [{"v": "01012345678"}, {"v": "0212345678"}]}),
    ("$for … where keeps the index of the source", "a: [{$for: x in diagnoses where %x.role = 'sub', i: =%x_index}]",
     {"a": [{"i": 1}]}),
    ("$for over nothing goes", "a: [{$for: x in diagnoses where false, i: =%x_index}]\nb: =name", {"b": "남궁민수"}),
    ("$for inside $for", "a: [{$for: x in diagnoses, p: [{$for: y in %x.parts, v: =%x.code & '-' & %y}]}]",
     {"a": [{"p": [{"v": "S62.6-09"}, {"v": "S62.6-08"}]}]}),
    ("$for beside other items", "a: [{v: first}, {$for: x in phone, v: =%x}]",
     {"a": [{"v": "first"}, {"v": "01012345678"}, {"v": "0212345678"}]}),
    ("$if that is false leaves out", "a: {$if: months.exists(), k: v}\nb: =name", {"b": "남궁민수"}),
    ("$if that is empty is not true", "a: {$if: months > 3, k: v}\nb: =name", {"b": "남궁민수"}),
    ("$else stands in", "a: {$if: months.exists(), k: v, $else: {k: w}}", {"a": {"k": "w"}}),
    ("$else may be an expression", "a: {$if: months.exists(), k: v, $else: =name}", {"a": "남궁민수"}),
    ("an entry without its resource goes",
     "e: [{fullUrl: =name, resource: {resourceType: X, v: =months}}]\nb: =name", {"b": "남궁민수"}),
    ("$doc is for people", "a: {$doc: why, v: =name}", {"a": {"v": "남궁민수"}}),
    ("a let is computed once and used often", "a: =%who\nb: [=%who]", {"a": "남궁민수/1", "b": ["남궁민수/1"]}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "template", "expected"), CASES, ids=[c[0] for c in CASES])
def test_rules_of_templates(
    workshop: Any, record: dict[str, Any], name: str, template: str, expected: dict[str, Any]
) -> None:
    del record["months"]
    head = "let: {who: \"=name & '/' & sex\"}" if "%who" in template else ""
    compiled = workshop.compiled(template, head=head + "\n" + IGNORED)
    before = copy.deepcopy(record)
    document, issues, _ = compiled.apply(record, {})
    assert (document, issues) == (expected, ())
    assert record == before


IGNORED = "ignored: {caseNo: why so, name: why so, birth: why so, born: why so, sex: why so, phone: why so, " \
    "months: why so, hours: why so, alive: why so, coordinator: why so, diagnoses: why so}"  # fmt: skip


def test_no_two_documents_share_a_list_or_dictionary(workshop: Any, record: dict[str, Any]) -> None:
    compiled: CompiledMap = workshop.compiled("a: {k: [{c: d}]}\nb: [=phone]\nc: =diagnoses.parts\nd: =name")
    first = compiled.apply(record, {}).document
    first["a"]["k"][0]["c"] = first["b"][0] = "spoilt"
    first["c"].clear()
    again = compiled.apply(record, {}).document
    assert again["a"] == {"k": [{"c": "d"}]}
    assert again["b"] == record["phone"] == ["01012345678", "0212345678"]
    assert again["c"] == ["09", "08"]


def test_names_keep_the_order_of_the_template(workshop: Any, record: dict[str, Any]) -> None:
    compiled = workshop.compiled("z: =name\na: const\nm: =sex\nb: {y: =name, x: k}")
    assert list(compiled.apply(record, {}).document) == ["z", "a", "m", "b"]


# ── fragments ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_fragment_is_put_in_with_its_parameters(workshop: Any, record: dict[str, Any]) -> None:
    workshop.fragment(
        "phone",
        """
        fragment: phone
        params: [number, use]
        template: {system: phone, value: =%number.phone(), use: =%use}
        """,
    )
    compiled = workshop.compiled(
        """
        t: [{$for: p in phone, $use: phone, $with: {number: =%p, use: home}}]
        u: {$use: phone, $with: {number: =coordinator.tel, use: work}, rank: 1}
        n: =name
        """
    )
    document = compiled.apply(record, {}).document
    assert document["t"][0] == {"system": "phone", "value": "+82-10-1234-5678", "use": "home"}
    assert document["u"] == {"system": "phone", "value": "+82-52-111-2222", "use": "work", "rank": 1}


def test_a_constant_for_a_fragment_is_what_it_would_be_elsewhere(workshop: Any, record: dict[str, Any]) -> None:
    workshop.fragment("one", "fragment: one\nparams: [x]\ntemplate: {v: =%x}\n")
    compiled = workshop.compiled("a: {$use: one, $with: {x: '==z'}}\nb: {$use: one, $with: {x: 7}}\nn: =name")
    assert compiled.apply(record, {}).document == {"a": {"v": "=z"}, "b": {"v": 7}, "n": "남궁민수"}


def test_fragments_that_double_each_other_are_refused(workshop: Any) -> None:
    workshop.fragment("f0", "fragment: f0\nparams: [p]\ntemplate: {v: =%p}\n")
    for n in range(1, 30):
        uses = f"{{$use: f{n - 1}, $with: {{p: =%p}}}}"
        workshop.fragment(f"f{n}", f"fragment: f{n}\nparams: [p]\ntemplate: {{v: {uses}, w: {uses}}}\n")
    errors = workshop.errors("a: {$use: f29, $with: {p: =name}}")
    assert any(e.startswith("S1") and "more than 5000 nodes, with the fragments put in" in e for e in errors)


def test_parameters_that_double_each_other_are_refused(workshop: Any) -> None:
    workshop.fragment("f0", "fragment: f0\nparams: [p]\ntemplate: {v: =%p}\n")
    for n in range(1, 30):
        use = f"{{$use: f{n - 1}, $with: {{p: =%p & %p}}}}"
        workshop.fragment(f"f{n}", f"fragment: f{n}\nparams: [p]\ntemplate: {{v: {use}}}\n")
    errors = workshop.errors("a: {$use: f29, $with: {p: =name}}")
    assert any(e.startswith("S2") and "more than 5000 nodes, with the parameters put in" in e for e in errors)


def test_constants_of_a_list_under_a_guard_keep_no_object_either(workshop: Any, record: dict[str, Any]) -> None:
    workshop.fragment("two", "fragment: two\ntemplate: [k, =coordinator.tel]\n")
    guarded = "{$if: alive, $use: two, $else: [z, =phone.first()]}"
    compiled = workshop.compiled(f"a: {{x: {guarded}}}\nb: {{x: {guarded}, v: =coordinator.no}}\nn: =caseNo")
    record["coordinator"] = {"no": "J1"}
    rest = {"b": {"x": ["k"], "v": "J1"}, "n": "20260000000123"}
    assert compiled.apply(record, {}).document == rest
    assert {e.target: e.status for e in compiled.explain(record, {})}["a.x[0]"] == "omitted-empty"
    assert compiled.apply(record | {"alive": False}, {}).document["a"] == {"x": ["z", "01012345678"]}


def test_an_error_inside_a_fragment_names_the_file_of_the_fragment(workshop: Any) -> None:
    workshop.fragment("bad", "fragment: bad\nparams: []\ntemplate:\n  v: =nam\n")
    errors = workshop.errors("a: {$use: bad}\nn: =name")
    assert any("mappings/fragments/bad.yaml:4: source field 'nam' does not exist" in e for e in errors)


FRAGMENTS = [
    ("a: {$use: nosuch}", "S13", "there is no fragment 'nosuch'"),
    ("a: {$use: one}", "S13", "fragment 'one' needs 'x' under '$with'"),
    ("a: {$use: one, $with: {x: a, y: b}}", "S13", "fragment 'one' has no parameter 'y'"),
    ("a: {$use: ring}", "S1", "fragments use each other in a circle: ring -> ring"),
    ("a: {$use: one, $with: {x: a}, v: b}", "S1", "'v' is written here and in the fragment"),
    ("a: {$use: listed, v: b}", "S1", "need a fragment that is one object"),
    ("a: {$use: one, $with: {x: {v: b}}}", "S1", "'x' under '$with' is one value or an expression"),
    ("a: {$use: one, $with: {x: [b]}}", "S1", "'x' under '$with' is one value or an expression"),
]


@pytest.mark.parametrize(("template", "code", "said"), FRAGMENTS)
def test_a_fragment_used_wrongly_blocks_the_map(workshop: Any, template: str, code: str, said: str) -> None:
    workshop.fragment("one", "fragment: one\nparams: [x]\ntemplate: {v: =%x}\n")
    workshop.fragment("ring", "fragment: ring\ntemplate: {v: {$use: ring}}\n")
    workshop.fragment("listed", "fragment: listed\ntemplate: [1]\n")
    errors = workshop.errors(template + "\nn: =name")
    assert any(e.startswith(code) and said in e for e in errors), errors


# ── both programs ────────────────────────────────────────────────────────────────────────────────────────────────────
WIDE = """
no: =caseNo
when: =%now
names: [{use: official, text: =name}, {text: =coordinator.name}]
tels:
  - {kind: fixed}
  - {$for: p in phone where %p.startsWith('0'), value: =%p, nr: =%p_index}
  - {value: =coordinator.tel}
sex: "=sex.translate('sex')"
worse: "=diagnoses.where(role = 'main').first().code"
who: {$if: "months > 6 or alive", k: long, n: =months, $else: {k: short, born: =born}}
entry:
  - fullUrl: =caseNo
    resource: {resourceType: X, v: =hours, l: [{c: const}, {d: =born}]}
  - $for: d in diagnoses
    resource: {resourceType: Y, code: =%d.code, parts: [=%d.parts], tag: {t: const}}
"""
_TEXT = st.sampled_from(["", "x", "010", "0212345678"])
RECORDS = st.fixed_dictionaries(
    {
        "caseNo": st.sampled_from(["1", "2"]),
        "name": st.sampled_from(["가", "나"]),
        "birth": st.just("19800101"),
        "sex": st.sampled_from(["1", "2", "9"]),
        "diagnoses": st.lists(
            st.fixed_dictionaries(
                {"code": st.sampled_from(["A", "B"]), "role": st.sampled_from(["main", "sub"])},
                optional={"parts": st.lists(st.sampled_from(["1", "2"]), max_size=2)},
            ),
            min_size=1,
            max_size=3,
        ),
    },
    optional={
        "born": st.just("1980-01-01"),
        "phone": st.lists(st.sampled_from(["010", "11"]), max_size=3),
        "months": st.integers(0, 12),
        "hours": st.sampled_from([1, 2.5]),
        "alive": st.booleans(),
        "coordinator": st.fixed_dictionaries(
            {"no": st.just("J")}, optional={"name": st.just("김"), "tel": st.just("02")}
        ),
    },
)


@pytest.fixture(scope="session")
def wide(workshops: Callable[[], Any]) -> CompiledMap:
    compiled: CompiledMap = workshops().compiled(WIDE, head="params: {now: instant}")
    return compiled


@given(RECORDS)
@settings(max_examples=150, deadline=None)
def test_the_slow_program_gives_what_the_fast_one_gives(wide: CompiledMap, record: dict[str, Any]) -> None:
    fast = wide.apply(record, {"now": "2026-11-23T00:00:00Z"})
    slow = wide._slow(record, {"now": "2026-11-23T00:00:00Z"})
    assert fast == slow
    assert fast.issues == ()


_NAMES = st.sampled_from(["caseNo", "name", "sex", "phone", "diagnoses", "coordinator", "code", "tel"])
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner),
    max_leaves=8,
)


@given(st.dictionaries(_NAMES, JUNK))
@settings(max_examples=150, deadline=None)
def test_a_record_that_is_not_what_its_schema_says_gives_issues_never_a_crash(
    wide: CompiledMap, record: dict[str, Any]
) -> None:
    try:
        issues = wide.apply(record, {"now": "2026-11-23T00:00:00Z"}).issues
    except RecordNotMapped as error:
        issues = error.issues or (None,)  # type: ignore[assignment]
    assert all(i is not None and i.text and i.at for i in issues)
