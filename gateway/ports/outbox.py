"""Messages out and their delivery, and the plans of those who send some of them again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from gateway.ports.legs import LegRow


class MessageRow(NamedTuple):
    """One message and its proof. `direction` out|in; `body` exact bytes; `jws` over the manifest.

    `fields` names the case fields that an outbound message disclosed; `fhir` is our own FHIR R4 record of a referral;
    `head` is kept of the request that brought an inbound one (`gateway.sealing.heads`).
    """

    partner: str
    direction: str
    mid: str
    type: str
    case_no: str | None
    ref_no: str | None
    seq: int
    content_type: str
    body: bytes
    jws: str
    body_sha256: bytes
    map_pin: str | None
    map_digest: str | None
    fields: tuple[str, ...]
    fhir: bytes | None
    at: datetime
    head: bytes | None = None


class Claim(NamedTuple):
    """A message leased for one attempt; the fence makes a late finisher harmless.

    `probe`: the partner's line is not closed, and this attempt is to find out whether it may be. `crashes`: claims
    before this one, in a row, whose lease ran out without a result. `leased_at`: the database's time.
    """

    message: MessageRow
    attempts: int
    first_at: datetime
    fence: int
    probe: bool = False
    crashes: int = 0
    leased_at: datetime | None = None


class AttemptRow(NamedTuple):
    """One try. `phase` before|attempt|after; `head` is kept of the request (`gateway.sealing.heads`) if any of it left.

    `case_no` is that of the message.
    """

    partner: str
    mid: str
    fence: int
    phase: str
    http_status: int | None
    result: str | None
    error_class: str | None
    began_at: datetime
    ended_at: datetime
    head: bytes | None = None
    case_no: str | None = None


class ReceiptRow(NamedTuple):
    """A signed receipt. `direction` is that of the message it acknowledges."""

    partner: str
    direction: str
    mid: str
    jws: str
    decision: str
    code: str | None
    at: datetime


class Finish(NamedTuple):
    """How an attempt left its delivery: delivered | ready (again at `next_at`) | blocked | dead."""

    attempt: AttemptRow
    state: str
    next_at: datetime
    receipt: ReceiptRow | None


class DeadRow(NamedTuple):
    """A message that goes on only by an officer: dead, or rejected by the partner with a signed receipt.

    `overtaken`: later messages about the case have been delivered.
    """

    partner: str
    mid: str
    type: str
    case_no: str | None
    ref_no: str | None
    seq: int
    state: str
    reason: str | None
    attempts: int
    first_at: datetime
    body_sha256: bytes
    overtaken: bool


class ReplayRow(NamedTuple):
    """A plan to send dead messages of one partner again; executed once, by a second officer."""

    replay_id: str
    partner: str
    planned_by: str
    planned_at: datetime
    mids: tuple[str, ...]
    executed_by: str | None = None
    executed_at: datetime | None = None


class Outbox(Protocol):
    """Messages out and their delivery."""

    def enqueue(self, messages: Sequence[MessageRow]) -> None:
        """Store messages and queue them, ready at once."""
        ...

    def last_seqs(self, case_nos: Sequence[str]) -> Mapping[tuple[str, str], int]:
        """Last seq sent per (partner, case); pairs that never had a message are missing."""
        ...

    def claim(self, partner: str, worker: str, limit: int, lease_s: float) -> Sequence[Claim]:
        """Lease up to `limit` due messages, head of line per (partner, case), skipping what others hold.

        Nothing while the partner's gate is shut or its line is open; one, marked as a probe, when a probe is due (see
        `Lines.probe`). While a line goes slowly, no more than are left of those that may be under way anywhere.
        A message whose last lease ran out without a result is suspect and comes alone. A lease begins now, not with the
        unit.
        """
        ...

    def release(self, claims: Sequence[Claim]) -> None:
        """Give leases back untried."""
        ...

    def finish(self, finishes: Sequence[Finish]) -> Set[str]:
        """End attempts; returns the ids of the messages whose fence still held: only they are as the finish says."""
        ...

    def postpone(self, partner: str, until: datetime) -> int:
        """Make what is due before `until` due then; returns how much. Days of what was never tried count from then."""
        ...

    def cancel(self, leg: LegRow, types: Collection[str]) -> Sequence[str]:
        """Block what is still unsent of these types about this leg; returns the message ids."""
        ...

    def seals(self, leg: LegRow) -> Sequence[str]:
        """The sealed manifests of our messages about this leg; they outlast what the messages said."""
        ...

    def ever_tried(self, leg: LegRow, types: Collection[str], but: str | None) -> bool:
        """Whether a message of these types about this leg may have reached its partner.

        It was tried, is under way, or died with whoever tried it. `but` is one that the caller holds: of that one only
        earlier attempts count.
        """
        ...

    def last_told(self, leg: LegRow) -> str | None:
        """The type of the last message about this leg, sent or to be sent; None: there is none."""
        ...

    def dead(self, partner: str | None = None) -> Sequence[DeadRow]:
        """What only an officer can send again, in the order of each case; messages that still have their bytes."""
        ...

    def attempts(self, mid: str) -> Sequence[AttemptRow]:
        """Every try of a message, oldest first."""
        ...

    def receipt(self, partner: str, mid: str) -> ReceiptRow | None:
        """The partner's receipt for a message of ours; the last, where a rejection was replayed."""
        ...

    def plan_replay(self, row: ReplayRow) -> None: ...

    def replay(self, replay_id: str) -> ReplayRow | None:
        """A plan, locked until the unit ends."""
        ...

    def execute_replay(self, row: ReplayRow, per_s: float) -> int:
        """Make the plan's messages ready that are still dead and have their bytes, `per_s` a second; returns how many.

        Attempts and horizon begin anew, and what a person was shown about them is over. A rejection that was the last
        word moves from the receipts to the plan.
        """
        ...

    def waiting(self) -> Mapping[str, int]:
        """Messages not yet delivered, blocked or dead, per partner."""
        ...

    def find_message(self, mid: str, *, partner: str | None = None, direction: str | None = None) -> MessageRow | None:
        """A message by its id; `partner` and `direction` say which, for two may have one id. Else the one that left."""
        ...

    def report(self) -> Iterator[Mapping[str, Any]]:
        """One row a message for `gateway status exchanges`."""
        ...
