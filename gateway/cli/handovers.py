"""`gateway intake`: its turn beside an engine, and what came of the files of COMWEL, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep
from typing import Any

from rich.console import Console

from gateway.errors import HandoverRefused, handover_refusal
from gateway.journey.admit import Taken
from gateway.ports import Problem, Store, place_of
from gateway.worker.rounds import INTAKE

LOOK_S = 0.2


@contextmanager
def in_turn(store: Store) -> Iterator[None]:
    """Files are taken in by one process at a time, whichever folder they lie in: the block waits for its turn."""
    while True:
        with store.alone(INTAKE) as mine:
            if mine:
                yield
                return
        sleep(LOOK_S)


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
