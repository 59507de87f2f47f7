"""Files from COMWEL: what was accepted, put aside, or waits for its turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple, Protocol


class HandoverFile(NamedTuple):
    """One file from COMWEL as the gateway judged it. `way` A1|A6; `status` accepted|replaced|rejected.

    `stands_for` is the number of the file that a resend stands for; None: it stands for itself.
    """

    file_id: str
    way: str
    name: str
    base_date: date
    file_seq: int
    mode: str
    sha256: str
    status: str
    reason: str | None
    records: int
    quarantined: int
    received_at: datetime
    stands_for: int | None = None


class QuarantinedRow(NamedTuple):
    """A record put aside with its bytes (digits of a resident registration number already masked)."""

    file_id: str
    record_no: int
    case_no: str | None
    reason: str
    field: str | None
    raw: bytes
    sha256: str


class ParkedRow(NamedTuple):
    """A version that came before its turn and waits. `told_date` and `told_seq` say which file speaks in it."""

    case_no: str
    version: int
    change: str
    old_case_no: str | None
    facts: bytes
    facts_sha256: str
    file_id: str
    record_no: int
    parked_at: datetime
    told_date: date | None = None
    told_seq: int | None = None


class Handovers(Protocol):
    """Files from COMWEL, their quarantined and parked records."""

    def find(self, way: str, sha256: str) -> HandoverFile | None:
        """The file with these bytes that was taken in before, be it replaced since."""
        ...

    def taken_in(self, way: str) -> Sequence[HandoverFile]:
        """All files of a way that were taken in, those that were replaced since too, oldest first."""
        ...

    def rejected(self, way: str) -> Sequence[HandoverFile]:
        """All files of a way that were rejected, in order of time; one that came again stands there again."""
        ...

    def add(self, file: HandoverFile, quarantined: Iterable[QuarantinedRow] = ()) -> None: ...

    def quarantined(self, file_id: str) -> Sequence[QuarantinedRow]:
        """The records of a file that were put aside, in order."""
        ...

    def mark_replaced(self, file_id: str) -> None: ...

    def park(self, rows: Iterable[ParkedRow]) -> None:
        """Keep versions that came too early.

        The same row twice is one, as new as the newest file that says it, and has waited since the first one.
        """
        ...

    def parked(self, case_nos: Sequence[str]) -> Sequence[ParkedRow]:
        """What waits for these cases, by case, version and the order of the files that speak in it."""
        ...

    def unpark(self, rows: Iterable[ParkedRow]) -> None: ...

    def missing_versions(self, kind: str, before: datetime, limit: int) -> Sequence[tuple[str, str]]:
        """Cases of which something has waited since before this moment, and for which version, e.g. `version-2`.

        Not those that have open work of this kind. What is missing of a case without facts is its first version.
        """
        ...

    def end_missing_versions(self, kind: str, at: datetime) -> int:
        """End the work of this kind about versions for which nothing waits any more; returns how much."""
        ...
