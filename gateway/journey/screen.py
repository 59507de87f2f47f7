"""Screen: every new revision of a case is judged by the rule set in force, and seats are allotted branch by branch.

Rules: a decision is appended with its explanation, never overwritten; capacity is what the Job Coordinators on hand can
carry; whoever waits competes again whenever a case changed or was taken back, another file says who is on hand, or
another rule set begins, also with those who have held a seat for as long as the rule set protects it. A case that a
person has to decide about (REVIEW) is shown to one when it becomes that, until it is decided otherwise or COMWEL takes
it back.
Refuses to decide by anything that is not in the rule set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date, datetime, timedelta
from typing import NamedTuple

from gateway.cases.allotment import Allotment, Holding, Result, allot
from gateway.cases.caseload import in_force
from gateway.cases.ruleset import RuleSet
from gateway.cases.screening import Gate, Screening, screen
from gateway.documents.strict_json import dumps, reread
from gateway.journey.world import World
from gateway.ports import JudgedRow, ScreeningRow, Unit, WorkItem

PURPOSE = "priority-screening"
REVIEW = "screening-review"
"""The work item about a case that the rules leave to a person: its record lacks what they ask."""
CASELOAD, RULES = "caseload", "screening"
"""What makes those who wait compete again on the day on which another version of it begins."""
MOST = 20_000


def screen_cases(world: World) -> int:
    """Judge what is new; returns how many decisions were appended."""
    # 1 what changed since it was last judged, or began; who waits for a seat, and who may lose his to them
    # 2 judge each case by itself
    # 3 allot the seats of every branch
    # 4 append the decisions and what they leave to a person, one event
    today, now = world.clock.today(), world.clock.now()
    load, rules = in_force(world.know.caseloads, today), world.know.rules.on(today)
    with world.store.unit() as unit:
        fresh = _judge(unit.cases.unscreened(MOST), rules, today)  # 1, 2
        gone, take_day = unit.cases.taken_back(MOST), unit.retention.take_day
        began = [take_day(CASELOAD, load.effective_from), take_day(RULES, rules.effective_from)]
        if not (fresh or gone or any(began)):
            return 0
        waiting = _judge(unit.cases.waiting(), rules, today) | fresh
        taken = Counter(unit.cases.seats_taken())
        seats = {branch: load.seats(branch, rules) for branch in {j.screening.branch for j in waiting.values()}}
        free = {branch: many - taken[branch] for branch, many in seats.items()}
        seated = _seated(unit, rules, waiting, free, today)
        unchanged = unit.cases.still_as_screened(sorted(seated.keys() - waiting.keys()))
        judged = _judge(unchanged, rules, today) | waiting
        screenings, others = [j.screening for j in judged.values()], taken - Counter(h.branch for h in seated.values())
        allotments = allot(screenings, seats, rules, current=seated.values(), others=others, today=today)  # 3
        changed = _decisions(allotments, judged, fresh.keys(), seated.keys(), today, now)
        unit.add_work(_left_to_a_person(unit, changed, now))  # 4
        if over := [*gone, *(d.case_no for d in changed if d.result != Result.REVIEW)]:
            unit.end_work_about(REVIEW, over, now)
        unit.cases.screened(changed)
        unit.cases.mark_taken_back(gone)
        unit.commit(world.event("cases.screened", PURPOSE, subject=rules.id, counts={"decisions": len(changed)}))
        return len(changed)


class _Judged(NamedTuple):
    """One case by itself: the revision that was judged, and what came of it. The record is not kept in memory."""

    revision: int
    screening: Screening


def _judge(rows: Iterable[JudgedRow], rules: RuleSet, today: date) -> dict[str, _Judged]:
    """What has no record any more was destroyed: nobody judges it."""
    return {
        r.case_no: _Judged(r.revision, screen(reread(r.record), rules, today)) for r in rows if r.record is not None
    }


def _seated(
    unit: Unit, rules: RuleSet, waiting: Mapping[str, _Judged], free: Mapping[str, int], today: date
) -> dict[str, Holding]:
    """Who of these holds a seat, and who may lose one to them: who has held it long enough where too few are free."""
    seated = {seat.case_no: Holding(*seat) for seat in unit.cases.seats_of(waiting)}
    screenings = [j.screening for no, j in waiting.items() if no not in seated]
    wanted = Counter(s.branch for s in screenings if s.gate is Gate.CANDIDATE)
    short = [branch for branch, many in wanted.items() if many > free[branch]]
    since = today - timedelta(rules.selection.min_tenure_days)
    rivals = unit.cases.seats_held_since(short, since) if short else ()
    return {seat.case_no: Holding(*seat) for seat in rivals} | seated


def _decisions(
    allotments: Sequence[Allotment],
    judged: Mapping[str, _Judged],
    fresh: Set[str],
    seated: Set[str],
    today: date,
    now: datetime,
) -> list[ScreeningRow]:
    """What to append: every fresh case, who waited and waits no longer, and who had a seat and has none any more."""
    before = {no: Result.PRIORITY if no in seated else Result.WAITLIST for no in judged}
    return [
        _decision(a, judged[a.case_no], today, now)
        for a in allotments
        if a.case_no in fresh or a.result is not before[a.case_no]
    ]


def _left_to_a_person(unit: Unit, decisions: Sequence[ScreeningRow], now: datetime) -> list[WorkItem]:
    """A work item for each case that is REVIEW by these decisions and was not before."""
    open_ = [d.case_no for d in decisions if d.result == Result.REVIEW]
    before = unit.cases.in_review(open_) if open_ else frozenset()
    return [WorkItem(REVIEW, None, no, None, None, None, now) for no in open_ if no not in before]


def _decision(a: Allotment, judged: _Judged, today: date, now: datetime) -> ScreeningRow:
    screening = judged.screening
    return ScreeningRow(
        case_no=a.case_no,
        revision=judged.revision,
        ruleset=screening.ruleset,
        gate=str(screening.gate),
        score=screening.score,
        contributions=dumps([*[c._asdict() for c in screening.contributions], *a.reasons]),
        inputs_hash=screening.inputs_hash,
        result=str(a.result),
        position=a.position,
        capacity=a.capacity,
        business_date=today,
        decided_at=now,
    )
