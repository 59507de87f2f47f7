"""Replay: send messages again that were given up, with a plan and a second pair of eyes.

Rules: a plan names its messages, and so who is affected, before anything happens; another officer executes it, within a
day, once. A message keeps its id, its bytes and its manifest; attempts and horizon begin anew. They become due a few a
second, in the order of each case. What is planned may have moved on meanwhile, or lost its content: then it is left
alone.
Refuses messages that a rule of ours blocked: sending them again would not change the rule's mind. Consent and legal
basis are asked again when they are sent, as always.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from gateway.errors import ReplayRefused
from gateway.journey.world import World
from gateway.ports import DeadRow, ReplayRow

PURPOSE = "operations"
GOOD_FOR = timedelta(days=1)
PER_S = 5.0
"""How many messages of a plan become due in a second."""


def plan(
    world: World, partner: str, *, by: str, reason: str | None = None, mid: str | None = None
) -> tuple[ReplayRow, Sequence[DeadRow]]:
    """Plan to send this partner's dead messages again; the plan and what it would touch. Raises ReplayRefused."""
    with world.store.unit(partner) as unit:
        found = [row for row in unit.outbox.dead(partner) if reason in (None, row.reason) and mid in (None, row.mid)]
        if not found:
            known = partner in world.know.profiles
            raise ReplayRefused("no such message to this partner is dead" if known else "no such partner")
        row = ReplayRow(world.ids(), partner, by, world.clock.now(), tuple(sorted(r.mid for r in found)))
        unit.outbox.plan_replay(row)
        event = world.event(
            "replay.planned", PURPOSE, by=by, partner=partner, subject=row.replay_id, counts={"messages": len(found)}
        )
        unit.commit(event)
    return row, found


def execute(world: World, replay_id: str, *, by: str) -> int:
    """Execute a plan; returns how many messages are due again. Raises ReplayRefused."""
    now = world.clock.now()
    with world.store.unit() as unit:
        row = unit.outbox.replay(replay_id)
        if row is None:
            raise ReplayRefused("there is no such plan")
        _require_allowed(row, by, now)
        ready = unit.outbox.execute_replay(row._replace(executed_by=by, executed_at=now), PER_S)
        event = world.event(
            "replay.executed", PURPOSE, by=by, partner=row.partner, subject=replay_id, counts={"messages": ready}
        )
        unit.commit(event)
    world.wake(row.partner)
    return ready


def _require_allowed(row: ReplayRow, by: str, now: datetime) -> None:
    if row.executed_by is not None:
        raise ReplayRefused("it was executed before")
    if row.planned_by == by:
        raise ReplayRefused("who planned it may not execute it")
    if now - row.planned_at > GOOD_FOR:
        raise ReplayRefused("the plan is older than a day")
