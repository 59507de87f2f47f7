"""The door on a socket: what it turned away is on record when it has closed."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

from gateway.assembly import assemble
from gateway.cli import serving
from gateway.cli.serving import Door, listen
from gateway.config import Settings
from gateway.errors import NotFit
from gateway.ports import ActsAsked
from tests.journey.world import knowledge


def test_what_was_turned_away_is_on_record_when_the_door_has_closed(tmp_path: Path, database: str) -> None:
    listening = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/partners/KEIS/v1/outcomes"
    with assemble(Settings(home=tmp_path, database_url=database), knowledge=knowledge()) as gateway:
        with Door(gateway, listening):
            answers = [httpx2.post(url, content=b"{}", trust_env=False).status_code for _ in range(4)]
        with gateway.store.unit() as unit:
            acts = [kept.event for kept in unit.events(ActsAsked()) if kept.event.act == "message.received"]
    assert answers == [401] * 4
    assert [(act.partner, act.code, dict(act.counts)) for act in acts] == [
        ("KEIS", "SEAL-SIGNATURE", {"requests": 1}),
        ("KEIS", "SEAL-SIGNATURE", {"requests": 3}),
    ]


@pytest.mark.parametrize("dies_of", [RuntimeError, SystemExit])
def test_a_door_that_falls_is_told_of(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch, dies_of: type[BaseException]
) -> None:
    async def falls(_: Any) -> None:
        raise dies_of

    monkeypatch.setattr(uvicorn.Server, "main_loop", falls)
    fell = threading.Event()
    with (
        assemble(Settings(home=tmp_path, database_url=database), knowledge=knowledge()) as gateway,
        Door(gateway, listen("127.0.0.1", 0), fell=fell.set),
    ):
        assert fell.wait(10)


def test_a_door_that_is_closed_has_not_fallen(tmp_path: Path, database: str) -> None:
    fell = threading.Event()
    with assemble(Settings(home=tmp_path, database_url=database), knowledge=knowledge()) as gateway:
        with Door(gateway, listen("127.0.0.1", 0), fell=fell.set):
            pass
        assert not fell.is_set()


def test_turned_away_messages_are_kept_although_it_went_wrong_once(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, twice = [], threading.Event()

    def goes_wrong(*_: Any, **__: Any) -> None:
        looks.append(1)
        if len(looks) > 1:
            twice.set()
        raise ValueError

    monkeypatch.setattr(serving, "LOOK_S", 0.01)
    monkeypatch.setattr(serving, "keep_unproven", goes_wrong)
    with (
        assemble(Settings(home=tmp_path, database_url=database), knowledge=knowledge()) as gateway,
        Door(gateway, listen("127.0.0.1", 0)),
    ):
        assert twice.wait(10)


def test_a_door_that_does_not_open_leaves_nothing_behind(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def falls(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(uvicorn.Server, "run", falls)
    opened = listen("127.0.0.1", 0)
    with assemble(Settings(home=tmp_path, database_url=database), knowledge=knowledge()) as gateway:
        with pytest.raises(NotFit, match="does not open"), Door(gateway, opened):
            pass
        assert opened.fileno() == -1
        assert "unproven" not in {thread.name for thread in threading.enumerate()}
