"""Receipts: whose word it is, and that it is about this message and no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from gateway.errors import (
    DigestMismatch,
    KeyRefused,
    ManifestInvalid,
    NotFresh,
    SealRefused,
    SignatureInvalid,
    WrongAudience,
)
from gateway.sealing.manifest import TYP as MESSAGE_TYP
from gateway.sealing.receipts import TYP, Decision, PartDigest, Promise, Receipt, check, make, promised
from tests.unit.sealing.build import MID, NOW, forged, key_of, receipt_of, record_of, ring, sealed, stated

SENT = sealed()


def receipt(**changes: Any) -> str:
    return make(receipt_of(SENT, **changes), key_of("kead"))


def checked(jws: str, **changes: Any) -> Receipt:
    arguments = {"keys": ring(), "expected_mid": MID, "sent_jws": SENT, "received": NOW, **changes}
    return check(jws, **arguments)


def restated(**changes: Any) -> str:
    members = {**stated(receipt()), **changes}
    payload = orjson.dumps({name: value for name, value in members.items() if value is not ...})
    return forged(payload, {"alg": "ES256", "kid": key_of("kead").kid, "typ": TYP}, key_of("kead"))


@pytest.mark.rule("R-25")
@pytest.mark.parametrize(
    ("decision", "code", "inbox_seq"),
    [
        (Decision.ACCEPTED, None, 41),
        (Decision.ACCEPTED, "0000", 0),
        (Decision.DUPLICATE, None, 41),
        (Decision.REJECTED, "DOC-SCHEMA", None),
        (Decision.REJECTED, "9001", 42),
    ],
)
def test_a_receipt_says_what_the_receiver_did(decision: Decision, code: str | None, inbox_seq: int | None) -> None:
    found = checked(receipt(decision=decision, code=code, inbox_seq=inbox_seq))
    assert (found.decision, found.code, found.inbox_seq) == (decision, code, inbox_seq)
    assert found.made_at == NOW
    assert (found.iss, found.aud) == ("kead", "comwel")


def test_the_payload_is_as_the_partner_guide_shows_it() -> None:
    assert list(stated(receipt())) == [
        *("mid", "mjws_s256", "parts", "decision", "code", "inbox_seq", "at", "iss", "aud"),
    ]
    assert list(stated(receipt())["parts"][0]) == ["name", "s256"]


PROMISE = Promise("gateway.example/xlog", "A" * 43, "KEAD", 4127, "2026-11-23T14:02:11.302Z")


def test_a_receipt_may_promise_a_leaf_of_a_log_and_one_that_does_not_looks_as_before() -> None:
    jws = receipt(promise=PROMISE)
    assert (checked(jws).promise, promised(jws)) == (PROMISE, PROMISE)
    assert stated(jws)["promise"] == PROMISE._asdict()
    assert (checked(receipt()).promise, "promise" in stated(receipt())) == (None, False)


BAD_PROMISES = [
    *({name: ...} for name in Promise._fields),
    *({name: None} for name in Promise._fields),
    {"leaf": "A" * 42},
    {"log": "gateway.example/xlog+7"},
    {"log": "two words"},
    {"seq": 0},
    {"at": "2026-11-23T14:02:11Z"},
    {"more": "than that"},
]


@pytest.mark.parametrize("changes", BAD_PROMISES, ids=lambda changes: str(changes)[:40])
def test_a_promise_that_states_anything_else_is_refused(changes: dict[str, Any]) -> None:
    members = {name: value for name, value in {**PROMISE._asdict(), **changes}.items() if value is not ...}
    for promise in (members, [members], None, "x"):
        with pytest.raises(ManifestInvalid) as refused:
            checked(restated(promise=promise))
        assert str(refused.value.place).startswith("/promise")


OTHER = sealed()  # the same manifest, sealed again: another message as far as evidence goes
STEPS = [
    (1, ManifestInvalid, lambda: checked("")),
    (1, ManifestInvalid, lambda: checked(SENT)),
    (1, ManifestInvalid, lambda: checked(receipt() + "=")),
    (2, ManifestInvalid, lambda: checked(restated(extra=1))),
    (2, ManifestInvalid, lambda: checked(restated(code="x", decision="rejected", parts=[]))),
    (3, NotFresh, lambda: checked(receipt(), received=NOW - timedelta(seconds=61))),
    (4, KeyRefused, lambda: checked(receipt(), keys=ring(record_of("comwel")))),
    (4, KeyRefused, lambda: checked(receipt(), keys=ring(record_of("kead", revoked_at=NOW)))),
    (4, KeyRefused, lambda: checked(receipt(), keys=ring(record_of("kead", not_before=NOW + timedelta(seconds=1))))),
    (5, SignatureInvalid, lambda: checked(receipt(), keys=ring(replace(record_of("keis"), kid=key_of("kead").kid)))),
    (6, WrongAudience, lambda: checked(make(receipt_of(SENT, iss="keis"), key_of("keis")))),
    (6, WrongAudience, lambda: checked(make(receipt_of(SENT), key_of("keis")))),
    (6, WrongAudience, lambda: checked(make(receipt_of(SENT, iss="keis"), key_of("kead")))),
    (6, WrongAudience, lambda: checked(receipt(aud="keis"))),
    (6, WrongAudience, lambda: checked(make(receipt_of(SENT, iss="comwel", aud="kead"), key_of("comwel")))),
    (7, DigestMismatch, lambda: checked(receipt(mid=MID.replace("0", "1")))),
    (7, DigestMismatch, lambda: checked(receipt(), expected_mid=MID.replace("0", "1"))),
    (7, DigestMismatch, lambda: checked(receipt(), sent_jws=OTHER)),
    (7, DigestMismatch, lambda: checked(receipt(parts=(PartDigest("body", "A" * 43),)))),
    (7, DigestMismatch, lambda: checked(receipt(parts=(*receipt_of(SENT).parts, PartDigest("more", "A" * 43))))),
]


@pytest.mark.parametrize(("step", "refusal", "attempt"), STEPS)
def test_a_refusal_names_the_step_at_which_belief_ended(step: int, refusal: type[SealRefused], attempt: Any) -> None:
    with pytest.raises(refusal) as refused:
        attempt()
    assert refused.value.detail.startswith(f"step {step}, ")


BAD_MEMBERS = [
    *({name: ...} for name in stated(receipt())),
    *({name: True} for name in stated(receipt())),
    *({name: ""} for name in stated(receipt())),
    {"decision": "ACCEPTED"},
    {"decision": "maybe"},
    {"decision": "rejected"},
    {"inbox_seq": None},
    {"inbox_seq": -1},
    {"code": "a reason in words"},
    {"at": "2026-11-24T00:05:06Z"},
    {"parts": []},
    {"parts": ["body"]},
    {"parts": [{"name": "body", "s256": "x"}]},
    {"parts": [{"name": "body"}]},
    {"parts": [{"name": "body", "s256": "A" * 43, "len": 1}]},
]


@pytest.mark.parametrize("changes", BAD_MEMBERS, ids=lambda changes: orjson.dumps(changes, default=str).decode()[:60])
def test_a_receipt_that_states_anything_else_is_refused_although_its_signature_holds(changes: dict[str, Any]) -> None:
    with pytest.raises(ManifestInvalid, match="step 2"):
        checked(restated(**changes))


def test_a_message_is_not_taken_for_a_receipt_nor_a_receipt_for_a_message() -> None:
    payload = orjson.dumps(stated(receipt()))
    as_message = forged(payload, {"alg": "ES256", "kid": key_of("kead").kid, "typ": MESSAGE_TYP}, key_of("kead"))
    with pytest.raises(ManifestInvalid, match="step 1"):
        checked(as_message)


@pytest.mark.parametrize("changes", [{"inbox_seq": None}, {"decision": Decision.REJECTED}, {"parts": ()}, {"at": 0}])
def test_nothing_is_made_that_would_not_be_believed(changes: dict[str, Any]) -> None:
    with pytest.raises(ManifestInvalid):
        receipt(**changes)


def test_our_own_archive_checks_without_a_time_of_receipt() -> None:
    assert checked(receipt(), received=None).mid == MID
