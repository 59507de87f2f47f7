"""Negative controls: the gateway as somebody in haste would have written it. The harness must notice every one.

Each is a statement of the store said otherwise, in the processes of one round, and what the database forbids by itself
taken away where that would save the careless.
"""

from __future__ import annotations

from typing import NamedTuple

import psycopg

from gateway.store import statements


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
    assert statements.SQL.count(control.careful) == 1, careless
    otherwise = statements.load(statements.SQL.replace(control.careful, control.careless))
    vars(statements.STATEMENTS).update(vars(otherwise))


def allow(careless: str, database: str) -> None:
    """Take away what the database itself forbids, where the control says so."""
    if careless and CONTROLS[careless].allows_twice:
        with psycopg.connect(database, autocommit=True) as connection:
            for table in ("inbox", "message", "receipt"):
                connection.execute(f"alter table {table} drop constraint {table}_pkey cascade")
