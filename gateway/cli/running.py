"""Who runs in a home: `home/up.json`, read and used from outside the supervisor.

Rules: a pid counts only together with the moment its process began, so a number that was given out again is nobody of
ours. Refuses to run twice in one home, and to stop a process that it did not start.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx2
import orjson

from gateway.config import Settings, environment
from gateway.errors import NotFit, SettingsInvalid, StoreUnavailable

LOOPBACK = ip_network("127.0.0.0/8")
STOP_S = 40.0
LOOK_S = 0.1
DATABASE_AWAY = 3
"""The exit code that says so."""
STORES = ("valkey", "postgres")
"""They end last: the others still write."""
STORES_S = 10.0
"""What they need, after the others."""
FEWER_ARENAS = {"MALLOC_ARENA_MAX": "2"}
"""Threads of one process share their heaps: glibc's default keeps up to eight a core, mostly empty."""


def state_file(home: Path) -> Path:
    """Who runs in this home."""
    return home / "up.json"


def read_state(home: Path) -> dict[str, Any] | None:
    """What the state file says, None when nothing is up: a file that was cut short is from before a power failure."""
    with suppress(FileNotFoundError, orjson.JSONDecodeError):
        found: dict[str, Any] = orjson.loads(state_file(home).read_bytes())
        return found
    return None


def at_home(settings: Settings) -> Settings:
    """The settings of who visits a home: where it is up, with the stores and the pretend partners that run there.

    Raises SettingsInvalid where it works on a server that they do not name: what is done would be done somewhere else.
    """
    state = read_state(settings.home)
    if not state or not is_up(settings.home):
        return settings
    if state.get("on_a_server") and not settings.database_url:
        raise SettingsInvalid("GATEWAY_DATABASE_URL: GATEWAY_HOME is up with the database of a server; name it, too")
    stores = ("database_url", "broker_url")
    found: dict[str, Any] = {name: getattr(settings, name) or state.get(name) for name in stores}
    if state.get("partners") and not settings.partner_urls:
        found |= {"partner_urls": state["partners"], "partner_networks": (LOOPBACK,)}
    return settings.model_copy(update=found)


def up(settings: Settings, *options: str) -> dict[str, Any]:
    """Start a supervisor that outlives this command; returns what the state file says once all is ready.

    Raises SettingsInvalid when somebody runs in this home; StoreUnavailable, or NotFit, when the supervisor has ended.
    """
    require_down(settings.home)
    state_file(settings.home).unlink(missing_ok=True)  # of who stopped with its machine, and was ready
    log = settings.home / "logs" / "supervisor.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "gateway", "up", "--foreground", *options]
    env = environment(home=settings.home.resolve(), port=settings.port) | FEWER_ARENAS
    with log.open("ab") as said:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, env=env, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
    while process.poll() is None:
        state = read_state(settings.home)
        if state and state["ready"]:
            return state
        time.sleep(LOOK_S)
    ended = StoreUnavailable if process.returncode == DATABASE_AWAY else NotFit
    raise ended(f"the supervisor ended; see {log}")


def require_down(home: Path) -> None:
    """Raises SettingsInvalid when somebody runs in this home."""
    if is_up(home):
        raise SettingsInvalid("GATEWAY_HOME is up already; `gateway down` first")


def is_up(home: Path) -> bool:
    """Whether a supervisor, or somebody it left behind, runs in this home."""
    state = read_state(home)
    return state is not None and any(map(alive, [state["supervisor"], *state["children"]]))


def down(home: Path) -> list[str]:
    """Stop what `up` started here, and nothing else; returns the names of what had to be stopped without it."""
    state = read_state(home)
    if state is None:
        return []
    ends_s = state.get("ends_s", 0.0)
    end([state["supervisor"]], signal.SIGTERM, ends_s + STORES_S)
    orphans = [one for one in (read_state(home) or state)["children"] if alive(one)]
    end([one for one in orphans if one["name"] not in STORES], signal.SIGTERM, ends_s)
    end([one for one in orphans if one["name"] in STORES], signal.SIGINT)
    state_file(home).unlink(missing_ok=True)
    return [one["name"] for one in orphans]


# ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────────
def described(name: str, pid: int) -> dict[str, Any]:
    """A process as the state file names it."""
    return {"name": name, "pid": pid, "began": began(pid)}


def began(pid: int) -> str | None:
    """When a process began, in the kernel's ticks; None when there is no such process (or only its remains)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def since(one: dict[str, Any]) -> datetime | None:
    """When this very process began, None when it does not run."""
    if not alive(one):
        return None
    lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    booted = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
    return datetime.fromtimestamp(booted + int(one["began"]) / os.sysconf("SC_CLK_TCK"), UTC)


def alive(one: dict[str, Any]) -> bool:
    """Whether this very process still runs."""
    return one["began"] is not None and began(one["pid"]) == one["began"]


def end(processes: list[dict[str, Any]], how: signal.Signals, at_least_s: float = 0.0) -> None:
    """Send a signal to those that still run and wait until they have gone; after a while they are killed."""
    _send(processes, how)
    deadline = time.monotonic() + max(STOP_S, at_least_s)
    while any(map(alive, processes)):
        if time.monotonic() > deadline:
            _send(processes, signal.SIGKILL)
        time.sleep(LOOK_S)


def _send(processes: list[dict[str, Any]], how: signal.Signals) -> None:
    for one in filter(alive, processes):
        with suppress(ProcessLookupError):  # it has gone by itself
            os.kill(one["pid"], how)


def answers(url: str) -> bool:
    """Whether a GET is answered with 200."""
    with suppress(httpx2.HTTPError):
        return httpx2.get(url, timeout=2.0, trust_env=False).status_code == 200
    return False


def memory_mb(pid: int) -> float:
    """The proportional set size (PSS) of a process: pages that several share are counted once among them."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def family(pid: int) -> list[int]:
    """A process and everything it started, as far as it still runs."""
    found = [pid]
    for one in found:
        with suppress(OSError):
            found += map(int, Path(f"/proc/{one}/task/{one}/children").read_text(encoding="ascii").split())
    return found
