"""Does a file follow the others: gaps, duplicates, order and resends."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from adapters.comwel.sequence import judge
from gateway.errors import HandoverRefused
from gateway.ports import FileHead, HandoverFile

DAY, NEXT = date(2026, 11, 23), date(2026, 11, 24)


def head(seq: int, previous: int, day: date = DAY, mode: str = "D", original: int | None = None) -> FileHead:
    return FileHead(f"RHB_CASE_{day:%Y%m%d}_{seq:05d}.dat", "A1", day, seq, previous, original, mode, "new")


def good(seq: int, day: date = DAY) -> HandoverFile:
    name = f"RHB_CASE_{day:%Y%m%d}_{seq:05d}.dat"
    at = datetime(2026, 11, 24, tzinfo=UTC)
    return HandoverFile(f"id-{day:%d}-{seq}", "A1", name, day, seq, "D", "old", "accepted", None, 1, 0, at)


@pytest.mark.parametrize(
    ("file", "accepted"),
    [
        (head(1, 0), []),
        (head(2, 1), [good(1)]),
        (head(1, 2, NEXT), [good(1), good(2)]),
        (head(2, 1, mode="F"), [good(1)]),
        (head(2, 0, mode="R", original=1), []),
        (head(7, 6), []),
    ],
)
def test_a_file_that_follows_is_taken_and_replaces_nothing(file: FileHead, accepted: list[HandoverFile]) -> None:
    assert judge(file, accepted) is None


@pytest.mark.parametrize(
    ("file", "accepted", "code"),
    [
        (head(1, 0), [good(1)], "E-DUP"),
        (head(1, 0, mode="R", original=1), [good(1)], "E-DUP"),
        (head(1, 0, NEXT), [good(1)], "E-GAP"),
        (head(3, 2), [good(1)], "E-GAP"),
        (head(3, 0), [good(1), good(2)], "E-GAP"),
        (head(2, 1), [good(1, NEXT)], "E-ORDER"),
        (head(1, 2), [good(1)._replace(status="replaced"), good(2)], "E-DUP"),
        (head(3, 1), [good(1), good(2)._replace(status="replaced"), good(4)], "E-GAP"),
        (head(3, 2, mode="R", original=7), [good(1)], "E-GAP"),
    ],
)
def test_a_file_that_does_not_follow_is_refused(file: FileHead, accepted: list[HandoverFile], code: str) -> None:
    with pytest.raises(HandoverRefused) as refused:
        judge(file, accepted)
    assert refused.value.code == code
    assert refused.value.place.file == file.name


def test_what_was_sent_again_may_be_sent_again_under_the_number_of_the_first() -> None:
    again = good(3)._replace(mode="R", stands_for=1)
    accepted = [good(2), again, good(1, NEXT)]
    assert judge(head(4, 0, DAY, "R", 1), accepted) == again.file_id
    assert judge(head(4, 0, DAY, "R", 3), accepted) == again.file_id
    with pytest.raises(HandoverRefused):
        judge(head(2, 9, NEXT, "R", None), accepted)


def test_a_resend_replaces_the_file_it_names_whatever_came_after() -> None:
    accepted = [good(1), good(2), good(1, NEXT)]
    assert judge(head(3, 0, DAY, "R", 2), accepted) == "id-23-2"
    assert judge(head(2, 1, NEXT, "R", 1), accepted) == "id-24-1"
