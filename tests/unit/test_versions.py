"""Of versions side by side the newest one counts whose day has come."""

from __future__ import annotations

import re
from datetime import date
from itertools import permutations
from typing import NamedTuple

import pytest

from gateway.errors import DataFileInvalid
from gateway.versions import Versions

FOLDER = "rules/screening"


class Rules(NamedTuple):
    """One version."""

    id: str
    effective_from: date


OLD = Rules("PR-2026.1", date(2026, 11, 1))
NEW = Rules("PR-2027.1", date(2027, 1, 1))
NEXT = Rules("PR-2027.10", date(2027, 1, 2))
DAYS = [
    (date(2026, 11, 1), OLD),
    (date(2026, 12, 31), OLD),
    (date(2027, 1, 1), NEW),
    (date(2027, 1, 2), NEXT),
    (date(2099, 12, 31), NEXT),
]


@pytest.mark.parametrize(("day", "counts"), DAYS)
def test_a_version_counts_from_its_day_to_the_day_before_the_next(day: date, counts: Rules) -> None:
    for found in permutations([OLD, NEW, NEXT]):
        assert Versions.of(FOLDER, found, date(2026, 11, 1)).on(day) is counts


@pytest.mark.parametrize(
    ("found", "there_is"), [([], "none"), ([NEW, OLD], "PR-2026.1 from 2026-11-01, PR-2027.1 from 2027-01-01")]
)
def test_where_none_has_begun_it_is_said_what_to_add(found: list[Rules], there_is: str) -> None:
    said = f"no active version has begun by 2026-10-31 (there is {there_is}): add the one that counts until then"
    with pytest.raises(DataFileInvalid, match=re.escape(said)) as refused:
        Versions.of(FOLDER, found, date(2026, 10, 31))
    assert refused.value.place.file == FOLDER


@pytest.mark.parametrize("other", [OLD._replace(id="PR-2026.2"), NEXT._replace(id="PR-2026.1")])
def test_two_with_one_day_or_one_name_are_refused(other: Rules) -> None:
    with pytest.raises(DataFileInvalid, match="each version has a name and a first day of its own") as refused:
        Versions.of(FOLDER, [OLD, NEW, other], date(2027, 6, 1))
    assert {OLD.id, other.id} <= set(re.findall(r"PR-[0-9.]+", refused.value.detail))
    assert refused.value.place.file == FOLDER
