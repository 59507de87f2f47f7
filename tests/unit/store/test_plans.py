"""What is asked several times a second, or of ten years of acts, is found by an index, whatever the values."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import psycopg.sql
import pytest

from gateway.store.statements import STATEMENTS
from tests.conftest import TEMPLATE, in_database, run_on

MANY = """
    insert into case_record (case_no, version, revision, status, entry_state, verdict, screened, not_to_refer,
                             branch, record, updated_at)
    select n::text, 1, 1, 'live', 'present', 'ok', 1, (n % 50 <> 0)::integer, '1100', '{}', now()
    from generate_series(1, 20000) n;
    insert into screening (case_no, revision, ruleset, gate, score, contributions, inputs_hash, result, business_date,
                           decided_at)
    select n::text, 1, 'r', 'GENERAL', 1, '[]', 'h', case when n % 50 <> 0 then 'GENERAL' else 'PRIORITY' end,
           current_date, now() from generate_series(1, 20000) n;
    analyze case_record, screening, leg, vault_key"""


def plan_of(database: str, sql: str, rows: str, *names: str) -> str:
    """How a statement with these parameters would be done among many rows, whatever the values."""
    for n, name in enumerate(names, start=1):
        sql = re.sub(f":{name}|%\\({name}\\)s", f"${n}", sql)
    with psycopg.connect(database, options="-c app.partner=*") as connection:
        connection.execute(rows)
        return "\n".join(line for (line,) in connection.execute(f"explain (generic_plan) {sql}"))


def test_who_is_to_be_referred_is_found_without_reading_all_cases(database: str) -> None:
    plan = plan_of(database, STATEMENTS.to_refer.sql, MANY, "limit")
    assert "case_to_refer" in plan
    assert "Seq Scan on case_record" not in plan


def test_who_was_taken_back_is_found_without_reading_all_cases(database: str) -> None:
    sql = re.sub(r":limit|%\(limit\)s", "$1", STATEMENTS.taken_back.sql)
    with psycopg.connect(database, options="-c app.partner=*") as connection:
        connection.execute(MANY)
        plan = "\n".join(line for (line,) in connection.execute(f"explain (generic_plan) {sql}"))
    assert "case_record_taken_back" in plan
    assert "Seq Scan on case_record" not in plan


FEW = "; delete from standing where case_no::integer % 1000 > 0"
ASKED_OF_SEATS = {"waiting_cases": (), "seats_taken": (), "seats_held": ("case_nos", "branches", "until")}


@pytest.mark.parametrize("analysed", ["", "; analyze standing"], ids=["of a young table", "of an old one"])
@pytest.mark.parametrize("statement", ASKED_OF_SEATS)
def test_who_holds_a_seat_or_waits_is_found_without_reading_all_cases(
    database: str, statement: str, analysed: str
) -> None:
    sql = getattr(STATEMENTS, statement).sql
    plan = plan_of(database, sql, MANY + FEW + analysed, *ASKED_OF_SEATS[statement])
    assert "case_record_pkey" in plan
    assert "Seq Scan on case_record" not in plan
    assert "screening" not in plan


def test_whose_judgement_no_longer_holds_is_found_without_reading_all_cases(database: str) -> None:
    plan = plan_of(database, STATEMENTS.to_judge.sql, MANY, "limit", "now")
    assert "case_record_unjudged" in plan
    assert "case_record_holds_until" in plan
    assert "Seq Scan on case_record" not in plan


LEGS = """
    insert into referral (request_no, case_no, case_version, status, authored_at, authored_on)
    values ('q', 'c', 1, 'active', now(), current_date);
    insert into leg (ref_no, request_no, case_no, case_version, partner, person_id, state, status, services,
                     legal_basis, first_answer_due, result_due, tracked, version, updated_at, judge_on)
    select n::text, 'q', n::text, 1, 'KEIS', 'p', 's', 'completed', '{}', 'LB-02', current_date, current_date,
           1, 1, now(), case when n % 50 = 0 then current_date + 30 end from generate_series(1, 20000) n;
    analyze leg"""


def test_whose_outcome_is_to_be_judged_is_found_without_reading_all_legs(database: str) -> None:
    plan = plan_of(database, STATEMENTS.untracked.sql, LEGS, "limit", "settled", "today")
    assert "leg_untracked" in plan
    assert "leg_judged_again" in plan
    assert "Seq Scan on leg" not in plan


CASES_OF_LEGS = """
    insert into case_record (case_no, version, revision, status, entry_state, verdict, updated_at)
    select n::text, 1 + (n % 50 = 0)::integer, 1, 'live', 'present', 'ok', now() from generate_series(1, 20000) n;
    insert into referral (request_no, case_no, case_version, status, authored_at, authored_on)
    values ('q', 'c', 1, 'active', now(), current_date);
    insert into leg (ref_no, request_no, case_no, case_version, partner, person_id, state, status, services,
                     legal_basis, first_answer_due, result_due, tracked, version, updated_at)
    select n::text, 'q', n::text, 1, 'KEIS', 'p', 's', 'in-progress', '{}', 'LB-02', current_date, current_date,
           1, 1, now() from generate_series(1, 20000) n;"""


@pytest.mark.parametrize("analysed", ["", "; analyze leg, case_record"], ids=["of young tables", "of old ones"])
def test_who_may_have_to_be_called_back_is_looked_up_case_by_case(database: str, analysed: str) -> None:
    plan = plan_of(database, STATEMENTS.to_withdraw.sql, CASES_OF_LEGS + analysed, "limit")
    assert "leg_case" in plan
    assert not analysed or "case_record_unsettled" in plan
    assert "Seq Scan on leg" not in plan
    assert "Join Filter" not in plan


SETTLED = "update case_record set settled = true where barred or version > 1 or unserved <> ''"


@pytest.mark.parametrize("statement", ["settle_cases", "unsettled"])
@pytest.mark.parametrize("analysed", ["", "; analyze leg, case_record"], ids=["of young tables", "of old ones"])
def test_whom_nobody_has_to_be_called_back_of_is_not_looked_at_again(
    database: str, analysed: str, statement: str
) -> None:
    plan = plan_of(database, getattr(STATEMENTS, statement).sql, CASES_OF_LEGS + SETTLED + analysed, "case_nos")
    assert "case_record_unsettled" in plan
    assert "Seq Scan on leg" not in plan


REFERRALS = """
    insert into referral (request_no, case_no, case_version, status, authored_at, authored_on)
    select n::text, n::text, 1, 'active', now(), current_date from generate_series(1, 20000) n;"""


@pytest.mark.parametrize("analysed", ["", "analyze referral"], ids=["of a young table", "of an old one"])
def test_a_request_that_ends_is_found_without_reading_all_requests(database: str, analysed: str) -> None:
    plan = plan_of(database, STATEMENTS.end_requests.sql, REFERRALS + analysed, "rows", "request_nos")
    assert "referral_pkey" in plan
    assert "Seq Scan on referral" not in plan


UPDATES = """;
    insert into rtw_update (ref_no, update_no, case_no, content, file_date, file_seq, at)
    select n::text, 1, n::text, '', current_date, 1 + n / 50, now() from generate_series(1, 20000) n;"""


@pytest.mark.parametrize("analysed", ["", "analyze rtw_update"], ids=["of a young table", "of an old one"])
def test_the_updates_of_a_file_are_found_without_reading_all_updates(database: str, analysed: str) -> None:
    plan = plan_of(database, STATEMENTS.updates_in_file.sql, LEGS + UPDATES + analysed, "file_date", "file_seq")
    assert "rtw_update_of_file" in plan
    assert "Seq Scan on rtw_update" not in plan


FILES = """
    insert into rtw_file (file_date, file_seq, written_at)
    select current_date, n, case when n % 5000 <> 0 then now() end from generate_series(1, 20000) n;"""


@pytest.mark.parametrize("analysed", ["", "analyze rtw_file"], ids=["of a young table", "of an old one"])
def test_files_that_are_not_yet_written_are_found_without_reading_all_files(database: str, analysed: str) -> None:
    plan = plan_of(database, STATEMENTS.unwritten_files.sql, FILES + analysed)
    assert "rtw_file_unwritten" in plan
    assert "Seq Scan on rtw_file" not in plan


LOG = """
    insert into xlog_head (shard, origin, vkey, size, root) values (1, 'o', 'k', 0, decode(repeat('00', 32), 'hex'));
    insert into xlog_tile (shard, level, n, data)
    select 1, 0, n, decode(repeat('00', 32), 'hex') from generate_series(1, 20000) n;
    insert into xlog_pending (event_id, leaf) select gen_random_uuid(), 'x' from generate_series(1, 500);"""


@pytest.mark.parametrize("analysed", ["", "analyze xlog_tile, xlog_pending"], ids=["of young tables", "of old ones"])
def test_the_sequencer_reads_no_tiles_and_no_leaves_but_its_own(database: str, analysed: str) -> None:
    plan = plan_of(database, STATEMENTS.tiles.sql, LOG + analysed, "shard", "levels", "ns")
    assert "xlog_tile_pkey" in plan
    assert "Seq Scan on xlog_tile" not in plan
    assert "xlog_pending_pkey" in plan_of(database, STATEMENTS.is_due.sql, "", "silence")


WAITING = """;
    insert into parked_record (case_no, version, change, facts, facts_sha256, file_id, record_no, parked_at)
    select n::text, 3, 'U', 'f', repeat('a', 64), gen_random_uuid(), 1, now() from generate_series(1, 100) n;"""
ASKED_OF_VERSIONS = {"missing_versions": ("kind", "before", "limit"), "end_missing_versions": ("kind", "at")}


@pytest.mark.parametrize("analysed", ["", "analyze parked_record"], ids=["of a young table", "of an old one"])
@pytest.mark.parametrize("statement", ASKED_OF_VERSIONS)
def test_which_versions_are_missing_is_found_without_reading_all_cases(
    database: str, statement: str, analysed: str
) -> None:
    sql, names = getattr(STATEMENTS, statement).sql, ASKED_OF_VERSIONS[statement]
    plan = plan_of(database, sql, MANY + WAITING + analysed, *names)
    assert "case_record_pkey" in plan
    assert "Seq Scan on case_record" not in plan


ACTS = """
    insert into audit_event (event_id, at, act, actor, purpose, verdict, case_no, partner, mid)
    select gen_random_uuid(), timestamptz '2026-01-01' + n * interval '1 minute',
           case when n % 10000 = 0 then 'records.destroyed' else 'delivery.attempted' end, 'gateway', 'x', 'done',
           (n % 5000)::text, case when n % 100 = 0 then 'KEAD' when n % 3 > 0 then 'KEIS' end, (n % 20000)::text
    from generate_series(1, 100000) n;"""
NOON, DAY = datetime(2026, 2, 1, 12, tzinfo=UTC), timedelta(days=1)
ASKED: dict[str, tuple[str, dict[str, object], int]] = {
    # statement, what is asked for besides nothing, how many acts that are
    "a case": ("numbers_of_case", {"case_no": "42"}, 20),
    "a case in a period": ("numbers_of_case", {"case_no": "42", "since": NOON, "until": NOON + DAY}, 20),
    "a message": ("numbers_of_message", {"mid": "42"}, 5),
    "a partner": ("numbers_with_partner", {"partner": "KEAD"}, 1000),
    "a partner in a period": ("numbers_with_partner", {"partner": "KEIS", "since": NOON, "until": NOON + DAY}, 950),
    "a period": ("numbers_in_period", {"since": NOON, "until": NOON + DAY}, 1440),
    "since a day": ("numbers_in_period", {"since": datetime(2026, 3, 11, tzinfo=UTC)}, 641),
    "what was destroyed": ("numbers_of_destructions", {"since": NOON}, 6),
    "those of some numbers": ("events_of_numbers", {"numbers": [5, 500, 50_000]}, 3),
}


@pytest.fixture(scope="module")
def full(postgres: str) -> Iterator[str]:
    """A database with a hundred thousand acts."""
    name = f"plans{os.getpid()}"
    run_on(postgres, f"create database {name} template {TEMPLATE}")
    found = in_database(postgres, name)
    with psycopg.connect(found, options="-c app.partner=*") as connection:
        connection.execute(ACTS)
    yield found
    run_on(postgres, f"drop database {name} with (force)")


@pytest.mark.parametrize("analysed", [False, True], ids=["of a young table", "of an old one"])
@pytest.mark.parametrize("limit", [None, 10], ids=["all", "the first"])
@pytest.mark.parametrize("asked", ASKED)
def test_of_all_acts_those_are_read_that_were_asked_for(
    full: str, asked: str, limit: int | None, analysed: bool
) -> None:
    statement, about, many = ASKED[asked]
    given = dict.fromkeys(("case_no", "partner", "since", "until", "mid", "acts")) | about | {"limit": limit}
    options = "-c timezone=UTC -c app.partner=* -c plan_cache_mode=force_generic_plan"
    with psycopg.connect(full, options=options, autocommit=True) as connection:
        if analysed:
            connection.execute("analyze audit_event")
        connection.execute("set role gateway_app")
        names = list[str]()
        sql = re.sub(r"%\((\w+)\)s", lambda m: f"${_place(names, m[1])}", getattr(STATEMENTS, statement).sql)
        connection.execute(f"prepare asked as {sql}")
        values = ", ".join(sql_literal(given[name], connection) for name in names)
        [(plan,)] = connection.execute(f"explain (analyze, format json) execute asked({values})")
    assert sum(map(_read, _scans(plan[0]["Plan"]))) <= many


def sql_literal(value: object, connection: psycopg.Connection[Any]) -> str:
    return psycopg.sql.Literal(value).as_string(connection)


def _place(names: list[str], name: str) -> int:
    if name not in names:
        names.append(name)
    return names.index(name) + 1


def _scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of a plan that read acts."""
    if plan.get("Relation Name") == "audit_event":
        yield plan
    for part in plan.get("Plans", ()):
        yield from _scans(part)


def _read(scan: dict[str, Any]) -> float:
    """How many rows somebody looked at, those that did not fit among them."""
    left_out: float = scan.get("Rows Removed by Filter", 0) + scan.get("Rows Removed by Index Recheck", 0)
    rows: float = scan["Actual Rows"]
    loops: float = scan["Actual Loops"]
    return (rows + left_out) * loops
