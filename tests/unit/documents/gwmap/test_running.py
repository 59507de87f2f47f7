"""Running maps: every fault of a record at once, masked; what is left out on purpose; explanations; limits."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.documents.gwmap import RecordNotMapped, limits
from gateway.documents.strict_json import dumps
from gateway.errors import MappingFailed

PATIENT = """
resourceType: Bundle
type: collection
entry:
  - $id: worker
    fullUrl: =caseNo
    resource:
      resourceType: Patient
      name: [{text: =name}]
      gender: "=sex.translate('sex')"
      birthDate: =birth.ymd()
      telecom:
        - {$for: p in phone, system: phone, value: =%p.phone()}
"""
IGNORED = (
    "ignored: {name: why so, birth: why so, born: why so, sex: why so, months: why so, hours: why so, alive: why so, "
    "diagnoses: why so}"
)
BUNDLE = '{fhir: "4.0.1", root: Bundle}'


def failures(workshop: Any, template: str, record: dict[str, Any], **more: Any) -> tuple[Any, ...]:
    compiled = workshop.compiled(template, **more)
    with pytest.raises(RecordNotMapped) as caught:
        compiled.apply(record, {})
    assert isinstance(caught.value, MappingFailed)
    return caught.value.issues


def test_every_fault_of_a_record_is_said_in_one_pass(workshop: Any, record: dict[str, Any]) -> None:
    del record["name"]
    record |= {"sex": "7", "birth": "19791314", "phone": ["01012345678", "12"]}
    issues = failures(workshop, PATIENT, record, target=BUNDLE)
    said = [re.sub(r"mappings/\S+map\.yaml", "map", str(i)) for i in issues]
    assert [i.detail for i in issues] == ["MAP-MISSING", "MAP-UNMAPPED", "MAP-VALUE", "MAP-VALUE"]
    assert said[0].endswith("(needed for Bundle.entry[0].resource.name[0].text)")
    assert "rule worker.resource.name[0].text (=name): required source field 'name' is missing" in said[0]
    assert "code '7' in 'sex' has no entry in ConceptMap 'sex' (needed for Bundle.entry[0].resource.gender)" in said[1]
    assert "ymd failed on 'birth': 1979**** is not a real date (month must be in 1..12)" in said[2]
    assert "phone failed on 'phone': ** is not a Korean telephone number" in said[3]
    assert issues[3].target == "Bundle.entry[0].resource.telecom[1].value"


@pytest.mark.parametrize("field", ["name", "birth", "caseNo", "phone", "coordinator"])
def test_no_value_of_a_person_gets_into_a_text(workshop: Any, record: dict[str, Any], field: str) -> None:
    secret = "홍길동900101"
    record[field] = (
        secret if isinstance(record[field], str) else ([secret] if isinstance(record[field], list) else secret)
    )
    compiled = workshop.compiled(PATIENT + "  - resource: {resourceType: Organization, name: =coordinator.tel.phone()}",
                                 target=BUNDLE)  # fmt: skip
    try:
        said = str(compiled.apply(record, {}).issues)
    except RecordNotMapped as error:
        said = str(error) + repr(error.issues)
    said += "".join(map(str, compiled.explain(record, {})))
    assert secret not in said
    assert "홍길동" not in said


@pytest.mark.parametrize("leaf", ["%now.date('yyyy', name)", "%now.date(name)", "born.date(name)", "birth.ymdhm(name)"])
def test_a_value_that_is_used_as_a_pattern_gets_into_no_text(workshop: Any, leaf: str, record: dict[str, Any]) -> None:
    compiled = workshop.compiled(f'a: "={leaf}"\nb: =caseNo & born & birth', head="params: {now: instant}")
    record |= {"name": "Q박은정", "birth": "198002290000"}
    with pytest.raises(RecordNotMapped, match="failed on") as caught:
        compiled.apply(record, {"now": "2026-11-23T01:02:03Z"})
    assert "박은정" not in str(caught.value) + repr(caught.value.issues)


def test_a_code_of_no_known_type_is_translated_and_never_lost(workshop: Any, record: dict[str, Any]) -> None:
    template = "a: \"=%more.code.translate('sex')\"\nb: =name & sex"
    compiled = workshop.compiled(template, head='params: {more: "urn:t:open:1"}')
    assert compiled.apply(record, {"more": {"code": "2"}}).document["a"] == "female"
    for code, said in (("7", "code '7' in the value has no entry"), (["2"], "not what its schema says")):
        with pytest.raises(RecordNotMapped, match=said):
            compiled.apply(record, {"more": {"code": code}})


@pytest.mark.parametrize("leaf", ["months * months", "hours * 100", "months + 1", "-months - 1"])
def test_a_number_that_json_cannot_hold_is_an_issue(workshop: Any, record: dict[str, Any], leaf: str) -> None:
    compiled = workshop.compiled(f"a: ={leaf}\nb: =name")
    assert "a" in compiled.apply(record, {}).document
    with pytest.raises(RecordNotMapped, match="beyond the numbers of JSON"):
        compiled.apply(record | {"months": 2**53 - 1, "hours": 1.7e308}, {})


def test_an_unmatched_code_is_left_out_and_noted(workshop: Any, record: dict[str, Any]) -> None:
    workshop.tables["sex"]["group"][0]["element"][0]["target"] = [{"equivalence": "unmatched"}]
    compiled = workshop.compiled("a: \"=sex.translate('sex')\"\nb: =name")
    document, (issue,), _ = compiled.apply(record, {})
    assert document == {"b": "남궁민수"}
    assert (issue.severity, issue.detail, issue.target) == ("information", "MAP-UNMAPPED", "a")
    assert "code '1' in 'sex' is 'unmatched' in ConceptMap 'sex': not sent on purpose" in issue.text


def test_an_unlisted_code_may_be_omitted_with_a_warning_or_sent_as_text(workshop: Any, record: dict[str, Any]) -> None:
    del workshop.tables["sex"]["group"][0]["element"][0]["target"]
    compiled = workshop.compiled(
        "a: \"=sex.translate('sex', unmapped: 'omit')\"\n"
        "b: \"=sex.translate('sex', 'concept', unmapped: 'text')\"\nc: =name"
    )
    document, issues, _ = compiled.apply(record, {})
    assert document == {"b": {"text": "뜻 1"}, "c": "남궁민수"}
    assert [(i.severity, i.target) for i in issues] == [("warning", "a"), ("warning", "b")]


def test_outputs_of_a_translation(workshop: Any, record: dict[str, Any]) -> None:
    workshop.tables["sex"]["group"][0]["element"][0]["target"][0]["display"] = "남성"
    template = "\n".join(f"{o}: \"=sex.translate('sex', '{o}')\"" for o in ("display", "system", "coding", "concept"))
    document = workshop.compiled(template).apply(record, {}).document
    coding = {"system": "urn:t:b", "code": "male", "display": "남성"}
    assert document == {"display": "남성", "system": "urn:t:b", "coding": coding, "concept": {"coding": [coding]}}


def test_the_policy_on_values_may_omit_them_with_a_warning(workshop: Any, record: dict[str, Any]) -> None:
    record["birth"] = "1979"
    compiled = workshop.compiled("a: =birth.ymd()\nb: =name", head="policy: {onValueError: omit}")
    document, (issue,), _ = compiled.apply(record, {})
    assert document == {"b": "남궁민수"}
    assert (issue.severity, issue.detail) == ("warning", "MAP-VALUE")


def test_a_required_element_that_would_be_empty_is_an_issue(workshop: Any, record: dict[str, Any]) -> None:
    del record["coordinator"]
    template = "no: =caseNo\nsex: M\nwho: {name: =coordinator.name, tel: =phone.first()}"
    (issue,) = failures(workshop, template, record, target='{schema: "urn:t:partner:1"}', head=IGNORED)
    assert (issue.detail, issue.target, issue.source) == ("MAP-MISSING", "who.name", "coordinator.name")
    assert "required element 'name' would be empty: source 'coordinator.name' is empty" in issue.text


def test_more_than_one_where_one_is_wanted_is_an_issue(workshop: Any, record: dict[str, Any]) -> None:
    (issue,) = failures(workshop, "a: =phone.single()\nb: =name", record)
    assert "single() failed on 'phone': there is more than one item" in str(issue)


def test_a_failing_let_is_said_once_with_the_first_target_that_needs_it(workshop: Any, record: dict[str, Any]) -> None:
    record["birth"] = "1"
    template = "a: =%day\nb: {c: =%next}\nd: =name"
    issues = failures(workshop, template, record, head="let: {day: =birth.ymd(), next: \"=%day & 'x'\"}")
    assert [(i.rule.split(" (")[0], i.target) for i in issues] == [("let day", "a")]


def test_a_record_that_gives_nothing_is_an_issue(workshop: Any, record: dict[str, Any]) -> None:
    del record["months"]
    (issue,) = failures(workshop, "a: {b: =months}", record)
    assert "holds nothing this map writes" in issue.text


# ── parameters ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_parameters_are_declared_and_given(workshop: Any, record: dict[str, Any]) -> None:
    compiled = workshop.compiled(
        "a: =%now\nb: =%who.memo\nc: =%more\nd: =%tags\ne: =name",
        head='params: {now: instant, who: "urn:t:partner:1?", more: string?, tags: "string[]?"}',
    )
    now = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
    assert compiled.apply(record, {"now": now}).document == {"a": "2026-11-23T01:02:03Z", "e": "남궁민수"}
    assert compiled.apply(record, {"now": now, "tags": ["x"], "more": "y"}).document["d"] == ["x"]
    with pytest.raises(RecordNotMapped, match="parameter 'now' is not given"):
        compiled.apply(record, {})
    with pytest.raises(RecordNotMapped, match="parameter 'nwo' is not declared"):
        compiled.apply(record, {"now": now, "nwo": 1})


# ── explanations ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_explanation_says_where_each_element_comes_from(workshop: Any, record: dict[str, Any]) -> None:
    del record["months"]
    template = """
        a: "=sex.translate('sex')"
        b: =%who
        c: {$if: months > 3, v: =months}
        d: [{$for: x in diagnoses where %x.role = 'sub', code: =%x.code}]
        e: {k: const, v: =months}
        """
    compiled = workshop.compiled(template, head='let: {who: "=name & sex"}')
    found = {e.target: e for e in compiled.explain(record, {})}
    assert found["a"].status == "written"
    assert [tuple(s) for s in found["a"].sources] == [("sex", "1", False)]
    assert found["a"].tables == ("sex",)
    assert found["b"].via == ("who",)
    assert [tuple(s) for s in found["b"].sources] == [("name", "****", True), ("sex", "1", False)]
    assert found["c"].status == "omitted-guard(months > 3)"
    assert found["d[*]"].status == "omitted-guard(%x.role = 'sub')"
    assert found["d[0].code"].status == "written"
    assert found["e.v"].status == found["e.k"].status == "omitted-empty"
    assert re.fullmatch(r"mini\|1\.0\.0:\d+", found["a"].at)
    assert "written by" in str(found["a"])


def test_each_of_two_rules_at_one_target_is_explained_by_its_own_sources(workshop: Any, record: dict[str, Any]) -> None:
    template = """
        $id: top
        a: [{$for: x in phone, v: =%x}, {$for: d in diagnoses, v: =%d.code}]
        b: {$if: alive, v: =name, $else: {v: =caseNo}}
        """
    compiled = workshop.compiled(template)
    assert len({line.rule for line in compiled.lineage()}) == len(compiled.lineage()) == 4
    found = {e.target: e for e in compiled.explain(record, {})}
    assert [s.path for s in found["a[0].v"].sources] == ["phone"]
    assert [s.path for s in found["a[2].v"].sources] == ["diagnoses.code"]
    assert [s.path for s in found["b.v"].sources] == ["name"]


def test_an_explanation_of_a_faulty_record_says_error(workshop: Any, record: dict[str, Any]) -> None:
    record["birth"] = "x"
    found = {e.target: e for e in workshop.compiled("a: =birth.ymd()\nb: =name").explain(record, {})}
    assert (found["a"].status, found["b"].status) == ("error", "written")


# ── limits ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_run_with_too_many_steps_is_stopped(workshop: Any, record: dict[str, Any]) -> None:
    record["phone"] = ["0"] * 1_000
    template = "a: [{$for: x in phone, b: [{$for: y in phone where %x = '1', c: =%y}]}]\nn: =name"
    issues = failures(workshop, template, record)
    assert issues[0].detail == "MAP-LIMIT"
    assert f"more than {limits.STEPS} steps" in issues[0].text


def test_a_document_that_is_too_large_is_refused(workshop: Any, record: dict[str, Any]) -> None:
    record |= {"phone": ["0"] * 1_500, "name": "x" * 2_000}
    (issue,) = failures(workshop, "a: [{$for: x in phone, b: =name, c: =name}]", record)
    assert (issue.detail, issue.code) == ("MAP-LIMIT", "too-costly")
    assert "larger than" in issue.text


def test_a_document_without_loops_is_measured_too(workshop: Any, record: dict[str, Any]) -> None:
    record["name"] = "x" * (limits.OUTPUT_BYTES // 2)
    (issue,) = failures(workshop, "a: =name\nb: =name\nc: =name", record)
    assert issue.detail == "MAP-LIMIT"
    assert workshop.compiled("a: =name").apply(record, {}).document["a"] == record["name"]


def test_a_document_comes_with_its_bytes(workshop: Any, record: dict[str, Any]) -> None:
    mapped = workshop.compiled("a: =name\nb: [{$for: p in phone, c: =%p}]").apply(record, {})
    assert mapped.body == dumps(mapped.document)


def test_a_document_that_cannot_be_written_is_an_issue(workshop: Any, record: dict[str, Any]) -> None:
    record["name"] = "\ud800"  # half a character
    (issue,) = failures(workshop, "a: =name", record)
    assert (issue.detail, issue.text) == ("MAP-VALUE", "the document holds a value that is beyond JSON")


@pytest.mark.parametrize("leaf", ["name.pad(months)", "name.replace('x', name)", "name.replace('', name)"])
def test_no_function_makes_a_text_endless(workshop: Any, record: dict[str, Any], leaf: str) -> None:
    record |= {"name": "x" * 1_000, "months": 100_000_000_000}
    (issue,) = failures(workshop, f"a: ={leaf}", record)
    assert issue.detail == "MAP-VALUE"
    assert f"would become longer than {limits.GROWN_CHARS} characters" in issue.text
    record |= {"name": "y" * 100_000, "months": 10}  # one that is long already may stay so
    assert workshop.compiled("a: =name.replace('y', 'z').pad(months)").apply(record, {}).document["a"][:2] == "zz"
