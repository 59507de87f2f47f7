"""Whether an inbound outcome message can be about this leg, and what a person should know about it.

The plan, in this order:
1. Referral number and the partner's person id are those of the leg       else `NotYourLeg`
2. Every date exists; nothing happened more than 7 days from now           else `ImpossibleDate`
3. No job ends before it starts                                            else `ImpossibleDate`
4. A placement or a retention report names its evidence                    else `OutcomeIncomplete`
5. The outcome code does not contradict the act (placed or not)            else `OutcomeIncomplete`
6. A correction names an earlier report                                    else `OutcomeIncomplete`
7. What is odd but possible is flagged, never refused: before the referral (a job the worker found alone), before the
   accident, overlapping supports, a business number that contradicts "same employer".

Refuses to look further than the message, the leg and the case's own dates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from gateway.errors import ImpossibleDate, NotYourLeg, OutcomeIncomplete, Place
from gateway.outcomes.definition import RtwDefinition
from gateway.outcomes.facts import Subsidy, subsidy_of

FUTURE_AT_MOST = timedelta(days=7)
_PAST = ("happenedOn", "employment/start", "employment/eiAcquiredOn", "retention/checkedOn", "retention/lastDayWorked")
_DATES = (*_PAST, "employment/end", "training/from", "training/until", "assessment/date", "reviewOn")
_PROVEN_ACTS = ("report-placement", "report-retention")


class Flag(StrEnum):
    """Odd, but possible: kept as a fact, shown to a person."""

    BEFORE_REFERRAL = "before-referral"
    BEFORE_ACCIDENT = "before-accident"
    FUTURE = "future"
    SUBSIDY_OVERLAP = "subsidy-overlap"
    EMPLOYER_MISMATCH = "employer-mismatch"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a message must fit: its leg's number and person id, and the case's dates and supports."""

    ref_no: str
    partner_person_id: str
    referred_on: date
    accident_on: date | None = None
    employer_brn: str | None = None
    subsidies: tuple[Subsidy, ...] = ()


def check_outcome(
    document: Mapping[str, Any],
    expected: Expected,
    *,
    by: RtwDefinition,
    today: date,
) -> tuple[Flag, ...]:
    """Return the flags of a canonical outcome message, or refuse it; the plan is at the top of the module."""
    same_leg = document["refNo"] == expected.ref_no
    if not same_leg or document["partnerPersonId"] != expected.partner_person_id:
        raise NotYourLeg("the referral number or the person id is not that of the leg")
    dates = dict(_dates(document))
    _require_past(dates, today)
    _require_order(dates)
    _require_evidence(document)
    _require_fitting_code(document, by)
    _require_earlier(document)
    return tuple(flag for flag, raised in _odd(document, dates, expected, by, today).items() if raised)


def _dates(document: Mapping[str, Any]) -> Iterator[tuple[str, date]]:
    for path in _DATES:
        found: Any = document
        for step in path.split("/"):
            found = found.get(step, {})
        if found:
            yield path, _day(found, path)


def _day(text: str, path: str) -> date:
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        raise ImpossibleDate("there is no such day", place=Place(field=f"/{path}")) from None


def _require_past(dates: Mapping[str, date], today: date) -> None:
    for path in _PAST:
        if path in dates and dates[path] > today + FUTURE_AT_MOST:
            raise ImpossibleDate("more than 7 days from now", place=Place(field=f"/{path}"))


def _require_order(dates: Mapping[str, date]) -> None:
    for first, last in (("employment/start", "employment/end"), ("training/from", "training/until")):
        if first in dates and last in dates and dates[last] < dates[first]:
            raise ImpossibleDate("it ends before it starts", place=Place(field=f"/{last}"))


def _require_evidence(document: Mapping[str, Any]) -> None:
    proven = any(act["act"] in _PROVEN_ACTS for act in document["acts"])
    if proven and "evidence" not in document and "evidence" not in document.get("retention", {}):
        raise OutcomeIncomplete("a placement or retention report names its evidence", place=Place(field="/evidence"))


def _require_fitting_code(document: Mapping[str, Any], by: RtwDefinition) -> None:
    code, acts = document.get("outcomeCode"), {act["act"] for act in document["acts"]}
    wrong = (acts & {"complete", "report-placement"} and code not in by.placed) or (
        "fail" in acts and code in by.placed
    )
    if code is not None and wrong:
        raise OutcomeIncomplete("the outcome code contradicts the act", place=Place(field="/outcomeCode"))


def _require_earlier(document: Mapping[str, Any]) -> None:
    corrects = any(act["act"] == "correct" for act in document["acts"])
    if (corrects and "corrects" not in document) or document.get("corrects", 0) >= document["seq"]:
        raise OutcomeIncomplete("a correction names an earlier report", place=Place(field="/corrects"))


def _odd(
    document: Mapping[str, Any], dates: Mapping[str, date], expected: Expected, by: RtwDefinition, today: date
) -> dict[Flag, bool]:
    told = [dates[path] for path in ("happenedOn", "employment/start") if path in dates]
    job = document.get("employment", {})
    brn, hint = job.get("brn"), job.get("sameEmployer")
    compared = brn is not None and expected.employer_brn is not None and hint in ("Y", "N")
    return {
        Flag.BEFORE_REFERRAL: min(told) < expected.referred_on,
        Flag.BEFORE_ACCIDENT: expected.accident_on is not None and min(told) < expected.accident_on,
        Flag.FUTURE: any(dates[path] > today for path in _PAST if path in dates),
        Flag.SUBSIDY_OVERLAP: subsidies_overlap(
            [subsidy_of(s) for s in document.get("subsidies", ())], expected.subsidies, by
        ),
        Flag.EMPLOYER_MISMATCH: compared and (brn == expected.employer_brn) is not (hint == "Y"),
    }


def subsidies_overlap(told: Sequence[Subsidy], known: Sequence[Subsidy], by: RtwDefinition) -> bool:
    """Tell whether two supports that exclude each other are paid for the same time (산재법 75조④⑤)."""
    every = [*told, *known]
    return any(
        frozenset((a.kind, b.kind)) in by.subsidy_conflicts
        and a.since <= (b.until or date.max)
        and b.since <= (a.until or date.max)
        for a in told
        for b in every
    )
