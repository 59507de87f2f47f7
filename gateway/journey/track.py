"""Track: follow the worker after the placement, judge what the facts mean, and write it back to COMWEL.

Rules: the judgement is derived from the facts of a leg by a versioned definition, never typed; an update that says
nothing new is not written; a leg is judged when it has changed, and again on the day on which time alone may make the
judgement another (`gateway.outcomes.turns`); an update that does not fit into COMWEL's register
(`gateway.journey.write_back`) is shown to a person and holds up no other; so is, once a leg, what is odd about a
judgement: reports that contradict each other, a break too long, a job that the worker had beside the other before the
accident.
Refuses to judge by anything but stored facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import date, timedelta
from typing import Any, NamedTuple

from gateway.documents.strict_json import dumps, reread
from gateway.errors import Refused
from gateway.journey.inbox import forget_nonces, mind_missing
from gateway.journey.world import World
from gateway.journey.write_back import REFUSED, row_of, settled, update_refused, write_back
from gateway.korea import SEVERE
from gateway.outcomes.facts import OutcomeFact, fact_of, supersede
from gateway.outcomes.judgement import FOR_A_PERSON, Judgement, Original, judge
from gateway.outcomes.turns import next_turn, observed_on
from gateway.outcomes.update import About, Written, next_update
from gateway.ports import LegRow, ToldRow, Unit, UpdateRow, WorkItem
from gateway.referrals.states import TERMINAL, Status

PURPOSE = "rtw-tracking"
UPDATE_SCHEMA = "urn:comwel:schema:rtw-update:1.0.0"
MOST = 500
UNANSWERED_FOR = timedelta(days=180)
"""A retention check that is not answered so long after its day is closed as unknown."""


def track(world: World) -> int:
    """One round; returns how much there was to do."""
    # 0 nonces too old to be replayed are forgotten, reports that wait in vain are shown to a person
    # 1 retention checks whose day has come are due
    # 2 legs that changed, or whose day has come, are judged anew; what is new becomes an update
    # 3 updates are put into a file to COMWEL, and the file is written
    forget_nonces(world)  # 0
    mind_missing(world)
    return fall_due(world) + judge_changed(world) + write_back(world)  # 1, 2, 3


# ── 1 retention checks ───────────────────────────────────────────────────────────────────────────────────────────────
def fall_due(world: World) -> int:
    """Let scheduled retention checks fall due on their business day."""
    with world.store.unit() as unit:
        due = unit.facts.checks_due(world.clock.today())
        if not due:
            return 0
        unit.facts.save_checks([check._replace(state="due") for check in due])
        unit.commit(world.event("retention.due", PURPOSE, counts={"checks": len(due)}))
        return len(due)


def end_checks(world: World) -> int:
    """Close retention checks that nobody will answer: their leg ended otherwise, or nobody did for so long.

    Of the dead, and of cases that are gone, nobody is asked any more; who follows a placement up is told so first
    (`gateway.journey.withdraw`). A late report still says what it says.
    """
    unanswered_since = world.clock.today() - UNANSWERED_FOR
    with world.store.unit() as unit:
        over = unit.facts.checks_over(unanswered_since)
        if not over:
            return 0
        unanswered = [c._replace(state="failed", result="unknown") for c in over if c.due_on < unanswered_since]
        cancelled = [c._replace(state="cancelled") for c in over if c.due_on >= unanswered_since]
        unit.facts.save_checks([*unanswered, *cancelled])
        counts = {"unanswered": len(unanswered), "cancelled": len(cancelled)}
        unit.commit(world.event("retention.ended", PURPOSE, counts=counts))
        return len(over)


# ── 2 judgement ──────────────────────────────────────────────────────────────────────────────────────────────────────
def judge_changed(world: World, most: int = MOST) -> int:
    """Judge legs that changed since they were judged last, and those whose day has come."""
    with world.store.unit() as unit:
        legs = unit.legs.untracked(most, settled(world), world.clock.today())
        if not legs:
            return 0
        found = _judge(world, unit, legs)
        unit.facts.add_updates(found.updates)
        changed = [leg for leg in legs if leg.tracked < leg.version]
        refused = _untold(unit, found.refused, {leg.ref_no for leg in changed})
        unit.add_work([*refused, *_odd(world, unit, found.odd), *_close_requests(world, unit, changed)])
        unit.legs.mark_tracked(legs, found.again)
        world.reached("outcome.judged")
        counts = {"legs": len(legs), "updates": len(found.updates)}
        unit.commit(world.event("outcomes.judged", PURPOSE, counts=counts))
        return len(legs)


class _Found(NamedTuple):
    """What legs have to say anew, what of it could not be written, what is odd, and when each is judged again."""

    updates: list[UpdateRow]
    refused: list[WorkItem]
    odd: list[tuple[str, LegRow]]
    again: dict[str, date]


def _judge(world: World, unit: Unit, legs: Sequence[LegRow]) -> _Found:
    today, ref_nos = world.clock.today(), [leg.ref_no for leg in legs]
    records = unit.cases.records(sorted({leg.case_no for leg in legs}))
    last = unit.facts.last_updates(ref_nos)
    told: dict[str, list[ToldRow]] = {}
    for fact in unit.facts.of(ref_nos):
        told.setdefault(fact.ref_no, []).append(fact)
    found = _Found([], [], [], {})
    for leg in legs:
        if leg.ref_no not in told:
            continue
        facts, record = _facts(told[leg.ref_no]), reread(records.get(leg.case_no) or b"{}")
        if turn := next_turn(facts, by=world.know.rtw.on(today), as_of=today, care_end=_care_end(record)):
            found.again[leg.ref_no] = turn
        try:
            judgement = _judged(world, leg, facts, record)
            found.odd.extend((f"outcome-{flag}", leg) for flag in judgement.flags if flag in FOR_A_PERSON)
            update = _update(world, leg, judgement, last.get(leg.ref_no))
        except Refused as refusal:
            found.refused.append(update_refused(world, leg.case_no, leg.ref_no, leg.partner, refusal))
        else:
            found.updates.extend([update] if update else [])
    return found


def _untold(unit: Unit, refused: Sequence[WorkItem], changed: Set[str]) -> list[WorkItem]:
    """Of legs that have not changed a person was told already what could not be written."""
    again = {item.ref_no for item in refused if item.ref_no} - changed
    told = unit.work_about({REFUSED}, again) if again else frozenset()
    return [item for item in refused if item.ref_no in changed or (item.kind, item.ref_no) not in told]


def _odd(world: World, unit: Unit, odd: Sequence[tuple[str, LegRow]]) -> list[WorkItem]:
    """A work item for each kind and leg, once."""
    now = world.clock.now()
    shown = unit.work_about({kind for kind, _ in odd}, {leg.ref_no for _, leg in odd}) if odd else frozenset()
    new = [(kind, leg) for kind, leg in odd if (kind, leg.ref_no) not in shown]
    return [WorkItem(kind, None, leg.case_no, leg.ref_no, leg.partner, None, now) for kind, leg in new]


def _update(world: World, leg: LegRow, judgement: Judgement, last: UpdateRow | None) -> UpdateRow | None:
    written = Written(last.update_no, reread(last.content)) if last else None
    update = next_update(written, judgement, About(leg.case_no, leg.case_version, leg.ref_no, leg.partner))
    if update is None:
        return None
    document = update.document()
    world.know.schemas.require(UPDATE_SCHEMA, document)
    made = UpdateRow(leg.ref_no, update.update_no, leg.case_no, dumps(document), None, None, world.clock.now())
    row_of(world, made)  # what could not be written later is refused now
    return made


def _facts(told: Sequence[ToldRow]) -> tuple[OutcomeFact, ...]:
    facts: tuple[OutcomeFact, ...] = ()
    for row in told:
        facts = supersede(facts, fact_of(reread(row.content), mid=row.mid))
    return facts


def _judged(world: World, leg: LegRow, facts: Sequence[OutcomeFact], record: Mapping[str, Any]) -> Judgement:
    """What the facts of a leg mean today."""
    today = world.clock.today()
    return judge(
        facts,
        by=world.know.rtw.on(today),
        employed=world.know.employed,
        as_of=today,
        observed_on=observed_on(facts, today),
        care_end=_care_end(record),
        original=_original(record),
        severe=record.get("disabDegree") == SEVERE if "disabDegree" in record else None,
        closed=Status(leg.status) in TERMINAL,
    )


def _care_end(record: Mapping[str, Any]) -> date | None:
    """The last day of care, where COMWEL has told it."""
    return date.fromisoformat(record["careEnd"]) if record.get("careEnd") else None


def _original(record: Mapping[str, Any]) -> Original:
    """The job before the accident, and those beside it that the Job Coordinator knows of."""
    beside = (job.get("brn") for job in record.get("multiEmployer", ()) if job["kind"] == "concurrent")
    return Original(
        brn=next(iter(record.get("employerBrn", ())), None),
        occupation=record.get("occupationKeco"),
        other_brns=tuple(brn for brn in beside if brn),
    )


def _close_requests(world: World, unit: Unit, legs: Sequence[LegRow]) -> list[WorkItem]:
    """A request ends when every leg of it is terminal; where nobody was placed, the Job Coordinator decides, once."""
    ended = [leg for leg in legs if leg.status in _CLOSED]
    requests: dict[tuple[str, str], list[LegRow]] = {(leg.case_no, leg.request_no): [] for leg in ended}
    for leg in unit.legs.of_cases(sorted({case_no for case_no, _ in requests})) if ended else ():
        if (leg.case_no, leg.request_no) in requests:
            requests[leg.case_no, leg.request_no].append(leg)
    over = {key: legs for key, legs in sorted(requests.items()) if all(leg.status in _CLOSED for leg in legs)}
    placed = {key: any(leg.status == Status.COMPLETED for leg in legs) for key, legs in over.items()}
    new = unit.legs.end_requests({no: "completed" if good else "revoked" for (_, no), good in placed.items()})
    in_vain, now = [key for key, good in placed.items() if not good and key[1] in new], world.clock.now()
    return [WorkItem("not-placed", None, *key, None, None, now) for key in in_vain]


_CLOSED = frozenset(str(status) for status in TERMINAL)
