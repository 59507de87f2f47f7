"""The embedded PostgreSQL: shared by processes, stopped by the last one, even when another one was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

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
