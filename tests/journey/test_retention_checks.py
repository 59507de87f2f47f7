"""Retention checks say what the facts say: from the first day of the first job, answered by the strongest report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.journey.retention_checks import changed_checks
from gateway.outcomes.facts import Kind, OutcomeFact, supersede
from gateway.ports import CheckRow
from tests.unit.outcomes.build import asked, day, fact, job

REF = "R20260801-0000001"
PLACED = fact(3, "2026-09-02", job=job("2026-09-01"))
ACTS = {Kind.PLACEMENT: "report-placement", Kind.RETENTION: "report-retention", Kind.RETRACTION: "correct"}


class Leg:
    """What was told of a leg, and its checks after each report."""

    def __init__(self) -> None:
        self.told: tuple[OutcomeFact, ...] = ()
        self.checks: dict[str, CheckRow] = {}

    def hears(self, *facts: OutcomeFact) -> None:
        for new in facts:
            before, self.told = self.told, supersede(self.told, new)
            self.checks |= {c.milestone: c for c in changed_checks(_said(new), before, self.told, self.checks)}

    def seen(self) -> dict[str, tuple[str, str, str | None]]:
        return {m: (c.base_date.isoformat(), c.state, c.result) for m, c in self.checks.items()}


def _said(new: OutcomeFact) -> Mapping[str, Any]:
    act = "correct" if new.supersedes else ACTS[new.kind]
    parts = {"employment": new.employment, "retention": new.retention, "corrects": new.supersedes}
    return {"refNo": REF, "acts": [{"act": act}], **{name: part for name, part in parts.items() if part is not None}}


def taken_back(seq: int, on: str, supersedes: int) -> OutcomeFact:
    return fact(seq, on, kind=Kind.RETRACTION, supersedes=supersedes)


def test_a_placement_that_is_taken_back_asks_nobody_until_there_is_another() -> None:
    leg = Leg()
    leg.hears(PLACED, asked(4, "2026-10-02", "P1M", "retained-same-job"), taken_back(5, "2026-10-03", 3))
    assert leg.seen()["P1M"] == ("2026-09-01", "completed", "retained-same-job")
    assert {leg.seen()[m][1] for m in ("P3M", "P6M", "P12M")} == {"cancelled"}
    leg.hears(fact(6, "2026-11-02", job=job("2026-11-01")))
    assert leg.checks["P3M"] == CheckRow(
        REF, "P3M", "rtw-date", day("2026-11-01"), day("2027-02-01"), "scheduled", None
    )


def test_an_answer_that_is_taken_back_is_asked_for_again() -> None:
    leg = Leg()
    leg.hears(PLACED, asked(4, "2026-10-02", "P1M", "not-employed"), taken_back(5, "2026-10-03", 4))
    assert leg.seen()["P1M"] == ("2026-09-01", "scheduled", None)
    leg.hears(asked(6, "2026-10-04", "P1M", "unknown"))
    assert leg.seen()["P1M"] == ("2026-09-01", "failed", "unknown")


def test_of_two_answers_the_stronger_stands_and_the_weaker_when_that_is_taken_back() -> None:
    leg = Leg()
    leg.hears(PLACED, asked(4, "2026-10-02", "P1M", "retained-same-job", "E1"))
    leg.hears(asked(5, "2026-10-05", "P1M", "not-employed", "E4"))
    assert leg.seen()["P1M"][2] == "retained-same-job"
    leg.hears(taken_back(6, "2026-10-06", 4))
    assert leg.seen()["P1M"][1:] == ("completed", "not-employed")


def test_an_answer_from_before_the_corrected_day_is_none() -> None:
    leg = Leg()
    leg.hears(PLACED, asked(4, "2026-10-02", "P1M", "retained-same-job"))
    leg.hears(fact(5, "2026-10-03", job=job("2026-09-20"), supersedes=3))
    assert leg.seen()["P1M"] == ("2026-09-20", "scheduled", None)


def test_what_the_clock_has_closed_stays_closed_until_somebody_answers() -> None:
    leg = Leg()
    leg.hears(PLACED)
    leg.checks["P1M"] = leg.checks["P1M"]._replace(state="failed", result="unknown")
    leg.checks["P3M"] = leg.checks["P3M"]._replace(state="cancelled")
    leg.hears(fact(4, "2027-04-01", job=job("2027-03-30", brn="1208100000")))
    assert [leg.checks[m].state for m in ("P1M", "P3M")] == ["failed", "cancelled"]
    leg.hears(asked(5, "2027-04-02", "P1M", "retained-same-job"))
    assert leg.seen()["P1M"][1:] == ("completed", "retained-same-job")


def test_a_report_of_retention_opens_no_check_where_nobody_was_placed() -> None:
    leg = Leg()
    leg.hears(replace(asked(3, "2026-10-02", "P1M", "retained-same-job"), employment=job("2026-09-01")))
    assert leg.checks == {}
