"""Nothing personal fits through the closed list of fields, and everything that we mean to say does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.fields import FIELDS, MASK, cleared

MEANT: dict[str, tuple[Any, ...]] = {
    "timestamp": ("2026-11-25T10:00:00.123456Z",),
    "level": ("info", "critical"),
    "event": ("delivery.attempted", "message-id.reused", "broker.away"),
    "logger": ("uvicorn.error", "py.warnings"),
    "request_id": ("00112233445566778899aabbccddeeff",),
    "trace_id": ("019acdef12347abc8def001122334455",),
    "actor": ("gateway", "officer-17"),
    "purpose": ("vocational-rehab",),
    "verdict": ("done", "refused"),
    "code": ("E-RRN", "LOOP-STATE", "GW-STORE", "not-the-partner", "unreachable"),
    "case_no": ("20260000123456",),
    "ref_no": ("R20261123-0000001",),
    "partner": ("KEIS", "TRN"),
    "mid": ("019acdef-1234-7abc-8def-001122334455", "12345612-3456-7123-8456-880101123456"),
    "subject": ("RHB_CASE_20261123_00001.dat", "RHB_JC_20261123_00001.ndjson", "applied", "case-to-fhir|1.0.0"),
    "counts": ({"messages": 32, "already_there": 9_999_999},),
    "round": ("deliver-KEIS", "journey"),
    "phase": ("before", "after"),
    "route": ("outcomes", "log_tile"),
    "status": (503,),
    "seconds": (0.0421,),
    "left_alone_s": (10.0,),
    "port": (8700,),
    "error": ("KeyError", "StoreUnavailable"),
    "at": (["gateway/worker/embedded.py:81 _loop", "psycopg/cursor.py:97 <listcomp>"], "celery/app.py:1 <module>"),
    "masked": (["raw"],),
}


def test_every_field_of_the_list_lets_through_what_it_is_for() -> None:
    assert MEANT.keys() == {field.name for field in FIELDS}
    for name, values in MEANT.items():
        for value in values:
            assert cleared({name: value}) == {name: value}


@pytest.mark.parametrize(
    "personal",
    [
        "홍길동",
        "Nguyen Van An",
        "NGUYEN VAN AN",
        "010-1234-5678",
        "01012345678",
        "02 123 4567",
        "+82 10 1234 5678",
        "880101-1234567",
        "8801011234567",
        "88.01.01 1234567",
        "hong@example.kr",
        "서울시 종로구 세종대로 209",
        "",
    ],
)
@pytest.mark.parametrize("name", [*sorted(MEANT.keys() - {"masked"}), "worker", "detail"])
def test_what_belongs_to_a_person_fits_into_no_field(name: str, personal: str) -> None:
    for value in (personal, f"case {personal}", [personal], {"name": personal}, {personal: 1}):
        said = repr(cleared({name: value}))
        assert personal == "" or personal not in said
        assert MASK in said or name not in MEANT


@pytest.mark.parametrize("number", [8801011234567, 1012345678, 21234567, 10**7, -(10**12), 1.0e10])
@pytest.mark.parametrize("name", sorted(MEANT.keys() - {"masked"}))
def test_a_number_that_could_belong_to_a_person_is_masked(name: str, number: float) -> None:
    assert MASK in str(cleared({name: number}))


@given(st.dictionaries(st.text(), st.recursive(st.text() | st.integers() | st.floats(), st.lists)))
def test_whatever_is_thrown_at_it_only_listed_fields_remain(line: dict[str, Any]) -> None:
    assert cleared(line).keys() <= {field.name for field in FIELDS}


hangul = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1)


@given(st.sampled_from(sorted(MEANT)), hangul, st.text(), st.text())
def test_no_field_holds_a_single_syllable_of_hangul(name: str, syllables: str, before: str, after: str) -> None:
    said = str(cleared({name: before + syllables + after, before + syllables + after: 1}))
    assert not any(syllable in said for syllable in syllables)


def test_a_field_that_is_not_listed_is_left_out_by_name() -> None:
    assert cleared({"event": "a.b", "record": b"...", "홍": 1}) == {"event": "a.b", "masked": [MASK, "record"]}
