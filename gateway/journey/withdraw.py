"""Withdraw: when a case may no longer be served, its open legs are called back and their owners told.

Rules (PIPA 37; R-08): from the moment a consent is withdrawn, a worker has died, or a case is deleted, merged or
re-opened, nothing unsent leaves; who already holds data is told to stop, with ids and a reason only; a partner that is
already at work is asked, and answers (rows 7, 18 and 22 of the lifecycle). If it refuses, a person is told, and it is
asked again only when the case has changed; if it pauses, its leg is called back as any other on hold. A leg that
cannot be moved, or whose owner cannot be told, is shown to a person and keeps no other leg waiting. A consent that ends
for one partner calls back the leg of that one alone.
Refuses to send identity again: there is no permission for it any more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from gateway.documents.strict_json import reread
from gateway.errors import ConsentMissing, EntryHoldsResidentNumber, EntryMissing, JourneyRefused, Refused
from gateway.exchange_log.audit import AuditEvent
from gateway.journey.compose import compose, wake_all
from gateway.journey.disclose import NEEDS_PERMISSION, consent_name, partner_entry
from gateway.journey.judge import refusal_now
from gateway.journey.legs import moved
from gateway.journey.world import World
from gateway.ports import CaseRow, Claim, LegRow, MessageRow, Unit, WorkItem
from gateway.referrals.lifecycle import Act, Party
from gateway.referrals.needs import Given

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
    # 1 open legs whose case may no longer be served, or not to their partner
    # 2 block what is still unsent for them and needs permission; cancellations of other legs of the case must leave
    # 3 move the leg: cancelled, or cancellation requested where the partner is at work
    # 4 tell the owner, unless nothing ever reached it
    # 5 commit, one event per leg, then wake who delivers
    with world.store.unit() as unit:
        found = unit.legs.to_withdraw(most)  # 1
        if not found:
            return 0
        world.require_same_time(unit.now())
        seqs = dict(unit.outbox.last_seqs(sorted({leg.case_no for leg, _ in found})))
        called_back = [call_back(world, unit, leg, why(world, case, leg), seqs) for leg, case in found]
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
    if case.version != leg.case_version:
        return REOPENED
    ours = leg.partner in world.know.profiles  # or nothing more is known than what holds for all
    code = refusal_now(world, case, record, leg.partner) if ours else case.reason
    return WITHDRAWN if code in _NO_PERMISSION else OTHER


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
    act, business = (Act.REQUEST_CANCEL, None) if leg.status == "in-progress" else (Act.CANCEL, reason.business)
    try:
        unit.legs.save(moved(leg, act, Party.PLACER, now, business=business, given=given))  # 3
    except JourneyRefused as refusal:
        return _shown(world, unit, leg, refusal)
    if not reached:
        return CalledBack(None, _withdrawn(world, leg))
    seq = seqs.get((leg.partner, leg.case_no), 0) + 1
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
