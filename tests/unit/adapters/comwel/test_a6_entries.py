"""Coordinators' entries: a line is kept, cleaned, or put aside alone."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from pathlib import Path
from typing import Any

import pytest

from adapters.comwel.a6_entries import LONGEST_LINE, A6Entries
from gateway.cases import rrn
from gateway.errors import HandoverRefused
from gateway.ports import EntryRecord, Problem

SCHEMAS = Path(__file__).resolve().parents[4] / "schemas"
NAME = "RHB_JC_20261123_00001.ndjson"
KEYS = {"caseNo": "20260001000001", "caseVersion": 1}


@pytest.fixture(scope="module")
def reader() -> A6Entries:
    return A6Entries(SCHEMAS)


def _line(**more: Any) -> bytes:
    return json.dumps(KEYS | more, ensure_ascii=False).encode()


def test_a_good_entry_is_kept_with_its_origin(reader: A6Entries) -> None:
    found = reader.entry(_line(memo="상담 예정"), 3, NAME)
    assert isinstance(found, EntryRecord)
    assert (found.record_no, found.case_no, found.version, found.held_rrn) == (3, "20260001000001", 1, None)
    assert found.entry["provenance"] == [{"adapter": "A6", "file": NAME, "record": 3, "sha256": found.sha256}]
    assert found.sha256 == reader.entry(_line(memo="상담 예정"), 99, "other").sha256


@pytest.mark.parametrize(
    ("more", "pointer", "left"),
    [
        ({"memo": "주민번호 8801011234567 확인"}, "/memo", {}),
        ({"memo": "본인 ８８０１０１－１２３４５６７"}, "/memo", {}),
        ({"licences": ["용접", "880101-1234567"]}, "/licences/1", {"licences": ["용접"]}),
        (
            {"coordinator": {"jcNo": "J000001", "name": "880101 1234567"}},
            "/coordinator/name",
            {"coordinator": {"jcNo": "J000001"}},
        ),
        ({"number": 8801011234567}, "/number", {}),
        ({"x": {"880101-1234567": 1}, "memo": "남음"}, "/x", {"memo": "남음"}),
        ({"memo": "880101-1234567", "licences": ["850615-5123456"]}, "/memo", {"licences": []}),
    ],
)
def test_a_resident_number_is_cut_out_and_remembered(
    reader: A6Entries, more: dict[str, Any], pointer: str, left: dict[str, Any]
) -> None:
    found = reader.entry(_line(**more), 1, NAME)
    assert isinstance(found, EntryRecord)
    assert found.held_rrn == pointer
    assert {k: v for k, v in found.entry.items() if k != "provenance"} == KEYS | left
    assert rrn.find_anywhere(found.entry) is None


def test_the_hash_is_that_of_what_is_kept(reader: A6Entries) -> None:
    one, two = reader.entry(_line(memo="880101-1234567"), 1, NAME), reader.entry(_line(memo="880101-1234568"), 1, NAME)
    assert one.sha256 == two.sha256


@pytest.mark.parametrize(
    ("line", "reason", "field"),
    [
        (b'{"caseNo": "\xff"}', "E-ENC", None),
        (b"{", "E-LEN", None),
        (b"[1]", "E-LEN", None),
        (b'{"caseNo": "1", "caseNo": "2"}', "E-LEN", None),
        (b'{"caseNo": "20260001000001", "caseVersion": NaN}', "E-LEN", None),
        (b'{"a":' * 9 + b"1" + b"}" * 9, "E-LEN", None),
        (_line(memo="x" * LONGEST_LINE), "E-LEN", None),
        (b"{}", "E-CODE", "/"),
        (json.dumps({"caseNo": "1", "caseVersion": 1}).encode(), "E-CODE", "/caseNo"),
        (json.dumps(KEYS | {"caseVersion": "1"}).encode(), "E-CODE", "/caseVersion"),
        (_line(consent={"no": 1}), "E-CODE", "/consent"),
    ],
)
def test_a_bad_line_is_put_aside_with_its_reason(
    reader: A6Entries, line: bytes, reason: str, field: str | None
) -> None:
    found = reader.entry(line, 5, NAME)
    assert isinstance(found, Problem)
    assert (found.record_no, found.reason, found.field) == (5, reason, field)
    assert found.raw == line[:LONGEST_LINE]


def test_bytes_put_aside_hold_no_number(reader: A6Entries) -> None:
    found = reader.entry('{"memo": "880101-1234567 ８８０１０１１２３４５６７"'.encode(), 1, NAME)
    assert isinstance(found, Problem)
    assert found.raw == b'{"memo": "******-******* ' + b"*" * 39 + b'"'


@pytest.mark.parametrize(
    "memo", ["８８０１０１－１２３４５６７", "𝟖𝟖𝟎𝟏𝟎𝟏-1234567", "880101\t1234567", "880101\\u002d1234567"]
)
@pytest.mark.parametrize("broken", ["}", "]"])
def test_bytes_put_aside_spell_no_number_in_escapes_either(reader: A6Entries, memo: str, broken: str) -> None:
    line = json.dumps({"caseNo": "1", "memo": memo}).replace("\\\\u", "\\u")[:-1] + broken
    found = reader.entry(line.encode(), 1, NAME)
    assert isinstance(found, Problem)
    assert found.raw.startswith(b'{"caseNo": "1", "memo": "***')
    assert not rrn.find(found.raw.decode())
    assert b"uff1" not in found.raw
    assert b"1234567" not in found.raw


def test_a_wrong_value_costs_only_its_field_not_the_entry(reader: A6Entries) -> None:
    found = reader.entry(_line(education=99, funcProfile=[], availableFrom="2026-02-30"), 1, NAME)
    assert isinstance(found, EntryRecord)


def test_a_file_is_read_line_by_line(reader: A6Entries, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(_line() + b"\r\n\n{\n" + _line(caseNo="20260001000002"))
    (tmp_path / "RHB_JC_20261123_00001.ndjson.part").write_bytes(b"")
    assert list(reader.ready(tmp_path)) == [path]
    head = reader.head(path)
    assert (head.way, head.base_date.isoformat(), head.file_seq, head.previous_seq) == ("A6", "2026-11-23", 1, None)
    found = list(reader.records(path))
    assert [type(r) for r in found] == [EntryRecord, Problem, EntryRecord]
    assert [r.record_no for r in found] == [1, 2, 3]
    assert reader.judge(head, []) is None


def test_a_line_without_end_rejects_the_file(reader: A6Entries, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"{" + b" " * (2 * LONGEST_LINE))
    with pytest.raises(HandoverRefused) as refused:
        list(reader.records(path))
    assert refused.value.code == "E-LEN"


def test_a_byte_order_mark_rejects_the_file_with_place_and_remedy(reader: A6Entries, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(BOM_UTF8 + _line() + b"\n" + _line(caseNo="20260001000002"))
    with pytest.raises(HandoverRefused) as refused:
        list(reader.records(path))
    assert str(refused.value).startswith(f"E-LEN [{NAME}, record 1] ")
    assert "save the file without byte order mark" in str(refused.value)


@pytest.mark.parametrize(("name", "code"), [("RHB_JC_20260230_00001.ndjson", "E-DATE"), ("entries.ndjson", "E-ORDER")])
def test_a_name_without_date_and_number_is_refused(reader: A6Entries, tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(HandoverRefused) as refused:
        reader.head(tmp_path / name)
    assert refused.value.code == code
