"""The stories of the pretend partners: possible, legal by the lifecycle table, and the same for the same seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.partners.pretend import scripts, story
from adapters.partners.pretend.dialects import Sheet
from adapters.partners.pretend.scripts import Kind, Mishap
from adapters.partners.pretend.server import DIALECTS
from adapters.partners.pretend.story import Event, Story, add_months
from gateway.documents.gwmap import Catalogue
from gateway.documents.schemas import Schemas
from gateway.outcomes import milestones
from gateway.referrals.lifecycle import Act, Business, Given, Party, State, Status, Step, advance, as_mapped

ROOT = Path(__file__).resolve().parents[4]
SCHEMAS = Schemas.load(ROOT / "schemas" / "partners")
SENT = State(Status.REQUESTED, Business.DELIVERED)
MID = "0197a1b2-0000-7000-8000-000000000001"

partners = st.sampled_from(["keis", "kead", "trn"])
numbers = st.integers(0, 9_999_999).map(lambda n: f"R20261123-{n:07d}")
days = st.dates(date(2026, 1, 1), date(2029, 12, 31))
seeds = st.integers(0, 1000)


def told(partner: str, ref_no: str, day: date, seed: int) -> Story:
    return story.tell(ref_no, day, partner=partner, seed=seed, speaks=DIALECTS[partner].speaks)


# What each report does to the leg, as the maps read it; KEIS has no closing code, so its placement completes the leg.
ACTS = {
    Kind.RECEIVE: (Act.RECEIVE, "under-review"),
    Kind.ACCEPT: (Act.ACCEPT, "accepted"),
    Kind.DECLINE: (Act.REJECT, None),
    Kind.ASK: (Act.ASK, "info-requested"),
    Kind.START: (Act.START, "intake-done"),
    Kind.PLAN: (Act.PROGRESS, "plan-agreed"),
    Kind.TRAINING: (Act.PROGRESS, "training"),
    Kind.SEARCH: (Act.PROGRESS, "job-search"),
    Kind.TRIAL: (Act.PROGRESS, "supported-trial"),
    Kind.PLACED: (Act.REPORT_PLACEMENT, "placed-reported"),
    Kind.RETENTION: (Act.REPORT_RETENTION, None),
    Kind.CLOSE_PLACED: (Act.COMPLETE, "closed-placed"),
    Kind.CLOSE_UNPLACED: (Act.FAIL, "closed-not-placed"),
    Kind.CONFIRM_CANCEL: (Act.CONFIRM_CANCEL, "cancel-confirmed"),
}


def acts(partner: str, event: Event) -> Iterator[tuple[Act, str | None]]:
    if event.corrects:
        yield Act.CORRECT, None
        return
    yield ACTS[event.kind]
    if partner == "keis" and event.kind is Kind.PLACED:
        yield Act.COMPLETE, "closed-placed"


def shown(event: Event) -> Given:
    return Given(
        happened_on=event.on,
        reason_code=event.reason,
        reason_text=event.text,
        question=event.text,
        filler_no="F-1",
        outcome_code=event.outcome,
        employment_start=event.job.start if event.job else None,
        evidence=event.evidence,
        additional_support_needed=False,
    )


def walk(partner: str, events: tuple[Event, ...], state: State = SENT) -> State:
    for event in events:
        for act, business in acts(partner, event):
            (step,) = as_mapped(state, Step(act, Business(business) if business else None, shown(event)))
            state = advance(state, step.act, by=Party.OWNER, business=step.business, given=step.given)
    return state


@settings(max_examples=300)
@given(partners, numbers, days, seeds)
def test_every_story_is_legal_by_the_lifecycle_table(partner: str, ref_no: str, day: date, seed: int) -> None:
    it = told(partner, ref_no, day, seed)
    state = walk(partner, it.events)
    silent = not it.events or {e.kind for e in it.events} == {Kind.RECEIVE}
    assert state.terminal is (not silent)


@settings(max_examples=300)
@given(partners, numbers, days, seeds, st.integers(0, 20))
def test_a_story_that_is_cancelled_anywhere_ends_legally(
    partner: str, ref_no: str, day: date, seed: int, at: int
) -> None:
    """While work is going on the placer may only ask; the partner's last word ends the leg."""
    it = told(partner, ref_no, day, seed)
    state = walk(partner, it.events[:at])
    if state.terminal:
        return
    speaks = DIALECTS[partner].speaks
    started = state.status is Status.IN_PROGRESS
    last = story.cancelled(day, started=started, withdrawn=True, speaks=speaks)
    assert (last is not None) is started
    if last is not None:
        asked = advance(
            state, Act.REQUEST_CANCEL, by=Party.PLACER, given=Given(reason_code="WDR", abort_delivered=True)
        )
        assert walk(partner, (last,), asked).terminal


@settings(max_examples=200)
@given(partners, numbers, days, seeds)
def test_dates_are_working_days_in_order_and_a_job_begins_before_it_is_reported(
    partner: str, ref_no: str, day: date, seed: int
) -> None:
    it = told(partner, ref_no, day, seed)
    dates = [e.on for e in it.events]
    assert dates == sorted(dates)
    assert all(d >= day and d.weekday() < 5 for d in dates)
    for event in it.events:
        if event.job and event.kind is Kind.PLACED:
            assert event.job.start <= event.on
        if event.check and event.job:
            due = milestones.due(event.job.start, event.check.milestone)
            assert due <= event.check.checked_on == event.on
            if event.check.last_day:
                assert event.job.start < event.check.last_day < due


@settings(max_examples=200)
@given(partners, numbers, days, seeds)
def test_every_report_keeps_to_the_partners_own_schema(partner: str, ref_no: str, day: date, seed: int) -> None:
    dialect = DIALECTS[partner]
    sheet = Sheet(ref_no, dialect.prefix + "A" * 26, "X-1", "LB-01", "C2026-0001")
    at = datetime.fromisoformat("2026-11-23T09:00:00+09:00")
    events = told(partner, ref_no, day, seed).events
    bench = story.tell_bench(ref_no, day, partner=partner, speaks=dialect.speaks).events
    last = story.cancelled(day, started=True, withdrawn=seed % 2 == 0, speaks=dialect.speaks)
    for seq, event in enumerate((*events, *bench, *([last] if last else [])), 1):
        SCHEMAS.require(f"urn:{partner}:schema:outcome:1.0.0", dialect.write(event, sheet, seq, MID, at))


@settings(max_examples=200)
@given(partners, numbers, days, seeds)
def test_the_same_seed_tells_the_same_story_and_a_correction_names_a_placement(
    partner: str, ref_no: str, day: date, seed: int
) -> None:
    it = told(partner, ref_no, day, seed)
    assert it == told(partner, ref_no, day, seed)
    for event in it.events:
        if event.corrects:
            assert it.events[event.corrects - 1].kind is Kind.PLACED
            assert it.events[event.corrects - 1].job != event.job


@pytest.mark.parametrize("partner", ["keis", "kead", "trn"])
def test_a_late_report_always_has_a_punctual_successor(partner: str) -> None:
    late = 0
    for number in range(1500):
        events = told(partner, f"R20261123-{number:07d}", date(2026, 11, 23), 1).events
        for at, event in enumerate(events):
            if event.mishap is Mishap.LATE:
                late += 1
                assert events[at + 1].mishap is not Mishap.LATE
    assert late > 50


@pytest.mark.parametrize("day", [date(2026, 11, 23), date(2026, 11, 28), date(2026, 11, 29)], ids="{:%a}".format)
@pytest.mark.parametrize("partner", ["keis", "kead", "trn"])
def test_the_bench_story_is_legal_and_short_and_of_one_day_on_weekends_too(partner: str, day: date) -> None:
    it = story.tell_bench("R20261123-0000001", day, partner=partner, speaks=DIALECTS[partner].speaks)
    assert walk(partner, it.events).status is Status.COMPLETED
    assert len(it.events) <= 4
    assert {e.on for e in it.events} == {day}


@pytest.mark.parametrize("partner", ["keis", "kead", "trn"])
def test_every_script_of_a_partner_is_told_about_as_often_as_the_table_says(partner: str) -> None:
    tellings = 2000
    seen = Counter(told(partner, f"R20261123-{n:07d}", date(2026, 11, 23), 3).script for n in range(tellings))
    total = sum(getattr(s, partner) for s in scripts.SCRIPTS)
    assert seen.keys() == {s.name for s in scripts.SCRIPTS if getattr(s, partner)}
    for script in scripts.SCRIPTS:
        share = getattr(script, partner) / total
        assert abs(seen[script.name] / tellings - share) < 0.035, script.name


def test_calendar_months_end_where_the_month_ends() -> None:
    assert add_months(date(2026, 8, 31), 6) == date(2027, 2, 28)
    assert add_months(date(2027, 8, 31), 6) == date(2028, 2, 29)
    assert add_months(date(2026, 12, 15), 1) == date(2027, 1, 15)
    assert story.working_day(date(2026, 11, 28)) == story.working_day(date(2026, 11, 29)) == date(2026, 11, 30)
    assert story.working_day(date(2026, 11, 27)) == date(2026, 11, 27)


@given(days, st.sampled_from([1, 3, 6, 12]))
def test_our_calendar_months_are_those_of_the_gateway(start: date, months: int) -> None:
    assert add_months(start, months) == milestones.due(start, f"P{months}M")


def test_invented_business_numbers_have_a_valid_check_digit_and_no_real_office() -> None:
    assert len({employer.brn for employer in scripts.EMPLOYERS}) == len(scripts.EMPLOYERS) == 8
    for employer in scripts.EMPLOYERS:
        digits = [int(c) for c in employer.brn]
        total = sum(d * w for d, w in zip(digits, (1, 3, 7, 1, 3, 7, 1, 3, 5), strict=False)) + digits[8] * 5 // 10
        assert (10 - total % 10) % 10 == digits[9]
        assert employer.brn.startswith("999")
        assert employer.name.startswith("(가상)")


def leavers(partner: str) -> list[tuple[str, Event]]:
    """Reports that somebody has left the job."""
    numbers = [f"R20261123-{number:07d}" for number in range(300)]
    stories = ((n, told(partner, n, date(2026, 11, 23), 1)) for n in numbers)
    found = [(n, e) for n, it in stories for e in it.events if e.check and e.check.last_day and not e.corrects]
    assert len(found) > 10
    return found


def reported(partner: str, ref_no: str, event: Event) -> dict[str, Any]:
    """The report as the partner writes it."""
    dialect = DIALECTS[partner]
    sheet = Sheet(ref_no, dialect.prefix + "A" * 26, "X-1", "LB-01", "C2026-0001")
    return dialect.write(event, sheet, 7, MID, datetime.fromisoformat("2026-11-23T09:00:00+09:00"))


@pytest.mark.parametrize("partner", ["keis", "kead", "trn"])
def test_the_last_day_worked_is_understood_as_it_was_meant(partner: str) -> None:
    map_ = Catalogue.load(ROOT / "mappings", ROOT / "schemas").get(f"{partner}-outcome-in|1.0.0")
    for ref_no, event in leavers(partner):
        understood = map_.apply(reported(partner, ref_no, event), {}).document["retention"]
        assert event.check
        assert understood["lastDayWorked"] == str(event.check.last_day)


def test_keis_dates_the_loss_of_the_insurance_to_the_day_after() -> None:
    for ref_no, event in leavers("keis"):
        assert event.check
        assert event.check.last_day
        loss = reported("keis", ref_no, event)["body"]["empInfo"]["lossDt"]
        assert loss == f"{event.check.last_day + timedelta(days=1):%Y%m%d}"


def test_somebody_leaves_in_every_month_between_the_second_and_the_eleventh() -> None:
    months = set()
    for number in range(3000):
        for event in told("keis", f"R20261123-{number:07d}", date(2026, 11, 23), 1).events:
            if event.check and event.check.last_day and event.job:
                gone = event.check.last_day - event.job.start
                months.add(gone // timedelta(days=30.5))
    assert months >= set(range(2, 11))
