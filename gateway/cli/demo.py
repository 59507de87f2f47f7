"""The demo: one night of cases through the closed loop, with three pretend partners, over a year of business days.

Rules: nothing is faked but the partners and the calendar: a real database, real HTTP over real sockets, real signatures
in real time. The story is the same for both engines (`gateway.cli.engines`). The loop runs until it is quiet; then both
sides' books are compared, and the demo says what does not add up. Refuses to run over data that is not a demo's.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.assembly import DEMO, RealClock, make_night
from gateway.cli import books, outside
from gateway.cli.engines import ENGINES, Engine, EngineName, Running, patiently
from gateway.cli.pretend import PARTNERS, Sandbox, refuse_what_is_no_demo
from gateway.cli.running import is_up
from gateway.config import Settings
from gateway.errors import SettingsInvalid
from gateway.exchange_log.findings import CHECKS
from gateway.journey.admit import Taken
from gateway.store.exchange_log import ExchangeLog

BASE = date(2026, 11, 23)
STEP = timedelta(days=7)
HORIZON = timedelta(days=460)
WITNESSED_S = 5.0
"""So long the demo waits for the witness to cosign the last checkpoint."""
SECOND_S = 1.0
"""Manifests are dated to the second, and a list ends before the one that has not passed."""


@dataclass(slots=True)
class Report:
    """What the demo found. `problems` are sentences; the demo is complete when there is none."""

    home: Path
    night: Path
    seconds: float = 0.0
    intake: list[Taken] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)
    exchanges: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    partners: dict[str, dict[str, Any]] = field(default_factory=dict)
    verdicts: str | None = None
    since: date | None = None
    until: date | None = None
    running: Running | None = None
    leaves: int = 0
    outside: str | None = None
    listed: int = 0
    promises: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Every accepted message is accounted for, and every labelled verdict was met."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "complete": self.complete,
            "problems": self.problems,
            "seconds": round(self.seconds, 1),
            "running": self.running._asdict() if self.running else None,
            "verdicts": self.verdicts,
            "until": self.until,
            "funnel": [line._asdict() for line in funnel(self)],
            "counts": self.counts,
            "leaves": self.leaves,
            "outside": self.outside,
            "listed": self.listed,
            "promises": self.promises,
            "partners": self.partners,
        }


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
    # 1 a clean home, a night of cases
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
    home = clean_home(settings.home)  # 1
    folder = night or invent_night(home / "night", cases, seed)
    base = base_date(folder)
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
    """The business date of a night: the newest in its file names. Raises SettingsInvalid when there is none."""
    found = [p.name.split("_")[2] for p in folder.glob("RHB_CASE_*.dat")]
    try:
        return max(date.fromisoformat(text) for text in found)
    except ValueError:
        raise SettingsInvalid(f"no RHB_CASE_<date>_<number>.dat in {folder.name}") from None


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


def compare(report: Report) -> list[str]:
    """What does not add up, as sentences."""
    problems = [f"{t.name} was rejected: {t.reason}" for t in report.intake if t.verdict == "rejected"]
    if not any(t.name.endswith(".dat") for t in report.intake):
        problems.append("no batch file was complete: each .dat needs its .sum and its .done")
    for exchange in report.exchanges:
        if exchange["direction"] == "out" and exchange["state"] not in ("delivered", "blocked"):
            problems.append(f"message {exchange['mid']} to {exchange['partner']} is {exchange['state']}")
        if exchange["state"] in ("delivered", "applied", "stale", "refused", "quarantined") and not exchange["receipt"]:
            problems.append(f"message {exchange['mid']} with {exchange['partner']} has no receipt")
        if exchange["state"] in ("refused", "quarantined"):
            problems.append(f"message {exchange['mid']} of {exchange['partner']} was refused: {exchange['code']}")
        if exchange["state"] == "held":
            problems.append(f"message {exchange['mid']} of {exchange['partner']} still waits for an earlier one")
    for partner, said in report.partners.items():
        ours = Counter((e["direction"], e["state"]) for e in report.exchanges if e["partner"] == partner)
        theirs = sum(said["outcomes"].values())
        if said["received"] != ours["out", "delivered"]:
            problems.append(f"{partner} received {said['received']} messages, we count {ours['out', 'delivered']}")
        if theirs != sum(n for (direction, _), n in ours.items() if direction == "in"):
            problems.append(f"{partner} sent {theirs} outcomes, we count another number")
        if said["pending"]:
            problems.append(f"{partner} still has {said['pending']} messages to send")
    if report.counts.get("updates waiting"):
        problems.append("return-to-work updates wait to be written back")
    return problems + _hold_against_labels(report)


def reconcile(report: Report, engine: Engine, first: date) -> None:
    """Exchange and compare signed lists of the real days that the demo took: what differs, as sentences."""
    time.sleep(SECOND_S)
    days = [first + timedelta(days=n) for n in range((RealClock().today() - first).days + 1)]
    for found in patiently(lambda: engine.reconcile(days)):
        report.listed += found.sent + found.taken
        if found.why or found.waiting:
            report.problems.append(books.sentence(found))
        report.problems += [f"{found.partner}: message {d.mid} {d.direction}-{d.what}" for d in found.differences]
    if report.listed < (known := sum(1 for e in report.exchanges if e["receipt"])):
        report.problems.append(f"the signed lists name {report.listed} messages, and {known} have a receipt")


def verify(report: Report, log: ExchangeLog) -> None:
    """Check the exchange log, with what has just been written: what does not add up, as sentences.

    The last word has a tool that nobody here wrote.
    """
    patiently(lambda: log.settle(WITNESSED_S))
    report.leaves = sum(head.size for head in log.heads())
    report.problems += [f"exchange log: {finding}" for finding in patiently(lambda: list(log.findings()))]
    heard = outside.ask(log.publisher.folder / log.head().folder)
    report.outside = str(heard) if heard else None
    report.problems += heard.problems if heard else [f"no outside tool has checked the log: {outside.TOOL} is not here"]


def promises(report: Report, engine: Engine) -> None:
    """Let each partner look whether the log holds what our receipts promised: what it does not, as sentences."""
    keys = [head.vkey for head in engine.log.heads()]
    for partner, said in patiently(lambda: engine.partners.promises(keys)).items():
        report.promises += said["kept"]
        report.problems += [f"{partner}: the promise in the receipt for {mid} is broken" for mid in said["broken"]]
        if said["waiting"]:
            report.problems.append(f"{partner}: {said['waiting']} promises in receipts are not kept yet")


def _hold_against_labels(report: Report) -> list[str]:
    """Compare with the night's own expected verdicts, if it carries them."""
    path = report.night / "expected.json"
    if not path.exists():
        return []
    labels = orjson.loads(path.read_bytes())["cases"]
    wanted = {case: want for case, want in labels.items() if want["record"]}  # deleted and merged cases have no verdict
    got = {row["caseNo"]: row for row in report.cases}
    wrong = [
        case
        for case, want in wanted.items()
        if any(got.get(case, {}).get(name) != want[name] for name in ("record", "reason", "screening"))
    ]
    report.verdicts = f"{len(wanted) - len(wrong)} of {len(wanted)} expected verdicts are met"
    return [f"case {case}: expected {wanted[case]}, got {_three(got.get(case))}" for case in wrong[:20]]


def _three(row: dict[str, Any] | None) -> dict[str, Any] | None:
    return row and {name: row[name] for name in ("record", "reason", "screening")}


# ── what people see ──────────────────────────────────────────────────────────────────────────────────────────────────
class Line(NamedTuple):
    """One line of the funnel: what, how many, of them per partner, and of what kind."""

    what: str
    total: int
    partners: Counter[str]
    kinds: Counter[str]


def funnel(report: Report) -> Iterator[Line]:
    """From cases to retained."""
    nobody: Counter[str] = Counter()
    cases = report.cases
    legs = [leg for row in cases for leg in row["legs"]]
    referred = [e for e in report.exchanges if e["direction"] == "out" and e["type"] == "referral.created"]

    def of_legs(what: str, chosen: list[dict[str, Any]], kinds: Counter[str] | None = None) -> Line:
        return Line(what, len(chosen), Counter(leg["partner"] for leg in chosen), kinds or nobody)

    yield Line("cases handed over", len(cases), nobody, Counter(row["record"] for row in cases))
    refused = Counter(f"{row['record']} {row['reason']}" for row in cases if row["reason"])
    yield Line("  put aside or not referable", refused.total(), nobody, refused)
    decided = Counter(row["decision"] for row in cases if row["decision"])
    yield Line("screened", decided.total(), nobody, decided)
    yield Line("cases referred", sum(1 for row in cases if row["legs"]), nobody, nobody)
    yield of_legs("legs, one per partner asked", legs)
    yield of_legs("  delivered, with signed receipt", [e for e in referred if e["state"] == "delivered"])
    yield of_legs("  answered", [leg for leg in legs if leg["business"] not in ("sent", "delivered")])
    yield of_legs("  declined", [leg for leg in legs if leg["status"] == "rejected"], _counted(report, "declined", 2))
    yield _placed(report)
    for months in ("1", "3", "6", "12"):
        yield _retained(report, months)
    closed = [leg for leg in legs if leg["status"] in ("completed", "failed", "rejected", "cancelled")]
    yield of_legs("legs closed", closed, Counter(leg["status"] for leg in legs))
    yield Line("updates written back to COMWEL", report.counts.get("updates written", 0), nobody, nobody)


def _placed(report: Report) -> Line:
    """Placements ever reported: each has opened its retention checks, whatever became of the leg since."""
    partners = Counter({p: sum(_counted(report, f"retention P1M {p}", 1).values()) for p in PARTNERS})
    return Line("placed", partners.total(), partners, Counter())


def _retained(report: Report, months: str) -> Line:
    found = _counted(report, f"retention P{months}M", 2)
    partners: Counter[str] = Counter()
    for key, number in found.items():
        partner, result = key.split(" ", 1)
        partners[partner] += number if result.startswith(("retained", "self")) else 0
    kinds: Counter[str] = Counter()
    for key, number in found.items():
        kinds[key.split(" ", 1)[1]] += number
    return Line(f"  still working after {months} month{'s' * (months != '1')}", partners.total(), partners, kinds)


def _counted(report: Report, prefix: str, words: int) -> Counter[str]:
    """Counts whose key begins with `prefix`, by the `words` words behind it."""
    found = {k.removeprefix(f"{prefix} "): n for k, n in report.counts.items() if k.startswith(f"{prefix} ")}
    return Counter({" ".join(k.split(" ")[:words]): n for k, n in found.items()})


def _kinds(count: Counter[str]) -> str:
    return ", ".join(f"{name} {n}" for name, n in sorted(count.items()) if n)


def show(report: Report, console: Console) -> None:
    """Print the report for people."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("From the night to the return to work", no_wrap=True)
    for name in ("all", *PARTNERS):
        table.add_column(name, justify="right")
    table.add_column("of what kind", style="dim")
    for line in funnel(report):
        shares = [str(line.partners[p]) if line.partners else "" for p in PARTNERS]
        table.add_row(line.what, str(line.total), *shares, _kinds(line.kinds))
    console.print(table)
    states = Counter(f"{e['direction']} {e['state']}" for e in report.exchanges)
    console.print(f"\nexchanges: {len(report.exchanges)} ({_kinds(states)})")
    refused = Counter(f"{e['direction']} {e['code']}" for e in report.exchanges if e["code"])
    if refused:
        console.print(f"refused, blocked or tried again: {_kinds(refused)}")
    if report.verdicts:
        console.print(report.verdicts)
    console.print(f"business days from {report.since} to {report.until}, in {report.seconds:.0f} s")
    if ran := report.running:
        size = f"{ran.processes} processes, {ran.memory_mb:.0f} MB together"
        console.print(f"ready after {ran.ready_s:.1f} s: {size} (PSS; pages that several share count once)")
    if report.complete:
        console.print(
            f"[green]all {report.leaves} leaves of the exchange log are in order: {len(CHECKS)} checks[/green]"
        )
        console.print("[green]every accepted message is accounted for, on both sides[/green]")
        signed = f"the signed lists of both sides agree about all {report.listed} of them"
        console.print(f"[green]{signed}[/green]")
        console.print(f"[green]the partners have proof of {report.promises} leaves that receipts promised[/green]")
        console.print(f"[green]{report.outside}[/green]")
    for problem in report.problems[:20]:
        console.print(f"[red]does not add up:[/red] {problem}")
    console.print(f"\nlook around: {report.home}/to-comwel holds the files written back to COMWEL", style="dim")
    console.print(f"  {report.home}/xlog is the exchange log, for strangers: gateway log verify", style="dim")
    console.print(
        "  gateway status cases --ndjson · gateway status exchanges --ndjson · gateway map explain MID", style="dim"
    )


@contextmanager
def _stage(quiet: bool) -> Iterator[Callable[[str, float | None], None]]:
    """A progress bar that says what is going on."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as progress:
        task = progress.add_task("starting", total=1.0)

        def say(what: str, done: float | None) -> None:
            progress.update(task, description=what, completed=done)

        yield say
