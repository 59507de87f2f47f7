"""How the gateway stands, for people: who runs since when, whether it is ready, and what waits for each partner.

Rules: it only looks. Processes come from the home's state file, readiness from the door itself, queues from the figures
that Prometheus reads, too. Refuses to fail because something is away, or of another release: that is what it is asked
for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx2
from rich.console import Console
from rich.table import Table

from gateway.assembly.books import Books, open_books
from gateway.cli import running
from gateway.config import Settings
from gateway.errors import SchemaTooNew, SchemaTooOld, StoreUnavailable

DOOR_S = 2.0
STATES = ("ready", "leased", "blocked", "dead")
SILENT = "the partners' door does not answer"


class Process(NamedTuple):
    """A process of `gateway up`: since when it runs (None: it does not) and its share of the memory in MB."""

    name: str
    pid: int
    since: datetime | None
    memory_mb: float


class Line(NamedTuple):
    """What there is for one partner: since when the oldest message waits, and how its gate and its breaker stand."""

    partner: str
    waiting: int
    under_way: int
    blocked: int
    dead: int
    oldest_s: float
    gate: str
    breaker: str


class Standing(NamedTuple):
    """All of it. `ready` is None where nothing is up; `counts` is None when the database cannot be asked: it is away,
    or (`fits` is False) of another release.
    """

    processes: Sequence[Process]
    url: str | None
    ready: bool | None
    because: Sequence[str]
    lines: Sequence[Line]
    counts: Mapping[str, int] | None
    fits: bool = True

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return self._asdict() | {
            "processes": [one._asdict() for one in self.processes],
            "lines": [line._asdict() for line in self.lines],
        }


def look(settings: Settings) -> Standing:
    """Look at the processes, the door and the database, whatever of them is there."""
    state = running.read_state(settings.home) or {}
    said = [state["supervisor"], *state["children"]] if state else []
    processes = [Process(one["name"], one["pid"], running.since(one), running.memory_mb(one["pid"])) for one in said]
    ready, because = _ready(state["url"]) if state else (None, [])
    lines: Sequence[Line] = ()
    counts: dict[str, int] | None = None
    fits = True
    try:
        with open_books(settings) as books:
            lines = _lines(books, [*settings.partner_urls, *state.get("partners", ())])
            with books.store.unit() as unit:
                counts = dict(unit.counts())
    except (StoreUnavailable, SchemaTooOld, SchemaTooNew) as error:
        fits = isinstance(error, StoreUnavailable)
        if because in ([], [SILENT]):  # a door that answers has said so
            because = [*because, ": ".join(filter(None, (error.sentence, error.detail)))]
    return Standing(processes, state.get("url"), ready, because, lines, counts, fits)


def _ready(url: str) -> tuple[bool, list[str]]:
    try:
        said = httpx2.get(f"{url}/health/ready", timeout=DOOR_S, trust_env=False).json()
        return bool(said["ready"]), list(said["because"])
    except (httpx2.HTTPError, ValueError, KeyError):
        return False, [SILENT]


def _lines(books: Books, partners: Sequence[str]) -> list[Line]:
    """Every partner that has an address here, or a message there."""
    known = set(partners) | {labels[0] for labels in _figures(books, []).get("gateway_deliveries", ())}
    found = _figures(books, sorted(known))
    states, oldest = found.get("gateway_deliveries", {}), found.get("gateway_delivery_oldest_waiting_seconds", {})
    gates, breakers = (_state(found, name) for name in ("gateway_gate_state", "gateway_breaker_state"))
    return [
        Line(p, *_counted(states, p), round(oldest.get((p,), 0.0), 1), gates.get(p, "open"), breakers.get(p, "closed"))
        for p in sorted(known)
    ]


def _counted(states: Mapping[tuple[str, ...], float], partner: str) -> tuple[int, int, int, int]:
    waiting, under_way, blocked, dead = (int(states.get((partner, state), 0)) for state in STATES)
    return waiting, under_way, blocked, dead


def _state(found: Mapping[str, Mapping[tuple[str, ...], float]], name: str) -> dict[str, str]:
    """The state of every partner that a figure marks with 1."""
    return {partner: state for (partner, state), marked in found.get(name, {}).items() if marked}


def _figures(books: Books, partners: Sequence[str]) -> dict[str, dict[tuple[str, ...], float]]:
    return {reading.name: dict(reading.rows) for reading in books.figures(partners)}


# ── what people see ──────────────────────────────────────────────────────────────────────────────────────────────────
def show(standing: Standing, console: Console, now: datetime) -> None:
    """Print it."""
    if standing.processes:
        table = Table("process", "pid", "since", "MB", box=None)
        for one in standing.processes:
            since = f"{_ago(now - one.since)} ago" if one.since else "[red]does not run[/red]"
            table.add_row(one.name, str(one.pid), since, f"{one.memory_mb:.0f}")
        together = sum(one.memory_mb for one in standing.processes)
        console.print(table, f"{together:.0f} MB together (PSS, without PostgreSQL's own children)\n", sep="\n")
    console.print(_readiness(standing))
    if standing.lines:
        table = Table("partner", "waiting", "under way", "oldest", "blocked", "dead", "gate", "breaker", box=None)
        for line in standing.lines:
            oldest = _ago(timedelta(seconds=line.oldest_s)) if line.oldest_s else "-"
            numbers = (line.waiting, line.under_way, oldest, line.blocked, line.dead, line.gate, line.breaker)
            table.add_row(line.partner, *map(str, numbers))
        console.print("", table)
    if standing.counts is not None:
        table = Table("what", "how many", box=None)
        for what, number in standing.counts.items():
            table.add_row(what, str(number))
        console.print("", table)


def _readiness(standing: Standing) -> str:
    because = "; ".join(standing.because)
    if standing.ready is False:
        return f"[red]not ready:[/red] {because}"
    said = "nothing is up in this home" if standing.ready is None else f"ready: {standing.url}"
    return f"{said}; {because}" if because else said


def _ago(duration: timedelta) -> str:
    """A duration in its two largest units."""
    seconds = int(duration.total_seconds())
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    while len(parts) > 1 and not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{number} {unit}" for number, unit in parts[:2])


def utc_now() -> datetime:
    """Now, for how long ago something was."""
    return datetime.now(UTC)  # noqa: TID251 - only shown to people
