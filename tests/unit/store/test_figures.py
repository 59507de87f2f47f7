"""Every figure is the number that the rows say, and none walks a table that grows for ever."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from gateway.assembly.clocks import uuid7
from gateway.ports import Reading
from gateway.store import figures
from gateway.store.figures import FIGURES, PostgresFigures
from gateway.store.postgres import PostgresStore
from tests.conftest import leaves

TODAY = date(2026, 11, 25)
PARTNERS = ["KEAD", "KEIS"]
GROWING = ("delivery", "inbox", "leg", "work_item", "retention_check", "case_record", "rtw_update")

Numbers = dict[tuple[str, ...], float]


@pytest.fixture
def books(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the database's clock is real too


def read(store: PostgresStore) -> dict[str, Numbers]:
    return {one.name: dict(one.rows) for one in PostgresFigures(store, now).read(TODAY, PARTNERS)}


def delivery(books: psycopg.Connection, partner: str, seq: int, state: str, ago_s: int, *, due_s: int = 0) -> None:
    """A message queued `ago_s` seconds ago, due (or its lease at an end) `due_s` seconds ago."""
    lease = f"now() - interval '{due_s} s'" if state == "leased" else "null"
    books.execute(
        "insert into delivery (partner, mid, case_no, seq, state, next_at, first_at, lease_until) values"  # noqa: S608
        f" (%s, %s, '20260000000001', %s, %s, now() - interval '{due_s} s', now() - interval '{ago_s} s', {lease})",
        (partner, uuid7(), seq, state),
    )


def leg(books: psycopg.Connection, ref_no: str, status: str, answer_due: date, result_due: date) -> None:
    books.execute("insert into referral values ('Q', 'c', 1, 'active', now(), now()) on conflict do nothing")
    books.execute(
        "insert into leg (ref_no, request_no, case_no, case_version, partner, person_id, state, status, services,"
        " legal_basis, first_answer_due, result_due, updated_at)"
        " values (%s, 'Q', %s, 1, 'KEIS', 'p', %s, %s, '{}', 'LB-01', %s, %s, now())",
        (ref_no, ref_no, status, status, answer_due, result_due),
    )


def test_an_empty_gateway_shows_zeros_and_not_holes(postgres_store: PostgresStore) -> None:
    seen = read(postgres_store)
    assert seen["gateway_database_up"] == {(): 1}
    assert seen["gateway_deliveries"] == {(p, s): 0 for p in PARTNERS for s in ("ready", "leased", "blocked", "dead")}
    assert seen["gateway_delivery_oldest_waiting_seconds"] == {("KEAD",): 0, ("KEIS",): 0}
    assert seen["gateway_legs_overdue"] == {(p, c): 0 for p in PARTNERS for c in ("first-answer", "result")}
    assert seen["gateway_retention_checks_overdue"] == {(m,): 0 for m in ("P1M", "P3M", "P6M", "P12M")}
    assert seen["gateway_handover_last_timestamp_seconds"] == {}
    assert seen["gateway_database_size_bytes"][()] > 1e6
    assert seen.keys() == {f.name for f in FIGURES} | {figures.UP[0], figures.CLOCK[0]}


def test_messages_are_counted_by_partner_and_state_and_their_ages_are_seconds(
    postgres_store: PostgresStore, books: psycopg.Connection
) -> None:
    delivery(books, "KEIS", 1, "leased", 500, due_s=-60)
    delivery(books, "KEIS", 2, "ready", 9000, due_s=8000)
    delivery(books, "KEAD", 1, "ready", 700, due_s=300)
    delivery(books, "KEAD", 2, "ready", 50, due_s=40)
    delivery(books, "KEAD", 3, "delivered", 90_000)
    delivery(books, "GONE", 1, "dead", 10)
    seen = read(postgres_store)
    counted = {labels: n for labels, n in seen["gateway_deliveries"].items() if n}
    assert counted == {("KEIS", "leased"): 1, ("KEIS", "ready"): 1, ("KEAD", "ready"): 2, ("GONE", "dead"): 1}
    assert seen["gateway_delivery_oldest_waiting_seconds"] == pytest.approx({("KEIS",): 9000, ("KEAD",): 700}, abs=5)
    # KEIS: its head of line is being sent, and what waits behind it is not late
    assert seen["gateway_delivery_overdue_seconds"] == pytest.approx({("KEIS",): 0, ("KEAD",): 300}, abs=5)


def test_a_lease_that_ran_out_makes_its_message_overdue(
    postgres_store: PostgresStore, books: psycopg.Connection
) -> None:
    delivery(books, "KEIS", 1, "leased", 5000, due_s=120)
    books.execute("update delivery set next_at = now() - interval '1000 s'")
    assert read(postgres_store)["gateway_delivery_overdue_seconds"][("KEIS",)] == pytest.approx(120, abs=5)


def test_a_partner_that_is_left_alone_is_shown_so_and_owes_no_attempt(
    postgres_store: PostgresStore, books: psycopg.Connection
) -> None:
    delivery(books, "KEIS", 1, "ready", 700, due_s=300)
    delivery(books, "KEAD", 1, "ready", 700, due_s=300)
    books.execute("insert into partner_line (partner, breaker, due_at) values ('KEIS', 'open', now())")
    seen = read(postgres_store)
    assert seen["gateway_delivery_overdue_seconds"] == pytest.approx({("KEIS",): 0, ("KEAD",): 300}, abs=5)
    assert {k for k, on in seen["gateway_breaker_state"].items() if on} == {("KEIS", "open"), ("KEAD", "closed")}
    assert len(seen["gateway_breaker_state"]) == 6


def test_a_partner_whose_gate_is_shut_owes_no_attempt(postgres_store: PostgresStore, books: psycopg.Connection) -> None:
    delivery(books, "KEIS", 1, "ready", 700, due_s=300)
    books.execute("insert into partner_line (partner, gate) values ('KEIS', 'paused')")
    seen = read(postgres_store)
    assert seen["gateway_delivery_overdue_seconds"] == {("KEIS",): 0, ("KEAD",): 0}
    assert {k for k, on in seen["gateway_gate_state"].items() if on} == {("KEIS", "paused"), ("KEAD", "open")}


def test_held_reports_open_work_and_updates_are_counted_with_the_age_of_the_oldest(
    postgres_store: PostgresStore, books: psycopg.Connection
) -> None:
    for state, ago in (("held", 100), ("held", 4000), ("applied", 9000)):
        books.execute(
            "insert into inbox (partner, mid, jws_sha256, state, at)"
            " values ('KEIS', %s, '', %s, now() - make_interval(secs => %s))",
            (uuid7(), state, ago),
        )
    for kind, ago, done in (("not-placed", 60, None), ("not-placed", 7000, None), ("delivery-dead", 9000, "now()")):
        books.execute(
            "insert into work_item (kind, at, done_at) values (%s, now() - make_interval(secs => %s), %s)",
            (kind, ago, now() if done else None),
        )
    seen = read(postgres_store)
    assert seen["gateway_inbox_held"] == {("KEAD",): 0, ("KEIS",): 2}
    assert seen["gateway_inbox_oldest_held_seconds"] == pytest.approx({("KEAD",): 0, ("KEIS",): 4000}, abs=5)
    assert seen["gateway_work_items_open"] == {("not-placed",): 2}
    assert seen["gateway_work_item_oldest_seconds"] == pytest.approx({("not-placed",): 7000}, abs=5)


def test_clocks_of_legs_and_retention_run_on_business_days(
    postgres_store: PostgresStore, books: psycopg.Connection
) -> None:
    past, later = TODAY - timedelta(days=1), TODAY
    leg(books, "R1", "requested", past, later)
    leg(books, "R2", "accepted", past, later)  # it was answered
    leg(books, "R3", "in-progress", past, past)
    leg(books, "R4", "completed", past, past)
    leg(books, "R5", "received", later, later)
    for milestone, due, state in (("P1M", past, "due"), ("P3M", past, "completed"), ("P6M", later, "scheduled")):
        books.execute(
            "insert into retention_check values ('R3', %s, 'rtw-date', %s, %s, %s)", (milestone, past, due, state)
        )
    books.execute(
        "insert into rtw_update (ref_no, update_no, case_no, content, at)"
        " values ('R3', 1, 'c', '', now() - interval '900 s')"
    )
    for seq, written in ((1, now()), (2, None)):
        books.execute("insert into rtw_file values (%s, %s, null, %s)", (TODAY, seq, written))
    seen = read(postgres_store)
    assert seen["gateway_legs_overdue"][("KEIS", "first-answer")] == 1
    assert seen["gateway_legs_overdue"][("KEIS", "result")] == 1
    assert sum(seen["gateway_legs_open"].values()) == 4
    assert seen["gateway_retention_checks_overdue"] == {("P1M",): 1, ("P3M",): 0, ("P6M",): 0, ("P12M",): 0}
    assert seen["gateway_writeback_waiting"] == {(): 1}
    assert seen["gateway_writeback_oldest_waiting_seconds"][()] == pytest.approx(900, abs=5)
    assert seen["gateway_writeback_files_unwritten"] == {(): 1}


def test_files_records_cases_and_keys_are_counted(postgres_store: PostgresStore, books: psycopg.Connection) -> None:
    for n, (status, records, bad) in enumerate((("accepted", 100, 3), ("accepted", 50, 1), ("rejected", 10, 10))):
        books.execute(
            "insert into handover_file values (%s, 'A1', 'f', now(), %s, 'F', %s, %s, null, %s, %s, %s)",
            (uuid7(), n, f"{n:064}", status, records, bad, datetime(2026, 11, 24 + n, tzinfo=UTC)),
        )
    books.execute(
        "insert into case_record"
        " (case_no, version, revision, status, entry_state, verdict, screened, updated_at, record)"
        " select no, 1, 2, 'live', 'missing', 'ok', screened, now(), record::bytea"
        " from (values ('c1', 1, '{}'), ('c2', 2, '{}'), ('destroyed', 1, null)) c (no, screened, record)"
    )
    until = datetime(2027, 1, 1, tzinfo=UTC)
    for kid, end, revoked in (("a", until, None), ("b", until + timedelta(days=9), until), ("c", TODAY, None)):
        books.execute("insert into partner_key values ('keis', %s, '{}', now(), %s, %s)", (kid, end, revoked))
    seen = read(postgres_store)
    assert seen["gateway_handover_files"][("A1", "accepted")] == 2
    assert seen["gateway_handover_files"][("A1", "rejected")] == 1
    assert seen["gateway_handover_records"][("A1", "taken-in")] == 146
    assert seen["gateway_handover_records"][("A1", "quarantined")] == 4
    assert seen["gateway_handover_last_timestamp_seconds"] == {("A1",): datetime(2026, 11, 25, tzinfo=UTC).timestamp()}
    assert seen["gateway_cases_unscreened"] == {(): 1}
    assert seen["gateway_key_expiry_timestamp_seconds"] == {("keis",): until.timestamp()}


def test_what_the_exchange_log_owes_is_counted_with_its_age(
    postgres_store: PostgresStore, books: psycopg.Connection
) -> None:
    books.execute("delete from xlog_pending")
    for ago in (30, 400):
        books.execute(
            "insert into xlog_pending (event_id, leaf, created_at) values (%s, 'x', now() - make_interval(secs => %s))",
            (uuid7(), ago),
        )
    signed = datetime(2026, 11, 25, tzinfo=UTC)
    for shard, size, closed in ((1, 5, signed), (2, 7, None)):
        books.execute(
            "insert into xlog_head (shard, origin, vkey, size, root, closed_at) values (%s, %s, 'k', %s, %s, %s)",
            (shard, f"log/{shard}", size, bytes(32), closed),
        )
        for n in range(2):
            books.execute(
                "insert into xlog_checkpoint (shard, size, root, note, created_at) values (%s, %s, %s, 'n', %s)",
                (shard, size - n, bytes(32), signed + timedelta(hours=shard - n)),
            )
            books.execute(
                "insert into xlog_cosig (shard, size, witness, line, at) values (%s, %s, 'w', 'l', %s)",
                (shard, size - n, signed + timedelta(hours=shard - n, minutes=1)),
            )
    seen = read(postgres_store)
    assert seen["gateway_log_pending_leaves"] == {(): 2}
    assert seen["gateway_log_oldest_pending_seconds"][()] == pytest.approx(400, abs=5)
    assert seen["gateway_log_leaves"] == {(): 12}
    assert seen["gateway_log_cosigned_timestamp_seconds"] == {(): (signed + timedelta(hours=2, minutes=1)).timestamp()}
    assert seen["gateway_log_checkpoint_timestamp_seconds"] == {(): (signed + timedelta(hours=2)).timestamp()}


def test_a_log_that_no_witness_has_cosigned_is_old_from_its_first_checkpoint_on_where_witnesses_are_asked(
    postgres_store: PostgresStore, books: psycopg.Connection
) -> None:
    """A year begins, and no witness was told the key of the new log."""
    for shard, closed in ((1, now()), (2, None)):
        books.execute(
            "insert into xlog_head (shard, origin, vkey, size, root, closed_at) values (%s, %s, 'k', 5, %s, %s)",
            (shard, f"log/{shard}", bytes(32), closed),
        )
    opened = datetime(2026, 11, 25, tzinfo=UTC)
    for shard, size in ((1, 5), (2, 1), (2, 5)):
        books.execute(
            "insert into xlog_checkpoint (shard, size, root, note, created_at) values (%s, %s, %s, 'n', %s)",
            (shard, size, bytes(32), opened + timedelta(hours=size)),
        )
    books.execute("insert into xlog_cosig (shard, size, witness, line, at) values (1, 5, 'w', 'l', now())")
    since = {
        asked: dict(reading.rows)
        for asked in (False, True)
        for reading in PostgresFigures(postgres_store, now, witnessed=asked).read(TODAY, PARTNERS)
        if reading.name == "gateway_log_cosigned_timestamp_seconds"
    }
    assert since == {False: {}, True: {(): (opened + timedelta(hours=1)).timestamp()}}


def test_the_offset_of_the_clocks_has_a_sign(postgres_store: PostgresStore) -> None:
    for ahead in (-7.0, 0.0, 4.0):
        readings = PostgresFigures(postgres_store, lambda: now() + timedelta(seconds=ahead)).read(TODAY, [])  # noqa: B023
        (offset,) = [r.rows[0][1] for r in readings if r.name == figures.CLOCK[0]]
        assert offset == pytest.approx(ahead, abs=0.5)


def test_a_database_that_is_away_is_a_figure(database: str) -> None:
    store = PostgresStore(database, leaves())
    store.close()
    assert PostgresFigures(store, now).read(TODAY, PARTNERS) == [Reading(*figures.UP, [((), 0.0)])]


def test_figures_cannot_write(postgres_store: PostgresStore) -> None:
    with pytest.raises(Exception, match="GW-STORE"), postgres_store.glance(1.0) as connection:
        connection.execute("delete from nonce")


def test_books_that_differ_and_lists_that_were_asked_for_in_vain_are_shown_per_partner(
    postgres_store: PostgresStore, books: psycopg.Connection
) -> None:
    list_of = (
        "insert into reconciliation (list_id, partner, day, ours, stated_at, next_at, theirs, compared_at, tries)"
        " values (%s, %s, '2026-11-23', 'o', now(), now(), %s, case when %s then now() end, %s)"
    )
    for partner, theirs, tries in (("KEIS", None, 4), ("KEIS", "t", 5), ("KEAD", "t", 1), ("KEAD", None, 2)):
        books.execute(list_of, (uuid7(), partner, theirs, theirs is not None, tries))
    for gone, done in (("null", "null"), ("now()", "now()"), ("null", "now()")):  # the last was settled by an officer
        mid = uuid7()
        books.execute(
            "insert into reconciliation_difference values (%s, %s, 'out', 'not-there', '2026-11-23', now(), "  # noqa: S608
            f"{gone})",
            ("KEIS", mid),
        )
        books.execute(
            "insert into work_item (kind, code, partner, mid, at, done_at) "  # noqa: S608
            f"values ('books-differ', 'out-not-there', %s, %s, now(), {done})",
            ("KEIS", mid),
        )
    seen = read(postgres_store)
    assert seen["gateway_book_differences"] == {("KEIS",): 1, ("KEAD",): 0}
    assert seen["gateway_books_asked_in_vain"] == {("KEIS",): 0, ("KEAD",): 2}


def test_a_month_is_overdue_fifteen_days_after_its_end_until_somebody_signs_it_off(
    postgres_store: PostgresStore, books: psycopg.Connection
) -> None:
    act = (
        "insert into audit_event (event_id, at, act, actor, purpose, verdict, subject)"
        " values (%s, {}, %s, 'x', 'x', 'done', {})"
    )
    here = "date_trunc('month', (now() - interval '15 days') at time zone 'Asia/Seoul')"
    books.execute(act.format(f"{here} - interval '70 days'", "null"), (uuid7(), "cases.screened"))
    assert read(postgres_store)["gateway_access_reviews_overdue"] == {(): 3}
    for months in (1, 3):
        signed = f"to_char({here} - interval '{months} months', 'YYYY-MM')"
        books.execute(act.format("now()", signed), (uuid7(), "review.signed"))
    assert read(postgres_store)["gateway_access_reviews_overdue"] == {(): 1}


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.query)
def test_no_figure_walks_a_table_that_grows(figure: figures.Figure, books: psycopg.Connection) -> None:
    query = getattr(figures._SQL, f"figure_{figure.query}").sql
    books.execute("set enable_seqscan = off")
    asked = {"partners": PARTNERS, "today": TODAY, "witnessed": True}
    plan = "\n".join(row[0] for row in books.execute(f"explain {query}", asked))
    assert [table for table in GROWING if f"Seq Scan on {table} " in plan] == []
