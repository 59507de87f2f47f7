"""The monthly review: who read how often and what for, by counts; signed off once, by somebody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.errors import NoOfficer, ReviewRefused
from gateway.exchange_log.audit import AuditEvent
from gateway.journey.review import FEW, look, sign_off
from gateway.korea import KST
from gateway.ports import ReadsRow
from tests.journey.world import Scene, assert_nothing_personal

READ = AuditEvent("message.explained", "kim.0417", "complaint", case_no="20260001000001")
EXPORT = AuditEvent("acts.exported", "kim.0417", "audit")


def month_of(scene: Scene) -> str:
    return f"{scene.clock.at.astimezone(KST):%Y-%m}"


def happened(scene: Scene, *events: AuditEvent) -> str:
    """These acts, just now; returns their month. Then six weeks pass."""
    with scene.store.unit() as unit:
        unit.commit(*events)
    month = month_of(scene)
    scene.clock.at += timedelta(days=45)
    return month


@pytest.mark.rule("R-16")
def test_reads_and_downloads_of_a_month_are_shown_with_their_reasons_and_signed_off_by_an_officer(scene: Scene) -> None:
    month = happened(scene, READ, READ, EXPORT, replace(READ, act="cases.screened"))
    found = look(scene.world, month, by="park.01")
    assert [(row.actor, row.act, row.purpose, row.reads) for row in found.reads] == [
        ("kim.0417", "acts.exported", "audit", 1), ("kim.0417", "message.explained", "complaint", 2)
    ]  # fmt: skip
    assert found.signed_by is None
    sign_off(scene.world, month, by="park.01")
    looked, signed = scene.events()[-2:]
    assert (looked["act"], looked["actor"], looked["subject"], looked["counts"]) == (
        "review.read", "park.01", month, {"reads": 3},
    )  # fmt: skip
    assert (signed["act"], signed["actor"], signed["subject"]) == ("review.signed", "park.01", month)
    assert signed["counts"]["reads"] == 4  # the look itself was in that month: the log's clock did not jump
    assert look(scene.world, month, by="choi.2").signed_by == "park.01"
    assert_nothing_personal(scene, texts=[repr(found)])
    assert "20260001000001" not in repr(found)


@pytest.mark.rule("R-16")
def test_a_month_is_signed_off_once_when_it_is_over_and_by_nobody_who_read_in_it(scene: Scene) -> None:
    with pytest.raises(ReviewRefused, match="is not over"):
        sign_off(scene.world, month_of(scene), by="park.01")
    month = happened(scene, READ)
    with pytest.raises(ReviewRefused, match="reads of his own"):
        sign_off(scene.world, month, by="kim.0417")
    sign_off(scene.world, month, by="park.01")
    with pytest.raises(ReviewRefused, match="already"):
        sign_off(scene.world, month, by="choi.2")
    assert [e["actor"] for e in scene.events() if e["act"] == "review.signed"] == ["park.01"]


def test_whoever_reviewed_the_month_before_may_sign_this_one(scene: Scene) -> None:
    month = month_of(scene)
    look(scene.world, month, by="park.01")
    scene.clock.at += timedelta(days=45)
    assert sign_off(scene.world, month, by="park.01").signed_by == "park.01"


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "26-11", "november", "2026-00"])
def test_what_is_no_month_is_refused_and_so_is_one_to_come(scene: Scene, month: str) -> None:
    with pytest.raises(ReviewRefused, match="like 2026-11"):
        look(scene.world, month, by="park.01")
    with pytest.raises(ReviewRefused, match="not begun"):
        look(scene.world, "2099-01", by="park.01")
    with pytest.raises(NoOfficer):
        look(scene.world, month_of(scene), by="Park Minsu")


def test_what_is_unusual_is_said_by_counts(quick: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    row = ReadsRow("kim.0417", "audit", "message.explained", 0, 1, 0, 0)
    now = [
        row._replace(reads=FEW), row._replace(actor="lee.1", reads=FEW, off_hours=2),
        row._replace(actor="oh.3", reads=FEW - 1, wholesale=1),
    ]  # fmt: skip
    before = [row._replace(reads=FEW // 2 - 1), row._replace(actor="lee.1", reads=FEW // 2)]
    told = iter([now, before])
    monkeypatch.setattr("tests.fakes.memory.MemoryUnit.reads", lambda *_: next(told))
    assert look(quick.world, month_of(quick), by="park.01").unusual == (
        f"kim.0417 read {FEW} times, in the month before {FEW // 2 - 1} times",
        "lee.1 read 2 times at night or on a weekend",
        "oh.3 exported acts of no single case 1 times",
    )
