"""Row-level security: what the database itself keeps apart, whatever a query forgets.

The rows are made from the catalogue: every table, five partners, the columns filled by their type. A table that a later
step adds is in these tests the moment it exists, and fails them until it has a policy or a reason not to need one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import psycopg
import pytest

from gateway.store.migrate import APP_ROLE
from gateway.store.postgres import PostgresStore
from tests.conftest import in_database, leaves

PARTNERS = ("KEIS", "KEAD", "TRN", "HRD", "WORK24")
FREE = {
    "alembic_version": "names steps of the schema, nothing else",
    "daily_round": "remembers on which day a daily round ran last",
    "xlog_stream": "counts leaves",
    "xlog_pending": "leaves are written for strangers: commitments, nothing personal",
    "xlog_entry": "as above",
    "xlog_head": "published",
    "xlog_tile": "published",
    "xlog_checkpoint": "published",
    "xlog_cosig": "published",
    "xlog_stamp": "published",
    "xlog_outside": "published by those who showed it",
    "number_series": "counts the referrals of a day",
    "rtw_file": "numbers and digests of files; their content stands in rtw_update",
    "vault_state": "says whether content is sealed yet",
}
"""Tables that hold no row of a partner or of a worker, and why."""
JOURNEY_ONLY = {
    "handover_file", "quarantined_record", "parked_record", "case_history", "screening", "referral",
    "legal_hold", "destroyed_content", "standing",
}  # fmt: skip
"""Tables that no partner's unit has a use for."""
KEPT = ("audit_event", "case_history", "message", "reconciliation", "destroyed_content")
"""Tables of which the role deletes nothing, and rewrites nothing that is evidence."""
PERMITTED = {
    "handover_file": {"way": "A1", "status": "accepted"},
    "case_record": {"status": "live", "entry_state": "present", "verdict": "ok"},
    "message": {"direction": "out"},
    "receipt": {"direction": "out"},
    "delivery": {"state": "ready"},
    "inbox": {"state": "held"},
    "standing": {"result": "PRIORITY"},
    "partner_line": {"breaker": "open", "gate": "open"},
    "reconciliation_difference": {"direction": "out"},
    "retention_check": {"milestone": "P1M", "state": "due"},
    "audit_event": {"verdict": "done"},
}
"""Values of columns that take not just any."""
BY_TYPE = {
    "integer": 1,
    "bigint": 1,
    "date": "2026-11-23",
    "timestamp with time zone": "2026-11-23T01:00Z",
    "bytea": b"x",
    "boolean": False,
    "jsonb": "{}",
    "text[]": [],
}
COLUMNS = """
select a.attname, format_type(a.atttypid, a.atttypmod) from pg_attribute a
where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped and a.attidentity = ''
"""
TABLES = """
select relname, relrowsecurity and relforcerowsecurity,
       (select count(*) from pg_policy p where p.polrelid = c.oid)
from pg_class c where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') order by relname
"""
FIRST = ("handover_file", "referral", "leg")
"""Tables that others refer to."""
Connection = psycopg.Connection[tuple[Any, ...]]


def tables(database: str) -> list[tuple[str, bool, int]]:
    with psycopg.connect(database) as owner:
        return list(owner.execute(TABLES))


def kept_apart(database: str) -> list[str]:
    names = [name for name, _, _ in tables(database) if name not in FREE]
    assert set(names) > JOURNEY_ONLY
    return sorted(names, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))


def value(table: str, column: str, kind: str, partner: str) -> object:
    """A value that names its partner wherever a column could."""
    if column in PERMITTED.get(table, {}):
        return PERMITTED[table][column]
    if column == "owner":
        return partner.lower()
    if kind == "uuid":
        return uuid5(NAMESPACE_OID, f"{partner}-{column}")
    return BY_TYPE.get(kind, partner if column == "partner" else f"{partner}-{column}")


def put(connection: Connection, table: str, partner: str) -> None:
    columns: dict[str, str] = dict(connection.execute(COLUMNS, (table,)).fetchall())
    sha = {"sha256": (partner * 64)[:64]} if table == "handover_file" else {}
    row = {name: value(table, name, kind, partner) for name, kind in columns.items()} | sha
    names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
    connection.execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))  # noqa: S608


@pytest.fixture
def filled(database: str) -> str:
    """A database with one row a table and partner."""
    with psycopg.connect(database) as owner:
        for table in kept_apart(database):
            for partner in PARTNERS:
                put(owner, table, partner)
    return database


def working(database: str, scope: str | None) -> Connection:
    """A transaction as the gateway opens it, in a scope, or in none."""
    connection = psycopg.connect(database, options=f"-c role={APP_ROLE}")
    if scope is not None:
        connection.execute("select set_config('app.partner', %s, true)", (scope,))
    return connection


def whose(rows: list[tuple[object, ...]]) -> set[str]:
    """The partners that rows name in any column."""
    said = " ".join(str(cell) for row in rows for cell in row).upper()
    return {partner for partner in PARTNERS if partner in said}


# ── who has a policy ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_every_table_is_kept_apart_or_stands_on_the_list_with_its_reason(database: str) -> None:
    bare = {name for name, secured, policies in tables(database) if not secured or not policies}
    assert bare == FREE.keys()


def test_the_gateway_works_as_a_role_that_cannot_pass_by(postgres_store: PostgresStore) -> None:
    with postgres_store._pool.connection() as connection:
        row = connection.execute(
            "select current_user::text, rolsuper, rolbypassrls, rolcanlogin, rolcreaterole,"
            " (select count(*) from pg_class where relowner = r.oid) from pg_roles r where rolname = current_user"
        ).fetchone()
        assert row == (APP_ROLE, False, False, False, False, 0)
        connection.execute("reset role")
        assert connection.execute("select current_user::text").fetchone() == (APP_ROLE,)


@pytest.mark.parametrize(
    "act", ["truncate leg", "alter table leg disable row level security", "drop policy of_partner on leg"]
)
def test_the_role_can_change_neither_tables_nor_policies(filled: str, act: str) -> None:
    with working(filled, "*") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(act)


@pytest.mark.parametrize("table", ["audit_event", "case_history", "message", "destroyed_content"])
@pytest.mark.parametrize("act", ["delete from {}", "update {} set case_no = null"])
def test_the_role_cannot_change_what_is_append_only(filled: str, table: str, act: str) -> None:
    with working(filled, "*") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(act.format(table))


@pytest.mark.parametrize("act", ["delete from reconciliation", "update reconciliation set ours = 'another'"])
def test_the_role_cannot_take_back_a_list_that_was_given(filled: str, act: str) -> None:
    with working(filled, "*") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(act)


# ── a forgotten WHERE ────────────────────────────────────────────────────────────────────────────────────────────────
def test_without_a_scope_there_is_no_row_to_see_or_to_change(filled: str) -> None:
    for scope in (None, ""):
        for table in kept_apart(filled):
            with working(filled, scope) as connection:
                assert connection.execute(f"select * from {table}").fetchall() == [], table  # noqa: S608
            with working(filled, scope) as connection:
                if table not in KEPT:
                    assert connection.execute(f"delete from {table}").rowcount == 0, table  # noqa: S608
            with working(filled, scope) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
                put(connection, table, "KEIS")


def test_the_scope_ends_with_its_transaction(filled: str) -> None:
    with working(filled, "KEIS") as connection:
        assert len(connection.execute("select * from leg").fetchall()) == 1
        connection.commit()
        assert connection.execute("select * from leg").fetchall() == []


def test_every_table_shows_each_partner_its_own_rows_and_none_of_the_others(filled: str) -> None:
    leaks, checked = [], 0
    for table in kept_apart(filled):
        for partner in PARTNERS:
            with working(filled, partner) as connection:
                seen = connection.execute(f"select * from {table}").fetchall()  # noqa: S608
            assert len(seen) == (0 if table in JOURNEY_ONLY else 1), (table, partner)
            leaks += [(table, partner, other) for other in whose(seen) - {partner}]
            checked += len(PARTNERS) - 1
    assert leaks == []
    assert checked == len(kept_apart(filled)) * 20


def test_no_partner_changes_or_makes_a_row_of_another(filled: str) -> None:
    for table in kept_apart(filled):
        for partner in PARTNERS:
            for other in set(PARTNERS) - {partner}:
                with working(filled, partner) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
                    put(connection, table, other)
            if table in KEPT:
                continue
            with working(filled, partner) as connection:
                mine = connection.execute(f"update {table} set {column(filled, table)}").rowcount  # noqa: S608
                connection.rollback()
            assert mine == (0 if table in {*JOURNEY_ONLY, "case_record", "vault_key"} else 1), (table, partner)


def column(database: str, table: str) -> str:
    """`x = x` for the first column of a table."""
    with psycopg.connect(database) as owner:
        name = owner.execute(COLUMNS, (table,)).fetchall()[0][0]
    return f"{name} = {name}"


def test_the_whole_journey_sees_every_row(filled: str) -> None:
    for table in kept_apart(filled):
        with working(filled, "*") as connection:
            assert whose(connection.execute(f"select * from {table}").fetchall()) == set(PARTNERS), table  # noqa: S608


def test_a_table_without_a_policy_is_found_out(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute("create table forgotten (partner text)")
    assert "forgotten" in {name for name, secured, policies in tables(database) if not secured or not policies}


# ── a login that does not own the database ───────────────────────────────────────────────────────────────────────────
@pytest.fixture
def login(filled: str) -> Iterator[str]:
    """The same database for a login of its own, as `GATEWAY_DATABASE_URL` beside `GATEWAY_OWNER_URL`."""
    name = psycopg.conninfo.conninfo_to_dict(filled)["dbname"]
    with psycopg.connect(filled, autocommit=True) as owner:
        owner.execute(f"create role login_{name} login password 'x' noinherit in role {APP_ROLE}")
        yield psycopg.conninfo.make_conninfo(in_database(filled, str(name)), user=f"login_{name}", password="x")
        owner.execute(f"drop role login_{name}")


def test_a_login_of_its_own_cannot_become_the_owner(login: str) -> None:
    with psycopg.connect(login, options=f"-c role={APP_ROLE}", autocommit=True) as connection:
        connection.execute("set role none")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select * from leg")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("set role postgres")


def test_a_store_works_with_a_login_of_its_own(login: str) -> None:
    store = PostgresStore(login, leaves())
    with store.unit("KEIS") as unit:
        assert [leg.partner for leg in unit.legs.many(["KEIS-ref_no", "KEAD-ref_no"]).values()] == ["KEIS"]
    store.close()


# ── the policies cost no plan ────────────────────────────────────────────────────────────────────────────────────────
def test_the_policies_leave_the_indexes_in_use(filled: str) -> None:
    with working(filled, "KEIS") as connection:
        connection.execute("set local enable_seqscan = off; set local enable_bitmapscan = off")
        by_number = "explain select * from outcome_fact where ref_no = 'KEIS-ref_no'"
        plan = "\n".join(str(line) for (line,) in connection.execute(by_number))
    assert "Index Scan using outcome_fact_leg" in plan
    assert "Index Scan using leg_pkey" in plan
