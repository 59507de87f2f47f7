"""Who needs several rows locks them in one order, so that nobody waits for somebody who waits for him.

And what is looked up before it is locked is not believed when it has changed in between.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from gateway.errors import StoreUnavailable
from gateway.ports import CaseChange, Unit
from gateway.store import migrate
from gateway.store.postgres import PostgresStore
from gateway.store.statements import STATEMENTS
from tests.contract.store.build import EVENT, case, leg, request_row, screening

PATIENCE_S = 20.0
WAITS = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"


def until_somebody_waits(watching: psycopg.Connection) -> None:
    until = time.monotonic() + PATIENCE_S
    while watching.execute(WAITS).fetchone() == (0,):
        assert time.monotonic() < until
        time.sleep(0.01)


@contextmanager
def beside(store: PostgresStore, act: Callable[[Unit], object]) -> Iterator[tuple[Unit, Callable[[], None]]]:
    """A unit, and what lets another begin beside it, and waits until that one waits. Neither may be undone."""
    failed = list[StoreUnavailable]()

    def other() -> None:
        try:
            with store.unit() as unit:
                act(unit)
                unit.commit(EVENT)
        except StoreUnavailable as error:
            failed.append(error)

    thread = threading.Thread(target=other)
    with store.unit() as unit, psycopg.connect(str(store._pool.conninfo), autocommit=True) as watching:

        def let_begin() -> None:
            thread.start()
            until_somebody_waits(watching)

        yield unit, let_begin
    thread.join()
    assert failed == []


def test_who_calls_legs_back_again_waits_for_a_report_about_them_and_the_report_not_for_him(
    postgres_store: PostgresStore,
) -> None:
    first, second = leg(1).ref_no, leg(2, partner="KEAD").ref_no
    with postgres_store.unit() as unit:
        unit.legs.add([request_row()], [leg(1), leg(2, partner="KEAD")])
        unit.commit(EVENT)

    with beside(postgres_store, lambda unit: unit.legs.mark_recalled({second: 0, first: 0})) as (mine, let_begin):
        mine.legs.many([first])
        let_begin()
        mine.legs.many([second])
        mine.commit(EVENT)


def test_who_decides_about_a_case_that_is_taken_back_waits_for_its_end_and_the_end_not_for_him(
    postgres_store: PostgresStore,
) -> None:
    no = case().case_no
    with postgres_store.unit() as unit:
        unit.cases.save([CaseChange(case(), "I", None)])
        unit.cases.screened([screening(case())])
        unit.commit(EVENT)

    displaced = screening(case(), "STATUTORY")
    with beside(postgres_store, lambda unit: unit.cases.screened([displaced])) as (mine, let_begin):
        gone = mine.cases.load([no])[no]._replace(status="deleted", revision=2)
        let_begin()
        mine.cases.save([CaseChange(gone, "D", None)])
        mine.commit(EVENT)


def test_who_saves_cases_keeps_nobody_from_others(postgres_store: PostgresStore) -> None:
    with postgres_store.unit() as unit:
        unit.cases.save([CaseChange(case(1, version=2), "I", None)])
        unit.commit(EVENT)
    with psycopg.connect(str(postgres_store._pool.conninfo), autocommit=True) as owner:
        owner.execute("update case_record set settled = false")  # as when it had a leg that has ended since
        with postgres_store.unit() as unit:
            unit.cases.save([CaseChange(case(2, barred=True), "I", None)])
            free = owner.execute("select case_no from case_record for update skip locked").fetchall()
    assert free == [(case(1).case_no,)]


STANDS_STILL = """
    create function stand_still() returns trigger language plpgsql as $$
    begin
        perform pg_advisory_xact_lock(7);
        return null;
    end $$;
    create trigger stand_still before update on case_record for each statement
        when (current_setting('app.still', true) = 'on') execute function stand_still()"""
"""Whoever says so has looked at the cases as they are, and then waits."""
STEP = (Path(migrate.__file__).parent / "migrations" / "versions" / "0033_unsettled.sql").read_text("utf-8")


@pytest.mark.parametrize(
    ("settle", "given"),
    [(STATEMENTS.settle_cases.sql, {"case_nos": [case(1).case_no]}), (STEP.split(";\n")[-2], None)],
    ids=["this release", "its step"],
)
def test_a_leg_that_was_added_while_its_case_was_settled_is_called_back_when_that_has_changed(
    postgres_store: PostgresStore, settle: str, given: dict[str, list[str]] | None
) -> None:
    url, reopened = str(postgres_store._pool.conninfo), case(1, version=2)
    with postgres_store.unit() as unit:
        unit.cases.save([CaseChange(reopened, "I", None)])
        unit.commit(EVENT)
    with (
        ThreadPoolExecutor(1) as side,
        psycopg.connect(url, options="-c app.partner=* -c app.still=on", autocommit=True) as settling,
        psycopg.connect(url, autocommit=True) as owner,
    ):
        owner.execute(STANDS_STILL)
        owner.execute("update case_record set settled = false")
        owner.execute("select pg_advisory_lock(7)")
        running = side.submit(settling.execute, settle.encode(), given)
        until_somebody_waits(owner)
        with postgres_store.unit() as unit:
            unit.legs.add([request_row()], [leg(1, case_version=2)])
            unit.cases.mark_referred([reopened.case_no])
            unit.commit(EVENT)
        with postgres_store.unit() as unit:
            unit.cases.save([CaseChange(reopened._replace(version=3, revision=2), "U", None)])
            unit.commit(EVENT)
        owner.execute("select pg_advisory_unlock(7)")
        running.result(PATIENCE_S)
    with postgres_store.unit() as unit:
        assert [x.ref_no for x, _ in unit.legs.to_withdraw(9)] == [leg(1).ref_no]
