"""Deliver: a message is across when the partner's signed receipt is verified and stored, not earlier and not twice."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from adapters.partners.pretend.scripts import Kind
from gateway.delivery.schedule import STEPS, RetrySchedule
from gateway.documents.strict_json import reread
from gateway.errors import StoreUnavailable
from gateway.journey.deliver import deliver
from gateway.journey.refer import refer
from gateway.journey.screen import screen_cases
from gateway.ports import Answer, Outgoing, Store, Unit
from gateway.referrals.states import State
from gateway.sealing import heads, http, receipts
from gateway.sealing.keys import KeyFinder
from gateway.versions import Versions
from tests.journey.world import (
    DAY,
    HEAD,
    PARTNERS,
    TODAY,
    Killed,
    Partner,
    Scene,
    a_case,
    again,
    assert_nothing_personal,
    forged_receipt,
    good,
    html,
    nobody_there,
    rejects,
    ring,
    says,
    takes_it_and_is_too_slow,
    takes_it_and_we_die,
    timeout,
)

FAST = 0.001


def fast(scene: Scene) -> Scene:
    """The same schedule, a thousand times faster."""
    scene.world = replace(scene.world, retry=RetrySchedule().scaled(FAST))
    return scene


def short_lease(scene: Scene) -> Scene:
    scene.world = replace(scene.world, limits=replace(scene.world.limits, lease_s=0.05, attempt_timeout_s=0.01))
    return scene


def delivery(scene: Scene, partner: str = "KEIS") -> dict[str, Any]:
    [row] = [d for d in scene.rows("delivery") if d["partner"] == partner]
    return row


def attempts(scene: Scene, partner: str = "KEIS") -> list[dict[str, Any]]:
    return [a for a in scene.rows("attempt") if a["partner"] == partner]


def only_keis(scene: Scene, **more: Any) -> None:
    scene.refer(a_case(entry={"services": {"KEIS": ["01"]}}, **more))


@pytest.mark.rule("R-25")
# ── across ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_verified_receipt_delivers_and_is_kept(scene: Scene) -> None:
    legs = scene.refer(a_case())
    since = len(scene.events())
    assert scene.deliver() == 3
    assert {d["state"] for d in scene.rows("delivery")} == {"delivered"}
    assert {leg.state for leg in scene.legs(a_case().case_no).values()} == {"requested|delivered"}
    for message in scene.rows("message"):
        [kept] = [r for r in scene.rows("receipt") if r["mid"] == message["mid"]]
        owner = message["partner"].lower()
        word = receipts.check(
            kept["jws"], keys=ring(owner).of(owner), expected_mid=message["mid"], sent_jws=message["jws"]
        )
        assert str(word.decision) == kept["decision"] == "accepted"
    assert scene.acts(since) == [("delivery.leased", "done", None), ("delivery.attempted", "done", None)] * 3
    assert [e["ref_no"] for e in scene.events(since) if e["mid"]] == [legs[p].ref_no for p in PARTNERS]
    assert_nothing_personal(scene)


@pytest.mark.rule("R-24")
@pytest.mark.rule("R-25")
def test_of_every_attempt_that_left_us_the_signed_head_is_kept_with_what_came_back(scene: Scene) -> None:
    only_keis(fast(scene))
    scene.partners["KEIS"].will(nobody_there, timeout, says(503), good)
    for _ in range(200):
        if scene.deliver("KEIS") == 0:
            time.sleep(0.02)
        if delivery(scene)["state"] == "delivered":
            break
    [message] = scene.rows("message")
    first, *kept = [a["head"] for a in sorted(attempts(scene), key=lambda a: int(a["fence"]))]
    said = {"body_sha256": message["body_sha256"], "mid": message["mid"], "jws": message["jws"]}
    told = [heads.told(head, **said) for head in kept]
    assert first is None
    assert [one["answer"] and one["answer"]["status"] for one in told] == [None, 503, 200]
    assert told[2]["answer"]["headers"] == dict(HEAD)
    keys, now = ring("comwel").of("comwel"), scene.clock.now()
    requests = [(one["request"]["method"], one["request"]["target"], one["request"]["headers"]) for one in told]
    proven = [http.verify(*request, message["body"], keys=keys, now=now) for request in requests]
    assert {(one.mid, one.jws) for one in proven} == {(message["mid"], message["jws"])}
    assert len({one.nonce for one in proven}) == 3
    sent = scene.partners["KEIS"].sent
    assert [(m.url, {n.lower(): v for n, v in m.headers.items()}) for m in sent[1:]] == [one[1:] for one in requests]


def test_nothing_waiting_means_no_attempt_and_no_event(scene: Scene) -> None:
    scene.referred(a_case())
    before, events = scene.dump(), len(scene.events())
    assert scene.deliver() == 0
    assert (scene.dump(), len(scene.events())) == (before, events)


def test_why_a_receipt_is_not_believed_says_a_line_and_not_a_word_of_the_partner(
    quick: Scene, lines: list[MutableMapping[str, Any]]
) -> None:
    only_keis(quick)
    quick.partners["KEIS"].will(forged_receipt)
    quick.deliver("KEIS")
    [line] = [one for one in lines if one["event"] == "receipt.doubted"]
    assert (line["partner"], line["mid"], line["code"]) == ("KEIS", delivery(quick)["mid"], "SEAL-KEY")
    assert line.keys() == {"event", "log_level", "partner", "mid", "code"}


@pytest.mark.parametrize(
    ("answer", "error_class"),
    [
        (says(503), "server"),
        (timeout, "unreachable"),
        (html, "not-the-partner"),
        (forged_receipt, "no-receipt"),
        (says(200, result="ok"), "no-receipt"),
        (says(200, result="permanent"), "unsigned-refusal"),
        (says(422), "unsigned-refusal"),
        (says(302), "not-the-partner"),
        (says(401), "not-believed"),
        (says(429), "throttled"),
    ],
)
def test_without_the_partners_signature_nothing_is_delivered_and_it_is_tried_again(
    quick: Scene, answer: Any, error_class: str
) -> None:
    only_keis(quick)
    quick.partners["KEIS"].will(answer)
    since = len(quick.events())
    quick.deliver("KEIS")
    row = delivery(quick)
    assert (row["state"], row["attempts"], row["error_class"]) == ("ready", 1, error_class)
    assert quick.rows("receipt") == []
    assert quick.legs(a_case().case_no)["KEIS"].state == "requested|sent"
    assert quick.acts(since)[:2] == [("delivery.leased", "done", None), ("delivery.attempted", "refused", error_class)]
    ended = attempts(quick)[0]["ended_at"]
    assert ended <= row["next_at"] <= ended + STEPS[0]


def test_retries_carry_the_same_bytes_and_manifest_under_a_new_signature_by_schedule(scene: Scene) -> None:
    only_keis(fast(scene))
    keis = scene.partners["KEIS"]
    keis.will(says(503), timeout, html, forged_receipt, good)
    for tried in range(1, 5):
        assert scene.deliver("KEIS") == 1
        row, last = delivery(scene), attempts(scene)[-1]
        assert row["attempts"] == tried
        assert last["ended_at"] <= row["next_at"] <= last["ended_at"] + STEPS[tried - 1] * FAST
    scene.deliver("KEIS")
    assert delivery(scene)["state"] == "delivered"
    assert len({(m.mid, m.body, m.jws, m.url) for m in keis.sent}) == 1
    assert len({m.headers["Signature"] for m in keis.sent}) == len(keis.sent) == 5
    assert len({m.headers["Signature-Input"] for m in keis.sent}) == 5
    assert [a["fence"] for a in attempts(scene)] == [1, 2, 3, 4, 5]
    assert_nothing_personal(scene)


def test_a_partner_that_asks_to_wait_is_not_asked_before(scene: Scene) -> None:
    only_keis(scene)
    scene.partners["KEIS"].will(says(503, retry_after=3600))
    scene.deliver("KEIS")
    row, [tried] = delivery(scene), attempts(scene)
    assert row["next_at"] == tried["ended_at"] + timedelta(hours=1)
    assert scene.deliver("KEIS") == 0


def test_a_partner_that_has_gone_is_asked_again_after_an_hour(scene: Scene) -> None:
    only_keis(scene)
    scene.partners["KEIS"].will(says(410))
    scene.deliver("KEIS")
    row, [tried] = delivery(scene), attempts(scene)
    assert (row["state"], row["error_class"]) == ("ready", "gone")
    assert row["next_at"] >= tried["ended_at"] + timedelta(hours=1)


def test_after_seven_days_it_is_dead_and_a_person_is_told(scene: Scene) -> None:
    only_keis(scene)
    scene.clock.pass_(days=8)
    scene.partners["KEIS"].will(timeout)
    scene.deliver("KEIS")
    assert delivery(scene)["state"] == "dead"
    assert [(w["kind"], w["code"]) for w in scene.rows("work_item")] == [("delivery-dead", "unreachable")]
    assert scene.deliver("KEIS") == 0


def test_a_signed_rejection_is_never_tried_again_and_goes_to_a_person(scene: Scene) -> None:
    only_keis(fast(scene))
    scene.partners["KEIS"].will(rejects("2003"))
    scene.deliver("KEIS")
    assert (delivery(scene)["state"], delivery(scene)["error_class"]) == ("blocked", "rejected")
    [kept] = scene.rows("receipt")
    assert (kept["decision"], kept["code"]) == ("rejected", "2003")
    [work] = scene.rows("work_item")
    assert (work["kind"], work["ref_no"]) == ("delivery-blocked", delivery_leg(scene))
    assert scene.deliver("KEIS") == 0
    assert len(scene.partners["KEIS"].sent) == 1


def delivery_leg(scene: Scene) -> str:
    return scene.legs(a_case().case_no)["KEIS"].ref_no


def test_one_partners_trouble_does_not_touch_anothers_messages(scene: Scene) -> None:
    scene.refer(a_case())
    scene.partners["KEIS"].will(timeout)
    scene.deliver()
    states = {d["partner"]: d["state"] for d in scene.rows("delivery")}
    assert states == {"KEIS": "ready", "KEAD": "delivered", "TRN": "delivered"}


# ── what may no longer leave ─────────────────────────────────────────────────────────────────────────────────────────
def _installs_a_law_of_tomorrow(scene: Scene) -> None:
    """A registry in which no ground carries a message any more."""
    now = scene.world.know.law(scene.clock.business_now())
    grounds = {name: ground._replace(active=False) for name, ground in now.bases.items()}
    then = replace(now, id="LB-2027.1", effective_from=TODAY + DAY, bases=grounds)
    bases = Versions.of("rules/legal-basis", [now, then], TODAY)
    scene.world = replace(scene.world, know=replace(scene.world.know, bases=bases))


def _another_law(scene: Scene) -> None:
    _installs_a_law_of_tomorrow(scene)
    scene.clock.day = TODAY + DAY


def _withdrawn(scene: Scene) -> None:
    scene.enter(again(a_case(), consent={"withdrawnAt": "2026-11-22T15:00:00+09:00"}))


def _expired(scene: Scene) -> None:
    scene.clock.day = date(2029, 1, 1)


def _dead(scene: Scene) -> None:
    scene.hand_over(again(a_case(), dthDt=date(2026, 11, 21)), entries=())


def _deleted(scene: Scene) -> None:
    scene.hand_over(again(a_case(), "D"), entries=())


def _entry_with_rrn(scene: Scene) -> None:
    scene.enter(again(a_case(), entry={"memo": "880101-1234567"}))


CHANGES = {
    "the consent is withdrawn": (_withdrawn, "E-CONSENT"),
    "the consent has run out": (_expired, "E-CONSENT"),
    "the worker has died": (_dead, "E-LB"),
    "the case is deleted": (_deleted, "E-STALE"),
    "the entry holds a resident number": (_entry_with_rrn, "E-RRN"),
    "another law has begun": (_another_law, "E-LB"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_between_building_and_sending(scene: Scene, change: str) -> None:
    happens, code = CHANGES[change]
    scene.refer(a_case())
    happens(scene)
    since = len(scene.events())
    scene.deliver()
    assert [p.sent for p in scene.partners.values()] == [[], [], []]
    assert {(d["state"], d["error_class"]) for d in scene.rows("delivery")} == {("blocked", code)}
    assert {leg.status for leg in scene.legs(a_case().case_no).values()} == {"cancelled"}
    assert {(w["kind"], w["code"]) for w in scene.rows("work_item")} == {("delivery-blocked", code)}
    acts = ("delivery.leased", "done"), ("delivery.attempted", "refused"), ("referral.withdrawn", "done")
    assert [(act, verdict) for act, verdict, _ in scene.acts(since)] == [*acts] * 3
    assert {of for act, _, of in scene.acts(since) if act == "delivery.attempted"} == {code}
    assert len(scene.rows("message")) == 3  # nothing ever reached anybody, so there is nothing to call back
    assert_nothing_personal(scene)


def test_a_law_of_tomorrow_stops_nothing_today(scene: Scene) -> None:
    _installs_a_law_of_tomorrow(scene)
    scene.refer(a_case())
    scene.deliver()
    assert {d["state"] for d in scene.rows("delivery")} == {"delivered"}


def test_between_two_attempts_too_and_then_the_partner_is_told_without_identity(scene: Scene) -> None:
    case = a_case(entry={"services": {"KEIS": ["01"]}})
    scene.refer(case)
    fast(scene).partners["KEIS"].will(takes_it_and_is_too_slow)
    scene.deliver("KEIS")
    scene.enter(again(case, consent={"withdrawnAt": "2026-11-22T15:00:00+09:00"}))
    for _ in range(3):
        scene.deliver("KEIS")
    first, second = scene.partners["KEIS"].sent
    assert b"REF_NEW" in first.body
    assert b"CNS_WDR" in second.body
    assert case.values["korNm"].encode() not in second.body
    assert scene.legs(case.case_no)["KEIS"].state == "cancelled|consent-withdrawn"
    told = next(event for event in scene.events() if event["act"] == "referral.withdrawn")
    assert str(told["mid"]) == second.mid  # and so a leaf commits to the message


@pytest.mark.parametrize("first", ["the walk", "who sends"])
@pytest.mark.parametrize(
    ("happens", "reason"), [(_dead, "DTH"), (_deleted, "ETC"), (_withdrawn, "WDR"), (_entry_with_rrn, "WDR")]
)
def test_whoever_notices_it_first_the_partner_is_told_the_same_reason(
    scene: Scene, happens: Callable[[Scene], None], reason: str, first: str
) -> None:
    scene.refer(a_case())
    fast(scene).partners["KEIS"].will(takes_it_and_is_too_slow)
    scene.deliver("KEIS")
    happens(scene)
    if first == "the walk":
        scene.withdraw()
    for _ in range(3):
        scene.deliver("KEIS")
    _, last = scene.partners["KEIS"].sent
    assert reread(last.body)["body"]["cnlRsnCd"] == reason


def test_withdrawn_health_consent_blocks_a_message_that_discloses_health(scene: Scene) -> None:
    scene.refer(a_case())
    scene.enter(again(a_case(), consent={"sensitive": False}))
    scene.deliver()
    states = {d["partner"]: (d["state"], d["error_class"]) for d in scene.rows("delivery")}
    assert states["KEAD"] == ("blocked", "E-CONSENT")
    assert states["KEIS"] == ("blocked", "E-CONSENT")
    assert states["TRN"] == ("delivered", None)  # a training institute is told nothing about health


def test_a_wider_consent_changes_nothing_about_what_is_sealed(scene: Scene) -> None:
    scene.refer(a_case(consent={"sensitive": False}))
    scene.enter(again(a_case(), consent={"sensitive": True}))
    scene.deliver()
    assert {d["state"] for d in scene.rows("delivery")} == {"delivered"}
    assert b"funcProfile" not in b"".join(m.body for p in scene.partners.values() for m in p.sent)


# ── order ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_what_follows_waits_until_what_came_before_is_across(scene: Scene) -> None:
    case = a_case(entry={"services": {"KEIS": ["01"]}})
    scene.referred(case)
    scene.hand_over(again(case, wonbuVer=2))
    scene.withdraw()
    screen_cases(scene.world)
    refer(scene.world)
    assert sorted(d["seq"] for d in scene.rows("delivery")) == [1, 2, 3]
    fast(scene).partners["KEIS"].will(says(503), says(503))
    for _ in range(4):
        scene.deliver("KEIS")
    kinds = [b"REF_CNL" in m.body for m in scene.partners["KEIS"].sent]
    assert kinds == [False, True, True, True, False]


def test_cases_do_not_wait_for_each_other(scene: Scene) -> None:
    scene.refer(*(a_case(n, entry={"services": {"KEIS": ["01"]}}) for n in (1, 2, 3)))
    scene.partners["KEIS"].will(timeout)
    scene.deliver("KEIS")
    assert sorted(d["state"] for d in scene.rows("delivery")) == ["delivered", "delivered", "ready"]


# ── our own house ────────────────────────────────────────────────────────────────────────────────────────────────────
def breaks(partner: Partner, message: Outgoing) -> Answer:
    partner.taken[message.mid] = partner.open(message)
    raise OverflowError(a_case().values["korNm"])


@pytest.fixture
def lines() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged."""
    configured = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    with capture_logs() as said:
        yield said
    structlog.configure(**configured)


def test_a_channel_that_breaks_fails_its_own_attempt_and_no_other(
    scene: Scene, lines: list[MutableMapping[str, Any]]
) -> None:
    scene.refer(*(a_case(n, entry={"services": {"KEIS": ["01"]}}) for n in (1, 2, 3)))
    scene.partners["KEIS"].will(good, breaks, good)
    assert scene.deliver("KEIS") == 3
    assert sorted((d["state"], d["attempts"], d["crashes"]) for d in scene.rows("delivery")) == [
        ("delivered", 1, 0),
        ("delivered", 1, 0),
        ("ready", 1, 0),
    ]
    assert len([r for r in scene.rows("receipt") if r["direction"] == "out"]) == 2
    [broken] = [a for a in attempts(scene) if a["error_class"]]
    assert (broken["phase"], broken["error_class"]) == ("attempt", "unreachable")
    assert broken["head"] is not None  # it may have been sent
    [said] = [line for line in lines if line["event"] == "channel.broken"]
    assert (said["partner"], said["mid"], said["error"]) == ("KEIS", broken["mid"], "OverflowError")
    assert_nothing_personal(scene, texts=[str(lines)])


class Away:
    """A store that is away when the units with these numbers are opened, or when they have ended (`after`)."""

    def __init__(self, store: Store, *numbers: int, after: int = 0) -> None:
        self._store, self._away, self._after, self.opened = store, numbers, after, 0

    @contextmanager
    def unit(self, partner: str | None = None) -> Iterator[Unit]:
        self.opened += 1
        if self.opened in self._away:
            raise StoreUnavailable
        with self._store.unit(partner) as unit:
            yield unit
        if self.opened == self._after:
            raise StoreUnavailable

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_a_database_that_is_away_when_it_is_to_be_written_is_waited_for_and_the_receipt_kept(scene: Scene) -> None:
    only_keis(scene)
    store = Away(scene.store, 2, 3, 4)
    assert deliver(replace(scene.world, store=store), "KEIS", "w1") == 1
    assert store.opened == 5
    assert (delivery(scene)["state"], delivery(scene)["crashes"]) == ("delivered", 0)
    assert [r["decision"] for r in scene.rows("receipt")] == ["accepted"]


def test_what_was_written_when_the_connection_broke_is_not_written_again(scene: Scene) -> None:
    only_keis(scene)
    since = len(scene.events())
    store = Away(scene.store, after=2)
    assert deliver(replace(scene.world, store=store), "KEIS", "w1") == 1
    assert store.opened == 3
    assert delivery(scene)["state"] == "delivered"
    assert scene.acts(since) == [("delivery.leased", "done", None), ("delivery.attempted", "done", None)]


def test_a_database_that_is_away_when_a_receipt_is_to_be_proven_is_waited_for(scene: Scene) -> None:
    only_keis(scene)
    asked: list[str] = []

    def keys(owner: str) -> KeyFinder:
        asked.append(owner)
        if len(asked) < 3:
            raise StoreUnavailable
        return scene.world.keys(owner)

    assert deliver(replace(scene.world, keys=keys), "KEIS", "w1") == 1
    assert asked == ["KEIS"] * 3
    assert delivery(scene)["state"] == "delivered"


def test_it_is_waited_for_while_the_lease_lasts_and_no_longer(scene: Scene) -> None:
    only_keis(scene)
    store, began_at = Away(scene.store, *range(2, 1000)), scene.clock.now()
    with pytest.raises(StoreUnavailable):
        deliver(replace(scene.world, store=store), "KEIS", "w1")
    waited = (scene.clock.now() - began_at).total_seconds()
    assert scene.world.limits.lease_s - 2 < waited <= scene.world.limits.lease_s
    assert store.opened < 50
    assert delivery(scene)["state"] in ("leased", "ready")


def test_claiming_waits_for_nobody_who_works_on_the_leg_or_the_case(real: Scene) -> None:
    only_keis(real)
    leg = real.legs(a_case().case_no)["KEIS"]
    with ThreadPoolExecutor(1) as worker, real.store.unit() as unit:
        unit.legs.many([leg.ref_no])
        unit.cases.load([leg.case_no])
        claimed = threading.Event()
        world = replace(real.world, reached=lambda point: claimed.set() if point == "outbox.claimed" else None)
        worker.submit(deliver, world, "KEIS", "w1")
        assert claimed.wait(5)


def test_no_attempt_begins_that_the_lease_does_not_outlast_however_long_the_claim_took(scene: Scene) -> None:
    """The clock goes on while messages are leased, and the lease with it."""
    only_keis(scene)
    spare = (scene.world.limits.lease_s - scene.world.limits.attempt_timeout_s) / 2

    def slow(point: str) -> None:
        if point == "outbox.claimed":
            scene.clock.pass_(seconds=spare)

    assert deliver(replace(scene.world, reached=slow), "KEIS", "w1") == 0
    assert scene.partners["KEIS"].sent == []
    assert (delivery(scene)["state"], delivery(scene)["attempts"]) == ("ready", 0)


# ── crashes ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_lease_is_taken_over_after_a_crash_and_the_partner_says_duplicate(scene: Scene) -> None:
    only_keis(short_lease(scene))
    keis = scene.partners["KEIS"]
    keis.will(takes_it_and_we_die)
    with pytest.raises(Killed):
        scene.deliver("KEIS", worker="w1")
    assert delivery(scene)["state"] in ("leased", "ready")
    time.sleep(0.06)
    scene.deliver("KEIS", worker="w2")
    assert len(keis.taken) == 1
    assert [m.mid for m in keis.sent] == [next(iter(keis.taken))] * 2
    assert delivery(scene)["state"] == "delivered"
    assert [r["decision"] for r in scene.rows("receipt")] == ["duplicate"]


def test_a_receipt_that_was_lost_is_fetched_even_when_the_partner_has_closed_the_leg_meanwhile(scene: Scene) -> None:
    only_keis(fast(scene))
    leg = scene.legs(a_case().case_no)["KEIS"]
    scene.partners["KEIS"].will(takes_it_and_is_too_slow)
    scene.deliver("KEIS")
    scene.say(leg, Kind.DECLINE, 1)
    closed = scene.leg(leg.ref_no)
    assert State.read(closed.state).terminal
    scene.clock.pass_(seconds=1)
    scene.deliver("KEIS")
    assert delivery(scene)["state"] == "delivered"
    assert [r["decision"] for r in scene.rows("receipt") if r["direction"] == "out"] == ["duplicate"]
    assert scene.leg(leg.ref_no).state == closed.state


def test_before_the_lease_ends_nobody_else_tries(scene: Scene) -> None:
    only_keis(scene)
    scene.partners["KEIS"].will(takes_it_and_we_die)
    with pytest.raises(Killed):
        scene.deliver("KEIS", worker="w1")
    assert scene.deliver("KEIS", worker="w2") == 0


@pytest.mark.parametrize("late", [timeout, rejects("9999"), says(503)])
def test_a_worker_that_wakes_up_too_late_changes_nothing(scene: Scene, late: Any) -> None:
    only_keis(short_lease(scene))
    keis = scene.partners["KEIS"]

    def sleeps_while_another_delivers() -> None:
        keis.before = lambda: None
        time.sleep(0.06)
        keis.script.clear()
        assert deliver(scene.world, "KEIS", "w2") == 1
        keis.will(late)

    keis.before = sleeps_while_another_delivers
    scene.deliver("KEIS", worker="w1")
    row = delivery(scene)
    assert (row["state"], row["fence"], row["attempts"]) == ("delivered", 2, 1)
    assert scene.legs(a_case().case_no)["KEIS"].state == "requested|delivered"
    assert [r["decision"] for r in scene.rows("receipt")] == ["accepted"]
    assert scene.rows("work_item") == []


def test_when_the_lease_would_not_outlast_the_attempt_it_is_given_back_untried(scene: Scene) -> None:
    only_keis(scene)
    scene.world = replace(scene.world, limits=replace(scene.world.limits, lease_s=1.0, attempt_timeout_s=2.0))
    assert scene.deliver("KEIS") == 0
    assert scene.partners["KEIS"].sent == []
    row = delivery(scene)
    assert (row["state"], row["attempts"]) == ("ready", 0)


def test_four_workers_at_once_send_every_message_once(real: Scene) -> None:
    real.refer(*(a_case(n, entry={"services": {"KEIS": ["01"]}}) for n in range(1, 9)))
    real.world = replace(real.world, limits=replace(real.world.limits, deliver_batch=3))
    with ThreadPoolExecutor(4) as workers:
        sent = list(workers.map(lambda n: deliver(real.world, "KEIS", f"w{n}"), range(4)))
    assert sum(sent) == 8
    assert len({m.mid for m in real.partners["KEIS"].sent}) == len(real.partners["KEIS"].sent) == 8
    assert {d["state"] for d in real.rows("delivery")} == {"delivered"}
