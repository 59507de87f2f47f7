"""Poison, kills at random, and a host whose clock is wrong: what is sent arrives once, and the others do not notice."""

from __future__ import annotations

from functools import partial

from tests.faults import rounds
from tests.faults.ground import Ground
from tests.faults.rounds import Result, until_hit

KILLS = 6


def assert_nothing_is_wrong(found: Result) -> None:
    assert found.findings.numbers == (0, 0, 0, 0, 0, 0), str(found.findings)


def test_what_kills_whoever_tries_it_is_dead_after_three_and_its_neighbours_arrive(ground: Ground) -> None:
    found, both = rounds.poisoned(ground, 2)
    assert_nothing_is_wrong(found)
    dead = {d["mid"] for d in both.ours["deliveries"] if d["state"] == "dead"}
    assert len(dead) == 2
    assert 3 <= found.kills <= 3 * len(dead)  # two may be tried by the same process, and die in it together
    assert {d["state"] for d in both.ours["deliveries"] if d["mid"] not in dead} == {"delivered"}
    assert {a["error_class"] for a in both.ours["attempts"] if a["mid"] in dead} == {"E-POISON"}
    assert dead == {w["mid"] for w in both.ours["work"]}


def test_kills_at_random_cost_nothing(ground: Ground) -> None:
    found = until_hit(partial(rounds.at_random, ground), ["killed"], KILLS)
    assert_nothing_is_wrong(found)
    assert found.kills == found.hits["killed"] == KILLS


def test_a_worker_whose_clock_jumps_signs_nothing_holds_nothing_and_says_why(ground: Ground) -> None:
    found = rounds.astray(ground)
    assert_nothing_is_wrong(found)
    assert found.hits["refused to sign"] > 3
    assert (found.hits["sent"], found.hits["held"]) == (0, 0)
