"""Waking: after the commit, once for each partner that has something to do, and never when there is nothing."""

from __future__ import annotations

from dataclasses import replace

from tests.journey.world import PARTNERS, Scene, a_case, again


def listening(scene: Scene) -> list[tuple[str, int]]:
    """Who is woken, and how many messages another unit of work sees waiting at that moment."""
    heard: list[tuple[str, int]] = []

    def wake(partner: str) -> None:
        with scene.store.unit() as unit:
            heard.append((partner, unit.outbox.waiting().get(partner, 0)))

    scene.world = replace(scene.world, wake=wake)
    return heard


def test_referring_wakes_each_partner_once_when_its_messages_are_committed(scene: Scene) -> None:
    heard = listening(scene)
    scene.refer(a_case(1), a_case(2))
    assert sorted(heard) == [(partner, 2) for partner in sorted(PARTNERS)]


def test_withdrawing_wakes_who_must_be_told(scene: Scene) -> None:
    scene.referred(a_case())
    heard = listening(scene)
    scene.enter(again(a_case(), consent={"withdrawnAt": "2026-11-22T15:00:00+09:00"}))
    assert scene.withdraw() == 3
    assert sorted(heard) == [(partner, 1) for partner in sorted(PARTNERS)]


def test_when_nobody_was_ever_told_nobody_is_woken(scene: Scene) -> None:
    scene.refer(a_case())
    heard = listening(scene)
    scene.enter(again(a_case(), consent={"withdrawnAt": "2026-11-22T15:00:00+09:00"}))
    assert scene.withdraw() == 3
    assert heard == []
