"""Migrations in two phases, and a gateway that refuses a database it does not fit."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gateway.errors import SchemaTooNew, SchemaTooOld, SettingsInvalid, StoreUnavailable
from gateway.store import migrate as schema
from gateway.store.migrate import PHASES, _upgrade, current, migrate, require_fit, steps, worked_with
from gateway.store.rest import seal_rest
from tests.conftest import in_database, leaves, run_on

NEWEST = {steps(phase)[-1] for phase in PHASES}


@pytest.fixture
def empty(postgres: str) -> Iterator[str]:
    """A database with nothing in it."""
    name = f"empty{os.getpid()}"
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute(f"create database {name} template template0")
        yield in_database(postgres, name)
        server.execute(f"drop database {name} with (force)")


def note(database: str, sql: str) -> None:
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(sql)


def test_an_empty_database_comes_to_the_newest_steps_of_both_phases(empty: str) -> None:
    migrate(empty)
    assert current(empty) == NEWEST
    require_fit(empty)


def test_the_phases_one_after_the_other_lead_to_the_same(empty: str) -> None:
    migrate(empty, ("pre",))
    assert current(empty) == {steps("pre")[-1]}
    require_fit(empty)
    migrate(empty, ("post",))
    assert current(empty) == NEWEST


@pytest.fixture
def guest(postgres: str) -> Iterator[str]:
    """A login of the server that owns nothing."""
    name = f"guest{os.getpid()}"
    run_on(postgres, f"create role {name} login password 'x'")
    yield name
    run_on(postgres, f"drop role {name}")


def test_a_login_that_does_not_own_the_database_is_told_whose_is_needed(guest: str, empty: str) -> None:
    as_guest = make_conninfo(empty, user=guest, password="x")
    with pytest.raises(SettingsInvalid, match="a login that owns the database"):
        migrate(as_guest)
    _upgrade(empty, INDEX)
    note(empty, f"grant select, insert, update on alembic_version to {guest}")
    with pytest.raises(SettingsInvalid, match="a login that owns the database"):
        migrate(as_guest)


def test_a_database_that_lets_nobody_in_any_more_is_away(guest: str, empty: str) -> None:
    note(empty, f"alter role {guest} connection limit 1")
    note(empty, f"alter database {conninfo_to_dict(empty)['dbname']} owner to {guest}")
    with pytest.raises(StoreUnavailable):
        migrate(make_conninfo(empty, user=guest, password="x"))  # one that locks, and none for the steps


@pytest.mark.parametrize("act", [migrate, require_fit, worked_with, lambda url: seal_rest(url, leaves().vault)])
def test_a_database_that_goes_away_after_the_first_look_is_away(
    act: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = frozenset({steps("pre")[-1]})
    monkeypatch.setattr(schema, "current", lambda _: seen)
    with pytest.raises(StoreUnavailable):
        act("postgresql://nobody@127.0.0.1:1/none")


def test_phase_post_is_refused_before_phase_pre(empty: str) -> None:
    with pytest.raises(SchemaTooOld, match="gateway migrate --phase pre"):
        migrate(empty, ("post",))
    assert current(empty) == set()


def test_an_older_database_is_refused_and_the_operator_is_told_what_to_run(database: str) -> None:
    note(database, "update alembic_version set version_num = '0001_first' where version_num !~ '^post'")
    with pytest.raises(SchemaTooOld, match=r"older than this release: \S+ is missing; run gateway migrate --phase pre"):
        require_fit(database)


def test_a_release_works_on_while_the_next_one_has_only_added(database: str) -> None:
    note(database, "update alembic_version set version_num = '9999_next' where version_num !~ '^post'")
    require_fit(database)


def test_a_release_refuses_a_database_from_which_a_newer_one_has_taken_away(database: str) -> None:
    note(database, "update alembic_version set version_num = 'post_9999_next' where version_num ~ '^post'")
    with pytest.raises(SchemaTooNew, match="post_9999_next has run; start the release that migrated it"):
        require_fit(database)


def test_a_post_step_that_is_still_to_come_disturbs_nobody(database: str) -> None:
    note(database, "delete from alembic_version where version_num ~ '^post'")
    require_fit(database)


@pytest.mark.parametrize("phases", [PHASES, ("pre",), ("post",)])
def test_an_older_release_does_not_migrate_a_newer_database(database: str, phases: tuple[str, ...]) -> None:
    note(database, "update alembic_version set version_num = '9999_next' where version_num !~ '^post'")
    note(database, "delete from alembic_version where version_num ~ '^post'")
    with pytest.raises(SchemaTooNew, match="9999_next"):
        migrate(database, phases)


INDEX = "0016_acts_of_a_message"


@pytest.fixture
def as_of_the_index(database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database that the step of this index is missing in, and a release whose last step it is."""
    monkeypatch.setattr(schema, "steps", lambda phase: [one for one in steps(phase) if phase == "post" or one <= INDEX])
    note(database, "update alembic_version set version_num = '0015_own_keys' where version_num !~ '^post'")
    return database


def is_valid(owner: psycopg.Connection) -> bool:
    found = owner.execute("select indisvalid from pg_index where indexrelid = 'audit_event_mid'::regclass")
    return found.fetchall() == [(True,)]


BEFORE_THE_INDEX = "0015_own_keys"


def test_an_index_is_built_beside_whoever_writes_and_by_one_of_two_starters(empty: str) -> None:
    _upgrade(empty, BEFORE_THE_INDEX)
    write = (
        "insert into audit_event (event_id, at, act, actor, purpose, verdict)"
        " values (gen_random_uuid(), now(), 'a', 'b', 'c', 'done')"
    )
    building = (
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and query ~ 'create index concurrently' and wait_event_type = 'Lock'"
    )
    whole = "-c app.partner=* -c statement_timeout=20s"
    with psycopg.connect(empty, autocommit=True, options=whole) as owner, ThreadPoolExecutor(2) as starters:
        with psycopg.connect(empty, options=whole) as slow:
            slow.execute(write)
            both = [starters.submit(migrate, empty) for _ in range(2)]
            while owner.execute(building).fetchone() != (1,):
                time.sleep(0.02)
            owner.execute(write)  # and does not wait behind the step
            assert not any(one.done() for one in both)
        assert [one.result(60) for one in both] == [None, None]
        assert is_valid(owner)


def test_an_index_that_broke_off_is_built_anew(empty: str) -> None:
    _upgrade(empty, BEFORE_THE_INDEX)
    note(empty, "create index audit_event_mid on audit_event (mid)")
    note(empty, "update pg_index set indisvalid = false where indexrelid = 'audit_event_mid'::regclass")
    migrate(empty)
    with psycopg.connect(empty) as owner:
        assert is_valid(owner)
