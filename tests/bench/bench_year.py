"""A national year on a compressed calendar: `make bench YEAR=1` (90,000 cases), or a share of it (`YEAR=0.02`).

The full engine as `make demo` runs it, pretend partners beside it, and Job Coordinators enough, so that nobody waits.
A night of cases comes every week for 52 weeks; every priority case is referred, and the partners answer, train, place,
and report after 1, 3, 6 and 12 months; then weeks pass until nobody has anything more to say. In the end the books of
both sides are compared as the demo compares them, and a difference fails the bench.
Targets for a whole year: 60 minutes; a case costs at most a tenth more among the last 10,000 than among the first, and
so does the memory of all processes. What a case costs is its night: taken in, screened, referred, delivered, receipted,
which is the same work in every week; reports become more all year, so their seconds stand beside it. A machine is not
as fast in the last week as in the first: the cost is told by the clock, and in signatures (bare ES256) that one core
made in the minute of the night. A part of a year takes the same part of the 10,000, and has no target of time.
"""

from __future__ import annotations

import itertools
import shutil
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from adapters.comwel import synthetic
from gateway.cli import demo, reckoning, running
from gateway.cli.engines import Engine, full
from gateway.cli.pretend import PARTNERS, Sandbox
from gateway.cli.report import Report
from gateway.config import Settings, become
from tests.bench import stage
from tests.bench.figure import Figure, per_second

YEAR_CASES, WEEKS, APART = 90_000, 52, 10_000
MOST_MINUTES, MOST_DRIFT = 60.0, 1.1
WEEK = timedelta(days=7)
CASELOAD = """\
caseload: 2026-11
effective_from: "2026-11-01"
default: {coordinators: 9999, carried: 0}
branches: {}
"""


class Week(NamedTuple):
    """One week: its cases, the seconds of their night, and how many signatures a second one core made before it; the
    reports that came before it and their seconds; memory after it (PSS, MB) of all processes.
    """

    cases: int
    night_s: float
    signs: float
    reports: int
    reports_s: float
    memory_mb: float

    def told(self) -> str:
        """What came of it, for who waits an hour."""
        cases, reports = f"{self.cases:,} cases in {self.night_s:.1f} s", f"{self.reports:,} in {self.reports_s:.1f} s"
        return f"{cases}, reports {reports}, {self.memory_mb:,.0f} MB, {self.signs:,.0f} signatures/s"


def run(share: float) -> tuple[Figure, ...]:
    """The minutes of the whole way, its messages, and how its cost drifts."""
    each = max(1, round(YEAR_CASES * share / WEEKS))
    with stage.home() as folder, _staffed(folder / "mappings"):
        home = demo.clean_home(folder / "home")
        settings = Settings(home=home, database_url=None, broker_url=None, partner_urls={}, port=0)
        with full(settings, Sandbox(stage.SEED, stage.BASE)) as engine:
            began = time.monotonic()
            weeks = list(_year(engine, folder, home, each))
            seconds = time.monotonic() - began
            out, come = _messages(engine)
            problems = _differences(engine, home)
    if problems:
        raise RuntimeError(f"{len(problems)} differences between the books: {problems[0]}")
    some = max(1, round(APART * share / each))  # weeks
    first, last = weeks[:some], weeks[WEEKS - some : WEEKS]
    most = MOST_MINUTES if share >= 1 else None
    return (
        Figure(f"a year of {each * WEEKS:,} cases", "minutes", (seconds / 60,), most, at_most=True),
        Figure("  messages both ways", "messages", (out + come,)),
        Figure("  a second", "messages/s", ((out + come) / seconds,)),
        Figure(f"  a case, last {some * each:,} to first", "", (_signs(last) / _signs(first),), MOST_DRIFT, True),
        Figure("    by the clock", "", (_case_s(last) / _case_s(first),), MOST_DRIFT, True),
        Figure("  a report in the last of these weeks", "ms", (_report_s(last) * 1e3,)),
        Figure("  a report in the first half of the year", "ms", (_report_s(weeks[: WEEKS // 2]) * 1e3,)),
        Figure("  memory, last to first", "", (last[-1].memory_mb / first[-1].memory_mb,), MOST_DRIFT, at_most=True),
        Figure("    in the end", "MB", (weeks[-1].memory_mb,)),
    )


def _case_s(weeks: Sequence[Week]) -> float:
    return sum(week.night_s for week in weeks) / sum(week.cases for week in weeks)


def _signs(weeks: Sequence[Week]) -> float:
    """What a case costs in signatures."""
    return sum(week.night_s * week.signs for week in weeks) / sum(week.cases for week in weeks)


def _report_s(weeks: Sequence[Week]) -> float:
    return sum(week.reports_s for week in weeks) / sum(week.reports for week in weeks)


@contextmanager
def _staffed(folder: Path) -> Iterator[None]:
    """Whoever is started meanwhile has our maps and rules, and Job Coordinators enough: nobody waits for a seat."""
    ours = Settings(home=folder).mappings
    shutil.copytree(ours, folder)
    feed = folder / "rules" / "caseload"
    for file in feed.iterdir():
        file.unlink()
    (feed / "2026-11.yaml").write_text(CASELOAD, encoding="utf-8")
    become(mappings=folder)
    try:
        yield
    finally:
        become(mappings=ours)


def _year(engine: Engine, folder: Path, home: Path, each: int) -> Iterator[Week]:
    """Let the year pass, and then the weeks until all is quiet for good."""
    for number in itertools.count():
        before, today = _messages(engine)[1], stage.BASE + number * WEEK
        began = time.monotonic()
        said = engine.set_today(today) if number else []
        engine.until_quiet()
        reports_s = time.monotonic() - began
        reports, signs = _messages(engine)[1] - before, _signatures()
        cases, began = each if number < WEEKS else 0, time.monotonic()
        if cases:
            night = folder / f"night-{number}"
            synthetic.write_night(night, each, number + 1, today, number + 1, number)
            began = time.monotonic()
            refused = [taken for taken in engine.hand_over(night) if taken.verdict != "accepted"]
            if refused:
                raise RuntimeError(f"a night was refused: {refused[0].name} {refused[0].reason}")
            engine.until_quiet()
            shutil.rmtree(night)
        week = Week(cases, time.monotonic() - began, signs, reports, reports_s, _memory_mb(home))
        print(f"week {number}: {week.told()} …", file=sys.stderr, flush=True)
        yield week
        if not cases and all(one.get("next") is None for one in said):
            return


def _messages(engine: Engine) -> tuple[int, int]:
    """Messages out, messages in, as the partners count them: in our own books that takes a second after a year."""
    said = engine.partners.statuses()
    return sum(one["received"] for one in said), sum(one["receipts"] for one in said)


def _signatures() -> float:
    key, how = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256())
    [rates] = per_second([lambda: key.sign(b"a case", how)], rounds=3, seconds=0.05)
    return statistics.median(rates)


def _memory_mb(home: Path) -> float:
    state = running.read_state(home) or {"children": []}
    pids = {pid for one in state["children"] for pid in running.family(one["pid"])}
    return sum(map(running.memory_mb, pids))


def _differences(engine: Engine, home: Path) -> list[str]:
    """What the demo's comparison of the books finds, verdicts aside."""
    report = Report(home=home, night=home)
    with engine.store.unit() as unit:
        report.exchanges = [dict(row) for row in unit.outbox.report()]
        report.counts = dict(unit.counts())
    report.partners = {partner: engine.partners.status(partner) for partner in PARTNERS}
    return [problem for problem in reckoning.compare(report) if not problem.startswith("no batch file")]
