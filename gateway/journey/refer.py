"""Refer: a priority case becomes one request and one sealed message per partner whose services are asked for.

Rules: permission first, then the record is narrowed to what may leave, and only then mapped; what does not keep to the
partner's schema is not sent; sealing happens once, so every attempt carries the same proof; rows, outbox and one event
per message commit together.
Refuses to send: nothing leaves here. And refuses to let one partner's trouble keep another's referral back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from gateway.cases.permission import Permission, may_refer
from gateway.documents.strict_json import reread
from gateway.errors import Refused
from gateway.exchange_log.audit import AuditEvent
from gateway.journey.compose import compose, wake_all
from gateway.journey.disclose import disclosed, permission_now, referral_entry
from gateway.journey.legs import moved
from gateway.journey.translate import translate
from gateway.journey.world import World, iso
from gateway.partners.profile import Profile
from gateway.partners.pseudonym import partner_person_id
from gateway.ports import CaseRow, LegRow, MessageRow, ReferralRow, Unit, WorkItem
from gateway.referrals.lifecycle import Act, Party, advance
from gateway.referrals.needs import Given
from gateway.referrals.numbers import referral_number

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
    """Make referrals for up to `most` priority cases; returns how many cases were decided. Raises ClocksApart."""
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
        world.require_same_time(unit.now())
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


def _numbers(world: World, unit: Unit, how_many: int) -> Sequence[str]:
    today = world.clock.today()
    return [referral_number(today, n) for n in unit.legs.next_numbers(today, how_many)] if how_many else []


# ── 2 what may leave, to whom ────────────────────────────────────────────────────────────────────────────────────────
def _wanted(world: World, case: CaseRow, record: Mapping[str, Any], prepared: Prepared) -> list[Wanted]:
    profiles = world.know.profiles
    decisions = {partner: may_refer(record, partner=partner, result="PRIORITY") for partner in profiles}
    asked = {partner: decision for partner, decision in decisions.items() if decision.verdict}
    if not asked:
        why_nobody = next(iter(decisions.values())).criterion
        prepared.events.append(_event(world, case).refused(why_nobody))
    legs: list[Wanted] = []
    for partner, decision in asked.items():
        try:
            permission = permission_now(world, case, record, partner)
        except Refused as refusal:
            prepared.events.append(_event(world, case, partner=partner).refused(refusal.code))
        else:
            legs.append(Wanted(profiles[partner], permission, tuple(decision.inputs["services"])))
    return legs


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
            prepared.events.append(_event(world, case, ref_no=ref_no, partner=leg.partner).refused(refusal.code))
            work = WorkItem("mapping-failed", refusal.code, case.case_no, ref_no, leg.partner, None, now)
            prepared.work.append(work)
            continue
        made += 1
        prepared.legs.append(leg)
        prepared.messages.append(message)
        prepared.events.append(_event(world, case, ref_no=ref_no, partner=leg.partner, mid=message.mid))
    if made:
        prepared.referrals.append(ReferralRow(request_no, case.case_no, case.version, "active", now, today))


def _leg(
    world: World, case: CaseRow, record: Mapping[str, Any], wanted: Wanted, ref_no: str, request_no: str
) -> LegRow:
    """A leg, drafted and sent by rows 1 and 2 of the lifecycle; its case has no other that is open."""
    profile, today, now = wanted.profile, world.clock.today(), world.clock.now()
    draft = advance(None, Act.DRAFT, by=Party.PLACER, given=Given(case_exists=True))
    row = LegRow(
        ref_no=ref_no,
        request_no=request_no,
        case_no=case.case_no,
        case_version=case.version,
        partner=profile.id,
        person_id=partner_person_id(world.secret(profile.id), profile.code, record["personKey"]),
        state=draft.written(),
        status=draft.status,
        business=draft.business,
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
        updated_at=now,
    )
    shown = Given(consent_covers=True, data_complete=True, no_other_open_leg=True)  # it is kept with its message only
    return moved(row, Act.SEND, Party.PLACER, now, given=shown)


def _message(
    world: World, record: Mapping[str, Any], leg: LegRow, wanted: Wanted, now: datetime, seq: int
) -> MessageRow:
    entry = referral_entry(leg)
    narrowed = disclosed(world, record, wanted.permission, leg)
    message = compose(world, leg, "referral", CREATED, narrowed, seq, now)
    return message._replace(fhir=_our_record(world, record, leg, entry))


def _our_record(world: World, record: Mapping[str, Any], leg: LegRow, entry: dict[str, Any]) -> bytes:
    """The referral as the standard says it, for our own shelf: the whole case with this one leg. It never leaves."""
    person = [{"partner": leg.partner, "id": leg.person_id}]
    source = {**record, "partnerPersonId": person, "referral": [entry], "referralStatus": leg.status}
    face = translate(world, "case-to-fhir|1.0.0", source, now=iso(world.clock.business_now()))
    world.know.fhir.require(face.document)
    return face.body


def _event(world: World, case: CaseRow, **about: str) -> AuditEvent:
    """The act about a case, and about a leg, a partner and a message as far as there are any."""
    return world.event("referral.prepared", PURPOSE, case_no=case.case_no, **about)
