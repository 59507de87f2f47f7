"""Account: what was done about whom, with whom and when, as FHIR AuditEvents; and that somebody asked."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import islice

import psycopg
import pytest

from adapters.partners.pretend.scripts import Kind
from gateway.errors import NothingProven
from gateway.journey.account import PART, account, in_parts
from gateway.journey.provenance import provenance
from gateway.ports import ActsAsked
from tests.journey.world import Scene, a_case, assert_nothing_personal, rows

BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PrivacyDisclosure"


def _disclosures(found: list[dict[str, object]]) -> Counter[str]:
    claims = [claim for event in found for claim in event.get("meta", {}).get("profile", [])]  # type: ignore[attr-defined]
    return Counter(claim.removeprefix(BALP) for claim in claims)


@pytest.mark.rule("R-14", "R-18")
def test_every_disclosure_of_a_case_is_told_with_both_sides(scene: Scene) -> None:
    legs = scene.referred(a_case(1), a_case(2))
    scene.say(legs["KEIS"], Kind.ACCEPT, 1)
    case_no = legs["KEIS"].case_no
    found = list(account(scene.world, ActsAsked(case_no=case_no), by="auditor-1", purpose="audit"))
    assert _disclosures(found) == {".Source": 3, ".Recipient": 1}
    for event in found:
        assert [e["what"]["identifier"]["value"] for e in event["entity"] if e["role"]["code"] == "1"] == [case_no]
    sent = [event for event in found if event["type"]["code"] == "110106"]
    assert {event["agent"][1]["who"]["identifier"]["value"] for event in sent} == {"KEIS", "KEAD", "TRN"}


def test_acts_are_told_by_partner_and_period(scene: Scene) -> None:
    scene.referred(a_case())
    of_kead = list(account(scene.world, ActsAsked(partner="KEAD"), by="auditor-1", purpose="audit"))
    assert _disclosures(of_kead) == {".Source": 1}
    later = ActsAsked(since=scene.clock.now() + timedelta(days=1))
    assert list(account(scene.world, later, by="auditor-1", purpose="audit")) == []


@pytest.mark.rule("R-12")
def test_who_reads_is_kept_before_anything_is_told(scene: Scene) -> None:
    legs = scene.referred(a_case())
    before = len(scene.events())
    account(scene.world, ActsAsked(legs["KEIS"].case_no), by="auditor-1", purpose="audit")  # nothing is read yet
    [kept] = scene.events(before)
    assert (kept["act"], kept["actor"], kept["purpose"]) == ("acts.exported", "auditor-1", "audit")
    assert kept["case_no"] == legs["KEIS"].case_no
    assert kept["counts"]["acts"] > 0


@pytest.mark.parametrize("tell", [account, provenance], ids=["acts", "messages"])
def test_whoever_was_never_a_partner_begins_no_stream_of_the_log(
    scene: Scene, tell: Callable[..., Iterator[object]]
) -> None:
    scene.referred(a_case())
    before = len(scene.events())
    with pytest.raises(NothingProven):
        tell(scene.world, ActsAsked(partner="HONGGILDONG"), by="auditor-1", purpose="audit")
    assert scene.events(before) == []


MANY = """
    insert into audit_event (event_id, at, act, actor, purpose, verdict, case_no, partner)
    select gen_random_uuid(), now(), 'line.opened', 'gateway', 'operation', 'done', lpad(n::text, 14, '0'), 'KEIS'
    from generate_series(1, 20000) n"""


@pytest.mark.parametrize("tell", [account, provenance], ids=["acts", "messages"])
def test_however_many_acts_there_are_few_are_in_memory(real: Scene, tell: Callable[..., Iterator[object]]) -> None:
    real.referred(a_case())
    with psycopg.connect(real.store._pool.conninfo, options="-c app.partner=*") as owner:
        owner.execute(MANY)
    list(tell(real.world, ActsAsked(case_no=a_case().case_no), by="auditor-1", purpose="audit"))  # maps are loaded
    tracemalloc.start()
    try:
        told = tell(real.world, ActsAsked(partner="KEIS"), by="auditor-1", purpose="audit")
        first = list(islice(told, 3))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert first
    assert most < 3_000_000  # all of them take sixteen million


def test_more_acts_than_are_read_at_once_are_told_in_their_order_and_none_that_came_later(scene: Scene) -> None:
    with scene.store.unit() as unit:
        unit.commit(*(scene.world.event("acts.exported", "audit", counts={"acts": n}) for n in range(2 * PART + 1)))
    with scene.store.unit() as unit:
        numbers = unit.numbers(ActsAsked())
    with scene.store.unit() as unit:
        unit.commit(scene.world.event("acts.exported", "audit"))
    told = [kept.event.counts["acts"] for kept in in_parts(scene.world, numbers)]
    assert told == list(range(2 * PART + 1))


def test_the_account_holds_nothing_personal(scene: Scene) -> None:
    case = a_case()
    scene.referred(case)
    told = list(account(scene.world, ActsAsked(), by="auditor-1", purpose="audit"))
    assert len(told) == len(rows(scene.store, "audit_event")) - 1
    assert_nothing_personal(scene, case)
    text = repr(told)
    assert all(str(case.values[name]) not in text for name in ("korNm", "telNo", "psnMgtNo"))
