"""Bring a database to the newest schema: forward-only SQL files, run by Alembic, in two phases.

    pre    `versions/NNNN_name.sql`: only adds, so that the release before works on; runs before the new release starts
    post   `versions/post_NNNN_name.sql`: takes away what only the release before needed; runs when it is gone

Each phase is a line of steps of its own: a post step may count on every pre step, a pre step on no post step. The
Alembic revision is the file's stem. Alembic is loaded only when a step is missing, so that a start on a current schema
costs one query. A step gives way: it waits half a second for a table that is in use, lets everybody else go on, and
begins anew, so that neither a queue nor a deadlock forms behind it. A step that builds an index of a table everybody
writes to runs beside them, outside a transaction, and can be run again when it broke off.
Refuses to guess: a database that this release does not fit is an error that says which way it does not.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from gateway.errors import SchemaTooNew, SchemaTooOld, SettingsInvalid, StoreUnavailable

PHASES = ("pre", "post")
TRIES, PAUSE_S = 120, 0.5
CONNECT_S = 10
APP_ROLE = "gateway_app"
"""What the gateway works as: a role that owns nothing and cannot pass by row-level security."""
_HERE = Path(__file__).parent / "migrations"


def steps(phase: str) -> list[str]:
    """The steps of a phase on disk, in order."""
    pattern = "[0-9]*.sql" if phase == "pre" else "post_*.sql"
    return sorted(path.stem for path in (_HERE / "versions").glob(pattern))


def current(url: str) -> frozenset[str]:
    """The last step of each phase that a database has seen; nothing when it is empty.

    Raises StoreUnavailable, or SettingsInvalid for a login that may not ask.
    """
    try:
        with straight(url) as connection:
            known = connection.execute("select to_regclass('alembic_version')").fetchone()
            if not known or known[0] is None:
                return frozenset()
            return frozenset(str(name) for (name,) in connection.execute("select version_num from alembic_version"))
    except psycopg.errors.InsufficientPrivilege:
        wanted = f"gateway migrate with the owner's URL first, and {APP_ROLE} granted to it, with inherit"
        raise SettingsInvalid(f"GATEWAY_DATABASE_URL: this login may do nothing here; it needs {wanted}") from None


@contextmanager
def straight(url: str, **how: Any) -> Iterator[psycopg.Connection]:
    """A connection of no pool, as this login. Raises StoreUnavailable when it does not come, or breaks."""
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_S, **how) as connection:
            yield connection
    except psycopg.OperationalError:
        raise StoreUnavailable from None


def migrate(url: str, phases: Sequence[str] = PHASES) -> None:
    """Run the missing steps, each in one transaction, under an advisory lock so that two starters do not collide.

    Whoever waits for that lock asks again and again: a step that runs beside the others would wait for a waiting query.

    Raises SchemaTooOld when phase post is asked for and phase pre is not complete, SchemaTooNew when the database has
    seen a step that is not ours, StoreUnavailable when the database is away, breaks off or has a table that is in use
    without a break, and SettingsInvalid for a login that does not own the database.
    """
    targets, seen = [steps(phase)[-1] for phase in phases], current(url)
    if seen.issuperset(targets):
        return
    if unknown := seen.difference(*map(steps, PHASES)):
        raise SchemaTooNew(f"{', '.join(sorted(unknown))} has run")
    if "pre" not in phases:
        _require_pre(seen)
    with straight(url, autocommit=True) as lock:
        while lock.execute("select pg_try_advisory_lock(hashtext('gateway.migrate'))").fetchone() != (True,):
            time.sleep(PAUSE_S)
        for target in targets:
            _upgrade(url, target)


def _upgrade(url: str, target: str) -> None:
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["url"] = url
    for _ in range(TRIES):
        try:
            command.upgrade(config, target)
        except psycopg.errors.LockNotAvailable:
            time.sleep(PAUSE_S)
        except (psycopg.errors.InsufficientPrivilege, DBAPIError) as error:  # of a step, or of Alembic's own table
            cause = getattr(error, "orig", error)
            if isinstance(cause, psycopg.OperationalError):
                raise cause from None
            if not isinstance(cause, psycopg.errors.InsufficientPrivilege):
                raise
            raise SettingsInvalid("GATEWAY_OWNER_URL: `gateway migrate` needs a login that owns the database") from None
        else:
            return
    raise StoreUnavailable(f"a table is in use without a break; {target} did not begin")


def worked_with(url: str) -> bool:
    """Whether a gateway has worked with this database: an act is written in it. Raises what `current` raises."""
    if not current(url):
        return False
    with straight(url, options="-c app.partner=*") as connection:
        return connection.execute("select exists (select from audit_event)").fetchone() == (True,)


def require_fit(url: str) -> None:
    """Does this release fit the database, as this login? Raises what `fit` and `current` raise, or SettingsInvalid."""
    fit(current(url))
    with straight(url) as connection:
        row = connection.execute("select pg_has_role(%s, 'member'), current_user", (APP_ROLE,)).fetchone()
    if row and not row[0]:
        raise SettingsInvalid(f"GATEWAY_DATABASE_URL: not in the role of the gateway; grant {APP_ROLE} to {row[1]}")


def fit(seen: frozenset[str]) -> None:
    """Does this release fit a database that has seen these steps? Raises SchemaTooOld or SchemaTooNew.

    A pre step we do not know is a newer release about to start: it only added, and we work on. A post step we do not
    know has taken away what we need. A post step that is still to come disturbs nobody.
    """
    if unknown := sorted(name for name in seen.difference(steps("post")) if name.startswith("post_")):
        raise SchemaTooNew(f"{', '.join(unknown)} has run")
    _require_pre(seen)


def _require_pre(seen: frozenset[str]) -> None:
    needed = steps("pre")[-1]
    if not any(name >= needed for name in seen if not name.startswith("post_")):
        raise SchemaTooOld(f"{needed} is missing")


def run_step(revision: str) -> None:
    """Run the SQL file of a step, inside Alembic."""
    _driver().execute(_sql(revision))  # the driver itself: no placeholders are looked for


def run_step_beside(revision: str) -> None:
    """Run the SQL file of a step statement by statement, outside a transaction; it waits, and nobody waits for it."""
    from alembic import op  # noqa: PLC0415

    with op.get_context().autocommit_block():
        for statement in ("set lock_timeout = 0", *filter(None, _sql(revision).split(";\n")), "reset lock_timeout"):
            _driver().execute(statement)


def _sql(revision: str) -> str:
    return (_HERE / "versions" / f"{revision}.sql").read_text(encoding="utf-8")


def _driver() -> Any:
    from alembic import op  # noqa: PLC0415

    return op.get_bind().connection.driver_connection
