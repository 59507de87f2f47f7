"""Who needs several rows locks them in one order, so that nobody waits for somebody who waits for him."""

from __future__ import annotations

import threading
import time

import psycopg

from gateway.errors import StoreUnavailable
from gateway.store.postgres import PostgresStore
from tests.contract.store.build import EVENT, leg, request_row

PATIENCE_S = 20.0
WAITS = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"


def test_who_calls_legs_back_again_waits_for_a_report_about_them_and_the_report_not_for_him(
    postgres_store: PostgresStore,
) -> None:
    first, second = leg(1).ref_no, leg(2, partner="KEAD").ref_no
    failed = list[StoreUnavailable]()
    with postgres_store.unit() as unit:
        unit.legs.add([request_row()], [leg(1), leg(2, partner="KEAD")])
        unit.commit(EVENT)

    def call_back() -> None:
        try:
            with postgres_store.unit() as unit:
                unit.legs.mark_recalled({second: 0, first: 0})
                unit.commit(EVENT)
        except StoreUnavailable as error:
            failed.append(error)

    beside = threading.Thread(target=call_back)
    with (
        postgres_store.unit() as unit,
        psycopg.connect(str(postgres_store._pool.conninfo), autocommit=True) as watching,
    ):
        unit.legs.many([first])
        beside.start()
        until = time.monotonic() + PATIENCE_S
        while watching.execute(WAITS).fetchone() == (0,):
            assert time.monotonic() < until
            time.sleep(0.01)
        unit.legs.many([second])
        unit.commit(EVENT)
    beside.join()
    assert failed == []
