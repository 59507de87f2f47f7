"""What a partner's answer means: for the message (is it across?) and for the line (is the partner well?).

Rules, in the order of the table below; the first that fits decides:

* only the partner's signed receipt decides about the message: accepted or duplicate delivers it, rejected blocks it,
  and nothing is tried again
* a receipt outranks the status that carried it: any proxy can write a status, only the partner can sign
* everything unsigned is technical: the message is tried again. Unsigned 4xx too, for a proxy may have said it
* 401 and 403 mean that our key or certificate is not believed: the line opens at once, for a person to look
* 410 means that the partner has gone: it is suspended

This module refuses to talk to anybody: an adapter describes the answer in neutral words, whatever the partner's
dialect ("rsltCd", "결과"), and hands over a receipt only if it is verified.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol


class Phase(StrEnum):
    """How far an attempt came."""

    BEFORE = "before"  # it could not begin: no key, egress refused, no endpoint
    ATTEMPT = "attempt"  # no answer: name, connection, TLS, timeout, broken off
    AFTER = "after"  # the partner, or somebody in between, answered


class Result(StrEnum):
    """What the partner's own dialect says, unsigned."""

    OK = "ok"
    DUPLICATE = "duplicate"
    PERMANENT = "permanent"  # do not send this again
    RETRY = "retry"  # send it later


class SignedReceipt(Protocol):
    """A verified receipt, as far as judging needs it (`gateway.sealing.receipts.Receipt` is one)."""

    @property
    def decision(self) -> str:
        """accepted | duplicate | rejected"""

    @property
    def code(self) -> str | None:
        """Why rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An attempt's end in neutral words. An adapter builds it; `receipt` is None unless verified."""

    phase: Phase
    http_status: int | None = None
    receipt: SignedReceipt | None = None
    result: Result | None = None
    retry_after: int | None = None  # seconds
    page: bool = False  # a page for people (HTML): of a login, an error, a firewall


class Kind(StrEnum):
    """What becomes of the message."""

    DELIVERED = "delivered"  # it is across
    RETRY = "retry"  # it is tried again by schedule
    BLOCKED = "blocked"  # it is never tried again by itself; a person decides
    SUSPEND = "suspend"  # it waits, and so does everything else for this partner


class Line(StrEnum):
    """What the answer says about the partner's line; the breaker counts it."""

    WELL = "well"  # the partner answered in person
    FAILING = "failing"  # one more technical failure
    OPEN = "open"  # open the breaker at once and call a person
    UNTOUCHED = "untouched"  # our own side failed; it says nothing about the partner


class ErrorClass(StrEnum):
    """Why a message is not across, for the outbox row, the retry statistics and the alarms."""

    NOT_BEGUN = "not-begun"  # the attempt could not begin
    UNREACHABLE = "unreachable"  # no answer
    REJECTED = "rejected"  # the partner's signed no
    GONE = "gone"  # 410
    NOT_BELIEVED = "not-believed"  # 401, 403
    TIMEOUT = "timeout"  # 408
    THROTTLED = "throttled"  # 425, 429
    SERVER = "server"  # 5xx
    LATER = "later"  # the partner's dialect asks for another time
    NOT_THE_PARTNER = "not-the-partner"  # an HTML page, or a redirection
    UNSIGNED_REFUSAL = "unsigned-refusal"  # other 4xx, or a permanent error of the dialect, without a receipt
    NO_RECEIPT = "no-receipt"  # 2xx without a valid receipt


class Judgement(NamedTuple):
    """What follows from an answer, and by which rule."""

    kind: Kind
    error_class: ErrorClass | None
    retry_after: int | None  # seconds, as the partner asked; None if he did not or if nothing is tried again
    line: Line
    phase: Phase
    code: str | None  # of the signed rejection
    rule: str  # the sentence of the rule that decided


class _Rule(NamedTuple):
    says: str
    fits: Callable[[Answer], bool]
    kind: Kind
    error_class: ErrorClass | None
    line: Line


def _decided(*decisions: str) -> Callable[[Answer], bool]:
    return lambda answer: answer.receipt is not None and answer.receipt.decision in decisions


def _phase(phase: Phase) -> Callable[[Answer], bool]:
    return lambda answer: answer.phase is phase


def _status(*statuses: int) -> Callable[[Answer], bool]:
    return lambda answer: answer.http_status in statuses


def _between(low: int, high: int) -> Callable[[Answer], bool]:
    return lambda answer: answer.http_status is not None and low <= answer.http_status <= high


def _page(answer: Answer) -> bool:
    return answer.page


def _result(result: Result) -> Callable[[Answer], bool]:
    return lambda answer: answer.result is result


_E = ErrorClass
RULES = (
    # the sentence, when it fits, and what follows for the message and for the line
    _Rule("the attempt could not begin", _phase(Phase.BEFORE), Kind.RETRY, _E.NOT_BEGUN, Line.UNTOUCHED),
    _Rule("there was no answer", _phase(Phase.ATTEMPT), Kind.RETRY, _E.UNREACHABLE, Line.FAILING),
    _Rule("the partner signed for it", _decided("accepted", "duplicate"), Kind.DELIVERED, None, Line.WELL),
    _Rule("the partner signed a rejection", _decided("rejected"), Kind.BLOCKED, _E.REJECTED, Line.WELL),
    _Rule("the partner has gone", _status(410), Kind.SUSPEND, _E.GONE, Line.OPEN),
    _Rule("we are not believed", _status(401, 403), Kind.RETRY, _E.NOT_BELIEVED, Line.OPEN),
    _Rule("the request took too long", _status(408), Kind.RETRY, _E.TIMEOUT, Line.FAILING),
    _Rule("we send too much or too early", _status(425, 429), Kind.RETRY, _E.THROTTLED, Line.FAILING),
    _Rule("the partner's server failed", _between(500, 599), Kind.RETRY, _E.SERVER, Line.FAILING),
    _Rule("a page for people is no answer", _page, Kind.RETRY, _E.NOT_THE_PARTNER, Line.FAILING),
    _Rule("a redirection is not followed", _between(300, 399), Kind.RETRY, _E.NOT_THE_PARTNER, Line.FAILING),
    _Rule("refused, but not signed", _between(400, 499), Kind.RETRY, _E.UNSIGNED_REFUSAL, Line.FAILING),
    _Rule("refused in words, not signed", _result(Result.PERMANENT), Kind.RETRY, _E.UNSIGNED_REFUSAL, Line.FAILING),
    _Rule("asked to come later", _result(Result.RETRY), Kind.RETRY, _E.LATER, Line.FAILING),
    _Rule("no valid receipt", lambda answer: True, Kind.RETRY, _E.NO_RECEIPT, Line.FAILING),
)


def judge(answer: Answer) -> Judgement:
    """Return what `answer` means, by the first of `RULES` that fits. Total: every answer has a judgement."""
    rule = next(rule for rule in RULES if rule.fits(answer))
    again = rule.kind is Kind.RETRY
    return Judgement(
        kind=rule.kind,
        error_class=rule.error_class,
        retry_after=answer.retry_after if again else None,
        line=rule.line,
        phase=answer.phase,
        code=answer.receipt.code if rule.kind is Kind.BLOCKED and answer.receipt else None,
        rule=rule.says,
    )
