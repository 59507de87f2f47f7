"""Judge: may anything about a case leave, to whom no longer, and until when is that so?

Rules: judging looks at the record, at what COMWEL and the coordinator say of consent, and at the day (R-08). A case is
judged with every revision, and again when a day comes on which a consent or an approval begins or ends; that alone is
no revision. A partner that was told of the worker, and to whom nothing may go any more, is written down, so that its
leg is called back while others are served. What COMWEL took back stays taken back, whatever is said of it
afterwards.
Refuses to replace the question at the moment of sending: who sends asks again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.cases.permission import holds_until, verdict
from gateway.documents.strict_json import reread
from gateway.errors import PermissionRefused
from gateway.journey.disclose import permission_now
from gateway.journey.world import World
from gateway.ports import CaseRow, Unit
from gateway.referrals.states import Business

PURPOSE = "case-intake"
GONE = ("deleted", "merged")


def judge_due(world: World, most: int = 256) -> int:
    """Judge every case whose judgement no longer holds, `most` at a time; returns of how many it became another."""
    # 1 cases on whose day something began or ended, and those that are newer than their judgement
    # 2 judge each as of now; where something began or ended it is decided anew whether to refer
    # 3 who was called back under another judgement, and would not stop, is asked again
    # 4 commit, one event a batch
    due, changed = most, 0
    while due == most and not world.stopping():
        with world.store.unit() as unit:
            old = unit.cases.to_judge(world.clock.business_now(), most)  # 1
            if not old:
                break
            own = owners(unit, [row.case_no for row in old])
            new = [_anew(world, row, own.get(row.case_no, {})) for row in old]  # 2
            unit.cases.note(new)
            otherwise = [b.case_no for a, b in zip(old, new, strict=True) if _another(a, b)]
            turned = [row.case_no for row in old if row.holds_until]  # a withdrawal may begin where nothing may leave
            unit.legs.mark_recalled({ref_no: 0 for no in {*otherwise, *turned} for ref_no in own.get(no, ())})  # 3
            counts = {"judged": len(old), "changed": len(otherwise)}
            unit.commit(world.event("cases.judged", PURPOSE, counts=counts))  # 4
        due, changed = len(old), changed + len(otherwise)
    return changed


def judged(world: World, row: CaseRow, record: Mapping[str, Any] | None, own: Mapping[str, str]) -> CaseRow:
    """The row as it is judged now; `own` are the `owners` of its legs."""
    row = row._replace(verdict="no-referral", reason=None, barred=True, unserved="", holds_until=None)
    row = row._replace(judged=row.revision)
    if record is None or row.status in GONE:
        return row
    now, comwel = world.clock.business_now(), reread(row.facts or b"{}").get("a1Consent")
    may, reason = verdict(
        record,
        entry_state=row.entry_state,
        at=now,
        a1_consent=comwel,
        partners=world.know.profiles.values(),
        bases=world.know.law(now),
    )
    return row._replace(
        verdict=may,
        reason=reason,
        barred=may != "ok" or "deceasedDate" in record,
        unserved=" ".join(sorted(p for p in {*own.values()} if refusal_now(world, row, record, p))),
        holds_until=holds_until(record, now, comwel),
    )


def refusal_now(world: World, case: CaseRow, record: Mapping[str, Any], partner: str) -> str | None:
    """Why nothing may leave to a partner now, as a code; None when something may, or nobody knows the partner."""
    if partner not in world.know.profiles:
        return None
    try:
        permission_now(world, case, record, partner)
    except PermissionRefused as refused:
        return refused.code
    return None


def owners(unit: Unit, case_nos: Sequence[str]) -> dict[str, dict[str, str]]:
    """Whoever may have been told of the worker: partners by the numbers of their legs, by case."""
    found: dict[str, dict[str, str]] = {}
    for leg in unit.legs.of_cases(case_nos) if case_nos else ():
        if leg.business != Business.CONSENT_WITHDRAWN:
            found.setdefault(leg.case_no, {})[leg.ref_no] = leg.partner
    return found


def _anew(world: World, old: CaseRow, own: Mapping[str, str]) -> CaseRow:
    """The row as of now. Whether to refer it was decided on another day, or under another judgement: it is open."""
    new = judged(world, old, reread(old.record) if old.record else None, own)
    turned = old.verdict != "ok" or old.holds_until is not None
    return new._replace(referred=min(old.referred, new.revision - 1)) if turned and new.verdict == "ok" else new


def _another(old: CaseRow, new: CaseRow) -> bool:
    """Whether the judgement is another one, however long it holds."""
    return new != old._replace(judged=new.judged, holds_until=new.holds_until)
