"""One measured figure: rounds, their median and spread, the target, and the floor it is held against.

Rules: a figure is the median of its rounds; the floor is measured in the same process as the figure, taking turns with
it, so that a busy machine slows both; a target is written where the figure is made and nowhere else.
Refuses to round before it compares.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Floor:
    """The least that could be done instead: its name and its median, in the figure's unit."""

    name: str
    median: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table. `target` is the least wanted, or the most when `at_most`; None: only reported."""

    name: str
    unit: str
    rounds: tuple[float, ...]
    target: float | None = None
    at_most: bool = False
    floor: Floor | None = None

    @property
    def median(self) -> float:
        """Median of the rounds."""
        return statistics.median(self.rounds)

    @property
    def spread(self) -> tuple[float, float]:
        """Least and most of the rounds."""
        return min(self.rounds), max(self.rounds)

    @property
    def met(self) -> bool | None:
        """Whether the median keeps the target; None without a target."""
        if self.target is None:
            return None
        return self.median <= self.target if self.at_most else self.median >= self.target

    @property
    def ratio(self) -> float | None:
        """Median to floor; None without a floor."""
        return self.median / self.floor.median if self.floor else None

    def as_dict(self) -> dict[str, Any]:
        """For `--json` and for the way from a bench's process to the driver; `read` takes it back."""
        return {
            "name": self.name,
            "median": self.median,
            "unit": self.unit,
            "spread": list(self.spread),
            "rounds": list(self.rounds),
            "target": self.target,
            "at_most": self.at_most,
            "met": self.met,
            "floor": {"name": self.floor.name, "median": self.floor.median} if self.floor else None,
            "ratio": self.ratio,
        }

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        """The figure that `as_dict` wrote."""
        floor = Floor(**given["floor"]) if given["floor"] else None
        return cls(given["name"], given["unit"], tuple(given["rounds"]), given["target"], given["at_most"], floor)


def per_second(
    acts: Sequence[Callable[[], object]], *, rounds: int = 7, seconds: float = 0.2
) -> list[tuple[float, ...]]:
    """Rates of several acts that take turns: one list of `rounds` rates for each act, in the order given."""
    times = [_times(act, seconds) for act in acts]
    rates: list[list[float]] = [[] for _ in acts]
    for _ in range(rounds):
        for act, many, into in zip(acts, times, rates, strict=True):
            into.append(_rate(act, many))
    return [tuple(r) for r in rates]


def _times(act: Callable[[], object], seconds: float) -> int:
    """How often an act fits into `seconds`; warms it up on the way."""
    many = 1
    while (rate := _rate(act, many)) * seconds > 2 * many:
        many *= 2
    return max(1, int(rate * seconds))


def _rate(act: Callable[[], object], times: int) -> float:
    gc.collect()
    began = time.perf_counter()
    for _ in range(times):
        act()
    return times / (time.perf_counter() - began)


def micros(rates: Sequence[float]) -> tuple[float, ...]:
    """Rates a second as microseconds each."""
    return tuple(1e6 / r for r in rates)
