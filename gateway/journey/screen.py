"""Screen: every new revision of a case is judged by the rule set in force, and seats are allotted branch by branch.

Rules: a decision is appended with its explanation, never overwritten; capacity is what the Job Coordinators on hand can
carry; whoever waits competes again whenever something in the caseload changed.
Refuses to decide by anything that is not in the rule set.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from gateway.cases.allotment import Allotment, Holding, allot
from gateway.cases.caseload import in_force
from gateway.cases.screening import Screening, screen
from gateway.documents.strict_json import dumps, reread
from gateway.journey.world import World
from gateway.ports import CaseRow, ScreeningRow

PURPOSE = "priority-screening"
MOST = 20_000


def screen_cases(world: World, most: int = MOST) -> int:
    """Judge what is new; returns how many decisions were appended."""
    # 1 what changed since it was last judged, and who waits for a seat
    # 2 judge each case by itself
    # 3 allot the seats of every branch
    # 4 append the decisions, one event
    today, now = world.clock.today(), world.clock.now()
    with world.store.unit() as unit:
        fresh = unit.cases.unscreened(most)  # 1
        if not fresh:
            return 0
        waiting = unit.cases.waiting()
        rules = world.know.rules
        rows = {row.case_no: row for row in [*waiting, *fresh]}
        screenings = {n: screen(reread(row.record or b"{}"), rules, today) for n, row in rows.items()}  # 2
        held = [Holding(*seat) for seat in unit.cases.seats_held()]
        load = in_force(world.know.caseloads, today)
        seats = {branch: load.seats(branch, rules) for branch in {s.branch for s in screenings.values()}}
        allotments = allot(screenings.values(), seats, rules, current=held, today=today)  # 3
        changed = _decisions(allotments, screenings, rows, {row.case_no for row in fresh}, today, now)
        unit.cases.screened(changed)  # 4
        unit.commit(world.event("cases.screened", PURPOSE, subject=rules.id, counts={"decisions": len(changed)}))
        return len(changed)


def _decisions(
    allotments: Sequence[Allotment],
    screenings: dict[str, Screening],
    rows: dict[str, CaseRow],
    fresh: set[str],
    today: date,
    now: datetime,
) -> list[ScreeningRow]:
    """What to append: every fresh case, and of those who waited the ones that wait no longer."""
    return [
        ScreeningRow(
            case_no=a.case_no,
            revision=rows[a.case_no].revision,
            ruleset=screenings[a.case_no].ruleset,
            gate=str(screenings[a.case_no].gate),
            score=screenings[a.case_no].score,
            contributions=dumps([*[c._asdict() for c in screenings[a.case_no].contributions], *a.reasons]),
            inputs_hash=screenings[a.case_no].inputs_hash,
            result=str(a.result),
            position=a.position,
            capacity=a.capacity,
            business_date=today,
            decided_at=now,
        )
        for a in allotments
        if a.case_no in fresh or str(a.result) != "WAITLIST"
    ]
