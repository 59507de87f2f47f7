"""The rows of the fault matrix, as they are run by `make faults`: number, what happens, and the round that shows it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from tests.faults import rounds
from tests.faults.ground import Ground
from tests.faults.rounds import IN, OUT, Result


class Row(NamedTuple):
    """One row. `run` takes the ground and how many hits are wanted; `least` is how many there must be."""

    number: str
    what: str
    run: Callable[[Ground, int], Result]
    counted: str  # what is counted as a hit


def _out(point: str, ground: Ground, hits: int) -> Result:
    act = rounds.referring if point.startswith("refer.") else rounds.outbound
    return act(ground, {point: OUT[point]}, hits, point)


def _in(point: str, ground: Ground, hits: int) -> Result:
    return rounds.inbound(ground, {point: IN[point]}, hits, point)


ROWS = (
    *(Row("1", f"kill -9 at {point}", partial(_out, point), point) for point in OUT),
    *(Row("2", f"kill -9 at {point}", partial(_in, point), point) for point in IN),
)
