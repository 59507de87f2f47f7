"""A partner's dialect of answers, as its profile declares it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.partners.dialect import Dialect, Meaning, at
from gateway.partners.profile import load_all

ROOT = Path(__file__).parents[3]
PROFILES = load_all(ROOT / "mappings" / "partners", ROOT / "schemas")


@pytest.mark.parametrize(
    ("partner", "body", "meaning"),
    [
        ("KEIS", {"header": {"rsltCd": "0000", "rsltMsg": "정상"}, "receipt": "e.y.J"}, Meaning.OK),
        ("KEIS", {"header": {"rsltCd": "3001"}}, Meaning.DUPLICATE),
        ("KEIS", {"header": {"rsltCd": "1007"}}, Meaning.PERMANENT),
        ("KEIS", {"header": {"rsltCd": "2xxx"}}, Meaning.RETRY),  # a code nobody knows
        ("KEIS", {"header": {"rsltCd": "9999"}}, Meaning.RETRY),
        ("KEIS", {"header": {"rsltCd": 0}}, Meaning.RETRY),
        ("KEIS", {}, Meaning.RETRY),
        ("KEIS", "busy", Meaning.RETRY),
        ("KEAD", {"결과": "정상", "수신증": "e.y.J"}, Meaning.OK),
        ("KEAD", {"결과": "형식오류"}, Meaning.PERMANENT),
        ("TRN", {"resourceType": "OperationOutcome", "issue": [{"code": "informational"}]}, Meaning.OK),
        ("TRN", {"resourceType": "OperationOutcome", "issue": [{"code": "duplicate"}]}, Meaning.DUPLICATE),
        ("TRN", {"resourceType": "OperationOutcome", "issue": []}, Meaning.RETRY),
    ],
)
def test_a_body_means_what_the_profile_says(partner: str, body: object, meaning: Meaning) -> None:
    assert PROFILES[partner].response.meaning(body) is meaning


@pytest.mark.parametrize(
    ("partner", "body", "receipt"),
    [
        ("KEIS", {"receipt": "e.y.J"}, "e.y.J"),
        ("KEIS", {"receipt": {"jws": "e.y.J"}}, None),
        ("KEAD", {"수신증": "e.y.J"}, "e.y.J"),
        ("TRN", {"receipt": "e.y.J"}, None),  # header only
    ],
)
def test_the_receipt_is_found_where_the_profile_says(partner: str, body: object, receipt: str | None) -> None:
    assert PROFILES[partner].response.receipt_in(body) == receipt


def test_a_trailing_x_is_a_digit_only_after_digits() -> None:
    raw = {"result": "r", "ok": ["1x"], "duplicate": ["prefix"], "permanent": [], "retry": []}
    dialect = Dialect.of(raw)
    assert [dialect.meaning({"r": code}) for code in ("17", "1x", "prefix", "prefi7")] == [
        Meaning.OK, Meaning.RETRY, Meaning.DUPLICATE, Meaning.RETRY,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "found"), [("a.0.b", 1), ("a.1.b", None), ("a.x", None), ("c", None), ("a.0.b.c", None)]
)
def test_a_path_that_leads_nowhere_finds_nothing(path: str, found: object) -> None:
    assert at({"a": [{"b": 1}]}, path) == found
