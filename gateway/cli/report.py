"""What a demo found, and how people are told: the funnel from cases handed over to workers who stayed at work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.cli.engines import Running
from gateway.cli.pretend import PARTNERS
from gateway.journey.admit import Taken

MOST = 20
"""So many things that do not add up are said on the screen."""


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
    checks: int = 0
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
    console.print(_table(report))
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
    for sentence in _agreed(report) if report.complete else ():
        console.print(f"[green]{sentence}[/green]")
    for problem in report.problems[:MOST]:
        console.print(f"[red]does not add up:[/red] {escape(problem)}")
    if (more := len(report.problems) - MOST) > 0:
        console.print(f"[red]does not add up:[/red] {more} more; --json says all of them")
    console.print(f"\nlook around: {report.home}/to-comwel holds the files written back to COMWEL", style="dim")
    console.print(f"  {report.home}/xlog is the exchange log, for strangers: gateway log verify", style="dim")
    console.print(
        "  gateway status cases --ndjson · gateway status exchanges --ndjson · gateway map explain MID",
        style="dim",
    )


def _table(report: Report) -> Table:
    """The funnel, a line each, with the share of every partner."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("From the night to the return to work", no_wrap=True)
    for name in ("all", *PARTNERS):
        table.add_column(name, justify="right")
    table.add_column("of what kind", style="dim")
    for line in funnel(report):
        shares = [str(line.partners[p]) if line.partners else "" for p in PARTNERS]
        table.add_row(line.what, str(line.total), *shares, _kinds(line.kinds))
    return table


def _agreed(report: Report) -> Iterator[str]:
    """What was compared and adds up."""
    yield f"all {report.leaves} leaves of the exchange log are in order: {report.checks} checks"
    yield "every accepted message is accounted for, on both sides"
    yield f"the signed lists of both sides agree about all {report.listed} of them"
    yield f"the partners have proof of {report.promises} leaves that receipts promised"
    yield str(report.outside)
