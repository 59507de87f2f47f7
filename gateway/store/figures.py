"""How things stand, read from SQL in one glance: the numbers of `sql/figures.sql` under the names metrics have.

Rules: read only, one snapshot, two seconds of patience for a connection and five for a statement, so that watching
never holds up work. Labels are few: partner, state, kind, way; never an id.
Refuses to raise when the database is away: that is a figure too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import aiosql

from gateway.errors import StoreUnavailable
from gateway.ports import Reading
from gateway.store.postgres import PostgresStore
from gateway.store.statements import Connection

CONNECT_S = 2.0
STATEMENT_S = 5.0
_SQL: Any = aiosql.from_path(Path(__file__).parent / "sql" / "figures.sql", "psycopg", mandatory_parameters=False)


class Figure(NamedTuple):
    """One metric: its query in `figures.sql`, its name, its labels and what it says."""

    query: str
    name: str
    labels: tuple[str, ...]
    says: str


FIGURES = (
    #      query               name                                         labels                 what it says
    Figure("deliveries", "gateway_deliveries", ("partner", "state"), "messages that are not across"),
    Figure(
        "oldest_waiting", "gateway_delivery_oldest_waiting_seconds", ("partner",), "since the oldest one was queued"
    ),
    Figure("longest_overdue", "gateway_delivery_overdue_seconds", ("partner",), "since one could have been tried"),
    Figure("breakers", "gateway_breaker_state", ("partner", "state"), "1 for how the line to a partner stands"),
    Figure("gates", "gateway_gate_state", ("partner", "state"), "1 for what an officer decided about a partner"),
    Figure("held", "gateway_inbox_held", ("partner",), "reports that wait for an earlier one"),
    Figure("oldest_held", "gateway_inbox_oldest_held_seconds", ("partner",), "since the oldest of them came"),
    Figure("work_open", "gateway_work_items_open", ("kind",), "what people have to look at"),
    Figure("oldest_work", "gateway_work_item_oldest_seconds", ("kind",), "since the oldest of it is there"),
    Figure("legs_open", "gateway_legs_open", ("partner", "status"), "referrals that are under way"),
    Figure("legs_overdue", "gateway_legs_overdue", ("partner", "clock"), "referrals whose partner owes an answer"),
    Figure("retention_overdue", "gateway_retention_checks_overdue", ("milestone",), "checks past their day"),
    Figure("handover_files", "gateway_handover_files", ("way", "status"), "files from COMWEL"),
    Figure("handover_records", "gateway_handover_records", ("way", "verdict"), "records in accepted files"),
    Figure("last_handover", "gateway_handover_last_timestamp_seconds", ("way",), "when the last good file came"),
    Figure("unscreened_cases", "gateway_cases_unscreened", (), "cases that changed and are not judged yet"),
    Figure("updates_waiting", "gateway_writeback_waiting", (), "updates that are in no file to COMWEL yet"),
    Figure("oldest_update", "gateway_writeback_oldest_waiting_seconds", (), "since the oldest of them was made"),
    Figure("files_unwritten", "gateway_writeback_files_unwritten", (), "files to COMWEL that are not on disk yet"),
    Figure(
        "book_differences", "gateway_book_differences", ("partner",), "messages on which both sides differ, unsettled"
    ),
    Figure("books_in_vain", "gateway_books_asked_in_vain", ("partner",), "how often its list was asked for since"),
    Figure("reviews_overdue", "gateway_access_reviews_overdue", (), "months whose reads nobody has signed off"),
    Figure("log_pending", "gateway_log_pending_leaves", (), "acts that are not in the exchange log's tree yet"),
    Figure("oldest_leaf", "gateway_log_oldest_pending_seconds", (), "since the oldest of them was committed"),
    Figure("log_leaves", "gateway_log_leaves", (), "leaves in the tree, over all logs"),
    Figure("last_checkpoint", "gateway_log_checkpoint_timestamp_seconds", (), "when its head was last signed"),
    Figure("last_cosigned", "gateway_log_cosigned_timestamp_seconds", (), "when a witness last cosigned it"),
    Figure("key_expiry", "gateway_key_expiry_timestamp_seconds", ("owner",), "until when an owner has a valid key"),
    Figure("writable", "gateway_database_writable", (), "1 when the database takes what is written"),
    Figure("database_size", "gateway_database_size_bytes", (), "the database on its disk"),
)
UP = ("gateway_database_up", (), "whether the database answers")
CALENDARS = ("gateway_calendar_end_timestamp_seconds", ("calendar",), "until when the days of a calendar are known")
CLOCK = ("gateway_database_clock_offset_seconds", (), "our clock minus the database's")


class PostgresFigures:
    """Reads `FIGURES`. `now` is our own clock, to be compared with the database's; `witnessed`: witnesses are asked."""

    def __init__(self, store: PostgresStore, now: Callable[[], datetime], *, witnessed: bool = False) -> None:
        self._store, self._now, self._witnessed = store, now, witnessed

    def read(self, today: date, partners: Sequence[str]) -> list[Reading]:
        """All figures; only that the database is away when it is."""
        try:
            with self._store.glance(CONNECT_S) as connection:
                connection.execute(f"set local statement_timeout = {STATEMENT_S * 1000:.0f}")
                return [Reading(*UP, [((), 1.0)]), *self._read(connection, today, list(partners))]
        except StoreUnavailable:
            return [Reading(*UP, [((), 0.0)])]

    def _read(self, connection: Connection, today: date, partners: list[str]) -> Iterator[Reading]:
        yield Reading(*CLOCK, [((), self._offset(connection))])
        asked = {"today": today, "partners": partners, "witnessed": self._witnessed}
        for figure in FIGURES:
            found = getattr(_SQL, f"figure_{figure.query}")(connection, **asked)
            rows = [(tuple(map(str, labels)), float(number)) for *labels, number in found]
            yield Reading(figure.name, figure.labels, figure.says, rows)

    def _offset(self, connection: Connection) -> float:
        """Seconds by which our clock is ahead; the database is asked half way between two looks at ours."""
        before = self._now()
        theirs: datetime = _SQL.figure_database_clock(connection)
        return (before + (self._now() - before) / 2 - theirs).total_seconds()
