"""Two opinions on form: the strict schemas (quick, silent) and the diagnosis (slow, in words) must not differ.

Good examples are spoilt at random places in random ways; whenever the schema of a resource refuses it, the diagnosis
must find something, and the other way round.
"""

from __future__ import annotations

import copy
from pathlib import Path

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.documents.fhir.rules import FhirRules
from tests.documents import resources
from tests.unit.documents.fhir.spoiling import spoilt

FHIR = Path(__file__).parents[4] / "schemas" / "fhir"


RESOURCES = [
    r
    for p in sorted((FHIR / "good").glob("*.json"))
    for r in resources(orjson.loads(p.read_bytes()))
    if r["resourceType"] != "Bundle"
]


@given(data=st.data())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_schema_and_diagnosis_refuse_the_same_resources(rules: FhirRules, data: st.DataObject) -> None:
    resource = spoilt(data, copy.deepcopy(data.draw(st.sampled_from(RESOURCES))))
    accepted = rules.gate.accepts(resource)
    found = rules.diagnosis.resource(resource, (None, resource["resourceType"], None))
    assert accepted == (
        not [f for f in found if f.code != "duplicate-choice" and "[x]" not in f.path and "ext-1" not in f.sentence]
    )
    rules.check(resource)
