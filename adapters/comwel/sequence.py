"""Does a nightly file follow the files before it? A pure judgement over heads.

1. The same date and number with other bytes: E-DUP, also when the file of that number was replaced since (mode R with
   a number of its own replaces; nothing else does).
2. A base date before the last good file's: E-ORDER. Resends keep the date of what they replace.
3. Mode R: when the file `orgFileSeq` of that date was accepted it is replaced, or the last resend that stands for it,
   and the file need follow nobody. When it never was (it had been refused), the resend stands in for it and must follow
   like any other file. Either way its records say what file `orgFileSeq` said: where a newer file spoke of a case, that
   stands (`gateway.journey.admit`).
4. `prvFileSeq` must be the number of the last good file: otherwise E-GAP. The very first file follows nobody: a gateway
   may begin in the middle of COMWEL's numbering.

The same bytes again are not judged here: they change nothing. Files that were replaced no longer count as good.
It refuses to repair an order by waiting; a gap is reported and the file may be handed over again.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import DuplicateFile, Place, SequenceGap, WrongOrder
from gateway.ports import FileHead, HandoverFile

RESEND = "R"


def judge(head: FileHead, taken_in: Sequence[HandoverFile]) -> str | None:
    """The id of the good file that `head` replaces, or None. `taken_in`: good and replaced files, oldest first.

    Raises `DuplicateFile`, `WrongOrder` or `SequenceGap`.
    """
    if any((f.base_date, f.file_seq) == (head.base_date, head.file_seq) for f in taken_in):  # 1
        raise DuplicateFile(place=Place(head.name, field="fileSeq"))
    good = [f for f in taken_in if f.status == "accepted"]
    if head.mode == RESEND:  # 3
        replaced = _original(head, good)
        if replaced is not None:
            return replaced.file_id
    last = good[-1] if good else None
    if last and head.base_date < last.base_date:  # 2
        raise WrongOrder("the base date is before the last good file's", place=Place(head.name, field="baseDt"))
    if last and head.previous_seq != last.file_seq:  # 4
        raise SequenceGap("prvFileSeq is not the last good file's number", place=Place(head.name, field="prvFileSeq"))
    return None


def _original(head: FileHead, good: Sequence[HandoverFile]) -> HandoverFile | None:
    if head.original_seq is None:
        return None
    for file in reversed(good):
        if file.base_date == head.base_date and head.original_seq in (file.file_seq, file.stands_for):
            return file
    return None
