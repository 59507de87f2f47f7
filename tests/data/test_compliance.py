"""Nothing is claimed about the law that no test holds, and nothing that is open is passed over."""

from __future__ import annotations

import pytest

from tests.data import compliance
from tests.data.compliance import Proof, Requirement, marks, proofs, requirements, status

ALL = requirements()


def test_every_requirement_is_listed_once_and_in_order() -> None:
    assert list(ALL) == [f"R-{n:02d}" for n in range(1, 39)]


@pytest.mark.parametrize("rule", ALL)
def test_what_is_claimed_is_held_by_a_test_and_what_is_not_says_why(rule: str) -> None:
    requirement, proven = ALL[rule], [p for p in proofs() if p.rule == rule]
    assert requirement.asks
    assert requirement.law
    assert requirement.seen or requirement.open, "neither seen nor open"
    assert bool(requirement.seen) == bool(proven), "seen and tests go together"


def test_every_mark_stands_on_a_test_and_names_a_requirement() -> None:
    assert [p for p in proofs() if p.rule not in ALL or not p.test.startswith("test_")] == []


def test_the_page_is_made_from_the_data_and_the_tests() -> None:
    assert compliance.PAGE.read_text(encoding="utf-8") == compliance.page(), "python -m tests.data.compliance"


def test_marks_are_read_from_the_source() -> None:
    source = 'import pytest\n\n\n@pytest.mark.rule("R-01", "R-02")\ndef test_it() -> None:\n    pass\n'
    assert list(marks(source, "f")) == [Proof("R-01", "f", "test_it"), Proof("R-02", "f", "test_it")]


@pytest.mark.parametrize(
    ("requirement", "word"),
    [
        (Requirement("a", "b", seen="c"), "met"),
        (Requirement("a", "b", seen="c", open="d"), "in part"),
        (Requirement("a", "b", open="d"), "open"),
    ],
)
def test_a_requirement_is_met_in_part_or_open(requirement: Requirement, word: str) -> None:
    assert status(requirement) == word
