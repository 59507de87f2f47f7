"""When the next attempt is due: fast at first, then patient enough to outlast a holiday week.

Rules: 5 s, 30 s, 2 min, 10 min, 30 min, 1 h, then every 3 h, for 7 days. Each wait is drawn evenly between nothing and
its step (full jitter), so that messages held up together do not come back together. A partner's Retry-After is
honoured up to 1 h: the next attempt is not before it. The last attempt is at the horizon itself.

This module refuses to know the time and to draw from a hidden source of randomness: both are arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

STEPS = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
)


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """A schedule of waits. `scaled` gives a faster one of the same shape, for the demo and for tests."""

    steps: tuple[timedelta, ...] = STEPS  # the longest wait after the first, second, … failed attempt
    then_every: timedelta = timedelta(hours=3)  # the longest wait after all later ones
    horizon: timedelta = timedelta(days=7)  # after this long nothing is tried any more
    longest_request: timedelta = timedelta(hours=1)  # how much of a partner's Retry-After is honoured

    def longest_wait(self, attempt: int) -> timedelta:
        """Return the longest wait after failed attempt number `attempt`, which counts from 1."""
        return self.steps[max(attempt, 1) - 1] if attempt <= len(self.steps) else self.then_every

    def next(
        self,
        attempt: int,
        rng: Random,
        now: datetime,
        *,
        since: datetime | None = None,
        retry_after: int | None = None,
    ) -> datetime | None:
        """Return when to try again after attempt number `attempt` (from 1) failed at `now`; None if never.

        `since` is when the delivery became due for the first time, from which the horizon counts. Without it the
        horizon is taken to be passed once the longest waits up to this attempt add up to it. `retry_after` is what
        the partner asked for, in seconds.
        """
        longest = self.longest_wait(attempt)
        end = now + self.horizon - self._waited(attempt) if since is None else since + self.horizon
        if now >= end:
            return None
        wait = longest * rng.random()
        asked = min(timedelta(seconds=max(retry_after or 0, 0)), self.longest_request)
        return min(now + max(wait, asked), end)

    def scaled(self, factor: float) -> RetrySchedule:
        """Return this schedule with its waits and its horizon multiplied by `factor`, e.g. 0.001.

        What a partner asks for is in real seconds, and so is how much of it is honoured.
        """
        return RetrySchedule(
            tuple(step * factor for step in self.steps),
            self.then_every * factor,
            self.horizon * factor,
            self.longest_request,
        )

    def _waited(self, attempt: int) -> timedelta:
        """The sum of the longest waits before attempt number `attempt`."""
        before = max(attempt, 1) - 1
        early = self.steps[:before]
        return sum(early, timedelta()) + self.then_every * (before - len(early))
