"""Receive: a partner's signed outcome comes in, is proven, understood, changes one leg, or is refused with a receipt.

Rules: nothing is believed before origin, freshness and integrity are proven; a message id is remembered for life; the
partner's own order is kept; facts are stored, judged elsewhere; our receipt leaves only after commit.
Refuses to guess: an outcome for somebody else's case, or one the table does not allow, changes nothing and is shown to
a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any, NamedTuple

from gateway.documents.strict_json import dumps, loads, reread
from gateway.errors import (
    ConsentWithdrawn,
    GatewayError,
    HandoverRefused,
    NotFresh,
    NotYourLeg,
    OutcomeIncomplete,
    Refused,
    SameIdOtherBytes,
    WrongAudience,
)
from gateway.exchange_log.audit import AuditEvent
from gateway.journey.legs import kept, moved, thought
from gateway.journey.translate import translate
from gateway.journey.world import OUTCOME_SCHEMA, US, World, iso
from gateway.outcomes import milestones
from gateway.outcomes.checks import Expected, check_outcome
from gateway.outcomes.milestones import Base, BaseKind
from gateway.ports import CaseRow, CheckRow, FactRow, InboxRow, LegRow, MessageRow, ReceiptRow, Unit, WorkItem
from gateway.referrals.leg import Order, order
from gateway.referrals.lifecycle import Act, Business, Party, Step
from gateway.referrals.needs import Given
from gateway.referrals.numbers import parse
from gateway.sealing import http, manifest, receipts
from gateway.sealing.manifest import Manifest
from gateway.sealing.receipts import Decision

PURPOSE = "outcome-return"


class Inbound(NamedTuple):
    """A request as it came in: `partner` from the path, `target_uri` = our public base URL + raw path."""

    partner: str
    method: str
    target_uri: str
    headers: Mapping[str, str]
    body: bytes


class Reply(NamedTuple):
    """What goes back: HTTP status, our signed receipt if the sender is proven, the refusal if there is one."""

    status: int
    receipt: str | None
    refusal: GatewayError | None


def receive(world: World, inbound: Inbound) -> Reply:
    """Take in one message from a partner."""
    # 1 the partner is known to us
    # 2 this attempt: digest, signature and freshness (RFC 9421), with keys of that partner only
    # 3 this message: manifest, signature, audience, digests of the exact bytes; the same message as the attempt's
    # 4 the nonce is used for the first time
    # 5 the message id is new; the same bytes again get the original receipt, other bytes are refused
    # 6 strict JSON, the partner's own schema, the map, the canonical schema
    # 7 it is about a leg of this partner and this worker, and the consent still stands
    # 8 its turn: older than heard is kept, not applied; too early is held; next is applied
    # 9 apply: the lifecycle's table, the facts, the retention checks; then what was held behind it
    # 10 one commit; then the receipt leaves
    try:
        letter = _prove(world, inbound)  # 1–3
        world.reached("inbound.proven")
        with world.store.unit(letter.partner) as unit:
            if not unit.inbox.use_nonce(letter.partner, letter.nonce, letter.at):  # 4
                raise NotFresh("the nonce was used before")
            world.reached("inbound.fresh")
            seen = unit.inbox.find(letter.partner, letter.manifest.mid)
            return _again(world, unit, letter, *seen) if seen else _take(world, unit, letter)  # 5–10
    except Refused as refusal:
        partner = inbound.partner if inbound.partner in world.know.profiles else None
        world.store.keep_refusal(world.event("message.received", PURPOSE, partner=partner).refused(refusal.code))
        return Reply(refusal.status, None, refusal)


# ── 1–3 proof ────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class _Letter:
    """A proven message on its way through the steps."""

    partner: str
    manifest: Manifest
    jws: str
    nonce: str
    body: bytes
    content_type: str
    at: datetime


def _prove(world: World, inbound: Inbound) -> _Letter:
    if inbound.partner not in world.know.profiles:  # 1
        raise WrongAudience("no such partner")
    now, keys = world.clock.now(), world.keys(inbound.partner)
    attempt = http.verify(inbound.method, inbound.target_uri, inbound.headers, inbound.body, keys=keys, now=now)  # 2
    sender = world.know.profiles[inbound.partner].iss
    stated = manifest.open_sealed(  # 3
        attempt.jws, {"body": inbound.body}, keys=keys, audience=US, sender=sender, received=now
    )
    if stated.mid != attempt.mid or stated.iss != attempt.owner:
        raise WrongAudience("the attempt names another message or sender than the manifest")
    content_type = stated.parts[0].cty
    return _Letter(inbound.partner, stated, attempt.jws, attempt.nonce, inbound.body, content_type, now)


# ── 5 seen before ────────────────────────────────────────────────────────────────────────────────────────────────────
def _again(world: World, unit: Unit, letter: _Letter, seen: InboxRow, receipt: ReceiptRow | None) -> Reply:
    """Same id: with the same bytes the original decision stands; with others it is refused and somebody is told."""
    event = world.event("message.repeated", PURPOSE, partner=letter.partner, mid=letter.manifest.mid)
    if seen.jws_sha256 == _digest(letter.jws):
        unit.commit(event)
        return Reply(200, receipt.jws if receipt else None, None)
    refusal = SameIdOtherBytes()
    unit.add_work([_work("message-id-reused", refusal.code, letter, None)])
    unit.commit(event.refused(refusal.code))
    return Reply(refusal.status, None, refusal)


# ── 6–10 new ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _take(world: World, unit: Unit, letter: _Letter) -> Reply:
    row: LegRow | None = None
    turn = Order.NEXT
    try:
        outcome = understand(world, letter.partner, letter.body)  # 6
        row = _whose(world, unit, letter.partner, outcome)  # 7
        turn = order(row.in_seq, outcome["seq"])  # 8
        applied = _apply(world, unit, row, outcome, letter.manifest.mid) if turn is Order.NEXT else None  # 9
    except Refused as refusal:
        return _refuse(world, unit, letter, refusal, row, turn)
    state = {Order.NEXT: "applied", Order.EARLY: "held", Order.STALE: "stale"}[turn]
    inbox_seq = unit.inbox.add(_inbox(letter, row.ref_no, outcome["seq"], state, None), _message(letter, row))
    if inbox_seq is None:  # somebody was faster with the same message
        return _again(world, unit, letter, *_seen(unit, letter))
    world.reached("inbound.remembered")
    if applied:
        _write(unit, applied)
        _follow(world, unit, applied.leg)
    receipt = _keep_receipt(world, unit, letter, Decision.ACCEPTED, inbox_seq, None)
    world.reached("inbound.written")
    unit.commit(_event(world, letter, row, state))  # 10
    world.reached("inbound.committed")
    return Reply(202 if state == "held" else 200, receipt, None)


def _seen(unit: Unit, letter: _Letter) -> tuple[InboxRow, ReceiptRow | None]:
    found = unit.inbox.find(letter.partner, letter.manifest.mid)
    if found is None:
        raise NotFresh("the same message is being taken in right now")
    return found


def understand(world: World, partner: str, body: bytes) -> dict[str, Any]:
    """A partner's bytes as a canonical outcome. Raises UnreadableJson, DocumentInvalid or MappingFailed."""
    profile = world.know.profiles[partner]
    document = loads(body)
    world.know.schemas.require(profile.schemas["outcome"], document)
    outcome = translate(world, profile.mappings["outcome"], document, now=iso(world.clock.now())).document
    world.know.schemas.require(OUTCOME_SCHEMA, outcome)
    return outcome


def _whose(world: World, unit: Unit, partner: str, outcome: Mapping[str, Any]) -> LegRow:
    """The leg it is about, locked. Raises NotYourLeg: unknown, another partner's, or another worker's."""
    row = unit.legs.get(outcome["refNo"])
    if row is None or row.partner != partner or row.person_id != outcome["partnerPersonId"]:
        raise NotYourLeg
    if row.business == "consent-withdrawn":
        raise ConsentWithdrawn
    return row


# ── 9 what a message does ────────────────────────────────────────────────────────────────────────────────────────────
class Applied(NamedTuple):
    """What one message changes; nothing is written yet."""

    leg: LegRow
    fact: FactRow
    supersedes: int | None
    checks: Sequence[CheckRow]
    flags: Sequence[WorkItem]


def _apply(world: World, unit: Unit, row: LegRow, outcome: Mapping[str, Any], mid: str) -> Applied:
    case = unit.cases.look([row.case_no]).get(row.case_no) if "employment" in outcome else None
    flags = _check(world, row, case, outcome)
    heard = thought(row).hear(outcome["seq"], _steps(outcome))
    now = world.clock.now()
    leg = kept(row, heard.leg, now)
    leg = _verified(leg, outcome, now)
    touched = "employment" in outcome or "retention" in outcome
    existing = {c.milestone: c for c in unit.facts.checks(row.ref_no)} if touched else {}
    return Applied(
        leg=leg,
        fact=_fact(world, leg, outcome, mid, now),
        supersedes=outcome.get("corrects"),
        checks=_checks(row.ref_no, outcome, existing),
        flags=[WorkItem(f"outcome-{flag}", None, row.case_no, row.ref_no, row.partner, mid, now) for flag in flags],
    )


def _check(world: World, row: LegRow, case: CaseRow | None, outcome: Mapping[str, Any]) -> Sequence[str]:
    record = reread(case.record) if case and case.record else {}
    accident = record.get("accidentDate")
    expected = Expected(
        ref_no=row.ref_no,
        partner_person_id=row.person_id,
        referred_on=parse(row.ref_no).day,
        accident_on=date.fromisoformat(accident) if accident else None,
        employer_brn=next(iter(record.get("employerBrn", ())), None),
    )
    try:
        return [str(f) for f in check_outcome(outcome, expected, by=world.know.rtw, today=world.clock.today())]
    except HandoverRefused as refusal:
        raise OutcomeIncomplete(refusal.detail, place=refusal.place) from None


def _steps(outcome: Mapping[str, Any]) -> list[Step]:
    given = Given.said_in(outcome)
    return [
        Step(Act(a["act"]), Business(a["businessStatus"]) if "businessStatus" in a else None, given)
        for a in outcome["acts"]
    ]


def _verified(leg: LegRow, outcome: Mapping[str, Any], now: datetime) -> LegRow:
    """Row 13 of the lifecycle: evidence E2 or better makes a reported placement a verified one."""
    evidence = outcome.get("evidence", "E3")
    if leg.business != "placed-reported" or evidence not in ("E1", "E2"):
        return leg
    return moved(leg, Act.VERIFY_PLACEMENT, Party.CLOCK, now, given=Given(evidence=evidence))


def _fact(world: World, leg: LegRow, outcome: Mapping[str, Any], mid: str, now: datetime) -> FactRow:
    """What is kept of a message: the canonical words and their FHIR face."""
    base = world.limits.base_url
    bundle = translate(
        world,
        "outcome-to-fhir|1.0.0",
        outcome,
        now=iso(now),
        task=f"{base}/Task/{leg.ref_no}",
        patient=f"{base}/Patient/{leg.person_id}",
        request=f"{base}/ServiceRequest/{leg.request_no}",
        status=leg.status,
        businessStatus=leg.business,
    ).document
    world.know.fhir.require(bundle)
    return FactRow(
        fact_id=world.ids(),
        ref_no=leg.ref_no,
        seq=outcome["seq"],
        mid=mid,
        happened_on=date.fromisoformat(outcome["happenedOn"]),
        content=dumps(outcome),
        evidence=outcome.get("evidence"),
        entered_in_error=False,
        superseded_by=None,
        fhir=dumps(bundle),
        at=now,
    )


def _checks(ref_no: str, outcome: Mapping[str, Any], existing: Mapping[str, CheckRow]) -> list[CheckRow]:
    """A placement opens the four retention checks; a retention report closes one; a corrected start moves them."""
    rows = dict(existing)
    start = outcome.get("employment", {}).get("start")
    placing = any(act["act"] in ("report-placement", "correct") for act in outcome["acts"])
    if start and placing:
        base = Base(BaseKind.RTW_DATE, date.fromisoformat(start))
        for check in milestones.open_checks(ref_no, base):
            if rows.get(check.span, _SCHEDULED).state in ("scheduled", "due"):
                rows[check.span] = CheckRow(ref_no, check.span, str(base.kind), base.on, check.due, "scheduled", None)
    told = outcome.get("retention")
    if told and told["milestone"] in rows:
        state = "failed" if told["result"] == "unknown" else "completed"
        rows[told["milestone"]] = rows[told["milestone"]]._replace(state=state, result=told["result"])
    return [row for span, row in rows.items() if row != existing.get(span)]


_SCHEDULED = CheckRow("", "P1M", "rtw-date", date.min, date.min, "scheduled", None)


def _write(unit: Unit, applied: Applied) -> None:
    unit.legs.save(applied.leg)
    if applied.supersedes is not None:
        unit.facts.supersede(applied.leg.ref_no, applied.supersedes, applied.fact.fact_id)
    unit.facts.add(applied.fact)
    if applied.checks:
        unit.facts.save_checks(applied.checks)
    if applied.flags:
        unit.add_work(applied.flags)


def _follow(world: World, unit: Unit, leg: LegRow) -> None:
    """Apply what was held behind this message, as far as it goes without a gap."""
    row = leg._replace(version=leg.version + 1)
    for seq, message in unit.inbox.held(row.ref_no):
        turn = order(row.in_seq, seq)
        if turn is Order.EARLY:
            return
        if turn is Order.STALE:  # another message with the same number was held as well, and came first
            unit.inbox.settle(row.partner, message.mid, "stale", None)
            continue
        row = _apply_held(world, unit, row, seq, message)
        row = row._replace(version=row.version + 1)


def _apply_held(world: World, unit: Unit, row: LegRow, seq: int, message: MessageRow) -> LegRow:
    """Apply one held message, or use its number up and show it to a person. The one that woke it must not suffer."""
    try:
        applied = _apply(world, unit, row, understand(world, row.partner, message.body), message.mid)
    except Refused as refusal:
        now = world.clock.now()
        passed = kept(row, thought(row).pass_over(seq), now)
        unit.legs.save(passed)
        unit.inbox.settle(row.partner, message.mid, "refused", refusal.code)
        ids = (row.case_no, row.ref_no, row.partner, message.mid)
        unit.add_work([WorkItem("inbound-refused", refusal.code, *ids, now)])
        return passed
    _write(unit, applied)
    unit.inbox.settle(row.partner, message.mid, "applied", None)
    return applied.leg


# ── what goes into the books ─────────────────────────────────────────────────────────────────────────────────────────
def _refuse(world: World, unit: Unit, letter: _Letter, refusal: Refused, row: LegRow | None, turn: Order) -> Reply:
    """Keep the bytes, change nothing, tell the sender with a signed receipt and a person with a work item.

    A refused message whose turn it was uses up its number, or everything behind it would wait for ever.
    """
    withdrawn = isinstance(refusal, ConsentWithdrawn)
    state = "quarantined" if withdrawn or row is None else "refused"
    seq = row.in_seq + 1 if row and turn is Order.NEXT else None
    inbox_seq = unit.inbox.add(
        _inbox(letter, row.ref_no if row else None, seq, state, refusal.code), _message(letter, row)
    )
    if inbox_seq is None:
        return _again(world, unit, letter, *_seen(unit, letter))
    if row and turn is Order.NEXT and not withdrawn:
        passed = kept(row, thought(row).pass_over(row.in_seq + 1), letter.at)
        unit.legs.save(passed)
        _follow(world, unit, passed)
    unit.add_work([_work("inbound-refused", refusal.code, letter, row)])
    receipt = _keep_receipt(world, unit, letter, Decision.REJECTED, inbox_seq, refusal.code)
    unit.commit(_event(world, letter, row, state).refused(refusal.code))
    return Reply(refusal.status, receipt, refusal)


def _inbox(letter: _Letter, ref_no: str | None, seq: int | None, state: str, code: str | None) -> InboxRow:
    return InboxRow(letter.partner, letter.manifest.mid, _digest(letter.jws), ref_no, seq, state, code, letter.at)


def _message(letter: _Letter, row: LegRow | None) -> MessageRow:
    return MessageRow(
        partner=letter.partner,
        direction="in",
        mid=letter.manifest.mid,
        type=letter.manifest.type,
        case_no=row.case_no if row else None,
        ref_no=row.ref_no if row else None,
        seq=letter.manifest.seq or 0,
        content_type=letter.content_type,
        body=letter.body,
        jws=letter.jws,
        body_sha256=sha256(letter.body).digest(),
        map_pin=None,
        map_digest=None,
        fields=(),
        fhir=None,
        at=letter.at,
    )


def _keep_receipt(
    world: World, unit: Unit, letter: _Letter, decision: Decision, inbox_seq: int, code: str | None
) -> str:
    stated = receipts.acknowledge(letter.manifest, letter.jws, decision, letter.at, inbox_seq=inbox_seq, code=code)
    jws = receipts.make(stated, world.signing_key)
    unit.inbox.keep_receipt(ReceiptRow(letter.partner, "in", letter.manifest.mid, jws, str(decision), code, letter.at))
    return jws


def _work(kind: str, code: str | None, letter: _Letter, row: LegRow | None) -> WorkItem:
    case_no, ref_no = (row.case_no, row.ref_no) if row else (None, None)
    return WorkItem(kind, code, case_no, ref_no, letter.partner, letter.manifest.mid, letter.at)


def _event(world: World, letter: _Letter, row: LegRow | None, state: str) -> AuditEvent:
    case_no, ref_no = (row.case_no, row.ref_no) if row else (None, None)
    ids = {"case_no": case_no, "ref_no": ref_no, "partner": letter.partner, "mid": letter.manifest.mid}
    return world.event("message.received", PURPOSE, subject=state, **ids)


def _digest(jws: str) -> bytes:
    return sha256(jws.encode()).digest()
