"""Retention checks of a leg: which are asked, when, and what answers them, as the facts that stand say.

Rules: a placement opens four checks. Their days count from the first day of the first job that stands, as those of the
judgement do: a later job moves none, a corrected start moves what is open. A check is answered by the strongest report
about its milestone that was made on its day or later; when that one is taken back, it is asked again. Where no job
stands any more, nobody is asked until there is one.
Refuses to reopen what the clock has closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.outcomes.facts import OutcomeFact, standing
from gateway.outcomes.milestones import SPANS, BaseKind, due
from gateway.outcomes.retention import answer
from gateway.outcomes.spells import first_day
from gateway.ports import CheckRow

OPEN = ("scheduled", "due")


def concerns_checks(outcome: Mapping[str, Any]) -> bool:
    """Whether an outcome may change retention checks."""
    return not outcome.keys().isdisjoint(("employment", "retention", "corrects"))


def changed_checks(
    outcome: Mapping[str, Any],
    before: Sequence[OutcomeFact],
    after: Sequence[OutcomeFact],
    existing: Mapping[str, CheckRow],
) -> list[CheckRow]:
    """The checks of a leg that an outcome changes. `before`, `after`: all facts of the leg without it, and with it."""
    before, after = standing(before), standing(after)
    placing = "employment" in outcome and any(a["act"] in ("report-placement", "correct") for a in outcome["acts"])
    again = placing and first_day(before) is None
    rows = [
        _now(existing.get(anew.milestone), anew, before, after, again=again)
        for anew in _anew(outcome["refNo"], after, existing)
        if placing or anew.milestone in existing
    ]
    return [row for row in rows if row != existing.get(row.milestone)]


def _anew(ref_no: str, after: Sequence[OutcomeFact], existing: Mapping[str, CheckRow]) -> list[CheckRow]:
    """The checks as they are while nothing answers them: scheduled, or cancelled where no job stands."""
    first = first_day(after)
    if first is None:
        return [row._replace(state="cancelled", result=None) for row in existing.values()]
    kind = str(BaseKind.RTW_DATE)
    return [CheckRow(ref_no, span, kind, first, due(first, span), "scheduled", None) for span in SPANS]


def _now(
    old: CheckRow | None, anew: CheckRow, before: Sequence[OutcomeFact], after: Sequence[OutcomeFact], *, again: bool
) -> CheckRow:
    """One check after an outcome. `again`: there was no job before it."""
    if (said := answer(anew.milestone, anew.due_on, after)) and said.retention:
        state = "failed" if said.retention.result == "unknown" else "completed"
        closed = old if old and old.state not in OPEN else anew
        return closed._replace(state=state, result=said.retention.result)
    if old is None:
        return anew
    if old.state in OPEN:
        return old if (old.due_on, "scheduled") == (anew.due_on, anew.state) else anew
    taken_back = answer(old.milestone, old.due_on, before) is not None
    return anew if taken_back or (again and old.state == "cancelled") else old
