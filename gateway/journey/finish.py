"""Finish: what became of a batch of attempts is written, all of it in one commit.

Rules: only who still holds the fence of a message ends its attempt; a message that is across moves its leg, one that
may not leave any more calls its leg back; what is blocked or dead is shown to a person; the line hears how these
attempts went (`gateway.journey.lines`). While the database is away it is asked again, as long as the lease lasts: an
interruption costs no receipt.
Refuses to judge: what an answer means is known by then (`gateway.delivery.judge`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence, Set
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from gateway.delivery.judge import Judgement, Kind, Line
from gateway.errors import ConsentMissing, IllegalMove, PoisonMessage, StoreUnavailable
from gateway.exchange_log.audit import AuditEvent
from gateway.journey.legs import moved
from gateway.journey.lines import hear
from gateway.journey.withdraw import GONE, NO_CONSENT, UNASKED, CalledBack, Why, call_back, why
from gateway.journey.world import World
from gateway.ports import Answer, AttemptRow, CaseRow, Claim, Finish, LegRow, ReceiptRow, Unit, WorkItem
from gateway.referrals.lifecycle import Act, Party
from gateway.referrals.needs import Given
from gateway.referrals.states import State
from gateway.sealing.receipts import Receipt

PURPOSE = "vocational-rehab"
SUSPENDED_S = 3600
"""A message that was answered 410 is tried again no sooner than this; the line may be probed with another one."""
AGAIN_S, LONGEST_S = 0.1, 1.0
"""A database that is away is asked again after this, then after twice as long each time."""
Done = TypeVar("Done")
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


def patiently(world: World, until: datetime, act: Callable[[], Done]) -> Done:
    """Do what needs the database, again and again while it is away, until then. Raises StoreUnavailable."""
    wait_s = AGAIN_S
    while True:
        try:
            return act()
        except StoreUnavailable:
            if world.clock.now() + timedelta(seconds=wait_s) > until:
                raise
        world.pause(wait_s)
        wait_s = min(2 * wait_s, LONGEST_S)


def finish(
    world: World, claims: Sequence[Claim], all_tried: Sequence[Tried], untried: Sequence[Claim], until: datetime
) -> None:
    """Write what became of these claims: those that were tried, and the `untried`, which are given back.

    Tries it `until` then, while the database is away; raises StoreUnavailable.
    """
    again = itertools.count()
    patiently(world, until, lambda: _write(world, claims, all_tried, untried, again=next(again) > 0))
    world.reached("delivery.committed")


def _write(
    world: World, claims: Sequence[Claim], all_tried: Sequence[Tried], untried: Sequence[Claim], *, again: bool
) -> None:
    partner = claims[0].message.partner
    with world.store.unit(partner) as unit:
        if again and _written(unit, all_tried):
            return  # the connection broke after the commit
        finishes = [_outcome(world, t) for t in all_tried]
        legs = _legs(unit, all_tried, finishes)  # before deliveries, the order in which everybody locks
        unit.outbox.release(untried)
        held = unit.outbox.finish(finishes)
        called_back = _move_legs(world, unit, legs, held)
        unit.add_work(
            [w for t, f in zip(all_tried, finishes, strict=True) if f.attempt.mid in held and (w := _work(t, f))]
        )
        events = [_event(world, t, f) for t, f in zip(all_tried, finishes, strict=True)]
        told = [t for t in all_tried if t.claim.message.mid in held]  # what came too late is another's to tell
        results = [t.judgement.line if t.judgement else Line.UNTOUCHED for t in told]
        turned = hear(world, unit, partner, results) if told or (claims[0].probe and not all_tried) else []
        for point in sorted({_WRITTEN.get(f.state, "delivery.written") for f in finishes}):
            world.reached(point)
        if turned:
            world.reached("line.turned")
        events = events or [world.event("delivery.released", PURPOSE, partner=partner)]
        unit.commit(*events, *(one.act for one in called_back), *turned)


def _written(unit: Unit, all_tried: Sequence[Tried]) -> bool:
    return any(a.fence == t.claim.fence for t in all_tried[:1] for a in unit.outbox.attempts(t.claim.message.mid))


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


class _Ended(NamedTuple):
    """A leg, locked, whose first referral is not tried again by itself, and how that came."""

    leg: LegRow
    tried: Tried
    finish: Finish


def _legs(unit: Unit, all_tried: Sequence[Tried], finishes: Sequence[Finish]) -> list[_Ended]:
    ended = {
        t.claim.message.ref_no: (t, f)
        for t, f in zip(all_tried, finishes, strict=True)
        if t.claim.message.type == "referral.created" and t.claim.message.ref_no and f.state != "ready"
    }
    rows = unit.legs.many(sorted(ref_no for ref_no in ended if ref_no))
    return [_Ended(row, *ended[ref_no]) for ref_no, row in rows.items()]


def _move_legs(world: World, unit: Unit, legs: Sequence[_Ended], held: Set[str]) -> list[CalledBack]:
    """A first referral that is across makes its leg requested (delivered); one that may not leave calls it back.

    Only for who held its fence: another may have brought across meanwhile what may not leave from here.
    """
    barred = [e for e in legs if e.tried.refused and e.finish.state == "blocked" and e.finish.attempt.mid in held]
    refused = [e for e in barred if not State.read(e.leg.state).terminal]
    seqs = dict(unit.outbox.last_seqs(sorted({e.leg.case_no for e in refused}))) if refused else {}
    cases = unit.cases.look(sorted({e.leg.case_no for e in refused})) if refused else {}
    called_back = [
        call_back(world, unit, e.leg, _reason(world, cases.get(e.leg.case_no), e), seqs, holding=e.tried.claim)
        for e in refused
    ]
    unit.outbox.enqueue([one.message for one in called_back if one.message])
    unit.legs.mark_recalled({e.leg.ref_no: cases[no].revision for e in refused if (no := e.leg.case_no) in cases})
    unit.legs.save(*(row for e in legs if e.finish.state == "delivered" if (row := _confirmed(world, e.leg))))
    return called_back


def _confirmed(world: World, row: LegRow) -> LegRow | None:
    try:
        return moved(row, Act.CONFIRM_DELIVERY, Party.CLOCK, world.clock.now(), given=Given(receipt_verified=True))
    except IllegalMove:
        return None  # the partner's first report was faster than its receipt: nothing to move


def _reason(world: World, case: CaseRow | None, ended: _Ended) -> Why:
    """The same that the walk would say, but that a consent which covers less than was sealed is one withdrawn."""
    reason = why(world, case, ended.leg) if case else GONE
    return NO_CONSENT if reason is UNASKED and ended.tried.refused == ConsentMissing.code else reason


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
