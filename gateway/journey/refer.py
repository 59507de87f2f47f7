"""Refer: a priority case becomes one request and one sealed message per partner whose services are asked for.

Rules: permission first, then the record is narrowed to what may leave, and only then mapped; what does not keep to the
partner's schema is not sent; sealing happens once, so every attempt carries the same proof; rows, outbox and one event
per message commit together.
Refuses to send: nothing leaves here. And refuses to let one partner's trouble keep another's referral back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

from gateway.cases.permission import Decision, Permission, may_refer, narrow, permit
from gateway.documents.strict_json import dumps, reread
from gateway.errors import Refused
from gateway.exchange_log.audit import AuditEvent
from gateway.journey.translate import translate
from gateway.journey.world import US, World, iso
from gateway.partners.profile import Profile
from gateway.partners.pseudonym import pairwise_case, pairwise_consent, partner_person_id
from gateway.ports import CaseRow, LegRow, MessageRow, ReferralRow, Unit, WorkItem
from gateway.referrals.numbers import parse, referral_number
from gateway.sealing import manifest
from gateway.sealing.manifest import Manifest

PURPOSE = "vocational-rehab"
CREATED = "referral.created"


class Wanted(NamedTuple):
    """One leg that may be made: the partner, what may leave to it, and the services asked for."""

    profile: Profile
    permission: Permission
    services: tuple[str, ...]


@dataclass(slots=True)
class Prepared:
    """What one batch will write."""

    referrals: list[ReferralRow] = field(default_factory=list)
    legs: list[LegRow] = field(default_factory=list)
    messages: list[MessageRow] = field(default_factory=list)
    work: list[WorkItem] = field(default_factory=list)
    events: list[AuditEvent] = field(default_factory=list)


def refer(world: World, most: int = 256) -> int:
    """Make referrals for up to `most` priority cases; returns how many cases were decided."""
    # 1 priority cases that have none yet, best first
    # 2 for each partner: is a service asked for, and what may leave to it now?
    # 3 give out numbers: one for the request, one for each leg
    # 4 for each leg: narrow, map to the partner's schema, check, seal
    # 5 and our own record of it, a FHIR R4 Bundle, checked
    # 6 commit rows, outbox and one event per message together
    # 7 wake who delivers; a hint, and only after the commit
    with world.store.unit() as unit:
        cases = unit.cases.to_refer(most)  # 1
        if not cases:
            return 0
        prepared = Prepared()
        plans = [(case, reread(case.record or b"{}")) for case in cases]
        wanted = [_wanted(world, case, record, prepared) for case, record in plans]  # 2
        numbers = iter(_numbers(world, unit, sum(1 + len(legs) for legs in wanted if legs)))  # 3
        seqs = unit.outbox.last_seqs([case.case_no for case in cases])
        for (case, record), legs in zip(plans, wanted, strict=True):
            if legs:
                _case(world, seqs, case, record, legs, [next(numbers) for _ in range(1 + len(legs))], prepared)
        unit.legs.add(prepared.referrals, prepared.legs)
        unit.outbox.enqueue(prepared.messages)
        unit.add_work(prepared.work)
        unit.cases.mark_referred([case.case_no for case in cases])
        world.reached("refer.written")
        unit.commit(*prepared.events)  # 6
    world.reached("refer.committed")
    wake_all(world, prepared.messages)  # 7
    world.reached("refer.woken")
    return len(cases)


def wake_all(world: World, messages: Iterable[MessageRow]) -> None:
    """Wake every partner's delivery that has something to do now."""
    for partner in sorted({message.partner for message in messages}):
        world.wake(partner)


def _numbers(world: World, unit: Unit, how_many: int) -> Sequence[str]:
    today = world.clock.today()
    return [referral_number(today, n) for n in unit.legs.next_numbers(today, how_many)] if how_many else []


# ── 2 what may leave, to whom ────────────────────────────────────────────────────────────────────────────────────────
def _wanted(world: World, case: CaseRow, record: Mapping[str, Any], prepared: Prepared) -> list[Wanted]:
    legs: list[Wanted] = []
    asked = False
    for partner, profile in world.know.profiles.items():
        decision = may_refer(record, partner=partner, result="PRIORITY")
        if not decision.verdict:
            continue
        asked = True
        try:
            permission = permission_now(world, case, record, partner)
        except Refused as refusal:
            prepared.events.append(_event(world, case, None, partner, None).refused(refusal.code))
        else:
            legs.append(Wanted(profile, permission, tuple(decision.inputs["services"])))
    if not asked:
        prepared.events.append(_event(world, case, None, None, None).refused(_why_nobody(world, record).criterion))
    return legs


def _why_nobody(world: World, record: Mapping[str, Any]) -> Decision:
    return may_refer(record, partner=next(iter(world.know.profiles)), result="PRIORITY")


def permission_now(world: World, case: CaseRow, record: Mapping[str, Any], partner: str) -> Permission:
    """What may leave to a partner at this moment of business time. Raises PermissionRefused."""
    facts = reread(case.facts) if case.facts else {}
    return permit(
        record,
        entry_state=case.entry_state,
        partner=world.know.profiles[partner],
        bases=world.know.bases,
        at=world.clock.business_now(),
        a1_consent=facts.get("a1Consent"),
    )


# ── 4–5 one case ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _case(
    world: World,
    seqs: Mapping[tuple[str, str], int],
    case: CaseRow,
    record: Mapping[str, Any],
    wanted: Sequence[Wanted],
    numbers: Sequence[str],
    prepared: Prepared,
) -> None:
    request_no, *ref_nos = numbers
    now, today = world.clock.now(), world.clock.today()
    made = 0
    for one, ref_no in zip(wanted, ref_nos, strict=True):
        leg = _leg(world, case, record, one, ref_no, request_no)
        seq = seqs.get((leg.partner, case.case_no), 0) + 1
        try:
            message = _message(world, record, leg, one, now, seq)  # 4–5
        except Refused as refusal:
            prepared.events.append(_event(world, case, ref_no, leg.partner, None).refused(refusal.code))
            work = WorkItem("mapping-failed", refusal.code, case.case_no, ref_no, leg.partner, None, now)
            prepared.work.append(work)
            continue
        made += 1
        prepared.legs.append(leg)
        prepared.messages.append(message)
        prepared.events.append(_event(world, case, ref_no, leg.partner, message.mid))
    if made:
        prepared.referrals.append(ReferralRow(request_no, case.case_no, case.version, "active", now, today))


def _leg(
    world: World, case: CaseRow, record: Mapping[str, Any], wanted: Wanted, ref_no: str, request_no: str
) -> LegRow:
    profile, today = wanted.profile, world.clock.today()
    return LegRow(
        ref_no=ref_no,
        request_no=request_no,
        case_no=case.case_no,
        case_version=case.version,
        partner=profile.id,
        person_id=partner_person_id(world.secret(profile.id), profile.code, record["personKey"]),
        state="requested|sent",
        status="requested",
        business="sent",
        services=wanted.services,
        legal_basis=wanted.permission.legal_basis,
        consent_no=wanted.permission.consent_no,
        filler_no=None,
        answered=False,
        in_seq=0,
        first_answer_due=today + timedelta(days=profile.clocks.first_answer_days),
        result_due=today + timedelta(days=profile.clocks.result_days),
        tracked=0,
        version=1,
        updated_at=world.clock.now(),
    )


def referral_entry(leg: LegRow) -> dict[str, Any]:
    """What the case record says about one leg: an entry of its `referral` list."""
    entry = {
        "no": leg.ref_no,
        "requestNo": leg.request_no,
        "partner": leg.partner,
        "services": list(leg.services),
        "legalBasis": leg.legal_basis,
        "consentNo": leg.consent_no,
        "authoredOn": parse(leg.ref_no).day.isoformat() + "T00:00:00+09:00",
        "firstAnswerDue": leg.first_answer_due.isoformat(),
        "resultDue": leg.result_due.isoformat(),
        "urgency": "routine",
    }
    return {name: value for name, value in entry.items() if value is not None}


def _message(
    world: World, record: Mapping[str, Any], leg: LegRow, wanted: Wanted, now: datetime, seq: int
) -> MessageRow:
    entry = referral_entry(leg)
    narrowed = disclosed(world, record, wanted.permission, leg)
    message = compose(world, leg, "referral", CREATED, narrowed, seq, now)
    return message._replace(fhir=_our_record(world, record, leg, entry))


def disclosed(world: World, record: Mapping[str, Any], permission: Permission, leg: LegRow) -> dict[str, Any]:
    """The record as one partner may see it: narrowed, and under names that only this partner knows."""
    entry = partner_entry(world, leg)
    own = {"partnerPersonId": leg.person_id, "referral": entry, "referralStatus": "requested"}
    narrowed = narrow(record, permission, own)
    if "consent" in narrowed and leg.consent_no:
        narrowed["consent"] = [narrowed["consent"][0] | {"no": entry["consentNo"]}]
    return narrowed


def partner_entry(world: World, leg: LegRow) -> dict[str, Any]:
    """The `referral` entry of one leg for its partner, who knows the consent by a name of its own."""
    return referral_entry(leg) | ({"consentNo": consent_name(world, leg)} if leg.consent_no else {})


def consent_name(world: World, leg: LegRow) -> str:
    """The consent as this one partner knows it; COMWEL's own number would let two partners link the worker."""
    profile = world.know.profiles[leg.partner]
    return pairwise_consent(world.secret(leg.partner), profile.code, leg.consent_no or "")


def _our_record(world: World, record: Mapping[str, Any], leg: LegRow, entry: dict[str, Any]) -> bytes:
    """The referral as the standard says it, for our own shelf: the whole case with this one leg. It never leaves."""
    person = [{"partner": leg.partner, "id": leg.person_id}]
    source = {**record, "partnerPersonId": person, "referral": [entry], "referralStatus": leg.status}
    bundle = translate(world, "case-to-fhir|1.0.0", source, now=iso(world.clock.business_now())).document
    world.know.fhir.require(bundle)
    return dumps(bundle)


def compose(
    world: World,
    leg: LegRow,
    map_name: str,
    kind: str,
    source: Mapping[str, Any],
    seq: int,
    now: datetime,
    **more: Any,
) -> MessageRow:
    """Map, check and seal one message to the owner of a leg. Raises MappingFailed or DocumentInvalid.

    `source` is a narrowed case record: its fields are what the message may disclose, and are kept with it.
    """
    profile = world.know.profiles[leg.partner]
    mid = world.ids()
    params = {"now": iso(now), "mid": mid, "base": world.limits.base_url, "sender": US, "receiver": profile.iss, **more}
    translated = translate(world, profile.mappings[map_name], source, **params)
    if "referral" in profile.schemas:
        world.know.schemas.require(profile.schemas["referral"], translated.document)
    else:
        world.know.fhir.require(translated.document)
    body = dumps(translated.document)
    stated = Manifest(
        mid=mid,
        iss=US,
        aud=profile.iss,
        iat=int(now.timestamp()),
        type=kind,
        case=pairwise_case(world.secret(leg.partner), profile.code, leg.case_no),
        seq=seq,
        profile=translated.pin,
        parts=(manifest.digest_part("body", profile.content_type, body),),
    )
    return MessageRow(
        partner=leg.partner,
        direction="out",
        mid=mid,
        type=kind,
        case_no=leg.case_no,
        ref_no=leg.ref_no,
        seq=seq,
        content_type=profile.content_type,
        body=body,
        jws=manifest.seal(stated, world.signing_key),
        body_sha256=sha256(body).digest(),
        map_pin=translated.pin,
        map_digest=translated.digest,
        fields=tuple(sorted(source)),
        fhir=None,
        at=now,
    )


def _event(world: World, case: CaseRow, ref_no: str | None, partner: str | None, mid: str | None) -> AuditEvent:
    return world.event("referral.prepared", PURPOSE, case_no=case.case_no, ref_no=ref_no, partner=partner, mid=mid)
