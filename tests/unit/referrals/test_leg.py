"""Legs: order of messages, whole messages, crossings, and who acts next."""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Any

import pytest
from hypothesis import given as given_
from hypothesis import settings
from hypothesis import strategies as st

from gateway.errors import IllegalMove, OutcomeIncomplete
from gateway.referrals.leg import (
    Leg,
    Order,
    order,
)
from gateway.referrals.lifecycle import Abort, Act, Business, Given, Party, State, Step

DAY = date(2026, 12, 1)
WHY = Given(
    happened_on=DAY,
    reason_code="other",
    reason_text="사유",
    question="질문",
    filler_no="F-1",
    outcome_code="new-employer",
    employment_start=DAY,
    review_on=DAY,
    additional_support_needed=False,
    abort_delivered=True,
    ladder_exhausted=True,
)


def leg(state: str = "requested|delivered", **other: Any) -> Leg:
    return Leg(
        **{
            "ref_no": "R20261123-0000001",
            "request_no": "R20261123-0000009",
            "case_no": "20261100000001",
            "case_version": 1,
            "partner": "KEIS",
            "state": State.read(state),
            "services": ("job-placement",),
            "legal_basis": "LB-02",
            "consent_no": "C2026-0001",
            "first_answer_due": date(2026, 12, 7),
            "result_due": date(2027, 2, 21),
            **other,
        }
    )


def step(act: str, business: str | None = None, given: Given = WHY) -> Step:
    return Step(Act(act), Business(business) if business else None, given)


@pytest.mark.parametrize(
    ("in_seq", "seq", "expected"),
    [(0, 1, "next"), (0, 2, "early"), (3, 3, "stale"), (3, 2, "stale"), (3, 4, "next"), (3, 9, "early")],
)
def test_a_message_is_stale_next_or_early(in_seq: int, seq: int, expected: str) -> None:
    assert order(in_seq, seq) == Order(expected)


def test_a_message_of_several_acts_is_applied_as_a_whole() -> None:
    heard = leg().hear(1, [step("accept"), step("start"), step("progress", "job-search")])
    assert heard.leg.state.written() == "in-progress|job-search"
    assert [h.row for h in heard.happened] == [5, 10, 11]
    assert (heard.leg.in_seq, heard.leg.filler_no) == (1, "F-1")


def test_a_message_with_one_impossible_act_changes_nothing() -> None:
    before = leg()
    with pytest.raises(IllegalMove):
        before.hear(1, [step("accept"), step("confirm-cancel")])
    with pytest.raises(OutcomeIncomplete):
        before.hear(1, [step("accept"), step("start", given=Given())])
    assert before == leg()


def test_acts_that_only_lead_up_are_skipped_when_already_done_but_the_last_is_not() -> None:
    working = leg("in-progress|training")
    heard = working.hear(1, [step("accept"), step("start"), step("progress", "interview")])
    assert [h.act for h in heard.happened] == [Act.PROGRESS]
    with pytest.raises(IllegalMove):
        working.hear(1, [step("accept")])


def test_a_partner_that_reports_and_closes_at_once_may_have_left_the_middle_out() -> None:
    for now, flag in (("accepted|accepted", "gap"), ("on-hold|worker-hold", None), ("in-progress|training", None)):
        heard = leg(now).hear(1, [step("report-placement"), step("complete")])
        assert heard.leg.state.written() == "completed|closed-placed"
        assert heard.happened[-1].flag == flag
    with pytest.raises(IllegalMove):
        leg("requested|delivered").hear(1, [step("report-placement"), step("complete")])
    with pytest.raises(IllegalMove):
        leg("accepted|accepted").hear(1, [step("report-placement")])


def test_a_partner_without_a_word_for_resuming_resumes_by_going_on() -> None:
    heard = leg("on-hold|medical-hold").hear(1, [step("start"), step("progress", "job-search")])
    assert [h.act for h in heard.happened] == [Act.RESUME, Act.PROGRESS]


@pytest.mark.parametrize(
    ("said", "rows", "then"),
    [
        (step("start", "intake-done"), [15], "in-progress|intake-done"),
        (step("progress", "training"), [15], "in-progress|training"),
        (step("report-placement", "placed-reported"), [15, 12], "in-progress|placed-reported"),
    ],
    ids=["start", "progress", "report-placement"],
)
def test_whoever_goes_on_with_a_leg_on_hold_resumes_it(said: Step, rows: list[int], then: str) -> None:
    heard = leg("on-hold|partner-hold").hear(1, [said])
    assert [h.row for h in heard.happened] == rows
    assert heard.leg.state.written() == then


def test_a_job_without_its_first_day_does_not_resume_a_leg_on_hold() -> None:
    with pytest.raises(OutcomeIncomplete):
        leg("on-hold|partner-hold").hear(1, [step("report-placement", given=Given(happened_on=DAY))])


def test_a_wish_to_cancel_that_was_seen_moves_nothing_and_can_still_be_answered() -> None:
    with pytest.raises(IllegalMove):
        leg("in-progress|training").hear(1, [step("note-cancel")])
    heard = leg("in-progress|cancellation-requested|training").hear(1, [step("note-cancel", given=Given())])
    assert (heard.leg.state.written(), heard.leg.in_seq) == ("in-progress|cancellation-requested|training", 1)
    assert heard.leg.hear(2, [step("confirm-cancel")]).leg.state.written() == "cancelled|cancel-confirmed"


def test_a_refused_message_uses_up_its_number_so_that_later_ones_do_not_wait_for_ever() -> None:
    passed = leg("completed|closed-placed", in_seq=4).pass_over(5)
    assert passed.in_seq == 5
    assert order(passed.in_seq, 6) is Order.NEXT
    assert passed.pass_over(9) == passed


def test_addenda_after_the_end_are_heard_and_change_no_status() -> None:
    heard = leg("completed|closed-placed", in_seq=4).hear(5, [step("report-retention")])
    assert (heard.leg.state.written(), heard.leg.in_seq) == ("completed|closed-placed", 5)
    assert heard.happened[0].row is None


def test_a_placement_straight_from_acceptance_is_flagged_as_a_gap() -> None:
    assert leg("accepted|accepted").hear(1, [step("complete")]).happened[0].flag == "gap"
    assert leg("in-progress|training").hear(1, [step("complete")]).happened[0].flag is None


def test_a_question_stops_the_owners_clock_and_an_answer_starts_it_again() -> None:
    asked = leg("accepted|accepted").hear(1, [step("ask")]).leg
    assert asked.due().party is Party.PLACER
    assert Act.ANSWER in asked.due().acts
    answered = asked.apply(Act.ANSWER, by=Party.PLACER).leg
    assert answered.due().party is Party.OWNER
    assert answered.state == asked.state
    again = answered.hear(2, [step("ask")]).leg
    assert again.due().party is Party.PLACER


def test_every_turn_has_a_date_until_the_leg_is_closed() -> None:
    assert leg().due().until == date(2026, 12, 7)
    assert leg("in-progress|training").due().until == date(2027, 2, 21)
    assert leg("completed|closed-placed").due() == (None, (), None)


def test_stale_and_early_messages_leave_the_leg_untouched() -> None:
    before = leg("accepted|accepted", in_seq=2)
    for seq, turn in ((2, Order.STALE), (4, Order.EARLY)):
        assert before.hear(seq, [step("start")]) == (before, (), turn)


# ── messages that come twice, late, or in another order ─────────────────────────────────────────────────────────────
STORY = (
    [step("receive")],
    [step("accept", "intake-scheduled")],
    [step("ask")],
    [step("start")],
    [step("progress", "training")],
    [step("hold", "worker-hold")],
    [step("resume", "job-search")],
    [step("report-placement")],
    [step("complete")],
    [step("report-retention")],
)


class Inbox:
    """What a receiver does with numbers: apply the next, hold the early, keep the stale."""

    def __init__(self, first: Leg) -> None:
        self.leg, self.stale = first, 0
        self.held: dict[int, list[Step]] = {}

    def take(self, seq: int, steps: list[Step]) -> None:
        turn = order(self.leg.in_seq, seq)
        self.stale += turn is Order.STALE
        if turn is Order.EARLY:
            self.held[seq] = steps
        elif turn is Order.NEXT:
            self.leg = self.leg.hear(seq, steps).leg
            while (following := self.leg.in_seq + 1) in self.held:
                self.leg = self.leg.hear(following, self.held.pop(following)).leg


@settings(max_examples=60, deadline=None)
@given_(st.permutations(range(len(STORY))), st.lists(st.integers(0, len(STORY) - 1), max_size=12), st.randoms())
def test_doubled_shuffled_and_delayed_messages_converge_to_one_state(
    once: list[int], again: list[int], rng: Random
) -> None:
    arrivals = [*once, *again]
    rng.shuffle(arrivals)
    inbox = Inbox(leg())
    for place in arrivals:
        inbox.take(place + 1, STORY[place])
    assert inbox.leg.state.written() == "completed|closed-placed"
    assert inbox.leg.in_seq == len(STORY)
    assert not inbox.held


@settings(max_examples=60, deadline=None)
@given_(st.permutations(range(4, len(STORY))), st.integers(0, len(STORY)), st.booleans())
def test_an_outcome_that_crosses_a_cancellation_wins_wherever_they_cross(
    shuffled: list[int], when: int, placed: bool
) -> None:
    end = [step("complete")] if placed else [step("fail", given=WHY)]
    story = [*STORY[:8], end]
    inbox, aborted = Inbox(leg()), list[Abort | None]()
    arrivals = [*range(4), *(p for p in shuffled if p < len(story))]
    for place, seq in enumerate([*arrivals, None]):
        if place == when:
            try:
                crossing = inbox.leg.apply(Act.REQUEST_CANCEL, by=Party.PLACER, given=WHY)
            except IllegalMove:  # the work has not begun, is on hold, or is over: then it is not this row
                pass
            else:
                inbox.leg = crossing.leg
                aborted.append(crossing.happened[0].abort)
        if seq is not None:
            inbox.take(seq + 1, story[seq])
    assert inbox.leg.state.written() == ("completed|closed-placed" if placed else "failed|closed-not-placed")
    assert aborted in ([], [Abort.CREATED])


@settings(max_examples=40, deadline=None)
@given_(st.lists(st.sampled_from(["training", "job-search", "interview", "no-show"]), max_size=5), st.data())
def test_a_wish_to_cancel_stands_wherever_it_crosses_the_progress_reports(
    stages: list[str], data: st.DataObject
) -> None:
    when = data.draw(st.integers(0, len(stages)))
    now = leg("in-progress|intake-done")
    for place, stage in enumerate([*stages, None]):
        if place == when:
            now = now.apply(Act.REQUEST_CANCEL, by=Party.PLACER, given=WHY).leg
        if stage:
            now = now.hear(now.in_seq + 1, [step("progress", stage)]).leg
    assert now.state.business is Business.CANCELLATION_REQUESTED
    assert now.state.stage == (stages[-1] if stages else "intake-done")
    refused = now.hear(now.in_seq + 1, [step("refuse-cancel")])
    assert refused.leg.state.business == now.state.stage
    assert refused.happened[0].abort is Abort.REJECTED
