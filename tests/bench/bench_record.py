"""What every record of a night pays before anything is stored: the search for resident numbers, and the screening.

Targets: 40 µs to search a record of 80 values in every field and spelling, 60 µs to screen one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from gateway.cases import rrn
from gateway.cases.screening import screen
from tests.bench.figure import Figure, micros, per_second
from tests.unit.cases.build import RULESET, record

SEARCH_US, SCREEN_US = 40, 60
TODAY = date(2026, 11, 23)
RECORD: dict[str, Any] = {f"field{i}": f"값 {i}" for i in range(80)} | {
    "caseId": "6f1c2d3e-1234-4123-8123-123456789012",
    "caseNo": "20260001000001",
    "matchToken": "33475e436fb9d3a13be9f3250e1ec611bc03fe82876ef99cec7e8fe6af39e9bc",
    "addrText": "경기도 안산시 단원구 원포공원1로 101동 1203호",
    "phone": ["01012345678"],
    "consent": [{"purpose": "직업복귀 지원 의뢰와 결과 회신", "from": "2026-11-13", "until": "2028-11-23"}],
    "counselling": [{"note": "요양 절차 안내", "date": "2026-10-14"}] * 2,
    "provenance": [{"file": "RHB_CASE_20261123_00001.dat", "record": 1, "sha256": "ab" * 32}],
}


def run() -> tuple[Figure, ...]:
    """µs a record."""
    case = record()
    return (
        _figure("a record searched for resident numbers", lambda: rrn.find_anywhere(RECORD), SEARCH_US),
        _figure("a record screened", lambda: screen(case, RULESET, TODAY), SCREEN_US),
    )


def _figure(name: str, act: Callable[[], object], most: float) -> Figure:
    [rates] = per_second([act], rounds=5)
    return Figure(name, "µs", micros(rates), most, True)
