"""Intake: a file from COMWEL is taken in, or refused whole.

Rules: the same bytes change nothing; a bad record is put aside alone with its bytes (`gateway.journey.admit`); a bad
file is refused whole. One file is one unit of work: all of it, or only its refusal. A full file (mode F) ends no case:
those that it does not name are shown to a person until COMWEL names them again (a resend does not count), and end when
that is a deletion. A version for which another has waited a day is shown to a person as well, until it comes.
Refuses to interpret: what a layout means is the adapter's affair, what a case means is `gateway.cases`'.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from gateway.errors import FolderUnusable, HandoverRefused, Place, TotalsMismatch
from gateway.exchange_log.audit import AuditEvent
from gateway.journey.admit import PURPOSE, Taken, Told, admit
from gateway.journey.world import World
from gateway.ports import FileHead, HandoverFile, HandoverReader, Problem, QuarantinedRow, Unit, WorkItem

RESEND, FULL = "R", "F"
"""The modes of a file that is sent again, and of one that names every case."""
CASES = "A1"
"""The way of the files in which COMWEL itself names its cases."""
MISSING = "case-not-in-full-file"
VERSION_MISSING = "version-missing"
"""The work item about a version of a case for which others wait; its code says which. COMWEL has to send it again."""
MISSED_AFTER = timedelta(hours=24)
MOST = 500
EVERY = 2**31 - 1


def take_in(world: World, directory: Path) -> list[Taken]:
    """Take in every complete file of a folder, batch files before entries; either may come first in time."""
    return [take_file(world, reader, path) for reader in world.readers for path in reader.ready(directory)]


def pick_up(world: World) -> list[Taken]:
    """Take in what lies in the drop folder and put every file away once it is answered.

    A crash between answer and putting away finds the same bytes again: nothing changes, and the file is put away then;
    one in the middle of putting away leaves the rest to whoever looks next.
    Raises FolderUnusable for the first file that could not be read, answered or put away, when all others had their
    turn.
    """
    taken, folder, unusable = list[Taken](), world.limits.from_comwel, list[FolderUnusable]()
    for reader in world.readers:
        with _usable(folder.name, unusable):
            reader.tidy(folder)
        with _usable(folder.name, unusable):
            for path in reader.ready(folder):
                with _usable(path.name, unusable):
                    taken.append(take_file(world, reader, path))
                    reader.put_away(path, good=taken[-1].verdict != "rejected")
    if unusable:
        raise unusable[0]
    return taken


@contextmanager
def _usable(name: str, unusable: list[FolderUnusable]) -> Iterator[None]:
    """What cannot be used is noted, and keeps nobody else from his turn."""
    try:
        yield
    except OSError:
        unusable.append(FolderUnusable(place=Place(name)))


def take_file(world: World, reader: HandoverReader, path: Path) -> Taken:
    """Take in one file."""
    # 1 read its head: is it what it claims to be?
    # 2 the same bytes came before: nothing changes, only the acknowledgement is written again
    # 3 its number follows the last good file's; a resend speaks in the place of the file that it stands for
    # 4 its records become cases; bad ones are put aside; what a full file does not name is shown to a person
    # 5 commit all of it with an act for each consent that changed, or keep only the refusal
    # 6 acknowledge; a file whose head is refused is answered by its name, and a refused one never in the place of a
    #   good one with the same date and number
    head: FileHead | None = None
    taken, beside = Taken(path.name, "rejected"), False
    try:
        head = reader.head(path)  # 1
        with world.store.unit() as unit:
            known = unit.handovers.find(reader.way, head.sha256)
            if known:  # 2
                return _acknowledge_again(world, reader, head, known, unit.handovers.quarantined(known.file_id))
            before = unit.handovers.taken_in(reader.way)
            replaced = reader.judge(head, before)  # 3
            told, file_id = _told(head, replaced, before), world.ids()
            consents = admit(world, unit, file_id, told, taken, reader.records(path))  # 4
            if reader.way == CASES and not told.resent:
                _mind_missing(world, unit, taken, full=head.mode == FULL)
            if reader.head(path).sha256 != head.sha256:  # or its content would stand under another's digest
                raise TotalsMismatch("the file has changed while it was read", place=Place(head.name))
            taken.verdict = "accepted"
            file = _file(world, reader, head, file_id, taken)._replace(stands_for=told.seq if told.resent else None)
            if replaced:
                unit.handovers.mark_replaced(replaced)
            unit.handovers.add(file, (_aside(file_id, p) for p in taken.problems))
            unit.commit(_event(world, taken), *consents)  # 5
    except HandoverRefused as refusal:
        taken.verdict, taken.reason, taken.said = "rejected", refusal.code, str(refusal)
        head = head or reader.named(path)
        beside = _keep_rejection(world, reader, head, taken, refusal)
    if head:
        judgement = (head, taken.reason, taken.problems, taken.records)
        taken.answer = reader.acknowledge(world.limits.to_comwel, *judgement, beside=beside)  # 6
    return taken


def _mind_missing(world: World, unit: Unit, taken: Taken, *, full: bool) -> None:
    """A work item for each live case that a full file does not name, unless one is open; over when a file names it."""
    now, shown = world.clock.now(), {no for one in unit.open_work(MISSING, EVERY) if (no := one.item.case_no)}
    over = shown & taken.cases
    if full:
        missing = unit.cases.live_without(taken.cases)
        taken.counts["missing"] += len(missing)
        unit.add_work([WorkItem(MISSING, None, no, None, None, None, now) for no in missing if no not in shown])
        over = shown.difference(missing)
    if over:
        unit.end_work_about(MISSING, over, now)


def mind_versions(world: World) -> int:
    """Show which versions others have waited a day for, until they come; returns how many items began or ended."""
    now = world.clock.now()
    with world.store.unit() as unit:
        come = unit.handovers.end_missing_versions(VERSION_MISSING, now)
        late = unit.handovers.missing_versions(VERSION_MISSING, now - MISSED_AFTER, MOST)
        if late or come:
            unit.add_work([WorkItem(VERSION_MISSING, which, no, None, None, None, now) for no, which in late])
            counts = {"waiting": len(late), "come": come}
            unit.commit(world.event("versions.missed", PURPOSE, counts=counts))
    return len(late) + come


def _told(head: FileHead, replaced: str | None, before: Iterable[HandoverFile]) -> Told:
    """Whose word it is. A resend of a resend stands for the file that both stand for."""
    if head.mode != RESEND:
        return Told(head.base_date, head.file_seq)
    original = next((f.stands_for for f in before if f.file_id == replaced and f.stands_for), head.original_seq)
    return Told(head.base_date, original or head.file_seq, resent=True)


def _acknowledge_again(
    world: World, reader: HandoverReader, head: FileHead, known: HandoverFile, aside: Iterable[QuarantinedRow]
) -> Taken:
    """The same bytes change nothing; but the first acknowledgement may have been lost, so it is written again."""
    problems = [Problem(q.record_no, q.case_no, q.reason, q.field, q.raw, q.sha256) for q in aside]
    answer = reader.acknowledge(world.limits.to_comwel, head, None, problems, known.records)
    return Taken(head.name, "unchanged", records=known.records, answer=answer)


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


def _keep_rejection(
    world: World, reader: HandoverReader, head: FileHead | None, taken: Taken, refusal: HandoverRefused
) -> bool:
    """Keep only the refusal; returns whether a file with the same date and number was taken in before."""
    with world.store.unit() as unit:
        good = unit.handovers.taken_in(reader.way) if head else ()
        if head:
            unit.handovers.add(_file(world, reader, head, world.ids(), taken))
        unit.commit(world.event("handover.taken", PURPOSE, subject=taken.name).refused(refusal.code))
    return any(head and (f.base_date, f.file_seq) == (head.base_date, head.file_seq) for f in good)


def _event(world: World, taken: Taken) -> AuditEvent:
    counts = {"records": taken.records, "quarantined": len(taken.problems), **taken.counts}
    return world.event("handover.taken", PURPOSE, subject=taken.name, counts=counts)


def _aside(file_id: str, problem: Problem) -> QuarantinedRow:
    return QuarantinedRow(
        file_id, problem.record_no, problem.case_no, problem.reason, problem.field, problem.raw, problem.sha256
    )
