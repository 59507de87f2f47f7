"""The line to a partner that cannot take anything: left alone, probed, taken up again, and a person told once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from gateway.delivery.breaker import Patience
from gateway.delivery.schedule import RetrySchedule
from gateway.journey.deliver import deliver
from gateway.ports import Answer, Outgoing
from tests.journey.world import Killed, Partner, Scene, a_case, good, says, takes_it_and_we_die, timeout

KEIS_ONLY = {"services": {"KEIS": ["01"]}}


def waiting(scene: Scene, how_many: int, *, first_probe_s: float = 30.0) -> Partner:
    """So many cases wait for KEIS; the line is probed after so many seconds. Failed messages are due at once."""
    scene.refer(*(a_case(n, entry=KEIS_ONLY) for n in range(1, how_many + 1)))
    scale = first_probe_s / 30
    patience = replace(Patience().scaled(scale), slowly=Patience().slowly)
    scene.world = replace(scene.world, retry=RetrySchedule().scaled(0.001), patience=patience)
    return scene.partners["KEIS"]


def line(scene: Scene) -> dict[str, Any]:
    [row] = [r for r in scene.rows("partner_line") if r["partner"] == "KEIS"]
    return row


def queueing(scene: Scene) -> list[tuple[str, bool]]:
    """Why KEIS's messages queued, each time they did, and whether it is over."""
    return [(w["code"], w["done_at"] is not None) for w in scene.rows("work_item") if w["kind"] == "queueing"]


def lines_said(scene: Scene) -> list[tuple[str, str | None]]:
    return [(e["act"], e["subject"]) for e in scene.events() if e["act"].startswith("line.")]


def down(scene: Scene, how_many: int = 7, **more: float) -> Partner:
    """KEIS has failed until its line was open."""
    keis = waiting(scene, how_many, **more)
    keis.will(*[timeout] * how_many)
    scene.deliver("KEIS")
    assert line(scene)["breaker"] == "open"
    keis.script.clear()
    return keis


def test_after_five_failures_the_partner_is_left_alone_and_a_person_is_told_once(scene: Scene) -> None:
    keis = down(scene)
    before = scene.rows("delivery")
    assert [scene.deliver("KEIS") for _ in range(5)] == [0] * 5
    assert len(keis.sent) == 7
    assert scene.rows("delivery") == before  # no attempt is burned, nothing is leased
    assert queueing(scene) == [("in-a-row", False)]
    assert lines_said(scene) == [("line.opened", "in-a-row")]


def test_the_line_is_opened_by_the_unit_that_keeps_the_attempts(scene: Scene) -> None:
    down(scene)
    acts = [act for act, _, _ in scene.acts()]
    assert acts[-1] == "line.opened"
    assert acts[-9:-1] == ["delivery.leased"] + ["delivery.attempted"] * 7


@pytest.mark.parametrize(
    ("answer", "trips"), [(says(401), True), (says(403), True), (says(410), True), (says(503), False)]
)
def test_a_partner_that_does_not_believe_us_is_left_alone_at_once(
    scene: Scene, answer: Callable[..., Any], trips: bool
) -> None:
    waiting(scene, 1).will(answer)
    scene.deliver("KEIS")
    assert (line(scene)["breaker"], queueing(scene)) == (("open", [("refused", False)]) if trips else ("closed", []))


def test_other_partners_go_on(scene: Scene) -> None:
    scene.refer(*(a_case(n) for n in range(1, 6)))
    scene.partners["KEIS"].will(*[timeout] * 5)
    scene.deliver()
    assert [d["state"] for d in scene.rows("delivery") if d["partner"] != "KEIS"] == ["delivered"] * 10
    lines = {r["partner"]: r["breaker"] for r in scene.rows("partner_line")}
    assert lines == {"KEIS": "open", "KEAD": "closed", "TRN": "closed"}


def test_one_probe_is_made_when_it_is_due_and_when_it_fails_the_next_is_further_away(scene: Scene) -> None:
    keis = down(scene, first_probe_s=0.05)
    keis.will(timeout)
    time.sleep(0.06)
    assert scene.deliver("KEIS") == 1
    assert scene.deliver("KEIS") == 0
    assert len(keis.sent) == 8
    assert (line(scene)["breaker"], line(scene)["probes"]) == ("open", 1)
    assert queueing(scene) == [("in-a-row", False)]  # still the same queue: nobody is told again


def test_a_probe_that_is_answered_lets_everything_flow_and_the_alert_end(scene: Scene) -> None:
    keis = down(scene, first_probe_s=0.05)
    time.sleep(0.06)
    assert [scene.deliver("KEIS") for _ in range(4)] == [1, 1, 2, 3]  # slowly at first, one more for each that arrives
    assert {d["state"] for d in scene.rows("delivery")} == {"delivered"}
    assert len(keis.taken) == 7
    assert queueing(scene) == [("in-a-row", True)]
    assert lines_said(scene) == [("line.opened", "in-a-row"), ("line.closed", None)]
    assert line(scene)["failures"] == 0


def test_a_prober_that_dies_is_followed_by_another_after_its_lease(scene: Scene) -> None:
    keis = down(scene, first_probe_s=0.05)
    scene.world = replace(scene.world, limits=replace(scene.world.limits, lease_s=0.5, attempt_timeout_s=0.1))
    keis.will(takes_it_and_we_die)
    time.sleep(0.06)
    with pytest.raises(Killed):
        scene.deliver("KEIS", worker="w1")
    assert line(scene)["breaker"] == "half-open"
    assert scene.deliver("KEIS", worker="w2") == 0
    time.sleep(0.6)
    assert scene.deliver("KEIS", worker="w2") == 1
    assert line(scene)["breaker"] == "closed"


def test_a_prober_that_comes_back_after_its_lease_says_nothing_about_the_probe_of_another(scene: Scene) -> None:
    keis = down(scene, first_probe_s=0.05)
    scene.world = replace(scene.world, limits=replace(scene.world.limits, lease_s=0.5, attempt_timeout_s=0.1))
    go_on, seen = threading.Event(), list[str]()

    def too_late(partner: Partner, message: Outgoing) -> Answer:
        go_on.wait(10)
        return timeout(partner, message)

    def meanwhile(partner: Partner, message: Outgoing) -> Answer:
        """While the other probes, the first comes back."""
        go_on.set()
        first.result(10)
        seen.append(line(scene)["breaker"])
        return good(partner, message)

    keis.will(too_late, meanwhile)
    time.sleep(0.06)
    with ThreadPoolExecutor(1) as workers:
        first = workers.submit(deliver, scene.world, "KEIS", "w1")
        time.sleep(0.6)
        assert deliver(scene.world, "KEIS", "w2") == 1
    assert seen == ["half-open"]
    assert line(scene)["breaker"] == "closed"


def test_of_many_workers_one_probes(real: Scene) -> None:
    keis = down(real, how_many=8, first_probe_s=0.05)
    keis.before = lambda: time.sleep(0.05)
    keis.will(*[timeout] * 8)
    time.sleep(0.06)
    with ThreadPoolExecutor(6) as workers:
        tried = list(workers.map(lambda n: deliver(real.world, "KEIS", f"w{n}"), range(6)))
    assert sorted(tried) == [0, 0, 0, 0, 0, 1]
    assert len(keis.sent) == 9


def test_of_many_workers_no_more_than_four_messages_are_under_way_when_a_partner_comes_back(real: Scene) -> None:
    keis = down(real, how_many=10, first_probe_s=0.05)
    time.sleep(0.06)
    assert real.deliver("KEIS") == 1
    under_way: list[int] = []

    def look() -> None:
        time.sleep(0.02)
        under_way.append(sum(d["state"] == "leased" for d in real.rows("delivery")))

    keis.before = look
    for _ in range(5):
        with ThreadPoolExecutor(6) as workers:
            list(workers.map(lambda n: deliver(real.world, "KEIS", f"w{n}"), range(6)))
    assert len(keis.taken) == 10
    assert (under_way[0], max(under_way)) == (1, 4)


def test_a_probe_that_may_not_leave_says_nothing_about_the_partner(scene: Scene) -> None:
    keis = down(scene, first_probe_s=0.05)
    scene.hand_over(*(a_case(n, entry=KEIS_ONLY, chgTp="D") for n in range(1, 8)), entries=())
    time.sleep(0.06)
    assert scene.deliver("KEIS") == 1
    assert len(keis.sent) == 7
    assert (line(scene)["breaker"], line(scene)["probes"]) == ("open", 0)
