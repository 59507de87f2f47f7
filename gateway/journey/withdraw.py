"""Withdraw: when a case may no longer be served, its legs are called back and their owners told.

Rules (PIPA 37; R-08): from the moment a consent is withdrawn, a worker has died, or a case is deleted, merged or
re-opened, nothing unsent leaves; who already holds data is told to stop, with ids and a reason only; a partner that is
already at work is asked, and answers (rows 7, 18 and 22 of the lifecycle). If it refuses, a person is told, and it is
asked again only when the case has changed; if it pauses, its leg is called back as any other on hold. A leg that
cannot be moved, or whose owner cannot be told, is shown to a person and keeps no other leg waiting. A consent that ends
for one partner calls back the leg of that one alone. What has ended stays so (row 24): who follows a placement up is
told to ask nobody any more; and whoever was told of the worker hears when the consent is withdrawn, once, also who was
asked to stop for another reason and has not answered. Its reports are refused from then on.
Refuses to send identity again: there is no permission for it any more; and to end a follow-up, which cannot be taken up
again, for want of an entry that can be used, or because the coordinator has turned to another partner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from gateway.cases.consent import withdrawn
from gateway.cases.permission import EntryState
from gateway.documents.strict_json import reread
from gateway.errors import (
    ConsentMissing,
    EntryHoldsResidentNumber,
    EntryMissing,
    JourneyRefused,
    LegalBasisMissing,
    Refused,
)
from gateway.exchange_log.audit import AuditEvent
from gateway.journey.compose import compose, wake_all
from gateway.journey.disclose import NEEDS_PERMISSION, consent_name, partner_entry
from gateway.journey.judge import refusal_now
from gateway.journey.legs import moved
from gateway.journey.world import World
from gateway.ports import CaseRow, Claim, LegRow, MessageRow, Unit, WorkItem
from gateway.referrals.lifecycle import Act, Party
from gateway.referrals.needs import Given
from gateway.referrals.states import Business, State, Status

PURPOSE = "vocational-rehab"


class Why(NamedTuple):
    """Why a leg is called back: in our words, the reason code that partners know, our message type, business status."""

    what: str
    code: str
    kind: str
    business: str


_CANCELLED, _TAKEN_BACK = ("referral.cancelled", "cancelled-by-comwel"), ("consent.withdrawn", "consent-withdrawn")
DIED = Why("the worker has died", "DTH", *_CANCELLED)
WITHDRAWN = Why("the worker has withdrawn the consent", "WDR", *_TAKEN_BACK)
MERGED = Why("the case is another's now", "DUP", *_CANCELLED)
GONE = Why("COMWEL has taken the case back", "ETC", *_CANCELLED)
REOPENED = Why("the case was re-opened", "REO", *_CANCELLED)
NO_CONSENT = Why("no consent carries to this partner any more", "WDR", *_TAKEN_BACK)
UNKNOWN = Why("the entry that would hold the consent cannot be used", "WDR", *_TAKEN_BACK)
NO_BASIS = Why("the law does not allow it any more", "ETC", *_CANCELLED)
UNASKED = Why("no service of this partner is asked for any more", "ETC", *_CANCELLED)
_REFUSED = {
    ConsentMissing.code: NO_CONSENT,
    EntryHoldsResidentNumber.code: UNKNOWN,
    EntryMissing.code: UNKNOWN,
    LegalBasisMissing.code: NO_BASIS,
}
_FOLLOWED_ALL_THE_SAME = (UNKNOWN, UNASKED)
"""What ends no follow-up: it could not be taken up again, and nothing leaves to its owner."""


def withdraw(world: World, most: int = 256) -> int:
    """Look at up to `most` legs and call back those that must be; returns how many it looked at. Raises ClocksApart."""
    # 1 legs whose case may no longer be served, or not by them, since it changed; those that ended are looked at, too
    # 2 block what is still unsent for them and needs permission; cancellations of other legs of the case must leave
    # 3 move the leg: cancelled, or cancellation requested where the partner is at work; what has ended stays so
    # 4 tell the owner, unless nothing ever reached it
    # 5 commit, one event per leg that is called back, one for all others; then wake who delivers
    with world.store.unit() as unit:
        found = unit.legs.to_withdraw(most)  # 1
        if not found:
            return 0
        world.require_same_time(unit.now())
        seqs = dict(unit.outbox.last_seqs(sorted({leg.case_no for leg, _ in found})))
        followed = unit.facts.followed([leg.ref_no for leg, _ in found if leg.status == Status.COMPLETED])
        looked = [_look(world, unit, leg, case, seqs, followed=leg.ref_no in followed) for leg, case in found]
        called_back = [one for one in looked if one]
        messages = [one.message for one in called_back if one.message]
        unit.outbox.enqueue(messages)
        both = zip(found, looked, strict=True)
        unit.legs.mark_recalled({leg.ref_no: case.revision if one else -case.revision for (leg, case), one in both})
        unit.commit(*(one.act for one in called_back), *_reviewed(world, len(found) - len(called_back)))  # 5
    wake_all(world, messages)
    return len(found)


def _reviewed(world: World, legs: int) -> list[AuditEvent]:
    return [world.event("referrals.reviewed", PURPOSE, counts={"legs": legs})] if legs else []


def why(world: World, case: CaseRow, leg: LegRow) -> Why:
    """The reason, the gravest first."""
    record = reread(case.record) if case.record else {}
    if "deceasedDate" in record:
        return DIED
    if _taken_back(world, case, record, leg):
        return WITHDRAWN
    if case.status == "merged":
        return MERGED
    if case.status != "live":
        return GONE
    if case.version != leg.case_version:
        return REOPENED
    ours = leg.partner in world.know.profiles  # or nothing more is known than what holds for all
    code = refusal_now(world, case, record, leg.partner) if ours else case.reason
    return _REFUSED.get(code or "", UNASKED)


def _taken_back(world: World, case: CaseRow, record: Mapping[str, Any], leg: LegRow) -> bool:
    """Whether the worker withdrew the consent to this partner and gave no other, whatever else the entry lacks."""
    facts, used = reread(case.facts) if case.facts else {}, case._replace(entry_state=EntryState.PRESENT)
    said = withdrawn(_consents(case, record), leg.partner, world.clock.business_now(), facts.get("a1Consent"))
    return said and refusal_now(world, used, record, leg.partner) == ConsentMissing.code


def _consents(case: CaseRow, record: Mapping[str, Any]) -> Sequence[Any]:
    """As the record has them; of an entry that makes no record, as it was handed over."""
    entry = reread(case.entry) if case.entry and case.entry_state != EntryState.PRESENT else {}
    found = record.get("consent") or entry.get("consent")
    return found if isinstance(found, list) else ()


def _look(
    world: World, unit: Unit, leg: LegRow, case: CaseRow, seqs: dict[tuple[str, str], int], *, followed: bool
) -> CalledBack | None:
    """Call back one leg that was found. None where its owner need not be told anything, or has been.

    `followed`: its placement is followed up.
    """
    reason, ended = why(world, case, leg), State.read(leg.state).terminal
    if not ended and leg.business != Business.CANCELLATION_REQUESTED:
        return call_back(world, unit, leg, reason, seqs)
    if followed and reason not in _FOLLOWED_ALL_THE_SAME:
        return call_back(world, unit, leg, reason, seqs)
    if reason is not WITHDRAWN:
        return None
    told = unit.outbox.last_told(leg) == WITHDRAWN.kind  # to destroy what it holds
    if ended:
        return call_back(world, unit, leg, reason, seqs, known=told and leg.business == Business.CANCEL_CONFIRMED)
    return None if told else _told(world, unit, leg, reason, seqs)


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
    known: bool = False,
) -> CalledBack:
    """Move one leg and make the message that tells its owner; what cannot be done of this is shown to a person.

    `holding` is the message of this leg that the caller has leased and will not send; `known`: the owner was told.
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
    tells = reached and not known
    return _told(world, unit, leg, reason, seqs) if tells else CalledBack(None, _withdrawn(world, leg))


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
