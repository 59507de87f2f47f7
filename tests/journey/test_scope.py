"""What serves one partner works in that partner's scope: the database would not show it more if it asked."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from adapters.partners.pretend.scripts import Kind
from gateway.ports import Unit
from tests.journey.world import PARTNERS, Scene, a_case, again


class Watched:
    """A store that notes for whom its units are opened."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.scopes: list[str | None] = []

    def unit(self, partner: str | None = None) -> AbstractContextManager[Unit]:
        self.scopes.append(partner)
        found: AbstractContextManager[Unit] = self._store.unit(partner)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def watch(scene: Scene) -> Watched:
    watched = Watched(scene.store)
    scene.world = replace(scene.world, store=watched)
    return watched


@pytest.mark.parametrize("partner", PARTNERS)
def test_delivering_to_a_partner_stays_in_its_scope(scene: Scene, partner: str) -> None:
    scene.refer(a_case())
    watched = watch(scene)
    assert scene.deliver(partner) == 1
    assert watched.scopes == [partner, partner]


@pytest.mark.parametrize("partner", PARTNERS)
def test_delivering_stays_in_scope_when_the_permission_is_gone(scene: Scene, partner: str) -> None:
    scene.refer(a_case())
    scene.enter(again(a_case(), consent={"withdrawnAt": "2026-11-22T15:00:00+09:00"}))
    watched = watch(scene)
    assert scene.deliver(partner) == 1
    assert watched.scopes == [partner, partner]
    assert scene.legs(a_case().case_no)[partner].status == "cancelled"


@pytest.mark.parametrize("partner", PARTNERS)
def test_receiving_from_a_partner_stays_in_its_scope(scene: Scene, partner: str) -> None:
    leg = scene.referred(a_case())[partner]
    watched = watch(scene)
    assert scene.say(leg, Kind.ACCEPT, 1).refusal is None
    assert scene.say(leg, Kind.START, 2).refusal is None
    assert watched.scopes == [partner, partner]


def test_a_report_about_anothers_leg_is_refused_as_unknown(scene: Scene) -> None:
    legs = scene.referred(a_case())
    reply = scene.say(legs["KEAD"]._replace(partner="KEIS"), Kind.ACCEPT, 1)
    assert (reply.status, reply.refusal and reply.refusal.code) == (403, "LOOP-OWNER")
    assert scene.leg(legs["KEAD"].ref_no).status == "requested"
