"""Deliver: bring waiting messages to one partner, prove it, and never send what may no longer be sent.

Rules: SQL alone remembers; a message is leased before it is tried and finished only by who still holds the fence; order
is kept per (partner, case); consent and legal basis are asked again at the moment of sending; a message is delivered
when the partner's signed receipt is verified and stored, not earlier; a partner that cannot take anything is left alone
(`gateway.delivery.breaker`), and so is one outside its service hours (`gateway.delivery.hours`): its messages wait
without using up attempts; a message that kills whoever tries it is given up, and takes nobody with it: suspects are
tried alone.
Refuses to change a message: the bytes and the manifest are those of the first attempt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import NamedTuple

from gateway.delivery import breaker
from gateway.delivery.breaker import Breaker, Tally
from gateway.delivery.judge import Answer as Heard
from gateway.delivery.judge import Judgement, Kind, Line, Phase, Result, judge
from gateway.documents.strict_json import reread
from gateway.errors import ClocksApart, IllegalMove, PermissionRefused, PoisonMessage, SealRefused
from gateway.exchange_log.audit import AuditEvent
from gateway.journey.disclose import permission_now
from gateway.journey.legs import moved
from gateway.journey.withdraw import OTHER, WITHDRAWN, call_back
from gateway.journey.world import World
from gateway.ports import (
    Answer,
    AttemptRow,
    CaseRow,
    Claim,
    Finish,
    LegRow,
    MessageRow,
    Outgoing,
    ReceiptRow,
    Unit,
    WorkItem,
)
from gateway.referrals.lifecycle import Act, Party
from gateway.referrals.needs import Given
from gateway.referrals.states import State
from gateway.sealing import heads, http, receipts
from gateway.sealing.keys import SigningKey
from gateway.sealing.receipts import Receipt

PURPOSE = "vocational-rehab"
SUSPENDED_S = 3600
"""A partner that says it has gone (410) is asked again no sooner than this."""
QUEUEING = "queueing"
"""The work item that stands while messages to a partner queue because its line is shut."""
LAST_CHANCE = "last-chance"
"""The act of trying a message once more that will be given up if this attempt dies too; one at a time anywhere."""
NEEDS_PERMISSION = frozenset({"referral.created", "referral.changed"})
"""Message types that carry personal data beyond ids; a cancellation or withdrawal must leave even without consent."""


_WRITTEN = {"ready": "delivery.retried", "dead": "delivery.buried"}


class Tried(NamedTuple):
    """One attempt and what it meant. `refused` is our own rule's code when nothing was sent; `head` is kept of it."""

    claim: Claim
    answer: Answer | None
    receipt: Receipt | None
    judgement: Judgement | None
    refused: str | None
    began_at: datetime
    ended_at: datetime
    head: bytes | None = None


def deliver(world: World, partner: str, worker: str) -> int:
    """Try one batch for one partner; returns how many messages were tried."""
    # 0 while too few witnesses keep the log, and outside the partner's service hours, nothing is tried
    # 1 lease due messages, head of line per case; a single one as a probe when the line is open and a probe is due
    # 2 ask permission again, now; what may not leave is blocked, and what killed whoever tried it is dead
    # 3 try the rest side by side: sign the attempt, send, verify the receipt, judge the answer
    # 4 commit what became of each: delivery, attempt, receipt, the leg's state, the line, one event per message
    if world.unseen():
        return 0  # 0
    key = world.signing_key  # nothing is leased that we could not sign
    with ExitStack() as while_tried:
        asked_at = world.clock.now()
        if (opens_at := world.know.opens_at(partner, asked_at)) > asked_at:
            return _postpone(world, partner, opens_at)  # 0
        with world.store.unit(partner) as unit:
            claims = unit.outbox.claim(partner, worker, world.limits.deliver_batch, world.limits.lease_s)  # 1
            if not claims:
                return 0
            _require_same_time(world, asked_at, claims[0])
            cases = unit.cases.look(sorted({c.message.case_no for c in claims if c.message.case_no}))
            legs = unit.legs.many(sorted({c.message.ref_no for c in claims if c.message.ref_no}))
            if claims[0].probe and not unit.lines.probe(partner, world.limits.lease_s):
                return 0  # somebody else is probing
            if _last_chance(world, claims[0]) and not while_tried.enter_context(world.store.alone(LAST_CHANCE)):
                return 0  # somebody else's message has its last chance: neither shall die of the other
            leased = world.event("delivery.leased", PURPOSE, partner=partner, counts={"messages": len(claims)})
            unit.commit(leased)
        world.reached("outbox.claimed")
        refused = [t for c in claims if (t := _poison(world, c) or _refusal(world, c, cases, legs))]  # 2
        blocked = {t.claim.message.mid for t in refused}
        spare = world.limits.lease_s - world.limits.attempt_timeout_s  # half to begin attempts in, half to commit them
        give_up_at = world.clock.now() + timedelta(seconds=spare / 2)
        waiting = [c for c in claims if c.message.mid not in blocked]
        tried = [
            t for t in world.attempts(partner).map(lambda c: _attempt(world, c, key, give_up_at), waiting) if t
        ]  # 3
        _finish(world, claims, [*refused, *tried], _untried(waiting, tried))  # 4
        return len(refused) + len(tried)


# ── service hours ────────────────────────────────────────────────────────────────────────────────────────────────────
def _postpone(world: World, partner: str, until: datetime) -> int:
    """A closed partner is not tried, and nobody need ask why its messages wait. Returns 0: nothing was tried."""
    with world.store.unit(partner) as unit:
        if moved := unit.outbox.postpone(partner, until):
            unit.commit(world.event("delivery.postponed", PURPOSE, partner=partner, counts={"messages": moved}))
    return 0


# ── may it be tried? ─────────────────────────────────────────────────────────────────────────────────────────────────
def _require_same_time(world: World, asked_at: datetime, claim: Claim) -> None:
    """A signature dated by a clock that is wrong is refused over there, and what it says of the time is not true."""
    allowed = world.limits.clocks_apart_s
    leased_at = claim.leased_at or asked_at
    if (asked_at - leased_at).total_seconds() > allowed or (leased_at - world.clock.now()).total_seconds() > allowed:
        raise ClocksApart


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
def _refusal(world: World, claim: Claim, cases: Mapping[str, CaseRow], legs: Mapping[str, LegRow]) -> Tried | None:
    """Ask at the moment of sending (PIPA 17, 23; R-08). A case or a leg that is gone is refused as well."""
    if claim.message.type not in NEEDS_PERMISSION:
        return None
    now, leg = world.clock.now(), legs.get(claim.message.ref_no or "")
    gone = leg is None or (State.read(leg.state).terminal and not _known_there(claim, leg))
    code = "E-STALE" if gone else _reason_not_to_send(world, claim, cases.get(claim.message.case_no or ""))
    return Tried(claim, None, None, None, code, now, now) if code else None


def _known_there(claim: Claim, leg: LegRow) -> bool:
    """A partner that has spoken of a referral has it; only its receipt was lost, and repeating it discloses nothing."""
    return claim.message.type == "referral.created" and leg.in_seq > 0


def _reason_not_to_send(world: World, claim: Claim, case: CaseRow | None) -> str | None:
    if case is None or case.status != "live" or case.record is None:
        return "E-STALE"
    record = reread(case.record)
    if "deceasedDate" in record:
        return "E-LB"
    try:
        permission = permission_now(world, case, record, claim.message.partner)
    except PermissionRefused as refusal:
        return refusal.code
    return None if permission.fields.issuperset(claim.message.fields) else "E-CONSENT"


# ── one attempt ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _attempt(world: World, claim: Claim, key: SigningKey, give_up_at: datetime) -> Tried | None:
    """Sign, send, verify, judge. None when the lease would not outlast the attempt, or when we are asked to stop."""
    began_at = world.clock.now()
    if began_at > give_up_at or world.stopping():
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
    answer = world.channels[message.partner].send(sending)
    ended_at = world.clock.now()
    world.reached("attempt.answered")
    receipt = _receipt(world, claim, answer, ended_at)
    judgement = judge(_heard(answer, receipt))
    world.reached("attempt.judged")
    return Tried(claim, answer, receipt, judgement, None, began_at, ended_at, _head(sending, answer))


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
    )


def _receipt(world: World, claim: Claim, answer: Answer, now: datetime) -> Receipt | None:
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
    except SealRefused:
        return None


# ── what became of it ────────────────────────────────────────────────────────────────────────────────────────────────
def _finish(world: World, claims: Sequence[Claim], all_tried: Sequence[Tried], untried: Sequence[Claim]) -> None:
    partner = claims[0].message.partner
    with world.store.unit(partner) as unit:
        finishes = [_outcome(world, t) for t in all_tried]
        _move_legs(world, unit, all_tried, finishes)  # legs before deliveries, the order in which everybody locks
        unit.outbox.release(untried)
        held = unit.outbox.finish(finishes)
        unit.add_work(
            [w for t, f in zip(all_tried, finishes, strict=True) if f.attempt.mid in held and (w := _work(t, f))]
        )
        events = [_event(world, t, f) for t, f in zip(all_tried, finishes, strict=True)]
        turned = _mind_line(world, unit, partner, all_tried) if all_tried or claims[0].probe else []
        for point in sorted({_WRITTEN.get(f.state, "delivery.written") for f in finishes}):
            world.reached(point)
        if turned:
            world.reached("line.turned")
        unit.commit(*events or [world.event("delivery.released", PURPOSE, partner=partner)], *turned)
    world.reached("delivery.committed")


def _outcome(world: World, tried: Tried) -> Finish:
    message, answer, judgement = tried.claim.message, tried.answer, tried.judgement
    attempt = AttemptRow(
        partner=message.partner,
        mid=message.mid,
        fence=tried.claim.fence,
        phase=answer.phase if answer else "before",
        http_status=answer.status if answer else None,
        result=answer.result if answer else None,
        error_class=tried.refused or (judgement.error_class if judgement else None),
        began_at=tried.began_at,
        ended_at=tried.ended_at,
        head=tried.head,
        case_no=message.case_no,
    )
    if tried.refused or judgement is None:
        return Finish(attempt, "dead" if tried.refused == PoisonMessage.code else "blocked", tried.ended_at, None)
    kept = _kept(tried)
    if judgement.kind is Kind.DELIVERED:
        return Finish(attempt, "delivered", tried.ended_at, kept)
    if judgement.kind is Kind.BLOCKED:
        return Finish(attempt, "blocked", tried.ended_at, kept)
    patience = SUSPENDED_S if judgement.kind is Kind.SUSPEND else judgement.retry_after
    attempts, first_at = tried.claim.attempts + 1, tried.claim.first_at
    next_at = world.retry.next(attempts, world.rng, tried.ended_at, since=first_at, retry_after=patience)
    return Finish(attempt, "ready" if next_at else "dead", next_at or tried.ended_at, None)


def _kept(tried: Tried) -> ReceiptRow | None:
    receipt, answer = tried.receipt, tried.answer
    if receipt is None or answer is None or answer.receipt_jws is None:
        return None
    message = tried.claim.message
    return ReceiptRow(
        message.partner, "out", message.mid, answer.receipt_jws, receipt.decision, receipt.code, tried.ended_at
    )


def _move_legs(world: World, unit: Unit, all_tried: Sequence[Tried], finishes: Sequence[Finish]) -> None:
    """A first referral that is across makes its leg requested (delivered); one that may not leave calls it back."""
    ended = {
        t.claim.message.ref_no: (t, f)
        for t, f in zip(all_tried, finishes, strict=True)
        if t.claim.message.type == "referral.created" and t.claim.message.ref_no and f.state != "ready"
    }
    rows = unit.legs.many(sorted(ref_no for ref_no in ended if ref_no))
    barred = {ref_no for ref_no, (t, f) in ended.items() if t.refused and f.state == "blocked"}
    refused = [r for ref_no, r in rows.items() if ref_no in barred and not State.read(r.state).terminal]
    seqs = dict(unit.outbox.last_seqs(sorted({row.case_no for row in refused}))) if refused else {}
    told = [_call_back(world, unit, row, ended[row.ref_no][0], seqs) for row in refused]
    unit.outbox.enqueue([message for message in told if message])
    unit.legs.save(*(m for r, row in rows.items() if ended[r][1].state == "delivered" if (m := _confirmed(world, row))))


def _confirmed(world: World, row: LegRow) -> LegRow | None:
    try:
        return moved(row, Act.CONFIRM_DELIVERY, Party.CLOCK, world.clock.now(), given=Given(receipt_verified=True))
    except IllegalMove:
        return None  # the partner's first report was faster than its receipt: nothing to move


def _call_back(
    world: World, unit: Unit, row: LegRow, tried: Tried, seqs: dict[tuple[str, str], int]
) -> MessageRow | None:
    reason = WITHDRAWN if tried.refused == "E-CONSENT" else OTHER
    return call_back(world, unit, row, reason, seqs, holding=tried.claim)


def _mind_line(world: World, unit: Unit, partner: str, all_tried: Sequence[Tried]) -> list[AuditEvent]:
    """Tell the breaker what was heard. When messages begin or cease to queue, a person is told, once."""
    row, now = unit.lines.hold(partner)
    before = Breaker(
        breaker.State(row.breaker),
        breaker.Why(row.why) if row.why else None,
        row.failures,
        row.probes,
        row.due_at,
        tuple(Tally(*t) for t in row.recent),
        row.at_once,
        row.slow_until,
    )
    heard = [t.judgement.line if t.judgement else Line.UNTOUCHED for t in all_tried]
    after = breaker.after(before, heard, now, world.patience)
    unit.lines.save(
        row._replace(
            breaker=after.state,
            why=after.why,
            failures=after.failures,
            probes=after.probes,
            due_at=after.due_at,
            recent=after.recent,
            at_once=after.at_once,
            slow_until=after.slow_until,
        )
    )
    flows = row.gate == "open"  # behind a shut gate messages queue anyway
    if before.state is breaker.State.CLOSED and after.state is breaker.State.OPEN:
        if flows:
            unit.add_work([WorkItem(QUEUEING, after.why, None, None, partner, None, world.clock.now())])
        return [world.event("line.opened", PURPOSE, partner=partner, subject=after.why)]
    if before.state is not breaker.State.CLOSED and after.state is breaker.State.CLOSED:
        if flows:
            unit.end_work(QUEUEING, partner, world.clock.now())
        return [world.event("line.closed", PURPOSE, partner=partner)]
    return []


def _work(tried: Tried, finish: Finish) -> WorkItem | None:
    if finish.state not in ("blocked", "dead"):
        return None
    message = tried.claim.message
    code = tried.refused or finish.attempt.error_class
    return WorkItem(
        f"delivery-{finish.state}", code, message.case_no, message.ref_no, message.partner, message.mid, tried.ended_at
    )


def _event(world: World, tried: Tried, finish: Finish) -> AuditEvent:
    message = tried.claim.message
    event = world.event(
        "delivery.attempted",
        PURPOSE,
        case_no=message.case_no,
        ref_no=message.ref_no,
        partner=message.partner,
        mid=message.mid,
    )
    return event if finish.state == "delivered" else event.refused(finish.attempt.error_class or finish.state)
