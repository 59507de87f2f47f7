"""What goes back to COMWEL: one row for each change, none for a repetition."""

from __future__ import annotations

from pathlib import Path

import jsonschema_rs
import orjson
import pytest

from gateway.outcomes.facts import Kind
from gateway.outcomes.update import About, Written, next_update

SCHEMA = orjson.loads((Path(__file__).parents[3] / "schemas/comwel/rtw-update/1.0.0.json").read_bytes())
ABOUT = About("20261100000001", 1, "R20260801-0000001", "KEIS")


def written(update):
    """As the store has it: through JSON and back."""
    return Written(update.update_no, orjson.loads(orjson.dumps(update.document())))


def test_the_same_facts_give_the_same_row_and_no_second_write_back(build):
    placed = build.fact(1, "2026-09-05", "E2", job=build.job())
    first = next_update(None, build.judged(placed, as_of="2026-09-06"), ABOUT)
    assert first.update_no == 1
    assert next_update(None, build.judged(placed, as_of="2026-09-06"), ABOUT) == first
    assert next_update(written(first), build.judged(placed, as_of="2026-09-20"), ABOUT) is None
    assert next_update(written(first), build.judged(placed, placed, as_of="2026-09-06"), ABOUT) is None


def test_news_is_the_next_row(build):
    placed = build.fact(1, "2026-09-05", "E3", job=build.job())
    proof = build.fact(2, "2026-10-20", "E1", job=build.job())
    first = next_update(None, build.judged(placed, as_of="2026-09-06"), ABOUT)
    second = next_update(written(first), build.judged(placed, proof, as_of="2026-10-21"), ABOUT)
    assert (first.evidence, second.evidence, second.update_no) == ("E3", "E1", 2)
    closed = next_update(written(second), build.judged(placed, proof, as_of="2026-10-22", closed=True), ABOUT)
    assert (closed.closed, closed.update_no) == (True, 3)


def test_a_milestone_that_merely_went_by_is_no_news(build):
    placed = build.fact(1, "2026-09-05", "E2", job=build.job())
    first = next_update(None, build.judged(placed, as_of="2026-09-06"), ABOUT)
    assert next_update(written(first), build.judged(placed, as_of="2027-09-06"), ABOUT) is None


def test_before_the_first_report_there_is_nothing_to_write(build):
    assert next_update(None, build.judged(as_of="2026-09-06"), ABOUT) is None
    silent = build.fact(1, "2026-09-05", "E1", kind=Kind.SILENCE)
    assert next_update(None, build.judged(silent, as_of="2026-09-06"), ABOUT) is None


def test_the_update_keeps_to_its_schema_and_leaves_out_what_is_absent(build):
    left = build.asked(
        2, "2027-01-25", "P6M", "not-employed", "E2", last_day_worked="2027-01-20", leave_reason="voluntary"
    )
    third = build.asked(3, "2026-12-02", "P3M", "retained-same-job", "E2", checked_on="2026-12-01")
    placed = build.fact(1, "2026-09-02", "E2", job=build.job())
    told = next_update(None, build.judged(placed, left, third, as_of="2027-03-02"), ABOUT).document()
    jsonschema_rs.validator_for(SCHEMA, validate_formats=True).validate(told)
    assert (told["caseNo"], told["refNo"]) == (ABOUT.case_no, ABOUT.ref_no)
    assert (told["status"], told["employment"]["end"]) == ("not-returned", "2027-01-20")
    assert told["milestones"] == {
        "P1M": {"result": "retained-same-employer"},
        "P3M": {"result": "retained-same-job", "checkedOn": "2026-12-01"},
        "P6M": {"result": "not-employed"},
    }
    assert "occupation" not in told["employment"]


@pytest.mark.parametrize(
    ("evidence", "as_of", "ended", "word"),
    [
        ("E1", "2026-09-06", None, "returned"),
        ("E3", "2026-09-06", None, "returned"),
        ("E4", "2026-09-06", None, "pending"),
        ("E2", "2026-10-14", "2026-09-04", "pending"),
        ("E2", "2026-10-15", "2026-09-04", "not-returned"),
    ],
)
def test_comwels_word_is_returned_only_on_good_evidence_and_not_returned_only_when_mature(
    build, evidence, as_of, ended, word
):
    placed = build.fact(1, "2026-09-05", evidence, job=build.job(end=build.day(ended)))
    assert next_update(None, build.judged(placed, as_of=as_of), ABOUT).status == word
