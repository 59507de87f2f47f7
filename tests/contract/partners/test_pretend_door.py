"""The door of the pretend partners: seal first, then memory, then the content; answers in the partner's dialect."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adapters.partners.pretend.__main__ import main
from gateway.listening import listen
from gateway.sealing import receipts
from gateway.sealing.keys import generate
from gateway.sealing.receipts import Decision, Receipt
from tests.contract.partners.stage import HTTP, REFERRALS, Running, Sealed

Shared = Callable[[str], Running]
PARTNERS = ("keis", "kead", "trn")
each_partner = pytest.mark.parametrize("partner", PARTNERS)

SAID = {
    "keis": lambda a: a["header"]["rsltCd"],
    "kead": lambda a: a["결과"],
    "trn": lambda a: a["issue"][0]["code"],
}
WORDS = {
    #              keis     kead            trn
    "ok":         ("0000", "정상", "informational"),
    "duplicate":  ("3001", "중복", "duplicate"),
    "format":     ("1001", "형식오류", "structure"),
    "person":     ("2002", "본인확인불가", "invalid"),
    "unknown":    ("2003", "본인확인불가", "business-rule"),
    "reused":     ("1009", "형식오류", "invariant"),
    "unproven":   ("2001", "서명오류", "security"),
}  # fmt: skip
STATUS = {"ok": 200, "duplicate": 200, "format": 422, "person": 422, "unknown": 422, "reused": 422, "unproven": 401}


def said(partner: str, answer: httpx2.Response, word: str) -> bool:
    """Whether the answer says this word in the partner's dialect, with its HTTP status."""
    status = 200 if partner == "keis" and STATUS[word] == 422 and word != "reused" else STATUS[word]
    body: Any = answer.json()
    return bool(answer.status_code == status and SAID[partner](body) == WORDS[word][PARTNERS.index(partner)])


def proof(it: Running, message: Sealed, answer: httpx2.Response) -> Receipt:
    jws = answer.headers["Comwel-Receipt-JWS"]
    return receipts.check(jws, keys=it.keys(), expected_mid=message.mid, sent_jws=message.jws)


def calm(it: Running, ref_no: str) -> tuple[Sealed, httpx2.Response]:
    """A good referral, brought again until planned mishaps are over, and the answer that took it."""
    message = it.seal(REFERRALS[it.partner](ref_no))
    for _ in range(3):
        answer = it.send(message)
        if "Comwel-Receipt-JWS" in answer.headers:
            break
    return message, answer


@each_partner
def test_a_good_referral_is_taken_and_receipted_in_the_partners_own_words(partner: str, shared: Shared) -> None:
    it = shared(partner)
    message, answer = calm(it, "R20261123-0000001")
    assert said(partner, answer, "ok")
    receipt = proof(it, message, answer)
    assert receipt.decision is Decision.ACCEPTED
    assert (receipt.iss, receipt.aud) == (partner, "comwel")
    in_body = {"keis": "receipt", "kead": "수신증"}.get(partner)
    if in_body:
        assert answer.json()[in_body] == answer.headers["Comwel-Receipt-JWS"]


@each_partner
def test_every_answer_shouts_that_it_is_pretend(partner: str, shared: Shared) -> None:
    it = shared(partner)
    assert "PRETEND" in it.banner
    for answer in (
        HTTP.get(f"{it.base}/pretend/status"),
        HTTP.get(f"{it.base}/.well-known/jwks.json"),
        HTTP.get(f"{it.base}/nowhere"),
        HTTP.post(f"{it.base}/pretend/clock", content=b"x"),
        it.send(it.seal(b"{}")),
    ):
        assert answer.headers["X-Pretend-Partner"] == f"yes, this is not {partner.upper()}"


@each_partner
def test_the_same_message_again_gets_the_same_receipt_to_the_byte(partner: str, shared: Shared) -> None:
    it = shared(partner)
    message, first = calm(it, "R20261123-0000002")
    again = it.send(message)
    assert said(partner, again, "duplicate")
    assert again.headers["Comwel-Receipt-JWS"] == first.headers["Comwel-Receipt-JWS"]


@each_partner
def test_the_same_id_with_other_bytes_is_refused_with_a_signed_receipt(partner: str, shared: Shared) -> None:
    it = shared(partner)
    message, _ = calm(it, "R20261123-0000003")
    other = it.seal(REFERRALS[partner]("R20261123-0000004"), mid=message.mid)
    answer = it.send(other)
    assert said(partner, answer, "reused")
    assert proof(it, other, answer).decision is Decision.REJECTED


@each_partner
def test_who_cannot_prove_to_be_the_gateway_gets_no_receipt(partner: str, shared: Shared) -> None:
    it = shared(partner)
    message = it.seal(REFERRALS[partner]("R20261123-0000005"))
    elsewhere = it.seal(REFERRALS[partner]("R20261123-0000005"), audience="nobody")
    used = message.headers()
    HTTP.post(message.url, content=message.body, headers=used)
    attempts = {
        "a tampered body": it.send(message, content=message.body.replace(b"0000005", b"0000006")),
        "a key of somebody else": it.send(it.seal(REFERRALS[partner]("R20261123-0000005"), key=generate("other"))),
        "the same kid, another key": it.send(it.seal(b"{}", key=generate("comwel-2026-11"))),
        "a tampered manifest": it.send(message, **{"Comwel-Message-JWS": message.jws[:-6] + "AAAAAA"}),
        "no signature": HTTP.post(message.url, content=message.body),
        "a message for somebody else": it.send(elsewhere),
        "another path": HTTP.post(f"{message.url}x", content=message.body, headers=message.headers()),
        "a query that was not signed": HTTP.post(f"{message.url}?a=1", content=message.body, headers=message.headers()),
        "a nonce used before": HTTP.post(message.url, content=message.body, headers=used),
    }
    for what, answer in attempts.items():
        assert said(partner, answer, "unproven"), what
        assert "Comwel-Receipt-JWS" not in answer.headers, what


@each_partner
def test_a_body_that_is_no_referral_is_refused_for_good(partner: str, shared: Shared) -> None:
    it = shared(partner)
    for body in (b"{}", b"[]", b"<html>", b'{"a":1,"a":2}', b"\xff", b"", b"null", b"[" * 100):
        message = it.seal(body)
        answer = it.send(message)
        assert said(partner, answer, "format"), body
        assert proof(it, message, answer).decision is Decision.REJECTED
        again = it.send(message)
        assert said(partner, again, "format"), "refused once is refused again, not a duplicate"
        assert again.headers["Comwel-Receipt-JWS"] == answer.headers["Comwel-Receipt-JWS"]


@each_partner
def test_a_person_id_of_another_partner_is_refused(partner: str, shared: Shared) -> None:
    it = shared(partner)
    own = {"keis": b"PKE-", "kead": b"PKD-", "trn": b"PTR-"}[partner]
    message = it.seal(REFERRALS[partner]("R20261123-0000007"))
    foreign = it.seal(message.body.replace(own, b"PXX-"))
    assert said(partner, it.send(foreign), "person")


CANCEL = {"keis": "REF_CNL", "kead": "취소", "trn": "referral.cancelled"}
CHANGE = {"keis": "REF_UPD", "kead": "변경"}
WITHDRAW = {"keis": "CNS_WDR", "kead": "동의철회", "trn": "consent-withdrawn"}


@pytest.mark.parametrize("partner", CHANGE)
def test_a_change_of_something_unknown_is_refused(partner: str, shared: Shared) -> None:
    it = shared(partner)
    assert said(partner, it.refer("R20261123-0099999", CHANGE[partner]), "unknown")


@each_partner
@pytest.mark.parametrize("words", [CANCEL, WITHDRAW])
def test_an_end_of_something_unknown_is_signed_for_and_there_is_nothing_to_do(
    partner: str, words: dict[str, str], shared: Shared
) -> None:
    it, ref_no = shared(partner), f"R20261123-0099{980 + (words is CANCEL)}"
    message = it.seal(REFERRALS[partner](ref_no, words[partner]))
    answer = it.send(message)
    assert said(partner, answer, "ok")
    assert proof(it, message, answer).decision is Decision.ACCEPTED
    journal = (it.home / "journal.ndjson").read_text(encoding="utf-8").splitlines()
    assert [what for line in journal if ref_no in line for what in re.findall(r'"what":"(\w+)"', line)] == ["received"]


@each_partner
@pytest.mark.parametrize("words", [CANCEL, WITHDRAW])
def test_a_cancelled_referral_is_stopped_and_its_destruction_is_in_the_journal(
    partner: str, words: dict[str, str], shared: Shared
) -> None:
    it, ref_no = shared(partner), f"R20261123-01000{0 if words is CANCEL else 1:02d}"
    calm(it, ref_no)
    assert said(partner, it.refer(ref_no, words[partner]), "ok")
    journal = (it.home / "journal.ndjson").read_text(encoding="utf-8").splitlines()
    assert any('"what":"destroyed"' in line and ref_no in line for line in journal)
    assert not any("홍길동" in line or "12345678" in line for line in journal), "the journal never knew the worker"


def test_planned_mishaps_happen_once_and_lose_nothing(shared: Shared) -> None:
    it = shared("keis")
    seen: set[str] = set()
    for number in range(2000, 2160):
        message = it.seal(REFERRALS["keis"](f"R20261123-{number:07d}"))
        first = it.send(message)
        if first.status_code == 503:
            assert first.json()["header"]["rsltCd"] == "9001"
            assert first.headers["Retry-After"] == "1"
            seen.add("busy")
        elif "html" in first.headers["Content-Type"]:
            seen.add("html")
        second = it.send(message)
        taken = "Comwel-Receipt-JWS" in first.headers
        assert said("keis", second, "duplicate" if taken else "ok")
    assert seen == {"busy", "html"}
    assert it.status()["counts"]["mishap slow"] > 0


def test_a_private_key_is_for_its_owner_only_and_not_served(shared: Shared) -> None:
    it = shared("kead")
    assert (it.home / "own.jwk").stat().st_mode & 0o077 == 0
    for jwk in HTTP.get(f"{it.base}/.well-known/jwks.json").json()["keys"]:
        assert jwk.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}


def test_a_huge_body_is_cut_off(shared: Shared) -> None:
    assert HTTP.post(f"{shared('kead').base}/api/referrals", content=b"x" * 1_048_577).status_code == 413


def test_it_does_not_start_on_a_port_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with listen("127.0.0.1", 0, "") as taken:
        port = str(taken.getsockname()[1])
        words = ["--partner", "keis", "--gateway", "http://127.0.0.1:1", "--home", str(tmp_path / "keis")]
        assert main([*words, "--port", port]) == 4
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert f"--host, --port: port {port} cannot be opened" in said.err
    assert not (tmp_path / "keis").exists()
