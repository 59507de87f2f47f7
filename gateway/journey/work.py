"""Work: what a person has to look at, and that person's word that it is done.

Rules: looking is an act, and so is being done; an officer does both, by an id that stays. What is over when something
happens (a line flows again, a missing report or version comes, books agree) ends by itself, never by a word. Two things
may never happen: that books agree, where one side has lost for good what the other has, and that a partner takes or
answers anything which is none of ours any more. Such a difference an officer settles with a reason that is kept; it
stays a difference in every list and report, and calls nobody any more. What waits for such a partner he ends as all
else.
Refuses to end what is not open, and reasons in free text (they could name somebody).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from gateway.errors import WorkRefused
from gateway.journey.inbox import MISSING
from gateway.journey.intake import VERSION_MISSING
from gateway.journey.lines import QUEUEING
from gateway.journey.reconcile import DIFFER, UNANSWERED
from gateway.journey.world import World
from gateway.ports import OpenWork, WorkItem

PURPOSE = "operations"
MOST = 500
OF_A_PARTNER = frozenset({QUEUEING, UNANSWERED})
"""What ends when a partner of ours takes, or answers, something again."""
ENDS_BY_ITSELF = frozenset({*OF_A_PARTNER, MISSING, VERSION_MISSING, DIFFER})


class Settled(StrEnum):
    """Why the books will differ about a message for good, and nobody need look at it any more."""

    LOST_THERE = "lost-there"  # the partner has lost it, and has seen our proof
    LOST_HERE = "lost-here"  # we have lost it, and the partner has told us
    TOLD_ANEW = "told-anew"  # what it said was said again, under another id
    JUDGED = "judged"  # the receipts of both were laid side by side


def look(world: World, *, by: str, kind: str | None = None) -> Sequence[OpenWork]:
    """What is open, of one kind or of all, oldest first, `MOST` at a time."""
    with world.store.unit() as unit:
        found = unit.open_work(kind, MOST)
        unit.commit(world.event("work.listed", PURPOSE, by=by, counts={"items": len(found)}))
    return found


def done(world: World, number: int, *, by: str, reason: Settled | None = None) -> WorkItem:
    """End one item; returns it. `reason`: for a difference of books, and for nothing else. Raises WorkRefused."""
    with world.store.unit() as unit:
        item = unit.do_work(number, world.clock.now())
        if item is None:
            raise WorkRefused(f"no open item has the number {number}")
        gone = item.kind in OF_A_PARTNER and item.partner not in world.know.profiles
        _require_allowed(item.kind, reason, gone=gone)
        event = world.event(
            "work.done",
            PURPOSE,
            by=by,
            subject=f"{item.kind}:{number}:{reason}" if reason else f"{item.kind}:{number}",
            case_no=item.case_no,
            ref_no=item.ref_no,
            partner=item.partner,
            mid=item.mid,
        )
        unit.commit(event)
    return item


def _require_allowed(kind: str, reason: Settled | None, *, gone: bool) -> None:
    if reason and kind != DIFFER:
        raise WorkRefused(f"{kind} is not settled with a reason")
    if kind in ENDS_BY_ITSELF and not reason and not gone:
        or_else = ", or with the reason why it never will" if kind == DIFFER else ""
        raise WorkRefused(f"{kind} ends by itself{or_else}")
