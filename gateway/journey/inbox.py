"""Inbox: what time does to messages that came in.

Rules: a nonce is forgotten when no request that bears it would be fresh any more; a report that waits in vain for an
earlier one is shown to a person until that one has come; what waits on a leg whose consent was withdrawn, or whose case
was destroyed, is refused.
Refuses to apply anything: what is held is applied when its turn comes (`gateway.journey.hearing`).
"""

from __future__ import annotations

from datetime import timedelta

from gateway.errors import ConsentWithdrawn, ContentDestroyed
from gateway.journey.hearing import REFUSED_INBOUND
from gateway.journey.world import World
from gateway.ports import WorkItem

PURPOSE = "rtw-tracking"
NONCES_KEPT = timedelta(minutes=15)
MISSING = "report-missing"
"""The work item about a report that waits for an earlier one."""
MISSING_AFTER = timedelta(hours=24)
MOST = 500


def forget_nonces(world: World) -> None:
    """A request older than five minutes is refused anyway; its nonce is kept for fifteen."""
    with world.store.unit() as unit:
        gone = unit.inbox.forget_nonces(world.clock.now() - NONCES_KEPT)
        if gone:
            unit.commit(world.event("nonces.forgotten", PURPOSE, counts={"nonces": gone}))


def mind_missing(world: World) -> None:
    """A report that has waited a day for an earlier one is shown to a person, until that one has come.

    On a leg that was called back for a withdrawn consent none will be heard: what waits is refused, as what comes now
    is, and is no longer missed.
    """
    now = world.clock.now()
    with world.store.unit() as unit:
        come = unit.inbox.end_missing(MISSING, now)
        if refused := unit.inbox.refuse_held(ConsentWithdrawn.code):
            unit.inbox.end_missing(MISSING, now)
        late = unit.inbox.missing(MISSING, now - MISSING_AFTER, MOST)
        if late or come or refused:
            unit.add_work([WorkItem(MISSING, None, *of_report, now) for of_report in late])
            unit.add_work([WorkItem(REFUSED_INBOUND, ConsentWithdrawn.code, *of_report, now) for of_report in refused])
            counts = {"waiting": len(late), "come": come, "refused": len(refused)}
            unit.commit(world.event("reports.missed", PURPOSE, counts=counts))


def end_held(world: World) -> int:
    """Refuse reports that waited when their case was destroyed: what they say is gone. Returns how many."""
    with world.store.unit() as unit:
        over = unit.inbox.refuse_destroyed(ContentDestroyed.code)
        if over:
            unit.inbox.end_missing(MISSING, world.clock.now())
            unit.commit(world.event("reports.missed", PURPOSE, counts={"refused": over}))
    return over
