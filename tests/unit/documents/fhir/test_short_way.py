"""The short way: what it lets through, the long way lets through; and what we write ourselves can go it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.documents.fhir.profiles import Profiles
from gateway.documents.fhir.rules import FhirRules
from gateway.documents.fhir.short_way import ShortWay
from tests.unit.documents.fhir.spoiling import spoilt

ROOT = Path(__file__).parents[4]
FHIR = ROOT / "schemas" / "fhir"
GOOD = [orjson.loads(path.read_bytes()) for path in sorted((FHIR / "good").glob("*.json"))]
PART = {"url": "side", "valueCode": "R"}
WRITTEN = [p for p in sorted((ROOT / "mappings").rglob("golden/*.json")) if b'"resourceType"' in p.read_bytes()]


@pytest.fixture(scope="session")
def short(rules: FhirRules) -> ShortWay:
    return ShortWay(rules.elements, Profiles.load(FHIR / "r4" / "profiles.json"))


@given(data=st.data())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_takes_the_short_way_is_without_fault(rules: FhirRules, short: ShortWay, data: st.DataObject) -> None:
    resource = spoilt(data, copy.deepcopy(data.draw(st.sampled_from(GOOD))))
    if short.accepts(resource):
        assert rules.examine(resource) == ()


@pytest.mark.parametrize("path", sorted((FHIR / "bad").glob("*/*.json")), ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_no_bad_example_takes_it(short: ShortWay, path: Path) -> None:
    document = orjson.loads(path.read_bytes())
    assert "resourceType" not in document or not short.accepts(document)


@pytest.mark.parametrize("said", [{}, {"valueString": "가", "valueCode": "a"}, {"extension": [PART], "valueCode": "a"}])
def test_an_extension_that_says_nothing_or_two_things_does_not_take_it(short: ShortWay, said: dict[str, Any]) -> None:
    assert short.accepts({"resourceType": "Patient", "extension": [PART]})
    assert not short.accepts({"resourceType": "Patient", "extension": [{"url": "side"} | said]})


@pytest.mark.parametrize("path", WRITTEN, ids=lambda p: f"{p.parents[2].name}/{p.stem}")
def test_what_our_maps_write_takes_it(short: ShortWay, path: Path) -> None:
    assert short.accepts(orjson.loads(path.read_bytes()))
