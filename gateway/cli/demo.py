"""The demo: one night of cases through the closed loop, with three pretend partners, over a year of business days.

Rules: nothing is faked but the partners and the calendar: a real database, real HTTP over real sockets, real signatures
in real time. The story is the same for both engines (`gateway.cli.engines`). The loop runs until it is quiet; then both
sides' books are compared, and the demo says what does not add up. Refuses to run over data that is not a demo's, and
on a running server over any.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gateway.assembly.clocks import DEMO, RealClock
from gateway.assembly.sandbox import make_night
from gateway.cli.engines import ENGINES, Engine, EngineName, patiently
from gateway.cli.pretend import PARTNERS, Sandbox, refuse_a_database_in_use, refuse_what_is_no_demo
from gateway.cli.reckoning import compare, labels, promises, reconcile, verify
from gateway.cli.report import Report
from gateway.cli.running import is_up
from gateway.config import Settings
from gateway.errors import FileUnusable, Place, SettingsInvalid

BASE = date(2026, 11, 23)
STEP = timedelta(days=7)
HORIZON = timedelta(days=460)


def run(
    settings: Settings,
    *,
    cases: int,
    night: Path | None,
    seed: int,
    engine: EngineName = EngineName.FULL,
    quiet: bool = False,
) -> Report:
    """Run the demo in `settings.home`. Returns the report."""
    # 1 a database of one's own, a clean home, a night of cases
    # 2 the gateway, its door, and three partners with their keys exchanged
    # 3 take the night in, screen, refer, deliver
    # 4 let business days pass until nobody has anything more to say
    # 5 take the same night in again: nothing changes
    # 6 compare the books of both sides, by counting and by their signed lists
    # 7 hold every act against its leaf in the exchange log, and let a stranger's tool check who signed it, and the
    #   partners what our receipts have promised them
    began, first = time.monotonic(), RealClock().today()
    if night and settings.home.resolve() in [night.resolve(), *night.resolve().parents]:
        raise SettingsInvalid("the night lies inside GATEWAY_HOME, which the demo empties; move it elsewhere")
    base = base_date(night) if night else BASE
    if night:
        labels(night)  # refuses at once what could not be read at the end
    refuse_a_database_in_use(settings)  # 1
    home = clean_home(settings.home)
    folder = night or invent_night(home / "night", cases, seed)
    report = Report(home=home, night=folder, since=base)
    with _stage(quiet) as stage:
        stage("starting", None)
        with ENGINES[engine](settings, Sandbox(seed, base)) as running:  # 2
            report.running = running.running
            stage("taking in the night", None)
            report.intake = running.hand_over(folder)  # 3
            stage("referring", None)
            running.until_quiet()
            report.until = pass_days(running, base, stage)  # 4
            stage("taking the same night in again", None)
            report.problems += _again(running, folder)  # 5
            _read(report, running)
            report.problems += compare(report)  # 6
            reconcile(report, running, first)
            verify(report, running.log)  # 7
            promises(report, running)
            stage("stopping", None)
    report.seconds = time.monotonic() - began
    return report


# ── 1 home and night ─────────────────────────────────────────────────────────────────────────────────────────────────
def clean_home(home: Path) -> Path:
    """An empty home with the demo's mark. Refuses a home that holds something else than an earlier demo, or runs."""
    refuse_what_is_no_demo(home)
    if is_up(home):
        raise SettingsInvalid("GATEWAY_HOME is up; `gateway down` first")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    (home / DEMO).touch()
    return home


def invent_night(folder: Path, cases: int, seed: int) -> Path:
    """A synthetic night with labelled edge cases."""
    folder.mkdir(parents=True)
    make_night(folder, cases, seed, BASE)
    return folder


def base_date(folder: Path) -> date:
    """The business date of a night: the newest in its file names. Raises FileUnusable when there is none."""
    found = [p.name.split("_")[2] for p in folder.glob("RHB_CASE_*.dat")]
    try:
        return max(date.fromisoformat(text) for text in found)
    except ValueError:
        raise FileUnusable("no RHB_CASE_<date>_<number>.dat in it", place=Place(folder.name)) from None


# ── 4–5 the story ────────────────────────────────────────────────────────────────────────────────────────────────────
def pass_days(engine: Engine, base: date, stage: Callable[[str, float | None], None]) -> date:
    """Let weeks pass until no partner has anything planned; returns the last business day."""
    today = base
    while today < base + HORIZON:
        today += STEP
        said = engine.set_today(today)
        engine.until_quiet()
        stage(f"business day {today}", (today - base) / HORIZON)
        if all(s.get("next") is None for s in said):
            break
    return today


def _again(engine: Engine, folder: Path) -> list[str]:
    """Take the same night in a second time; a sentence for everything that changed."""
    before = _counts(engine)
    taken = engine.hand_over(folder)
    engine.until_quiet()
    after = _counts(engine)
    changed = [f"taking the night in again changed '{k}'" for k in after if k != "events" and after[k] != before.get(k)]
    return changed + [f"{t.name} was {t.verdict} the second time" for t in taken if t.verdict == "accepted"]


def _counts(engine: Engine) -> dict[str, int]:
    def read() -> dict[str, int]:
        with engine.store.unit() as unit:
            return dict(unit.counts())

    return patiently(read)


# ── 6 the books ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _read(report: Report, engine: Engine) -> None:
    def read() -> None:
        with engine.store.unit() as unit:
            report.cases = [dict(row) for row in unit.cases.report()]
            report.exchanges = [dict(row) for row in unit.outbox.report()]
            report.counts = dict(unit.counts())

    patiently(read)
    report.partners = {partner: engine.partners.status(partner) for partner in PARTNERS}


@contextmanager
def _stage(quiet: bool) -> Iterator[Callable[[str, float | None], None]]:
    """A progress bar that says what is going on."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as progress:
        task = progress.add_task("starting", total=1.0)

        def say(what: str, done: float | None) -> None:
            progress.update(task, description=what, completed=done)

        yield say
