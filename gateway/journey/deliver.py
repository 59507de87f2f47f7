"""Deliver: bring waiting messages to one partner, prove it, and never send what may no longer be sent.

Rules: SQL alone remembers; a message is leased before it is tried and finished only by who still holds the fence; order
is kept per (partner, case); consent and legal basis are asked again at the moment of sending; a message is delivered
when the partner's signed receipt is verified and stored, not earlier; a partner that cannot take anything is left alone
(`gateway.delivery.breaker`), and so is one outside its service hours (`gateway.delivery.hours`): its messages wait
without using up attempts; a message that kills whoever tries it is given up, and takes nobody with it: suspects are
tried alone; while the database is away what was heard is kept, as long as the lease lasts.
Refuses to change a message: the bytes and the manifest are those of the first attempt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from gateway.delivery.judge import Answer as Heard
from gateway.delivery.judge import Phase, Result, judge
from gateway.documents.strict_json import reread
from gateway.errors import (
    ConsentMissing,
    LegalBasisMissing,
    PermissionRefused,
    PoisonMessage,
    SealRefused,
    StaleVersion,
)
from gateway.journey.disclose import NEEDS_PERMISSION, permission_now
from gateway.journey.finish import PURPOSE, Tried, finish, patiently
from gateway.journey.world import World
from gateway.ports import Answer, CaseRow, Claim, LegRow, Outgoing
from gateway.referrals.states import State
from gateway.sealing import heads, http, receipts
from gateway.sealing.keys import SigningKey
from gateway.sealing.receipts import Receipt

log = structlog.get_logger()

PAGES = frozenset({"text/html", "application/xhtml+xml"})
LAST_CHANCE = "last-chance"
"""The act of trying a message once more that will be given up if this attempt dies too; one at a time anywhere."""


def deliver(world: World, partner: str, worker: str) -> int:
    """Try one batch for one partner; returns how many messages were tried."""
    # 0 while too few witnesses keep the log, and outside the partner's service hours, nothing is tried
    # 1 lease due messages, head of line per case; a single one as a probe when the line is open and a probe is due
    # 2 ask permission again, now; what may not leave is blocked, and what killed whoever tried it is dead
    # 3 try the rest side by side: sign the attempt, send, verify the receipt, judge the answer
    # 4 commit what became of each: delivery, attempt, receipt, the leg's state, the line, one event per message
    if world.unseen():
        return 0  # 0
    key, asked_at = world.signing_key, world.clock.now()  # nothing is leased that we could not sign
    if (opens_at := world.know.opens_at(partner, asked_at)) > asked_at:
        return _postpone(world, partner, opens_at)  # 0
    with ExitStack() as while_tried:
        batch = _leased(world, partner, worker, asked_at, while_tried)  # 1
        if batch is None:
            return 0
        world.reached("outbox.claimed")
        refused = [t for c in batch.claims if (t := _poison(world, c) or _refusal(world, c, batch))]  # 2
        blocked = {t.claim.message.mid for t in refused}
        waiting = [c for c in batch.claims if c.message.mid not in blocked]
        tried = _side_by_side(world, partner, waiting, key, batch.lease)  # 3
        finish(world, batch.claims, [*refused, *tried], _untried(waiting, tried), batch.lease.ends_at)  # 4
        return len(refused) + len(tried)


# ── the lease ────────────────────────────────────────────────────────────────────────────────────────────────────────
class _Lease(NamedTuple):
    """How long attempts may begin, and when the lease is over."""

    give_up_at: datetime
    ends_at: datetime


def _lease(world: World) -> _Lease:
    """The lease by our own clock, read before messages are leased: so it ends no later than the database thinks.

    What it lasts longer than one attempt is half to begin attempts in, half to commit them.
    """
    taken_at, lasts_s = world.clock.now(), world.limits.lease_s
    spare_s = lasts_s - world.limits.attempt_timeout_s
    return _Lease(taken_at + timedelta(seconds=spare_s / 2), taken_at + timedelta(seconds=lasts_s))


class _Batch(NamedTuple):
    """What was leased together, and what is known of it now: cases, and legs, by their numbers."""

    lease: _Lease
    claims: Sequence[Claim]
    cases: Mapping[str, CaseRow]
    legs: Mapping[str, LegRow]


def _leased(world: World, partner: str, worker: str, asked_at: datetime, while_tried: ExitStack) -> _Batch | None:
    """Lease due messages. None when there are none, or when it is somebody else's turn to probe, or to take a risk.

    `while_tried` holds what must be nobody else's until the attempts are over.
    """
    with world.store.unit(partner) as unit:
        lease = _lease(world)
        claims = unit.outbox.claim(partner, worker, world.limits.deliver_batch, world.limits.lease_s)
        if not claims:
            return None
        world.require_same_time(claims[0].leased_at or asked_at, asked_at)
        cases = unit.cases.look(sorted({c.message.case_no for c in claims if c.message.case_no}))
        legs = {leg.ref_no: leg for leg in unit.legs.of_cases(sorted(cases))}  # not locked: nobody waits for us
        if claims[0].probe and not unit.lines.probe(partner, world.limits.lease_s):
            return None  # somebody else is probing
        if _last_chance(world, claims[0]) and not while_tried.enter_context(world.store.alone(LAST_CHANCE)):
            return None  # somebody else's message has its last chance: neither shall die of the other
        leased = world.event("delivery.leased", PURPOSE, partner=partner, counts={"messages": len(claims)})
        unit.commit(leased)
    return _Batch(lease, claims, cases, legs)


# ── service hours ────────────────────────────────────────────────────────────────────────────────────────────────────
def _postpone(world: World, partner: str, until: datetime) -> int:
    """A closed partner is not tried, and nobody need ask why its messages wait. Returns 0: nothing was tried."""
    with world.store.unit(partner) as unit:
        if moved := unit.outbox.postpone(partner, until):
            unit.commit(world.event("delivery.postponed", PURPOSE, partner=partner, counts={"messages": moved}))
    return 0


# ── may it be tried? ─────────────────────────────────────────────────────────────────────────────────────────────────
def _last_chance(world: World, claim: Claim) -> bool:
    return claim.crashes == world.limits.poison_after - 1


def _poison(world: World, claim: Claim) -> Tried | None:
    """A message whose attempts died one after the other is not tried once more."""
    if claim.crashes < world.limits.poison_after:
        return None
    now = world.clock.now()
    return Tried(claim, None, None, None, PoisonMessage.code, now, now)


def _untried(waiting: Sequence[Claim], tried: Sequence[Tried]) -> list[Claim]:
    done = {t.claim.message.mid for t in tried}
    return [c for c in waiting if c.message.mid not in done]


# ── permission, now ──────────────────────────────────────────────────────────────────────────────────────────────────
def _refusal(world: World, claim: Claim, batch: _Batch) -> Tried | None:
    """Ask at the moment of sending (PIPA 17, 23; R-08). A case or a leg that is gone is refused as well."""
    if claim.message.type not in NEEDS_PERMISSION:
        return None
    now, leg = world.clock.now(), batch.legs.get(claim.message.ref_no or "")
    gone = leg is None or (State.read(leg.state).terminal and not _known_there(claim, leg))
    case = batch.cases.get(claim.message.case_no or "")
    code = StaleVersion.code if gone else _reason_not_to_send(world, claim, case)
    return Tried(claim, None, None, None, code, now, now) if code else None


def _known_there(claim: Claim, leg: LegRow) -> bool:
    """A partner that has spoken of a referral has it; only its receipt was lost, and repeating it discloses nothing."""
    return claim.message.type == "referral.created" and leg.in_seq > 0


def _reason_not_to_send(world: World, claim: Claim, case: CaseRow | None) -> str | None:
    if case is None or case.status != "live" or case.record is None:
        return StaleVersion.code
    record = reread(case.record)
    if "deceasedDate" in record:
        return LegalBasisMissing.code
    try:
        permission = permission_now(world, case, record, claim.message.partner)
    except PermissionRefused as refusal:
        return refusal.code
    return None if permission.fields.issuperset(claim.message.fields) else ConsentMissing.code


# ── the attempts ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _side_by_side(
    world: World, partner: str, waiting: Sequence[Claim], key: SigningKey, lease: _Lease
) -> Sequence[Tried]:
    """Make attempts, as many at once as the partner allows; those that were not begun are missing."""
    ended = world.attempts(partner).map(lambda claim: _attempt(world, claim, key, lease), waiting)
    return [one for one in ended if one]


def _attempt(world: World, claim: Claim, key: SigningKey, lease: _Lease) -> Tried | None:
    """Sign, send, verify, judge. None when the lease would not outlast the attempt, or when we are asked to stop."""
    began_at = world.clock.now()
    if began_at > lease.give_up_at or world.stopping():
        return None
    message = claim.message
    url = world.limits.partner_urls[message.partner]
    headers = http.sign(
        "POST",
        url,
        message.content_type,
        message.body,
        message.mid,
        message.jws,
        key=key,
        created=began_at,
        nonce=world.nonce(),
    )
    sending = Outgoing(message.mid, url, message.content_type, message.body, message.jws, headers)
    answer = _send(world, message.partner, sending)
    ended_at = world.clock.now()
    world.reached("attempt.answered")
    receipt = patiently(world, lease.ends_at, lambda: _receipt(world, claim, answer, ended_at))
    judgement = judge(_heard(answer, receipt))
    world.reached("attempt.judged")
    return Tried(claim, answer, receipt, judgement, None, began_at, ended_at, _head(sending, answer))


def _send(world: World, partner: str, sending: Outgoing) -> Answer:
    """The answer of a channel. One that raises has failed, nobody knows how far on: attempts beside it keep theirs."""
    try:
        return world.channels[partner].send(sending)
    except Exception as error:  # noqa: BLE001 - whatever an adapter overlooked
        log.error("channel.broken", partner=partner, mid=sending.mid, error=type(error).__name__)  # noqa: TRY400
        return Answer(Phase.ATTEMPT, None, None, None, None, "the channel broke")


def _head(sent: Outgoing, answer: Answer) -> bytes | None:
    """What is kept of the head as it was signed, and of the answer's; None when nothing left us."""
    if not answer.sent:
        return None
    head = http.head_of("POST", sent.url, sent.headers)
    return heads.keep(head._replace(status=answer.status, answer=answer.head))


def _heard(answer: Answer, receipt: Receipt | None) -> Heard:
    """The answer as judging wants it: the receipt only if it is verified."""
    return Heard(
        phase=Phase(answer.phase),
        http_status=answer.status,
        receipt=receipt,
        result=Result(answer.result) if answer.result else None,
        retry_after=int(answer.retry_after) if answer.retry_after is not None else None,
        page=_is_page(answer),
    )


def _is_page(answer: Answer) -> bool:
    """Whether its head says that it is a page for people."""
    said = dict(answer.head).get("content-type") or ""
    return said.partition(";")[0].strip().lower() in PAGES


def _receipt(world: World, claim: Claim, answer: Answer, now: datetime) -> Receipt | None:
    """The receipt, if it is one; why it is none, a line says. Raises StoreUnavailable when no key can be looked up."""
    if answer.receipt_jws is None:
        return None
    message = claim.message
    try:
        return receipts.check(
            answer.receipt_jws,
            keys=world.keys(message.partner),
            expected_mid=message.mid,
            sent_jws=message.jws,
            received=now,
        )
    except SealRefused as refusal:
        log.warning("receipt.doubted", partner=message.partner, mid=message.mid, code=refusal.code)
        return None
