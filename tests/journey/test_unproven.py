"""Unproven: whoever knocks without end is counted every time, and fills neither the books nor the log."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.errors import StoreUnavailable
from gateway.journey.account import account
from gateway.journey.prove import Inbound, keep_unproven
from gateway.journey.receive import receive, receive_together
from gateway.journey.unproven import Unproven
from gateway.ports import ActsAsked, Unobserved
from tests.journey.world import DOOR, Scene, a_case, assert_nothing_personal, replies


class Watcher(Unobserved):
    """Remembers what was refused."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def unproven(self, act: str, code: str) -> None:
        self.seen.append((act, code))


def garbage(partner: str = "KEIS") -> Inbound:
    return Inbound(partner, "POST", f"{DOOR}/partners/{partner}/v1/outcomes", {}, b"x")


def kept(scene: Scene) -> list[tuple[str | None, str, int]]:
    return [
        (e["partner"], e["code"], e["counts"]["requests"]) for e in scene.events() if e["act"] == "message.received"
    ]


def test_a_minute_of_them_is_one_act_for_each_partner_and_reason(scene: Scene) -> None:
    watcher = Watcher()
    scene.world = replace(scene.world, unproven=Unproven(watcher))
    for n in range(20):
        words = receive_together(scene.world, [garbage(), garbage(f"EVIL-{n}")])
        assert [reply.status for reply in replies(words)] == [401, 403]
    assert kept(scene) == [("KEIS", "SEAL-SIGNATURE", 1), (None, "SEAL-AUDIENCE", 1)]
    scene.clock.pass_(seconds=58)
    keep_unproven(scene.world)
    assert len(kept(scene)) == 2
    scene.clock.pass_(seconds=2)
    receive(scene.world, garbage())
    keep_unproven(scene.world)
    assert sorted(kept(scene)[2:], key=repr) == [("KEIS", "SEAL-SIGNATURE", 20), (None, "SEAL-AUDIENCE", 19)]
    assert len(watcher.seen) == 41
    assert set(watcher.seen) == {("message.received", "SEAL-SIGNATURE"), ("message.received", "SEAL-AUDIENCE")}
    assert "EVIL" not in repr(scene.events())


def test_when_the_door_closes_nothing_is_left_uncounted(scene: Scene) -> None:
    for _ in range(3):
        receive(scene.world, garbage())
    for _ in range(2):
        keep_unproven(scene.world, everything=True)
    assert kept(scene) == [("KEIS", "SEAL-SIGNATURE", 1), ("KEIS", "SEAL-SIGNATURE", 2)]
    told = list(account(scene.world, ActsAsked(partner="KEIS"), by="kim.0417", purpose="audit"))
    counted = [detail for act in told for entity in act["entity"] for detail in entity.get("detail", ())]
    assert [(one["type"], one["valueString"]) for one in counted] == [("requests", "1"), ("requests", "2")]
    assert_nothing_personal(scene, a_case())


def test_what_could_not_be_kept_is_kept_the_next_time(quick: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(quick.store, "keep_refusal", away)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                receive(quick.world, garbage())
    receive(quick.world, garbage())
    assert kept(quick) == [("KEIS", "SEAL-SIGNATURE", 3)]
