"""The legal definitions of "employed" and their boundaries: days, hours, income, and change of law."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import DataFileInvalid
from gateway.outcomes.employment import Definitions
from gateway.outcomes.facts import Employment, Evidence
from tests.unit.outcomes import build

IDS = ("EMP-COMWEL-54", "EMP-NCS-30H", "EMP-KEAD-60H", "EMP-EI-2026", "EMP-EI-2027")

# what is reported (contract, hours a week, hours a month, days a month, insured) → the answer of each definition in IDS
# for a job begun 2027-02-01 and looked at two weeks later; None: a fact that matters is missing
BOUNDARIES: list[tuple[str, dict[str, Any], tuple[bool | None, ...]]] = [
    ("a full-time job, insured", {"hours_per_week": "40", "ei_acquired": "Y"}, (True, True, True, True, True)),
    ("14 h 59 a week, outside the insurance", {"hours_per_week": "14.98"}, (False, False, True, False, None)),
    ("15 h a week, outside the insurance", {"hours_per_week": "15"}, (True, False, True, True, None)),
    ("14 h 59 a week, insured", {"hours_per_week": "14.98", "ei_acquired": "Y"}, (False, False, True, True, True)),
    ("59 h a month", {"hours_per_month": "59"}, (False, False, False, False, None)),
    ("60 h a month", {"hours_per_month": "60"}, (False, False, True, True, None)),
    ("29 h 59 a week", {"hours_per_week": "29.98"}, (True, False, True, True, None)),
    ("30 h a week", {"hours_per_week": "30"}, (True, True, True, True, None)),
    ("day labour, 9 days, insured", {"contract": "DAY", "days_per_month": 9, "ei_acquired": "Y"},
     (False, False, None, True, True)),
    ("day labour, 10 days, insured", {"contract": "DAY", "days_per_month": 10, "ei_acquired": "Y"},
     (True, False, None, True, True)),
    ("day labour, 9 days, not insured", {"contract": "DAY", "days_per_month": 9}, (False, False, None, True, None)),
    ("day labour, 10 days, not insured", {"contract": "DAY", "days_per_month": 10}, (True, False, None, True, None)),
    ("nothing known but the start", {}, (None, None, None, None, None)),
    ("income of 799,999 a month", {"wage_type": "M", "wage": 799_999}, (None, None, None, None, False)),
    ("income of 800,000 a month", {"wage_type": "M", "wage": 800_000}, (None, None, None, None, True)),
    ("a civil servant", {"scheme": "CIVIL_SERVANT"}, (True, None, None, None, None)),
    ("own business, registered", {"setting": "SELF_EMPLOYED", "business_registered": True},
     (True, None, False, False, False)),
    ("own business, a mere lessor", {"setting": "SELF_EMPLOYED", "business_registered": True, "lessor": True},
     (False, None, False, False, False)),
    ("own business, register not asked", {"setting": "SELF_EMPLOYED"}, (None, None, False, False, False)),
]  # fmt: skip


def told(facts: dict[str, Any], start: str = "2027-02-01") -> Employment:
    bare = {"hours_per_week": None, "contract": None, "brn": None}
    numbers = {k: Decimal(v) if k.startswith("hours") else v for k, v in facts.items()}
    return build.job(start, **{**bare, **numbers})


@pytest.mark.parametrize(("case", "facts", "expected"), BOUNDARIES, ids=[b[0] for b in BOUNDARIES])
def test_each_definition_answers_for_itself(
    case: str, facts: dict[str, Any], expected: tuple[bool | None, ...]
) -> None:
    day = build.day("2027-02-14")
    answers = tuple(build.EMPLOYED.employed(id_, told(facts), day).employed for id_ in IDS)
    assert answers == expected, case


def test_an_answer_names_definition_version_and_rule() -> None:
    answer = build.EMPLOYED.employed("EMP-COMWEL-54", told({"ei_acquired": "Y"}), build.day("2027-02-14"))
    assert answer == ("EMP-COMWEL-54", "2026.1", True, "54-1")


def test_three_months_on_end_is_no_day_labour_for_comwel_but_still_is_for_the_insurance() -> None:
    worker = told({"contract": "DAY", "days_per_month": 9, "hours_per_week": "20"}, "2027-02-01")
    short, long = build.day("2027-04-30"), build.day("2027-05-01")
    assert build.EMPLOYED.employed("EMP-COMWEL-54", worker, short).employed is False
    assert build.EMPLOYED.employed("EMP-COMWEL-54", worker, long).employed is True
    assert build.EMPLOYED.employed("EMP-EI-2026", worker, long).rule in ("15h", "3m", "day")


def test_severely_disabled_workers_count_with_any_hours() -> None:
    worker, on = told({"hours_per_month": "59"}), build.day("2027-02-14")
    assert build.EMPLOYED.employed("EMP-KEAD-60H", worker, on, severe=True).employed is True
    assert build.EMPLOYED.employed("EMP-KEAD-60H", worker, on, severe=False).employed is False


def test_the_employment_insurance_changes_from_hours_to_income_with_2027() -> None:
    assert build.EMPLOYED.in_force("EMP-EI", build.day("2026-12-31")).id == "EMP-EI-2026"
    assert build.EMPLOYED.in_force("EMP-EI", build.day("2027-01-01")).id == "EMP-EI-2027"


def test_who_was_insured_before_the_change_stays_under_the_old_definition() -> None:
    facts, on = {"hours_per_week": "15", "wage_type": "M", "wage": 500_000}, build.day("2027-02-14")
    incumbent = build.EMPLOYED.employed("EMP-EI-2027", told(facts, "2026-12-31"), on)
    newcomer = build.EMPLOYED.employed("EMP-EI-2027", told(facts, "2027-01-01"), on)
    assert (incumbent.definition, incumbent.employed) == ("EMP-EI-2026", True)
    assert (newcomer.definition, newcomer.employed) == ("EMP-EI-2027", False)


def test_before_the_first_and_after_the_last_day_nobody_is_employed() -> None:
    worker = told({"ei_acquired": "Y", "end": build.day("2027-02-10")})
    for on, expected in (("2027-01-31", False), ("2027-02-01", True), ("2027-02-10", True), ("2027-02-11", False)):
        assert build.EMPLOYED.employed("EMP-COMWEL-54", worker, build.day(on)).employed is expected


def test_a_registry_that_reports_own_work_is_the_business_register() -> None:
    worker, on = told({"setting": "SELF_EMPLOYED"}), build.day("2027-02-14")
    assert build.EMPLOYED.employed("EMP-COMWEL-54", worker, on, evidence=Evidence.E1).employed is True


@pytest.mark.parametrize(
    ("wage_type", "wage", "more", "expected"),
    [
        ("Y", 9_600_000, {}, True),
        ("D", 80_000, {"days_per_month": 10}, True),
        ("D", 80_000, {}, None),
        ("H", 10_000, {"hours_per_month": "80"}, True),
        ("H", 10_000, {"hours_per_month": "79"}, False),
    ],
)
def test_income_is_counted_by_its_unit(wage_type: str, wage: int, more: dict[str, Any], expected: bool | None) -> None:
    worker = told({"wage_type": wage_type, "wage": wage, **more})
    assert build.EMPLOYED.employed("EMP-EI-2027", worker, build.day("2027-02-14")).employed is expected


GOOD = """id: EMP-X
version: "1"
family: EMP-X
source: test
inForce: {from: 2026-01-01, until: null}
any: [{id: a, when: {hoursPerWeek: {atLeast: "15"}}}]
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("hoursPerWeek", "hoursPerWeak"),
        ("atLeast", "atMost"),
        ('"15"', '"fifteen"'),
        ("id: EMP-X", "id: EMP-Y"),
        ("source: test\n", ""),
        ("source: test", "source: test\nlasting: true"),
        ("{from: 2026-01-01, until: null}", "[]"),
        ("id: a, ", ""),
        ("family: EMP-X", "family: EMP-X\nkeptBy: {startedBefore: 2027-01-01, by: EMP-NONE}"),
        ("any:", "any: ["),
    ],
)
def test_a_definition_with_a_mistake_is_refused_at_load(tmp_path: Path, old: str, new: str) -> None:
    (tmp_path / "EMP-X.yaml").write_text(GOOD, encoding="utf-8")
    assert Definitions.load(tmp_path).ids() == ("EMP-X",)
    (tmp_path / "EMP-X.yaml").write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataFileInvalid):
        Definitions.load(tmp_path)


def test_an_empty_folder_an_unknown_id_and_an_unknown_family_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileInvalid):
        Definitions.load(tmp_path)
    with pytest.raises(DataFileInvalid):
        build.EMPLOYED.get("EMP-NONE")
    with pytest.raises(DataFileInvalid):
        build.EMPLOYED.in_force("EMP-EI", build.day("1999-01-01"))
