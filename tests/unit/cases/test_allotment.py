"""Allotment: seats, waiting list, hysteresis, overrides."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cases.allotment import Allotment, Holding, Override, Result, accept, allot
from gateway.cases.screening import Gate, Screening, screen
from gateway.errors import OverrideRefused
from tests.unit.cases.build import RULESET, record
from tests.unit.cases.test_screening import VECTORS

TODAY = date(2026, 11, 23)
LONG_AGO = TODAY - timedelta(90)
YESTERDAY = TODAY - timedelta(1)
NUMBERS = {name: f"2026000000{n:04d}" for n, name in enumerate(VECTORS, 1)}
SCREENED = [screen(record(caseNo=NUMBERS[v], **changes), RULESET, TODAY) for v, (changes, _, _) in VECTORS.items()]


def case(
    no: str, score: int = 50, gate: Gate = Gate.CANDIDATE, branch: str = "1100", care_days: int = 200
) -> Screening:
    return Screening(no, branch, "PR-2026.1", gate, "-", score, (), "sha256:0", care_days, date(2026, 1, 5))


def results(
    cases: list[Screening],
    seats: int,
    current: list[Holding] | None = None,
    overrides: list[Override] | None = None,
) -> dict[str, Allotment]:
    found = allot(cases, {"1100": seats}, RULESET, current=current or [], today=TODAY, overrides=overrides or [])
    return {a.case_no: a for a in found}


def seated(found: dict[str, Allotment]) -> set[str]:
    return {no for no, a in found.items() if a.result is Result.PRIORITY}


def test_with_three_seats_d_h_and_a_are_priority_and_j_waits_first() -> None:
    found = results(SCREENED, 3)
    by_name = {name: found[no] for name, no in NUMBERS.items()}
    assert [n for n, a in by_name.items() if a.result is Result.PRIORITY] == ["A", "D", "H"]
    assert [by_name[n].rank for n in "DHAJ"] == [1, 2, 3, 4]
    assert (by_name["J"].result, by_name["J"].position) == (Result.WAITLIST, 1)
    assert [str(by_name[n].result) for n in "BCEFGI"] == [
        "STATUTORY", "STATUTORY", "REVIEW", "STATUTORY", "GENERAL", "EXCLUDED",
    ]  # fmt: skip


def test_spare_seats_go_to_the_best_statutory_case() -> None:
    found = results(SCREENED, 5)
    assert found[NUMBERS["B"]].result is Result.PRIORITY
    assert found[NUMBERS["C"]].result is Result.STATUTORY


def test_a_tie_goes_by_care_then_accident_then_case_number() -> None:
    found = results([case("3", care_days=300), case("2"), case("1")], 2)
    assert seated(found) == {"3", "1"}


@pytest.mark.parametrize(("coordinators", "seats"), [(94, 3384), (40, 1440), (1, 36), (0, 0)])
def test_seats_are_whole_and_keep_the_reserve(coordinators: int, seats: int) -> None:
    assert RULESET.seats(coordinators) == seats


HOLDER = case("9", score=20)


@pytest.mark.parametrize(
    ("since", "newcomer", "leaves"),
    [
        (LONG_AGO, 31, True),  # tenure passed, more than the margin below
        (LONG_AGO, 30, False),  # exactly the margin
        (LONG_AGO + timedelta(1), 90, False),  # 89 days
        (YESTERDAY, 90, False),
    ],
)
def test_a_seat_changes_hands_only_after_tenure_and_margin(since: date, newcomer: int, leaves: bool) -> None:
    found = results([HOLDER, case("1", score=newcomer)], 1, [Holding("9", "1100", since)])
    assert seated(found) == ({"1"} if leaves else {"9"})


def test_a_holder_keeps_its_seat_when_its_gate_changes() -> None:
    found = results([case("9", 0, Gate.GENERAL), case("1", 5)], 1, [Holding("9", "1100", YESTERDAY)])
    assert seated(found) == {"9"}


def test_an_exclusion_ends_tenure_at_once() -> None:
    found = results([case("9", 0, Gate.EXCLUDED), case("1")], 1, [Holding("9", "1100", YESTERDAY)])
    assert (found["9"].result, seated(found)) == (Result.EXCLUDED, {"1"})


def test_fewer_seats_than_holders_eject_nobody_and_admit_nobody() -> None:
    holders = [case(str(n), score=n) for n in range(5)]
    current = [Holding(h.case_no, "1100", LONG_AGO) for h in holders]
    found = results([*holders, case("99", score=96)], 2, current)
    assert seated(found) == {h.case_no for h in holders}
    assert (found["99"].result, found["99"].capacity) == (Result.WAITLIST, 0)


def test_a_holder_that_is_not_screened_today_still_takes_its_seat() -> None:
    found = results([case("1")], 1, [Holding("9", "1100", YESTERDAY)])
    assert found["1"].result is Result.WAITLIST


def test_a_branch_without_a_row_has_no_seat() -> None:
    [only] = allot([case("1", branch="9999")], {}, RULESET, current=[], today=TODAY)
    assert only.result is Result.WAITLIST


def override(no: str, result: Result = Result.PRIORITY, role: str = "branch_manager", reason: str = "긴급") -> Override:
    return Override(no, result, role, reason, TODAY)


def test_an_override_gives_a_seat_or_takes_one_away_and_keeps_its_reason() -> None:
    cases = [case("1", 90), case("2", 1), case("3", 80)]
    found = results(cases, 1, overrides=[override("2")])
    assert seated(found) == {"2"}
    assert found["2"].override == "긴급"
    found = results(cases, 1, [Holding("1", "1100", YESTERDAY)], [override("1", Result.GENERAL)])
    assert (found["1"].result, seated(found)) == (Result.GENERAL, {"3"})


def test_nobody_overrides_a_death() -> None:
    found = results([case("1", 0, Gate.EXCLUDED)], 1, overrides=[override("1")])
    assert found["1"].result is Result.EXCLUDED


@pytest.mark.rule("R-31")
@pytest.mark.parametrize(
    ("asked", "made", "decided", "ok"),
    [
        (override("1"), 0, 3, True),  # one a month is always possible
        (override("1"), 1, 39, False),
        (override("1"), 1, 40, True),
        (override("1"), 2, 40, False),
        (override("1", role="coordinator"), 0, 100, False),
        (override("1", reason="  "), 0, 100, False),
        (override("1", Result.EXCLUDED), 0, 100, False),
    ],
)
def test_an_override_needs_role_reason_and_share(asked: Override, made: int, decided: int, ok: bool) -> None:
    if ok:
        accept(asked, RULESET, made_this_month=made, decided_this_month=decided)
    else:
        with pytest.raises(OverrideRefused):
            accept(asked, RULESET, made_this_month=made, decided_this_month=decided)


# ── properties ───────────────────────────────────────────────────────────────────────────────────────────────────────
CASES = st.lists(
    st.builds(
        case,
        st.integers(1, 40).map(str),
        st.integers(0, 96),
        st.sampled_from(list(Gate)),
        st.sampled_from(["1100", "2200"]),
        st.integers(0, 400),
    ),
    unique_by=lambda s: s.case_no,
    max_size=25,
)
TENURES = st.dictionaries(st.integers(1, 40).map(str), st.integers(0, 200), max_size=12)
SEATS = st.integers(0, 15)


def held(cases: list[Screening], tenures: dict[str, int]) -> list[Holding]:
    where = {s.case_no: s.branch for s in cases}
    return [Holding(no, where.get(no, "1100"), TODAY - timedelta(days)) for no, days in tenures.items()]


def run(cases: list[Screening], seats: int, current: list[Holding]) -> dict[str, Allotment]:
    return {a.case_no: a for a in allot(cases, {"1100": seats, "2200": seats}, RULESET, current=current, today=TODAY)}


@settings(max_examples=80)
@given(CASES, SEATS, TENURES, st.randoms(use_true_random=False))
def test_the_order_of_the_input_never_changes_the_result(
    cases: list[Screening], seats: int, tenures: dict[str, int], rng: object
) -> None:
    current = held(cases, tenures)
    expected = allot(cases, {"1100": seats, "2200": seats}, RULESET, current=current, today=TODAY)
    shuffled, holdings = list(cases), list(current)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    rng.shuffle(holdings)  # type: ignore[attr-defined]
    assert allot(shuffled, {"1100": seats, "2200": seats}, RULESET, current=holdings, today=TODAY) == expected


@settings(max_examples=100)
@given(CASES, SEATS, TENURES)
def test_who_is_not_screened_takes_the_same_room_whether_named_or_counted(
    cases: list[Screening], seats: int, tenures: dict[str, int]
) -> None:
    current, screened = held(cases, tenures), {s.case_no for s in cases}
    named = [h for h in current if h.case_no in screened]
    others = Counter(h.branch for h in current if h.case_no not in screened)
    both = {"1100": seats, "2200": seats}
    counted = allot(cases, both, RULESET, current=named, others=others, today=TODAY)
    assert counted == allot(cases, both, RULESET, current=current, today=TODAY)


@settings(max_examples=100)
@given(CASES, SEATS, TENURES, st.integers(1, 5))
def test_more_seats_never_cost_anybody_a_seat_unless_the_branch_was_over_full(
    cases: list[Screening], seats: int, tenures: dict[str, int], more: int
) -> None:
    seats += len(tenures)
    current = held(cases, tenures)
    assert seated(run(cases, seats, current)) <= seated(run(cases, seats + more, current))


@settings(max_examples=100)
@given(CASES, SEATS, TENURES)
def test_nobody_new_is_seated_beyond_the_seats(cases: list[Screening], seats: int, tenures: dict[str, int]) -> None:
    current = held(cases, tenures)
    found = run(cases, seats, current)
    for branch in ("1100", "2200"):
        here = {s.case_no for s in cases if s.branch == branch}
        holders = {h.case_no for h in current if h.branch == branch}
        alive = holders - {s.case_no for s in cases if s.gate is Gate.EXCLUDED}
        absent = len(holders - here)
        assert len(seated(found) & here) + absent <= max(seats, len(alive))


@settings(max_examples=100)
@given(CASES, SEATS, TENURES)
def test_nobody_leaves_a_seat_before_tenure_but_by_exclusion(
    cases: list[Screening], seats: int, tenures: dict[str, int]
) -> None:
    found = run(cases, seats, held(cases, tenures))
    assert found.keys() == {s.case_no for s in cases}
    for s in cases:
        if s.case_no in tenures and tenures[s.case_no] < 90 and s.gate is not Gate.EXCLUDED:
            assert found[s.case_no].result is Result.PRIORITY


@settings(max_examples=100)
@given(CASES, SEATS)
def test_no_waiting_candidate_outranks_a_newly_seated_one(cases: list[Screening], seats: int) -> None:
    found = run(cases, seats, [])
    for branch in ("1100", "2200"):
        mine = [(found[s.case_no], s) for s in cases if s.branch == branch and s.gate is Gate.CANDIDATE]
        taken = [s.score for a, s in mine if a.result is Result.PRIORITY]
        waiting = [s.score for a, s in mine if a.result is Result.WAITLIST]
        assert not taken or not waiting or min(taken) >= max(waiting)


@settings(max_examples=50)
@given(CASES, SEATS, TENURES)
def test_yesterdays_seats_stay_put_when_nothing_changes(
    cases: list[Screening], seats: int, tenures: dict[str, int]
) -> None:
    current = held(cases, tenures)
    first = run(cases, seats, current)
    kept = [h for h in current if h.case_no not in first or first[h.case_no].result is Result.PRIORITY]
    new = [
        Holding(s.case_no, s.branch, TODAY)
        for s in cases
        if first[s.case_no].result is Result.PRIORITY and s.case_no not in tenures
    ]
    assert seated(run(cases, seats, [*kept, *new])) >= seated(first)
