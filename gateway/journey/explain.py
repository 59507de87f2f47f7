"""Explain: how a message that left came to say what it says, and proof that the explanation is of that message.

Rules: nothing is stored for this but the message itself; the map is run again over the record as it was then, narrowed
to the fields that were disclosed then, and the bytes must come out the same. Every reading is logged, by whom and
what for.
Refuses to guess: where the map has changed since or the bytes differ, it says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.cases.permission import Permission
from gateway.documents.gwmap import Explained
from gateway.documents.strict_json import reread
from gateway.errors import ContentDestroyed, NoSuchReferral
from gateway.journey.compose import own_params
from gateway.journey.disclose import disclosed, profile_of
from gateway.journey.translate import declared
from gateway.journey.world import World
from gateway.ports import LegRow, MessageRow, Unit

PURPOSE = "audit"


@dataclass(frozen=True, slots=True)
class Explanation:
    """`same_map` and `same_bytes` say whether this is the explanation of the very message that was sent."""

    message: MessageRow
    explained: tuple[Explained, ...]
    document: Any
    same_map: bool
    same_bytes: bool


def explain(world: World, mid: str, *, by: str | None = None, purpose: str = PURPOSE) -> Explanation:
    """Explain one outbound message to the officer `by`; unset: the gateway looks itself.

    Raises NoSuchReferral when there is none, ContentDestroyed after its time, PartnerEnded, MapRefused or MappingFailed
    where partner or map are not there any more, or make nothing of it, NoOfficer.
    """
    # 1 the message, its leg, and the record as it was when the message was made
    # 2 the same narrow source, the same parameters
    # 3 the pinned map, traced; then run, to compare bytes
    # 4 log the reading
    with world.store.unit() as unit:
        found = explained(world, unit, mid)  # 1–3
        case_no, ref_no = found.message.case_no, found.message.ref_no
        unit.commit(world.event("message.explained", purpose, by=by, case_no=case_no, ref_no=ref_no, mid=mid))  # 4
        return found


def explained(world: World, unit: Unit, mid: str) -> Explanation:
    """The explanation, for a unit that keeps by an act of its own that it was read."""
    message, leg, record = _found(unit, mid)  # 1
    source = _source(world, message, leg, record)  # 2
    compiled = world.know.catalogue.get(message.map_pin or "")
    params = declared(compiled, own_params(world, message.partner, message.mid, message.at))
    mapped = compiled.apply(source, params)  # 3
    return Explanation(
        message=message,
        explained=compiled.explain(source, params),
        document=mapped.document,
        same_map=compiled.digest == message.map_digest,
        same_bytes=mapped.body == message.body,
    )


def _found(unit: Unit, mid: str) -> tuple[MessageRow, LegRow, dict[str, Any]]:
    message = unit.outbox.find_message(mid, direction="out")
    leg = unit.legs.get(message.ref_no) if message and message.ref_no else None
    if message is None or leg is None or message.direction != "out" or message.type != "referral.created":
        raise NoSuchReferral
    if not message.body:
        raise ContentDestroyed
    record = unit.cases.as_of(leg.case_no, message.at)
    return message, leg, reread(record) if record else {}


def _source(world: World, message: MessageRow, leg: LegRow, record: dict[str, Any]) -> dict[str, Any]:
    """The record as it was disclosed: only the fields that are kept with the message, in the agreement's forms.

    What the agreement no longer names is left out: in which form it went is not known any more, and the bytes show it.
    """
    profile = profile_of(world, leg)
    forms = {name: profile.allow[name] for name in message.fields if name in profile.allow}
    permission = Permission(
        partner=message.partner,
        legal_basis=leg.legal_basis,
        consent_no=leg.consent_no,
        fields=frozenset(forms),
        consent=next((c for c in record.get("consent", ()) if c["no"] == leg.consent_no), None),
        forms=forms,
    )
    return disclosed(world, record, permission, leg)
