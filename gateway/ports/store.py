"""Where the gateway remembers: units of work, made of parts.

Rules: a `Unit` is one transaction. Leaving it without `commit` undoes everything. `commit` takes one audit event per
act and refuses to run without any.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from datetime import datetime
from typing import NamedTuple, Protocol

from gateway.exchange_log.audit import AuditEvent
from gateway.ports.acts import ActsAsked, KeptEvent, ReadsRow
from gateway.ports.cases import Caseload
from gateway.ports.facts import Facts
from gateway.ports.handovers import Handovers
from gateway.ports.inbox import Inbox
from gateway.ports.keys import Keys
from gateway.ports.legs import Legs
from gateway.ports.lines import Lines
from gateway.ports.outbox import Outbox, ReceiptRow
from gateway.ports.reconciliation import Reconciliation
from gateway.ports.retention import Retention
from gateway.sealing.receipts import Promise

KINDS = frozenset({
    "books-chain", "books-differ", "books-unanswered", "cancellation-refused", "case-not-in-full-file",
    "inbound-refused", "info-requested", "log-does-not-add-up", "mapping-failed", "message-id-reused", "not-placed",
    "queueing", "report-missing", "report-number-reused", "screening-review", "stamp-doubted", "update-refused",
    "version-missing", "withdraw", "witness-doubted",
})  # fmt: skip
"""The kinds of work items, but for those of `FAMILIES`."""
FAMILIES = ("delivery-", "outcome-")
"""How kinds begin that say besides how a delivery ended, or what is odd about an outcome."""


class WorkItem(NamedTuple):
    """Something a person must look at, unless it is over. `kind`: one of `KINDS`, or of one of the `FAMILIES`."""

    kind: str
    code: str | None
    case_no: str | None
    ref_no: str | None
    partner: str | None
    mid: str | None
    at: datetime
    done_at: datetime | None = None


class OpenWork(NamedTuple):
    """A work item that is not over, and the number by which people call it."""

    number: int
    item: WorkItem


class Unit(Protocol):
    """One transaction. Everything in it happens together or not at all."""

    handovers: Handovers
    cases: Caseload
    legs: Legs
    outbox: Outbox
    lines: Lines
    inbox: Inbox
    facts: Facts
    retention: Retention
    reconciliation: Reconciliation
    keys: Keys

    def now(self) -> datetime:
        """What time it is for the store, and so for all processes."""
        ...

    def add_work(self, items: Sequence[WorkItem]) -> None: ...

    def end_work(self, kind: str, partner: str, at: datetime, mid: str | None = None, code: str | None = None) -> None:
        """What this kind of item about this partner (and this message, with this code, if given) called for is over."""
        ...

    def end_work_about(self, kind: str, case_nos: Collection[str], at: datetime) -> None:
        """What this kind of item about these cases called for is over."""
        ...

    def open_work(self, kind: str | None, limit: int) -> Sequence[OpenWork]:
        """What is not over, of this kind or of all, oldest first."""
        ...

    def work_about(self, kinds: Collection[str], ref_nos: Collection[str]) -> Set[tuple[str, str]]:
        """Which kinds of items there ever were about which of these legs, be they over: (kind, ref_no)."""
        ...

    def do_work(self, number: int, at: datetime) -> WorkItem | None:
        """End one item; None when none that is open has this number."""
        ...

    def events(self, asked: ActsAsked, *, limit: int | None = None) -> Sequence[KeptEvent]:
        """The acts asked for, in their order; with a limit the first so many."""
        ...

    def numbers(self, asked: ActsAsked) -> Sequence[int]:
        """The numbers of the acts asked for, in their order: eight bytes each, so that all of a log can be listed."""
        ...

    def events_of(self, numbers: Sequence[int]) -> Sequence[KeptEvent]:
        """The acts of these numbers, in their order."""
        ...

    def destructions(self, since: datetime, *, limit: int) -> Sequence[KeptEvent]:
        """The first batches in which records were destroyed since a moment, in their order."""
        ...

    def reads(self, since: datetime, until: datetime) -> Sequence[ReadsRow]:
        """Who read how often in [since, until), by officer, purpose and act."""
        ...

    def reviewed(self) -> Mapping[str, str]:
        """Months (2026-11) whose reads were signed off, and by whom."""
        ...

    def named(self, acts: Sequence[str]) -> Sequence[KeptEvent]:
        """Those of these acts that name what they are about with its digest, in their order."""
        ...

    def counts(self) -> Mapping[str, int]:
        """How many of what there is, for status and the funnel."""
        ...

    def promise(self, *events: AuditEvent) -> Sequence[Promise]:
        """Number these acts in the log, a promise for each. Others wait from here on: nothing follows but `commit`."""
        ...

    def commit(self, *events: AuditEvent, receipts: Sequence[ReceiptRow] = ()) -> None:
        """Make it last, with one event per act and our receipts. Refuses without events, unless they were promised."""
        ...


class Store(Protocol):
    """Where the gateway remembers."""

    def unit(self, partner: str | None = None) -> AbstractContextManager[Unit]:
        """Open a unit; leaving the block without commit undoes it.

        For one partner nothing of another is seen, and to write it raises OutOfScope; None is the whole journey.
        """
        ...

    def alone(self, act: str) -> AbstractContextManager[bool]:
        """True while nobody else, in any process, holds this act; False, without waiting, when somebody does."""
        ...

    def keep_refusal(self, event: AuditEvent) -> None:
        """Keep that something was refused, after its unit was undone."""
        ...
