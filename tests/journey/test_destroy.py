"""The end of records: nothing of a person is left where it is due, and all that proves what happened still does."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from adapters.partners.pretend.scripts import Kind
from gateway.cases.caseload import OnHand
from gateway.errors import ContentDestroyed, HoldRefused, NoOfficer
from gateway.journey.destroy import destroy, destroy_daily, hold, plan, release
from gateway.journey.explain import explain
from gateway.journey.inbox import MISSING, MISSING_AFTER
from gateway.journey.intake import pick_up
from gateway.journey.screen import screen_cases
from gateway.sealing import base64url, receipts
from gateway.worker.rounds import quiet
from tests.journey.world import PARTNERS, Scene, a_case, again, ring

PERSONAL = ("nameFull", "phone", "birthDate", "addrText", "workplaceName", "diagnoses", "note", "matchToken")
KEPT_UNTIL, DUE_FROM = date(2031, 12, 31), date(2032, 1, 1)
"""The case of these tests is closed in 2026."""


@pytest.fixture
def closed(scene: Scene) -> Scene:
    return close(scene)


def close(scene: Scene) -> Scene:
    """A case that came to its end; COMWEL has taken the files away."""
    for file in come_to_its_end(scene).world.handed.older(date.max):
        scene.world.handed.destroy(file)
    return scene


def come_to_its_end(scene: Scene) -> Scene:
    """A case that three partners took and could not place; judged, and the updates are written."""
    for leg in scene.referred(a_case()).values():
        assert scene.say(leg, Kind.ACCEPT, 1).refusal is None
        assert scene.say(leg, Kind.CLOSE_UNPLACED, 2).refusal is None
    for _ in range(2):
        scene.clock.pass_(seconds=60)
        scene.track()
    return scene


def everything(scene: Scene) -> str:
    """All rows of all tables as text, bytes read as UTF-8."""
    with psycopg.connect(scene.store._pool.conninfo) as owner:
        names = [name for (name,) in owner.execute("select tablename from pg_tables where schemaname = 'public'")]
        return text(row for name in names for row in owner.execute(f"select * from {name}"))  # noqa: S608


def known(scene: Scene) -> str:
    """What the gateway can read of it all."""
    return text(row.values() for rows in scene.dump().values() for row in rows)


def text(rows: Iterable[Iterable[object]]) -> str:
    return "\n".join(c.decode("utf-8", "replace") if isinstance(c, bytes) else str(c) for row in rows for c in row)


def personal(record: Any, wanted: bool = False) -> Iterator[str]:
    """The values of a record that say something of the person."""
    if isinstance(record, dict):
        for name, value in record.items():
            yield from personal(value, wanted or name in PERSONAL)
    elif isinstance(record, list):
        for value in record:
            yield from personal(value, wanted)
    elif wanted and isinstance(record, str) and len(record) > 2:
        yield record


@pytest.mark.rule("R-29")
@pytest.mark.rule("R-30")
def test_from_the_first_day_on_which_nothing_keeps_it_nothing_personal_is_left(real: Scene) -> None:
    close(real)
    values = set(personal(real.record(a_case().case_no)))
    assert len(values) > 8
    real.clock.day = KEPT_UNTIL
    assert destroy(real.world) == 0
    before = known(real)
    assert [value for value in values if value not in before] == []
    real.clock.day = DUE_FROM
    assert destroy(real.world) == 1
    after = known(real) + everything(real)
    assert [value for value in values if value in after] == []
    with psycopg.connect(real.store._pool.conninfo) as owner:
        assert owner.execute("select count(content), count(destroyed_at) from vault_key").fetchone() == (0, 1)


def test_what_is_said_about_a_person_lies_in_no_table_in_the_clear(real: Scene) -> None:
    close(real)
    values = set(personal(real.record(a_case().case_no)))
    raw = everything(real)
    assert len(values) > 8
    assert a_case().case_no in raw
    assert [value for value in values if value in raw] == []


@pytest.mark.rule("R-30")
def test_signatures_and_receipts_of_what_was_destroyed_still_verify(closed: Scene) -> None:
    closed.clock.day = DUE_FROM
    destroy(closed.world)
    messages = {(m["direction"], str(m["mid"])): m for m in closed.rows("message")}
    assert {m["body"] for m in messages.values()} == {b""}
    kept = closed.rows("receipt")
    assert len(kept) == len(messages) == 3 * len(PARTNERS)
    for row in kept:
        sent = messages[row["direction"], str(row["mid"])]
        by = row["partner"] if row["direction"] == "out" else "comwel"
        stated = receipts.check(
            row["jws"], keys=ring(by).of(by.lower()), expected_mid=str(row["mid"]), sent_jws=sent["jws"]
        )
        assert [part.s256 for part in stated.parts] == [base64url.encode(sent["body_sha256"])]


@pytest.mark.rule("R-30")
def test_what_is_destroyed_is_one_event_with_class_rules_and_count(closed: Scene) -> None:
    closed.clock.day = DUE_FROM
    since = len(closed.events())
    destroy(closed.world)
    (event,) = closed.events(since)
    assert (event["act"], event["subject"], event["counts"]) == (
        "records.destroyed",
        "RT-2026.2/content",
        {"destroyed": 1},
    )
    assert destroy(closed.world) == 0


def test_after_ten_years_the_evidence_goes_too_but_no_message_id_is_forgotten(closed: Scene) -> None:
    closed.clock.day = date(2036, 12, 31)
    destroy(closed.world)
    known, events = closed.rows("inbox"), len(closed.events())
    assert len(closed.rows("message")) == len(closed.rows("receipt")) == 9
    closed.clock.day = date(2037, 1, 1)
    assert destroy(closed.world) == 1
    for table in ("case_record", "case_history", "screening", "referral", "leg", "message", "delivery", "receipt"):
        assert closed.rows(table) == [], table
    assert closed.rows("inbox") == known
    assert len(closed.events()) == events + 1


def test_the_plan_says_what_may_go_and_changes_nothing(closed: Scene) -> None:
    closed.clock.day = DUE_FROM
    before = closed.dump()
    due = {one.records.id: (one.before, one.due, one.held) for one in plan(closed.world)}
    assert due["content"] == (date(2027, 1, 1), 1, 0)
    assert due["evidence"] == (date(2022, 1, 1), 0, 0)
    assert due["access-records"] == (None, 0, 0)
    assert closed.dump() == before


def test_a_case_on_hold_stays_whole_until_it_is_released(closed: Scene) -> None:
    closed.clock.day = DUE_FROM
    hold(closed.world, a_case().case_no, "lawsuit", by="kim.0417")
    before = closed.dump()
    assert destroy(closed.world) == 0
    assert closed.dump() == before
    with pytest.raises(HoldRefused):
        hold(closed.world, a_case().case_no, "audit", by="kim.0417")
    release(closed.world, a_case().case_no, by="kim.0417")
    with pytest.raises(HoldRefused):
        release(closed.world, a_case().case_no, by="kim.0417")
    assert destroy(closed.world) == 1


def test_who_holds_a_case_and_who_releases_it_is_kept(closed: Scene) -> None:
    since = len(closed.events())
    hold(closed.world, a_case().case_no, "lawsuit", by="kim.0417")
    release(closed.world, a_case().case_no, by="lee.0102")
    kept = [(event["act"], event["actor"]) for event in closed.events(since)]
    assert kept == [("records.held", "kim.0417"), ("records.released", "lee.0102")]
    with pytest.raises(NoOfficer):
        hold(closed.world, a_case().case_no, "lawsuit", by="Kim Cheol-su")
    hold(closed.world, a_case().case_no, "lawsuit", by="kim.0417")  # it was not held


def test_an_entry_for_a_destroyed_case_leaves_nothing_that_waits_for_ever(closed: Scene) -> None:
    screen_cases(closed.world)
    closed.clock.day = DUE_FROM
    assert destroy(closed.world) == 1
    [taken] = closed.enter(again(a_case(), consent={"withdrawnAt": "2026-11-22T15:00:00+09:00"}))
    assert taken.verdict == "accepted"
    with closed.store.unit() as unit:
        assert unit.cases.unscreened(9) == []
    screen_cases(closed.world)
    closed.withdraw()
    assert quiet(closed.store, closed.clock)


def test_a_destroyed_case_holds_no_seat(closed: Scene) -> None:
    closed.clock.day = DUE_FROM
    assert destroy(closed.world) == 1
    know = closed.world.know
    [load] = know.caseloads
    one_seat = replace(load, branches={"1100": OnHand(6, carried=215)})
    closed.world = replace(closed.world, know=replace(know, caseloads=(one_seat,)))
    closed.hand_over(a_case(99), base=DUE_FROM)
    screen_cases(closed.world)
    assert closed.rows("screening")[-1]["result"] == "PRIORITY"


def test_only_a_case_that_there_is_can_be_held(scene: Scene) -> None:
    with pytest.raises(HoldRefused):
        hold(scene.world, "20260001009999", "lawsuit", by="kim.0417")
    assert scene.events() == []


def test_the_daily_round_looks_once_a_business_day(closed: Scene) -> None:
    closed.clock.day = DUE_FROM
    since = len(closed.events())
    assert [destroy_daily(closed.world) for _ in range(3)] == [1, 0, 0]
    assert [act for act, _, _ in closed.acts(since)] == ["records.reviewed", "records.destroyed"]


@pytest.mark.parametrize(("day", "rules"), [(date(2026, 11, 25), "RT-2026.1"), (date(2026, 11, 26), "RT-2026.2")])
def test_the_daily_round_goes_by_the_rules_of_its_day(quick: Scene, day: date, rules: str) -> None:
    quick.clock.day = day
    destroy_daily(quick.world)
    [reviewed] = quick.events()
    assert (reviewed["act"], reviewed["subject"]) == ("records.reviewed", rules)
    assert ("handed-files" in {one.records.id for one in plan(quick.world)}) is (rules == "RT-2026.2")


TAKEN_UP = "update case_record set version = version + 1, updated_at = now() returning case_no"
KINDS = {"content": "select destroy_content(%s, 9)", "evidence": "select destroy_evidence(%s, 9)"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_case_that_somebody_takes_up_meanwhile_stays(real: Scene, kind: str) -> None:
    """Somebody has the case in his hands while it is looked what may go; then he puts it back as it is now."""
    close(real)
    url, scope = real.store._pool.conninfo, "-c app.partner=*"
    before = date(2090, 1, 1)  # later than anything happened
    with psycopg.connect(url, options=scope) as intake, psycopg.connect(url, options=scope, autocommit=True) as round_:
        assert intake.execute(TAKEN_UP).rowcount == 1
        assert round_.execute(KINDS[kind], (before,)).fetchone() == (0,)
        intake.commit()
        assert round_.execute("select record is null from case_record").fetchall() == [(False,)]
        assert round_.execute(KINDS[kind], (before,)).fetchone() == (1,)


def test_a_case_that_came_back_with_a_backup_and_that_somebody_takes_up_meanwhile_stays(real: Scene) -> None:
    close(real)
    real.clock.day = DUE_FROM
    destroy(real.world)
    url, scope = real.store._pool.conninfo, "-c app.partner=*"
    patience, returned = f"{scope} -c lock_timeout=2s", "select destroy_returned(9)"
    with (
        psycopg.connect(url, options=scope) as intake,
        psycopg.connect(url, options=patience, autocommit=True) as round_,
    ):
        round_.execute(ROWS_BACK["case_record"].encode())
        assert intake.execute(TAKEN_UP).rowcount == 1
        assert round_.execute(returned).fetchone() == (0,)
        intake.commit()
        assert round_.execute("select record is null from case_record").fetchall() == [(False,)]
        assert round_.execute(returned).fetchone() == (1,)


@pytest.mark.rule("R-30")
def test_a_key_that_came_back_after_its_content_was_destroyed_goes_again_the_next_night(real: Scene) -> None:
    close(real)
    with psycopg.connect(real.store._pool.conninfo, autocommit=True) as owner:
        [(case_no, backup)] = owner.execute("select case_no, content from vault_key").fetchall()
        real.clock.day = DUE_FROM
        assert destroy_daily(real.world) == 1
        owner.execute("update vault_key set content = %s, destroyed_at = null", (backup,))  # as restored
        since, real.clock.day = len(real.events()), DUE_FROM.replace(day=2)
        assert destroy_daily(real.world) == 1
        assert owner.execute("select content from vault_key").fetchall() == [(None,)]
        acts = [(e["act"], e["counts"]) for e in real.events(since)]
        assert acts == [("records.reviewed", None), ("records.returned", {"destroyed": 1})]
        hold(real.world, case_no, "lawsuit", by="kim.0417")
        owner.execute("update vault_key set content = %s, destroyed_at = null", (backup,))
        real.clock.day = DUE_FROM.replace(day=3)
        assert destroy_daily(real.world) == 0
        release(real.world, case_no, by="kim.0417")
        real.clock.day = DUE_FROM.replace(day=4)
        assert destroy_daily(real.world) == 1


ROWS_BACK = {
    "case_record": "update case_record set record = '\\x00475331'",
    "case_history": "update case_history set record = '\\x00475331'",
    "message": "update message set body = '\\x00475331' where direction = 'in'",
    "outcome_fact": "update outcome_fact set content = '\\x00475331'",
    "rtw_update": "update rtw_update set content = '\\x00475331'",
}


@pytest.mark.parametrize("table", ROWS_BACK)
def test_rows_that_came_back_without_their_key_go_again(real: Scene, table: str) -> None:
    close(real)
    real.clock.day = DUE_FROM
    destroy(real.world)
    with psycopg.connect(real.store._pool.conninfo, autocommit=True) as owner:
        owner.execute(f"alter table {table} disable trigger user")
        changed = owner.execute(ROWS_BACK[table].encode())
        assert changed.rowcount > 0
        owner.execute(f"alter table {table} enable trigger user")
        with real.store.unit() as unit:
            assert unit.retention.destroy_returned(9) == 1
            unit.commit(real.world.event("records.returned", "data-retention"))
        assert "GS1" not in str(owner.execute(f"select * from {table}").fetchall())  # noqa: S608
        with real.store.unit() as unit:
            assert unit.retention.destroy_returned(9) == 0


def test_a_message_whose_content_was_destroyed_is_not_explained(closed: Scene) -> None:
    mid = next(str(m["mid"]) for m in closed.rows("message") if m["direction"] == "out")
    assert explain(closed.world, mid, by="kim.0417").same_bytes
    closed.clock.day = DUE_FROM
    destroy(closed.world)
    with pytest.raises(ContentDestroyed):
        explain(closed.world, mid, by="kim.0417")


@pytest.mark.parametrize("day", [DUE_FROM, date(2037, 1, 1)], ids=["content", "evidence"])
def test_a_report_that_waits_for_another_ends_with_its_case(closed: Scene, day: date) -> None:
    leg = closed.legs(a_case().case_no)["KEIS"]
    assert closed.say(leg, Kind.START, 4).status == 202
    closed.clock.at += MISSING_AFTER + timedelta(seconds=1)
    closed.track()
    assert [w["kind"] for w in closed.rows("work_item") if w["done_at"] is None].count(MISSING) == 1
    closed.clock.day, since = day, len(closed.events())
    assert destroy(closed.world) > 0
    closed.track()
    waited = [(row["state"], row["code"]) for row in closed.rows("inbox") if row["seq"] == 4]
    assert waited == [("refused", ContentDestroyed.code)]
    assert [w for w in closed.rows("work_item") if (w["kind"], w["done_at"]) == (MISSING, None)] == []
    acts = [(e["act"], e["counts"]) for e in closed.events(since)]
    assert acts[-1] == ("reports.missed", {"refused": 1})
    assert destroy(closed.world) == 0
    assert len(closed.events(since)) == len(acts)


def test_the_engine_works_on_among_cases_without_content(closed: Scene) -> None:
    closed.clock.day = DUE_FROM
    destroy(closed.world)
    assert closed.withdraw() + closed.track() + closed.deliver() == 0
    with closed.store.unit() as unit:
        assert unit.counts()["referrals"] == 1
        assert len(list(unit.cases.report())) == 1
        assert len(list(unit.outbox.report())) == 9


# ── files on the disk ────────────────────────────────────────────────────────────────────────────────────────────────
FILES_DUE_FROM = date(2029, 1, 1)


def handed(scene: Scene) -> set[str]:
    """Data files that were answered, and those written for COMWEL."""
    folders = (scene.world.limits.from_comwel / "done", scene.world.limits.to_comwel)
    return {p.name for folder in folders for p in folder.iterdir() if p.suffix in (".dat", ".ndjson")}


@pytest.fixture
def answered(scene: Scene) -> Scene:
    """The files of a closed case lie where answered files lie, as old as the case."""
    come_to_its_end(scene)
    pick_up(scene.world)
    written = scene.clock.now().timestamp()
    for folder in (scene.world.limits.from_comwel, scene.world.limits.to_comwel):
        for path in folder.rglob("*.*"):
            os.utime(path, (written, written))
    assert {name.split("_")[1] for name in handed(scene)} == {"CASE", "JC", "ACK", "JCACK", "RTW"}
    return scene


@pytest.mark.rule("R-30")
def test_files_from_and_for_comwel_end_with_an_act_that_says_how_many(answered: Scene) -> None:
    many, since = len(handed(answered)), len(answered.events())
    answered.clock.day = FILES_DUE_FROM - timedelta(days=1)
    destroy(answered.world)
    assert len(handed(answered)) == many
    answered.clock.day = FILES_DUE_FROM
    due = {one.records.id: (one.due, one.held) for one in plan(answered.world)}
    assert due["handed-files"] == (many, 0)
    assert destroy(answered.world) == many
    assert handed(answered) == set()
    (event,) = answered.events(since)
    assert (event["act"], event["subject"]) == ("records.destroyed", "RT-2026.2/handed-files")
    assert event["counts"] == {"destroyed": many}


def test_a_file_with_a_case_on_hold_in_it_stays_until_the_case_is_released(answered: Scene) -> None:
    before = handed(answered)
    hold(answered.world, a_case().case_no, "lawsuit", by="kim.0417")
    answered.clock.day = FILES_DUE_FROM
    due = {one.records.id: (one.due, one.held) for one in plan(answered.world)}
    assert due["handed-files"] == (0, len(before))
    assert destroy(answered.world) == 0
    assert handed(answered) == before
    release(answered.world, a_case().case_no, by="kim.0417")
    assert destroy(answered.world) == len(before)
