"""A night under the supervisor while somebody kills, one after another, every process that works on it.

    python -m tests.faults.rehearsal --cases 5000

starts the demo as an operator does and sends kill -9 to one process after another: the door, the workers, beat, the
partners, the witness, Valkey, PostgreSQL, again and again, and at the end the supervisor itself. The demo's own exit
code says whether both sides' books agree and every labelled verdict is met; a night that was over before anybody was
killed has shown nothing, and is no success. Refuses to kill anything that is not in
`up.json`.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from gateway.cli.running import alive, read_state
from gateway.config import environment

ROOT = Path(__file__).resolve().parents[2]
VICTIMS = ("door", "postgres", "worker-1", "keis", "valkey", "witness", "beat", "worker-2", "kead", "trn")
SUPERVISOR = "supervisor"
PATIENCE_S = 90.0
LOOK_S = 0.05


class Kill(NamedTuple):
    """Who was killed, and how many seconds later another process was in its place (None: nobody replaces it)."""

    name: str
    replaced_s: float | None


class Rehearsal(NamedTuple):
    """What came of a night: the demo's exit code and report, what it said besides, and who was killed."""

    exit_code: int
    report: dict[str, Any]
    said: str
    kills: list[Kill]


def rehearse(home: Path, *, cases: int, every_s: float, times: int) -> Rehearsal:
    """Run a demo in `home`; kill every victim so many times, one after another, and at last the supervisor."""
    command = [sys.executable, "-m", "gateway", "demo", "--cases", str(cases), "--json"]
    env = environment(home=home)
    demo = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    kills: list[Kill] = []
    try:
        wait_until_ready(home, demo)
        for name in (*VICTIMS * times, SUPERVISOR):
            if not waited(demo, every_s):
                break
            kills.append(kill(home, name, demo))
        out, err = demo.communicate()
    finally:
        demo.kill()
        demo.wait()
    return Rehearsal(demo.returncode, orjson.loads(out or b"{}"), err.decode(), kills)


def wait_until_ready(home: Path, demo: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while demo.poll() is None and time.monotonic() < deadline:
        state = read_state(home)
        if state and state["ready"]:
            return
        time.sleep(LOOK_S)


def waited(demo: subprocess.Popen[bytes], seconds: float) -> bool:
    """True when the demo still runs after so many seconds."""
    try:
        demo.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def kill(home: Path, name: str, demo: subprocess.Popen[bytes]) -> Kill:
    """kill -9, and see another one come in its place; nobody takes the supervisor's."""
    victim = child(home, name)
    if victim is None or not alive(victim):
        return Kill(name, None)
    os.kill(victim["pid"], signal.SIGKILL)
    if name == SUPERVISOR:
        return Kill(name, None)
    began = time.monotonic()
    while demo.poll() is None and time.monotonic() - began < PATIENCE_S:
        found = child(home, name)
        if found and found["pid"] != victim["pid"] and alive(found):
            return Kill(name, time.monotonic() - began)
        time.sleep(LOOK_S)
    return Kill(name, None)


def child(home: Path, name: str) -> dict[str, Any] | None:
    state = read_state(home)
    everybody = [state["supervisor"], *state["children"]] if state else []
    return next((one for one in everybody if one["name"] == name), None)


def verdict(rehearsal: Rehearsal) -> int:
    """The exit code of it all: the demo's, and not 0 where nobody had to be replaced."""
    return rehearsal.exit_code or (0 if any(one.replaced_s for one in rehearsal.kills) else 1)


def told(rehearsal: Rehearsal) -> Iterator[str]:
    """The rehearsal in lines."""
    for one in rehearsal.kills:
        yield f"{one.name:<12} " + (f"replaced after {one.replaced_s:.1f} s" if one.replaced_s else "not replaced")
    if not any(one.replaced_s for one in rehearsal.kills):
        yield "nobody was killed and replaced: more --cases, or a shorter --every"
    report = rehearsal.report
    for line in report.get("funnel", ()):
        yield f"{line['what']:<40} {line['total']}"
    yield f"{report.get('verdicts')}; {report.get('seconds')} s; exit code {rehearsal.exit_code}"
    yield from report.get("problems", ())
    if rehearsal.exit_code:
        yield from rehearsal.said.splitlines()[-20:]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.rehearsal", description=__doc__)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two kills")
    parser.add_argument("--times", type=int, default=3, help="how often each process is killed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gateway-rehearsal-", ignore_cleanup_errors=True) as folder:
        found = rehearse(Path(folder) / "home", cases=given.cases, every_s=given.every, times=given.times)
    sys.stdout.write("\n".join(told(found)) + "\n")
    return verdict(found)


if __name__ == "__main__":
    sys.exit(main())
