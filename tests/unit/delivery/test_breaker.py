"""The breaker of a line: every way to trip, every way on, and what it may never do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.breaker import Breaker, Patience, State, Why, after
from gateway.delivery.judge import Line

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PATIENCE = Patience()
WELL, FAILING, OPEN, UNTOUCHED = Line.WELL, Line.FAILING, Line.OPEN, Line.UNTOUCHED


def hear(breaker: Breaker, *results: Line, at: datetime = NOW) -> Breaker:
    return after(breaker, results, at, PATIENCE)


def opened() -> Breaker:
    return hear(Breaker(), *[FAILING] * 5)


def probing(breaker: Breaker) -> Breaker:
    return Breaker(State.HALF_OPEN, breaker.why, breaker.failures, breaker.probes, NOW + 30 * SECOND)


@pytest.mark.parametrize(
    ("results", "why"),
    [
        ([FAILING] * 4, None),
        ([FAILING] * 5, Why.IN_A_ROW),
        ([FAILING] * 5 + [WELL], None),
        ([FAILING] * 4 + [WELL] + [FAILING] * 4, None),
        ([UNTOUCHED] * 9, None),
        ([FAILING] * 4 + [UNTOUCHED] + [FAILING], Why.IN_A_ROW),
        ([OPEN], Why.REFUSED),
        ([WELL] * 30 + [OPEN, WELL], Why.REFUSED),
        ([FAILING, WELL] * 10, None),
        ([FAILING] * 10 + [WELL] * 9, None),
        ([FAILING] * 11 + [WELL] * 9, Why.TOO_MANY),
        ([], None),
    ],
)
def test_what_trips_it_and_what_does_not(results: list[Line], why: Why | None) -> None:
    told = hear(Breaker(), *results)
    assert (told.state, told.why) == ((State.OPEN, why) if why else (State.CLOSED, None))
    assert told.due_at == (NOW + 30 * SECOND if why else None)


def test_failures_in_a_row_are_counted_over_batches() -> None:
    four = hear(hear(Breaker(), FAILING, FAILING), FAILING, FAILING)
    assert four.state is State.CLOSED
    assert hear(four, FAILING).why is Why.IN_A_ROW
    assert hear(four, WELL).failures == 0


@pytest.mark.parametrize(("apart", "state"), [(50, State.OPEN), (65, State.CLOSED)])
def test_only_the_last_minute_counts_for_the_share(apart: int, state: State) -> None:
    first = hear(Breaker(), *[FAILING] * 10, WELL)
    assert first.state is State.CLOSED
    assert hear(first, *[FAILING] * 3, *[WELL] * 8, at=NOW + apart * SECOND).state is state


def test_what_the_breaker_remembers_stays_small() -> None:
    breaker = Breaker()
    for second in range(3600):
        breaker = hear(breaker, WELL, FAILING, WELL, at=NOW + second * SECOND)
    assert breaker.state is State.CLOSED
    assert len(breaker.recent) == 12
    assert sum(t.tried for t in breaker.recent) == 12 * 5 * 3


def test_probes_are_further_and_further_apart_but_never_more_than_five_minutes() -> None:
    breaker, waits = opened(), []
    for _ in range(7):
        assert breaker.due_at is not None
        waits.append((breaker.due_at - NOW) / SECOND)
        breaker = hear(probing(breaker), FAILING)
    assert waits == [30, 60, 120, 240, 300, 300, 300]


def closed_again() -> Breaker:
    return hear(probing(hear(probing(opened()), FAILING)), WELL)


def test_one_signed_answer_to_a_probe_closes_it_and_forgets_everything_but_that_it_goes_slowly() -> None:
    assert closed_again() == Breaker(at_once=1, slow_until=NOW + 30 * SECOND)


def test_it_goes_one_faster_for_each_that_arrives_up_to_four_and_half_as_fast_after_one_that_failed() -> None:
    breaker, seen = closed_again(), []
    for results in (
        [WELL],
        [WELL, WELL],
        [WELL],
        [UNTOUCHED],
        [WELL, FAILING, WELL, WELL],
        [FAILING],
        [FAILING],
        [WELL],
    ):
        breaker = hear(breaker, *results, at=NOW + 29 * SECOND)
        seen.append(breaker.at_once)
    assert seen == [2, 4, 4, 4, 2, 1, 1, 2]
    assert breaker.slow_until == NOW + 30 * SECOND


def test_half_a_minute_after_it_closed_it_is_a_line_like_any_other() -> None:
    told = hear(closed_again(), WELL, at=NOW + 30 * SECOND)
    assert (told.at_once, told.slow_until) == (None, None)


def test_a_line_that_goes_slowly_trips_like_any_other_and_is_not_slow_any_more_then() -> None:
    told = hear(closed_again(), *[FAILING] * 5)
    assert (told.state, told.at_once, told.slow_until) == (State.OPEN, None, None)


def test_a_probe_that_is_not_believed_keeps_it_open_and_says_so() -> None:
    told = hear(probing(opened()), OPEN)
    assert (told.state, told.why, told.probes) == (State.OPEN, Why.REFUSED, 1)


@pytest.mark.parametrize("results", [[], [UNTOUCHED]])
def test_a_probe_that_could_not_be_made_is_due_again_after_the_same_wait(results: list[Line]) -> None:
    before = hear(probing(opened()), FAILING)
    told = hear(probing(before), *results)
    assert (told.state, told.why, told.probes) == (State.OPEN, before.why, before.probes)
    assert told.due_at == NOW + 60 * SECOND


@given(st.lists(st.sampled_from(Line), max_size=40))
def test_while_it_is_open_nothing_that_was_under_way_changes_anything(results: list[Line]) -> None:
    assert hear(opened(), *results, at=NOW + 10 * SECOND) == opened()


@given(st.lists(st.lists(st.sampled_from(Line), max_size=12), max_size=30), st.integers(0, 7))
def test_it_is_due_again_whenever_it_is_not_closed_and_never_remembers_more_than_a_minute(
    batches: list[list[Line]], apart: int
) -> None:
    breaker, now = Breaker(), NOW
    for results in batches:
        now += apart * SECOND
        breaker = hear(breaker, *results, at=now)
        assert (breaker.state is State.CLOSED) == (breaker.due_at is None) == (breaker.why is None)
        assert len(breaker.recent) <= 12
        assert (breaker.at_once is None) == (breaker.slow_until is None)
        assert breaker.at_once is None or (breaker.state is State.CLOSED and 1 <= breaker.at_once <= 4)
        if breaker.due_at is not None:
            assert breaker.due_at <= now + PATIENCE.longest_wait
            breaker = Breaker(State.HALF_OPEN, breaker.why, breaker.failures, breaker.probes, breaker.due_at)


@given(st.lists(st.sampled_from([WELL, UNTOUCHED]), max_size=60))
def test_a_partner_that_is_well_never_trips_it(results: list[Line]) -> None:
    assert hear(Breaker(), *results).state is State.CLOSED


def test_a_scaled_patience_waits_less_and_trips_the_same() -> None:
    fast = PATIENCE.scaled(0.01)
    told = after(Breaker(), [FAILING] * 5, NOW, fast)
    assert told.due_at == NOW + 0.3 * SECOND
    assert fast.wait(9) == 3 * SECOND
    assert fast.slowly == 0.3 * SECOND
    assert (fast.in_a_row, fast.at_least, fast.share) == (5, 20, 0.5)
