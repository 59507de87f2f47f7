"""Lines: what attempts say about the line to a partner, and whether messages queue for it.

Rules: messages flow while the gate is open and the breaker closed; when they cease to, or flow again, a person is told,
once (`queueing`). What the breaker makes of attempts is decided elsewhere (`gateway.delivery.breaker`), and so is what
an officer does (`gateway.journey.gate`). Refuses to write without the lock of the line's row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.delivery.breaker import Breaker, State, Tally, Why, after
from gateway.delivery.judge import Line
from gateway.exchange_log.audit import AuditEvent
from gateway.journey.world import World
from gateway.ports import LineRow, Unit, WorkItem

PURPOSE = "vocational-rehab"
QUEUEING = "queueing"
"""The work item that stands while messages to a partner queue because its line is shut."""


def flows(row: LineRow) -> bool:
    """Whether messages leave: neither the breaker nor an officer keeps them back."""
    return row.gate == "open" and row.breaker == State.CLOSED


def hear(world: World, unit: Unit, partner: str, results: Sequence[Line]) -> list[AuditEvent]:
    """Tell the breaker how attempts ended, in the order in which they began; returns an act when it opens or closes."""
    row, now = unit.lines.hold(partner)
    turned = _with_breaker(row, after(_breaker_of(row), results, now, world.patience))
    unit.lines.save(turned)
    tell_queueing(unit, row, turned, turned.why, world.clock.now())
    if row.breaker == State.CLOSED and turned.breaker == State.OPEN:
        return [world.event("line.opened", PURPOSE, partner=partner, subject=turned.why)]
    if row.breaker != State.CLOSED and turned.breaker == State.CLOSED:
        return [world.event("line.closed", PURPOSE, partner=partner)]
    return []


def tell_queueing(unit: Unit, before: LineRow, now: LineRow, why: str | None, at: datetime) -> None:
    """Tell a person when messages begin to queue, and end that when they flow again."""
    if flows(before) and not flows(now):
        unit.add_work([WorkItem(QUEUEING, why, None, None, now.partner, None, at)])
    if flows(now) and not flows(before):
        unit.end_work(QUEUEING, now.partner, at)


def _breaker_of(row: LineRow) -> Breaker:
    return Breaker(
        State(row.breaker),
        Why(row.why) if row.why else None,
        row.failures,
        row.probes,
        row.due_at,
        tuple(Tally(*t) for t in row.recent),
        row.at_once,
        row.slow_until,
    )


def _with_breaker(row: LineRow, breaker: Breaker) -> LineRow:
    return row._replace(
        breaker=breaker.state,
        why=breaker.why,
        failures=breaker.failures,
        probes=breaker.probes,
        due_at=breaker.due_at,
        recent=breaker.recent,
        at_once=breaker.at_once,
        slow_until=breaker.slow_until,
    )
