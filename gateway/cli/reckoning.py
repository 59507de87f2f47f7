"""What does not add up after a demo, as sentences in its report.

Rules: both sides' books are compared twice, by counting and by their signed lists; every act is held against its leaf
in the exchange log, and the last word about the log has a tool that nobody here wrote; the partners look whether the
log holds what our receipts have promised them; a night that brings its expected verdicts is held against those. A file
that was rejected is told once, and not again by each verdict that rests on it.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Collection
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson

from gateway.assembly.clocks import RealClock
from gateway.cli import books, outside
from gateway.cli.engines import Engine, patiently
from gateway.cli.report import Report
from gateway.errors import FileUnusable, Place
from gateway.journey.admit import Taken
from gateway.store.exchange_log import ExchangeLog

WITNESSED_S = 5.0
"""So long the demo waits for the witness to cosign the last checkpoint."""
SECOND_S = 1.0
"""Manifests are dated to the second, and a list ends before the one that has not passed."""
_VERDICT = ("record", "reason", "screening")
_CASE_NO = re.compile(rb"(?=(\d{14}))")
"""Fourteen digits, wherever they stand in a run of digits."""


def compare(report: Report) -> list[str]:
    """What does not add up, as sentences."""
    problems = [_rejected(taken) for taken in report.intake if taken.verdict == "rejected"]
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
    report.leaves, report.checks = sum(head.size for head in log.heads()), len(log.checks)
    report.problems += [f"exchange log: {finding}" for finding in patiently(lambda: list(log.findings()))]
    heard = outside.ask(log.publisher.folder / log.head().folder)
    report.outside = str(heard) if heard and heard.signed else None
    report.problems += heard.problems if heard else [f"no outside tool has checked the log: {outside.TOOL} is not here"]


def promises(report: Report, engine: Engine) -> None:
    """Let each partner look whether the log holds what our receipts promised: what it does not, as sentences."""
    keys = [head.vkey for head in engine.log.heads()]
    for partner, said in patiently(lambda: engine.partners.promises(keys)).items():
        report.promises += said["kept"]
        report.problems += [f"{partner}: the promise in the receipt for {mid} is broken" for mid in said["broken"]]
        if said["waiting"]:
            report.problems.append(f"{partner}: {said['waiting']} promises in receipts are not kept yet")


def labels(night: Path) -> dict[str, Any] | None:
    """The verdicts that a night expects, by case, if it brings any. Raises FileUnusable."""
    path = night / "expected.json"
    if not path.exists():
        return None
    try:
        cases = orjson.loads(path.read_bytes())["cases"]
        return {case: {name: want[name] for name in _VERDICT} for case, want in cases.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        form = '{"cases": {"<case>": {"record": …, "reason": …, "screening": …}}}'
        raise FileUnusable(f"it is like {form}", place=Place(path.name)) from None


def _rejected(taken: Taken) -> str:
    answer = f"; its acknowledgement is {taken.answer}" if taken.answer else ""
    return f"{taken.name} was rejected: {taken.said or taken.reason}{answer}"


def _hold_against_labels(report: Report) -> list[str]:
    """Compare with the night's own expected verdicts, if it carries them; not those that rest on a rejected file."""
    expected = labels(report.night)
    if expected is None:
        return []
    wanted = {case: want for case, want in expected.items() if want["record"]}  # deleted and merged have no verdict
    got = {row["caseNo"]: {name: row[name] for name in _VERDICT} for row in report.cases}
    wrong = [case for case, want in wanted.items() if got.get(case) != want]
    report.verdicts = f"{len(wanted) - len(wrong)} of {len(wanted)} expected verdicts are met"
    if resting := _in_rejected_files(report, set(wrong)):
        report.verdicts += f"; {len(resting)} rest on a file that was rejected"
    told = [case for case in wrong if case not in resting][:20]
    return [f"case {case}: expected {_told(wanted[case])}; got {_told(got.get(case))}" for case in told]


def _in_rejected_files(report: Report, cases: Collection[str]) -> set[str]:
    """Those of these cases that a rejected file of the night names, however broken it is."""
    paths = [report.night / taken.name for taken in report.intake if taken.verdict == "rejected"]
    named = (found[1].decode() for path in paths for found in _CASE_NO.finditer(path.read_bytes()))
    return {case for case in named if case in cases}


def _told(verdict: dict[str, Any] | None) -> str:
    """A verdict in words."""
    return ", ".join(f"{name} {value or 'none'}" for name, value in verdict.items()) if verdict else "no such case"
