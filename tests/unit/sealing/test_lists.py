"""Reconciliation lists: what their author says of a period, and nobody else, about no other one, in one order."""

from __future__ import annotations

from collections.abc import Callable
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
from gateway.sealing import lists
from gateway.sealing.lists import TYP, Entry, ReconciliationList, State, digest_list
from tests.unit.sealing.build import NOW, forged, key_of, record_of, ring, stated

AT = int(NOW.timestamp())
DIGEST = "x" * 42 + "A"
MIDS = [f"019ab3c0-7d2e-7a31-9c55-1f0e5a6b7c{n:02x}" for n in range(4)]
ENTRIES = (
    Entry(MIDS[0], DIGEST, "out", State.DELIVERED),
    Entry(MIDS[1], DIGEST, "in", State.ACCEPTED),
    Entry(MIDS[1], DIGEST, "out", State.REJECTED),
    Entry(MIDS[2], DIGEST, "out", State.WAITING),
)


def a_list(**changes: Any) -> ReconciliationList:
    """Ours, of the day before."""
    valid = ReconciliationList(
        iss="comwel",
        aud="kead",
        at=AT,
        since=AT - 90_000,
        until=AT - 3_600,
        previous=None,
        answers=None,
        entries=ENTRIES,
    )
    return replace(valid, **changes)


def asked() -> str:
    return lists.make(a_list(), key_of("comwel"))


def answer(to: str, by: str = "kead", **changes: Any) -> str:
    said = a_list(iss="kead", aud="comwel", answers=digest_list(to), entries=ENTRIES[:2])
    return lists.make(replace(said, **changes), key_of(by))


def check(jws: str, to: str | None = None, **changes: Any) -> ReconciliationList:
    given: dict[str, Any] = {"keys": ring(), "author": "kead", "audience": "comwel", "answers": to, "received": NOW}
    return lists.check(jws, **{**given, **changes})


def test_a_list_says_what_was_stated_in_order_whatever_order_it_was_stated_in() -> None:
    made = lists.make(a_list(entries=ENTRIES[::-1]), key_of("comwel"))
    found = lists.check(made, keys=ring(), author="comwel", audience="kead", received=NOW)
    assert found == a_list() == lists.read(made)
    assert found.of("out").keys() == {MIDS[0], MIDS[1], MIDS[2]}
    assert stated(made)["counts"] == {"in": 1, "out": 3}


def test_an_answer_names_the_list_it_answers_and_the_one_before_it() -> None:
    ours = asked()
    found = check(answer(ours, previous=DIGEST), ours)
    assert (found.answers, found.previous) == (digest_list(ours), DIGEST)


def changed(**members: Any) -> Callable[[str], str]:
    """The same list with other members, signed as well as the right one."""

    def change(jws: str) -> str:
        payload = {**stated(jws), **members}
        return forged(orjson.dumps(payload), {"alg": "ES256", "kid": key_of("kead").kid, "typ": TYP}, key_of("kead"))

    return change


@pytest.mark.parametrize(
    ("spoil", "refusal", "words"),
    [
        (changed(entries=[str(ENTRIES[1]), str(ENTRIES[0])]), ManifestInvalid, "out of order"),
        (changed(entries=[str(ENTRIES[1])] * 2), ManifestInvalid, "out of order"),
        (changed(entries=[f"{MIDS[0]} {DIGEST} in waiting"]), ManifestInvalid, "not an entry"),
        (changed(entries=[f"{MIDS[0]} {DIGEST} out stolen"]), ManifestInvalid, "not an entry"),
        (changed(entries=[f"{MIDS[0]} {DIGEST[:-1]} out waiting"]), ManifestInvalid, "not an entry"),
        (changed(entries=[7]), ManifestInvalid, "not an entry"),
        (changed(counts={"in": 1, "out": 2}), ManifestInvalid, "counts"),
        (changed(counts={"in": 1}), ManifestInvalid, "missing"),
        (changed(until=AT - 90_000), ManifestInvalid, "ends after"),
        (changed(more=1), ManifestInvalid, "unknown member"),
        (changed(previous="short"), ManifestInvalid, "wrong form"),
        (changed(iss="keis"), WrongAudience, "whom"),
        (changed(aud="keis"), WrongAudience, "for us"),
        (changed(at=AT + 61), NotFresh, "future"),
        (changed(at=AT - 3_700), NotFresh, "before its period"),
        (changed(answers=DIGEST), NotFresh, "another list"),
        (changed(answers=None), NotFresh, "another list"),
        (changed(since=AT - 90_001), DigestMismatch, "another period"),
        (lambda jws: jws[:-2] + ("AA" if jws[-2:] != "AA" else "BB"), SealRefused, "step"),
        (lambda jws: jws.replace(".", "", 1), ManifestInvalid, "three parts"),
    ],
)  # fmt: skip
def test_a_list_that_is_not_what_it_should_be_is_refused(
    spoil: Callable[[str], str], refusal: type[SealRefused], words: str
) -> None:
    ours = asked()
    with pytest.raises(refusal, match=words):
        check(spoil(answer(ours)), ours)


def test_nobody_else_and_no_revoked_key_speaks_for_a_partner() -> None:
    ours = asked()
    with pytest.raises(WrongAudience):
        check(answer(ours, by="keis"), ours)
    with pytest.raises(KeyRefused):
        check(answer(ours, by="mallory"), ours)
    gone = record_of("kead", revoked_at=NOW - timedelta(days=1))
    with pytest.raises(KeyRefused):
        check(answer(ours), ours, keys=ring(record_of("comwel"), gone))


def test_a_changed_byte_is_no_signature_of_the_author() -> None:
    ours = asked()
    head, payload, signature = answer(ours).split(".")
    other = answer(ours, previous=DIGEST).split(".")[1]
    with pytest.raises(SignatureInvalid):
        check(f"{head}.{other}.{signature}", ours)
    assert payload != other


def test_a_message_manifest_is_no_list_and_a_long_list_is_one() -> None:
    many = tuple(Entry(f"019ab3c0-7d2e-7a31-9c55-{n:012x}", DIGEST, "out", State.DELIVERED) for n in range(2_000))
    made = lists.make(a_list(entries=many), key_of("comwel"))
    assert len(made) > 200_000
    assert lists.check(made, keys=ring(), author="comwel", audience="kead").entries == many
    with pytest.raises(ManifestInvalid):
        lists.read(made.replace(made.split(".")[0], "e30"))
