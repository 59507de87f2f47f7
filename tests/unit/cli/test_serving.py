"""The door on a socket: what it turned away is on record when it has closed."""

from __future__ import annotations

from pathlib import Path

import httpx2

from gateway.assembly import assemble
from gateway.cli.serving import Door, listen
from gateway.config import Settings
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
