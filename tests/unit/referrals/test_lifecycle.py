"""The leg's table against an expectation written by hand from the specification, cell by cell and row by row."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import product

import pytest

from gateway.errors import IllegalMove, OutcomeIncomplete
from gateway.referrals.lifecycle import (
    MEANING,
    MOVES,
    TABLE,
    Abort,
    Act,
    Business,
    Given,
    Party,
    State,
    Status,
    Step,
    advance,
    as_mapped,
    available_acts,
    available_moves,
    next_actor,
)

# Written from the specification's table, not from the code: from, to, who (P placer, O owner, S the gateway's clock).
CELLS = """
draft        requested     P
requested    requested     S
requested    received      O
requested    accepted      O
requested    rejected      O
requested    cancelled     PS
received     received      O
received     accepted      O
received     rejected      O
received     cancelled     PS
accepted     accepted      O
accepted     rejected      O
accepted     cancelled     PS
accepted     in-progress   O
accepted     on-hold       OP
accepted     completed     O
accepted     failed        O
in-progress  in-progress   OPS
in-progress  on-hold       OP
in-progress  completed     O
in-progress  failed        O
in-progress  cancelled     O
on-hold      in-progress   O
on-hold      completed     O
on-hold      failed        O
on-hold      cancelled     PO
draft        entered-in-error  P
requested    entered-in-error  P
received     entered-in-error  P
accepted     entered-in-error  P
rejected     entered-in-error  P
ready        entered-in-error  P
cancelled    entered-in-error  P
in-progress  entered-in-error  P
on-hold      entered-in-error  P
failed       entered-in-error  P
completed    entered-in-error  P
completed    completed     P
rejected     rejected      P
failed       failed        P
cancelled    cancelled     P
"""
ALL_STATUSES = [
    "draft", "requested", "received", "accepted", "rejected", "ready",
    "cancelled", "in-progress", "on-hold", "failed", "completed", "entered-in-error",
]  # fmt: skip
PARTIES = {"P": Party.PLACER, "O": Party.OWNER, "S": Party.CLOCK}
ALLOWED = {(f, t, p) for f, t, who in (line.split() for line in CELLS.split("\n") if line) for p in who}


def test_all_432_cells_are_allowed_or_refused_as_the_specification_says() -> None:
    assert sorted(ALL_STATUSES) == sorted(Status)
    cells = list(product(ALL_STATUSES, ALL_STATUSES, PARTIES))
    assert len(cells) == 432
    moves = {(m.now, m.then, m.by) for m in MOVES}
    wrong = [(f, t, p) for f, t, p in cells if ((f, t, PARTIES[p]) in moves) is not ((f, t, p) in ALLOWED)]
    assert wrong == []


FULL = Given(
    happened_on=date(2026, 12, 1),
    reason_code="other",
    reason_text="사유",
    question="연락처 확인 요청",
    filler_no="F-1",
    outcome_code="new-employer",
    employment_start=date(2026, 12, 1),
    evidence="E2",
    review_on=date(2027, 1, 1),
    next_service="KEAD 지원고용",
    additional_support_needed=False,
    case_exists=True,
    consent_covers=True,
    data_complete=True,
    no_other_open_leg=True,
    receipt_verified=True,
    abort_delivered=True,
    ladder_exhausted=True,
)
P, O, S = Party.PLACER, Party.OWNER, Party.CLOCK  # noqa: E741
WORKING = "in-progress|training"
ASKED_BACK = "in-progress|cancellation-requested|training"

# row, from, act, by, business status said, to, what must be there (each of them missing once is refused)
Line = tuple[int, str | None, str, Party, str | None, str, list[str]]
ROWS: list[Line] = [
    (1, None, "draft", P, "awaiting-consent", "draft|awaiting-consent", ["case_exists"]),
    (2, "draft|drafting", "send", P, None, "requested|sent", ["consent_covers", "data_complete", "no_other_open_leg"]),
    (3, "requested|sent", "confirm-delivery", S, None, "requested|delivered", ["receipt_verified"]),
    (4, "requested|delivered", "receive", O, None, "received|under-review", ["filler_no"]),
    (5, "requested|sent", "accept", O, "waitlisted", "accepted|waitlisted", []),
    (5, "received|under-review", "accept", O, None, "accepted|accepted", []),
    (6, "requested|delivered", "reject", O, "no-capacity", "rejected|no-capacity", ["reason_code", "reason_text"]),
    (6, "received|under-review", "reject", O, "referred-onward", "rejected|referred-onward", ["next_service"]),
    (7, "requested|sent", "cancel", P, "consent-withdrawn", "cancelled|consent-withdrawn", ["reason_code"]),
    (7, "accepted|accepted", "cancel", S, "no-response", "cancelled|no-response", ["reason_code", "ladder_exhausted"]),
    (8, "accepted|waitlisted", "ask", O, None, "accepted|info-requested|waitlisted", ["question"]),
    (8, WORKING, "ask", O, "info-requested", "in-progress|info-requested|training", ["question"]),
    (9, "accepted|accepted", "reject", O, None, "rejected|late-decline", ["reason_code"]),
    (10, "accepted|intake-scheduled", "start", O, None, "in-progress|intake-done", ["happened_on"]),
    (11, WORKING, "progress", O, "interview", "in-progress|interview", ["happened_on"]),
    (11, WORKING, "progress", O, "plan-agreed", "in-progress|plan-agreed", ["reason_code"]),
    (12, WORKING, "report-placement", O, None, "in-progress|placed-reported", ["employment_start"]),
    (13, "in-progress|placed-reported", "verify-placement", S, None, "in-progress|placed-verified", ["evidence"]),
    (13, "in-progress|placed-reported", "verify-placement", P, None, "in-progress|placed-verified", ["evidence"]),
    (14, "accepted|accepted", "hold", O, "worker-hold", "on-hold|worker-hold", ["reason_code", "review_on"]),
    (14, WORKING, "hold", P, None, "on-hold|medical-hold", ["reason_code", "review_on"]),
    (15, "on-hold|worker-hold", "resume", O, "job-search", "in-progress|job-search", []),
    (15, "on-hold|worker-hold", "resume", O, None, "in-progress|", []),
    (16, "accepted|accepted", "complete", O, None, "completed|closed-placed", ["outcome_code+employment_start"]),
    (16, "on-hold|worker-hold", "complete", O, None, "completed|closed-placed", ["outcome_code+employment_start"]),
    (17, WORKING, "fail", O, None, "failed|closed-not-placed",
     ["outcome_code", "reason_code", "reason_text", "additional_support_needed"]),
    (17, "on-hold|partner-hold", "fail", O, "partner-withdrew", "failed|partner-withdrew", ["outcome_code"]),
    (18, WORKING, "request-cancel", P, None, ASKED_BACK, ["reason_code", "abort_delivered"]),
    (19, ASKED_BACK, "confirm-cancel", O, None, "cancelled|cancel-confirmed", []),
    (20, ASKED_BACK, "complete", O, None, "completed|closed-placed", ["outcome_code+employment_start"]),
    (20, ASKED_BACK, "fail", O, None, "failed|closed-not-placed", ["reason_text"]),
    (21, ASKED_BACK, "refuse-cancel", O, None, WORKING, ["reason_code"]),
    (22, "on-hold|medical-hold", "cancel", P, "cancelled-by-worker", "cancelled|cancelled-by-worker", ["reason_code"]),
    (22, "on-hold|medical-hold", "confirm-cancel", O, None, "cancelled|cancel-confirmed", ["reason_code"]),
    (23, "completed|closed-placed", "void", P, None, "entered-in-error|", ["reason_code"]),
    (24, "completed|closed-placed", "cancel", P, None, "completed|cancelled-by-comwel", ["reason_code"]),
    (24, "completed|closed-placed", "cancel", P, "consent-withdrawn", "completed|consent-withdrawn", ["reason_code"]),
    (24, "completed|cancelled-by-comwel", "cancel", P, "consent-withdrawn", "completed|consent-withdrawn", []),
    (24, "rejected|declined", "cancel", P, None, "rejected|consent-withdrawn", ["reason_code"]),
    (24, "failed|partner-withdrew", "cancel", P, None, "failed|consent-withdrawn", ["reason_code"]),
    (24, "cancelled|cancel-confirmed", "cancel", P, None, "cancelled|consent-withdrawn", ["reason_code"]),
]  # fmt: skip


def state(text: str) -> State:
    return State.read(text)


@pytest.mark.parametrize("line", ROWS, ids=lambda line: f"{line[0]}-{line[2]}-{line[1] or 'new'}")
def test_every_row_moves_with_its_guard_met_and_refuses_without(line: Line) -> None:
    _, text, act, by, said, then, needed = line
    now = state(text) if text else None
    assert advance(now, Act(act), by=by, business=said, given=FULL) == state(then)
    for names in needed:
        lacking = replace(FULL, **{name: getattr(Given(), name) for name in names.split("+")})
        with pytest.raises(OutcomeIncomplete):
            advance(now, Act(act), by=by, business=said, given=lacking)


def test_every_one_of_the_24_rows_is_in_the_table_and_tried_here() -> None:
    assert {r.row for r in TABLE} == {r[0] for r in ROWS} == set(range(1, 25))


@pytest.mark.parametrize("line", ROWS, ids=lambda line: f"{line[0]}-{line[2]}-{line[1] or 'new'}")
def test_nobody_else_can_do_what_a_row_gives_to_one_party(line: Line) -> None:
    _, text, act, by, said, _, _ = line
    now = state(text) if text else None
    may = {m.by for m in MOVES if m.act == act and m.fits(now)}
    assert by in may < set(Party)
    for other in set(Party) - may:
        with pytest.raises(IllegalMove):
            advance(now, Act(act), by=other, business=said, given=FULL)


@pytest.mark.parametrize("status", ["rejected", "cancelled", "failed", "completed"])
def test_a_terminal_leg_takes_addenda_and_voiding_only(status: str) -> None:
    closed = State(Status(status))
    assert available_acts(closed, Party.OWNER) == (Act.REPORT_RETENTION, Act.CORRECT)
    assert set(available_acts(closed, Party.PLACER)) == {Act.VOID, Act.CANCEL}  # row 24: it stays closed
    assert available_acts(closed, Party.CLOCK) == ()
    assert advance(closed, Act.REPORT_RETENTION, by=Party.OWNER) == closed
    with pytest.raises(IllegalMove):
        advance(closed, Act.PROGRESS, by=Party.OWNER, business="training", given=FULL)


def test_a_voided_leg_takes_nothing_any_more() -> None:
    assert all(available_acts(State(Status.ENTERED_IN_ERROR), party) == () for party in Party)


def test_a_business_status_of_another_row_is_refused() -> None:
    with pytest.raises(IllegalMove):
        advance(state("requested|sent"), Act.ACCEPT, by=Party.OWNER, business="training")
    with pytest.raises(IllegalMove):
        advance(state("requested|sent"), Act.ACCEPT, by=Party.OWNER, business="no-such-thing")


def test_progress_must_say_which_stage() -> None:
    with pytest.raises(OutcomeIncomplete):
        advance(state(WORKING), Act.PROGRESS, by=Party.OWNER, given=FULL)


def test_everything_missing_is_named_at_once() -> None:
    with pytest.raises(OutcomeIncomplete) as refused:
        advance(state(WORKING), Act.FAIL, by=Party.OWNER)
    assert all(word in str(refused.value) for word in ("outcomeCode", "reason.code", "reason.text"))


@pytest.mark.parametrize("evidence", [None, "E3", "E4"])
def test_a_placement_is_not_verified_by_what_the_partner_or_the_worker_says(evidence: str | None) -> None:
    with pytest.raises(OutcomeIncomplete):
        advance(
            state("in-progress|placed-reported"),
            Act.VERIFY_PLACEMENT,
            by=Party.CLOCK,
            given=replace(FULL, evidence=evidence),
        )


def test_verifying_does_not_answer_a_question_nor_take_a_cancellation_back() -> None:
    for over in ("info-requested", "cancellation-requested"):
        now = state(f"in-progress|{over}|placed-reported")
        then = advance(now, Act.VERIFY_PLACEMENT, by=Party.CLOCK, given=FULL)
        assert then.written() == f"in-progress|{over}|placed-verified"


def test_a_refused_cancellation_shows_again_what_was_there_before() -> None:
    asked = advance(state(WORKING), Act.ASK, by=Party.OWNER, given=FULL)
    back = advance(asked, Act.REQUEST_CANCEL, by=Party.PLACER, given=FULL)
    assert advance(back, Act.REFUSE_CANCEL, by=Party.OWNER, given=FULL) == asked


def test_a_cancellation_is_requested_only_once() -> None:
    with pytest.raises(IllegalMove):
        advance(state(ASKED_BACK), Act.REQUEST_CANCEL, by=Party.PLACER, given=FULL)
    with pytest.raises(IllegalMove):
        advance(state(WORKING), Act.CONFIRM_CANCEL, by=Party.OWNER, given=FULL)


def test_the_crossing_rows_say_what_becomes_of_the_abort_task() -> None:
    moves = {(m.row, m.abort) for m in MOVES if m.abort}
    assert moves == {(18, Abort.CREATED), (19, Abort.ACCEPTED), (20, Abort.REJECTED), (21, Abort.REJECTED)}


def test_work_cannot_be_rejected_but_a_partner_who_says_so_has_withdrawn() -> None:
    assert not [m for m in MOVES if (m.now, m.then, m.by) == (Status.IN_PROGRESS, Status.REJECTED, Party.OWNER)]
    said = Step(Act.REJECT, Business.DECLINED, Given(reason_code="other", reason_text="담당자 부재"))
    (step,) = as_mapped(state(WORKING), said)
    assert (step.act, step.business) == (Act.FAIL, Business.PARTNER_WITHDREW)
    assert advance(state(WORKING), step.act, by=O, business=step.business, given=step.given).written() == (
        "failed|partner-withdrew"
    )
    (declined,) = as_mapped(state("accepted|accepted"), said)
    assert declined.business is Business.LATE_DECLINE
    assert as_mapped(state("requested|sent"), said) == (said,)


@pytest.mark.parametrize("text", [t for r in ROWS for t in (r[1], r[5]) if t])
def test_every_open_state_names_who_acts_next_and_what_they_can_do(text: str) -> None:
    now = state(text)
    turn = next_actor(now)
    assert (turn.party is None) is now.terminal
    assert bool(turn.acts) is not now.terminal
    assert set(turn.acts) <= set(available_acts(now, turn.party or Party.OWNER))


@pytest.mark.parametrize(
    ("text", "party"),
    [
        ("requested|sent", S),
        ("requested|delivered", O),
        ("in-progress|info-requested|training", P),
        ("in-progress|placed-reported", P),
        ("in-progress|placed-verified", O),
        (ASKED_BACK, O),
    ],
)
def test_the_next_actor_follows_the_business_status(text: str, party: Party) -> None:
    assert next_actor(state(text)).party is party


def test_available_moves_carry_what_they_bring_and_require() -> None:
    fail = next(m for m in available_moves(state(ASKED_BACK), O) if m.act is Act.FAIL)
    assert (fail.row, len(fail.requires)) == (20, 4)


def test_states_can_be_written_and_read_back_and_have_a_meaning() -> None:
    for text in [r[5] for r in ROWS]:
        assert State.read(text).written() == text
    with pytest.raises(IllegalMove):
        State.read("nonsense|training")
    assert set(MEANING) == set(Status)


def test_what_a_message_says_becomes_what_is_given() -> None:
    given = Given.said_in(
        {
            "happenedOn": "2026-12-01",
            "fillerNo": "K-77",
            "evidence": "E1",
            "reason": {"code": "other", "text": "기타"},
            "employment": {"start": "2026-11-30"},
            "additionalSupportNeeded": False,
        }
    )
    assert (given.happened_on, given.employment_start) == (date(2026, 12, 1), date(2026, 11, 30))
    assert (given.reason_code, given.filler_no, given.additional_support_needed) == ("other", "K-77", False)
    assert not given.consent_covers
