"""Region codes on a day."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gateway.cases import regions
from gateway.documents import strict_json

TABLE = Path(__file__).resolve().parents[3] / "mappings" / "conceptmaps" / "region-current" / "1.0.0.json"
NOW = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("code", "on", "current"),
    [
        ("11680", NOW, "11680"),
        ("1168010100", NOW, "11680"),
        ("42110", date(2023, 6, 10), "42110"),
        ("42110", date(2023, 6, 11), "51110"),
        ("45111", date(2024, 1, 17), "45111"),
        ("45111", date(2024, 1, 18), "52111"),
        ("47720", NOW, "27720"),
        ("36110", NOW, "36110"),
        ("29110", NOW, "29110"),
        ("28140", date(2026, 6, 30), "28140"),
        ("28140", NOW, None),
        ("99110", NOW, None),
        ("00000", NOW, None),
        ("11000", NOW, None),
        ("1168", NOW, None),
        ("1168A", NOW, None),
        ("１１６８０", NOW, None),
        ("", NOW, None),
    ],
)
def test_a_code_is_the_one_in_force_or_none(code: str, on: date, current: str | None) -> None:
    assert regions.current(code, on) == current


def test_provinces_agree_with_the_code_table_that_messages_use() -> None:
    rows = strict_json.loads(TABLE.read_bytes())["group"][0]["element"]
    here = {row["code"]: regions.current(row["code"] + "110", NOW) for row in rows if len(row["code"]) == 2}
    assert len(here) == 19
    assert {code for code, district in here.items() if district is None} == {"28"}  # cut up
    for code, district in here.items():
        targets = [row["target"][0]["code"] for row in rows if row["code"] == code]
        assert district is None or district[:2] in targets
