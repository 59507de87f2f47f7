"""All tables of the store in memory, and what every part of a unit on it stands on."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import count

from gateway.ports import (
    AttemptRow,
    CaseChange,
    CaseRow,
    CheckRow,
    DifferenceRow,
    FactRow,
    HandoverFile,
    HoldRow,
    InboxRow,
    KeptEvent,
    KeyRow,
    LegRow,
    LineRow,
    MessageRow,
    ParkedRow,
    QuarantinedRow,
    ReceiptRow,
    ReconciliationRow,
    ReferralRow,
    ReplayRow,
    ScreeningRow,
    UpdateRow,
    WorkItem,
)

NUMBERS = count(1)
TERMINAL = {"completed", "failed", "rejected", "cancelled", "entered-in-error"}


@dataclass
class Delivery:
    message: MessageRow
    state: str = "ready"
    attempts: int = 0
    next_at: datetime = datetime(1, 1, 1, tzinfo=UTC)
    lease_until: datetime | None = None
    fence: int = 0
    crashes: int = 0
    first_at: datetime = datetime(1, 1, 1, tzinfo=UTC)
    error_class: str | None = None


@dataclass
class Shelf:
    """All tables."""

    files: dict[str, HandoverFile] = field(default_factory=dict)
    quarantined: list[QuarantinedRow] = field(default_factory=list)
    parked: dict[tuple[str, int, str, str], ParkedRow] = field(default_factory=dict)
    cases: dict[str, CaseRow] = field(default_factory=dict)
    history: list[CaseChange] = field(default_factory=list)
    screenings: list[ScreeningRow] = field(default_factory=list)
    numbers: dict[date, int] = field(default_factory=dict)
    referrals: dict[str, ReferralRow] = field(default_factory=dict)
    legs: dict[str, LegRow] = field(default_factory=dict)
    recalled: dict[str, int] = field(default_factory=dict)
    judge_on: dict[str, date] = field(default_factory=dict)
    messages: dict[tuple[str, str, str], MessageRow] = field(default_factory=dict)
    deliveries: dict[tuple[str, str], Delivery] = field(default_factory=dict)
    attempts: list[AttemptRow] = field(default_factory=list)
    receipts: dict[tuple[str, str, str], ReceiptRow] = field(default_factory=dict)
    inbox: dict[tuple[str, str], InboxRow] = field(default_factory=dict)
    nonces: dict[tuple[str, str], datetime] = field(default_factory=dict)
    facts: list[FactRow] = field(default_factory=list)
    checks: dict[tuple[str, str], CheckRow] = field(default_factory=dict)
    updates: dict[tuple[str, int], UpdateRow] = field(default_factory=dict)
    rtw_files: dict[tuple[date, int], str | None] = field(default_factory=dict)
    lines: dict[str, LineRow] = field(default_factory=dict)
    replays: dict[str, ReplayRow] = field(default_factory=dict)
    work: list[WorkItem] = field(default_factory=list)
    events: list[KeptEvent] = field(default_factory=list)
    days: dict[str, date] = field(default_factory=dict)
    holds: dict[str, HoldRow] = field(default_factory=dict)
    lists: dict[str, ReconciliationRow] = field(default_factory=dict)
    differences: dict[tuple[str, str, str, str], DifferenceRow] = field(default_factory=dict)
    keys: dict[tuple[str, str], KeyRow] = field(default_factory=dict)
    begun: dict[tuple[str, str], datetime] = field(default_factory=dict)
    ended: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def seen_by(self, partner: str) -> Shelf:
        """What a unit for one partner sees; the objects are the same."""
        legs = {no: leg for no, leg in self.legs.items() if leg.partner == partner}
        cases = {leg.case_no for leg in legs.values()}
        return Shelf(
            cases={no: case for no, case in self.cases.items() if no in cases},
            numbers=self.numbers,
            legs=legs,
            recalled={no: revision for no, revision in self.recalled.items() if no in legs},
            messages={k: v for k, v in self.messages.items() if k[0] == partner},
            deliveries={k: v for k, v in self.deliveries.items() if k[0] == partner},
            attempts=[row for row in self.attempts if row.partner == partner],
            receipts={k: v for k, v in self.receipts.items() if k[0] == partner},
            inbox={k: v for k, v in self.inbox.items() if k[0] == partner},
            nonces={k: v for k, v in self.nonces.items() if k[0] == partner},
            facts=[row for row in self.facts if row.ref_no in legs],
            checks={k: v for k, v in self.checks.items() if k[0] in legs},
            updates={k: v for k, v in self.updates.items() if k[0] in legs},
            rtw_files=self.rtw_files,
            lines={k: v for k, v in self.lines.items() if k == partner},
            replays={k: v for k, v in self.replays.items() if v.partner == partner},
            lists={k: v for k, v in self.lists.items() if v.partner == partner},
            differences={k: v for k, v in self.differences.items() if k[0] == partner},
            keys={k: v for k, v in self.keys.items() if v.owner == partner.lower()},
            work=[row for row in self.work if row.partner == partner],
            events=[row for row in self.events if row.event.partner == partner],
        )

    def be(self, other: Shelf) -> None:
        """Go back to another state, also for those who have this shelf in their hands."""
        for each in fields(self):
            setattr(self, each.name, getattr(other, each.name))

    def merge(self, before: Shelf, after: Shelf) -> None:
        """Put what was seen `before` back as it is `after`; lists only grow, and their rows are only replaced."""
        for each in fields(self):
            mine, seen, now = (getattr(shelf, each.name) for shelf in (self, before, after))
            if isinstance(mine, dict):
                mine.update(now)
                continue
            changed, known = iter(now), [id(row) for row in seen]
            mine[:] = [next(changed) if id(row) in known else row for row in mine]
            mine.extend(changed)


def right_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - stands for the database's clock


def day_of(at: datetime) -> date:
    return at.astimezone(timezone(timedelta(hours=9))).date()


class Part:
    def __init__(self, shelf: Shelf) -> None:
        self.s = shelf
