"""kill -9 at every named point of who sequences, publishes or asks witnesses: no leaf lost, none twice, it only grew.

What the process after it leaves is judged by our own checks, by the books, and by Go's sumdb.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from gateway import failpoint
from gateway.assembly.books import open_books
from gateway.cli.partners import free_port
from gateway.cli.pretend import introduce_witness
from gateway.cli.running import answers
from gateway.config import Settings
from gateway.exchange_log.audit import AuditEvent
from tests.conftest import ROOT
from tests.faults.stage import wait_for

COSIGNED = "log.cosigned"
POINTS = [point for point in failpoint.POINTS if point.startswith("log.") and point != COSIGNED]
JUDGE = ROOT / ".venv" / "log-judge"
LEAVES = 300
ACT = AuditEvent("delivery.attempted", "gateway", "vocational-rehab", partner="KEIS")
ROUNDS = """
from gateway.assembly.books import open_books
from gateway.config import read_settings
with open_books(read_settings()) as books:
    books.log.catch_up()
    books.log.witnesses.round()
"""
WITNESS = "witness.example/own"


def rounds(settings: Settings, point: str = "") -> subprocess.CompletedProcess[str]:
    """A process that gives every leaf its place; it dies at this point."""
    own = {"HOME": str(settings.home), "DATABASE_URL": str(settings.database_url)}
    own |= {"WITNESSES": str(settings.witnesses)} if settings.witnesses else {}
    armed = {"ENV": "test", "FAILPOINT": f"{point}:1"} if point else {}
    env = os.environ | {f"GATEWAY_{name}": value for name, value in (own | armed).items()}  # noqa: TID251 - a process
    command = [sys.executable, "-c", ROUNDS]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60)


def act(settings: Settings, many: int) -> None:
    with open_books(settings) as books, books.store.unit() as unit:
        unit.commit(*[ACT] * many)


@pytest.mark.parametrize("point", POINTS)
def test_who_keeps_the_log_may_die_anywhere(point: str, database: str, home: Path) -> None:
    settings = Settings(database_url=database, home=home / "gateway")
    act(settings, LEAVES)
    assert rounds(settings).returncode == 0
    [folder] = (settings.home / "xlog").iterdir()
    kept = Path(shutil.copy(folder / "checkpoint", home / "kept"))
    act(settings, LEAVES)

    died = rounds(settings, point)
    assert (died.returncode, point in died.stderr) == (-signal.SIGKILL, True)
    assert rounds(settings).returncode == 0

    with open_books(settings) as books:
        assert [str(finding) for finding in books.log.findings()] == []
        size = books.log.head().size
    assert size == 2 * LEAVES + 1  # the first one opened the log
    with psycopg.connect(database, options="-c app.partner=*") as connection:
        once = "select count(*), count(distinct event_id) from xlog_entry join audit_event using (event_id)"
        assert connection.execute(once).fetchone() == (2 * LEAVES, 2 * LEAVES)
        assert connection.execute("select count(*) from xlog_pending").fetchone() == (0,)
    assert (folder / "checkpoint").read_text().split("\n")[1] == str(size)
    vkey = (folder / "log.vkey").read_text().strip()
    judged = subprocess.run([str(JUDGE), str(folder), vkey, str(kept)], capture_output=True, text=True, check=False)
    assert (judged.returncode, judged.stdout[:11]) == (0, f"{size} leaves,"[:11])


def test_there_are_eight_points_to_die_at_and_one_when_a_witness_has_answered() -> None:
    assert (len(POINTS), COSIGNED in failpoint.POINTS) == (8, True)


@contextmanager
def witnessed(settings: Settings) -> Iterator[Settings]:
    """The same with a witness of our own in its own process."""
    port, home = free_port(), settings.home / "witness"
    used = settings.model_copy(update={"witnesses": settings.home / "witnesses"})
    settings.home.mkdir(parents=True, exist_ok=True)
    introduce_witness(used, home, f"http://127.0.0.1:{port}")
    command = [sys.executable, "-m", "adapters.witnesses.own", "--home", str(home), "--name", WITNESS]
    process = subprocess.Popen([*command, "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_for("the witness is there", lambda: answers(f"http://127.0.0.1:{port}/vkey"))
        yield used
    finally:
        process.kill()
        process.wait()


def test_who_dies_with_a_cosignature_in_its_hands_is_followed_by_one_who_asks_again(database: str, home: Path) -> None:
    with witnessed(Settings(database_url=database, home=home / "gateway")) as settings:
        act(settings, LEAVES)
        assert rounds(settings).returncode == 0
        act(settings, LEAVES)
        died = rounds(settings, COSIGNED)
        assert (died.returncode, COSIGNED in died.stderr) == (-signal.SIGKILL, True)
        counted = "select count(*), max(size) from xlog_cosig"
        with psycopg.connect(database) as connection:
            assert connection.execute(counted).fetchone() == (1, LEAVES + 1)
            assert rounds(settings).returncode == 0
            assert connection.execute(counted).fetchone() == (2, 2 * LEAVES + 1)
            assert connection.execute("select count(*) from work_item").fetchone() == (0,)
        with open_books(settings) as books:
            books.log.round()
            assert [str(finding) for finding in books.log.findings()] == []
        [published] = (settings.home / "xlog").glob("*/witnessed")
        assert published.read_text().split("\n")[1] == str(2 * LEAVES + 1)
