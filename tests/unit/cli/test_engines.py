"""The engine in one process: it does what the processes of `gateway up` do, and comes to rest."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.cli import engines
from gateway.cli.engines import Full, until_quiet
from gateway.cli.partners import Partners
from gateway.config import Settings
from gateway.errors import GatewayError
from gateway.journey.intake import pick_up, take_in
from gateway.store.postgres import PostgresStore
from tests.journey.world import TODAY, Scene, a_case, make_scene, nobody_there, write_night

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


def test_of_a_rejected_file_every_engine_says_why_and_where_its_acknowledgement_lies(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "HINT_EVERY_S", 0.0)
    drop, answers, night = scene.world.limits.from_comwel, scene.world.limits.to_comwel, tmp_path / "night"
    night.mkdir()
    batch = write_night(night, [a_case()], edit=lambda data: data.replace(b"EOF", b"FOE"))
    (night / "RHB_JC_20261399_00001.ndjson").touch()
    settings = Settings(home=tmp_path, inbox_dir=drop, outbox_dir=answers)
    books = SimpleNamespace(store=scene.store, log=None)
    full = Full(settings, books, Partners({}), scene.clock, lambda: pick_up(scene.world))  # type: ignore[arg-type]
    for hand_over in full.hand_over, full.hand_over, partial(take_in, scene.world):
        dated, undated = hand_over(night)
        assert (dated.verdict, dated.reason) == ("rejected", "E-LEN")
        assert str(dated.said).startswith(f"E-LEN [{batch.name}")
        assert dated.answer == answers / "RHB_ACK_20261123_00001.dat"
        assert (undated.verdict, undated.reason, undated.answer) == ("rejected", "E-DATE", None)
