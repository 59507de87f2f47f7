"""The casework of the pretend partners as the gateway hears it: in time, in order, sealed, until there is a receipt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from adapters.partners.pretend import story
from adapters.partners.pretend.postman import MOST_WAITING
from adapters.partners.pretend.scripts import Kind, Mishap
from adapters.partners.pretend.server import DIALECTS
from adapters.partners.pretend.story import Story
from gateway.sealing.receipts import Decision
from tests.contract.partners.stage import HTTP, Running, StubGateway

Start = Callable[..., Running]
BASE = date(2026, 11, 23)
FAR = "2028-12-29"
each_partner = pytest.mark.parametrize("partner", ["keis", "kead", "trn"])


def stories(partner: str, seed: int = 1) -> Iterator[tuple[str, Story]]:
    """Referral numbers and what this partner will make of them; those without a planned mishap at the door."""
    for number in range(1, 5000):
        ref_no = f"R20261123-{number:07d}"
        told = story.tell(ref_no, BASE, partner=partner, seed=seed, speaks=DIALECTS[partner].speaks)
        if told.inbound is Mishap.NONE:
            yield ref_no, told


def find(partner: str, wanted: Callable[[Story], bool]) -> tuple[str, Story]:
    return next((ref_no, told) for ref_no, told in stories(partner) if wanted(told))


def plain(told: Story) -> bool:
    return len(told.events) > 4 and all(e.mishap is Mishap.NONE and not e.corrects for e in told.events)


def said(partner: str, body: dict[str, Any]) -> tuple[str, int, str]:
    """(referral number, seq, business date) of a report."""
    if partner == "keis":
        it = body["body"]
        return it["refNo"], it["rsltSeq"], f"{it['rsltDt'][:4]}-{it['rsltDt'][4:6]}-{it['rsltDt'][6:]}"
    if partner == "kead":
        return body["rno"], body["seq"], body["stageDt"]
    told = {e["url"].rsplit("/", 1)[1]: e for e in body["extension"]}
    return (
        body["identifier"][0]["value"],
        told["report-sequence"]["valuePositiveInt"],
        told["happened-on"]["valueDate"],
    )


@each_partner
def test_a_whole_story_arrives_in_order_and_nothing_before_its_day(
    partner: str, start: Start, stub_gateway: StubGateway
) -> None:
    it = start(partner)
    ref_no, told = find(partner, plain)
    it.refer(ref_no)
    quiet = it.clock(BASE.isoformat())
    assert quiet["sent"] == len([e for e in told.events if e.on <= BASE])
    while (after := it.clock(it.status()["next"]))["next"]:
        assert after["pending"] == 0
        assert {said(partner, body)[2] for _, body in stub_gateway.messages} <= {
            e.on.isoformat() for e in told.events if e.on.isoformat() <= after["today"]
        }
    heard = [said(partner, body) for _, body in stub_gateway.messages]
    assert heard == [(ref_no, at + 1, e.on.isoformat()) for at, e in enumerate(told.events)]
    assert [m.seq for m, _ in stub_gateway.messages] == list(range(1, len(told.events) + 1))
    assert {(m.iss, m.aud, m.case, m.profile) for m, _ in stub_gateway.messages} == {
        (partner, "comwel", "CASE-1", f"{partner}-outcome|1.0.0")
    }
    assert it.status()["receipts"] == len(told.events)


@each_partner
def test_one_leap_of_the_clock_tells_many_stories_each_in_its_own_order(
    partner: str, start: Start, stub_gateway: StubGateway
) -> None:
    it = start(partner)
    expected = 0
    for (ref_no, told), _ in zip(stories(partner), range(25), strict=False):
        it.refer(ref_no)
        expected += len(told.events)
    after = it.clock(FAR)
    assert (after["sent"], after["pending"], after["ahead"], after["next"]) == (expected, 0, 0, None)
    heard: dict[str, list[int]] = defaultdict(list)
    for _, body in stub_gateway.messages:
        ref_no, seq, _ = said(partner, body)
        heard[ref_no].append(seq)
    for ref_no, told in stories(partner):
        if ref_no in heard:
            late = any(e.mishap is Mishap.LATE for e in told.events)
            assert sorted(heard[ref_no]) == list(range(1, len(told.events) + 1))
            assert (heard[ref_no] == sorted(heard[ref_no])) is not late


def test_a_seed_tells_the_same_whatever_came_before(start: Start, stub_gateway: StubGateway) -> None:
    it = start("kead", "--seed", "7")
    numbers = [ref_no for (ref_no, _), _ in zip(stories("kead", 7), range(6), strict=False)]
    for ref_no in reversed(numbers):
        it.refer(ref_no)
    it.clock("2027-03-02")
    heard = sorted(said("kead", body) for _, body in stub_gateway.messages)
    expected = [
        (ref_no, at + 1, e.on.isoformat())
        for (ref_no, told), _ in zip(stories("kead", 7), range(6), strict=False)
        for at, e in enumerate(told.events)
        if e.on <= date(2027, 3, 2)
    ]
    assert heard == sorted(expected)


def test_a_report_sent_twice_gets_a_duplicate_receipt(start: Start, stub_gateway: StubGateway) -> None:
    it = start("keis")
    ref_no, told = find("keis", lambda s: any(e.mishap is Mishap.RESEND for e in s.events))
    it.refer(ref_no)
    it.clock(FAR)
    twice = sum(e.mishap is Mishap.RESEND for e in told.events)
    assert [d for _, d in stub_gateway.answers].count(Decision.DUPLICATE) == twice == it.status()["counts"]["resent"]
    assert len(stub_gateway.messages) == len(told.events)


def test_a_late_report_comes_after_its_successor(start: Start, stub_gateway: StubGateway) -> None:
    it = start("trn")
    ref_no, told = find("trn", lambda s: [e.mishap for e in s.events].count(Mishap.LATE) == 1)
    it.refer(ref_no)
    late = next(at for at, e in enumerate(told.events) if e.mishap is Mishap.LATE)
    it.clock(told.events[late].on.isoformat())
    if told.events[late + 1].on > told.events[late].on:
        assert len(stub_gateway.messages) == late, "held back although its day has come"
    it.clock(told.events[late + 1].on.isoformat())
    assert [m.seq for m, _ in stub_gateway.messages][late : late + 2] == [late + 2, late + 1]


@each_partner
def test_a_correction_names_the_report_it_replaces(partner: str, start: Start, stub_gateway: StubGateway) -> None:
    it = start(partner)
    ref_no, told = find(partner, lambda s: any(e.corrects for e in s.events))
    it.refer(ref_no)
    it.clock(FAR)
    at = next(at for at, e in enumerate(told.events) if e.corrects)
    body = next(b for m, b in stub_gateway.messages if m.seq == at + 1)
    wrong = told.events[at].corrects
    if partner == "keis":
        assert (body["header"]["trnsTpCd"], body["body"]["rsltTpCd"]) == ("OUT_COR", "90")
        assert body["body"]["orgRsltSeq"] == wrong
    elif partner == "kead":
        assert (body["stage"], body["correctsSeq"]) == ("취업", wrong)
    else:
        assert {"url": "https://gateway.example/fhir/StructureDefinition/corrects-sequence",
                "valuePositiveInt": wrong} in body["extension"]  # fmt: skip


def test_only_a_receipt_ends_a_letter(start: Start, stub_gateway: StubGateway) -> None:
    it = start("kead")
    ref_no, told = find("kead", plain)
    it.refer(ref_no)
    stub_gateway.plan += ["down", "garbage", "down"]
    it.clock(told.events[0].on.isoformat())
    assert [m.seq for m, _ in stub_gateway.messages] == [1]
    assert it.status()["counts"]["unanswered"] == 3


def test_a_signed_refusal_stops_this_report_and_the_next_one_goes_on(start: Start, stub_gateway: StubGateway) -> None:
    it = start("kead")
    ref_no, told = find("kead", plain)
    it.refer(ref_no)
    stub_gateway.plan += ["refuse"]
    it.clock(told.events[1].on.isoformat())
    assert [m.seq for m, _ in stub_gateway.messages] == [2]
    assert it.status()["refused_by_gateway"] == 1


def test_a_killed_partner_goes_on_where_it_stopped_with_the_same_bytes(start: Start, stub_gateway: StubGateway) -> None:
    it = start("keis", "--wait-seconds", "0.3")
    ref_no, told = find("keis", plain)
    it.refer(ref_no)
    jwks = HTTP.get(f"{it.base}/.well-known/jwks.json").json()
    stub_gateway.plan += ["down"] * 1000
    assert it.clock(told.events[1].on.isoformat())["pending"] == 2
    before = it.status()
    it.kill()
    journal = it.home / "journal.ndjson"
    written = [line for line in journal.read_bytes().splitlines() if b'"outgoing"' in line]
    journal.write_bytes(journal.read_bytes() + b'{"what":"outgoing","torn')
    stub_gateway.plan.clear()
    again = start("keis")
    after = again.clock(told.events[1].on.isoformat())
    assert after["pending"] == 0
    assert [m.seq for m, _ in stub_gateway.messages] == [1, 2]
    assert all(m.mid.encode() in line for (m, _), line in zip(stub_gateway.messages, written, strict=True))
    assert (before["cases"], before["next"]) == (again.status()["cases"], again.status()["next"])
    assert jwks == HTTP.get(f"{again.base}/.well-known/jwks.json").json()


def test_while_the_gateway_takes_nothing_few_letters_are_written_and_all_come_later(
    start: Start, stub_gateway: StubGateway
) -> None:
    it, expected, longest = start("kead", "--wait-seconds", "1"), 0, 0
    for ref_no, told in stories("kead"):
        it.refer(ref_no)
        expected, longest = expected + len(told.events), max(longest, len(told.events))
        if expected > MOST_WAITING * 5 / 4:
            break
    stub_gateway.plan += ["down"] * 100_000
    assert MOST_WAITING <= it.clock(FAR)["pending"] < MOST_WAITING + longest
    stub_gateway.plan.clear()
    while (after := it.clock(FAR))["ahead"]:
        assert after["sent"], "the gateway is there again, and nothing comes"
    assert (after["pending"], len(stub_gateway.messages)) == (0, expected)


CANCEL = {"keis": "REF_CNL", "kead": "취소", "trn": "abort"}  # once the work has begun


@each_partner
def test_a_cancellation_after_the_start_is_answered_and_ends_the_story(
    partner: str, start: Start, stub_gateway: StubGateway
) -> None:
    it = start(partner)
    ref_no, told = find(partner, lambda s: plain(s) and len(s.events) > 5)
    at = next(at for at, e in enumerate(told.events) if e.kind is Kind.START)
    it.refer(ref_no)
    it.clock(told.events[at].on.isoformat())
    it.refer(ref_no, CANCEL[partner])
    after = it.clock(FAR)
    assert (after["pending"], after["next"]) == (0, None)
    manifest, body = stub_gateway.messages[-1]
    assert manifest.seq == len(stub_gateway.messages) > at + 1
    if partner == "keis":
        assert (body["body"]["rsltTpCd"], body["body"]["endRsnCd"]) == ("80", "ET")
    elif partner == "kead":
        assert (body["stage"], body["closeReason"]) == ("종결", "기타")
    else:
        assert body["status"] == "cancelled"
        assert body["businessStatus"]["coding"][0]["code"] == "cancel-confirmed"


def test_the_clock_does_not_run_backwards(start: Start) -> None:
    it = start("kead")
    it.clock("2026-12-01")
    assert it.clock("2026-11-30") == {"error": "the business clock does not run backwards"}
    assert it.clock("sometime")["error"]
    assert it.status()["today"] == "2026-12-01"


@each_partner
def test_at_bench_pace_every_referral_is_placed_at_once(partner: str, start: Start, stub_gateway: StubGateway) -> None:
    it = start(partner, "--pace", "bench")
    for number in range(20):
        it.refer(f"R20261123-{number:07d}")
    each = 3 if partner == "keis" else 4
    after = it.clock(BASE.isoformat())
    assert after["pending"] == 0
    assert len(stub_gateway.messages) == 20 * each
