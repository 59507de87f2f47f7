"""The rules, loaded once, and the good examples to start from."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.documents.fhir.rules import FhirRules

FHIR = Path(__file__).parents[4] / "schemas" / "fhir"


@pytest.fixture(scope="session")
def rules() -> FhirRules:
    return FhirRules.load(FHIR)


@pytest.fixture(scope="session")
def good() -> dict[str, dict[str, Any]]:
    return {path.stem: orjson.loads(path.read_bytes()) for path in sorted((FHIR / "good").glob("*.json"))}


@pytest.fixture
def message(good: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A referral message of twelve entries, to be spoilt."""
    return copy.deepcopy(good["referral-message"])


@pytest.fixture
def entry(message: dict[str, Any]) -> Callable[[str], dict[str, Any]]:
    """The first resource of a type in the message."""

    def find(kind: str) -> dict[str, Any]:
        return next(e["resource"] for e in message["entry"] if e["resource"]["resourceType"] == kind)

    return find
