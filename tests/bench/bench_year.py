"""A national year on a compressed calendar: `make bench YEAR=1` (90,000 cases), or a share of it (`YEAR=0.02`).

The full engine as `make demo` runs it, pretend partners beside it. A night of cases comes every week for 52 weeks;
everybody who gets a seat is referred, and the partners answer, train, place, and report after 1, 3, 6 and 12 months;
then weeks pass until nobody has anything more to say. In the end the books of both sides are compared as the demo
compares them, and a difference fails the bench.
Targets for a whole year: 60 minutes; a message costs at most a tenth more in the last tenth of the way than in the
first, and so does the memory of all processes. A part of a year has no target of time.
"""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from adapters.comwel import synthetic
from gateway.cli import demo, reckoning, running
from gateway.cli.engines import Engine, full
from gateway.cli.pretend import PARTNERS, Sandbox
from gateway.cli.report import Report
from gateway.config import Settings
from tests.bench import stage
from tests.bench.figure import Figure

YEAR_CASES, WEEKS = 90_000, 52
MOST_MINUTES, MOST_DRIFT = 60.0, 1.1
WEEK = timedelta(days=7)


class Mark(NamedTuple):
    """How far the year is: seconds since its begin, messages both ways, memory (PSS, MB) of all processes."""

    seconds: float
    messages: int
    memory_mb: float


def run(share: float) -> tuple[Figure, ...]:
    """The minutes of the whole way, its messages, and how its cost drifts."""
    each = max(1, round(YEAR_CASES * share / WEEKS))
    with stage.home() as folder:
        home = demo.clean_home(folder / "home")
        settings = Settings(home=home, database_url=None, broker_url=None, partner_urls={}, port=0)
        with full(settings, Sandbox(stage.SEED, stage.BASE)) as engine:
            marks = _year(engine, folder, home, each)
            problems = _differences(engine, home)
    if problems:
        raise RuntimeError(f"{len(problems)} differences between the books: {problems[0]}")
    whole = share >= 1
    minutes = marks[-1].seconds / 60
    first, last = _tenths(marks)
    return (
        Figure(
            f"a year of {each * WEEKS:,} cases", "minutes", (minutes,), MOST_MINUTES if whole else None, at_most=True
        ),
        Figure("  messages both ways", "messages/s", (marks[-1].messages / marks[-1].seconds,)),
        Figure("  a message, last tenth to first", "", (last / first,), MOST_DRIFT, at_most=True),
        Figure("  memory, end to begin", "", (marks[-1].memory_mb / marks[1].memory_mb,), MOST_DRIFT, at_most=True),
    )


def _year(engine: Engine, folder: Path, home: Path, each: int) -> list[Mark]:
    """Let the year pass, and then the weeks until all is quiet for good."""
    began = time.monotonic()
    marks = [Mark(0.0, 0, 0.0)]
    today, week = stage.BASE, 0
    while True:
        said = engine.set_today(today) if week else []
        if week < WEEKS:
            night = folder / f"night-{week}"
            synthetic.write_night(night, each, week + 1, today, week + 1, week)
            engine.hand_over(night)
        engine.until_quiet()
        marks.append(Mark(time.monotonic() - began, _messages(engine), _memory_mb(home)))
        if week >= WEEKS and all(one.get("next") is None for one in said):
            return marks
        today, week = today + WEEK, week + 1


def _messages(engine: Engine) -> int:
    with engine.store.unit() as unit:
        counts = unit.counts()
    return counts.get("messages out", 0) + counts.get("messages in", 0)


def _memory_mb(home: Path) -> float:
    state = running.read_state(home) or {"children": []}
    pids = {pid for one in state["children"] for pid in running.family(one["pid"])}
    return sum(map(running.memory_mb, pids))


def _tenths(marks: list[Mark]) -> tuple[float, float]:
    """Seconds a message in the first and in the last tenth of all messages."""
    tenth = marks[-1].messages / 10
    first = next(mark for mark in marks if mark.messages >= tenth)
    before = next(mark for mark in reversed(marks) if mark.messages <= marks[-1].messages - tenth)
    return first.seconds / first.messages, (marks[-1].seconds - before.seconds) / (marks[-1].messages - before.messages)


def _differences(engine: Engine, home: Path) -> list[str]:
    """What the demo's comparison of the books finds, verdicts aside."""
    report = Report(home=home, night=home)
    with engine.store.unit() as unit:
        report.exchanges = [dict(row) for row in unit.outbox.report()]
        report.counts = dict(unit.counts())
    report.partners = {partner: engine.partners.status(partner) for partner in PARTNERS}
    return [problem for problem in reckoning.compare(report) if not problem.startswith("no batch file")]
