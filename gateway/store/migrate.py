"""Bring a database to the newest schema: forward-only SQL files, run by Alembic.

A file `versions/NNNN_name.sql` is one step; its Alembic revision is the file's stem. Alembic is loaded only when a step
is missing, so that a start on a current schema costs one query.
"""

from __future__ import annotations

from pathlib import Path

import psycopg

from gateway.errors import StoreUnavailable

_HERE = Path(__file__).parent / "migrations"


def newest() -> str:
    """The newest revision on disk."""
    return max(path.stem for path in (_HERE / "versions").glob("*.sql"))


def current(url: str) -> str | None:
    """The revision of a database, None when it is empty. Raises StoreUnavailable."""
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            known = connection.execute("select to_regclass('alembic_version')").fetchone()
            if not known or known[0] is None:
                return None
            row = connection.execute("select version_num from alembic_version").fetchone()
            return str(row[0]) if row else None
    except psycopg.OperationalError:
        raise StoreUnavailable from None


def migrate(url: str) -> None:
    """Run the missing steps, each in one transaction, under an advisory lock so that two starters do not collide."""
    if current(url) == newest():
        return
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["url"] = url
    with psycopg.connect(url, autocommit=True) as lock:
        lock.execute("select pg_advisory_lock(hashtext('gateway.migrate'))")
        command.upgrade(config, "head")
