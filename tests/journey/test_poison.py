"""A message that kills whoever tries it is given up after the third time; what was under way beside it goes on."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from gateway.journey.deliver import LAST_CHANCE
from gateway.ports import Outgoing
from tests.journey.world import Killed, Partner, Scene, a_case, good

LEASE_S = 0.4


def kill_on(scene: Scene, case_no: str, partner: str = "KEIS") -> str:
    """The message about this case kills whoever tries it; its id."""
    [mid] = [m["mid"] for m in scene.rows("message") if (m["case_no"], m["partner"]) == (case_no, partner)]

    def answer(channel: Partner, message: Outgoing) -> Any:
        if message.mid == mid:
            raise Killed
        return good(channel, message)

    scene.partners[partner].will(*[answer] * 99)
    return str(mid)


def waiting(scene: Scene, how_many: int) -> str:
    """So many cases wait for KEIS, and the first of them is poison; its message id."""
    cases = [a_case(n, entry={"services": {"KEIS": ["01"]}}) for n in range(1, how_many + 1)]
    scene.refer(*cases)
    limits = replace(scene.world.limits, lease_s=LEASE_S, attempt_timeout_s=0.1)
    scene.world = replace(scene.world, limits=limits)
    return kill_on(scene, cases[0].case_no)


def deliver_until_it_dies(scene: Scene) -> int:
    """Deliver as a worker would that is started again after every death; how often it died."""
    died = 0
    for _ in range(40):
        try:
            if not scene.deliver("KEIS"):
                if not [d for d in scene.rows("delivery") if d["state"] in ("ready", "leased")]:
                    return died
                time.sleep(LEASE_S / 4)
        except Killed:
            died += 1
    raise AssertionError("it never ends")


def test_after_three_deaths_it_is_dead_and_its_neighbours_are_delivered(scene: Scene) -> None:
    poison = waiting(scene, 5)
    assert deliver_until_it_dies(scene) == 3
    states = {d["mid"]: (d["state"], d["error_class"]) for d in scene.rows("delivery")}
    assert states.pop(poison) == ("dead", "E-POISON")
    assert set(states.values()) == {("delivered", None)}
    assert len(scene.partners["KEIS"].taken) == 4
    assert [(w["kind"], w["code"], w["mid"]) for w in scene.rows("work_item")] == [
        ("delivery-dead", "E-POISON", poison)
    ]


def test_a_dead_message_does_not_call_its_referral_back(scene: Scene) -> None:
    poison = waiting(scene, 1)
    deliver_until_it_dies(scene)
    [message] = scene.rows("message")
    assert message["mid"] == poison
    assert scene.leg(message["ref_no"]).status == "requested"


def test_a_message_that_was_beside_it_once_is_as_good_as_new_when_it_is_across(scene: Scene) -> None:
    waiting(scene, 3)
    deliver_until_it_dies(scene)
    assert {d["crashes"] for d in scene.rows("delivery")} == {0}


def test_deaths_that_are_not_in_a_row_do_not_add_up(scene: Scene) -> None:
    waiting(scene, 1)
    keis = scene.partners["KEIS"]
    answers = [keis.script.popleft() for _ in range(2)]
    keis.script.clear()
    keis.will(*answers, lambda partner, message: good(partner, message)._replace(receipt_jws=None))
    for _ in answers:
        with pytest.raises(Killed):
            scene.deliver("KEIS")
        time.sleep(LEASE_S * 1.2)
    assert scene.deliver("KEIS") == 1
    [row] = scene.rows("delivery")
    assert (row["state"], row["crashes"], row["error_class"]) == ("ready", 0, "no-receipt")


def test_a_last_chance_is_given_to_one_message_at_a_time(scene: Scene) -> None:
    poison = waiting(scene, 1)
    for _ in range(2):
        with pytest.raises(Killed):
            scene.deliver("KEIS")
        time.sleep(LEASE_S * 1.2)
    before = scene.rows("delivery")
    with scene.store.alone(LAST_CHANCE) as mine:
        assert mine
        assert scene.deliver("KEIS") == 0
    assert scene.rows("delivery") == before
    assert [d["mid"] for d in before] == [poison]
