"""The owner's acts are letter by letter those of the canonical outcome message, and so are the business statuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from gateway.referrals.lifecycle import ADDENDA, MOVES, Act, Business, Party

SCHEMA = Path(__file__).parents[3] / "schemas/comwel/outcome/1.0.0.json"


def _said() -> dict[str, Any]:
    said: dict[str, Any] = orjson.loads(SCHEMA.read_bytes())["properties"]["acts"]["items"]["properties"]
    return said


def test_what_an_owner_can_do_is_what_the_outcome_message_can_say() -> None:
    owners = {m.act for m in MOVES if m.by is Party.OWNER} | {a.act for a in ADDENDA if a.by is Party.OWNER}
    assert owners == {Act(word) for word in _said()["act"]["enum"]}


def test_every_business_status_of_the_message_is_one_an_owner_may_bring() -> None:
    brought = {b for m in MOVES if m.by is Party.OWNER for b in m.business if b}
    assert {Business(word) for word in _said()["businessStatus"]["enum"]} == brought
