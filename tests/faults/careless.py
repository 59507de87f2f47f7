"""Negative controls: the gateway as somebody in haste would have written it. The harness must notice every one.

Each is a statement of the store said otherwise, in the processes of one round, and what the database forbids by itself
taken away where that would save the careless.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import aiosql
import psycopg

from gateway.store import statements

SQL = Path(statements.__file__).parent / "sql"


class Control(NamedTuple):
    """What is done otherwise: `careful` stands in the statements once, `careless` in its place."""

    says: str
    careful: str
    careless: str
    allows_twice: bool = False  # without what the database forbids: the same message id twice


CONTROLS = {
    "mark-before-send": Control(
        "a message counts as delivered when it is claimed",
        "set state = 'leased', fence = d.fence + 1",
        "set state = 'delivered', fence = d.fence + 1",
    ),
    "no-fence": Control(
        "whoever ends an attempt last decides",
        "where d.partner = f.partner and d.mid = f.mid and d.fence = f.fence and d.state = 'leased'",
        "where d.partner = f.partner and d.mid = f.mid",
    ),
    "get-then-put": Control(
        "a message id is looked up, then written",
        "on conflict do nothing returning partner, mid, inbox_seq",
        "returning partner, mid, inbox_seq",
        allows_twice=True,
    ),
    "no-on-conflict": Control(
        "whoever writes the same id at the same moment gets an error",
        "on conflict do nothing returning partner, mid, inbox_seq",
        "returning partner, mid, inbox_seq",
    ),
    "short-memory": Control(
        "message ids are forgotten after two seconds",
        "from inbox where partner = asked.partner and mid = asked.mid limit 1) i",
        "from inbox where partner = asked.partner and mid = asked.mid and at > now() - interval '2 s' limit 1) i",
        allows_twice=True,
    ),
}


def be(careless: str) -> None:
    """Say one statement otherwise from now on, in this process; nothing when empty."""
    if not careless:
        return
    control = CONTROLS[careless]
    careful = "\n\n".join(path.read_text(encoding="utf-8") for path in sorted(SQL.glob("*.sql")))
    assert careful.count(control.careful) == 1, careless
    said = careful.replace(control.careful, control.careless)
    otherwise = aiosql.from_str(said, statements._Adapter, mandatory_parameters=False)
    vars(statements.STATEMENTS).update(vars(otherwise))


def allow(careless: str, database: str) -> None:
    """Take away what the database itself forbids, where the control says so."""
    if careless and CONTROLS[careless].allows_twice:
        with psycopg.connect(database, autocommit=True) as connection:
            for table in ("inbox", "message", "receipt"):
                connection.execute(f"alter table {table} drop constraint {table}_pkey cascade")
