"""The retry schedule: its steps, its jitter, its horizon, and what a partner may ask for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.schedule import RetrySchedule

NOW = datetime(2026, 11, 24, 0, 5, 6, tzinfo=UTC)
WEEK = timedelta(days=7)
SCHEDULE = RetrySchedule()


class Always(Random):
    """Draws the same number every time."""

    def __init__(self, drawn: float) -> None:
        super().__init__(0)
        self.drawn = drawn

    def random(self) -> float:
        return self.drawn


STEPS = [(1, 5), (2, 30), (3, 120), (4, 600), (5, 1800), (6, 3600), (7, 10800), (8, 10800), (50, 10800)]


@pytest.mark.parametrize(("attempt", "seconds"), STEPS)
def test_the_longest_wait_after_an_attempt(attempt: int, seconds: int) -> None:
    assert SCHEDULE.longest_wait(attempt) == timedelta(seconds=seconds)
    assert SCHEDULE.next(attempt, Always(0.5), NOW, since=NOW) == NOW + timedelta(seconds=seconds / 2)


@given(st.integers(1, 60), st.integers())
def test_the_wait_is_drawn_between_nothing_and_its_step(attempt: int, seed: int) -> None:
    due = SCHEDULE.next(attempt, Random(seed), NOW, since=NOW)
    assert due is not None
    assert NOW <= due <= NOW + SCHEDULE.longest_wait(attempt)


def test_the_jitter_is_full_and_even() -> None:
    rng = Random(20261124)
    waits = [(SCHEDULE.next(6, rng, NOW, since=NOW) or NOW) - NOW for _ in range(4000)]
    mean = sum(waits, timedelta()) / len(waits)
    assert abs(mean - timedelta(minutes=30)) < timedelta(minutes=1)
    assert min(waits) < timedelta(minutes=1)
    assert max(waits) > timedelta(minutes=59)


def test_the_same_source_of_randomness_gives_the_same_time() -> None:
    assert SCHEDULE.next(4, Random(7), NOW) == SCHEDULE.next(4, Random(7), NOW)


ASKED = [
    # Retry-After          the earliest next attempt, in seconds, when the jitter draws nothing
    (None, 0),
    (0, 0),
    (-5, 0),
    (120, 120),
    (3600, 3600),
    (3601, 3600),
    (86400, 3600),
]


@pytest.mark.parametrize(("asked", "earliest"), ASKED)
def test_what_a_partner_asks_for_is_honoured_up_to_an_hour(asked: int | None, earliest: int) -> None:
    due = SCHEDULE.next(1, Always(0.0), NOW, since=NOW, retry_after=asked)
    assert due == NOW + timedelta(seconds=earliest)


def test_a_partner_cannot_ask_for_less_than_was_drawn() -> None:
    assert SCHEDULE.next(7, Always(0.5), NOW, since=NOW, retry_after=1) == NOW + timedelta(minutes=90)


HORIZON = [
    # how long ago it was first due                 is there a next time
    (WEEK - timedelta(seconds=1), True),
    (WEEK, False),
    (WEEK + timedelta(days=1), False),
]


@pytest.mark.parametrize(("ago", "again"), HORIZON)
def test_after_seven_days_there_is_no_next_time(ago: timedelta, again: bool) -> None:
    due = SCHEDULE.next(56, Always(0.9), NOW, since=NOW - ago)
    assert (due is not None) == again
    assert due is None or due == NOW - ago + WEEK, "the last attempt is at the horizon itself"


def test_a_partner_cannot_ask_a_message_over_the_horizon() -> None:
    since = NOW - WEEK + timedelta(minutes=1)
    assert SCHEDULE.next(9, Always(0.0), NOW, since=since, retry_after=3600) == since + WEEK


def test_without_a_beginning_the_attempts_are_counted_instead() -> None:
    assert SCHEDULE.next(61, Always(0.0), NOW) == NOW
    assert SCHEDULE.next(63, Always(0.0), NOW) is None
    assert SCHEDULE.next(10_000, Always(0.0), NOW) is None
    assert SCHEDULE.next(0, Always(1.0), NOW) == NOW + timedelta(seconds=5)


@given(st.integers())
def test_a_message_that_never_gets_across_is_tried_for_a_week_and_then_no_more(seed: int) -> None:
    rng, now, attempts = Random(seed), NOW, 1
    while (due := SCHEDULE.next(attempts, rng, now, since=NOW)) is not None:
        assert now <= due <= NOW + WEEK
        now, attempts = due, attempts + 1
    assert now == NOW + WEEK
    assert 60 < attempts < 250


@pytest.mark.parametrize("factor", [1.0, 0.001, 0.0001])
def test_a_scaled_schedule_has_the_same_shape(factor: float) -> None:
    fast = SCHEDULE.scaled(factor)
    for attempt, seconds in STEPS:
        assert fast.longest_wait(attempt) == timedelta(seconds=seconds) * factor
    assert fast.horizon == WEEK * factor
    assert fast.longest_request == SCHEDULE.longest_request
    assert SCHEDULE.scaled(1.0) == SCHEDULE
