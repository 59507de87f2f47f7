"""Audit events: short codes and ids only, one per act, and a refusal keeps what the act was about."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from gateway.errors import NoOfficer
from gateway.exchange_log.audit import AuditEvent, Verdict, actor

ACT = AuditEvent(act="referral.prepared", actor="gateway", purpose="vocational-rehab", case_no="20260000000123")
NAMES = ("act", "actor", "purpose", "code", "case_no", "ref_no", "partner", "mid", "subject")


def event(**changed: Any) -> AuditEvent:
    return AuditEvent(**{"act": "a", "actor": "b", "purpose": "c", **changed})


def test_an_act_is_done_unless_it_says_otherwise() -> None:
    assert ACT.verdict is Verdict.DONE
    assert ACT.code is None
    assert ACT.counts == {}


def test_a_refusal_is_the_same_act_with_a_reason() -> None:
    refused = ACT.refused("E-CONSENT")
    assert refused.verdict is Verdict.REFUSED
    assert refused.code == "E-CONSENT"
    assert (refused.act, refused.case_no, refused.purpose) == (ACT.act, ACT.case_no, ACT.purpose)
    assert ACT.verdict is Verdict.DONE


@pytest.mark.parametrize(
    "code",
    [
        "R20261123-0000042",
        "keis-referral-out|1.0.0",
        "RHB_CASE_20261123_00001.dat",
        "0190b0a0-7c3e-7d5a-9a3e-1c2d3e4f5a6b",
        "urn:comwel:schema:case:1.0.0",
        "PKE-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "x" * 120,
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_codes_and_ids_of_the_gateway_fit_every_field(name: str, code: str) -> None:
    assert getattr(event(**{name: code}), name) == code


@pytest.mark.rule("R-14")
@pytest.mark.parametrize(
    "text",
    [
        "홍길동",
        "서울시 강남구 1",
        "worker's telephone",
        "two\nlines",
        "ends with a newline\n",
        "",
        " begins with a space",
        "x" * 121,
        "{json: 1}",
        "a@example.kr, b@example.kr",
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_text_that_is_no_short_code_is_refused_and_not_quoted(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' must be a short code") as caught:
        event(**{name: text})
    assert not text.strip() or text not in str(caught.value)


def test_a_refusal_code_is_held_to_the_same_form() -> None:
    with pytest.raises(ValueError, match="'code'"):
        ACT.refused("because the worker 홍길동 said no")


def test_an_event_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        ACT.code = "E-LB"  # type: ignore[misc]


@pytest.mark.parametrize("by", ["kim.0417", "ops-3", "lee", "auditor-1"])
def test_an_officer_acts_by_an_id(by: str) -> None:
    assert actor(by) == by


def test_nobody_is_the_gateway_itself() -> None:
    assert actor() == actor(None) == "gateway"


@pytest.mark.parametrize(
    "by", ["", "gateway", "Kim Min-su", "김민수", "KIM", "kim 0417", "kim.", "880101-1234567", "k" * 61]
)
def test_nobody_acts_by_a_name(by: str) -> None:
    with pytest.raises(NoOfficer):
        actor(by)
