"""The lifecycle of a leg: one table that drives the engine, the available acts, the diagram and the tests.

Rules:
* A pair (state, act, party) that is in no row of `TABLE` is refused, and nothing changes (`IllegalMove`, 409).
* An act that lacks what its row needs is refused, naming everything that is missing (`OutcomeIncomplete`, 422).
* A row written for one business status goes before a row written for any (an outcome *during* a wish to cancel is
  row 20).
* Leaving a status clears its business status. Questions and wishes to cancel lie over the work and can be lifted
  again.
* Reports of retention, corrections and answers are addenda, and so is that a wish to cancel was seen: they never move
  a leg, and the first two may still come when it is terminal.
* Partner vocabularies reach this table only through the maps; `as_mapped` is the one rule that needs to know the
  state.

Refuses to know clocks, consents or partners: what the guards ask arrives as `Given`.

Sources: FHIR R4 Task; HL7 Clinical Order Workflows (only the placer edits the request, and cancelling begun work is
itself a task); BSeR 2.0 and 360X (an outcome that crosses a cancellation wins).
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from gateway.errors import IllegalMove, OutcomeIncomplete
from gateway.referrals.needs import Given, Need, missing
from gateway.referrals.states import MEANING, TERMINAL, Act, Business, Party, State, Status, business_of
from gateway.referrals.table import ADDENDA, MOVES, TABLE, Abort, Addendum, Move, Row

__all__ = [
    "ADDENDA",
    "MEANING",
    "MOVES",
    "TABLE",
    "TERMINAL",
    "Abort",
    "Act",
    "Addendum",
    "Business",
    "Given",
    "Move",
    "Need",
    "Next",
    "Party",
    "Row",
    "State",
    "Status",
    "Step",
    "advance",
    "as_mapped",
    "available_acts",
    "available_moves",
    "is_addendum",
    "move_for",
    "next_actor",
]


class Next(NamedTuple):
    """Who acts next on a leg, and what they can do. Nobody, with no acts, when the leg is terminal."""

    party: Party | None
    acts: tuple[Act, ...]


class Step(NamedTuple):
    """One act as a message states it."""

    act: Act
    business: Business | None = None
    given: Given = Given()


def advance(
    now: State | None,
    act: Act,
    *,
    by: Party,
    business: str | None = None,
    given: Given | None = None,
) -> State:
    """Return the state that follows `now` when `by` does `act`; an addendum returns `now`. `now` None: no leg yet.

    Raises `IllegalMove` when no row allows it, `OutcomeIncomplete` when the row's guard is not met.
    """
    if now is not None and is_addendum(now, act, by):
        return now
    said = business_of(business)
    move = move_for(now, act, by)
    if Need.STAGE not in move.requires:
        said = said or move.business[0]
    if lacking := missing(move.requires, given or Given(), now, said):
        raise OutcomeIncomplete(f"{act} by the {by} needs {'; '.join(lacking)}")
    if said not in move.business:
        raise IllegalMove(f"the {by} cannot {act} a leg that is {now} with the business status {said}")
    return _land(now, move, said)


def move_for(now: State | None, act: Act, by: Party) -> Move:
    """Return the move that `act` by `by` is in this state, guards unasked. Raises `IllegalMove` when there is none."""
    fitting = [m for m in MOVES if m.act is act and m.by is by and m.fits(now)]
    if not fitting:
        raise IllegalMove(f"the {by} cannot {act} a leg that is {now or 'not there yet'}")
    return max(fitting, key=lambda m: m.when is not None)


def _land(now: State | None, move: Move, said: Business | None) -> State:
    """Return where the move ends: mostly a plain state, but layers are laid, lifted or kept while the work goes on."""
    if now is not None:
        if move.act in (Act.ASK, Act.REQUEST_CANCEL) and said is not None:
            return now.lay(said)
        if move.act is Act.REFUSE_CANCEL:
            return now.lift()
        if move.act in (Act.PROGRESS, Act.REPORT_PLACEMENT) and said is not None:
            return now.work_on(said)
        if move.act is Act.VERIFY_PLACEMENT and said is not None:
            return now.restage(said)
    return State(move.then, said)


def is_addendum(now: State, act: Act, by: Party) -> bool:
    """Tell whether `act` by `by` only adds to what is known in this state."""
    layers = (now.business, *now.beneath)
    return any(
        a.act is act and a.by is by and now.status in a.now and (a.when is None or a.when in layers) for a in ADDENDA
    )


def available_moves(state: State | None, party: Party) -> tuple[Move, ...]:
    """Return every move `party` has in this state, with the business statuses it may bring and what it requires."""
    acts = dict.fromkeys(m.act for m in MOVES if m.by is party and m.fits(state))
    return tuple(move_for(state, act, party) for act in acts)


def available_acts(state: State | None, party: Party) -> tuple[Act, ...]:
    """Return every act `party` has in this state, moves first, then addenda."""
    addenda = [a.act for a in ADDENDA if state is not None and is_addendum(state, a.act, party)]
    return (*(m.act for m in available_moves(state, party)), *addenda)


_TURN: dict[Status, Party] = {
    Status.DRAFT: Party.PLACER,
    Status.REQUESTED: Party.OWNER,
    Status.RECEIVED: Party.OWNER,
    Status.ACCEPTED: Party.OWNER,
    Status.READY: Party.PLACER,
    Status.IN_PROGRESS: Party.OWNER,
    Status.ON_HOLD: Party.OWNER,
}
_OTHER_TURN: dict[Business, Party] = {
    Business.SENT: Party.CLOCK,  # until the receipt is here
    Business.INFO_REQUESTED: Party.PLACER,  # the question stops the owner's clock and starts the placer's
    Business.PLACED_REPORTED: Party.PLACER,  # evidence is COMWEL's to find
}


def next_actor(state: State) -> Next:
    """Return who acts next and what they can do; a business status with a word of its own goes before its status."""
    if state.terminal:
        return Next(None, ())
    party = _OTHER_TURN.get(state.business) if state.business else None
    party = party or _TURN[state.status]
    return Next(party, available_acts(state, party))


_SKIPPED: dict[Act, frozenset[Status]] = {  # an act that only leads up to a later one, where it is not needed any more
    Act.RECEIVE: frozenset({Status.RECEIVED, Status.ACCEPTED, Status.IN_PROGRESS, Status.ON_HOLD}),
    Act.ACCEPT: frozenset({Status.ACCEPTED, Status.IN_PROGRESS, Status.ON_HOLD}),
    Act.START: frozenset({Status.IN_PROGRESS}),
    Act.REPORT_PLACEMENT: frozenset({Status.ACCEPTED, Status.ON_HOLD}),  # row 16 closes from here, and flags the gap
}


def as_mapped(now: State, step: Step, *, last: bool = True) -> tuple[Step, ...]:
    """Return the steps a partner's words mean in this state; none when they are to be skipped.

    Maps cannot know the state, so four rules are here: a partner who declines work already begun has withdrawn
    (row 17, not 9); a late decline is called so (row 9); in a message of several acts the ones that only lead
    up to the last are skipped when already done or not needed, but the last never is; and no partner has a word for
    resuming: who goes on with a leg on hold resumes it (row 15), with the stage that was told.
    """
    if step.act is Act.REJECT and now.status in (Status.IN_PROGRESS, Status.ON_HOLD):
        return (Step(Act.FAIL, Business.PARTNER_WITHDREW, _withdrew(step.given)),)
    if step.act is Act.REJECT and now.status is Status.ACCEPTED:
        return (step._replace(business=Business.LATE_DECLINE),)
    if not last and now.status in _SKIPPED.get(step.act, frozenset()):
        return ()
    return _resumed(step, last=last) if now.status is Status.ON_HOLD else (step,)


def _resumed(step: Step, *, last: bool) -> tuple[Step, ...]:
    """Return what work on a leg on hold means: that it is resumed, and that a job was found."""
    if step.act is Act.START and not last:  # what follows says the stage
        return (step._replace(act=Act.RESUME, business=None),)
    if step.act in (Act.START, Act.PROGRESS):
        return (step._replace(act=Act.RESUME),)
    if step.act is Act.REPORT_PLACEMENT:
        return (step._replace(act=Act.RESUME, business=None), step)
    return (step,)


def _withdrew(given: Given) -> Given:
    """Return what a withdrawal leaves open: the result is not yet known, and somebody else has to help."""
    support = given.additional_support_needed
    return replace(
        given,
        outcome_code=given.outcome_code or "not-yet-known",
        additional_support_needed=True if support is None else support,
    )
