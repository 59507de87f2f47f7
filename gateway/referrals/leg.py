"""A leg, the hand-over of a request to one partner, as a value that changes by being replaced.

Rules:
* A partner's messages about a leg are heard in the order of the partner's own `seq`: one that is not newer than
  what was heard is kept, not applied; one that comes too early is held until the gap fills. Nothing is dropped.
* A message is applied as a whole or not at all. One that is refused still uses up its number (`pass_over`), or
  everything after it would wait for ever.

Refuses to look at anything but its arguments: no clock, no store, no partner's words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from gateway.referrals.lifecycle import (
    Abort,
    Act,
    Business,
    Given,
    Next,
    Party,
    State,
    Status,
    Step,
    advance,
    as_mapped,
    available_acts,
    is_addendum,
    move_for,
    next_actor,
)


class Order(StrEnum):
    """What to do with a message, by its number."""

    STALE = "stale"  # not newer than what was heard: store, do not apply
    NEXT = "next"  # exactly the next one: apply
    EARLY = "early"  # something before it is missing: hold


def order(in_seq: int, seq: int) -> Order:
    """Compare a message's number with the last one heard on its leg (0: none yet)."""
    if seq <= in_seq:
        return Order.STALE
    return Order.NEXT if seq == in_seq + 1 else Order.EARLY


class Happened(NamedTuple):
    """One thing that happened to a leg, for the event history. `row` is the table's row; None for an addendum."""

    act: Act
    by: Party
    was: State | None
    now: State
    row: int | None
    abort: Abort | None = None
    flag: str | None = None


class Due(NamedTuple):
    """Who acts next, what they can do, and by when (None: no date is set)."""

    party: Party | None
    acts: tuple[Act, ...]
    until: date | None


@dataclass(frozen=True, slots=True)
class Leg:
    """One hand-over to one partner. `in_seq`: the number of the last message heard."""

    ref_no: str
    request_no: str
    case_no: str
    case_version: int
    partner: str
    state: State
    services: tuple[str, ...]
    legal_basis: str
    consent_no: str
    filler_no: str | None = None
    in_seq: int = 0
    first_answer_due: date | None = None
    result_due: date | None = None
    answered: bool = False

    def apply(self, act: Act, *, by: Party, business: str | None = None, given: Given | None = None) -> Applied:
        """Return the leg after one act, and what happened.

        Raises `IllegalMove` or `OutcomeIncomplete`; then nothing has.
        """
        said = given or Given()
        now = advance(self.state, act, by=by, business=business, given=said)
        if is_addendum(self.state, act, by):
            happened = Happened(act, by, self.state, now, None)
            leg = replace(self, answered=self.answered or act is Act.ANSWER)
            return Applied(leg, (happened,))
        move = move_for(self.state, act, by)
        happened = Happened(act, by, self.state, now, move.row, move.abort, move.flag)
        filler = said.filler_no if by is Party.OWNER and said.filler_no else self.filler_no
        waits = act is not Act.ASK and self.answered and Business.INFO_REQUESTED in (now.business, *now.beneath)
        return Applied(
            replace(self, state=now, filler_no=filler, answered=waits),
            (happened,),
        )

    def hear(self, seq: int, steps: Sequence[Step]) -> Heard:
        """Return the leg after the owner's message number `seq`, all of its steps in order or none of them."""
        turn = order(self.in_seq, seq)
        if turn is not Order.NEXT:
            return Heard(self, (), turn)
        leg, happened = self, list[Happened]()
        for place, stated in enumerate(steps, start=1):
            for step in as_mapped(leg.state, stated, last=place == len(steps)):
                leg, more = leg.apply(step.act, by=Party.OWNER, business=step.business, given=step.given)
                happened.extend(more)
        return Heard(replace(leg, in_seq=seq), tuple(happened), turn)

    def pass_over(self, seq: int) -> Leg:
        """Return the leg with message `seq` used up but not applied (refused, and kept in quarantine for a person)."""
        return replace(self, in_seq=seq) if order(self.in_seq, seq) is Order.NEXT else self

    def due(self) -> Due:
        """Return who acts next, what they can do, and by when. A question that is answered is the owner's again."""
        turn = next_actor(self.state)
        if self.answered and turn.party is Party.PLACER:
            turn = Next(Party.OWNER, available_acts(self.state, Party.OWNER))
        waiting = self.state.status in (Status.REQUESTED, Status.RECEIVED)
        until = self.first_answer_due if waiting else self.result_due
        return Due(turn.party, turn.acts, None if turn.party is None else until)


class Applied(NamedTuple):
    """A leg after an act, and what happened."""

    leg: Leg
    happened: tuple[Happened, ...]


class Heard(NamedTuple):
    """A leg after a message, what happened, and whose turn the message's number was."""

    leg: Leg
    happened: tuple[Happened, ...]
    order: Order
