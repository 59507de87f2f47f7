"""The breaker of a partner's line: when to stop trying, when to probe, when to go on.

    closed ──trips──▶ open ──a probe is due──▶ half-open ──a signed answer──▶ closed
                       ▲                            │
                       └──────────fails─────────────┘

Rules: it trips after 5 technical failures in a row, or when more than half of at least 20 attempts of the last minute
failed, or at once when we are not believed (401, 403) or the partner has gone (410). While it is open nothing is tried,
so no attempt is used up. Probes are single attempts: the first after 30 s, each later one after twice as long, at most
5 min. What attempts from before say while it is open changes nothing. A probe that could not even be made is due again
after the same wait.

Who has been away for long has much waiting and little strength: a line that has closed again goes slowly at first. One
message is under way anywhere, one more for each that arrives, four at most; half as many after one that failed. Half a
minute after it closed it is a line like any other.

The results of one batch are judged together: they were under way side by side, and their order means little.
This module refuses to know the time: the database's clock is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from gateway.delivery.judge import Line


class State(StrEnum):
    """How a line stands."""

    CLOSED = "closed"  # messages flow
    OPEN = "open"  # nothing is tried until a probe is due
    HALF_OPEN = "half-open"  # one probe is under way


class Why(StrEnum):
    """What tripped it."""

    IN_A_ROW = "in-a-row"  # failures without a signed answer between them
    TOO_MANY = "too-many"  # more than half of the last minute's attempts failed
    REFUSED = "refused"  # 401, 403 or 410: a person must look


class Tally(NamedTuple):
    """The attempts of five seconds; `slot` counts them since 1970."""

    slot: int
    tried: int
    failed: int


@dataclass(frozen=True, slots=True)
class Breaker:
    """A line as it stands. `failures` in a row; `probes` that failed since it opened; `due_at` of the next one.

    `at_once`: so many messages may be under way `slow_until` then, whoever tries them; none where it goes as ever.
    """

    state: State = State.CLOSED
    why: Why | None = None
    failures: int = 0
    probes: int = 0
    due_at: datetime | None = None
    recent: tuple[Tally, ...] = ()
    at_once: int | None = None
    slow_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """When a breaker trips and how often it probes. `scaled` gives a faster one, for the demo and for tests."""

    in_a_row: int = 5
    at_least: int = 20
    share: float = 0.5
    within_slots: int = 12  # of five seconds: a minute
    first_probe: timedelta = timedelta(seconds=30)
    longest_wait: timedelta = timedelta(minutes=5)
    at_once: int = 4  # at most, while a line goes slowly
    slowly: timedelta = timedelta(seconds=30)

    def wait(self, probes: int) -> timedelta:
        """How long to wait after this many probes have failed."""
        return min(self.first_probe * (1 << min(probes, 10)), self.longest_wait)

    def scaled(self, factor: float) -> Patience:
        """The same breaker with its waits multiplied by `factor`."""
        return replace(
            self, first_probe=self.first_probe * factor, longest_wait=self.longest_wait * factor,
            slowly=self.slowly * factor,
        )  # fmt: skip


SLOT_S = 5
_TELLING = {Line.WELL, Line.FAILING, Line.OPEN}


def after(breaker: Breaker, results: Sequence[Line], now: datetime, patience: Patience) -> Breaker:
    """Return the breaker after attempts ended with these results, in the order in which they began."""
    telling = [r for r in results if r in _TELLING]
    if breaker.state is State.OPEN:
        return breaker
    if breaker.state is State.HALF_OPEN:
        return _probed(breaker, telling, now, patience)
    counted = _counted(breaker, telling, now, patience)
    why = _trips(counted, telling, patience)
    return _opened(counted, why, 0, now, patience) if why else _slowly(counted, telling, now, patience)


def _probed(breaker: Breaker, results: Sequence[Line], now: datetime, patience: Patience) -> Breaker:
    if results and set(results) == {Line.WELL}:
        return Breaker(at_once=1, slow_until=now + patience.slowly)
    why = Why.REFUSED if Line.OPEN in results else breaker.why
    return _opened(breaker, why, breaker.probes + bool(results), now, patience)


def _opened(breaker: Breaker, why: Why | None, probes: int, now: datetime, patience: Patience) -> Breaker:
    due_at = now + patience.wait(probes)
    return replace(
        breaker, state=State.OPEN, why=why, probes=probes, due_at=due_at, recent=(), at_once=None, slow_until=None
    )


def _slowly(breaker: Breaker, results: Sequence[Line], now: datetime, patience: Patience) -> Breaker:
    if breaker.at_once is None or breaker.slow_until is None:
        return breaker
    if now >= breaker.slow_until:
        return replace(breaker, at_once=None, slow_until=None)
    more = breaker.at_once // 2 if _failed(results) else breaker.at_once + len(results)
    return replace(breaker, at_once=min(max(more, 1), patience.at_once))


def _counted(breaker: Breaker, results: Sequence[Line], now: datetime, patience: Patience) -> Breaker:
    slot, failures = int(now.timestamp()) // SLOT_S, breaker.failures
    for result in results:
        failures = 0 if result is Line.WELL else failures + 1
    tallies = {t.slot: t for t in breaker.recent if t.slot > slot - patience.within_slots}
    here = tallies.get(slot, Tally(slot, 0, 0))
    tallies[slot] = Tally(slot, here.tried + len(results), here.failed + _failed(results))
    return replace(breaker, failures=failures, recent=tuple(sorted(tallies.values())))


def _failed(results: Iterable[Line]) -> int:
    return sum(result is not Line.WELL for result in results)


def _trips(breaker: Breaker, results: Sequence[Line], patience: Patience) -> Why | None:
    if Line.OPEN in results:
        return Why.REFUSED
    if breaker.failures >= patience.in_a_row:
        return Why.IN_A_ROW
    tried, failed = sum(t.tried for t in breaker.recent), sum(t.failed for t in breaker.recent)
    return Why.TOO_MANY if tried >= patience.at_least and failed > patience.share * tried else None
