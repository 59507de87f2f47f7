"""Allotment: which screened cases get a Job Coordinator's seat, branch by branch.

1. Excluded cases leave at once (exit event). Everybody else who holds a seat keeps it through steps 2 and 3.
2. A branch manager's override goes before rank: into a seat (from the reserve if need be), or out of the competition.
3. Free seats go to the best CANDIDATEs in the rule set's order; ties end with the case number.
4. A waiting candidate takes the seat of the weakest holder only if that holder's minimum tenure has passed AND its
   score is more than the margin below the candidate's (hysteresis; best against weakest, one for one).
5. Seats still spare go to the best STATUTORY cases. Candidates without a seat wait, with a position.

More seats never cost anybody a seat in a branch that is not over-full. When seats fall below the holders, nobody is
ejected and nobody admitted. It refuses to overrule an exclusion, to eject for lack of capacity, and to decide by
anything but score, rank and tenure. Nobody hands in overrides yet: these are their rules, the door comes with the
console (R-31 of `gateway/compliance`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from gateway.cases.ruleset import RuleSet
from gateway.cases.screening import Gate, Screening
from gateway.errors import OverrideRefused


class Result(StrEnum):
    """What a case is after capacity; the words of `priority.result` in the case record."""

    PRIORITY = "PRIORITY"
    WAITLIST = "WAITLIST"
    STATUTORY = "STATUTORY"
    REVIEW = "REVIEW"
    GENERAL = "GENERAL"
    EXCLUDED = "EXCLUDED"


class Holding(NamedTuple):
    """A seat somebody holds since a business day. Counts against its branch even if the case is not screened today."""

    case_no: str
    branch: str
    since: date


class Override(NamedTuple):
    """A person's decision against the rank: `result` PRIORITY gives a seat, GENERAL takes the case out."""

    case_no: str
    result: Result
    role: str
    reason: str
    on: date


@dataclass(frozen=True, slots=True)
class Allotment:
    """One case after capacity. `rank` counts from 1 in its branch, `position` from 1 on its waiting list.

    `capacity` is the number of free seats before this run; `reasons` are sentences without personal data.
    """

    case_no: str
    result: Result
    rank: int | None
    position: int | None
    capacity: int
    reasons: tuple[str, ...]
    override: str | None = None


_UNSEATED = {  # what a case is without a seat
    Gate.CANDIDATE: Result.WAITLIST,
    Gate.STATUTORY: Result.STATUTORY,
    Gate.REVIEW: Result.REVIEW,
    Gate.GENERAL: Result.GENERAL,
    Gate.EXCLUDED: Result.EXCLUDED,
}


def allot(
    screenings: Iterable[Screening],
    seats: Mapping[str, int],
    ruleset: RuleSet,
    *,
    current: Iterable[Holding],
    today: date,
    others: Mapping[str, int] = MappingProxyType({}),
    overrides: Iterable[Override] = (),
) -> list[Allotment]:
    """Allot the seats of every branch on the business day `today`; one Allotment per screening, by branch and rank.

    `seats` is what a branch can carry of the gateway's cases (`Caseload.seats`), holders included; a branch that is
    missing has none. `current` names everybody of these cases who holds a seat; `others`: how many seats of a branch
    are held by whom it does not name. `overrides` have been accepted by `accept` before; the last one of a case counts.
    """
    day = _Day(
        {h.case_no: h for h in current}, {o.case_no: o for o in sorted(overrides, key=lambda o: o.on)}, ruleset, today
    )
    branches: dict[str, list[Screening]] = defaultdict(list)
    for s in sorted(screenings, key=_rank_key(ruleset)):
        branches[s.branch].append(s)
    screened = {s.case_no for cases in branches.values() for s in cases}
    unseen = Counter(h.branch for h in day.held.values() if h.case_no not in screened) + Counter(others)
    return [
        allotment
        for branch in sorted(branches)
        for allotment in _Branch(branches[branch], seats.get(branch, 0), unseen[branch], day).allot()
    ]


def accept(override: Override, ruleset: RuleSet, *, made_this_month: int, decided_this_month: int) -> None:
    """Refuse an override the rules do not allow: role, reason, and the monthly share of the branch (at least one)."""
    rules = ruleset.selection
    if override.role not in rules.override_roles:
        raise OverrideRefused("this role may not override")
    if not override.reason.strip():
        raise OverrideRefused("an override needs a reason")
    if override.result not in {Result.PRIORITY, Result.GENERAL}:
        raise OverrideRefused("an override gives a seat or takes the case out, nothing else")
    if made_this_month >= max(1, int(rules.override_share * decided_this_month)):
        raise OverrideRefused("the month's share of overrides is used up")


def _rank_key(ruleset: RuleSet) -> Callable[[Screening], tuple[Any, ...]]:
    def key(s: Screening) -> tuple[Any, ...]:
        number = {"score": s.score, "care_days": s.care_days, "accident_date": s.accident_date.toordinal()}
        return tuple(
            s.case_no if fact == "case_no" else -number[fact] if desc else number[fact]
            for fact, desc in ruleset.selection.order
        )

    return key


class _Day(NamedTuple):
    """What all branches share: who holds a seat, what people decided, the rules and the business day."""

    held: Mapping[str, Holding]
    overrides: Mapping[str, Override]
    ruleset: RuleSet
    today: date


class _Branch:
    """One branch, one day. `cases` come ranked; `unseen` holders are not screened today but keep their seats."""

    def __init__(self, cases: list[Screening], seats: int, unseen: int, day: _Day) -> None:
        self.cases, self.seats, self.day = cases, seats, day
        eligible = [s for s in cases if s.gate is not Gate.EXCLUDED]
        self.forced = [s for s in eligible if self._override(s) is Result.PRIORITY]
        undecided = [s for s in eligible if self._override(s) is None]
        self.holders = [s for s in undecided if s.case_no in day.held]
        self.newcomers = [s for s in undecided if s.case_no not in day.held]
        self.taken = len(self.forced) + len(self.holders) + unseen
        self.free = max(0, seats - self.taken)

    def _override(self, s: Screening) -> Result | None:
        override = self.day.overrides.get(s.case_no)
        return override.result if override else None

    def allot(self) -> list[Allotment]:
        candidates = [s for s in self.newcomers if s.gate is Gate.CANDIDATE]
        statutory = [s for s in self.newcomers if s.gate is Gate.STATUTORY]
        admitted, waiting = candidates[: self.free], candidates[self.free :]
        swaps = self._swaps(waiting)
        spare = statutory[: self.free - len(admitted)]
        why: dict[str, str] = {}
        why |= {s.case_no: "keeps its seat" for s in self.holders}
        why |= {s.case_no: "a seat by override" for s in self.forced}
        why |= {s.case_no: "a free seat by rank" for s in admitted}
        why |= {s.case_no: "a spare seat after all candidates" for s in spare}
        why |= {winner.case_no: "the seat of a weaker case whose tenure has passed" for winner, _ in swaps}
        for _, loser in swaps:
            del why[loser.case_no]
        return self._write(why)

    def _swaps(self, waiting: list[Screening]) -> list[tuple[Screening, Screening]]:
        if self.taken > self.seats:  # over-full: nobody in, nobody out
            return []
        rules, today, held = self.day.ruleset.selection, self.day.today, self.day.held
        tenure, margin = timedelta(rules.min_tenure_days), rules.exit_margin
        weakest_first = [s for s in reversed(self.holders) if today - held[s.case_no].since >= tenure]
        return [(w, h) for w, h in zip(waiting, weakest_first, strict=False) if h.score < w.score - margin]

    def _write(self, seated: Mapping[str, str]) -> list[Allotment]:
        ranks = {s.case_no: n for n, s in enumerate(self._ranked(seated), 1)}
        position, found = 0, []
        for s in sorted(self.cases, key=lambda s: ranks.get(s.case_no, len(self.cases) + 1)):
            result = Result.PRIORITY if s.case_no in seated else self._override(s) or _UNSEATED[s.gate]
            result = Result.EXCLUDED if s.gate is Gate.EXCLUDED else result
            waits = result is Result.WAITLIST
            position += waits
            found.append(
                Allotment(
                    s.case_no,
                    result,
                    ranks.get(s.case_no),
                    position if waits else None,
                    self.free,
                    self._reasons(s, result, seated.get(s.case_no)),
                    self.day.overrides[s.case_no].reason if s.case_no in self.day.overrides else None,
                )
            )
        return found

    def _ranked(self, seated: Mapping[str, str]) -> list[Screening]:
        """Candidates and everybody seated compete in one order; STATUTORY cases without a seat follow."""
        first = [s for s in self.cases if s.case_no in seated or s.gate is Gate.CANDIDATE]
        return first + [s for s in self.cases if s.gate is Gate.STATUTORY and s.case_no not in seated]

    def _reasons(self, s: Screening, result: Result, seat: str | None) -> tuple[str, ...]:
        gate = f"gate {s.gate}: {s.because}"
        if seat:
            return gate, f"{result}: {seat}"
        if result is Result.WAITLIST:
            return gate, f"{result}: all {self.seats} seats of the branch are taken"
        return (gate,)
