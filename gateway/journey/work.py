"""Work: what a person has to look at, and that person's word that it is done.

Rules: looking is an act, and so is being done; an officer does both, by an id that stays. What is over when something
happens (a line flows again, a missing report comes, books agree) ends by itself, never by a word.
Refuses to end what is not open.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import WorkRefused
from gateway.journey.finish import QUEUEING
from gateway.journey.reconcile import DIFFER, UNANSWERED
from gateway.journey.track import MISSING
from gateway.journey.world import World
from gateway.ports import OpenWork, WorkItem

PURPOSE = "operations"
MOST = 500
ENDS_BY_ITSELF = frozenset({QUEUEING, MISSING, DIFFER, UNANSWERED})


def look(world: World, *, by: str, kind: str | None = None) -> Sequence[OpenWork]:
    """What is open, of one kind or of all, oldest first, `MOST` at a time."""
    with world.store.unit() as unit:
        found = unit.open_work(kind, MOST)
        unit.commit(world.event("work.listed", PURPOSE, by=by, counts={"items": len(found)}))
    return found


def done(world: World, number: int, *, by: str) -> WorkItem:
    """End one item; returns it. Raises WorkRefused."""
    with world.store.unit() as unit:
        item = unit.do_work(number, world.clock.now())
        if item is None:
            raise WorkRefused(f"no open item has the number {number}")
        if item.kind in ENDS_BY_ITSELF:
            raise WorkRefused(f"{item.kind} ends by itself")
        event = world.event(
            "work.done",
            PURPOSE,
            by=by,
            subject=f"{item.kind}:{number}",
            case_no=item.case_no,
            ref_no=item.ref_no,
            partner=item.partner,
            mid=item.mid,
        )
        unit.commit(event)
    return item
