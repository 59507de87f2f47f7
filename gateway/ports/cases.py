"""Cases as COMWEL knows them, and what screening decided about them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol


class CaseRow(NamedTuple):
    """What is known about one case now. JSON columns are bytes; see the comments in the schema."""

    case_no: str
    version: int
    revision: int
    status: str
    branch: str | None
    facts: bytes | None
    facts_sha256: str | None
    entry: bytes | None
    entry_sha256: str | None
    entry_state: str
    record: bytes | None
    verdict: str
    reason: str | None
    merged_into: str | None
    barred: bool
    screened: int
    referred: int
    updated_at: datetime
    facts_date: date | None = None
    facts_seq: int | None = None
    entry_date: date | None = None
    entry_seq: int | None = None
    entry_version: int | None = None
    unserved: str = ""
    holds_until: datetime | None = None
    judged: int = 0


class JudgedRow(NamedTuple):
    """What judging reads of a case: its canonical record (JSON bytes) at a revision, and nothing besides."""

    case_no: str
    revision: int
    record: bytes | None


class CaseChange(NamedTuple):
    """A new revision of a case and what brought it: I U D M X (A1) or E (entry)."""

    row: CaseRow
    change: str
    file_id: str | None


class ScreeningRow(NamedTuple):
    """One screening decision with its explanation."""

    case_no: str
    revision: int
    ruleset: str
    gate: str
    score: int
    contributions: bytes
    inputs_hash: str
    result: str
    position: int | None
    capacity: int | None
    business_date: date
    decided_at: datetime


class SeatRow(NamedTuple):
    """A case that holds a Job Coordinator's seat."""

    case_no: str
    branch: str
    since: date


class Caseload(Protocol):
    """Cases as COMWEL knows them, and screening decisions."""

    def load(self, case_nos: Sequence[str]) -> Mapping[str, CaseRow]:
        """These cases, locked until the unit ends."""
        ...

    def look(self, case_nos: Sequence[str]) -> Mapping[str, CaseRow]:
        """These cases as they are, not locked."""
        ...

    def records(self, case_nos: Sequence[str]) -> Mapping[str, bytes]:
        """The canonical records of these cases, JSON bytes, not locked; cases without one are missing."""
        ...

    def save(self, changes: Sequence[CaseChange]) -> None:
        """Write new revisions and their history."""
        ...

    def note(self, rows: Sequence[CaseRow]) -> None:
        """Write what is no revision of these cases: what judging says of them, and which file speaks for the entry."""
        ...

    def to_judge(self, now: datetime, limit: int) -> Sequence[CaseRow]:
        """Live cases that are newer than their judgement, or whose judgement held until this business time; locked."""
        ...

    def live_without(self, case_nos: Collection[str]) -> Sequence[str]:
        """Live cases of which facts are known and that are none of these, in order."""
        ...

    def as_of(self, case_no: str, at: datetime) -> bytes | None:
        """The canonical record as it was at a moment of protocol time, JSON bytes."""
        ...

    def unscreened(self, limit: int) -> Sequence[JudgedRow]:
        """Live cases with a record that changed since they were screened; locked."""
        ...

    def taken_back(self, limit: int) -> Sequence[str]:
        """Cases that were screened and are gone since, and were not marked after that; locked."""
        ...

    def mark_taken_back(self, case_nos: Sequence[str]) -> None: ...

    def waiting(self) -> Sequence[JudgedRow]:
        """Live cases on a waiting list, by their latest decision, locked."""
        ...

    def seats_taken(self) -> Mapping[str, int]:
        """Branch → how many of its live cases are PRIORITY now: each holds a seat."""
        ...

    def seats_of(self, case_nos: Collection[str]) -> Sequence[SeatRow]:
        """Who of these holds a seat, and since which business day without a break or a deletion."""
        ...

    def seats_held_since(self, branches: Collection[str], day: date) -> Sequence[SeatRow]:
        """Who in these branches has held a seat since this business day or longer."""
        ...

    def still_as_screened(self, case_nos: Sequence[str]) -> Sequence[JudgedRow]:
        """Those of these cases that have not changed since they were screened, not locked."""
        ...

    def screened(self, rows: Sequence[ScreeningRow]) -> None:
        """Append decisions and remember which revision they judged."""
        ...

    def in_review(self, case_nos: Sequence[str]) -> Set[str]:
        """Those of these cases that their latest decision left to a person, and that were not marked as gone since."""
        ...

    def to_refer(self, limit: int) -> Sequence[CaseRow]:
        """Live PRIORITY cases with verdict ok, undecided in this revision, best first.

        Not those that have a leg of this version already, nor those that still have an open one of an earlier version.
        """
        ...

    def mark_referred(self, case_nos: Sequence[str]) -> None: ...

    def report(self) -> Iterator[Mapping[str, Any]]:
        """One row a case for `gateway status cases`: caseNo, record, reason, screening, decision, score, legs.

        `record`: ok, no-referral, quarantined, deleted, merged, or awaiting (an entry without facts); no-referral with
        E-GAP while all facts of a case wait for an earlier version.
        """
        ...
