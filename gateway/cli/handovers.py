"""`gateway intake`: what came of the files that COMWEL handed over, in words and as JSON."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from gateway.errors import HandoverRefused, handover_refusal
from gateway.journey.admit import Taken
from gateway.ports import Problem, place_of


def plain(taken: Taken) -> dict[str, Any]:
    """For `--json`."""
    return {
        "file": taken.name,
        "verdict": taken.verdict,
        "reason": taken.reason,
        "said": taken.said,
        "records": taken.records,
        "counts": dict(taken.counts),
        "quarantined": [
            {"record": p.record_no, "caseNo": p.case_no, "reason": p.reason, "field": p.field} for p in taken.problems
        ],
    }


def show(taken: list[Taken], screen: Console) -> None:
    """One line a file, then why it was rejected, or the records that were put aside."""
    for one in taken:
        counts = ", ".join(f"{name} {n}" for name, n in sorted(one.counts.items()))
        why = f" ({one.reason})" if one.reason else ""
        screen.print(f"{one.name}: {one.verdict}{why}, {one.records} records {counts}", markup=False, soft_wrap=True)
        if one.said:
            screen.print(f"  {one.said}", style="yellow", markup=False, soft_wrap=True)
        for p in one.problems:
            screen.print(f"  {_said(one.name, p)}", style="yellow", markup=False, soft_wrap=True)
    if not taken:
        screen.print("nothing is ready (a batch counts when its .done file is there)")


def _said(file: str, problem: Problem) -> str:
    """A record that was put aside, in words: where, what, and what to do."""
    known = handover_refusal(problem.reason) or HandoverRefused
    case = f" (case {problem.case_no})" if problem.case_no else ""
    return f"{known(place=place_of(problem, file))}{case}"
