"""Intake: a file from COMWEL becomes cases, or is refused.

Rules: the same bytes change nothing; a bad record is put aside alone with its bytes; a bad file is refused whole; a
version that comes before its turn waits. One file is one unit of work: all of it, or only its refusal.
Refuses to interpret: what a layout means is the adapter's affair, what a case means is `gateway.cases`'.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, cast

from gateway.cases import consent_change
from gateway.cases import record as case_record
from gateway.cases.consent import KST
from gateway.cases.consent_change import Change
from gateway.cases.permission import EntryState, verdict
from gateway.documents.strict_json import dumps, reread
from gateway.errors import (
    EntryHoldsResidentNumber,
    FolderUnusable,
    HandoverRefused,
    MergeRefused,
    Place,
    Refused,
    UnknownCode,
)
from gateway.exchange_log.audit import AuditEvent
from gateway.journey.world import CASE_SCHEMA, World
from gateway.ports import (
    CaseChange,
    CaseRow,
    EntryRecord,
    FactsRecord,
    FileHead,
    HandoverFile,
    HandoverReader,
    ParkedRow,
    Problem,
    QuarantinedRow,
    Unit,
)

CHUNK = 500
ENDING = ("D", "X")
PURPOSE = "case-intake"
ACTS = {
    Change.GRANTED: "consent.granted",
    Change.CHANGED: "consent.changed",
    Change.EXPIRED: "consent.expired",
    Change.WITHDRAWN: "consent.withdrawn",
    Change.REMOVED: "consent.removed",
}
_T = TypeVar("_T")


@dataclass(slots=True)
class Taken:
    """What came of one file. `verdict` accepted|unchanged|rejected; counts per change, `waiting`, `stale`, `same`."""

    name: str
    verdict: str
    reason: str | None = None
    records: int = 0
    problems: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def take_in(world: World, directory: Path) -> list[Taken]:
    """Take in every complete file of a folder, batch files before entries; either may come first in time."""
    return [take_file(world, reader, path) for reader in world.readers for path in reader.ready(directory)]


def pick_up(world: World) -> list[Taken]:
    """Take in what lies in the drop folder and put every file away once it is answered.

    A crash between answer and putting away finds the same bytes again: nothing changes, and the file is put away then.
    """
    taken = []
    for reader in world.readers:
        for path in reader.ready(world.limits.from_comwel):
            taken.append(take_file(world, reader, path))
            try:
                reader.put_away(path, good=taken[-1].verdict != "rejected")
            except OSError:
                raise FolderUnusable(place=Place(path.name)) from None
    return taken


def take_file(world: World, reader: HandoverReader, path: Path) -> Taken:
    """Take in one file."""
    # 1 read its head: is it what it claims to be?
    # 2 the same bytes came before: nothing changes, only the acknowledgement is written again
    # 3 its number follows the last good file's
    # 4 its records become cases, chunk by chunk; bad ones are put aside
    # 5 commit all of it with an act for each consent that changed, or keep only the refusal
    # 6 acknowledge
    head: FileHead | None = None
    taken = Taken(path.name, "rejected")
    try:
        head = reader.head(path)  # 1
        with world.store.unit() as unit:
            known = unit.handovers.find(reader.way, head.sha256)
            if known:  # 2
                return _acknowledge_again(world, reader, head, known, unit.handovers.quarantined(known.file_id))
            replaced = reader.judge(head, unit.handovers.accepted(reader.way))  # 3
            file_id = world.ids()
            consents = _Intake(world, unit, file_id, taken).run(reader.records(path))  # 4
            taken.verdict = "accepted"
            file = _file(world, reader, head, file_id, taken)
            if replaced:
                unit.handovers.mark_replaced(replaced)
            unit.handovers.add(file, (_aside(file_id, p) for p in taken.problems))
            unit.commit(_event(world, "handover.taken", head.name, taken), *consents)  # 5
    except HandoverRefused as refusal:
        taken.verdict, taken.reason = "rejected", refusal.code
        _keep_rejection(world, reader, path, head, taken)
    if head:
        reader.acknowledge(world.limits.to_comwel, head, taken.reason, taken.problems, taken.records)  # 6
    return taken


def _acknowledge_again(
    world: World, reader: HandoverReader, head: FileHead, known: HandoverFile, aside: Iterable[QuarantinedRow]
) -> Taken:
    """The same bytes change nothing; but the first acknowledgement may have been lost, so it is written again."""
    problems = [Problem(q.record_no, q.case_no, q.reason, q.field, q.raw, q.sha256) for q in aside]
    reader.acknowledge(world.limits.to_comwel, head, None, problems, known.records)
    return Taken(head.name, "unchanged", records=known.records)


def _file(world: World, reader: HandoverReader, head: FileHead, file_id: str, taken: Taken) -> HandoverFile:
    return HandoverFile(
        file_id=file_id,
        way=reader.way,
        name=head.name,
        base_date=head.base_date,
        file_seq=head.file_seq,
        mode=head.mode,
        sha256=head.sha256,
        status=taken.verdict,
        reason=taken.reason,
        records=taken.records,
        quarantined=len(taken.problems),
        received_at=world.clock.now(),
    )


def _keep_rejection(world: World, reader: HandoverReader, path: Path, head: FileHead | None, taken: Taken) -> None:
    with world.store.unit() as unit:
        if head:
            unit.handovers.add(_file(world, reader, head, world.ids(), taken))
        event = world.event("handover.taken", PURPOSE, subject=path.name).refused(taken.reason or "E-LEN")
        unit.commit(event)


def _event(world: World, act: str, name: str, taken: Taken) -> Any:
    counts = {"records": taken.records, "quarantined": len(taken.problems), **taken.counts}
    return world.event(act, PURPOSE, subject=name, counts=counts)


def _aside(file_id: str, problem: Problem) -> QuarantinedRow:
    return QuarantinedRow(
        file_id, problem.record_no, problem.case_no, problem.reason, problem.field, problem.raw, problem.sha256
    )


def chunks(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Cut a stream into lists of at most `size`."""
    stream = iter(items)
    while chunk := list(islice(stream, size)):
        yield chunk


def ahead(items: Iterable[_T]) -> Iterator[_T]:
    """The same; the next one is made, in a thread of its own, while somebody works on the last."""
    with ThreadPoolExecutor(1) as maker:
        stream, end = iter(items), object()
        coming = maker.submit(next, stream, end)
        while (item := coming.result()) is not end:
            coming = maker.submit(next, stream, end)
            yield cast(_T, item)


@dataclass(slots=True)
class _Intake:
    """One file on its way into the caseload."""

    world: World
    unit: Unit
    file_id: str
    taken: Taken
    consents: list[AuditEvent] = field(default_factory=list)

    def run(self, records: Iterable[FactsRecord | EntryRecord | Problem]) -> list[AuditEvent]:
        """Take all of them in; returns the acts about consents that have changed."""
        for chunk in ahead(chunks(records, CHUNK)):
            self.taken.records += len(chunk)
            self._chunk(chunk)
        return self.consents

    def _chunk(self, chunk: list[FactsRecord | EntryRecord | Problem]) -> None:
        good = [r for r in chunk if not isinstance(r, Problem)]
        self.taken.problems += [r for r in chunk if isinstance(r, Problem)]
        numbers = {r.case_no for r in good} | {
            r.old_case_no for r in good if isinstance(r, FactsRecord) and r.old_case_no
        }
        rows = dict(self.unit.cases.load(sorted(numbers)))
        changes: list[CaseChange] = []
        parked: list[ParkedRow] = []
        for record in good:
            self._one(record, rows, changes, parked)
        if parked:
            self.unit.handovers.park(parked)
        self._wake(rows, changes)
        self.unit.cases.save(changes)  # several changes of one case are several revisions

    def _one(
        self,
        record: FactsRecord | EntryRecord,
        rows: dict[str, CaseRow],
        changes: list[CaseChange],
        parked: list[ParkedRow],
    ) -> None:
        row = rows.get(record.case_no)
        if isinstance(record, EntryRecord):
            new, change = self._with_entry(row, record), "E"
        elif _too_early(row, record):
            parked.append(self._park(record))
            self.taken.counts["waiting"] += 1
            return
        else:
            new, change = self._with_facts(row, record, rows, changes), record.change
        if new is None:
            return
        self.taken.counts[change] += 1
        rows[new.case_no] = new
        changes.append(CaseChange(new, change, self.file_id))

    def _park(self, record: FactsRecord) -> ParkedRow:
        return ParkedRow(
            record.case_no,
            record.version,
            record.change,
            record.old_case_no,
            dumps(dict(record.facts)),
            record.sha256,
            self.file_id,
            record.record_no,
            self.world.clock.now(),
        )

    def _wake(self, rows: dict[str, CaseRow], changes: list[CaseChange]) -> None:
        """Apply what waited for the cases of this chunk, lowest version first."""
        touched = [c.row.case_no for c in changes]
        parked = self.unit.handovers.parked(touched) if touched else ()
        merging = {w.old_case_no for w in parked if w.old_case_no} - rows.keys()
        rows.update(self.unit.cases.load(sorted(merging)))
        for waiting in parked:
            record = FactsRecord(
                waiting.record_no,
                waiting.change,
                waiting.case_no,
                waiting.version,
                waiting.old_case_no,
                reread(waiting.facts),
                waiting.facts_sha256,
            )
            if not _too_early(rows.get(record.case_no), record):
                self._one(record, rows, changes, [])
                self.unit.handovers.unpark([waiting])

    # what a record does to a case ----------------------------------------------------------------------------------
    def _with_entry(self, row: CaseRow | None, record: EntryRecord) -> CaseRow | None:
        if row and row.entry_sha256 == record.sha256:
            self.taken.counts["same"] += 1
            return None
        row = row or _awaiting(record.case_no, record.version, self.world.clock.now())
        state = EntryState.HELD_RRN if record.held_rrn else EntryState.PRESENT
        new = self._revised(
            row._replace(entry=dumps(dict(record.entry)), entry_sha256=record.sha256, entry_state=state),
            record.record_no,
        )
        before = reread(row.entry) if row.entry and row.entry_state == EntryState.PRESENT else {}
        changed = consent_change.changes(before.get("consent", ()), record.entry.get("consent", ()), self._day())
        refused = EntryHoldsResidentNumber.code if record.held_rrn else None if new else UnknownCode.code
        self._keep(record.case_no, changed, refused)
        return new

    def _with_facts(
        self, row: CaseRow | None, record: FactsRecord, rows: dict[str, CaseRow], changes: list[CaseChange]
    ) -> CaseRow | None:
        if row and _says_nothing_new(row, record):
            self.taken.counts["same"] += 1
            return None
        if row and row.facts and record.version < row.version:
            self.taken.counts["stale"] += 1
            return None
        if row and record.change in ENDING:
            return self._ended(row, record)
        row = row or _awaiting(record.case_no, record.version, self.world.clock.now())
        again = row._replace(
            version=record.version,
            facts=dumps(dict(record.facts)),
            facts_sha256=record.sha256,
            status="live",
        )
        new = self._revised(again, record.record_no)
        if new and record.change == "M" and not self._merge_old(record, rows, changes):
            return None
        before = reread(row.facts) if row.facts else {}
        changed = consent_change.of_comwel(before.get("a1Consent"), record.facts.get("a1Consent"), self._day())
        self._keep(record.case_no, changed, None if new else UnknownCode.code)
        return new

    def _ended(self, row: CaseRow, record: FactsRecord) -> CaseRow:
        """A case that COMWEL takes back (D, X): what is known stays, nothing about it may leave any more."""
        return row._replace(
            facts_sha256=record.sha256,
            status="deleted",
            revision=row.revision + 1,
            verdict="no-referral",
            reason=None,
            barred=True,
            updated_at=self.world.clock.now(),
        )

    def _merge_old(self, record: FactsRecord, rows: dict[str, CaseRow], changes: list[CaseChange]) -> bool:
        """Mark the case that is taken over; a merge without such a case is put aside (E-MERGE)."""
        old = rows.get(record.old_case_no or "")
        if old is None or old.case_no == record.case_no:
            self._put_aside(record, MergeRefused.code, "oldWonbuNo")
            return False
        merged = old._replace(
            status="merged",
            merged_into=record.case_no,
            revision=old.revision + 1,
            verdict="no-referral",
            reason=MergeRefused.code,
            barred=True,
            updated_at=self.world.clock.now(),
        )
        rows[old.case_no] = merged
        changes.append(CaseChange(merged, "M", self.file_id))
        return True

    def _keep(self, case_no: str, changed: Iterable[Change], refused: str | None) -> None:
        """An act for each consent that has changed, or would have if its record had not been refused."""
        for change in changed:
            event = self.world.event(ACTS[change], PURPOSE, case_no=case_no, subject=self.taken.name)
            self.consents.append(event.refused(refused) if refused else event)

    def _day(self) -> date:
        return self.world.clock.business_now().astimezone(KST).date()

    def _put_aside(self, record: FactsRecord | EntryRecord, reason: str, where: str | None) -> None:
        raw = dumps(dict(record.facts if isinstance(record, FactsRecord) else record.entry))
        self.taken.problems.append(Problem(record.record_no, record.case_no, reason, where, raw, record.sha256))

    def _revised(self, row: CaseRow, record_no: int) -> CaseRow | None:
        """The next revision: facts and entry merged, checked, judged. None when the merged record is not valid."""
        facts = reread(row.facts) if row.facts else None
        entry = reread(row.entry) if row.entry else None
        merged: dict[str, Any] | None = None
        now = self.world.clock.now()
        if facts is not None:
            merged = case_record.merge(facts, entry)
            try:
                self.world.know.schemas.require(CASE_SCHEMA, merged)
            except Refused as refusal:
                raw = row.facts or b""
                place = refusal.place.field
                self.taken.problems.append(
                    Problem(record_no, row.case_no, "E-CODE", place, raw, row.facts_sha256 or row.entry_sha256 or "")
                )
                return None
        may, reason = self._verdict(merged, row, facts) if merged else ("no-referral", None)
        return row._replace(
            revision=row.revision + 1,
            branch=(merged or {}).get("branch"),
            record=dumps(merged) if merged else None,
            verdict=may,
            reason=reason,
            barred=may != "ok" or "deceasedDate" in (merged or {}),
            updated_at=now,
        )

    def _verdict(
        self, merged: Mapping[str, Any], row: CaseRow, facts: Mapping[str, Any] | None
    ) -> tuple[str, str | None]:
        """May anything about this case leave, as of now?"""
        return verdict(
            merged,
            entry_state=row.entry_state,
            at=self.world.clock.business_now(),
            a1_consent=(facts or {}).get("a1Consent"),
            partners=self.world.know.profiles.values(),
            bases=self.world.know.bases,
        )


def _awaiting(case_no: str, version: int, now: datetime) -> CaseRow:
    return CaseRow(
        case_no=case_no,
        version=version,
        revision=0,
        status="awaiting",
        branch=None,
        facts=None,
        facts_sha256=None,
        entry=None,
        entry_sha256=None,
        entry_state="missing",
        record=None,
        verdict="no-referral",
        reason=None,
        merged_into=None,
        barred=False,
        screened=0,
        referred=0,
        updated_at=now,
    )


def _says_nothing_new(row: CaseRow, record: FactsRecord) -> bool:
    """The same content with the same effect; a row that now deletes or merges says something new."""
    if record.change in ENDING:
        return row.status == "deleted"
    return record.change != "M" and row.status == "live" and row.facts_sha256 == record.sha256


def _too_early(row: CaseRow | None, record: FactsRecord) -> bool:
    """A change of a case that is unknown, or a version that skips one, waits. A new case may begin at any version."""
    if row is None or row.facts is None:
        return record.change != "I"
    return record.version > row.version + 1
