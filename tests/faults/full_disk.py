"""A disk without room: a small file system in memory, in a mount namespace of its own that ends with its process.

    python -m tests.faults.full_disk --cases 12      one round; its result as JSON

Root needs no more; everybody else is root in a user namespace, for mounting only.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from gateway.store.embedded import embedded_postgres
from tests.conftest import ROOT, home_folder, make_template
from tests.faults import lines
from tests.faults.checker import Findings
from tests.faults.ground import Ground
from tests.faults.rounds import Result
from tests.faults.sender import slowly
from tests.faults.trouble import Trouble, server_of

ROOM_MB = 400
FULL_S = 2.0


def in_a_room_of_its_own(cases: int) -> Result:
    """Run a round in a process with mounts of its own."""
    namespaces = ["--mount"] if os.geteuid() == 0 else ["--mount", "--user", "--map-current-user", "--keep-caps"]
    command = ["unshare", *namespaces, sys.executable, "-m", "tests.faults.full_disk", "--cases", str(cases)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr.decode()
    said: dict[str, Any] = orjson.loads(ran.stdout.splitlines()[-1])
    return Result(**said | {"findings": Findings(*said["findings"]), "hits": Counter(said["hits"])})


def fill(ground: Ground) -> Result:
    """Partners bring their letters, and in the middle of it there is no room for them."""
    return lines.inbound(
        ground, "full disk", slowly(ground.cases), trouble=Trouble([partial(server_of(ground).full, FULL_S)])
    )[0]


def main() -> None:
    """Mount, run, say what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.full_disk", description=__doc__)
    parser.add_argument("--cases", type=int, required=True)
    cases = parser.parse_args().cases
    with TemporaryDirectory(prefix="gateway-small-") as small, home_folder() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM_MB}m,mode=755", "tmpfs", small], check=True)
        try:
            home = Path(small)
            with embedded_postgres(home) as url:
                make_template(url)
                found = fill(Ground(url, folder, cases, home))
        finally:
            subprocess.run(["umount", "--lazy", small], check=True)
    sys.stdout.buffer.write(orjson.dumps(found, default=list) + b"\n")


if __name__ == "__main__":
    main()
