"""Judging answers: only a signature decides about a message; everything else is weather."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.judge import (
    RULES,
    Answer,
    ErrorClass,
    Judgement,
    Kind,
    Line,
    Phase,
    Result,
    SignedReceipt,
    judge,
)
from gateway.sealing.receipts import Decision
from tests.unit.sealing.build import receipt_of, sealed


class Signed(NamedTuple):
    """A verified receipt, as small as judging needs it."""

    decision: str
    code: str | None = None


ACCEPTED, DUPLICATE, REJECTED = Signed("accepted"), Signed("duplicate"), Signed("rejected", "DOC-SCHEMA")


def judged(**answer: Any) -> Judgement:
    return judge(Answer(**{"phase": Phase.AFTER, **answer}))


K, E, L = Kind, ErrorClass, Line
TABLE: list[tuple[dict[str, Any], Kind, ErrorClass | None, Line]] = [
    # the answer, what becomes of the message, why it is not across, the line
    ({"phase": Phase.BEFORE}, K.RETRY, E.NOT_BEGUN, L.UNTOUCHED),
    ({"phase": Phase.ATTEMPT}, K.RETRY, E.UNREACHABLE, L.FAILING),
    ({"http_status": 200, "receipt": ACCEPTED, "result": Result.OK}, K.DELIVERED, None, L.WELL),
    ({"http_status": 202, "receipt": ACCEPTED}, K.DELIVERED, None, L.WELL),
    ({"http_status": 200, "receipt": DUPLICATE, "result": Result.DUPLICATE}, K.DELIVERED, None, L.WELL),
    ({"http_status": 409, "receipt": DUPLICATE}, K.DELIVERED, None, L.WELL),
    ({"http_status": 500, "receipt": ACCEPTED}, K.DELIVERED, None, L.WELL),
    ({"http_status": 200, "receipt": ACCEPTED, "result": Result.PERMANENT}, K.DELIVERED, None, L.WELL),
    ({"http_status": 400, "receipt": REJECTED}, K.BLOCKED, E.REJECTED, L.WELL),
    ({"http_status": 403, "receipt": REJECTED}, K.BLOCKED, E.REJECTED, L.WELL),
    ({"http_status": 409, "receipt": REJECTED}, K.BLOCKED, E.REJECTED, L.WELL),
    ({"http_status": 413, "receipt": REJECTED}, K.BLOCKED, E.REJECTED, L.WELL),
    ({"http_status": 422, "receipt": REJECTED}, K.BLOCKED, E.REJECTED, L.WELL),
    ({"http_status": 200, "receipt": REJECTED, "result": Result.PERMANENT}, K.BLOCKED, E.REJECTED, L.WELL),
    ({"http_status": 200}, K.RETRY, E.NO_RECEIPT, L.FAILING),
    ({"http_status": 200, "result": Result.OK}, K.RETRY, E.NO_RECEIPT, L.FAILING),
    ({"http_status": 200, "result": Result.DUPLICATE}, K.RETRY, E.NO_RECEIPT, L.FAILING),
    ({"http_status": 204}, K.RETRY, E.NO_RECEIPT, L.FAILING),
    ({"http_status": 200, "receipt": Signed("maybe")}, K.RETRY, E.NO_RECEIPT, L.FAILING),
    ({"http_status": 200, "page": True}, K.RETRY, E.NOT_THE_PARTNER, L.FAILING),
    ({"http_status": 404, "page": True}, K.RETRY, E.NOT_THE_PARTNER, L.FAILING),
    ({"http_status": 200, "result": Result.RETRY}, K.RETRY, E.LATER, L.FAILING),
    ({"http_status": 200, "result": Result.PERMANENT}, K.RETRY, E.UNSIGNED_REFUSAL, L.FAILING),
    ({"http_status": 302}, K.RETRY, E.NOT_THE_PARTNER, L.FAILING),
    ({"http_status": 400}, K.RETRY, E.UNSIGNED_REFUSAL, L.FAILING),
    ({"http_status": 404}, K.RETRY, E.UNSIGNED_REFUSAL, L.FAILING),
    ({"http_status": 409}, K.RETRY, E.UNSIGNED_REFUSAL, L.FAILING),
    ({"http_status": 413}, K.RETRY, E.UNSIGNED_REFUSAL, L.FAILING),
    ({"http_status": 422}, K.RETRY, E.UNSIGNED_REFUSAL, L.FAILING),
    ({"http_status": 422, "result": Result.PERMANENT}, K.RETRY, E.UNSIGNED_REFUSAL, L.FAILING),
    ({"http_status": 401}, K.RETRY, E.NOT_BELIEVED, L.OPEN),
    ({"http_status": 403}, K.RETRY, E.NOT_BELIEVED, L.OPEN),
    ({"http_status": 403, "page": True}, K.RETRY, E.NOT_BELIEVED, L.OPEN),
    ({"http_status": 410}, K.SUSPEND, E.GONE, L.OPEN),
    ({"http_status": 408}, K.RETRY, E.TIMEOUT, L.FAILING),
    ({"http_status": 425}, K.RETRY, E.THROTTLED, L.FAILING),
    ({"http_status": 429}, K.RETRY, E.THROTTLED, L.FAILING),
    ({"http_status": 500}, K.RETRY, E.SERVER, L.FAILING),
    ({"http_status": 502, "page": True}, K.RETRY, E.SERVER, L.FAILING),
    ({"http_status": 503}, K.RETRY, E.SERVER, L.FAILING),
    ({"http_status": 504}, K.RETRY, E.SERVER, L.FAILING),
    ({"http_status": 101}, K.RETRY, E.NO_RECEIPT, L.FAILING),
    ({"http_status": 999}, K.RETRY, E.NO_RECEIPT, L.FAILING),
    ({}, K.RETRY, E.NO_RECEIPT, L.FAILING),
]


@pytest.mark.parametrize(("answer", "kind", "error_class", "line"), TABLE)
def test_an_answer_means(answer: dict[str, Any], kind: Kind, error_class: ErrorClass | None, line: Line) -> None:
    judgement = judged(**answer)
    assert (judgement.kind, judgement.error_class, judgement.line) == (kind, error_class, line)


def test_the_table_reaches_every_rule_every_class_and_every_line() -> None:
    reached = [judged(**answer) for answer, *_ in TABLE]
    assert {judgement.rule for judgement in reached} == {rule.says for rule in RULES}
    assert {judgement.error_class for judgement in reached} == {None, *ErrorClass}
    assert {judgement.line for judgement in reached} == set(Line)
    assert {judgement.kind for judgement in reached} == set(Kind)


def test_a_receipt_of_the_sealing_room_is_a_receipt_here() -> None:
    jws = sealed()
    for decision, kind in (("accepted", K.DELIVERED), ("duplicate", K.DELIVERED), ("rejected", K.BLOCKED)):
        receipt: SignedReceipt = receipt_of(jws, decision=Decision(decision), code="DOC-SCHEMA")
        assert judged(http_status=200, receipt=receipt).kind is kind


def test_a_signed_rejection_is_never_tried_again_and_says_why() -> None:
    judgement = judged(http_status=422, receipt=REJECTED, retry_after=5)
    assert (judgement.kind, judgement.code, judgement.retry_after) == (Kind.BLOCKED, "DOC-SCHEMA", None)


@pytest.mark.parametrize("status", [429, 503, 401, 200])
def test_what_the_partner_asks_for_is_passed_on(status: int) -> None:
    assert judged(http_status=status, retry_after=120).retry_after == 120


answers = st.builds(
    Answer,
    phase=st.sampled_from(Phase),
    http_status=st.none() | st.integers(100, 599),
    receipt=st.none() | st.sampled_from([ACCEPTED, DUPLICATE, REJECTED]),
    result=st.none() | st.sampled_from(Result),
    retry_after=st.none() | st.integers(0, 10_000),
    page=st.booleans(),
)


@given(answers)
def test_without_a_signature_nothing_is_delivered_and_nothing_blocked(answer: Answer) -> None:
    judgement = judge(answer)
    answered = answer.phase is Phase.AFTER and answer.receipt is not None
    assert (judgement.kind in {Kind.DELIVERED, Kind.BLOCKED}) == answered
    assert (judgement.error_class is None) == (judgement.kind is Kind.DELIVERED)
    assert judgement.phase is answer.phase
    assert judgement.retry_after is None or judgement.kind is Kind.RETRY
