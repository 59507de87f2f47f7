"""Withdraw: when a case may no longer be served, its legs are called back and their owners told.

Rules (PIPA 37; R-08): from the moment a consent is withdrawn, a worker has died, or a case is deleted, merged or
re-opened, nothing unsent leaves; who already holds data is told to stop, with ids and a reason only; a partner that is
already at work is asked, and answers (rows 7, 18 and 22 of the lifecycle). If it refuses, a person is told, and it is
asked again only when the case has changed; if it pauses, its leg is called back as any other on hold. A leg that
cannot be moved, or whose owner cannot be told, is shown to a person and keeps no other leg waiting. A consent that ends
for one partner calls back the leg of that one alone. Who follows a placed worker up is told as well (row 24): the
placement stands, nobody is asked about it any more. Who was asked to stop for another reason before the consent was
withdrawn is told of that, too.
Refuses to send identity again: there is no permission for it any more; and to end a follow-up, which cannot be taken up
again, because an entry of the Job Coordinator is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from gateway.cases.consent import withdrawn
from gateway.cases.permission import EntryState
from gateway.documents.strict_json import reread
from gateway.errors import ConsentMissing, EntryHoldsResidentNumber, EntryMissing, IllegalMove, JourneyRefused, Refused
from gateway.exchange_log.audit import AuditEvent
from gateway.journey.compose import compose, wake_all
from gateway.journey.disclose import NEEDS_PERMISSION, consent_name, partner_entry
from gateway.journey.judge import refusal_now
from gateway.journey.legs import moved
from gateway.journey.world import World
from gateway.ports import CaseRow, Claim, LegRow, MessageRow, Unit, WorkItem
from gateway.referrals.lifecycle import Act, Party
from gateway.referrals.needs import Given
from gateway.referrals.states import Business, Status

PURPOSE = "vocational-rehab"


class Why(NamedTuple):
    """Why a leg is called back: the reason code that partners know, our message type and business status."""

    code: str
    kind: str
    business: str


DIED = Why("DTH", "referral.cancelled", "cancelled-by-comwel")
WITHDRAWN = Why("WDR", "consent.withdrawn", "consent-withdrawn")
REOPENED = Why("REO", "referral.cancelled", "cancelled-by-comwel")
MERGED = Why("DUP", "referral.cancelled", "cancelled-by-comwel")
OTHER = Why("ETC", "referral.cancelled", "cancelled-by-comwel")
_NO_PERMISSION = frozenset({ConsentMissing.code, EntryHoldsResidentNumber.code, EntryMissing.code})


def withdraw(world: World, most: int = 256) -> int:
    """Call back up to `most` legs; returns how many. Raises ClocksApart."""
    # 1 legs, open or followed up, whose case may no longer be served, or not to their partner
    # 2 block what is still unsent for them and needs permission; cancellations of other legs of the case must leave
    # 3 move the leg: cancelled, or cancellation requested where the partner is at work; a placement is not followed up
    # 4 tell the owner, unless nothing ever reached it
    # 5 commit, one event per leg, then wake who delivers
    with world.store.unit() as unit:
        found = unit.legs.to_withdraw(most)  # 1
        if not found:
            return 0
        world.require_same_time(unit.now())
        seqs = dict(unit.outbox.last_seqs(sorted({leg.case_no for leg, _ in found})))
        called_back = [_call_back_now(world, unit, leg, case, seqs) for leg, case in found]
        messages = [one.message for one in called_back if one.message]
        unit.outbox.enqueue(messages)
        unit.legs.mark_recalled({leg.ref_no: case.revision for leg, case in found})
        unit.commit(*(one.act for one in called_back))  # 5
    wake_all(world, messages)
    return len(found)


def why(world: World, case: CaseRow, leg: LegRow) -> Why:
    """The reason, the gravest first."""
    record = reread(case.record) if case.record else {}
    if "deceasedDate" in record:
        return DIED
    if case.status == "merged":
        return MERGED
    if case.status != "live":
        return OTHER
    ours = leg.partner in world.know.profiles  # or nothing more is known than what holds for all
    code = refusal_now(world, case, record, leg.partner) if ours else case.reason
    if case.version != leg.case_version:
        return WITHDRAWN if code == ConsentMissing.code and _taken_back(world, case, record, leg) else REOPENED
    return WITHDRAWN if code in _NO_PERMISSION else OTHER


def _taken_back(world: World, case: CaseRow, record: Mapping[str, Any], leg: LegRow) -> bool:
    """Whether a consent was withdrawn; a case that was re-opened may just have none yet."""
    facts = reread(case.facts) if case.facts else {}
    return withdrawn(record, leg.partner, world.clock.business_now(), facts.get("a1Consent"))


def _call_back_now(
    world: World, unit: Unit, leg: LegRow, case: CaseRow, seqs: dict[tuple[str, str], int]
) -> CalledBack:
    """Call back one leg that was found, or say why nobody is told anything now."""
    reason = why(world, case, leg)
    if leg.status == Status.COMPLETED and reason is WITHDRAWN and case.entry_state != EntryState.PRESENT:
        return CalledBack(None, _withdrawn(world, leg).refused(case.reason or EntryMissing.code))
    if leg.business != Business.CANCELLATION_REQUESTED:
        return call_back(world, unit, leg, reason, seqs)
    if reason is not WITHDRAWN or unit.outbox.ever_told(leg, {WITHDRAWN.kind}):
        return CalledBack(None, _withdrawn(world, leg).refused(IllegalMove.code))  # it has been asked
    return _told(world, unit, leg, reason, seqs)


class CalledBack(NamedTuple):
    """What came of calling a leg back: the message that tells its owner, if anything can have reached it; the act."""

    message: MessageRow | None
    act: AuditEvent


def call_back(
    world: World,
    unit: Unit,
    leg: LegRow,
    reason: Why,
    seqs: dict[tuple[str, str], int],
    *,
    holding: Claim | None = None,
) -> CalledBack:
    """Move one leg and make the message that tells its owner; what cannot be done of this is shown to a person.

    `holding` is the message of this leg that the caller has leased and will not send.
    """
    unit.outbox.cancel(leg, NEEDS_PERMISSION)  # 2
    reached = _reached(unit, leg, holding)
    now = world.clock.now()
    told = Given(happened_on=world.clock.today(), reason_code=reason.code, reason_text=reason.business)
    given = replace(told, abort_delivered=True)  # the abort leaves with this unit, or not at all
    act, business = (Act.REQUEST_CANCEL, None) if leg.status == Status.IN_PROGRESS else (Act.CANCEL, reason.business)
    if leg.status == Status.COMPLETED:
        unit.facts.cancel_checks(leg.ref_no)
    try:
        unit.legs.save(moved(leg, act, Party.PLACER, now, business=business, given=given))  # 3
    except JourneyRefused as refusal:
        return _shown(world, unit, leg, refusal)
    return _told(world, unit, leg, reason, seqs) if reached else CalledBack(None, _withdrawn(world, leg))


def _told(world: World, unit: Unit, leg: LegRow, reason: Why, seqs: dict[tuple[str, str], int]) -> CalledBack:
    """The message that tells the owner of a leg. `leg` is as it was before it was moved."""
    now, seq = world.clock.now(), seqs.get((leg.partner, leg.case_no), 0) + 1
    said = {"reason": reason.code, "state": leg.status}  # who is at work is asked to stop
    try:
        message = compose(world, leg, "cancel", reason.kind, ids_only(world, leg), seq, now, **said)  # 4
    except Refused as refusal:
        return _shown(world, unit, leg, refusal)
    seqs[leg.partner, leg.case_no] = seq
    return CalledBack(message, _withdrawn(world, leg, message.mid))


def _reached(unit: Unit, leg: LegRow, holding: Claim | None) -> bool:
    """Whether the owner may have the referral: an attempt that nobody lived to write down counts."""
    if holding and (holding.attempts or holding.crashes):
        return True
    return unit.outbox.ever_tried(leg, NEEDS_PERMISSION, holding.message.mid if holding else None)


def _shown(world: World, unit: Unit, leg: LegRow, refusal: Refused) -> CalledBack:
    """A leg that could not be moved, or whose owner could not be told, is a person's."""
    ids = (leg.case_no, leg.ref_no, leg.partner)
    unit.add_work([WorkItem("withdraw", refusal.code, *ids, None, world.clock.now())])
    return CalledBack(None, _withdrawn(world, leg).refused(refusal.code))


def _withdrawn(world: World, leg: LegRow, mid: str | None = None) -> AuditEvent:
    ids = {"case_no": leg.case_no, "ref_no": leg.ref_no, "partner": leg.partner, "mid": mid}
    return world.event("referral.withdrawn", PURPOSE, **ids)


def ids_only(world: World, leg: LegRow) -> dict[str, object]:
    """What a partner needs to know which referral is meant, and nothing else."""
    said: dict[str, object] = {
        "partnerPersonId": [{"partner": leg.partner, "id": leg.person_id}],
        "referral": [partner_entry(world, leg)],
    }
    return said | ({"consent": [{"no": consent_name(world, leg)}]} if leg.consent_no else {})
