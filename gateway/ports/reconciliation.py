"""Our books, the lists exchanged about them, and their differences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple, Protocol


class BookedRow(NamedTuple):
    """A message as our books have it: `direction` out|in, `state` as `gateway.sealing.lists.State`."""

    mid: str
    jws_sha256: bytes
    direction: str
    state: str


class ReconciliationRow(NamedTuple):
    """One list that we gave a partner about a day, and the list it answered with.

    `day` is the Korean day on which the messages were sealed. Until `theirs` has been compared it is asked again at
    `next_at`, for `why`. `settled`: the whole day, nothing under way, no difference.
    """

    list_id: str
    partner: str
    day: date
    ours: str
    stated_at: datetime
    next_at: datetime
    theirs: str | None = None
    compared_at: datetime | None = None
    tries: int = 0
    why: str | None = None
    waiting: int = 0
    differing: int = 0
    settled: bool = False


class DifferenceRow(NamedTuple):
    """A message on which our books and a partner's differ; `what` as `gateway.sealing.comparison.What`."""

    partner: str
    mid: str
    direction: str
    what: str
    day: date
    found_at: datetime
    gone_at: datetime | None = None


class Reconciliation(Protocol):
    """Our books, the lists exchanged about them, and the differences that were found."""

    def booked(self, partner: str, since: datetime, until: datetime) -> Sequence[BookedRow]:
        """Messages with a partner whose manifests were sealed in [since, until), by id.

        Of those out, what was leased once at least: before that nobody but us can know of them.
        """
        ...

    def days_due(self, partner: str, last: date, now: datetime, most: int) -> Sequence[date]:
        """Days that are not settled and whose time it is to ask (again), oldest first.

        From the day of the first message to the partner, but not more than `most` days before `last`, to `last`.
        """
        ...

    def newest(self, partner: str, day: date | None = None) -> ReconciliationRow | None:
        """The newest list that we gave the partner, about that day or any."""
        ...

    def last_answer(self, partner: str) -> str | None:
        """The list of the partner's that was compared last."""
        ...

    def answers_lately(self, partner: str) -> Sequence[str]:
        """The lists of the partner's that were compared in the day before the last one, and that."""
        ...

    def may_be_lost(self, row: ReconciliationRow) -> bool:
        """Whether an answer to another list than this may have been lost since the last that was compared.

        It went unanswered, and was given no earlier than a day before: so long a list of ours goes again.
        """
        ...

    def of_days(self, partner: str, first: date, last: date) -> Sequence[ReconciliationRow]:
        """The newest list of each of these days, by day: one that was answered, if there is any."""
        ...

    def keep(self, row: ReconciliationRow) -> None:
        """Keep a new list, or what became of one; the lists themselves never change."""
        ...

    def differ(self, partner: str, day: date, found: Sequence[DifferenceRow], at: datetime) -> Sequence[DifferenceRow]:
        """Let the open differences of a day be exactly these; returns what changed: new ones, and those gone by now.

        A difference that was open before stays as it was.
        """
        ...

    def open_differences(self, partner: str) -> Sequence[DifferenceRow]: ...
