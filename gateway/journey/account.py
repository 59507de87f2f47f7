"""Account: the acts about a case, with a partner, or in a period, as FHIR AuditEvents for an auditor.

Rules: the reading is an act itself, with officer and purpose, and is kept before the first act is given out; acts are
given in their order, in ids and codes as they were kept. What an act becomes in FHIR says a map (`audit-to-fhir`).
Refuses to read without officer and purpose, and to show anything that no event holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.exchange_log.audit import moment
from gateway.journey.translate import translate
from gateway.journey.world import World
from gateway.ports import ActsAsked, KeptEvent

MAP = "audit-to-fhir|1.0.0"


def account(world: World, asked: ActsAsked, *, by: str, purpose: str) -> Iterator[dict[str, Any]]:
    """The acts asked for, one FHIR AuditEvent each. The list is as long as it was when this was called."""
    # 1 find them, and keep that they were read
    # 2 each as the schema names it, mapped and held against R4
    with world.store.unit() as unit:
        found = unit.events(asked)  # 1
        ids, counts = {"case_no": asked.case_no, "partner": asked.partner}, {"acts": len(found)}
        unit.commit(world.event("acts.exported", purpose, by=by, counts=counts, **ids))
    return (_as_fhir(world, one) for one in found)  # 2


def _as_fhir(world: World, kept: KeptEvent) -> dict[str, Any]:
    document: dict[str, Any] = translate(world, MAP, said(kept), base=world.limits.base_url).document
    world.know.fhir.require(document)
    return document


def said(kept: KeptEvent) -> dict[str, Any]:
    """An event as `urn:comwel:schema:audit-event:1.0.0` names it; what is empty is left out."""
    event = kept.event
    named = {
        "id": kept.number,
        "at": moment(kept.at),
        "act": event.act,
        "actor": event.actor,
        "purpose": event.purpose,
        "verdict": str(event.verdict),
        "code": event.code,
        "caseNo": event.case_no,
        "refNo": event.ref_no,
        "partner": event.partner,
        "mid": event.mid,
        "subject": event.subject,
        "counts": [{"of": of, "number": number} for of, number in sorted(event.counts.items())] or None,
    }
    return {name: value for name, value in named.items() if value is not None}
