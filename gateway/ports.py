"""What the verbs need from the world.

Rows are plain, frozen and free of behaviour; protocols are implemented by `gateway.store`, `adapters` and the fakes of
the tests, and each has one contract suite that runs on every implementation.

Rules: a `Unit` is one transaction. Leaving it without `commit` undoes everything. `commit` takes one audit event per
act and refuses to run without any. This module refuses to know SQL, HTTP and files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from gateway.errors import Place
from gateway.exchange_log.audit import AuditEvent
from gateway.sealing.heads import Fields
from gateway.sealing.receipts import Promise

# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class HandoverFile(NamedTuple):
    """One file from COMWEL as the gateway judged it. `way` A1|A6; `status` accepted|replaced|rejected."""

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


class QuarantinedRow(NamedTuple):
    """A record put aside with its bytes (digits of a resident registration number already masked)."""

    file_id: str
    record_no: int
    case_no: str | None
    reason: str
    field: str | None
    raw: bytes
    sha256: str


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


class ParkedRow(NamedTuple):
    """A version that came before its turn and waits."""

    case_no: str
    version: int
    change: str
    old_case_no: str | None
    facts: bytes
    facts_sha256: str
    file_id: str
    record_no: int
    parked_at: datetime


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


class Finish(NamedTuple):
    """How an attempt left its delivery: delivered | ready (again at `next_at`) | blocked | dead."""

    attempt: AttemptRow
    state: str
    next_at: datetime
    receipt: ReceiptRow | None


class LineRow(NamedTuple):
    """How the line to a partner stands. `breaker` closed|open|half-open; `recent`: (slot, tried, failed) each.

    Until `slow_until` only `at_once` messages are leased, whoever asks: the partner has just come back.
    `gate` open|paused|stopped is what an officer said, with his reason; it and the breaker do not know each other.
    """

    partner: str
    breaker: str = "closed"
    why: str | None = None
    failures: int = 0
    probes: int = 0
    due_at: datetime | None = None
    recent: tuple[tuple[int, int, int], ...] = ()
    at_once: int | None = None
    slow_until: datetime | None = None
    gate: str = "open"
    gate_reason: str | None = None
    gate_by: str | None = None
    gate_at: datetime | None = None


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


class ReceiptRow(NamedTuple):
    """A signed receipt. `direction` is that of the message it acknowledges."""

    partner: str
    direction: str
    mid: str
    jws: str
    decision: str
    code: str | None
    at: datetime


class InboxRow(NamedTuple):
    """The memory of one inbound message. `state` applied|held|stale|refused|quarantined."""

    partner: str
    mid: str
    jws_sha256: bytes
    ref_no: str | None
    seq: int | None
    state: str
    code: str | None
    at: datetime


class Arrival(NamedTuple):
    """A proven message at the door: who it is, the nonce of the attempt, and the leg it says it is about."""

    partner: str
    mid: str
    nonce: str
    at: datetime
    ref_no: str | None


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


class CheckRow(NamedTuple):
    """A retention check. `state` scheduled|due|completed|failed|cancelled."""

    ref_no: str
    milestone: str
    base_kind: str
    base_date: date
    due_on: date
    state: str
    result: str | None


class Met(NamedTuple):
    """What arriving messages meet: which nonces are new, which ids are known, their legs and what hangs on those.

    `seen` by (partner, mid), with our receipt; `held` with the partner's seq, in its order; `checks` by day; `records`
    by case, JSON bytes.
    """

    fresh: Set[tuple[str, str]]
    seen: Mapping[tuple[str, str], tuple[InboxRow, ReceiptRow | None]]
    legs: Mapping[str, LegRow]
    held: Sequence[tuple[int, MessageRow]]
    checks: Sequence[CheckRow]
    records: Mapping[str, bytes]


class UpdateRow(NamedTuple):
    """A return-to-work update waiting for, or already in, a write-back file."""

    ref_no: str
    update_no: int
    case_no: str
    content: bytes
    file_date: date | None
    file_seq: int | None
    at: datetime


class WorkItem(NamedTuple):
    """Something a person must look at, unless it is over."""

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


class HoldRow(NamedTuple):
    """A case of which nothing is destroyed, and why."""

    case_no: str
    reason: str
    since: datetime


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


class Stretch(NamedTuple):
    """What the exchange log holds of one stream in a period.

    `gaps`: (last number before, next number after) of numbers that no leaf has. `acts_gone`: how many leaves have no
    act any more; `messages_gone`: messages that leaves speak of and that are not kept. `checkpoint`: the newest head.
    """

    leaves: int
    first: int | None
    last: int | None
    gaps: tuple[tuple[int, int], ...]
    acts_gone: int
    messages_gone: tuple[str, ...]
    checkpoint: str


class ReadsRow(NamedTuple):
    """How often somebody read in a period, for one purpose: counts alone.

    `cases`: how many different ones; `off_hours`: at night and on weekends in Korea; `wholesale`: acts exported of no
    single case.
    """

    actor: str
    purpose: str
    act: str
    reads: int
    cases: int
    off_hours: int
    wholesale: int


class KeyRow(NamedTuple):
    """A public key and its validity."""

    owner: str
    kid: str
    jwk: Mapping[str, Any]
    not_before: datetime
    not_after: datetime
    revoked_at: datetime | None
    signs_from: datetime | None = None
    """From when we sign with it ourselves; None: its owner does, or nobody any more."""


class TurnedKeys(NamedTuple):
    """Keys of ours that began to sign, and those whose time is over, since somebody last looked."""

    began: Sequence[KeyRow]
    ended: Sequence[KeyRow]


# ── the store ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Handovers(Protocol):
    """Files from COMWEL, their quarantined and parked records."""

    def find(self, way: str, sha256: str) -> HandoverFile | None:
        """The accepted file with these bytes, if it came before."""
        ...

    def accepted(self, way: str) -> Sequence[HandoverFile]:
        """All accepted files of a way, oldest first."""
        ...

    def add(self, file: HandoverFile, quarantined: Iterable[QuarantinedRow] = ()) -> None: ...

    def quarantined(self, file_id: str) -> Sequence[QuarantinedRow]:
        """The records of a file that were put aside, in order."""
        ...

    def mark_replaced(self, file_id: str) -> None: ...

    def park(self, rows: Iterable[ParkedRow]) -> None:
        """Keep versions that came too early; the same row twice is one."""
        ...

    def parked(self, case_nos: Sequence[str]) -> Sequence[ParkedRow]:
        """What waits for these cases, by case and version."""
        ...

    def unpark(self, rows: Iterable[ParkedRow]) -> None: ...


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

    def as_of(self, case_no: str, at: datetime) -> bytes | None:
        """The canonical record as it was at a moment of protocol time, JSON bytes."""
        ...

    def unscreened(self, limit: int) -> Sequence[JudgedRow]: ...

    def waiting(self) -> Sequence[JudgedRow]:
        """Live cases on a waiting list, by their latest decision, locked."""
        ...

    def seats_held(self) -> Sequence[SeatRow]:
        """Live cases that are PRIORITY now, and since which business day without a break."""
        ...

    def screened(self, rows: Sequence[ScreeningRow]) -> None:
        """Append decisions and remember which revision they judged."""
        ...

    def latest_screening(self, case_nos: Sequence[str]) -> Mapping[str, ScreeningRow]: ...

    def to_refer(self, limit: int) -> Sequence[CaseRow]:
        """Live PRIORITY cases with verdict ok, undecided in this revision, best first.

        Not those that have a leg of this version already, nor those that still have an open one of an earlier version.
        """
        ...

    def mark_referred(self, case_nos: Sequence[str]) -> None: ...

    def report(self) -> Iterator[Mapping[str, Any]]:
        """One row a case for `gateway status cases`: caseNo, record, reason, screening, legs."""
        ...


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

    def of_case(self, case_no: str) -> Sequence[LegRow]: ...

    def of_cases(self, case_nos: Sequence[str]) -> Sequence[LegRow]:
        """All legs of these cases, by leg number."""
        ...

    def save(self, *legs: LegRow) -> None:
        """Write back; `version` is the version read. Raises Interfered when somebody was faster."""
        ...

    def untracked(self, limit: int, settled: datetime) -> Sequence[LegRow]:
        """Legs that changed since their outcome was last judged and were not touched after `settled`; locked."""
        ...

    def mark_tracked(self, legs: Sequence[LegRow]) -> None:
        """Remember up to which version these legs were judged."""
        ...

    def to_withdraw(self, limit: int) -> Sequence[tuple[LegRow, CaseRow]]:
        """Open legs whose case may no longer be served: not ok, not live, excluded, or of another version."""
        ...

    def end_requests(self, statuses: Mapping[str, str]) -> None:
        """Give requests their last status: completed or revoked."""
        ...


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
        A message whose last lease ran out without a result is suspect and comes alone.
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

    def cancel(self, case_no: str, partner: str) -> Sequence[str]:
        """Block what is still unsent for this case and partner; returns the message ids."""
        ...

    def ever_tried(self, case_no: str, partner: str, but: str | None) -> bool:
        """Whether any message about this case was ever tried or is under way to the partner, `but` that one."""
        ...

    def dead(self, partner: str | None = None) -> Sequence[DeadRow]:
        """What only an officer can send again, in the order of each case; messages that still have their bytes."""
        ...

    def attempts(self, mid: str) -> Sequence[AttemptRow]:
        """Every try of a message, oldest first."""
        ...

    def receipt(self, mid: str) -> ReceiptRow | None:
        """The partner's receipt for a message of ours; the last, where a rejection was replayed."""
        ...

    def plan_replay(self, row: ReplayRow) -> None: ...

    def replay(self, replay_id: str) -> ReplayRow | None:
        """A plan, locked until the unit ends."""
        ...

    def execute_replay(self, row: ReplayRow, per_s: float) -> int:
        """Make the plan's messages ready that are still dead, `per_s` of them a second; returns how many.

        Attempts and horizon begin anew. A rejection that was the last word moves from the receipts to the plan.
        """
        ...

    def waiting(self) -> Mapping[str, int]:
        """Messages not yet delivered, blocked or dead, per partner."""
        ...

    def find_message(self, mid: str) -> MessageRow | None:
        """A message by its id alone."""
        ...

    def report(self) -> Iterator[Mapping[str, Any]]:
        """One row a message for `gateway status exchanges`."""
        ...


class Lines(Protocol):
    """The lines to partners: what their breakers remember. A line nobody has heard of is closed."""

    def hold(self, partner: str) -> tuple[LineRow, datetime]:
        """The line, locked until the unit ends, and the database's time."""
        ...

    def save(self, row: LineRow) -> None: ...

    def probe(self, partner: str, lease_s: float) -> bool:
        """Make the line half-open, if a probe is due; False when somebody else was faster.

        A probe of which nothing is heard for `lease_s` is due again.
        """
        ...

    def stopped(self, partner: str) -> bool:
        """Whether an officer has stopped this partner."""
        ...

    def all(self) -> Sequence[LineRow]:
        """Every line that has been heard of, by partner."""
        ...


class Inbox(Protocol):
    """Messages in."""

    def meet(self, arrivals: Sequence[Arrival]) -> Met:
        """Use up their nonces, and find what they meet here; legs and checks are locked until the unit ends."""
        ...

    def forget_nonces(self, before: datetime) -> int:
        """Forget nonces that are too old to be replayed; returns how many."""
        ...

    def settle(self, partner: str, mid: str, state: str, code: str | None) -> None: ...

    def missing(self, kind: str, before: datetime, limit: int) -> Sequence[tuple[str | None, str, str, str]]:
        """Case, leg, partner and id of what is held since before this moment and has no open work of this kind."""
        ...

    def end_missing(self, kind: str, at: datetime) -> int:
        """End the work of this kind whose message is not held any more; returns how much."""
        ...

    def keep(
        self,
        heard: Sequence[tuple[InboxRow, MessageRow]] = (),
        *,
        legs: Sequence[LegRow] = (),
        facts: Sequence[FactRow] = (),
        checks: Sequence[CheckRow] = (),
    ) -> Mapping[tuple[str, str], int]:
        """Remember messages and write what they change; returns their inbox seqs by (partner, mid).

        Raises Interfered when one of them is there already, or when somebody was faster with a leg.
        """
        ...

    def receipt(self, mid: str) -> ReceiptRow | None:
        """Our receipt for a message, by its id alone."""
        ...


class Facts(Protocol):
    """Outcome facts, retention checks, return-to-work updates."""

    def of(self, ref_nos: Sequence[str]) -> Sequence[FactRow]:
        """All facts of these legs, by leg and seq."""
        ...

    def supersede(self, ref_no: str, seq: int, by: str) -> bool:
        """Mark the fact with this seq as entered in error; False when there is none."""
        ...

    def save_checks(self, rows: Sequence[CheckRow]) -> None: ...

    def checks_due(self, today: date) -> Sequence[CheckRow]: ...

    def last_updates(self, ref_nos: Sequence[str]) -> Mapping[str, UpdateRow]:
        """The newest update of each of these legs that has one."""
        ...

    def add_updates(self, rows: Sequence[UpdateRow]) -> None: ...

    def allocate_file(self, file_date: date, limit: int, settled: datetime) -> tuple[int, Sequence[UpdateRow]] | None:
        """Give up to `limit` waiting updates a file number, if there are as many or the oldest waits since `settled`.

        None when nothing waits, or not long enough.
        """
        ...

    def unwritten_files(self) -> Sequence[tuple[date, int, Sequence[UpdateRow]]]:
        """Files allocated but not yet safely on disk, with their updates in order."""
        ...

    def file_written(self, file_date: date, file_seq: int, sha256: str, at: datetime) -> None: ...


class Retention(Protocol):
    """How long records are kept, and their end. A `kind` is destroy-put-aside, destroy-content or destroy-evidence."""

    def take_day(self, round_: str, day: date) -> bool:
        """True for whoever comes first with this business day."""
        ...

    def due(self, kind: str, before: date) -> tuple[int, int]:
        """How many records or cases may go that ended before this day, and how many of them are held."""
        ...

    def destroy(self, kind: str, before: date, most: int) -> int:
        """End up to `most` of them, never one that is held; returns how many."""
        ...

    def destroy_returned(self, most: int) -> int:
        """End up to `most` cases once more whose content was destroyed and came back, never one that is held."""
        ...

    def hold(self, row: HoldRow) -> bool:
        """False when the case is held already."""
        ...

    def release(self, case_no: str) -> bool:
        """False when the case is not held."""
        ...

    def holds(self) -> Sequence[HoldRow]: ...

    def files_on_hold(self) -> Set[tuple[date, int]]:
        """Base date and number of files from and for COMWEL in which something of a held case stands."""
        ...


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
        """The newest list of the partner's that was compared."""
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


class ActsAsked(NamedTuple):
    """Which acts: of a case, with a partner, from `since` to before `until` (aware), about a message.

    What is None does not matter.
    """

    case_no: str | None = None
    partner: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    mid: str | None = None


class KeptEvent(NamedTuple):
    """An act as it was kept: its number in the order of acts, when, and its id in the log.

    `id` None: it was written before there was a log.
    """

    number: int
    at: datetime
    event: AuditEvent
    id: str | None = None


class Keys(Protocol):
    """Public keys with their validity. A unit for one partner sees that partner's."""

    def add(self, row: KeyRow) -> bool:
        """False when the owner has a key of this kid already; it stays as it is."""
        ...

    def of(self, owner: str) -> Sequence[KeyRow]: ...

    def revoke(self, owner: str, kid: str, at: datetime) -> bool:
        """Nothing signed after `at` counts. False when there is no such key, or it is revoked already."""
        ...

    def moment(self) -> datetime:
        """Now, by the clock that all processes share: the store's."""
        ...

    def schedule(self, owner: str, kid: str, signs_from: datetime) -> None:
        """Let a key that has not begun to sign begin at another moment."""
        ...

    def end(self, owner: str, kid: str, not_after: datetime) -> None:
        """Let the validity of a key end at this moment, if it does not end before."""
        ...

    def turn(self, owner: str) -> TurnedKeys:
        """What began to sign and what ended up to now; each key is named once for either."""
        ...


class ProvenAct(NamedTuple):
    """An act in a log: its leaf and the proof of its place, as text (C2SP tlog-proof).

    `statement` is what the leaf commits to, `key` opens the commitments of this leaf and of no other; both are None
    when the key of its case was destroyed.
    """

    id: str
    log: str
    entry: int
    leaf: bytes
    proof: str
    statement: bytes | None
    key: bytes | None


class LogSeen(NamedTuple):
    """A log as strangers see it: a checkpoint, and that it continues the first one that held some acts.

    `stamped`: the first checkpoint with all of them that was time stamped, and its stamp (RFC 3161).
    """

    name: str
    vkey: str
    policy: str
    checkpoint: str
    earlier: str
    consistency: Sequence[bytes]
    stamped: tuple[str, bytes] | None = None


class Evidence(NamedTuple):
    """Acts in the order of the logs, and the logs they stand in, oldest first, all seen at one moment."""

    acts: Sequence[ProvenAct]
    logs: Sequence[LogSeen]


class Prover(Protocol):
    """The exchange log, as far as evidence needs it."""

    def evidence(self, ids: Sequence[str]) -> Evidence:
        """Those of these acts that have their place in a log."""
        ...

    def sign(self, log: str, text: str) -> str:
        """A text as a note, signed with the key of a log."""
        ...


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

    def add_work(self, items: Sequence[WorkItem]) -> None: ...

    def end_work(self, kind: str, partner: str, at: datetime, mid: str | None = None) -> None:
        """What this kind of item about this partner (and this message, if given) called for is over."""
        ...

    def open_work(self, kind: str | None, limit: int) -> Sequence[OpenWork]:
        """What is not over, of this kind or of all, oldest first."""
        ...

    def do_work(self, number: int, at: datetime) -> WorkItem | None:
        """End one item; None when none that is open has this number."""
        ...

    def events(self, asked: ActsAsked) -> Sequence[KeptEvent]:
        """The acts asked for, in their order."""
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


# ── the world outside ────────────────────────────────────────────────────────────────────────────────────────────────


class Clock(Protocol):
    """Two clocks: protocol time is always real; business time may be compressed."""

    def now(self) -> datetime:
        """Protocol time, aware, UTC."""
        ...

    def today(self) -> date:
        """Business date in Korea."""
        ...

    def business_now(self) -> datetime:
        """Business time, aware, UTC."""
        ...


class Outgoing(NamedTuple):
    """A message ready for one attempt; `headers` are those signed for this attempt (RFC 9421)."""

    mid: str
    url: str
    content_type: str
    body: bytes
    jws: str
    headers: Mapping[str, str]


class Answer(NamedTuple):
    """What came back, in neutral words. `phase` before|attempt|after; `result` ok|duplicate|permanent|retry.

    `sent`: some of the request may have left us; `head`: what is kept of the answer's (`gateway.sealing.heads`).
    """

    phase: str
    status: int | None
    receipt_jws: str | None
    result: str | None
    retry_after: float | None
    detail: str
    sent: bool = True
    head: Fields = ()


class Said(NamedTuple):
    """What a partner said when it was asked: `phase` before|attempt|after; `body` None unless all of it came."""

    phase: str
    status: int | None
    body: bytes | None
    detail: str


class PartnerChannel(Protocol):
    """A way of reaching one partner. Never raises for anything a partner can do."""

    def send(self, message: Outgoing) -> Answer: ...

    def ask(self, message: Outgoing, most: int) -> Said:
        """Bring a statement, and take the statement it is answered with, of `most` bytes."""
        ...

    def close(self) -> None: ...


class WitnessAnswer(NamedTuple):
    """What a witness answered; without a status it did not."""

    status: int | None
    body: str = ""


class WitnessChannel(Protocol):
    """A way to one witness of the exchange log. Never raises for anything a witness can do."""

    def add_checkpoint(self, submission: bytes) -> WitnessAnswer:
        """Ask for a cosignature (C2SP tlog-witness)."""
        ...

    def latest(self, origin: str) -> WitnessAnswer:
        """The newest checkpoint of a log that the witness has cosigned."""
        ...

    def close(self) -> None: ...


class Problem(NamedTuple):
    """A record that cannot be taken in, and why."""

    record_no: int
    case_no: str | None
    reason: str
    field: str | None
    raw: bytes
    sha256: str


class FactsRecord(NamedTuple):
    """One good A1 record: change I U D M X, and the facts in canonical names."""

    record_no: int
    change: str
    case_no: str
    version: int
    old_case_no: str | None
    facts: Mapping[str, Any]
    sha256: str


class EntryRecord(NamedTuple):
    """One good A6 entry; `held_rrn` says where a resident registration number was removed."""

    record_no: int
    case_no: str
    version: int
    entry: Mapping[str, Any]
    sha256: str
    held_rrn: str | None


class FileHead(NamedTuple):
    """What a file says about itself."""

    name: str
    way: str
    base_date: date
    file_seq: int
    previous_seq: int | None
    original_seq: int | None
    mode: str
    sha256: str


class HandoverReader(Protocol):
    """One way in which COMWEL hands over files."""

    way: str

    def ready(self, directory: Path) -> Sequence[Path]:
        """Files that are complete, in order of base date and number."""
        ...

    def head(self, path: Path) -> FileHead:
        """Read the head. Raises HandoverRefused when the file is not what it claims to be."""
        ...

    def judge(self, head: FileHead, accepted: Sequence[HandoverFile]) -> str | None:
        """Does this file follow the accepted ones? Returns the id of a file it replaces. Raises HandoverRefused."""
        ...

    def records(self, path: Path) -> Iterator[FactsRecord | EntryRecord | Problem]:
        """Read all records. Raises HandoverRefused when the whole file must be rejected, at the latest at its end."""
        ...

    def acknowledge(
        self, directory: Path, head: FileHead, refused: str | None, problems: Sequence[Problem], total: int
    ) -> Path | None:
        """Write the acknowledgement back, atomically."""
        ...

    def put_away(self, path: Path, *, good: bool) -> None:
        """Move a file that has been answered out of the folder: nothing is deleted or overwritten. Raises OSError."""
        ...


class HandedFile(NamedTuple):
    """A file between COMWEL and the gateway that was answered. `base_date` (None: no day) and `file_seq` as named."""

    path: Path
    base_date: date | None
    file_seq: int


class HandedFiles(Protocol):
    """Files that were handed over and answered, both ways, as long as they lie there."""

    def older(self, before: date) -> Sequence[HandedFile]:
        """Those last written before this day, in Korea. Raises FolderUnusable."""
        ...

    def destroy(self, file: HandedFile) -> None:
        """Delete a file and its marks. Raises FolderUnusable."""
        ...


class RtwRegister(Protocol):
    """COMWEL's return-to-work register, written back as files."""

    def write(self, directory: Path, file_date: date, file_seq: int, rows: Sequence[Mapping[str, Any]]) -> str:
        """Write one file atomically; the same rows give the same bytes. Returns their SHA-256, hex."""
        ...


class Observer(Protocol):
    """Sees what happens, for whoever operates the gateway. Never raises, never waits, keeps nobody's data."""

    def acted(self, events: Sequence[AuditEvent]) -> None:
        """A unit was committed with these events."""
        ...

    def held(self, act: str, seconds: float) -> None:
        """An act that only one process does at a time (`Store.alone`) was done by this one, to its end."""
        ...

    def attempted(self, partner: str, phase: str, seconds: float) -> None:
        """A partner was called; `phase` before|attempt|after."""
        ...

    def answered(self, route: str, status: int, seconds: float, mid: str | None = None) -> None:
        """A request at the partners' door was answered; `mid`: the message it says it brings."""
        ...

    def rounded(self, name: str, result: str) -> None:
        """A round of a worker has ended: done|idle|failed|broken."""
        ...

    def woken(self, task: str) -> None:
        """The broker woke a worker."""
        ...

    def working(self, name: str, because: Mapping[str, str]) -> AbstractContextManager[None]:
        """A request, a task or a round is worked on; `because`: the headers that brought it."""
        ...

    def calling(self, partner: str, mid: str) -> AbstractContextManager[Mapping[str, str]]:
        """A message is brought to a partner; gives the headers that go with it, unsigned."""
        ...

    def passed_on(self) -> Mapping[str, str]:
        """The headers for whoever goes on with what is being worked on."""
        ...


class Reading(NamedTuple):
    """One metric as it stands: name, label names, what it says, and per set of labels a number."""

    name: str
    labels: tuple[str, ...]
    says: str
    rows: Sequence[tuple[tuple[str, ...], float]]


Ids = Callable[[], str]
"""Makes a fresh id (UUIDv7 text)."""

Wake = Callable[[str], None]
"""Tells whoever delivers to this partner that something waits. A hint: it may get lost, come twice or late; it is given
after the commit, never raises, and never waits long."""


Stretches = Callable[[str, datetime, datetime], Stretch]
"""Reads one stream of the exchange log: (stream, since, until)."""


Reached = Callable[[str], None]
"""Told by a verb which named point of its way it has come to (`gateway.failpoint.POINTS`)."""


def nothing(point: str) -> None:
    """The `Reached` of every gateway that is not under test: nothing happens."""


def nobody(partner: str) -> None:
    """The `Wake` that wakes nobody: the poller looks every second anyway."""


Round = Callable[[], int]
"""Looks what is due and does it; returns how much there was to do."""


def place_of(problem: Problem, file: str) -> Place:
    """Where a problem is, for an error or a report."""
    return Place(file, problem.record_no, problem.field)


class Unobserved:
    """The `Observer` of a gateway that nobody watches."""

    def acted(self, events: Sequence[AuditEvent]) -> None: ...

    def held(self, act: str, seconds: float) -> None: ...

    def attempted(self, partner: str, phase: str, seconds: float) -> None: ...

    def answered(self, route: str, status: int, seconds: float, mid: str | None = None) -> None: ...

    def rounded(self, name: str, result: str) -> None: ...

    def woken(self, task: str) -> None: ...

    def working(self, name: str, because: Mapping[str, str]) -> AbstractContextManager[None]:
        return nullcontext()

    def calling(self, partner: str, mid: str) -> AbstractContextManager[Mapping[str, str]]:
        return nullcontext({})

    def passed_on(self) -> Mapping[str, str]:
        return {}
