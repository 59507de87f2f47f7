"""Two opinions on form: the strict schemas (quick, silent) and the diagnosis (slow, in words) must not differ.

Good examples are spoilt at random places in random ways; whenever the schema of a resource refuses it, the diagnosis
must find something, and the other way round.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.documents.fhir.rules import FhirRules
from tests.documents import resources

FHIR = Path(__file__).parents[4] / "schemas" / "fhir"


RESOURCES = [
    r
    for p in sorted((FHIR / "good").glob("*.json"))
    for r in resources(orjson.loads(p.read_bytes()))
    if r["resourceType"] != "Bundle"
]
VALUES = st.sampled_from(
    [
        None,
        "",
        " ",
        "x",
        "a  b",
        0,
        -1,
        1.5,
        True,
        [],
        {},
        [None],
        ["x"],
        [{}],
        {"id": "x"},
        {"extension": []},
        "2026",
        "2026-02-30",
        "2026-11-23T09:30:00Z",
        "Patient/1",
        "Group/1",
        "#x",
        "urn:uuid:1",
        {"reference": "Task/1"},
    ]
)
NAMES = st.sampled_from(["id", "extension", "value", "valueString", "_id", "_birthDate", "reference", "nosuch", "text"])


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in pairs:
        if name != "resourceType":
            yield value, name
            yield from _places(child)


@given(data=st.data())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_schema_and_diagnosis_refuse_the_same_resources(rules: FhirRules, data: st.DataObject) -> None:
    resource = copy.deepcopy(data.draw(st.sampled_from(RESOURCES)))
    owner, name = data.draw(st.sampled_from(list(_places(resource))))
    match data.draw(st.sampled_from(["set", "drop", "add", "wrap", "unwrap"])):
        case "set":
            owner[name] = data.draw(VALUES)
        case "drop":
            del owner[name]
        case "wrap":
            owner[name] = [owner[name]]
        case "unwrap" if isinstance(owner[name], list):
            owner[name] = owner[name][0]
        case "add" if isinstance(owner[name], dict):
            owner[name][data.draw(NAMES)] = data.draw(VALUES)
    accepted = rules.accepts_form(resource)
    found = rules.diagnose(resource)
    assert accepted == (
        not [f for f in found if f.code != "duplicate-choice" and "[x]" not in f.path and "ext-1" not in f.sentence]
    )
    rules.check(resource)
