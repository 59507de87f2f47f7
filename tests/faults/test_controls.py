"""Negative controls: done carelessly, the same rounds must go wrong, and under the letter one expects.

Beside each stands the same round done carefully, so that it is the carelessness that is found and not the round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.conftest import home_folder
from tests.faults import rounds
from tests.faults.careless import CONTROLS
from tests.faults.ground import Ground
from tests.faults.rounds import OUT, Result
from tests.faults.sender import Habits


@pytest.fixture(scope="module")
def ground(postgres: str) -> Iterator[Ground]:
    """Templates that the rounds of this module share."""
    with home_folder() as folder:
        yield Ground(postgres, folder, cases=16)


CLAIMED = {"outbox.claimed": OUT["outbox.claimed"]}
TOGETHER = Habits(copies=10, again=0, fetch=0)
ONE_BY_ONE = Habits(copies=6, side=1, again=0, fetch=0)
LATER = Habits(again=1000, again_after_s=2.5, side=40, fetch=0)
ROUNDS: dict[str, tuple[Callable[..., Result], set[str]]] = {
    "mark-before-send": (partial(rounds.outbound, points=CLAIMED, hits=3, what="claimed"), {"L"}),
    "no-fence": (partial(rounds.overslept, what="overslept"), {"L"}),
    "get-then-put": (partial(rounds.inbound, points={}, hits=0, what="ten at once", habits=TOGETHER), {"D"}),
    "no-on-conflict": (partial(rounds.inbound, points={}, hits=0, what="six at once", habits=ONE_BY_ONE), {"X"}),
    "short-memory": (partial(rounds.inbound, points={}, hits=0, what="again, later", habits=LATER), {"D"}),
}


def test_there_is_a_round_for_every_control() -> None:
    assert ROUNDS.keys() == CONTROLS.keys()


@pytest.mark.parametrize("name", ROUNDS)
def test_what_is_done_carelessly_is_noticed(ground: Ground, name: str) -> None:
    act, letters = ROUNDS[name]
    careless = act(ground, careless=name)
    found = {letter for letter, number in zip("LDOESX", careless.findings.numbers, strict=True) if number}
    assert letters <= found, str(careless.findings)


@pytest.mark.parametrize("name", ["no-fence", "get-then-put", "short-memory"])
def test_the_same_done_carefully_is_right(ground: Ground, name: str) -> None:
    careful = ROUNDS[name][0](ground)
    assert careful.findings.numbers == (0, 0, 0, 0, 0, 0), str(careful.findings)
    assert careful.messages > 40
