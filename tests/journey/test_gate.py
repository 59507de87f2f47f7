"""A partner is paused, stopped and resumed by an officer; and nothing is signed by a clock that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from adapters.partners.pretend.scripts import Kind
from gateway.errors import ClocksApart, GateRefused, GatewayError, NoOfficer
from gateway.journey.gate import Gate, Reason, turn
from gateway.journey.receive import receive, receive_together
from gateway.journey.refer import refer
from gateway.journey.screen import screen_cases
from gateway.journey.withdraw import withdraw
from gateway.journey.world import World
from tests.journey.world import PARTNERS, Scene, a_case, again, inbound, letter, timeout


def line(scene: Scene) -> dict[str, Any]:
    [row] = [r for r in scene.rows("partner_line") if r["partner"] == "KEIS"]
    return row


def queueing(scene: Scene) -> list[tuple[str, bool]]:
    return [(w["code"], w["done_at"] is not None) for w in scene.rows("work_item") if w["kind"] == "queueing"]


def shut(scene: Scene, gate: Gate = Gate.PAUSED, reason: Reason = Reason.PLANNED_WORK) -> None:
    turn(scene.world, "KEIS", gate, by="kim.0417", reason=reason)


def reopen(scene: Scene) -> None:
    turn(scene.world, "KEIS", Gate.OPEN, by="lee.22", reason=Reason.OVER)


@pytest.mark.parametrize("gate", [Gate.PAUSED, Gate.STOPPED])
def test_nothing_is_sent_to_a_partner_behind_a_shut_gate_and_everything_else_flows(scene: Scene, gate: Gate) -> None:
    scene.refer(a_case())
    shut(scene, gate)
    before = [d for d in scene.rows("delivery") if d["partner"] == "KEIS"]
    assert [scene.deliver(p) for p in PARTNERS] == [0, 1, 1]
    assert [d for d in scene.rows("delivery") if d["partner"] == "KEIS"] == before
    reopen(scene)
    assert scene.deliver("KEIS") == 1
    assert {d["state"] for d in scene.rows("delivery")} == {"delivered"}


def test_what_was_never_tried_behind_a_shut_gate_has_its_seven_days_from_when_it_opens(scene: Scene) -> None:
    scene.clock.pass_(days=-8)
    scene.refer(a_case(entry={"services": {"KEIS": ["01"]}}))
    shut(scene)
    scene.clock.pass_(days=8)
    reopen(scene)
    scene.partners["KEIS"].will(timeout)
    assert scene.deliver("KEIS") == 1
    [waiting] = scene.rows("delivery")
    assert (waiting["state"], waiting["attempts"]) == ("ready", 1)


def test_officer_and_reason_are_kept_and_one_alert_stands_meanwhile(scene: Scene) -> None:
    shut(scene)
    row = line(scene)
    assert (row["gate"], row["gate_reason"], row["gate_by"]) == ("paused", "planned-work", "kim.0417")
    shut(scene, Gate.STOPPED, Reason.SECURITY)
    assert queueing(scene) == [("paused", False)]
    reopen(scene)
    assert queueing(scene) == [("paused", True)]
    said = [(e["act"], e["actor"], e["partner"], e["subject"]) for e in scene.events()]
    assert said == [
        ("line.paused", "kim.0417", "KEIS", "planned-work"),
        ("line.stopped", "kim.0417", "KEIS", "security"),
        ("line.resumed", "lee.22", "KEIS", "over"),
    ]


@pytest.mark.parametrize(
    ("partner", "gate", "by", "why"),
    [
        ("NOBODY", Gate.PAUSED, "kim.0417", GateRefused),
        ("KEIS", Gate.OPEN, "kim.0417", GateRefused),
        ("KEIS", Gate.PAUSED, "", NoOfficer),
        ("KEIS", Gate.PAUSED, "gateway", NoOfficer),
        ("KEIS", Gate.PAUSED, "김민수", NoOfficer),
        ("KEIS", Gate.PAUSED, "kim 0417", NoOfficer),
    ],
)
def test_what_is_no_order_changes_nothing(
    scene: Scene, partner: str, gate: Gate, by: str, why: type[GatewayError]
) -> None:
    with pytest.raises(why):
        turn(scene.world, partner, gate, by=by, reason=Reason.INCIDENT)
    assert scene.events() == scene.rows("work_item") == []


def test_a_paused_partner_is_heard_and_a_stopped_one_is_asked_to_come_again(scene: Scene) -> None:
    leg = scene.referred(a_case())["KEIS"]
    shut(scene)
    assert scene.say(leg, Kind.ACCEPT, 1).status == 200
    shut(scene, Gate.STOPPED)
    scene.world = replace(scene.world, stopped=lambda partner: partner == "KEIS")
    before = scene.dump()
    reply = scene.say(leg, Kind.START, 2)
    assert (reply.status, reply.receipt, reply.refusal and reply.refusal.code) == (503, None, "LOOP-STOPPED")
    assert scene.dump() == before
    scene.world = replace(scene.world, stopped=lambda partner: False)
    assert scene.say(leg, Kind.START, 2).status == 200


def test_an_alert_stands_until_both_the_gate_and_the_breaker_let_messages_flow(scene: Scene) -> None:
    scene.refer(*(a_case(n, entry={"services": {"KEIS": ["01"]}}) for n in range(1, 7)))
    scene.partners["KEIS"].will(*[timeout] * 6)
    scene.deliver("KEIS")
    assert queueing(scene) == [("in-a-row", False)]
    shut(scene)
    reopen(scene)
    assert line(scene)["breaker"] == "open"
    assert queueing(scene) == [("in-a-row", False)]


# ── clocks ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("off_s", [-60, 600])
def test_with_clocks_apart_nothing_is_signed_and_nothing_is_burned(scene: Scene, off_s: int) -> None:
    scene.refer(a_case())
    scene.clock.pass_(seconds=60 + off_s)
    scene.world = replace(scene.world, limits=replace(scene.world.limits, clocks_apart_s=5.0))
    before, since = scene.rows("delivery"), len(scene.events())
    with pytest.raises(ClocksApart):
        scene.deliver("KEIS")
    assert (scene.rows("delivery"), scene.events()[since:]) == (before, [])
    assert scene.partners["KEIS"].sent == []


@pytest.mark.parametrize("off_s", [-60, 600])
@pytest.mark.parametrize("verb", [refer, withdraw], ids=["refer", "withdraw"])
def test_with_clocks_apart_no_message_is_sealed_that_says_when_it_was(
    scene: Scene, verb: Callable[[World], int], off_s: int
) -> None:
    """A manifest is sealed once: one from the future would be refused over there, whoever sends it."""
    scene.referred(a_case(1))
    scene.enter(again(a_case(1), consent={"withdrawnAt": "2026-11-22T15:00:00+09:00"}))
    scene.hand_over(a_case(2))
    screen_cases(scene.world)
    scene.clock.pass_(seconds=60 + off_s)
    wrong = replace(scene.world, limits=replace(scene.world.limits, clocks_apart_s=5.0))
    before = scene.rows("leg"), scene.rows("message"), scene.events()
    with pytest.raises(ClocksApart):
        verb(wrong)
    assert (scene.rows("leg"), scene.rows("message"), scene.events()) == before
    assert verb(scene.world) > 0


@pytest.mark.parametrize("off_s", [-60, 200])
def test_with_clocks_apart_nothing_is_taken_in_for_our_receipt_would_say_a_wrong_time(scene: Scene, off_s: int) -> None:
    leg = scene.referred(a_case())["KEIS"]
    scene.clock.pass_(seconds=60 + off_s)
    sent, right = inbound(scene, letter(leg, Kind.ACCEPT, 1)), scene.world
    wrong = replace(right, limits=replace(right.limits, clocks_apart_s=5.0))
    before, nonces, since = scene.dump(), scene.rows("nonce"), len(scene.events())
    for many in (1, 2):
        with pytest.raises(ClocksApart):
            receive_together(wrong, [sent] * many)
    assert (scene.dump(), scene.rows("nonce"), scene.events()[since:]) == (before, nonces, [])
    assert receive(right, sent).status == 200


def test_clocks_that_are_nearly_the_same_are_good_enough(scene: Scene) -> None:
    scene.refer(a_case())
    scene.world = replace(scene.world, limits=replace(scene.world.limits, clocks_apart_s=300.0))
    assert scene.deliver("KEIS") == 1
