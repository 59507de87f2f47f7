"""The rounds of every engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gateway.worker.rounds import JOURNEY, deliver_all, walk
from tests.fakes.memory import MemoryStore
from tests.journey.world import Scene, a_case, make_scene


def scene(tmp_path: Path) -> Scene:
    return make_scene(MemoryStore(), tmp_path)


def test_the_journey_is_walked_by_one_process_at_a_time(tmp_path: Path) -> None:
    here = scene(tmp_path)
    here.hand_over(a_case())
    with here.store.alone(JOURNEY):
        assert walk(here.world) == 0
    assert walk(here.world) > 0


def test_delivering_goes_on_until_nothing_is_due_or_it_is_told_to_stop(tmp_path: Path) -> None:
    here = scene(tmp_path)
    here.hand_over(a_case())
    walk(here.world)
    assert deliver_all(replace(here.world, stopping=lambda: True), "KEIS", "w1") == 0
    assert deliver_all(here.world, "KEIS", "w1") == 1
    assert deliver_all(here.world, "KEIS", "w1") == 0
