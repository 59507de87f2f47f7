"""Quiet: true only when no round would find anything to do, step by step along the way of a case."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adapters.partners.pretend.scripts import Kind
from gateway.journey.refer import refer
from gateway.journey.screen import screen_cases
from gateway.journey.track import fall_due, judge_changed
from gateway.journey.write_back import write_back
from gateway.worker.rounds import quiet
from tests.journey.world import DAY, Scene, a_case, a_job, again


def is_quiet(scene: Scene) -> bool:
    return quiet(scene.store, scene.clock)


def assert_quiet_after(scene: Scene, *steps: Callable[[], object]) -> None:
    for step in steps:
        assert not is_quiet(scene), step
        step()
    assert is_quiet(scene)


def test_where_nothing_was_handed_over_it_is_quiet(scene: Scene) -> None:
    assert is_quiet(scene)


def test_a_case_leaves_no_quiet_until_it_is_screened_referred_delivered_and_judged(scene: Scene) -> None:
    scene.hand_over(a_case())
    world = scene.world
    assert_quiet_after(
        scene, lambda: screen_cases(world), lambda: refer(world), scene.deliver, lambda: judge_changed(world)
    )


def test_a_report_leaves_no_quiet_until_what_it_means_is_written_back(scene: Scene) -> None:
    leg = scene.referred(a_case())["KEIS"]
    scene.track()
    scene.say(leg, Kind.ACCEPT, 1)
    scene.say(leg, Kind.START, 2)
    scene.say(leg, Kind.PLACED, 3, on=scene.clock.day, job=a_job(scene.clock.day))
    assert_quiet_after(scene, lambda: judge_changed(scene.world), lambda: write_back(scene.world))
    scene.clock.day += 40 * DAY
    assert_quiet_after(scene, lambda: fall_due(scene.world))


def test_a_withdrawn_consent_leaves_no_quiet_until_everybody_is_told(scene: Scene) -> None:
    scene.referred(a_case())
    scene.track()
    scene.enter(again(a_case(), consent={"withdrawnAt": "2026-11-22T15:00:00+09:00"}))
    assert_quiet_after(
        scene, lambda: screen_cases(scene.world), scene.withdraw, scene.deliver, lambda: judge_changed(scene.world)
    )


def test_while_somebody_walks_the_journey_it_is_not_quiet(scene: Scene) -> None:
    with scene.store.alone("journey"):
        assert not is_quiet(scene)


@pytest.mark.parametrize("times", [3])
def test_asking_changes_nothing(scene: Scene, times: int) -> None:
    leg = scene.referred(a_case())["KEIS"]
    scene.say(leg, Kind.ACCEPT, 1)
    judge_changed(scene.world)
    before = scene.dump()
    assert [is_quiet(scene) for _ in range(times)] == [False] * times
    assert scene.dump() == before
