"""How long records are kept: periods of calendar years, and the law below which no file may go."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gateway.cases.retention import RecordClass, Retention
from gateway.config import Settings
from gateway.errors import DataFileInvalid

FILE = Settings().mappings / "rules" / "retention" / "RT-2026.1.yaml"
CONTENT = "years: 5\n    at_least: 5"


def load(folder: Path, old: str = "", new: str = "") -> Retention:
    path, text = folder / "RT-2026.1.yaml", FILE.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return Retention.load(path, Settings().schemas)


def records(years: int | None) -> RecordClass:
    return RecordClass("x", "x", "closed", years, ("law",), "destroy-content" if years else "kept", "x")


@pytest.mark.rule("R-29")
@pytest.mark.parametrize(
    ("closed", "years", "last_day_kept", "first_day_due"),
    [
        (date(2026, 1, 1), 5, date(2031, 12, 31), date(2032, 1, 1)),
        (date(2026, 12, 31), 5, date(2031, 12, 31), date(2032, 1, 1)),
        (date(2027, 1, 1), 5, date(2032, 12, 31), date(2033, 1, 1)),
        (date(2028, 2, 29), 1, date(2029, 12, 31), date(2030, 1, 1)),
    ],
)
def test_a_period_is_full_calendar_years_after_the_year_of_closing(
    closed: date, years: int, last_day_kept: date, first_day_due: date
) -> None:
    for today, due in ((last_day_kept, False), (first_day_due, True)):
        before = records(years).ended_before(today)
        assert before is not None
        assert (closed < before) is due


def test_what_has_no_period_never_ends() -> None:
    assert records(None).ended_before(date(2999, 1, 1)) is None


@pytest.mark.rule("R-29")
def test_the_rules_in_force_keep_evidence_longer_than_content_and_the_log_always(tmp_path: Path) -> None:
    years = {one.id: one.years for one in load(tmp_path).classes}
    assert years == {"put-aside": 1, "content": 5, "evidence": 10, "access-records": None, "measures": None}


@pytest.mark.rule("R-15")
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (CONTENT, "years: 4\n    at_least: 5", "content: the law keeps it for 5 years"),
        ("years: null\n    at_least: 2", "years: 1\n    at_least: 2", "access-records: the law keeps it for 2 years"),
        ("years: null\n    at_least: 2", "years: 3\n    at_least: 2", "access-records: what has a period is destroyed"),
        (CONTENT, "years: null\n    at_least: 5", "content: what has a period is destroyed, what has none is kept"),
        (CONTENT, "years: 0\n    at_least: 0", "0 is less than the minimum of 1"),
        ("then: kept", "then: burnt", "is not one of"),
    ],
)
def test_a_file_that_lets_records_go_too_early_is_not_loaded(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(DataFileInvalid, match=said):
        load(tmp_path, old, new)
