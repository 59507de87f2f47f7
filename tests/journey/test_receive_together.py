"""Receive together: messages that come at the same time are judged each for itself and kept by one commit."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import pytest

from adapters.partners.pretend.scripts import Kind
from gateway.errors import StoreUnavailable
from gateway.journey.prove import Inbound
from gateway.journey.receive import receive_together
from gateway.journey.reply import Reply
from tests.journey.world import (
    TODAY,
    Letter,
    Scene,
    a_case,
    a_mid,
    dying_at_commit,
    event_of,
    inbound,
    letter,
    replies,
    retained,
    seal,
    told,
)


def together(scene: Scene, *messages: Inbound) -> list[Reply]:
    return replies(receive_together(scene.world, messages))


def states(scene: Scene) -> list[tuple[int | None, str, str | None]]:
    return sorted(((i["seq"], i["state"], i["code"]) for i in scene.rows("inbox")), key=repr)


def test_each_is_judged_for_itself(scene: Scene) -> None:
    legs = scene.referred(a_case())
    since = len(scene.events())
    stranger = legs["TRN"]._replace(person_id="PTR-" + "A" * 26)
    replies = together(
        scene,
        inbound(scene, letter(legs["KEIS"], Kind.ACCEPT, 1)),
        inbound(scene, letter(legs["KEAD"], Kind.ACCEPT, 1), headers={"Signature": None}),
        inbound(scene, letter(legs["KEAD"], Kind.RETENTION, 1, check=retained("P1M", TODAY))),
        inbound(scene, Letter("KEIS", b"<html>", 1, a_mid())),
        inbound(scene, letter(legs["TRN"], Kind.START, 2)),
        inbound(scene, letter(stranger, Kind.ACCEPT, 1)),
    )
    codes = [(r.status, r.refusal and r.refusal.code, r.receipt is not None) for r in replies]
    assert codes == [
        (200, None, True),
        (401, "SEAL-SIGNATURE", False),
        (409, "LOOP-STATE", True),
        (400, "DOC-JSON", True),
        (202, None, True),
        (403, "LOOP-OWNER", True),
    ]
    assert {p: leg.status for p, leg in scene.legs(a_case().case_no).items()} == {
        "KEIS": "accepted",
        "KEAD": "requested",
        "TRN": "requested",
    }
    assert states(scene) == [
        (1, "applied", None),
        (1, "refused", "LOOP-STATE"),
        (2, "held", None),
        (None, "quarantined", "DOC-JSON"),
        (None, "quarantined", "LOOP-OWNER"),
    ]
    assert len(scene.rows("receipt")) == 3 + 5  # three of the partners' for what we sent
    assert sorted(scene.acts(since), key=repr) == sorted(
        [
            ("message.received", "done", None),
            ("message.received", "done", None),
            ("message.received", "refused", "SEAL-SIGNATURE"),
            ("message.received", "refused", "LOOP-STATE"),
            ("message.received", "refused", "DOC-JSON"),
            ("message.received", "refused", "LOOP-OWNER"),
        ],
        key=repr,
    )


def test_a_whole_story_in_any_order_is_applied_in_the_partners_order(scene: Scene) -> None:
    leg = scene.referred(a_case())["KEIS"]
    scene.clock.day = date(2026, 12, 3)
    kinds = {1: Kind.ACCEPT, 2: Kind.START, 3: Kind.SEARCH, 4: Kind.PLACED}
    sent = [inbound(scene, letter(leg, kinds[n], n, on=date(2026, 12, 2))) for n in (3, 1, 4, 2)]
    assert [r.status for r in together(scene, *sent)] == [202, 200, 202, 200]
    assert scene.leg(leg.ref_no).state == "completed|closed-placed"
    assert states(scene) == [(n, "applied", None) for n in (1, 2, 3, 4)]
    assert sorted(f["seq"] for f in scene.rows("outcome_fact")) == [1, 2, 3, 4]
    assert len(scene.rows("retention_check")) == 4


def test_a_correction_that_comes_with_what_it_corrects_supersedes_it(scene: Scene) -> None:
    leg = scene.referred(a_case())["TRN"]
    scene.clock.day = date(2026, 12, 3)
    story = [event_of(kind, date(2026, 12, 2)) for kind in (Kind.ACCEPT, Kind.START, Kind.PLACED)]
    story.append(event_of(Kind.PLACED, date(2026, 12, 3), corrects=3))
    together(scene, *(inbound(scene, told(leg, event, seq)) for seq, event in enumerate(story, start=1)))
    facts = {f["seq"]: f for f in scene.rows("outcome_fact")}
    assert (facts[3]["entered_in_error"], facts[3]["superseded_by"]) == (True, facts[4]["fact_id"])
    assert not facts[4]["entered_in_error"]


def test_the_same_message_twice_has_one_effect_and_one_receipt(scene: Scene) -> None:
    leg = scene.referred(a_case())["KEIS"]
    one = letter(leg, Kind.ACCEPT, 1)
    jws = seal(one, scene.clock.now())
    since = len(scene.events())
    first, second = together(scene, *(inbound(scene, one, jws=jws) for _ in range(2)))
    assert (first.status, first.receipt) == (second.status, second.receipt) == (200, first.receipt)
    assert len(scene.rows("outcome_fact")) == len(scene.rows("inbox")) == 1
    assert [act for act, *_ in scene.acts(since)] == ["message.received", "message.repeated"]


def test_one_id_with_two_contents_is_believed_once(scene: Scene) -> None:
    leg, mid = scene.referred(a_case())["KEIS"], a_mid()
    sent = [inbound(scene, letter(leg, Kind.ACCEPT, 1, mid=mid, text=text)) for text in ("하나", "둘")]
    assert [(r.status, r.refusal and r.refusal.code) for r in together(scene, *sent)] == [
        (200, None),
        (422, "LOOP-REUSED"),
    ]
    assert [w["kind"] for w in scene.rows("work_item")] == ["message-id-reused"]


def test_a_nonce_counts_once_among_them_and_what_was_captured_leaves_only_its_refusal(scene: Scene) -> None:
    legs = scene.referred(a_case())
    nonce = "a-nonce-of-twenty-two-c"
    before = inbound(scene, letter(legs["KEAD"], Kind.ACCEPT, 1))
    together(scene, before)
    sent = [
        inbound(scene, letter(legs["KEIS"], kind, n), nonce=nonce) for n, kind in ((1, Kind.ACCEPT), (2, Kind.START))
    ]
    since = len(scene.events())
    assert [r.status for r in together(scene, sent[0], before, sent[1])] == [200, 401, 401]
    assert scene.leg(legs["KEIS"].ref_no).in_seq == 1
    assert [(verdict, code) for _, verdict, code in scene.acts(since)] == [
        ("done", None),
        ("refused", "SEAL-FRESH"),
        ("refused", "SEAL-FRESH"),
    ]


def test_a_later_round_that_breaks_costs_nobody_a_receipt_but_the_culprit(scene: Scene) -> None:
    """Messages that come twice need a second round; what breaks there has broken nothing of the first."""
    leg, points = scene.referred(a_case())["KEIS"], Counter[str]()
    letters = [letter(leg, Kind.ACCEPT, 1), letter(leg, Kind.START, 2)]
    seals = [seal(one, scene.clock.now()) for one in letters]
    sent = [inbound(scene, letters[n], jws=seals[n]) for n in (0, 1, 0, 1)]

    def breaks(point: str) -> None:
        points[point] += 1
        if point == "inbound.fresh" and points[point] in (2, 3):  # the second round, then its first message alone
            raise KeyError(point)

    scene.world = replace(scene.world, reached=breaks)
    *good, culprit, last = receive_together(scene.world, sent)
    assert isinstance(culprit, KeyError)
    first, second, third = replies([*good, last])
    assert [(word.status, word.receipt is not None) for word in (first, second)] == [(200, True)] * 2
    assert third == second
    assert states(scene) == [(1, "applied", None), (2, "applied", None)]
    assert together(scene, inbound(scene, letters[0], jws=seals[0])) == [first]


def test_when_the_database_dies_at_commit_nobody_gets_a_receipt_and_nothing_is_stored(
    real: Scene, database: str
) -> None:
    legs = real.referred(a_case())
    before = real.dump()
    sent = [inbound(real, letter(leg, Kind.ACCEPT, 1)) for leg in legs.values()]
    with dying_at_commit(database), pytest.raises(StoreUnavailable):
        together(real, *sent)
    assert real.dump() == before
    assert [r.status for r in together(real, *sent)] == [200, 200, 200]


def test_batches_that_cross_each_other_take_every_message_in_once(real: Scene) -> None:
    """Eight doors get the same twelve messages at the same moment, each in another order."""
    cases = [a_case(n) for n in range(1, 5)]
    real.referred(*cases)
    legs = [leg for case in cases for leg in real.legs(case.case_no).values()]
    assert len(legs) == 12
    letters = [letter(leg, Kind.ACCEPT, 1) for leg in legs]
    seals = [seal(one, real.clock.now()) for one in letters]
    start = threading.Barrier(8)

    def door(number: int) -> list[str | None]:
        order = sorted(range(12), key=lambda n: (n * (number + 1)) % 13)
        sent = [inbound(real, letters[n], jws=seals[n]) for n in order]
        start.wait()
        said = dict(zip(order, together(real, *sent), strict=True))
        return [said[n].receipt for n in range(12)]

    with ThreadPoolExecutor(8) as doors:
        receipts = list(doors.map(door, range(8)))
    assert None not in receipts[0]
    assert all(one == receipts[0] for one in receipts)
    assert len(real.rows("outcome_fact")) == len(real.rows("inbox")) == 12
    assert {leg.status for case in cases for leg in real.legs(case.case_no).values()} == {"accepted"}
