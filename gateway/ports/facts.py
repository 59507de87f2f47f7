"""Outcome facts, retention checks, return-to-work updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime
from typing import NamedTuple, Protocol


class FactRow(NamedTuple):
    """One reported fact: the canonical outcome as JSON bytes."""

    fact_id: str
    ref_no: str
    seq: int
    mid: str
    happened_on: date
    content: bytes
    evidence: str | None
    entered_in_error: bool
    superseded_by: str | None
    fhir: bytes
    at: datetime


class ToldRow(NamedTuple):
    """What a fact says, without its FHIR face, and whether it still counts."""

    fact_id: str
    ref_no: str
    seq: int
    mid: str
    content: bytes
    entered_in_error: bool
    superseded_by: str | None


class CheckRow(NamedTuple):
    """A retention check. `state` scheduled|due|completed|failed|cancelled."""

    ref_no: str
    milestone: str
    base_kind: str
    base_date: date
    due_on: date
    state: str
    result: str | None


class UpdateRow(NamedTuple):
    """A return-to-work update waiting for, or already in, a write-back file."""

    ref_no: str
    update_no: int
    case_no: str
    content: bytes
    file_date: date | None
    file_seq: int | None
    at: datetime


class Facts(Protocol):
    """Outcome facts, retention checks, return-to-work updates."""

    def of(self, ref_nos: Sequence[str]) -> Sequence[ToldRow]:
        """What all facts of these legs say, by leg and seq."""
        ...

    def supersede(self, ref_no: str, seq: int, by: str) -> bool:
        """Mark the fact with this seq as entered in error; False when there is none."""
        ...

    def save_checks(self, rows: Sequence[CheckRow]) -> None: ...

    def followed(self, ref_nos: Sequence[str]) -> Set[str]:
        """Which of these legs have open checks."""
        ...

    def cancel_checks(self, ref_no: str) -> None:
        """End the open checks of a leg; the caller has locked the leg."""
        ...

    def checks_due(self, today: date) -> Sequence[CheckRow]: ...

    def checks_over(self, unanswered_since: date) -> Sequence[CheckRow]:
        """Open checks that nobody will answer: of legs that ended otherwise, of the dead, of cases that are gone.

        And those that fell due before a day and were never answered.
        """
        ...

    def last_updates(self, ref_nos: Sequence[str]) -> Mapping[str, UpdateRow]:
        """The newest update of each of these legs that has one."""
        ...

    def add_updates(self, rows: Sequence[UpdateRow]) -> None: ...

    def allocate_file(self, file_date: date, limit: int, settled: datetime) -> tuple[int, Sequence[UpdateRow]] | None:
        """Give up to `limit` waiting updates a file number, if there are as many or the oldest waits since `settled`.

        Nobody waits for company that cannot come: where no leg is left to be judged, any number is enough. None when
        nothing waits, or not long enough.
        """
        ...

    def unwritten_files(self) -> Sequence[tuple[date, int, Sequence[UpdateRow]]]:
        """Files allocated but not yet safely on disk, with their updates in order."""
        ...

    def file_written(self, file_date: date, file_seq: int, sha256: str, at: datetime) -> None: ...
