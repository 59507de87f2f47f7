"""Reply: what goes back for a proven message, and what of it goes into the books.

Rules: every new message is kept as it came, with the head of its request and the status of our answer, but of one that
holds a resident registration number only the digest (PIPA 24-2); its receipt says what was decided and promises the
leaf of the act; what was refused is shown to a person.
Refuses to decide: what became of a message is known by then (`gateway.journey.receive`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from gateway.errors import DocumentHoldsResidentNumber, GatewayError, Refused
from gateway.exchange_log.audit import AuditEvent
from gateway.journey.hearing import REFUSED_INBOUND
from gateway.journey.prove import PURPOSE, Letter
from gateway.journey.world import World
from gateway.ports import InboxRow, LegRow, MessageRow, ReceiptRow, WorkItem
from gateway.sealing import heads, receipts
from gateway.sealing.keys import SigningKey
from gateway.sealing.receipts import Decision, Promise


class Reply(NamedTuple):
    """What goes back: HTTP status, our signed receipt if the sender is proven, the refusal if there is one."""

    status: int
    receipt: str | None
    refusal: GatewayError | None


class Result(NamedTuple):
    """What becomes of one letter; `inbox_seq`: the place of a new one, whose receipt is still to be made."""

    reply: Reply
    event: AuditEvent
    work: WorkItem | None = None
    inbox_seq: int | None = None


class Judged(NamedTuple):
    """A new letter after the steps; `row` is its leg, if it has one; `seq` its place among the leg's messages."""

    letter: Letter
    row: LegRow | None
    seq: int | None
    state: str
    refusal: Refused | None = None

    @property
    def status(self) -> int:
        """The HTTP status of our answer."""
        return self.refusal.status if self.refusal else 202 if self.state == "held" else 200


def inbox_row(one: Judged) -> InboxRow:
    """What the memory against duplicates keeps."""
    ref_no, code = one.row.ref_no if one.row else None, one.refusal.code if one.refusal else None
    return InboxRow(*one.letter.id, digest(one.letter.jws), ref_no, one.seq, one.state, code, one.letter.at)


def kept(one: Judged) -> MessageRow:
    """The message with the head of its request, and with which status it is answered."""
    head, row = heads.keep(one.letter.head._replace(status=one.status)), message_row(one.letter, one.row)
    return row._replace(head=head, body=b"" if isinstance(one.refusal, DocumentHoldsResidentNumber) else row.body)


def message_row(letter: Letter, row: LegRow | None) -> MessageRow:
    """The message as it came, about a leg if it is about one."""
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


def result_of(world: World, one: Judged, inbox_seq: int) -> Result:
    """The answer, still without our receipt, the event, and for a refusal something for a person to look at."""
    letter, row, refusal = one.letter, one.row, one.refusal
    event = _event(world, letter, row, one.state)
    if refusal:
        work = work_about(REFUSED_INBOUND, refusal.code, letter, row)
        return Result(Reply(one.status, None, refusal), event.refused(refusal.code), work, inbox_seq)
    return Result(Reply(one.status, None, None), event, None, inbox_seq)


def receipts_of(
    letters: Sequence[Letter], results: Mapping[int, Result], promises: Sequence[Promise], key: SigningKey
) -> dict[int, ReceiptRow]:
    """Our receipts for those of these letters that are new, by place."""
    return {
        letter.place: _receipt(letter, result, promise, key)
        for letter, promise in zip(letters, promises, strict=True)
        if (result := results[letter.place]).inbox_seq is not None
    }


def _receipt(letter: Letter, result: Result, promise: Promise, key: SigningKey) -> ReceiptRow:
    """Our signed word on a new letter, with the promise of its leaf."""
    code = result.event.code
    decision = Decision.REJECTED if result.reply.refusal else Decision.ACCEPTED
    stated = receipts.acknowledge(
        letter.manifest, letter.jws, decision, letter.at, inbox_seq=result.inbox_seq, code=code, promise=promise
    )
    jws = receipts.make(stated, key)
    return ReceiptRow(letter.partner, "in", letter.manifest.mid, jws, str(decision), code, letter.at)


def work_about(kind: str, code: str | None, letter: Letter, row: LegRow | None) -> WorkItem:
    """Something for a person to look at."""
    case_no, ref_no = (row.case_no, row.ref_no) if row else (None, None)
    return WorkItem(kind, code, case_no, ref_no, letter.partner, letter.manifest.mid, letter.at)


def _event(world: World, letter: Letter, row: LegRow | None, state: str) -> AuditEvent:
    case_no, ref_no = (row.case_no, row.ref_no) if row else (None, None)
    ids = {"case_no": case_no, "ref_no": ref_no, "partner": letter.partner, "mid": letter.manifest.mid}
    return world.event("message.received", PURPOSE, subject=state, **ids)


def digest(jws: str) -> bytes:
    """By what the bytes of a message are known again."""
    return sha256(jws.encode()).digest()
