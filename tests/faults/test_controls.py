"""Negative controls: done carelessly, the same rounds must go wrong, and in the words one expects.

Beside them stand the same rounds done carefully, so that it is the carelessness that is found and not the round.
"""

from __future__ import annotations

import pytest

from tests.faults.careless import CONTROLS
from tests.faults.ground import Ground
from tests.faults.matrix import HASTY, careless, noticed


def test_there_is_a_round_for_every_control() -> None:
    assert HASTY.keys() == CONTROLS.keys()


@pytest.mark.parametrize("name", HASTY)
def test_what_is_done_carelessly_is_noticed(ground: Ground, name: str) -> None:
    found = careless(name, ground)
    assert noticed(name, found), str(found.findings)


@pytest.mark.parametrize("name", ["no-fence", "no-on-conflict", "short-memory"])
def test_the_same_done_carefully_is_right(ground: Ground, name: str) -> None:
    careful = HASTY[name].act(ground)
    assert careful.findings.numbers == (0, 0, 0, 0, 0, 0), str(careful.findings)
    assert careful.messages > 60
