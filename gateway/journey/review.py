"""Review: once a month an officer looks through who read what for, and signs that off (Safety Measures Notice §8②).

Rules: counts per officer, purpose and act, downloads with their reasons among them, and what is unusual about an
officer: no case, no name. Looking is an act, and so is the sign-off, which says how many reads it covers. A month is
one of Korea.
Refuses to sign off a month that is not over, or twice, and an officer to sign off reads of his own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import NamedTuple

from gateway.errors import ReviewRefused
from gateway.journey.world import World
from gateway.korea import day_begins
from gateway.ports import ReadsRow, Unit

PURPOSE = "access-review"
MORE = 2
FEW = 20
"""An officer who read more than `MORE` times as often as the month before is unusual, from so many reads on."""
_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])", re.ASCII)


class Review(NamedTuple):
    """Who read how often in a month, what is unusual about it in words, and who has signed it off."""

    month: str
    reads: Sequence[ReadsRow]
    unusual: tuple[str, ...]
    signed_by: str | None


def look(world: World, month: str, *, by: str) -> Review:
    """The reads of a month. Raises ReviewRefused for a month that has not begun."""
    since, _ = _period(month)
    if since > world.clock.now():
        raise ReviewRefused(f"{month} has not begun")
    with world.store.unit() as unit:
        found = _review(unit, month)
        counts = {"reads": _many(found)}
        unit.commit(world.event("review.read", PURPOSE, by=by, subject=month, counts=counts))
    return found


def sign_off(world: World, month: str, *, by: str) -> Review:
    """Sign off the reads of a month. Raises ReviewRefused."""
    _, until = _period(month)
    if until > world.clock.now():
        raise ReviewRefused(f"{month} is not over")
    with world.store.alone(PURPOSE) as mine, world.store.unit() as unit:
        found = _review(unit, month)
        if not mine or found.signed_by is not None:
            raise ReviewRefused(f"{month} is signed off already, or just now")
        if by in {row.actor for row in found.reads if row.act != "review.read"}:
            raise ReviewRefused("an officer does not sign off reads of his own")
        counts = {"reads": _many(found), "unusual": len(found.unusual)}
        unit.commit(world.event("review.signed", PURPOSE, by=by, subject=month, counts=counts))
    return found._replace(signed_by=by)


def _review(unit: Unit, month: str) -> Review:
    """A month beside the one before it, as both stand."""
    since, until = _period(month)
    reads, before = unit.reads(since, until), unit.reads(_period(_before(month))[0], since)
    return Review(month, reads, tuple(_unusual(reads, before)), unit.reviewed().get(month))


def _many(found: Review) -> int:
    return sum(row.reads for row in found.reads)


def _period(month: str) -> tuple[datetime, datetime]:
    if not _MONTH.fullmatch(month):
        raise ReviewRefused("a month is like 2026-11")
    year, number = int(month[:4]), int(month[5:])
    after = (year + 1, 1) if number == 12 else (year, number + 1)
    return day_begins(date(year, number, 1)), day_begins(date(*after, 1))


def _before(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year - 1}-12" if number == 1 else f"{year}-{number - 1:02}"


def _unusual(reads: Sequence[ReadsRow], before: Sequence[ReadsRow]) -> Iterator[str]:
    """What is worth a question to an officer: by counts, in words."""
    now, earlier, off, whole = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for row in reads:
        now[row.actor] += row.reads
        off[row.actor] += row.off_hours
        whole[row.actor] += row.wholesale
    for row in before:
        earlier[row.actor] += row.reads
    for actor in sorted(now):
        if now[actor] >= FEW and now[actor] > MORE * earlier[actor]:
            yield f"{actor} read {now[actor]} times, in the month before {earlier[actor]} times"
        if off[actor]:
            yield f"{actor} read {off[actor]} times at night or on a weekend"
        if whole[actor]:
            yield f"{actor} exported acts of no single case {whole[actor]} times"
