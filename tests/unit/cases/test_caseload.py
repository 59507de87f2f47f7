"""Job Coordinators on hand, as an effective-dated feed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gateway.cases.caseload import in_force, load_all
from gateway.errors import DataFileInvalid
from tests.unit.cases.build import RULES, RULESET, SCHEMAS

FEED = load_all(RULES / "caseload", SCHEMAS)
FILE = """
caseload: 2026-12
effective_from: 2026-12-01
default: {coordinators: 2, carried: 0}
branches: {"1100": {name: 서울지역본부, coordinators: 1, carried: 90}}
"""


def test_a_listed_branch_has_its_seats_less_those_it_already_carries() -> None:
    assert FEED[0].seats("1100", RULESET) == 6 * 36 - 206


def test_an_unknown_branch_gets_the_default_row() -> None:
    assert FEED[0].seats("9999", RULESET) == 36


def test_the_latest_file_not_after_the_day_counts_and_seats_never_go_below_zero(tmp_path: Path) -> None:
    (tmp_path / "2026-12.yaml").write_text(FILE, "utf-8")
    feed = (*load_all(tmp_path, SCHEMAS), *FEED)
    assert in_force(feed, date(2026, 11, 30)).id == "2026-11"
    assert in_force(feed, date(2026, 12, 1)).id == "2026-12"
    assert in_force(feed, date(2026, 12, 1)).seats("1100", RULESET) == 0


def test_before_the_first_file_the_first_one_counts_and_without_files_there_is_no_capacity_to_invent() -> None:
    assert in_force(FEED, date(2019, 10, 31)).id == "2026-11"
    with pytest.raises(DataFileInvalid):
        in_force((), date(2026, 11, 30))
