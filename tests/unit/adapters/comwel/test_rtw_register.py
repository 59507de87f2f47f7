"""The return-to-work register: what goes in comes out, and the same rows are the same bytes."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from adapters.comwel import files
from adapters.comwel.layout import Layout
from adapters.comwel.rtw_register import RtwFiles
from gateway.documents import strict_json
from gateway.errors import FolderUnusable, TotalsMismatch, Undecodable, WrongLength

SCHEMAS = Path(__file__).resolve().parents[4] / "schemas"
DAY = date(2027, 6, 1)
LEAST: dict[str, Any] = {
    "wonbuNo": "20260001000001",
    "wonbuVer": 1,
    "refNo": "R20261123-0000001",
    "ptnrCd": "KEIS",
    "updNo": 1,
    "rtwCd": "NOT_YET_KNOWN",
    "rtwSttsCd": "3",
    "asOfDt": "20270531",
    "clsYn": "N",
}
FULL = LEAST | {
    "updNo": 4,
    "rtwCd": "REEMP_SUPPORTED",
    "rtwSttsCd": "1",
    "empStDt": "20270201",
    "empEdDt": "20270531",
    "saeopjaDrno": "1248100998",
    "cntrTpCd": "11",
    "wkHr100": 3750,
    "wageAmt": 2_500_000,
    "evdLvlCd": "E2",
    "m01": "Y",
    "m03": "Y",
    "m06": "U",
    "m12": "N",
    "clsYn": "Y",
}


@pytest.fixture(scope="module")
def register() -> RtwFiles:
    return RtwFiles(SCHEMAS)


def test_rows_come_back_as_they_went_in(register: RtwFiles) -> None:
    rows = [LEAST, FULL, FULL | {"wageAmt": 0, "wkHr100": 0}]
    assert register.read(register.build(DAY, 1, rows)) == rows


def test_the_same_rows_are_the_same_bytes(register: RtwFiles, tmp_path: Path) -> None:
    first = register.write(tmp_path / "a", DAY, 12, [LEAST, FULL])
    assert register.write(tmp_path / "b", DAY, 12, [dict(reversed(r.items())) for r in (LEAST, FULL)]) == first
    path = tmp_path / "a" / "RHB_RTW_20270601_00012.dat"
    assert files.claimed(path) == files.Sum(first, path.stat().st_size, 2)
    assert path.with_suffix(".done").exists()
    assert b"\r\n" in path.read_bytes()


def test_a_file_that_cannot_be_written_is_named(register: RtwFiles, tmp_path: Path) -> None:
    (tmp_path / "RHB_RTW_20270601_00012.dat").mkdir()
    with pytest.raises(FolderUnusable, match=r"RHB_RTW_20270601_00012\.dat"):
        register.write(tmp_path, DAY, 12, [LEAST])


def test_an_empty_file_is_a_file(register: RtwFiles) -> None:
    assert register.read(register.build(DAY, 1, [])) == []


def test_totals_of_another_content_are_refused(register: RtwFiles) -> None:
    with pytest.raises(TotalsMismatch):
        register.read(register.build(DAY, 1, [LEAST, FULL]).replace(b"20260001000001001", b"20260001000002001", 1))


@pytest.mark.parametrize("damage", [slice(0, -1), slice(162, None), slice(0, 162)])
def test_a_damaged_file_is_refused(register: RtwFiles, damage: slice) -> None:
    with pytest.raises(WrongLength):
        register.read(register.build(DAY, 1, [LEAST, FULL])[damage])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"rtwCd": "A_CODE_THAT_IS_TOO_LONG"}, WrongLength),
        ({"wageAmt": 10**11}, WrongLength),
        ({"updNo": 100_000}, WrongLength),
        ({"name": "남궁민수"}, WrongLength),
        ({"ptnrCd": "é"}, Undecodable),
    ],
)
def test_what_does_not_fit_refuses_the_file_and_writes_nothing(
    register: RtwFiles, tmp_path: Path, change: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        register.check(LEAST | change)
    with pytest.raises(error):
        register.write(tmp_path, DAY, 1, [LEAST | change])
    register.check(FULL)
    assert list(tmp_path.iterdir()) == []


def test_the_layout_has_exactly_the_names_of_the_row_schema_and_room_for_every_code() -> None:
    layout = Layout.load(SCHEMAS / "comwel" / "rtw" / "layout.json")
    schema = strict_json.loads((SCHEMAS / "comwel" / "rtw-row" / "1.0.0.json").read_bytes())["properties"]
    fields = {f.name: f for f in layout.kinds["U"] if f.name not in ("recTp", "seq")}
    assert set(fields) == set(schema)
    for name, rule in schema.items():
        assert all(len(code) <= fields[name].width for code in rule.get("enum", ()))
