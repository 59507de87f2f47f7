"""How every store finds and counts acts again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from gateway.exchange_log.audit import AuditEvent
from gateway.ports import ActsAsked, ReadsRow, Store
from tests.contract.store.build import EVENT, case, uid


def test_reads_are_counted_by_officer_purpose_and_act_and_nothing_else_is(store: Store) -> None:
    read = AuditEvent("message.explained", "kim.0417", "audit", case_no=case().case_no)
    export = AuditEvent("acts.exported", "kim.0417", "audit")
    with store.unit() as unit:
        unit.commit(read, read, replace(read, case_no=case(2).case_no), export, replace(export, actor="lee.1"), EVENT)
    with store.unit() as unit:
        [last] = [kept.at for kept in unit.events(ActsAsked()) if kept.event == EVENT]
        found = unit.reads(last - timedelta(minutes=1), last + timedelta(minutes=1))
        assert unit.reads(last + timedelta(minutes=1), last + timedelta(hours=1)) == []
    here = last.astimezone(ZoneInfo("Asia/Seoul"))
    off = here.weekday() > 4 or not 7 <= here.hour < 20
    assert list(found) == [
        ReadsRow("kim.0417", "audit", "acts.exported", 1, 0, int(off), 1),
        ReadsRow("kim.0417", "audit", "message.explained", 3, 2, 3 * off, 0),
        ReadsRow("lee.1", "audit", "acts.exported", 1, 0, int(off), 1),
    ]


def test_a_bundle_of_a_period_counts_as_taken_wholesale_and_one_of_a_case_or_a_message_does_not(store: Store) -> None:
    bundle = AuditEvent("bundle.made", "kim.0417", "lawsuit", partner="KEIS", subject="with-content")
    with store.unit() as unit:
        unit.commit(bundle, replace(bundle, case_no=case().case_no), replace(bundle, mid=uid("one")), EVENT)
    with store.unit() as unit:
        [last] = [kept.at for kept in unit.events(ActsAsked()) if kept.event == EVENT]
        [found] = unit.reads(last - timedelta(minutes=1), last + timedelta(minutes=1))
    assert (found.reads, found.wholesale) == (3, 1)


def test_of_an_act_about_many_cases_as_many_are_counted_as_it_says(store: Store) -> None:
    listed = AuditEvent("cases.listed", "kim.0417", "operations", counts={"cases": 300})
    bundle = AuditEvent("bundle.made", "kim.0417", "lawsuit", mid=uid("one"), counts={"acts": 7, "cases": 1})
    of_case = replace(bundle, mid=None, case_no=case().case_no)
    with store.unit() as unit:
        unit.commit(listed, listed, bundle, of_case, of_case, EVENT)
    with store.unit() as unit:
        [last] = [kept.at for kept in unit.events(ActsAsked()) if kept.event == EVENT]
        found = unit.reads(last - timedelta(minutes=1), last + timedelta(minutes=1))
    assert [(row.act, row.reads, row.cases) for row in found] == [("bundle.made", 3, 2), ("cases.listed", 2, 600)]


def test_months_that_were_signed_off_are_known_with_the_officer(store: Store) -> None:
    with store.unit() as unit:
        unit.commit(AuditEvent("review.signed", "lee.1", "access-review", subject="2026-10"), EVENT)
    with store.unit() as unit:
        assert unit.reviewed() == {"2026-10": "lee.1"}


def test_acts_about_what_is_named_with_its_digest_are_found_in_their_order(store: Store) -> None:
    said = [
        ("map.activated", "a/sha256-1"),
        ("map.activated", "b/sha256-1"),
        ("map.ended", "a/sha256-1"),
        ("rules.activated", "c/sha256-1"),
        ("map.activated", "no-digest"),
    ]
    with store.unit() as unit:
        unit.commit(*(replace(EVENT, act=act, subject=subject) for act, subject in said))
    with store.unit() as unit:
        found = unit.named(["map.activated", "map.ended"])
        everything = unit.events(ActsAsked())
    assert [(one.event.act, one.event.subject) for one in found] == said[:3]
    assert [one.id for one in found] == [one.id for one in everything[:3]]
    assert len({one.id for one in everything} - {None}) == 5


def test_acts_are_found_by_case_partner_message_and_time(store: Store) -> None:
    case_no, mid = case(1).case_no, uid("m1")
    about: list[dict[str, Any]] = [
        {"case_no": case_no, "partner": "KEIS", "mid": mid},
        {"case_no": case_no},
        {"partner": "KEIS", "mid": mid},
    ]
    with store.unit() as unit:
        unit.commit(*(replace(EVENT, **ids) for ids in about))

    def found(**asked: object) -> list[int]:
        with store.unit() as unit:
            numbers = [one.number for one in unit.events(ActsAsked())]
            return [numbers.index(one.number) for one in unit.events(ActsAsked(**asked))]  # type: ignore[arg-type]

    assert found(case_no=case_no) == [0, 1]
    assert found(case_no=case_no, mid=mid) == found(case_no=case_no, partner="KEIS") == [0]
    assert found(mid=mid) == found(partner="KEIS") == [0, 2]
    assert found(acts=(EVENT.act,)) == [0, 1, 2]
    assert found(acts=("records.destroyed",)) == found(case_no=case_no, acts=()) == []
    with store.unit() as unit:
        at = unit.events(ActsAsked())[0].at
    assert found(case_no=case_no, until=at) == found(until=at) == []
    assert found(case_no=case_no, since=at) == [0, 1]
    assert found(partner="KEIS", since=at, until=at + timedelta(hours=1)) == [0, 2]
    assert found(partner="KEIS", until=at) == []


def test_of_the_acts_asked_for_the_first_are_told_or_their_numbers_and_then_those_of_some(store: Store) -> None:
    kinds: list[dict[str, Any]] = [{"partner": "KEIS"}, {}, {"case_no": case().case_no}, {"mid": uid("m1")}]
    with store.unit() as unit:
        unit.commit(*(replace(EVENT, **about) for about in kinds * 3))
    with store.unit() as unit:
        everything = unit.events(ActsAsked())
        numbers = unit.numbers(ActsAsked())
        assert list(numbers) == [one.number for one in everything]
        assert list(unit.numbers(ActsAsked(partner="KEIS"))) == [one.number for one in everything[::4]]
        assert list(unit.numbers(ActsAsked(until=everything[0].at))) == []
        assert unit.events_of(numbers[2:5]) == everything[2:5]
        assert unit.events_of([]) == []
        for about in kinds:
            whole = unit.events(ActsAsked(**about))
            assert unit.events(ActsAsked(**about), limit=2) == whole[:2]
            assert unit.events(ActsAsked(**about), limit=20) == whole


def test_batches_of_destruction_are_found_by_their_time(store: Store) -> None:
    destroyed = replace(EVENT, act="records.destroyed", subject="RT/content", counts={"destroyed": 1})
    with store.unit() as unit:
        unit.commit(EVENT, destroyed, replace(EVENT, act="records.returned"), destroyed, destroyed)
    with store.unit() as unit:
        everything = unit.events(ActsAsked())
        at = everything[0].at
        assert unit.destructions(at, limit=9) == [everything[1], *everything[3:]]
        assert unit.destructions(at, limit=2) == [everything[1], everything[3]]
        assert unit.destructions(at + timedelta(hours=1), limit=9) == []
