"""The manifest: what it states, and each of the seven steps by which a message is believed or refused."""

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
    StoreUnavailable,
    WrongAudience,
)
from gateway.sealing.manifest import TYP, Manifest, Part, digest_jws, digest_part, open_sealed, seal
from tests.unit.sealing.build import BODY, MID, NOW, forged, key_of, manifest_of, record_of, ring, sealed, stated

BODIES = {"body": BODY}


def opened(jws: str, **changes: Any) -> Manifest:
    arguments = {"keys": ring(), "audience": "kead", "sender": "comwel", "received": NOW, **changes}
    bodies = arguments.pop("bodies", BODIES)
    return open_sealed(jws, bodies, **arguments)


def resealed(**changes: Any) -> str:
    """A manifest with other members, correctly signed; `...` takes a member away."""
    members = {**stated(sealed()), **changes}
    payload = orjson.dumps({name: value for name, value in members.items() if value is not ...})
    return forged(payload, {"alg": "ES256", "kid": key_of("comwel").kid, "typ": TYP}, key_of("comwel"))


def test_what_was_sealed_is_what_is_opened() -> None:
    assert opened(sealed()) == manifest_of()


def test_the_payload_is_as_the_partner_guide_shows_it() -> None:
    assert list(stated(sealed())) == [
        *("v", "mid", "iss", "aud", "iat", "type", "case", "seq", "reply_to", "profile", "parts"),
    ]
    assert stated(sealed())["parts"] == [digest_part("body", "application/fhir+json", BODY)._asdict()]


def test_a_message_of_several_parts_is_believed_as_a_whole() -> None:
    jwe = b"eyJ.a.b.c.d"
    parts = (*manifest_of().parts, digest_part("sealed", "application/jose", jwe))
    jws = sealed(parts=parts)
    assert opened(jws, bodies={"sealed": jwe, "body": BODY}).parts == parts
    for bodies in ({"body": BODY}, {"sealed": jwe}, {"body": jwe, "sealed": BODY}, {"body": BODY, "other": jwe}, {}):
        with pytest.raises(DigestMismatch, match="step 7"):
            opened(jws, bodies=bodies)


def test_an_empty_body_is_a_body() -> None:
    jws = sealed(parts=(digest_part("body", "text/csv; charset=utf-8", b""),))
    assert opened(jws, bodies={"body": b""}).parts[0].len == 0


def test_a_manifest_about_no_case_has_neither_case_nor_seq() -> None:
    jws = sealed(case=None, seq=None, type="reconciliation")
    assert opened(jws).case is None
    for changes in ({"case": None}, {"seq": None}):
        with pytest.raises(ManifestInvalid, match="case and seq"):
            sealed(**changes)


def test_es256_never_signs_twice_alike_so_the_stored_text_is_the_message() -> None:
    first, second = sealed(), sealed()
    assert first != second
    assert stated(first) == stated(second)
    assert digest_jws(first) != digest_jws(second)
    assert opened(first) == opened(first)


STEPS = [
    # the step, the refusal, and what is wrong
    (1, ManifestInvalid, lambda: opened("not.a.jws")),
    (1, ManifestInvalid, lambda: opened(sealed() + "=")),
    (2, ManifestInvalid, lambda: opened(resealed(v=2))),
    (2, ManifestInvalid, lambda: opened(resealed(hint="x"))),
    (3, NotFresh, lambda: opened(sealed(), received=NOW - timedelta(seconds=61))),
    (3, NotFresh, lambda: opened(sealed(), received=NOW + timedelta(days=30, seconds=1))),
    (4, KeyRefused, lambda: opened(sealed(), keys=ring(record_of("kead")))),
    (4, KeyRefused, lambda: opened(sealed(), keys=ring(record_of("comwel", not_after=NOW)))),
    (4, KeyRefused, lambda: opened(sealed(), keys=ring(record_of("comwel", revoked_at=NOW)))),
    (
        4,
        KeyRefused,
        lambda: opened(sealed(iat=int(NOW.timestamp()) - 9), keys=ring(record_of("comwel", revoked_at=NOW))),
    ),
    (5, SignatureInvalid, lambda: opened(sealed(), keys=ring(replace(record_of("kead"), kid=key_of("comwel").kid)))),
    (6, WrongAudience, lambda: opened(sealed(), keys=ring(replace(record_of("comwel"), owner="keis")))),
    (6, WrongAudience, lambda: opened(sealed(), sender="keis")),
    (6, WrongAudience, lambda: opened(sealed(), audience="keis")),
    (6, WrongAudience, lambda: opened(sealed(iss="keis"), sender=None)),
    (7, DigestMismatch, lambda: opened(sealed(), bodies={"body": BODY + b" "})),
    (7, DigestMismatch, lambda: opened(sealed(), bodies={"body": BODY[:-1] + b"]"})),
    (7, DigestMismatch, lambda: opened(sealed(), bodies={"body": BODY, "extra": b""})),
]


@pytest.mark.parametrize(("step", "refusal", "attempt"), STEPS)
def test_a_refusal_names_the_step_at_which_belief_ended(step: int, refusal: type[SealRefused], attempt: Any) -> None:
    with pytest.raises(refusal) as refused:
        attempt()
    assert refused.value.detail.startswith(f"step {step}, ")


def test_age_and_clock_are_judged_exactly_at_their_limits() -> None:
    for received in (NOW - timedelta(seconds=60), NOW + timedelta(days=30)):
        assert opened(sealed(), received=received).mid == MID


def test_our_own_archive_opens_without_a_time_of_receipt() -> None:
    assert opened(sealed(), received=None, sender=None).iss == "comwel"


def test_a_broken_key_store_is_no_refusal_of_the_seal() -> None:
    def away(kid: str, at: Any) -> Any:
        raise StoreUnavailable

    with pytest.raises(StoreUnavailable):
        opened(sealed(), keys=away)


P = {"name": "body", "cty": "application/json", "len": 1, "s256": "A" * 43}
BAD_MEMBERS = [
    *({name: ...} for name in stated(sealed())),
    *({name: 1.5} for name in stated(sealed())),
    *({name: True} for name in stated(sealed())),
    *({name: ""} for name in stated(sealed())),
    *({name: {}} for name in stated(sealed())),
    *({name: None} for name in ("v", "mid", "iss", "aud", "iat", "type", "profile", "parts")),
    {"v": "1"},
    {"mid": MID.upper()},
    {"mid": MID.replace("-", "")},
    {"mid": "{" + MID + "}"},
    {"mid": "urn:uuid:" + MID},
    {"mid": MID + "\n"},
    {"iss": "COMWEL"},
    {"iss": "근로복지공단"},
    {"iss": "comwel "},
    {"aud": ["kead"]},
    {"iat": "1795460306"},
    {"iat": 1795460306000},
    {"iat": -1},
    {"iat": 0},
    {"type": "Referral.Created"},
    {"type": "referral..created"},
    {"case": "900101-1234567\n"},
    {"case": "홍길동"},
    {"seq": -1},
    {"seq": "3"},
    {"seq": 2**31},
    {"seq": 2**53},
    {"reply_to": "the last one"},
    {"profile": "comwel referral"},
    {"parts": []},
    {"parts": [P] * 17},
    {"parts": [P, P]},
    {"parts": {"body": P}},
    {"parts": [None]},
    {"parts": [[]]},
    {"parts": [{**P, "extra": 1}]},
    {"parts": [{**P, "name": "Body"}]},
    {"parts": [{**P, "name": "../body"}]},
    {"parts": [{**P, "cty": "json"}]},
    {"parts": [{**P, "cty": "text/csv\r\nX: y"}]},
    {"parts": [{**P, "len": -1}]},
    {"parts": [{**P, "len": "1"}]},
    {"parts": [{**P, "len": True}]},
    {"parts": [{**P, "s256": "A" * 42}]},
    {"parts": [{**P, "s256": "A" * 42 + "B"}]},
    {"parts": [{**P, "s256": "A" * 43 + "="}]},
    {"parts": [{**P, "s256": "0" * 64}]},
    *({"parts": [{key: value for key, value in P.items() if key != gone}]} for gone in P),
    {"extra": None},
    {"V": 1},
]


@pytest.mark.parametrize("changes", BAD_MEMBERS, ids=lambda changes: orjson.dumps(changes, default=str).decode()[:60])
def test_a_manifest_that_states_anything_else_is_refused_although_its_signature_holds(changes: dict[str, Any]) -> None:
    with pytest.raises(ManifestInvalid, match="step 2"):
        opened(resealed(**changes))


RAW = [
    b"",
    b"null",
    b"[]",
    b'"text"',
    b"{}",
    b'{"v":1}',
    b"{" * 5000,
    b"[" * 5000,
    b'{"v":' * 100,
]


@pytest.mark.parametrize("payload", RAW, ids=lambda payload: payload[:12].decode())
def test_a_payload_that_is_no_manifest_is_refused(payload: bytes) -> None:
    jws = forged(payload, {"alg": "ES256", "kid": key_of("comwel").kid, "typ": TYP}, key_of("comwel"))
    with pytest.raises(ManifestInvalid):
        opened(jws)


SPELLINGS = [
    ("a duplicate member", lambda raw: raw[:-1] + b',"v":1}'),
    ("a duplicate member, escaped", lambda raw: raw[:-1] + b',"\\u0076":1}'),
    ("a duplicate member of a part", lambda raw: raw.replace(b'"len":', b'"len":1,"len":')),
    ("bytes after the end", lambda raw: raw + b"{}"),
    ("a trailing comma", lambda raw: raw[:-1] + b",}"),
    ("a comment", lambda raw: raw[:-1] + b"/*x*/}"),
    ("NaN", lambda raw: raw.replace(b'"seq":3', b'"seq":NaN')),
    ("Infinity", lambda raw: raw.replace(b'"seq":3', b'"seq":-Infinity')),
    ("a fraction", lambda raw: raw.replace(b'"seq":3', b'"seq":3.0')),
    ("an exponent", lambda raw: raw.replace(b'"seq":3', b'"seq":3e0')),
    ("a leading zero", lambda raw: raw.replace(b'"seq":3', b'"seq":03')),
    ("a huge integer", lambda raw: raw.replace(b'"seq":3', b'"seq":' + b"9" * 4400)),
    ("a BOM", lambda raw: b"\xef\xbb\xbf" + raw),
    ("UTF-16", lambda raw: raw.decode().encode("utf-16")),
    ("an octet that is not ASCII", lambda raw: raw.replace(b'"c-7f3a"', b'"c-\xed\x95\x9c"')),
    ("a lone surrogate", lambda raw: raw.replace(b'"c-7f3a"', b'"c-\\ud800"')),
    ("a raw line break in text", lambda raw: raw.replace(b'"c-7f3a"', b'"c-\n"')),
]


@pytest.mark.parametrize("spell", [row[1] for row in SPELLINGS], ids=[row[0] for row in SPELLINGS])
def test_json_that_two_readers_could_read_differently_is_refused(spell: Any) -> None:
    raw = spell(orjson.dumps(stated(sealed())))
    jws = forged(raw, {"alg": "ES256", "kid": key_of("comwel").kid, "typ": TYP}, key_of("comwel"))
    with pytest.raises(ManifestInvalid):
        opened(jws)


@pytest.mark.parametrize(
    "changes", [{"iss": "COMWEL"}, {"mid": "1"}, {"parts": ()}, {"iat": 1}, {"parts": (Part("body", "x", 0, ""),)}]
)
def test_nothing_is_sealed_that_would_not_be_opened(changes: dict[str, Any]) -> None:
    with pytest.raises(ManifestInvalid):
        seal(manifest_of(**changes), key_of("comwel"))


def test_a_refusal_repeats_nothing_of_the_message() -> None:
    number = "900101-1234567"
    for changes in ({"case": number + " "}, {number: number}, {"parts": [{**P, number: 1}]}, {"iss": "홍길동"}):
        with pytest.raises(ManifestInvalid) as refusal:
            opened(resealed(**changes))
        assert number not in str(refusal.value)
        assert "홍길동" not in str(refusal.value)


def test_a_refusal_names_the_member_at_fault() -> None:
    with pytest.raises(ManifestInvalid) as refusal:
        opened(resealed(parts=[{**P, "len": -1}]))
    assert refusal.value.place.field == "/parts/0/len"
