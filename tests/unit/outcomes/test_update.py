"""What goes back to COMWEL: one row for each change, none for a repetition."""

from __future__ import annotations

from pathlib import Path

import jsonschema_rs
import orjson
import pytest

from gateway.outcomes.facts import Kind, supersede
from gateway.outcomes.judgement import Judgement
from gateway.outcomes.update import About, RtwUpdate, Written, next_update
from tests.unit.outcomes import build

SCHEMA = orjson.loads((Path(__file__).parents[3] / "schemas/comwel/rtw-update/1.0.0.json").read_bytes())
ABOUT = About("20261100000001", 1, "R20260801-0000001", "KEIS")


def written(update: RtwUpdate) -> Written:
    """As the store has it: through JSON and back."""
    return Written(update.update_no, orjson.loads(orjson.dumps(update.document())))


def news(previous: Written | None, judgement: Judgement) -> RtwUpdate:
    """Return the update there must be."""
    update = next_update(previous, judgement, ABOUT)
    assert update is not None
    return update


def test_the_same_facts_give_the_same_row_and_no_second_write_back() -> None:
    placed = build.fact(1, "2026-09-05", "E2", job=build.job())
    first = news(None, build.judged(placed, as_of="2026-09-06"))
    assert first.update_no == 1
    assert next_update(None, build.judged(placed, as_of="2026-09-06"), ABOUT) == first
    assert next_update(written(first), build.judged(placed, as_of="2026-09-20"), ABOUT) is None
    assert next_update(written(first), build.judged(placed, placed, as_of="2026-09-06"), ABOUT) is None


def test_news_is_the_next_row() -> None:
    placed = build.fact(1, "2026-09-05", "E3", job=build.job())
    proof = build.fact(2, "2026-10-20", "E1", job=build.job())
    first = news(None, build.judged(placed, as_of="2026-09-06"))
    second = news(written(first), build.judged(placed, proof, as_of="2026-10-21"))
    assert (first.evidence, second.evidence, second.update_no) == ("E3", "E1", 2)
    closed = news(written(second), build.judged(placed, proof, as_of="2026-10-22", closed=True))
    assert (closed.closed, closed.update_no) == (True, 3)


def test_a_milestone_that_merely_went_by_is_no_news() -> None:
    placed = build.fact(1, "2026-09-05", "E2", job=build.job())
    first = news(None, build.judged(placed, as_of="2026-09-06"))
    assert next_update(written(first), build.judged(placed, as_of="2027-09-06"), ABOUT) is None


def test_before_the_first_report_there_is_nothing_to_write() -> None:
    assert next_update(None, build.judged(as_of="2026-09-06"), ABOUT) is None
    silent = build.fact(1, "2026-09-05", "E1", kind=Kind.SILENCE)
    assert next_update(None, build.judged(silent, as_of="2026-09-06"), ABOUT) is None


def test_what_was_written_is_taken_back_with_the_only_report_it_rests_on() -> None:
    placed = build.fact(1, "2026-09-05", "E2", job=build.job())
    first = news(None, build.judged(placed, as_of="2026-09-06"))
    taken_back = build.fact(2, "2026-09-10", kind=Kind.RETRACTION, supersedes=1)
    nothing = build.judged(*supersede([placed], taken_back), as_of="2026-09-11")
    second = news(written(first), nothing)
    assert (second.update_no, second.status, second.outcome_code, second.employment) == (
        2,
        "pending",
        "not-yet-known",
        None,
    )
    jsonschema_rs.validator_for(SCHEMA, validate_formats=True).validate(second.document())
    assert next_update(written(second), nothing, ABOUT) is None


def test_the_update_keeps_to_its_schema_and_leaves_out_what_is_absent() -> None:
    left = build.asked(
        2, "2027-01-25", "P6M", "not-employed", "E2", last_day_worked="2027-01-20", leave_reason="voluntary"
    )
    third = build.asked(3, "2026-12-02", "P3M", "retained-same-job", "E2", checked_on="2026-12-01")
    placed = build.fact(1, "2026-09-02", "E2", job=build.job())
    told = news(None, build.judged(placed, left, third, as_of="2027-03-02")).document()
    jsonschema_rs.validator_for(SCHEMA, validate_formats=True).validate(told)
    assert (told["caseNo"], told["refNo"]) == (ABOUT.case_no, ABOUT.ref_no)
    job = told["employment"]
    assert isinstance(job, dict)
    assert (told["status"], job["end"]) == ("not-returned", "2027-01-20")
    assert told["milestones"] == {
        "P1M": {"result": "retained-same-employer"},
        "P3M": {"result": "retained-same-job", "checkedOn": "2026-12-01"},
        "P6M": {"result": "not-employed"},
    }
    assert "occupation" not in job


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
    evidence: str, as_of: str, ended: str | None, word: str
) -> None:
    placed = build.fact(1, "2026-09-05", evidence, job=build.job(end=build.day(ended) if ended else None))
    assert news(None, build.judged(placed, as_of=as_of)).status == word
