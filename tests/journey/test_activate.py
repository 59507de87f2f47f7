"""Activate: what the gateway goes by is on record, from the moment it does to the moment it does no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.exchange_log.named import named
from gateway.journey.activate import activate
from tests.journey.world import Scene

MAP, NEWER, RULES = bytes(32), bytes(range(32)), b"r" * 32


def going_by(scene: Scene, in_force: dict[tuple[str, str], bytes]) -> list[tuple[str, str | None, str | None]]:
    """Start with this data; what was said about it."""
    before = len(scene.events())
    activate(replace(scene.world, know=replace(scene.world.know, in_force=in_force)))
    return [(e["act"], e["subject"], e["partner"]) for e in scene.events(before)]


@pytest.mark.rule("R-31")
def test_everything_that_is_in_force_is_said_once(scene: Scene) -> None:
    assert activate(scene.world) == len(scene.world.know.in_force) > 20
    said = {e["subject"].partition("/sha256-")[0]: e["act"] for e in scene.events()}
    assert said["keis-referral-out|1.0.0"] == "map.activated"
    assert said["screening/PR-2026.1"] == "rules.activated"
    assert said["KEIS"] == "partner.activated"
    assert activate(scene.world) == 0


def test_a_change_is_an_end_and_a_beginning(scene: Scene) -> None:
    going_by(scene, {("map", "m|1.0.0"): MAP, ("rules", "r"): RULES})
    assert going_by(scene, {("map", "m|1.0.0"): NEWER, ("partner", "KEIS"): MAP}) == [
        ("map.ended", named("m|1.0.0", MAP), None),
        ("rules.ended", named("r", RULES), None),
        ("map.activated", named("m|1.0.0", NEWER), None),
        ("partner.activated", named("KEIS", MAP), "KEIS"),
    ]


def test_what_comes_back_is_said_again(scene: Scene) -> None:
    for data in ({("map", "m|1.0.0"): MAP}, {}):
        going_by(scene, data)
    assert going_by(scene, {("map", "m|1.0.0"): MAP}) == [("map.activated", named("m|1.0.0", MAP), None)]


def test_of_those_who_start_together_one_says_it(scene: Scene) -> None:
    with scene.store.alone("activate"):
        assert activate(scene.world) == 0
    assert scene.events() == []
