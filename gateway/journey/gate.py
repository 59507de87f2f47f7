"""Gate: an officer pauses a partner, stops it, or lets it flow again, with a reason that is kept.

Rules: a paused partner is sent nothing, and its messages wait without using up attempts; what was never tried counts
its days from when the gate opens, as after a closing time. What it sends is taken in. A stopped one is sent nothing,
and its own messages are answered 503: it keeps them and sends them again. Everything else flows. The breaker is another
matter: it goes on by itself, and a gate waits for an officer.
Refuses a partner nobody knows, reasons in free text (they could name somebody), and to turn a gate to where it is.
"""

from __future__ import annotations

from enum import StrEnum

from gateway.errors import GateRefused
from gateway.journey.lines import tell_queueing
from gateway.journey.world import World
from gateway.ports import LineRow

PURPOSE = "operations"


class Gate(StrEnum):
    """How far a partner's gate is open."""

    OPEN = "open"  # both ways
    PAUSED = "paused"  # in only
    STOPPED = "stopped"  # neither way


class Reason(StrEnum):
    """Why an officer turns a gate."""

    PLANNED_WORK = "planned-work"
    INCIDENT = "incident"
    SECURITY = "security"
    AGREEMENT = "agreement"
    OVER = "over"


ACTS = {Gate.OPEN: "line.resumed", Gate.PAUSED: "line.paused", Gate.STOPPED: "line.stopped"}


def turn(world: World, partner: str, gate: Gate, *, by: str, reason: Reason) -> LineRow:
    """Turn a partner's gate; returns the line as it stands then. Raises GateRefused."""
    if partner not in world.know.profiles:
        raise GateRefused("no such partner")
    with world.store.unit(partner) as unit:
        row, now = unit.lines.hold(partner)
        if row.gate == gate:
            raise GateRefused(f"it is {gate} already")
        turned = row._replace(gate=gate, gate_reason=reason, gate_by=by, gate_at=now)
        unit.lines.save(turned)
        tell_queueing(unit, row, turned, gate, now)
        if gate is Gate.OPEN:
            unit.outbox.postpone(partner, now)
        unit.commit(world.event(ACTS[gate], PURPOSE, by=by, partner=partner, subject=reason))
    return turned
