"""Referrals and their legs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime
from typing import NamedTuple, Protocol

from gateway.ports.cases import CaseRow


class ReferralRow(NamedTuple):
    """The request (ServiceRequest)."""

    request_no: str
    case_no: str
    case_version: int
    status: str
    authored_at: datetime
    authored_on: date


class LegRow(NamedTuple):
    """The hand-over of a referral to one partner. `version` guards against lost updates."""

    ref_no: str
    request_no: str
    case_no: str
    case_version: int
    partner: str
    person_id: str
    state: str
    status: str
    business: str | None
    services: tuple[str, ...]
    legal_basis: str
    consent_no: str | None
    filler_no: str | None
    answered: bool
    in_seq: int
    first_answer_due: date
    result_due: date
    tracked: int
    version: int
    updated_at: datetime


class Legs(Protocol):
    """Referrals and their legs."""

    def next_numbers(self, day: date, how_many: int) -> Sequence[int]: ...

    def add(self, referrals: Sequence[ReferralRow], legs: Sequence[LegRow]) -> None: ...

    def get(self, ref_no: str) -> LegRow | None:
        """The leg, locked until the unit ends."""
        ...

    def many(self, ref_nos: Sequence[str]) -> Mapping[str, LegRow]:
        """These legs, locked until the unit ends."""
        ...

    def of_cases(self, case_nos: Sequence[str]) -> Sequence[LegRow]:
        """All legs of these cases, by leg number."""
        ...

    def save(self, *legs: LegRow) -> None:
        """Write back; `version` is the version read. Raises Interfered when somebody was faster."""
        ...

    def untracked(self, limit: int, settled: datetime, today: date) -> Sequence[LegRow]:
        """Legs to judge; locked. They changed since and were not touched after `settled`, or their day has come."""
        ...

    def mark_tracked(self, legs: Sequence[LegRow], again: Mapping[str, date]) -> None:
        """Remember up to which version these legs were judged, and by leg number on which day they are judged again."""
        ...

    def to_withdraw(self, limit: int) -> Sequence[tuple[LegRow, CaseRow]]:
        """Legs whose case may no longer be served, or not by their partner: barred, or of another version.

        Not those that were called back, or looked at in vain, at this revision of their case already; nor those that
        were called back for a withdrawn consent.
        """
        ...

    def look_again(self) -> None:
        """Let `to_withdraw` find every leg that was not looked at, whatever it kept of its case."""
        ...

    def mark_recalled(self, revisions: Mapping[str, int]) -> None:
        """Remember at which revision of their cases these legs, by their numbers, were called back.

        Below zero: they were looked at, and nobody was told. 0: they are to be looked at again.
        """
        ...

    def end_requests(self, statuses: Mapping[str, str]) -> Set[str]:
        """Give requests their last status: completed or revoked; returns those that had another."""
        ...
