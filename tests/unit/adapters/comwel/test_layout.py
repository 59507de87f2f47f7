"""Layouts: the published tables, packing, and layouts that contradict themselves."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from adapters.comwel.layout import Layout, day_of
from gateway.errors import DataFileInvalid, Undecodable, WrongLength

SCHEMAS = Path(__file__).resolve().parents[4] / "schemas" / "comwel"


@pytest.mark.parametrize(
    ("name", "record_bytes", "used"),
    [
        ("a1", 640, {"H": 77, "C": 629, "T": 70}),
        ("ack", 200, {"H": 185, "R": 137, "T": 31}),
        ("rtw", 160, {"H": 52, "U": 130, "T": 52}),
    ],
)
def test_every_layout_has_its_published_length_without_holes(
    name: str, record_bytes: int, used: dict[str, int]
) -> None:
    layout = Layout.load(SCHEMAS / name / "layout.json")
    assert layout.record_bytes == record_bytes
    assert {kind: fields[-1].end for kind, fields in layout.kinds.items()} == used
    for fields in layout.kinds.values():
        assert [f.start for f in fields] == [0, *(f.end for f in fields[:-1])]


def _layout(tmp_path: Path, fields: list[dict[str, Any]]) -> Layout:
    path = tmp_path / "layout.json"
    path.write_text(json.dumps({"record_bytes": 20, "A": fields}), encoding="utf-8")
    return Layout.load(path)


_X = {"offset": 1, "length": 6, "type": "X", "field": "name", "meaning": ""}
_N = {"offset": 7, "length": 4, "type": "9", "field": "count", "meaning": ""}
_D = {"offset": 11, "length": 8, "type": "9", "field": "day", "meaning": ""}


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("20260228", date(2026, 2, 28)),
        ("20260229", None),
        ("00010101", date(1, 1, 1)),
        ("00000000", None),
        ("2026022", None),
        ("202602281", None),
        ("2026-2-8", None),
        ("２０２６０２２８", None),
        ("+2026022", None),
        ("", None),
    ],
)
def test_a_day_is_eight_digits_that_the_calendar_knows(text: str, day: date | None) -> None:
    assert day_of(text) == day


def test_a_file_is_whole_records(tmp_path: Path) -> None:
    layout = _layout(tmp_path, [_X])
    first, last = layout.pack("A", {"name": "a"}), layout.pack("A", {"name": "b"})
    assert layout.records(first + last) == [first, last]
    for broken in (b"", first, first + last[:-1], first + last + b" ", first[:-2] + b"  " + last):
        with pytest.raises(WrongLength, match="not whole records"):
            layout.records(broken)


def test_values_are_padded_as_their_type_says(tmp_path: Path) -> None:
    layout = _layout(tmp_path, [_X, _N, _D])
    packed = layout.pack("A", {"name": "김a", "count": 7, "day": date(2026, 1, 2)})
    assert packed == "김a".encode("cp949") + b"   " + b"0007" + b"20260102" + b"  \r\n"
    assert layout.texts("A", packed) == {"name": "김a", "count": "0007", "day": "20260102"}


def test_absent_values_are_blank_or_zero(tmp_path: Path) -> None:
    layout = _layout(tmp_path, [_X, _N | {"absent": "spaces"}, _D])
    assert layout.pack("A", {}) == b" " * 10 + b"0" * 8 + b"  \r\n"


@pytest.mark.parametrize(
    "values", [{"name": "네글자다"}, {"count": 12345}, {"count": "1a"}, {"count": -1}, {"nowhere": 1}]
)
def test_what_does_not_fit_is_refused(tmp_path: Path, values: dict[str, Any]) -> None:
    with pytest.raises(WrongLength):
        _layout(tmp_path, [_X, _N]).pack("A", values)


def test_text_that_may_be_cut_is_cut_between_characters(tmp_path: Path) -> None:
    layout = _layout(tmp_path, [_X | {"length": 5, "cut": True}])
    assert layout.texts("A", layout.pack("A", {"name": "가나다"})) == {"name": "가나"}


def test_what_cp949_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Undecodable):
        _layout(tmp_path, [_X]).pack("A", {"name": "é"})


@pytest.mark.parametrize("fields", [[_X, _N | {"offset": 6}], [_X | {"length": 21}], [_N, _X]])
def test_a_layout_that_contradicts_itself_is_refused(tmp_path: Path, fields: list[dict[str, Any]]) -> None:
    with pytest.raises(DataFileInvalid):
        _layout(tmp_path, fields)
