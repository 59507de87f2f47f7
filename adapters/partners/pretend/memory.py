"""What a desk remembers of messages and cases, on disk: after a year it needs no more memory than on its first day.

Rules: it is made from the journal at each start and ends with the process, in a temporary database that has no name,
whose pages go to a file when there are many. Of what the journal says only the place is kept, the byte at which the
line begins. Refuses to guard itself: whoever asks holds the lock of the desk.
"""

from __future__ import annotations

import sqlite3
from datetime import date
from typing import Any, NamedTuple

from adapters.partners.pretend.scripts import Kind

PAGES_KIB = 1024
"""What of it is in memory at most."""
TABLES = f"""
pragma journal_mode = off;
pragma synchronous = off;
pragma cache_size = -{PAGES_KIB};
create table heard (mid text primary key, place integer not null) without rowid;
create table mishap (mid text primary key) without rowid;
create table kept (
    ref_no text primary key, place integer not null, told integer not null, said text not null,
    stopped_on text, withdrawn integer not null, due_on text) without rowid;
create index due on kept (due_on, stopped_on) where due_on is not null;
"""
KEEP = "insert or replace into kept values (?, ?, ?, ?, ?, ?, ?)"
KEPT = "select place, told, said, stopped_on, withdrawn, due_on from kept where ref_no = ?"
DUE = "select ref_no from kept where due_on is not null and due_on <= ? order by due_on, ref_no"
NEXT = "select due_on from kept where due_on is not null and stopped_on is null order by due_on limit 1"


class Stopped(NamedTuple):
    """When COMWEL stopped a case, and whether because the worker withdrew the consent."""

    on: date
    withdrawn: bool


class Kept(NamedTuple):
    """How one case stands. `place`: the line that opened it; `told`: reports written so far; `due_on`: the next."""

    place: int
    told: int = 0
    said: frozenset[Kind] = frozenset()
    stopped: Stopped | None = None
    due_on: date | None = None


class Memory:
    """An index of the journal."""

    def __init__(self) -> None:
        self._sql = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._sql.executescript(TABLES)

    def hear(self, mid: str, place: int) -> None:
        """A message was judged in the line at this place; the last word counts."""
        self._sql.execute("insert or replace into heard values (?, ?)", (mid, place))

    def heard(self, mid: str) -> int | None:
        """Where this message was judged."""
        found: int | None = self._one("select place from heard where mid = ?", mid)
        return found

    def go_wrong(self, mid: str) -> None:
        """What was planned to go wrong with this message has gone wrong."""
        self._sql.execute("insert or ignore into mishap values (?)", (mid,))

    def went_wrong(self, mid: str) -> bool:
        """Whether it has."""
        return self._one("select true from mishap where mid = ?", mid) is not None

    def keep(self, ref_no: str, case: Kept) -> None:
        """How this case stands from now on."""
        on, withdrawn = (case.stopped.on.isoformat(), case.stopped.withdrawn) if case.stopped else (None, False)
        due_on = case.due_on.isoformat() if case.due_on else None
        said = " ".join(sorted(case.said))
        self._sql.execute(KEEP, (ref_no, case.place, case.told, said, on, withdrawn, due_on))

    def kept(self, ref_no: str) -> Kept | None:
        """How this case stands."""
        row = self._sql.execute(KEPT, (ref_no,)).fetchone()
        if row is None:
            return None
        place, told, said, stopped_on, withdrawn, due_on = row
        stopped = Stopped(date.fromisoformat(stopped_on), bool(withdrawn)) if stopped_on else None
        return Kept(place, told, frozenset(map(Kind, said.split())), stopped, _date(due_on))

    def due(self, today: date) -> tuple[str, ...]:
        """The cases with something to report by today, the longest overdue first."""
        return tuple(ref_no for (ref_no,) in self._sql.execute(DUE, (today.isoformat(),)))

    def next_on(self) -> date | None:
        """When one of the cases that go on has something to report again."""
        return _date(self._one(NEXT))

    def _one(self, query: str, *given: object) -> Any:
        row = self._sql.execute(query, given).fetchone()
        return row[0] if row else None


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
