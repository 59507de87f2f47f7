"""What the witness has cosigned last, of each log: one SQLite file, of the standard library, so nothing else runs.

Rules: a decision and what it leaves are one transaction, one at a time in all processes, and on the disk before anybody
hears of it (`synchronous = extra`). The file itself refuses to go back: a smaller size, another root, an earlier time.
What was signed by a log and does not continue it is kept as evidence, a thousand at most. Refuses to forget.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

PATIENCE_S = 5.0
_TABLES = """
create table if not exists cosigned (
    origin  text primary key,
    size    integer not null check (size >= 0),
    root    blob not null check (length(root) = 32),
    note    text not null,
    at      integer not null
) strict;
create trigger if not exists never_back before update on cosigned
when new.origin <> old.origin or new.size < old.size or new.at < old.at
     or (new.size = old.size and new.root <> old.root)
begin select raise(abort, 'a witness never goes back'); end;
create trigger if not exists never_gone before delete on cosigned
begin select raise(abort, 'a witness never forgets'); end;

create table if not exists evidence (
    origin  text not null,
    size    integer not null,
    root    blob not null,
    note    text not null,
    beside  text not null,
    at      integer not null,
    primary key (origin, size, root)
) strict;
create trigger if not exists full before insert on evidence when (select count(*) from evidence) >= 1000
begin select raise(ignore); end;
"""


class Cosigned(NamedTuple):
    """The newest checkpoint of a log that was cosigned: the note with both signatures, and when, in POSIX seconds."""

    origin: str
    size: int
    root: bytes
    note: str
    at: int


class Memory:
    """The file. Safe for several threads and processes."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False)
        self._lock = threading.RLock()
        self._file.execute("pragma synchronous = extra")
        self._file.executescript(_TABLES)

    @contextmanager
    def deciding(self) -> Iterator[Memory]:
        """Nobody else decides meanwhile; at the end it is on the disk, after an exception it never was."""
        with self._lock:
            self._file.execute("begin immediate")
            try:
                yield self
                self._file.execute("commit")
            except BaseException:
                if self._file.in_transaction:
                    self._file.execute("rollback")
                raise

    def latest(self, origin: str) -> Cosigned | None:
        """What was cosigned last of a log."""
        with self._lock:  # never what somebody beside us is still deciding
            row = self._file.execute("select * from cosigned where origin = ?", (origin,)).fetchone()
        return Cosigned(*row) if row else None

    def remember(self, new: Cosigned) -> None:
        """This is the newest now."""
        self._file.execute(
            "insert into cosigned values (?, ?, ?, ?, ?) on conflict (origin)"
            " do update set size = excluded.size, root = excluded.root, note = excluded.note, at = excluded.at",
            new,
        )

    def keep_evidence(self, signed: Cosigned, beside: str) -> None:
        """A checkpoint that the log signed and that does not continue the one it has signed before."""
        self._file.execute("insert or ignore into evidence values (?, ?, ?, ?, ?, ?)", (*signed[:4], beside, signed.at))

    def evidence(self) -> list[tuple[str, str]]:
        """Pairs of checkpoints that no proof joins."""
        with self._lock:
            return self._file.execute("select note, beside from evidence order by at, size").fetchall()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
