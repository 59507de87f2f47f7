"""Admit: the records of one file become revisions of cases, inside the unit of work of that file.

Rules: a version that comes before its turn waits, and is woken when its turn comes; a late one and one that says
nothing new are counted and change nothing; what is known of a case that COMWEL takes back stays, but nothing about it
may leave. Files of entries may come in any order, and a batch may be sent again: what a newer file said of a case
stands (`Told`), and what a resend says counts as said by the file that it stands for.
Every change is a revision: facts and entry merged, checked against the schema, judged by what may leave.
An entry that makes no valid record is not used, and the one before it neither: it may have been withdrawn. The facts
go on alone, and nothing leaves until a good entry comes.
Refuses a record alone: it is put aside with its bytes, and the others go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from gateway.ahead import ahead, chunks
from gateway.cases import consent_change
from gateway.cases import record as case_record
from gateway.cases.consent_change import Change
from gateway.cases.permission import EntryState
from gateway.documents.strict_json import dumps, reread
from gateway.errors import EntryHoldsResidentNumber, MergeRefused, Refused, UnknownCode
from gateway.exchange_log.audit import AuditEvent
from gateway.journey.judge import judged, owners
from gateway.journey.world import World
from gateway.ports import CaseChange, CaseRow, EntryRecord, FactsRecord, ParkedRow, Problem, Unit

CHUNK = 500
ENDING = ("D", "X")
PURPOSE = "case-intake"
CASE_SCHEMA = "urn:comwel:schema:case:1.0.0"
ACTS = {
    Change.GRANTED: "consent.granted",
    Change.CHANGED: "consent.changed",
    Change.EXPIRED: "consent.expired",
    Change.WITHDRAWN: "consent.withdrawn",
    Change.REMOVED: "consent.removed",
}

Record = FactsRecord | EntryRecord


class Told(NamedTuple):
    """The place of a file among those of its way: what a later one says is newer. `resent`: it came before."""

    on: date
    seq: int
    resent: bool = False

    def before(self, day: date | None, seq: int | None) -> bool:
        """Whether this was said before what another file said; nothing was before what has no place."""
        return day is not None and seq is not None and (self.on, self.seq) < (day, seq)


@dataclass(slots=True)
class Taken:
    """What came of one file. `verdict` accepted|unchanged|rejected; counts per change, `waiting`, `stale`, `same`,
    `missing`; `cases` that it speaks of, those that were put aside too; `said`: why it was rejected, in words;
    `answer`: where its acknowledgement lies.
    """

    name: str
    verdict: str
    reason: str | None = None
    records: int = 0
    problems: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    cases: set[str] = field(default_factory=set)
    said: str | None = None
    answer: Path | None = None


def admit(
    world: World, unit: Unit, file_id: str, told: Told, taken: Taken, records: Iterable[Record | Problem]
) -> list[AuditEvent]:
    """Take all records of a file in and count them in `taken`; returns the acts about consents that have changed."""
    # 1 a chunk at a time; the next one is read while somebody works on the last
    # 2 lock the cases that the chunk is about
    # 3 each record in its turn: what it does to its case, or that it waits, or comes too late
    # 4 what had waited for these cases, and whose turn it is now
    # 5 every change is a revision of its own, also where there are several of one case
    consents: list[AuditEvent] = []
    for chunk in ahead(chunks(records, CHUNK)):  # 1
        taken.records += len(chunk)
        taken.problems += [one for one in chunk if isinstance(one, Problem)]
        good = [one for one in chunk if not isinstance(one, Problem)]
        about = _case_nos(good)
        taken.cases.update(about, (one.case_no for one in chunk if one.case_no))
        rows = dict(unit.cases.load(about))  # 2
        admission = _Admission(world, unit, file_id, told, taken, consents, rows, owners(unit, [*rows]))
        for record in good:
            admission.take(record)  # 3
        if admission.parked:
            unit.handovers.park(admission.parked)
        admission.wake()  # 4
        unit.cases.save(admission.changes)  # 5
        unit.cases.note([admission.rows[case_no] for case_no in sorted(admission.repeated)])
    return consents


def _case_nos(records: Iterable[Record]) -> list[str]:
    """The cases that these records are about, and those that they take over."""
    own = {record.case_no for record in records}
    return sorted(own | {r.old_case_no for r in records if isinstance(r, FactsRecord) and r.old_case_no})


@dataclass(slots=True)
class _Admission:
    """One chunk on its way into the caseload: its cases as they are by now, what has changed, and what waits."""

    world: World
    unit: Unit
    file_id: str
    told: Told
    taken: Taken
    consents: list[AuditEvent]
    rows: dict[str, CaseRow]
    owners: Mapping[str, Mapping[str, str]]
    changes: list[CaseChange] = field(default_factory=list)
    parked: list[ParkedRow] = field(default_factory=list)
    repeated: set[str] = field(default_factory=set)

    def take(self, record: Record) -> None:
        """Let one record of the file change its case, or wait for its turn, unless a newer file spoke before."""
        row = self.rows.get(record.case_no)
        if isinstance(record, EntryRecord):
            self._change(record, self._with_entry(row, record))
        elif _too_early(row, record):
            self.parked.append(self._park(record))
            self.taken.counts["waiting"] += 1
        elif row and self.told.resent and _overtaken(row, record, self.told):
            self.taken.counts["stale"] += 1
        else:
            self._change(record, self._with_facts(row, record, self.told))

    def _change(self, record: Record, new: CaseRow | None) -> None:
        change = "E" if isinstance(record, EntryRecord) else record.change
        if new is None:
            return
        self.taken.counts[change] += 1
        self._changed(new, change)

    def _changed(self, new: CaseRow, change: str) -> None:
        self.rows[new.case_no] = new
        self.changes.append(CaseChange(new, change, self.file_id))

    # ── what waits for its turn ──────────────────────────────────────────────────────────────────────────────────────
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
            self.told.on,
            self.told.seq,
        )

    def wake(self) -> None:
        """Apply what waited for the cases that have changed, lowest version first."""
        touched = [change.row.case_no for change in self.changes]
        waiting = self.unit.handovers.parked(touched) if touched else ()
        merging = {row.old_case_no for row in waiting if row.old_case_no} - self.rows.keys()
        self.rows.update(self.unit.cases.load(sorted(merging)))
        for row in waiting:
            record = _unparked(row)
            waited_for = self.rows.get(record.case_no)
            if not _too_early(waited_for, record):
                told = Told(row.told_date or self.told.on, row.told_seq or self.told.seq)
                self._change(record, self._with_facts(waited_for, record, told))
                self.unit.handovers.unpark([row])

    # ── what a record does to a case ─────────────────────────────────────────────────────────────────────────────────
    def _with_entry(self, row: CaseRow | None, record: EntryRecord) -> CaseRow | None:
        """What a Job Coordinator wrote; it may come before COMWEL's facts, and the case awaits those then."""
        if row and row.entry_sha256 == record.sha256 and row.entry_state != EntryState.MISSING:
            self.taken.counts["same"] += 1
            self._repeat(row, record)
            return None
        if row and _older_entry(row, record, self.told):
            self.taken.counts["stale"] += 1
            return None
        row = row or _awaiting(record.case_no, record.version, self.world.clock.now())
        state = EntryState.HELD_RRN if record.held_rrn else EntryState.PRESENT
        entered = row._replace(
            entry=dumps(dict(record.entry)),
            entry_sha256=record.sha256,
            entry_state=state,
            **self._spoken_by(record),
        )
        new = self._revised(entered, record) or self._unused(entered)
        today = self.world.clock.today()
        changed = consent_change.changes(_consents(row), record.entry.get("consent") or (), today)
        used = new.entry_state == EntryState.PRESENT
        refused = EntryHoldsResidentNumber.code if record.held_rrn else None if used else UnknownCode.code
        self._keep(record.case_no, changed, refused)
        return new

    def _repeat(self, row: CaseRow, record: EntryRecord) -> None:
        """The entry in force stands in a newer file as well: what a file between the two says is older than that."""
        if row.entry_date is None or Told(row.entry_date, row.entry_seq or 0).before(self.told.on, self.told.seq):
            self.rows[row.case_no] = row._replace(**self._spoken_by(record))
            self.repeated.add(row.case_no)

    def _spoken_by(self, record: EntryRecord) -> dict[str, Any]:
        return {"entry_date": self.told.on, "entry_seq": self.told.seq, "entry_version": record.version}

    def _with_facts(self, row: CaseRow | None, record: FactsRecord, told: Told) -> CaseRow | None:
        if row and _says_nothing_new(row, record):
            self.taken.counts["same"] += 1
            return None
        if row and row.facts and record.version < row.version:
            self.taken.counts["stale"] += 1
            return None
        if row and record.change in ENDING:
            return self._ended(row, record, told)
        row = row or _awaiting(record.case_no, record.version, self.world.clock.now())
        again = row._replace(
            version=record.version,
            facts=dumps(dict(record.facts)),
            facts_sha256=record.sha256,
            facts_date=told.on,
            facts_seq=told.seq,
            status="live",
            merged_into=None,
        )
        new = self._revised(again, record)
        if new and record.change == "M" and not self._merge_old(record, told):
            return None
        before, today = reread(row.facts) if row.facts else {}, self.world.clock.today()
        changed = consent_change.of_comwel(before.get("a1Consent"), record.facts.get("a1Consent"), today)
        if new and new.entry_state != row.entry_state:
            changed += consent_change.changes(_consents(row), (), today)
        self._keep(record.case_no, changed, None if new else UnknownCode.code)
        return new

    def _ended(self, row: CaseRow, record: FactsRecord, told: Told) -> CaseRow:
        """A case that COMWEL takes back (D, X): what is known stays, nothing about it may leave any more."""
        return self._gone(row._replace(facts_sha256=record.sha256, status="deleted"), told)

    def _gone(self, row: CaseRow, told: Told) -> CaseRow:
        now, revision = self.world.clock.now(), row.revision + 1
        gone = row._replace(revision=revision, updated_at=now, facts_date=told.on, facts_seq=told.seq)
        return judged(self.world, gone, None, {})

    def _merge_old(self, record: FactsRecord, told: Told) -> bool:
        """Mark the case that is taken over; a merge without such a case is put aside (E-MERGE)."""
        old = self.rows.get(record.old_case_no or "")
        if old is None or old.case_no == record.case_no:
            self._put_aside(record, MergeRefused.code, "oldWonbuNo")
            return False
        if not (told.resent and told.before(old.facts_date, old.facts_seq)):  # or a newer file spoke of it since
            self._changed(self._gone(old._replace(status="merged", merged_into=record.case_no), told), "M")
        return True

    # ── the next revision ────────────────────────────────────────────────────────────────────────────────────────────
    def _revised(self, row: CaseRow, record: Record) -> CaseRow | None:
        """Facts and entry merged, checked, judged; an entry that does not fit is left out with a note.

        `record` is put aside when it does not fit. None when the facts alone make no valid record.
        """
        if not row.facts:
            return self._next(row, None)
        facts = reread(row.facts)
        entry = reread(row.entry) if row.entry and row.entry_state != EntryState.MISSING else None
        merged, wrong = self._merged(facts, entry)
        unfit = wrong if entry is not None else None
        if unfit:
            row = row if row.entry_state == EntryState.HELD_RRN else row._replace(entry_state=EntryState.MISSING)
            merged, wrong = self._merged(_noted(facts, unfit), None)
        if wrong or (unfit and isinstance(record, EntryRecord)):
            self._put_aside(record, UnknownCode.code, wrong or unfit)
        if wrong:
            return None
        return self._next(row, merged)

    def _next(self, row: CaseRow, merged: dict[str, Any] | None) -> CaseRow:
        """The row with its merged record, and whether anything about the case may leave, as of now."""
        new = row._replace(
            revision=row.revision + 1,
            branch=merged.get("branch") if merged else None,
            record=dumps(merged) if merged else None,
            updated_at=self.world.clock.now(),
        )
        return judged(self.world, new, merged, self.owners.get(row.case_no, {}))

    def _merged(self, facts: dict[str, Any], entry: dict[str, Any] | None) -> tuple[dict[str, Any], str | None]:
        """The record of both, and the first place where it breaks the schema."""
        merged = case_record.merge(facts, entry)
        try:
            self.world.know.schemas.require(CASE_SCHEMA, merged)
        except Refused as refusal:
            return merged, refusal.place.field or "/"
        return merged, None

    def _unused(self, row: CaseRow) -> CaseRow:
        """A case whose entry cannot be used, and whose facts no longer make a record: it stays as it is, barred."""
        now, revision = self.world.clock.now(), row.revision + 1
        new = row._replace(entry_state=EntryState.MISSING, revision=revision, updated_at=now)
        return judged(self.world, new, reread(row.record) if row.record else None, self.owners.get(row.case_no, {}))

    def _put_aside(self, record: Record, why: str, where: str | None) -> None:
        raw = dumps(dict(record.entry if isinstance(record, EntryRecord) else record.facts))
        self.taken.problems.append(Problem(record.record_no, record.case_no, why, where, raw, record.sha256))

    def _keep(self, case_no: str, changed: Iterable[Change], refused: str | None) -> None:
        """An act for each consent that has changed, or would have if its record had not been refused."""
        for change in changed:
            event = self.world.event(ACTS[change], PURPOSE, case_no=case_no, subject=self.taken.name)
            self.consents.append(event.refused(refused) if refused else event)


def _consents(row: CaseRow | None) -> Sequence[Mapping[str, Any]]:
    """What the entry of a case says of consents; nothing when it is not used."""
    if row is None or not row.entry or row.entry_state != EntryState.PRESENT:
        return ()
    return reread(row.entry).get("consent") or ()


def _noted(facts: Mapping[str, Any], unfit: str) -> dict[str, Any]:
    """The facts with a note on an entry that is not used."""
    note = {"code": UnknownCode.code, "field": unfit.strip("/"), "note": "the entry does not fit and is not used"}
    return {**facts, "dataQuality": [*facts.get("dataQuality", ()), note]}


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


def _unparked(row: ParkedRow) -> FactsRecord:
    facts = reread(row.facts)
    return FactsRecord(row.record_no, row.change, row.case_no, row.version, row.old_case_no, facts, row.facts_sha256)


def _says_nothing_new(row: CaseRow, record: FactsRecord) -> bool:
    """The same content with the same effect; a row that now deletes or merges says something new."""
    if record.change in ENDING:
        return row.status == "deleted"
    return record.change != "M" and row.status == "live" and row.facts_sha256 == record.sha256


def _overtaken(row: CaseRow, record: FactsRecord, told: Told) -> bool:
    """Of the same version the newest file speaks, also when an older one is sent again."""
    return record.version == row.version and told.before(row.facts_date, row.facts_seq)


def _older_entry(row: CaseRow, record: EntryRecord, told: Told) -> bool:
    """The newest file speaks; in one file the later line, unless it is about an earlier version of the case."""
    if (told.on, told.seq) == (row.entry_date, row.entry_seq):
        return record.version < (row.entry_version or 0)
    return told.before(row.entry_date, row.entry_seq)


def _too_early(row: CaseRow | None, record: FactsRecord) -> bool:
    """A change of a case that is unknown, or a version that skips one, waits. A new case may begin at any version."""
    if row is None or row.facts is None:
        return record.change != "I"
    return record.version > row.version + 1
