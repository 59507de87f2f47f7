"""Code tables: which relations translate, dates, unlisted codes, and tables that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.documents import strict_json
from gateway.documents.gwmap import RecordNotMapped
from gateway.documents.gwmap.concept_maps import URL, Table, TableError, Tables, Translation

EXTENSION = "https://gateway.example/fhir/StructureDefinition/"


def target(code: str, relation: str = "equivalent", **more: Any) -> dict[str, Any]:
    return {"code": code, "equivalence": relation, **more}


def element(code: str, *targets: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"code": code, "target": list(targets), **more}


def dated(since: str | None = None, until: str | None = None) -> dict[str, Any]:
    both = {"effective-from": since, "effective-until": until}
    return {"extension": [{"url": EXTENSION + name, "valueDate": day} for name, day in both.items() if day]}


def resource(name: str, *elements: dict[str, Any], **group: Any) -> dict[str, Any]:
    groups = [{"source": "urn:a", "target": "urn:b", "element": list(elements), **group}]
    return {"resourceType": "ConceptMap", "url": URL + name, "version": "1.0.0", "group": groups}


def table(*resources: dict[str, Any]) -> Table:
    files = {f"{r['url']}|{r['version']}": (f"{r['url']}.json", r) for r in resources}
    return Tables(files).get(next(iter(files)))


ACCEPT = {"extension": [{"url": EXTENSION + "accept-wider", "valueBoolean": True}]}


def test_only_equal_meanings_translate() -> None:
    relations = [
        "equivalent",
        "equal",
        "wider",
        "narrower",
        "subsumes",
        "specializes",
        "inexact",
        "relatedto",
        "disjoint",
    ]
    found = table(resource("t", *(element(r, target("x", r)) for r in relations)))
    assert set(found.entries) == {"equivalent", "equal"}


@pytest.mark.parametrize("place", ["map", "element", "target"])
def test_a_wider_meaning_translates_only_where_it_is_accepted(place: str) -> None:
    on = {p: ACCEPT if p == place else {} for p in ("map", "element", "target")}
    wide = resource("t", element("a", target("x", "wider", **on["target"]), **on["element"])) | on["map"]
    assert table(wide).find("a") == Translation("x", None, "urn:b")


def test_unmatched_means_do_not_send() -> None:
    found = table(resource("t", element("a", {"equivalence": "unmatched"})))
    assert found.find("a") is None
    assert found.find("b") is False
    assert found.knows("a")
    assert not found.sends("a")


def test_an_unlisted_code_goes_to_unmapped() -> None:
    assert table(resource("t", unmapped={"mode": "provided"})).find("z") == Translation("z", None, None)
    fixed = table(resource("t", unmapped={"mode": "fixed", "code": "x", "display": "d"}))
    assert fixed.find("z") == Translation("x", "d", "urn:b")
    other = table(
        resource("t", element("a", target("1")), unmapped={"mode": "other-map", "url": URL + "u|1.0.0"}),
        resource("u", element("b", target("2"))),
    )
    assert [other.find(c) for c in "abc"] == [Translation("1", None, "urn:b"), Translation("2", None, "urn:b"), False]
    assert set(other.digests()) == {URL + "t|1.0.0", URL + "u|1.0.0"}


@pytest.mark.parametrize("unmapped", [{"mode": "provided"}, {"mode": "fixed", "code": "x"}])
def test_a_code_that_is_listed_without_an_equal_is_not_taken_for_unlisted(unmapped: dict[str, Any]) -> None:
    found = table(resource("t", element("a", target("x", "narrower")), element("b"), unmapped=unmapped))
    assert [found.find(code) for code in "ab"] == [False, False]
    assert not any(found.knows(code) or found.sends(code) for code in "ab")
    assert found.find("z")


def test_a_dated_entry_holds_on_its_days_only() -> None:
    found = table(
        resource(
            "t",
            element("42", target("42"), **dated(until="2023-06-10")),
            element("42", target("51"), **dated(since="2023-06-11")),
            element("45", target("52"), **dated(since="2024-01-18", until="2024-12-31")),
        )
    )
    assert found.dated
    days = {"2023-06-10": "42", "2023-06-11": "51", "2030-01-01": "51"}
    assert {day: hit.code for day in days if isinstance(hit := found.find("42", day), Translation)} == days
    assert [found.find("45", d) is False for d in ("2024-01-17", "2024-12-31", "2025-01-01")] == [True, False, True]


REFUSED = [
    (resource("t", element("a", target("1"), target("2", "equal"))), "two acceptable targets"),
    (resource("t", element("a", target("1")), element("a", target("2"))), "two acceptable targets on one day"),
    (resource("t", element("a", target("1"), **dated(until="2023-06-11")),
              element("a", target("2"), **dated(since="2023-06-11"))), "on one day"),
    (resource("t", element("a", target("1", dependsOn=[]))), "dependsOn and product are not supported"),
    (resource("t", element("a", target("1", product=[]))), "dependsOn and product are not supported"),
    (resource("t", unmapped={"mode": "other-map", "url": URL + "t|1.0.0"}), "leads in a circle"),
    (resource("t", unmapped={"mode": "other-map", "url": URL + "t"}), "there is no ConceptMap"),
    (resource("t", unmapped={"mode": "guess"}), "'guess' is unknown"),
    (resource("t", unmapped={"mode": "fixed"}), "not in the form of a ConceptMap: 'code' is missing"),
    (resource("t", {"target": []}), "not in the form of a ConceptMap: 'code' is missing"),
    (resource("t", element("a", {"equivalence": "equal"})), "not in the form of a ConceptMap: 'code' is missing"),
    (resource("t", element("a", target("1"), extension=[{"url": EXTENSION + "effective-from"}])),
     "not in the form of a ConceptMap: 'valueDate' is missing"),
    (resource("t") | {"group": "a"}, "not in the form of a ConceptMap: something is of another type"),
    (resource("t") | {"group": [{"unmapped": {"mode": "provided"}}, {"unmapped": {"mode": "fixed", "code": "x"}}]},
     "only one group may say"),
]  # fmt: skip


@pytest.mark.parametrize(("bad", "why"), REFUSED, ids=[r[1] for r in REFUSED])
def test_an_ambiguous_table_is_refused(bad: dict[str, Any], why: str) -> None:
    with pytest.raises(TableError, match=why):
        table(bad)


def test_a_table_must_stand_where_its_name_and_version_say(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "1.0.0.json").write_bytes(strict_json.dumps(resource("t")))
    with pytest.raises(TableError, match="must be the ConceptMap") as refused:
        Tables.load(tmp_path, "mappings/conceptmaps")
    assert refused.value.file == "mappings/conceptmaps/other/1.0.0.json"


@pytest.mark.parametrize(
    ("text", "why"), [("{", "syntax error"), ("[]", "one JSON object"), ('{"a":1,"a":1}', "twice")]
)
def test_a_table_that_cannot_be_read_is_a_finding(workshop: Any, text: str, why: str) -> None:
    workshop.map("a: =name")
    workshop.write("mappings/conceptmaps/broken/1.0.0.json", text)
    errors = workshop.errors()
    assert any(e.startswith("S8 mappings/conceptmaps/broken/1.0.0.json:1: ") and why in e for e in errors)


def test_a_dated_table_is_asked_with_a_day(workshop: Any, record: dict[str, Any]) -> None:
    elements = workshop.tables["sex"]["group"][0]["element"]
    elements[0] |= dated(until="2026-01-01")
    elements.append({**elements[0], **dated(since="2026-01-02"), "target": [target("other")]})
    errors = workshop.errors("a: \"=sex.translate('sex')\"\nb: =name")
    assert any("code table 'sex' is dated; say the day" in e for e in errors)
    compiled = workshop.compiled("a: \"=sex.translate('sex', on: %now)\"\nb: =name", head="params: {now: instant}")
    assert compiled.apply(record, {"now": "2026-01-01T15:00:00Z"}).document["a"] == "other"  # the 2nd in Seoul
    answers = [
        compiled.apply(record, {"now": f"{day}T00:00:00Z"}).document["a"] for day in ("2026-01-01", "2026-01-02")
    ]
    assert answers == ["male", "other"]


def test_a_dated_table_without_a_day_at_run_time_is_an_issue(workshop: Any, record: dict[str, Any]) -> None:
    workshop.tables["sex"]["group"][0]["element"][0] |= dated(until="2026-01-01")
    compiled = workshop.compiled("a: \"=sex.translate('sex', on: %day)\"\nb: =name", head="params: {day: date?}")
    with pytest.raises(RecordNotMapped, match="ConceptMap 'sex' is dated and the day is empty"):
        compiled.apply(record, {})
