"""kill -9 at every named point of the sequencer and the publisher: no leaf lost, none twice, and the log only grew.

What the process after it leaves is judged by our own checks, by the books, and by Go's sumdb.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from gateway import failpoint
from gateway.assembly import open_books
from gateway.config import Settings
from gateway.exchange_log.audit import AuditEvent
from tests.conftest import ROOT

POINTS = [point for point in failpoint.POINTS if point.startswith("log.")]
JUDGE = ROOT / ".venv" / "log-judge"
LEAVES = 300
ACT = AuditEvent("delivery.attempted", "gateway", "vocational-rehab", partner="KEIS")
ROUNDS = """
from gateway.assembly import open_books
from gateway.config import read_settings
with open_books(read_settings()) as books:
    books.log.catch_up()
"""


def rounds(settings: Settings, point: str = "") -> subprocess.CompletedProcess[str]:
    """A process that gives every leaf its place; it dies at this point."""
    own = {"HOME": str(settings.home), "DATABASE_URL": str(settings.database_url)}
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


def test_there_are_eight_points_to_die_at() -> None:
    assert len(POINTS) == 8
