"""Tests beside a map (S12): what passes, what fails, and how it is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.documents.gwmap import run_tests
from gateway.documents.gwmap.maptests import patched
from gateway.errors import MapRefused

TEMPLATE = "no: =caseNo\nbody: {sex: \"=sex.translate('sex')\", tels: [=phone]}\nday: =birth.ymd()"
RECORD = {"caseNo": "1", "name": "x", "birth": "19800229", "sex": "1", "diagnoses": [{"code": "A", "role": "main"}],
          "phone": ["010", "02"]}  # fmt: skip

TESTS: list[tuple[str, list[str]]] = [
    ("expect: {equals: {no: '1', body.sex: male, 'body.tels[1]': '02'}, absent: [body.x], present: [day]}", []),
    ("expect: {golden: golden/good.json}", []),
    ("expect: {golden: golden/other.json}",
     ["no differs from the golden document", "body.sex is there, the golden document lacks it",
      "body.tels has 2 items, the golden document 1", "extra is absent"]),
    ("expect: {golden: golden/none.json}", ["there is no file golden/none.json"]),
    ("expect: {equals: {no: '2'}}", ["no is '1', expected '2'"]),
    ("expect: {equals: {nono: '2'}}", ["nono is absent"]),
    ("expect: {absent: [no]}", ["no is there, expected absent"]),
    ("expect: {present: [nono]}", ["nono is absent"]),
    ("expectIssues: [{code: MAP-VALUE, target: day, source: birth}]\n"
     "patch: [{op: replace, path: /birth, value: x}]", []),
    ("expectIssues: [{code: MAP-UNMAPPED}]", ["no issue {'code': 'MAP-UNMAPPED'}"]),
    ("expect: {equals: {no: '1'}}\npatch: [{op: remove, path: /phone/0}, {op: add, path: /phone/-, value: '03'}]", []),
    ("expect: {equals: {no: '1'}}\npatch: [{op: remove, path: /nowhere}]",
     ["the patch remove /nowhere cannot be done"]),
    ("map: other|1.0.0\nexpect: {equals: {no: '1'}}", ["is written for other|1.0.0, not for mini|1.0.0"]),
    ("expect: {}", ["is shorter", "fewer"]),
]  # fmt: skip


def write(workshop: Any, body: str) -> None:
    given = {"base": "fixtures/record.json"}
    lines = [line for line in body.split("\n") if not line.startswith("patch:")]
    patch = next((line for line in body.split("\n") if line.startswith("patch:")), "")
    folder = "mappings/mini/1.0.0"
    workshop.write(f"{folder}/fixtures/record.json", json.dumps(RECORD))
    good = {"no": "1", "body": {"sex": "male", "tels": ["010", "02"]}, "day": "1980-02-29"}
    workshop.write(f"{folder}/golden/good.json", json.dumps(good))
    other = {"no": "2", "body": {"tels": ["010"]}, "day": "1980-02-29", "extra": 1}
    workshop.write(f"{folder}/golden/other.json", json.dumps(other))
    inner = f"  base: {given['base']}\n" + (f"  {patch}\n" if patch else "")
    workshop.write(f"{folder}/tests/one.yaml", "test: some-name\ngiven:\n" + inner + "\n".join(lines) + "\n")


@pytest.mark.parametrize(("body", "failures"), TESTS, ids=[f"{i}" for i in range(len(TESTS))])
def test_a_test_passes_or_says_what_is_wrong(workshop: Any, body: str, failures: list[str]) -> None:
    workshop.map(TEMPLATE)
    write(workshop, body)
    (result,) = run_tests(workshop.load(), "mini|1.0.0")
    if body == "expect: {}":
        assert not result.passed
        return
    assert sorted(result.failures) == sorted(failures)
    assert result.passed is not bool(failures)
    assert str(result).startswith("mappings/mini/1.0.0/tests/one.yaml:1: some-name: ")


def test_a_failing_test_is_an_s12_that_blocks(workshop: Any) -> None:
    workshop.map(TEMPLATE)
    write(workshop, "expect: {equals: {no: '2'}}")
    assert any(
        e.startswith("S12") and "test 'some-name' fails: no is '1', expected '2'" in e for e in workshop.errors()
    )


def test_a_map_without_tests_is_warned_of(workshop: Any) -> None:
    assert any(f.code == "S12" and "has no tests" in f.text for f in workshop.findings("a: =name"))


def test_a_map_that_is_not_there_is_said_not_to_be(workshop: Any) -> None:
    workshop.map(TEMPLATE)
    with pytest.raises(MapRefused, match=r"there is no map 'mini\|1\.0\.1' \(did you mean 'mini\|1\.0\.0'\?\)"):
        run_tests(workshop.load(), "mini|1.0.1")


def test_a_test_cannot_read_outside_its_map(workshop: Any) -> None:
    workshop.map(TEMPLATE)
    write(workshop, "expect: {golden: ../../../../../etc/hostname}")
    (result,) = run_tests(workshop.load(), "mini|1.0.0")
    assert "there is no file" in result.failures[0]


def test_a_patch_leaves_its_source_alone() -> None:
    source = {"a": [1, 2]}
    done = patched(source, [{"op": "replace", "path": "/a/0", "value": 9}, {"op": "add", "path": "/b", "value": 1}])
    assert (source, done) == ({"a": [1, 2]}, {"a": [9, 2], "b": 1})
