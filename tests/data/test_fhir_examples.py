"""Good and bad examples under `schemas/fhir`: the good are clean, each bad one is refused for what its folder says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.documents.fhir.rules import FhirRules

FHIR = Path(__file__).resolve().parents[2] / "schemas" / "fhir"
GOOD = sorted((FHIR / "good").glob("*.json"))
BAD = sorted((FHIR / "bad").glob("*/*.json"))


@pytest.fixture(scope="module")
def rules() -> FhirRules:
    return FhirRules.load(FHIR)


def _values(document: Any) -> set[str]:
    """Texts of a document that are long enough to be somebody's."""
    if isinstance(document, dict):
        return set().union(*map(_values, document.values())) if document else set()
    if isinstance(document, list):
        return set().union(*map(_values, document)) if document else set()
    return {document} if isinstance(document, str) and len(document) > 12 and " " in document else set()


@pytest.mark.parametrize("path", GOOD, ids=lambda p: p.stem)
def test_a_good_example_is_clean(rules: FhirRules, path: Path) -> None:
    assert rules.check(orjson.loads(path.read_bytes())) == ()


@pytest.mark.parametrize("path", BAD, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_bad_example_is_refused_for_what_its_folder_says_and_no_value_is_told(rules: FhirRules, path: Path) -> None:
    document = orjson.loads(path.read_bytes())
    found = rules.check(document)
    assert path.parent.name in {f.code for f in found}
    said = " ".join(map(str, found))
    assert not [value for value in _values(document) if value in said]


def test_every_code_system_has_korean_displays_and_no_code_twice() -> None:
    systems = sorted((FHIR / "code-systems").glob("*.json"))
    assert systems
    for path in systems:
        system = orjson.loads(path.read_bytes())
        codes = [c["code"] for c in system["concept"]]
        assert system["url"] == f"https://gateway.example/fhir/CodeSystem/{path.stem}"
        assert len(codes) == len(set(codes))
        assert all(c.get("display") for c in system["concept"]), path.stem
