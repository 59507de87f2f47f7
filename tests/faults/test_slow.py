"""Callers that drip keep nobody waiting: each is cut off in time, and every letter is taken in beside them."""

from __future__ import annotations

from tests.faults import slow
from tests.faults.ground import Ground
from tests.faults.lines import answers

HOW_MANY, READ_S = 100, 2.0


def test_letters_are_taken_in_beside_callers_that_drip_and_those_are_cut_off(ground: Ground) -> None:
    found, both = slow.beside(ground, HOW_MANY, READ_S)
    assert found.findings.numbers == (0, 0, 0, 0, 0, 0), str(found.findings)
    assert found.kills == 0
    assert found.hits["slow"] == HOW_MANY
    assert {line.get("status") for line in answers(both)} == {200}
