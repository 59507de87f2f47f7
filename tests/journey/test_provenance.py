"""Provenance: from what each message was made, by what and by whom; and that somebody asked."""

from __future__ import annotations

from base64 import b64decode
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from adapters.partners.pretend.scripts import Kind
from gateway.journey.provenance import provenance
from gateway.ports import ActsAsked
from tests.journey.world import Scene, a_case, assert_nothing_personal


def told(scene: Scene, asked: ActsAsked | None = None) -> list[dict[str, Any]]:
    return list(provenance(scene.world, asked or ActsAsked(), by="auditor-1", purpose="audit"))


def authors(found: list[dict[str, Any]]) -> list[str]:
    return [one["agent"][0]["who"]["identifier"]["value"] for one in found]


@pytest.mark.rule("R-18")
def test_a_referral_says_from_which_record_by_which_map_and_for_whom_it_was_made(scene: Scene) -> None:
    legs = scene.referred(a_case())
    found = told(scene, ActsAsked(partner="KEIS"))
    [row] = [m for m in scene.rows("message") if m["partner"] == "KEIS"]
    [one] = found
    assert one["target"][0]["reference"].endswith(f"/Task/{legs['KEIS'].ref_no}")
    assert one["target"][1]["identifier"]["value"] == row["mid"]
    assert one["target"][1]["display"] == f"sha256:{sha256(row['body']).hexdigest()}"
    case, map_, *records = [entity["what"] for entity in one["entity"]]
    assert case["identifier"]["value"] == a_case().case_no
    assert map_["identifier"]["value"] == row["map_pin"]
    assert [record["identifier"]["value"].split("#")[0] for record in records] == [
        "RHB_CASE_20261123_00001.dat", "RHB_JC_20261123_00001.ndjson",
    ]  # fmt: skip
    assert b64decode(one["signature"][0]["data"]).decode() == row["jws"]


def test_an_outcome_that_was_applied_has_its_partner_as_author_and_one_that_was_not_has_no_provenance(
    scene: Scene,
) -> None:
    legs = scene.referred(a_case())
    scene.say(legs["KEIS"], Kind.ACCEPT, 1)
    scene.say(legs["KEIS"], Kind.START, 3)  # too early
    scene.say(legs["KEAD"], Kind.RETENTION, 1)  # not possible in this state
    found = told(scene, ActsAsked(case_no=a_case().case_no))
    assert authors(found) == ["COMWEL"] * 3 + ["KEIS"]
    taken = found[-1]
    assert taken["activity"]["coding"][0]["code"] == "receive"
    assert [entity["what"]["identifier"]["system"].rpartition("/")[2] for entity in taken["entity"]] == [
        "case",
        "message",
    ]


def test_messages_are_told_by_partner_and_period(scene: Scene) -> None:
    scene.referred(a_case())
    assert len(told(scene, ActsAsked(partner="KEAD"))) == 1
    assert told(scene, ActsAsked(since=scene.clock.now() + timedelta(days=1))) == []


@pytest.mark.rule("R-12")
def test_who_reads_is_kept_before_anything_is_told(scene: Scene) -> None:
    legs = scene.referred(a_case())
    before = len(scene.events())
    provenance(scene.world, ActsAsked(legs["KEIS"].case_no), by="auditor-1", purpose="audit")  # nothing is read yet
    [kept] = scene.events(before)
    assert (kept["act"], kept["actor"], kept["subject"]) == ("acts.exported", "auditor-1", "provenance")
    assert kept["counts"]["acts"] == 3


def test_it_holds_nothing_personal(scene: Scene) -> None:
    case = a_case()
    scene.referred(case)
    found = told(scene)
    assert_nothing_personal(scene, case)
    text = repr(found)
    assert all(str(case.values[name]) not in text for name in ("korNm", "telNo", "psnMgtNo"))
