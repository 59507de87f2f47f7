"""Receive: a partner's signed outcome is proven, understood and applied, or refused step by step, and always once."""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import orjson
import pytest

from adapters.partners.pretend.scripts import Kind
from gateway.documents.strict_json import reread
from gateway.errors import NothingSigns, StoreUnavailable
from gateway.journey.prove import Inbound
from gateway.journey.receive import receive
from gateway.journey.reply import Reply
from gateway.partners.pseudonym import partner_person_id
from gateway.ports import LegRow
from gateway.sealing import compact, heads, http, manifest, receipts
from gateway.sealing.keys import SigningKey, generate
from gateway.sealing.receipts import Decision
from tests.journey.world import (
    DAY,
    PARTNERS,
    TODAY,
    Letter,
    Scene,
    a_case,
    a_mid,
    again,
    assert_nothing_personal,
    dying_at_commit,
    inbound,
    key_of,
    letter,
    retained,
    ring,
    seal,
)


def receipt_of(reply: Reply, sent: Inbound) -> receipts.Receipt:
    """Our receipt, verified as a partner would."""
    assert reply.receipt is not None
    mid = sent.headers["Idempotency-Key"]
    jws = sent.headers["Comwel-Message-JWS"]
    return receipts.check(reply.receipt, keys=ring("comwel").of("comwel"), expected_mid=mid, sent_jws=jws)


def a_leg(scene: Scene, partner: str = "KEIS") -> LegRow:
    return scene.referred(a_case())[partner]


def states(scene: Scene) -> list[tuple[int | None, str, str | None]]:
    return sorted(((i["seq"], i["state"], i["code"]) for i in scene.rows("inbox")), key=repr)


# ── the good way ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_whoever_could_not_sign_the_receipt_does_not_begin(scene: Scene) -> None:
    def nobody() -> SigningKey:
        raise NothingSigns("not on this machine")

    points: list[str] = []
    sent = inbound(scene, letter(a_leg(scene), Kind.ACCEPT, 1))
    with pytest.raises(NothingSigns):
        receive(replace(scene.world, signing=nobody, reached=points.append), sent)
    assert points == ["inbound.proven"]
    assert receive(scene.world, sent).status == 200


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_good_message_is_applied_and_gets_our_signed_receipt(scene: Scene, partner: str) -> None:
    leg = a_leg(scene, partner)
    since = len(scene.events())
    sent = inbound(scene, letter(leg, Kind.ACCEPT, 1))
    reply = receive(scene.world, sent)
    word = receipt_of(reply, sent)
    assert (reply.status, word.decision, word.aud) == (200, Decision.ACCEPTED, partner.lower())
    assert scene.leg(leg.ref_no).status == "accepted"
    [fact] = scene.rows("outcome_fact")
    assert (fact["ref_no"], fact["seq"], fact["happened_on"]) == (leg.ref_no, 1, TODAY)
    [kept] = [m for m in scene.rows("message") if m["direction"] == "in"]
    assert (kept["body"], kept["jws"]) == (sent.body, sent.headers["Comwel-Message-JWS"])
    [event] = scene.events(since)
    assert (event["act"], str(event["verdict"]), event["ref_no"]) == ("message.received", "done", leg.ref_no)
    assert_nothing_personal(scene)


@pytest.mark.rule("R-24")
@pytest.mark.parametrize(("kind", "seq", "status"), [(Kind.ACCEPT, 1, 200), (Kind.ACCEPT, 3, 202)])
def test_the_head_that_was_believed_is_kept_with_the_status_of_our_answer(
    scene: Scene, kind: Kind, seq: int, status: int
) -> None:
    sent = inbound(scene, letter(a_leg(scene), kind, seq))
    for _ in range(2):  # the second time it is known
        assert receive(scene.world, sent).status in (status, 401)
    [kept] = [m for m in scene.rows("message") if m["direction"] == "in"]
    told = heads.told(kept["head"], body_sha256=kept["body_sha256"], mid=kept["mid"], jws=kept["jws"])
    request = told["request"]
    assert (request["method"], request["target"]) == (sent.method, sent.target_uri)
    assert request["headers"] == {n.lower(): v for n, v in sent.headers.items() if n.lower() in request["headers"]}
    proven = http.verify(
        request["method"], request["target"], request["headers"], sent.body, keys=ring("KEIS").of("keis"),
        now=scene.clock.now(),
    )  # fmt: skip
    assert (proven.mid, told["answer"]) == (kept["mid"], {"status": status, "headers": {}})


def test_the_head_of_a_message_that_was_refused_says_so(scene: Scene) -> None:
    leg = a_leg(scene)
    reply = receive(scene.world, inbound(scene, letter(leg, Kind.CLOSE_UNPLACED, 1)))
    assert reply.refusal is not None
    [kept] = [m for m in scene.rows("message") if m["direction"] == "in"]
    assert orjson.loads(kept["head"])[5] == reply.status == reply.refusal.status


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_placement_is_facts_a_fhir_bundle_and_four_retention_checks(scene: Scene, partner: str) -> None:
    leg = a_leg(scene, partner)
    scene.clock.day = date(2026, 12, 3)
    for seq, kind in enumerate((Kind.ACCEPT, Kind.START, Kind.PLACED), start=1):
        assert scene.say(leg, kind, seq, on=date(2026, 12, 2)).status == 200
    fact = next(f for f in scene.rows("outcome_fact") if f["seq"] == 3)
    content = reread(fact["content"])
    assert (content["employment"]["start"], fact["evidence"]) == ("2026-12-01", "E1")
    assert reread(fact["fhir"])["resourceType"] == "Bundle"
    assert {c["milestone"]: c["due_on"] for c in scene.rows("retention_check")} == {
        "P1M": date(2027, 1, 1),
        "P3M": date(2027, 3, 1),
        "P6M": date(2027, 6, 1),
        "P12M": date(2027, 12, 1),
    }
    business = scene.leg(leg.ref_no).business
    assert business == ("closed-placed" if partner == "KEIS" else "placed-verified")


def test_weak_evidence_leaves_a_placement_reported_only(scene: Scene) -> None:
    leg = a_leg(scene, "TRN")
    scene.clock.day = date(2026, 12, 3)
    for seq, kind in enumerate((Kind.ACCEPT, Kind.START), start=1):
        scene.say(leg, kind, seq)
    scene.say(leg, Kind.PLACED, 3, on=date(2026, 12, 2), evidence="E3")
    assert scene.leg(leg.ref_no).business == "placed-reported"


# ── 1–5: not proven, nothing is kept but the refusal ─────────────────────────────────────────────────────────────────
Spoil = Callable[[Scene, LegRow], Inbound]


def with_(**defects: Any) -> Spoil:
    return lambda s, leg: inbound(s, letter(leg, Kind.ACCEPT, 1), **defects)


def _later(**time: float) -> Spoil:
    return lambda s, leg: inbound(s, letter(leg, Kind.ACCEPT, 1), created=s.clock.now() + timedelta(**time))


def _sealed_for_another_letter(scene: Scene, leg: LegRow) -> Inbound:
    one, other = letter(leg, Kind.ACCEPT, 1), letter(leg, Kind.START, 1)
    return inbound(scene, other, jws=seal(replace(one, mid=other.mid), scene.clock.now()))


def _stating(change: Callable[[dict[str, Any]], object]) -> Spoil:
    def make(scene: Scene, leg: LegRow) -> Inbound:
        one = letter(leg, Kind.ACCEPT, 1)
        stated = orjson.loads(compact.read(seal(one, scene.clock.now()), typ=manifest.TYP).payload)
        change(stated)
        jws = compact.seal(orjson.dumps(stated), typ=manifest.TYP, key=key_of("KEIS"))
        return inbound(scene, one, jws=jws)

    return make


def _sealed_long_ago(scene: Scene, leg: LegRow) -> Inbound:
    one = letter(leg, Kind.ACCEPT, 1)
    return inbound(scene, one, jws=seal(one, scene.clock.now() - timedelta(days=31)))


def _used_nonce(scene: Scene, leg: LegRow) -> Inbound:
    nonce = "a-nonce-of-twenty-two-c"
    assert scene.hear(letter(leg, Kind.ACCEPT, 1), nonce=nonce).status == 200
    return inbound(scene, letter(leg, Kind.START, 2), nonce=nonce)


def _captured(scene: Scene, leg: LegRow) -> Inbound:
    sent = inbound(scene, letter(leg, Kind.ACCEPT, 1))
    assert receive(scene.world, sent).status == 200
    return sent


def _captured_for_another_door(scene: Scene, leg: LegRow) -> Inbound:
    sent = inbound(scene, letter(leg, Kind.ACCEPT, 1))
    return sent._replace(partner="KEAD", target_uri=sent.target_uri.replace("KEIS", "KEAD"))


def _same_name_other_key(scene: Scene, leg: LegRow) -> Inbound:
    return inbound(scene, letter(leg, Kind.ACCEPT, 1), key=generate(key_of("KEIS").kid))


NOT_PROVEN: dict[str, tuple[Spoil, int, str]] = {
    "1 nobody we know": (with_(door="NOBODY"), 403, "SEAL-AUDIENCE"),
    "2 no signature": (with_(headers={"Signature": None}), 401, "SEAL-SIGNATURE"),
    "2 no digest": (with_(headers={"Content-Digest": None}), 401, "SEAL-SIGNATURE"),
    "2 no message id": (with_(headers={"Idempotency-Key": None}), 401, "SEAL-SIGNATURE"),
    "2 a signature that is none": (with_(headers={"Signature": "sig1=:AAAA:"}), 401, "SEAL-SIGNATURE"),
    "2 another type than signed": (with_(headers={"Content-Type": "text/html"}), 401, "SEAL-SIGNATURE"),
    "2 another id than signed": (with_(headers={"Idempotency-Key": a_mid()}), 401, "SEAL-SIGNATURE"),
    "2 another method than signed": (with_(method="PUT"), 401, "SEAL-SIGNATURE"),
    "2 other bytes than signed": (with_(body=b"{}"), 401, "SEAL-DIGEST"),
    "2 too old": (_later(seconds=-301), 401, "SEAL-FRESH"),
    "2 from the future": (_later(seconds=62), 401, "SEAL-FRESH"),
    "2 a key nobody registered": (with_(key=key_of("mallory")), 401, "SEAL-KEY"),
    "2 another partner's key": (with_(key=key_of("KEAD")), 401, "SEAL-KEY"),
    "2 a known name on another key": (_same_name_other_key, 401, "SEAL-SIGNATURE"),
    "2 captured, for another door": (_captured_for_another_door, 401, "SEAL-KEY"),
    "3 sealed by another partner": (lambda s, g: inbound(
        s, letter(g, Kind.ACCEPT, 1), key=key_of("KEAD"), attempt_key=key_of("KEIS")), 401, "SEAL-KEY"),
    "3 for somebody else": (with_(audience="kead"), 403, "SEAL-AUDIENCE"),
    "3 in somebody else's name": (with_(issuer="kead"), 403, "SEAL-AUDIENCE"),
    "3 no manifest": (with_(jws="a.b.c"), 400, "SEAL-MANIFEST"),
    "3 a manifest of other bytes": (_sealed_for_another_letter, 401, "SEAL-DIGEST"),
    "3 another id than in the manifest": (with_(attempt_mid=a_mid()), 403, "SEAL-AUDIENCE"),
    "3 no report": (_stating(lambda m: m.update(type="referral.created")), 400, "SEAL-MANIFEST"),
    "3 another media type than that of the request": (
        _stating(lambda m: m["parts"][0].update(cty="text/plain")), 400, "SEAL-MANIFEST"),
    "3 sealed a month ago": (_sealed_long_ago, 401, "SEAL-FRESH"),
    "4 a nonce used before": (_used_nonce, 401, "SEAL-FRESH"),
    "4 a captured request": (_captured, 401, "SEAL-FRESH"),
}  # fmt: skip


@pytest.mark.parametrize("defect", NOT_PROVEN)
def test_what_is_not_proven_is_refused_and_leaves_only_the_refusal(quick: Scene, defect: str) -> None:
    assert_refused_without_a_trace(quick, defect)


@pytest.mark.parametrize("defect", ["2 other bytes than signed", "4 a nonce used before", "4 a captured request"])
def test_in_the_database_as_well(real: Scene, defect: str) -> None:
    assert_refused_without_a_trace(real, defect)


def assert_refused_without_a_trace(scene: Scene, defect: str) -> None:
    make, status, code = NOT_PROVEN[defect]
    leg = a_leg(scene)
    sent = make(scene, leg)
    before, since = scene.dump(), len(scene.events())
    nonces = scene.rows("nonce")
    reply = receive(scene.world, sent)
    assert reply.refusal is not None
    assert (reply.status, reply.refusal.code, reply.receipt) == (status, code, None)
    assert scene.dump() == before
    assert scene.rows("nonce") == nonces
    assert scene.acts(since) == [("message.received", "refused", code)]
    assert_nothing_personal(scene, texts=[str(reply.refusal)])


# ── 5: seen before ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_same_message_again_gets_the_original_receipt_byte_for_byte(scene: Scene) -> None:
    leg = a_leg(scene)
    one = letter(leg, Kind.ACCEPT, 1)
    jws = seal(one, scene.clock.now())
    first = scene.hear(one, jws=jws)
    scene.say(leg, Kind.START, 2)
    before, since = scene.dump(), len(scene.events())
    scene.clock.pass_(hours=5)
    second = scene.hear(one, jws=jws)
    assert (second.status, second.receipt) == (200, first.receipt)
    assert scene.dump() == before
    assert scene.acts(since) == [("message.repeated", "done", None)]


def test_a_receipt_promises_the_act_that_took_the_message_in_or_refused_it(scene: Scene) -> None:
    leg = a_leg(scene)
    for said in (letter(leg, Kind.ACCEPT, 1), letter(leg, Kind.RETENTION, 2, check=retained("P1M", TODAY))):
        sent = inbound(scene, said)
        promise = receipt_of(receive(scene.world, sent), sent).promise
        assert promise is not None
        assert promise.stream == leg.partner
        acts = [event for event in scene.events() if event["partner"] == leg.partner]
        assert (acts[-1]["mid"], len(acts)) == (said.mid, promise.seq)


def test_a_refused_message_again_gets_its_refusal_again(scene: Scene) -> None:
    leg = a_leg(scene)
    one = letter(leg, Kind.RETENTION, 1, check=retained("P1M", TODAY))
    jws = seal(one, scene.clock.now())
    first = scene.hear(one, jws=jws)
    before = scene.dump()
    assert first.status == 409
    assert scene.hear(one, jws=jws).receipt == first.receipt
    assert scene.dump() == before


def test_the_same_id_with_other_bytes_is_refused_and_shown_to_a_person(scene: Scene) -> None:
    leg = a_leg(scene)
    one = letter(leg, Kind.ACCEPT, 1)
    scene.hear(one)
    before, since = scene.dump(), len(scene.events())
    reply = scene.hear(letter(leg, Kind.START, 2, mid=one.mid))
    assert (reply.status, reply.refusal and reply.refusal.code, reply.receipt) == (422, "LOOP-REUSED", None)
    after = scene.dump()
    [work] = after.pop("work_item")
    assert before.pop("work_item") == []
    assert after == before
    assert (work["kind"], work["mid"], work["partner"]) == ("message-id-reused", one.mid, "KEIS")
    assert scene.acts(since) == [("message.repeated", "refused", "LOOP-REUSED")]


def test_a_person_is_told_of_a_reused_id_once_until_that_is_done(scene: Scene) -> None:
    leg = a_leg(scene)
    one, since = letter(leg, Kind.ACCEPT, 1), len(scene.events())
    scene.hear(one)
    other, another = (letter(leg, kind, 2, mid=one.mid) for kind in (Kind.START, Kind.DECLINE))
    for said in (other, another, other):
        assert scene.hear(said).status == 422
    [item] = scene.rows("work_item")
    assert [code for _, _, code in scene.acts(since)] == [None, *["LOOP-REUSED"] * 3]  # each is on record
    with scene.store.unit() as unit:
        unit.end_work(item["kind"], "KEIS", scene.clock.now())
        unit.commit(scene.world.event("work.done", "operations", by="kim.0417"))
    scene.hear(other)
    assert [w["done_at"] is not None for w in scene.rows("work_item")] == [True, False]


# ── 6–9: proven but refused: kept, receipted, shown to a person, and the leg untouched ───────────────────────────────
Write = Callable[[Scene, LegRow], Letter]


def raw(body: bytes) -> Write:
    return lambda s, leg: Letter("KEIS", body, 1, a_mid())


def edited(change: Callable[[dict[str, Any]], object], kind: Kind = Kind.ACCEPT) -> Write:
    def make(scene: Scene, leg: LegRow) -> Letter:
        one = letter(leg, kind, 1)
        change(one.document)
        return one

    return make


def _twice(scene: Scene, leg: LegRow) -> Letter:
    body = letter(leg, Kind.ACCEPT, 1).body
    return Letter("KEIS", body.replace(b'"refNo"', b'"refNo":"x","refNo"', 1), 1, a_mid())


def _body(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda document: document["body"].update(changes)


UNDERSTOOD: dict[str, tuple[Write, int, str, str]] = {
    "6 not JSON": (raw(b"<html>"), 400, "DOC-JSON", "quarantined"),
    "6 not UTF-8": (raw(b'{"a":"\xff"}'), 400, "DOC-JSON", "quarantined"),
    "6 not a number": (raw(b'{"a":NaN}'), 400, "DOC-JSON", "quarantined"),
    "6 too deep": (raw(b"[" * 100 + b"]" * 100), 400, "DOC-JSON", "quarantined"),
    "6 a name twice": (_twice, 400, "DOC-JSON", "quarantined"),
    "6 not the schema": (edited(lambda d: d["body"].pop("rsltDt")), 422, "DOC-SCHEMA", "quarantined"),
    "6 a number no report can have": (edited(_body(rsltSeq=2**31)), 422, "DOC-SCHEMA", "quarantined"),
    "6 a correction of one": (edited(_body(rsltKndCd="90", orgRsltSeq=2**31)), 422, "DOC-SCHEMA", "quarantined"),
    "6 an unknown element": (edited(_body(혈액형="AB")), 422, "DOC-SCHEMA", "quarantined"),
    "6 a resident number": (edited(_body(주민번호="880101-1234567")), 422, "DOC-RRN", "quarantined"),
    "7 no such leg": (edited(_body(refNo="R20261123-9999999")), 403, "LOOP-OWNER", "quarantined"),
    "7 another worker": (edited(_body(ptnrPsnId="PKE-" + "A" * 26)), 403, "LOOP-OWNER", "quarantined"),
    "9 an illegal move": (lambda s, g: letter(
        g, Kind.RETENTION, 1, check=retained("P1M", TODAY)), 409, "LOOP-STATE", "refused"),
    "9 a job before it can be": (lambda s, g: letter(
        g, Kind.PLACED, 1, on=TODAY + 30 * DAY), 422, "LOOP-INCOMPLETE", "refused"),
}  # fmt: skip


@pytest.mark.parametrize("defect", UNDERSTOOD)
def test_what_is_proven_but_wrong_is_kept_receipted_and_shown_to_a_person(scene: Scene, defect: str) -> None:
    make, status, code, state = UNDERSTOOD[defect]
    leg = a_leg(scene)
    before, since = scene.dump(), len(scene.events())
    sent = inbound(scene, make(scene, leg))
    reply = receive(scene.world, sent)
    word = receipt_of(reply, sent)
    assert (reply.status, word.decision, word.code) == (status, Decision.REJECTED, code)
    [row] = scene.rows("inbox")
    assert (row["state"], row["code"]) == (state, code)
    [work] = scene.rows("work_item")
    assert (work["kind"], work["code"], work["partner"]) == ("inbound-refused", code, "KEIS")
    assert scene.acts(since) == [("message.received", "refused", code)]
    now = scene.leg(leg.ref_no)
    assert (now.state, now.in_seq) == (leg.state, 1 if state == "refused" else 0)
    for table in ("outcome_fact", "retention_check", "rtw_update", "case_record", "delivery"):
        assert scene.rows(table) == before[table]
    [kept] = [m for m in scene.rows("message") if m["direction"] == "in"]
    assert kept["body"] == (b"" if code == "DOC-RRN" else sent.body)
    assert_nothing_personal(scene, texts=[str(reply.refusal), repr(work)])
    assert "1234567" not in str(reply.refusal)


CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "/profile": {"profile": "keis-outcome|2.0.0"},
    "/seq": {"seq": 2},
    "/case": {"case": "CKE-" + "A" * 26},
}


@pytest.mark.parametrize("field", CONTRADICTIONS)
def test_a_manifest_that_says_otherwise_than_its_report_is_kept_receipted_and_shown_to_a_person(
    scene: Scene, field: str
) -> None:
    leg = a_leg(scene)
    sent = _stating(lambda m: m.update(CONTRADICTIONS[field]))(scene, leg)
    reply = receive(scene.world, sent)
    word = receipt_of(reply, sent)
    assert reply.refusal is not None
    assert (reply.status, word.decision, word.code) == (422, Decision.REJECTED, "DOC-MANIFEST")
    assert reply.refusal.place.field == field
    assert states(scene) == [(None, "quarantined", "DOC-MANIFEST")]
    assert [(w["kind"], w["code"]) for w in scene.rows("work_item")] == [("inbound-refused", "DOC-MANIFEST")]
    assert scene.leg(leg.ref_no) == leg
    assert_nothing_personal(scene, texts=[str(reply.refusal)])
    assert scene.say(leg, Kind.ACCEPT, 1).status == 200  # its number is not used up


def called(scene: Scene, leg: LegRow) -> str:
    """The case of a leg as our messages name it."""
    return str(scene.partners[leg.partner].open(scene.partners[leg.partner].sent[0]).case)


def test_a_manifest_may_call_the_case_as_we_do_or_the_referral_or_say_nothing(scene: Scene) -> None:
    leg = a_leg(scene)
    scene.clock.day = date(2026, 12, 3)
    names: list[dict[str, Any]] = [{"case": called(scene, leg)}, {"case": leg.ref_no}, {"case": None, "seq": None}]
    for seq, (kind, said) in enumerate(zip((Kind.ACCEPT, Kind.START, Kind.SEARCH), names, strict=True), start=1):
        one = letter(leg, kind, seq)
        stated = orjson.loads(compact.read(seal(one, scene.clock.now()), typ=manifest.TYP).payload)
        jws = compact.seal(orjson.dumps({**stated, **said}), typ=manifest.TYP, key=key_of("KEIS"))
        assert scene.hear(one, jws=jws).status == 200


@pytest.mark.rule("R-03")
def test_under_another_key_of_ids_a_case_is_still_known_by_the_name_that_our_message_gave_it(scene: Scene) -> None:
    leg = a_leg(scene)
    said = replace(letter(leg, Kind.ACCEPT, 1), case=called(scene, leg))
    scene.world = replace(scene.world, secret=lambda _: b"another key of pairwise ids, longer than 32 bytes")
    assert scene.hear(said).status == 200


@pytest.mark.parametrize("partner", PARTNERS)
def test_numbers_are_taken_up_to_the_largest_and_refused_beyond_it(scene: Scene, partner: str) -> None:
    leg = a_leg(scene, partner)
    assert scene.say(leg, Kind.ACCEPT, 2**31 - 1).status == 202
    for number in (2**31, 2**53 - 1):
        wrong = replace(letter(leg, Kind.ACCEPT, number), seq=1)
        reply = scene.hear(wrong)
        assert (reply.status, reply.refusal and reply.refusal.code) == (422, "DOC-SCHEMA")
        assert reply.receipt is not None
        stated = orjson.loads(compact.read(seal(wrong, scene.clock.now()), typ=manifest.TYP).payload)
        jws = compact.seal(orjson.dumps({**stated, "seq": number}), typ=manifest.TYP, key=key_of(partner))
        reply = scene.hear(wrong, jws=jws)
        assert (reply.status, reply.refusal and reply.refusal.code) == (400, "SEAL-MANIFEST")
    assert states(scene) == [(2**31 - 1, "held", None), *[(None, "quarantined", "DOC-SCHEMA")] * 2]


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("one", [b"1.0", b"1e0", b"10e-1"])
def test_a_whole_number_is_one_in_whatever_way_it_is_written(scene: Scene, partner: str, one: bytes) -> None:
    said = letter(a_leg(scene, partner), Kind.ACCEPT, 1)
    written = re.sub(rb'("rsltSeq"|"seq"|"valuePositiveInt"):1\b', rb"\1:" + one, said.body)
    assert written != said.body
    assert scene.hear(replace(said, document=written)).status == 200
    assert repr(states(scene)) == "[(1, 'applied', None)]"


def test_a_day_that_does_not_exist_is_refused(scene: Scene) -> None:
    reply = scene.hear(edited(_body(rsltDt="20260231"))(scene, a_leg(scene)))
    assert reply.refusal is not None
    assert reply.refusal.status in (422, 400)
    assert scene.rows("outcome_fact") == []


@pytest.mark.rule("R-03")
def test_under_another_key_of_ids_a_leg_is_still_known_by_the_id_it_was_made_with(scene: Scene) -> None:
    leg, key = a_leg(scene), b"another key of pairwise ids, longer than 32 bytes"
    scene.world = replace(scene.world, secret=lambda _: key)
    assert partner_person_id(key, "KE", scene.record(leg.case_no)["personKey"]) != leg.person_id
    assert scene.say(leg, Kind.ACCEPT, 1).status == 200
    assert scene.leg(leg.ref_no).person_id == leg.person_id


def test_another_partners_leg_is_none_of_yours(scene: Scene) -> None:
    legs = scene.referred(a_case())
    stolen = letter(legs["KEAD"], Kind.ACCEPT, 1)
    body = letter(legs["KEIS"], Kind.ACCEPT, 1).document
    body["body"]["refNo"] = legs["KEAD"].ref_no
    body["body"]["ptnrPsnId"] = "PKE-" + "B" * 26
    reply = scene.hear(replace(stolen, partner="KEIS", document=body))
    assert reply.refusal is not None
    assert (reply.status, reply.refusal.code) == (403, "LOOP-OWNER")
    assert scene.legs(a_case().case_no) == legs


def test_after_an_illegal_move_the_next_message_is_still_heard(scene: Scene) -> None:
    leg = a_leg(scene)
    assert scene.say(leg, Kind.START, 1).status == 409
    assert scene.leg(leg.ref_no).state == leg.state
    assert scene.say(leg, Kind.ACCEPT, 2).status == 200
    assert scene.leg(leg.ref_no).state == "accepted|accepted"
    assert states(scene) == [(1, "refused", "LOOP-STATE"), (2, "applied", None)]


@pytest.mark.rule("R-08")
def test_after_the_consent_is_withdrawn_an_outcome_is_quarantined(scene: Scene) -> None:
    case = a_case()
    leg = scene.referred(case)["KEIS"]
    scene.enter(again(case, consent={"withdrawnAt": "2026-11-22T15:00:00+09:00"}))
    scene.withdraw()
    sent = inbound(scene, letter(leg, Kind.ACCEPT, 1))
    reply = receive(scene.world, sent)
    assert (reply.status, receipt_of(reply, sent).code) == (403, "LOOP-WITHDRAWN")
    assert states(scene) == [(None, "quarantined", "LOOP-WITHDRAWN")]
    assert scene.rows("outcome_fact") == []
    assert scene.leg(leg.ref_no).state == "cancelled|consent-withdrawn"


# ── 8: order ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_what_comes_too_early_is_held_and_applied_when_its_turn_comes(scene: Scene) -> None:
    leg = a_leg(scene)
    scene.clock.day = date(2026, 12, 3)
    for seq, kind in ((4, Kind.PLACED), (3, Kind.SEARCH), (2, Kind.START)):
        reply = scene.say(leg, kind, seq, on=date(2026, 12, 2))
        assert (reply.status, reply.refusal) == (202, None)
    assert scene.leg(leg.ref_no).state == leg.state
    assert scene.rows("outcome_fact") == []
    assert scene.say(leg, Kind.ACCEPT, 1).status == 200
    assert scene.leg(leg.ref_no).state == "completed|closed-placed"
    assert states(scene) == [(n, "applied", None) for n in (1, 2, 3, 4)]
    assert sorted(f["seq"] for f in scene.rows("outcome_fact")) == [1, 2, 3, 4]
    assert len(scene.rows("retention_check")) == 4


def test_a_held_message_that_turns_out_illegal_is_refused_in_its_turn_and_does_not_block(scene: Scene) -> None:
    leg = a_leg(scene)
    assert scene.say(leg, Kind.START, 3).status == 202
    assert scene.say(leg, Kind.PLAN, 2).status == 202
    assert scene.say(leg, Kind.ACCEPT, 1).status == 200
    assert states(scene) == [(1, "applied", None), (2, "refused", "LOOP-STATE"), (3, "applied", None)]
    assert [(w["kind"], w["code"]) for w in scene.rows("work_item")] == [("inbound-refused", "LOOP-STATE")]
    assert scene.leg(leg.ref_no).in_seq == 3
    assert scene.leg(leg.ref_no).state == "in-progress|intake-done"


def test_two_held_messages_with_one_number_do_not_block_what_follows(scene: Scene) -> None:
    leg = a_leg(scene)
    scene.say(leg, Kind.START, 2)
    scene.say(leg, Kind.START, 2)
    scene.say(leg, Kind.PLAN, 3)
    scene.say(leg, Kind.ACCEPT, 1)
    assert scene.leg(leg.ref_no).state == "in-progress|plan-agreed"
    assert [s[1] for s in states(scene)].count("held") == 0
    assert sorted(f["seq"] for f in scene.rows("outcome_fact")) == [1, 2, 3]


def test_a_hundred_wait_for_one_that_is_missing_and_one_more_is_refused_and_shown(quick: Scene) -> None:
    leg = a_leg(quick, "TRN")
    quick.say(leg, Kind.ACCEPT, 1)
    sent = [inbound(quick, letter(leg, Kind.ASK, seq)) for seq in range(3, 104)]
    replies = [receive(quick.world, one) for one in sent]
    assert [reply.status for reply in replies] == [202] * 100 + [409]
    word = receipt_of(replies[-1], sent[-1])
    assert (word.decision, word.code) == (Decision.REJECTED, "LOOP-GAP")
    [work] = quick.rows("work_item")
    assert (work["kind"], work["code"], work["ref_no"]) == ("inbound-refused", "LOOP-GAP", leg.ref_no)
    assert quick.leg(leg.ref_no).in_seq == 1

    assert quick.say(leg, Kind.START, 2).status == 200
    assert quick.leg(leg.ref_no).in_seq == 102
    assert quick.say(leg, Kind.ASK, 103).status == 200
    assert [state for _, state, _ in states(quick) if state != "applied"] == ["refused"]


def test_what_is_held_says_what_it_said_whatever_is_read_along(scene: Scene) -> None:
    leg = a_leg(scene, "TRN")
    for seq in (20, 19, 18, 21, *range(3, 18), 23):
        assert scene.say(leg, Kind.ASK, seq, text=f"질문 {seq}").status == 202
    scene.say(leg, Kind.ASK, 5, text="또 다른 5")
    scene.say(leg, Kind.ACCEPT, 1)
    scene.say(leg, Kind.START, 2)
    assert scene.leg(leg.ref_no).in_seq == 21
    said = {f["seq"]: f["content"].decode() for f in scene.rows("outcome_fact")}
    assert [seq for seq in range(3, 22) if f"질문 {seq}" not in said[seq]] == []
    assert Counter(state for _, state, _ in states(scene)) == {"applied": 21, "stale": 1, "held": 1}


def test_a_stale_message_is_stored_and_not_applied(scene: Scene) -> None:
    leg = a_leg(scene)
    scene.say(leg, Kind.ACCEPT, 1)
    scene.say(leg, Kind.START, 2)
    reply = scene.say(leg, Kind.DECLINE, 2)
    assert (reply.status, reply.refusal) == (200, None)
    assert scene.leg(leg.ref_no).state == "in-progress|intake-done"
    assert (2, "stale", None) in states(scene)
    assert len(scene.rows("outcome_fact")) == 2


@pytest.mark.parametrize(("again", "shown"), [(Kind.DECLINE, 1), (Kind.START, 0)])
def test_a_number_that_is_used_again_for_another_report_is_shown_to_a_person_once(
    scene: Scene, again: Kind, shown: int
) -> None:
    """A partner that counts anew after a loss of its own would be heard no more, and think that it is."""
    leg = a_leg(scene)
    scene.say(leg, Kind.ACCEPT, 1)
    scene.say(leg, Kind.START, 2)
    for _ in range(2):
        assert scene.say(leg, again, 2).status == 200
    assert [state for _, state, _ in states(scene)] == ["applied", "applied", "stale", "stale"]
    found = [(w["kind"], w["code"], w["ref_no"], w["partner"]) for w in scene.rows("work_item")]
    assert found == [("report-number-reused", None, leg.ref_no, leg.partner)] * shown


def test_the_number_of_a_refused_report_is_used_up(scene: Scene) -> None:
    leg = a_leg(scene)
    assert scene.say(leg, Kind.START, 1).status == 409
    assert scene.say(leg, Kind.ACCEPT, 1).status == 200
    assert scene.leg(leg.ref_no).state == leg.state
    assert [w["kind"] for w in scene.rows("work_item")] == ["inbound-refused", "report-number-reused"]


@pytest.mark.parametrize("again", [Kind.PLAN, Kind.START])
def test_of_two_held_reports_with_one_number_the_second_is_shown_if_it_is_another(scene: Scene, again: Kind) -> None:
    leg = a_leg(scene, "TRN")
    for kind in (Kind.START, again):
        assert scene.say(leg, kind, 2).status == 202
    assert scene.say(leg, Kind.ACCEPT, 1).status == 200
    assert Counter(state for _, state, _ in states(scene)) == {"applied": 2, "stale": 1}
    assert [w["kind"] for w in scene.rows("work_item")] == ["report-number-reused"] * (again is not Kind.START)


# ── at the same time ─────────────────────────────────────────────────────────────────────────────────────────────────
def at_once(world: Any, messages: list[Inbound]) -> list[Reply]:
    start = threading.Barrier(len(messages))

    def one(message: Inbound) -> Reply:
        start.wait()
        return receive(world, message)

    with ThreadPoolExecutor(len(messages)) as threads:
        return list(threads.map(one, messages))


def test_ten_duplicates_at_once_have_one_effect_and_ten_equal_receipts(real: Scene) -> None:
    leg = a_leg(real)
    one = letter(leg, Kind.ACCEPT, 1)
    jws = seal(one, real.clock.now())
    replies = at_once(real.world, [inbound(real, one, jws=jws) for _ in range(10)])
    assert {(r.status, r.receipt) for r in replies} == {(200, replies[0].receipt)}
    assert replies[0].receipt
    assert len(real.rows("outcome_fact")) == len(real.rows("inbox")) == len(real.rows("work_item")) + 1 == 1
    acts = [e["act"] for e in real.events() if e["act"].startswith("message.")]
    assert sorted(acts) == ["message.received", *["message.repeated"] * 9]


def test_ten_refused_duplicates_at_once_get_ten_equal_refusals(real: Scene) -> None:
    leg = a_leg(real)
    one = letter(leg, Kind.START, 1)
    jws = seal(one, real.clock.now())
    replies = at_once(real.world, [inbound(real, one, jws=jws) for _ in range(10)])
    assert len({r.receipt for r in replies}) == 1
    assert replies[0].receipt
    assert len(real.rows("work_item")) == len(real.rows("inbox")) == 1


def test_one_id_with_ten_contents_at_once_is_believed_once(real: Scene) -> None:
    leg, mid = a_leg(real), a_mid()
    letters = [letter(leg, Kind.ACCEPT, 1, mid=mid, text=f"{n}") for n in range(10)]
    replies = at_once(real.world, [inbound(real, one) for one in letters])
    assert sorted(r.status for r in replies) == [200, *[422] * 9]
    assert len(real.rows("outcome_fact")) == 1


def test_a_whole_story_at_once_is_applied_in_order(real: Scene) -> None:
    leg = a_leg(real)
    kinds = [Kind.ACCEPT, Kind.START, Kind.PLAN, Kind.TRAINING, Kind.SEARCH, Kind.CLOSE_UNPLACED]
    letters = [letter(leg, kind, seq) for seq, kind in enumerate(kinds, start=1)]
    random.Random(5).shuffle(letters)
    replies = at_once(real.world, [inbound(real, one) for one in letters])
    assert {r.status for r in replies} <= {200, 202}
    assert real.leg(leg.ref_no).state == "failed|closed-not-placed"
    assert states(real) == [(n, "applied", None) for n in range(1, 7)]


# ── 10: commit, then the receipt ─────────────────────────────────────────────────────────────────────────────────────
def test_when_the_database_dies_at_commit_there_is_no_receipt_and_nothing_is_stored(real: Scene, database: str) -> None:
    leg = a_leg(real)
    one = letter(leg, Kind.ACCEPT, 1)
    jws = seal(one, real.clock.now())
    before, events = real.dump(), len(real.events())
    with dying_at_commit(database), pytest.raises(StoreUnavailable):
        real.hear(one, jws=jws)
    assert (real.dump(), len(real.events())) == (before, events)
    reply = real.hear(one, jws=jws)
    assert (reply.status, real.leg(leg.ref_no).status) == (200, "accepted")


def test_the_receipt_can_be_fetched_again_by_the_message_id(scene: Scene) -> None:
    leg = a_leg(scene)
    one = letter(leg, Kind.ACCEPT, 1)
    reply = scene.hear(one)
    with scene.store.unit() as unit:
        found = unit.inbox.receipt("KEIS", one.mid)
        assert unit.inbox.receipt("KEIS", "no uuid at all") is None
    assert found is not None
    assert found.jws == reply.receipt
