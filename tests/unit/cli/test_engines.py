"""The engine in one process: it does what the processes of `gateway up` do, and comes to rest."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from gateway.cli import engines
from gateway.cli.engines import until_quiet
from gateway.errors import GatewayError
from gateway.store.postgres import PostgresStore
from tests.journey.world import TODAY, Scene, a_case, make_scene, nobody_there

WEEK = timedelta(days=7)


@pytest.fixture(autouse=True)
def _in_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "PATIENCE_S", 1.0)


@pytest.fixture
def scene(postgres_store: PostgresStore, tmp_path: Path) -> Scene:
    return make_scene(postgres_store, tmp_path)


def test_a_consent_that_ends_while_business_days_pass_calls_back_its_legs(scene: Scene) -> None:
    scene.hand_over(a_case(consEdDt=date(2026, 11, 25), consent={"until": "2026-11-25"}))
    until_quiet(scene.world)
    assert {leg.status for leg in scene.legs(a_case().case_no).values()} == {"requested"}
    scene.clock.day = TODAY + WEEK
    until_quiet(scene.world)
    assert {leg.business for leg in scene.legs(a_case().case_no).values()} == {"consent-withdrawn"}


def test_an_engine_that_does_not_come_to_rest_is_not_waited_for_without_end(scene: Scene) -> None:
    scene.hand_over(a_case())
    for partner in scene.partners.values():
        partner.will(*[nobody_there] * 1000)
    with pytest.raises(GatewayError, match="in vain"):
        until_quiet(scene.world)
