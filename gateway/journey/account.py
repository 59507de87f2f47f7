"""Account: the acts about a case, with a partner, or in a period, as FHIR AuditEvents for an auditor.

Rules: the reading is an act itself, with officer and purpose, and is kept before the first act is given out; acts are
given in their order, in ids and codes as they were kept. What an act becomes in FHIR says a map (`audit-to-fhir`).
However many acts there are, they are read part by part; of all of them at once only the numbers are known.
Refuses to read without officer and purpose, to show anything that no event holds, and to ask about a partner that never
was one: its name would begin a stream of the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Sized
from typing import Any

from gateway.errors import NothingProven
from gateway.exchange_log.audit import moment
from gateway.journey.translate import translate
from gateway.journey.world import World
from gateway.ports import ActsAsked, KeptEvent

MAP = "audit-to-fhir|1.0.0"
PART = 500
"""Acts that are read at once: half a megabyte."""


def account(world: World, asked: ActsAsked, *, by: str, purpose: str) -> Iterator[dict[str, Any]]:
    """The acts asked for, one FHIR AuditEvent each. The list is as long as it was when this was called.

    Raises NothingProven for a partner that never was one.
    """
    # 1 find which they are, and keep that they were read
    # 2 part by part, each as the schema names it, mapped and held against R4
    with world.store.unit() as unit:
        found = unit.numbers(asked)  # 1
        require_partner(world, asked, found)
        ids, counts = {"case_no": asked.case_no, "partner": asked.partner}, {"acts": len(found)}
        unit.commit(world.event("acts.exported", purpose, by=by, counts=counts, **ids))
    return (as_fhir(world, MAP, _said(one)) for one in in_parts(world, found))  # 2


def require_partner(world: World, asked: ActsAsked, found: Sized) -> None:
    """Raises NothingProven for a partner that is none now, and with whom nothing was ever done."""
    if asked.partner and asked.partner not in world.know.profiles and not found:
        raise NothingProven


def in_parts(world: World, numbers: Sequence[int]) -> Iterator[KeptEvent]:
    """The acts of these numbers, of which no more than one part is in memory."""
    for part in parts(numbers):
        with world.store.unit() as unit:
            kept = unit.events_of(part)
        yield from kept


def parts(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """Numbers of acts, as many at a time as are read at once."""
    return (numbers[at : at + PART] for at in range(0, len(numbers), PART))


def as_fhir(world: World, pin: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """What an act or a message says, as the map `pin` puts it into FHIR; held against R4. What is empty is left out."""
    there = {name: value for name, value in said.items() if value is not None}
    document = translate(world, pin, there, base=world.limits.base_url).document
    world.know.fhir.require(document)
    return document


def _said(kept: KeptEvent) -> dict[str, Any]:
    """An event as `urn:comwel:schema:audit-event:1.0.0` names it."""
    event = kept.event
    return {
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
