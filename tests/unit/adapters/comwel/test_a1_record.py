"""One nightly record: every rule with its reason, and facts as the case record wants them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from adapters.comwel.a1_record import Records
from gateway.cases import record as case_record
from gateway.cases import rrn
from gateway.documents.schemas import Schemas
from gateway.ports import FactsRecord, Problem

BASE = date(2026, 11, 23)
SCHEMAS = Path(__file__).resolve().parents[4] / "schemas" / "comwel"
FILE = "RHB_CASE_20261123_00001.dat"


def _read(records: Records, line: bytes) -> FactsRecord | Problem:
    return records.read(line, 7, FILE, BASE)


def _facts(records: Records, line: bytes) -> dict[str, Any]:
    found = _read(records, line)
    assert isinstance(found, FactsRecord), found
    return dict(found.facts)


def test_a_good_record_becomes_facts_that_make_a_valid_case(records: Records, line: Any) -> None:
    found = _read(records, line())
    assert isinstance(found, FactsRecord)
    assert (found.record_no, found.change, found.case_no, found.version) == (7, "I", "20260001000001", 1)
    facts = found.facts
    assert facts["nameFull"] == "남궁민수"
    assert facts["sex"] == "male"
    assert facts["diagnoses"] == [{"kcdVersion": "9", "code": "S62.6", "role": "main"}]
    assert facts["phone"] == ["01012345678"]
    assert facts["a1Consent"] == {"yn": "Y", "from": "2026-11-13", "until": "2028-11-23"}
    assert facts["provenance"] == [{"adapter": "A1", "file": FILE, "record": 7, "sha256": found.sha256}]
    assert not {"careEnd", "grade", "deceasedDate", "nameRoman", "dataQuality"} & facts.keys()


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"korNm": b"\xb1\xe8\xff\xfe"}, "E-ENC", "korNm"),
        ({"korNm": "이설믜".encode("euc_kr")}, "E-ENC", "korNm"),
        ({"addr": b"\xb1\xe8" * 74 + b"\xb1 "}, "E-ENC", "addr"),
        ({"saeopjangNm": b"\x00"}, "E-ENC", "saeopjangNm"),
        ({"telNo": b"\xff"}, "E-ENC", "telNo"),
        ({"addr": "대학로 48 880101-1234567"}, "E-RRN", "addr"),
        ({"addr": "대학로 ８８０１０１－１２３４５６７"}, "E-RRN", "addr"),
        ({"korNm": "김8801011234567"}, "E-RRN", "korNm"),
        ({"saeopjangNm": "한국전자 팔팔공일공일일이삼사오육칠"}, "E-RRN", "saeopjangNm"),
        ({"psnMgtNo": "8801011234567"}, "E-RRN", "psnMgtNo"),
        ({"oldWonbuNo": "8801011234567"}, "E-RRN", "oldWonbuNo"),
        ({"idTok": "880101-1234567"}, "E-RRN", "idTok"),
        ({"filler": "880101 1234567"}, "E-RRN", "filler"),
        ({"brthDt": b"19810230"}, "E-DATE", "brthDt"),
        ({"brthDt": b"19000101"}, "E-DATE", "brthDt"),
        ({"brthDt": b"00000000"}, "E-DATE", "brthDt"),
        ({"brthDt": b"        "}, "E-DATE", "brthDt"),
        ({"brthDt": b"18991231"}, "E-DATE", "brthDt"),
        ({"brthDt": b"20261124"}, "E-DATE", "brthDt"),
        ({"brthDt": date(2026, 2, 1)}, "E-DATE", "disstDt"),
        ({"disstDt": date(2026, 11, 24)}, "E-DATE", "disstDt"),
        ({"disstDt": None}, "E-DATE", "disstDt"),
        ({"yoyStDt": None}, "E-DATE", "yoyStDt"),
        ({"yoyEdExpDt": date(2026, 1, 4)}, "E-DATE", "yoyEdExpDt"),
        ({"yoyEdDt": b"2026-1-1"}, "E-DATE", "yoyEdDt"),
        ({"dthDt": date(2026, 11, 24)}, "E-DATE", "dthDt"),
        ({"consDt": b"20269999"}, "E-DATE", "consDt"),
        ({"chgTp": "Q"}, "E-CODE", "chgTp"),
        ({"sexCd": "3"}, "E-CODE", "sexCd"),
        ({"idTp": ""}, "E-CODE", "idTp"),
        ({"wkrTpCd": "10"}, "E-CODE", "wkrTpCd"),
        ({"disstGbCd": "4"}, "E-CODE", "disstGbCd"),
        ({"baltCd": "77"}, "E-CODE", "baltCd"),
        ({"jhGrdCd": 15}, "E-CODE", "jhGrdCd"),
        ({"jhGrdExpCd": 98}, "E-CODE", "jhGrdExpCd"),
        ({"jhBuwiCd": "11"}, "E-CODE", "jhBuwiCd"),
        ({"kcdVer": "7"}, "E-CODE", "kcdVer"),
        ({"kcdCd": "62S6"}, "E-CODE", "kcdCd"),
        ({"kcdCd": ""}, "E-CODE", "kcdCd"),
        ({"wonjikPosCd": "Z"}, "E-CODE", "wonjikPosCd"),
        ({"consYn": " "}, "E-CODE", "consYn"),
        ({"jisaCd": "11"}, "E-CODE", "jisaCd"),
        ({"saeopjaDrno": "1234567890"}, "E-CODE", "saeopjaDrno"),
        ({"wonbuNo": "2026000100000"}, "E-CODE", "wonbuNo"),
        ({"wonbuVer": 0}, "E-CODE", "wonbuVer"),
        ({"psnMgtNo": ""}, "E-CODE", "psnMgtNo"),
        ({"korNm": ""}, "E-CODE", "korNm"),
        ({"pyImgm": b"12345678X"}, "E-LEN", "pyImgm"),
        ({"chgTp": "M"}, "E-MERGE", "oldWonbuNo"),
        ({"chgTp": "M", "oldWonbuNo": "20260001000001"}, "E-MERGE", "oldWonbuNo"),
    ],
)
def test_a_bad_record_is_put_aside_with_its_reason(
    records: Records, line: Any, changes: dict[str, Any], reason: str, field: str
) -> None:
    found = _read(records, line(**changes))
    assert isinstance(found, Problem)
    assert (found.reason, found.field) == (reason, field)


def test_all_findings_are_collected_and_the_first_by_order_is_the_reason(records: Records, line: Any) -> None:
    bad = line(wonjikPosCd="Z", brthDt=b"19810230", addr="880101-1234567", korNm=b"\xff", pyImgm=b"X")
    _, findings = records.examine(bad, BASE)
    assert [f.code for f in findings] == ["E-LEN", "E-ENC", "E-RRN", "E-DATE", "E-CODE"]
    found = _read(records, bad)
    assert isinstance(found, Problem)
    assert found.reason == "E-LEN"


def test_raw_bytes_are_kept_without_the_number(records: Records, line: Any) -> None:
    dirty = line(addr="대학로 48 880101-1234567", korNm=b"\xb1\xe8\xff\xfe")
    found = _read(records, dirty)
    assert isinstance(found, Problem)
    assert found.raw == dirty.replace(b"880101-1234567", b"******-*******")
    cut = _read(records, dirty[:500] + b"\r\n")
    assert isinstance(cut, Problem)
    assert len(cut.raw) == 502
    assert not rrn.find(cut.raw.decode("cp949", "replace"))


@pytest.mark.parametrize("field", ["korNm", "engNm", "addr", "saeopjangNm", "filler"])
@pytest.mark.parametrize("spoilt", ["the end", "the name", "a byte too many"])
def test_a_number_that_touches_the_next_field_is_struck_out_of_a_broken_frame(
    records: Records, line: Any, field: str, spoilt: str
) -> None:
    dirty = line(**{field: "880101-1234567"})  # right after the ten digits of the region, when it is the address
    broken = {
        "the end": dirty[:-3] + b"\r\n",
        "the name": dirty[:175] + dirty[177:],
        "a byte too many": dirty[:175] + b" " + dirty[175:],
    }
    found = _read(records, broken[spoilt])
    assert isinstance(found, Problem)
    assert found.reason == "E-LEN"
    assert found.raw == broken[spoilt].replace(b"880101-1234567", b"******-*******")


def test_full_width_blanks_are_padding_and_no_name(records: Records, line: Any) -> None:
    blank = "\u3000" * 3
    found = _read(records, line(korNm=blank))
    assert isinstance(found, Problem)
    assert (found.reason, found.field) == ("E-CODE", "korNm")
    assert _facts(records, line(korNm=blank, engNm="NGUYEN VAN A"))["nameFull"] == "NGUYEN VAN A"
    assert _facts(records, line(korNm="남궁 민수" + blank))["nameFull"] == "남궁 민수"


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"telNo": "12345"}, "phone"),
        ({"telNo": "010-123-456"}, "phone"),
        ({"stdgCd": "9911010100"}, "addrRegion"),
        ({"stdgCd": "11680"}, "addrRegion"),
        ({"zipCd": "6234"}, "postalCode"),
        ({"kscoCd": "X"}, "occupationKsco"),
        ({"idTok": "abc"}, "matchToken"),
        ({"ntntyCd": "ko"}, "nationality"),
        ({"jcNo": "123"}, "coordinator"),
        ({"saeopjangMgtNo": "1248100998"}, "workplaceNo"),
        ({"oldWonbuNo": "2026"}, "caseLinks"),
    ],
)
def test_some_fields_spoil_only_themselves(records: Records, line: Any, changes: dict[str, Any], name: str) -> None:
    facts = _facts(records, line(**changes))
    assert name not in facts
    assert [(n["code"], n["field"]) for n in facts["dataQuality"]] == [("E-CODE", name)]


@pytest.mark.parametrize(
    "name", ["telNo", "zipCd", "stdgCd", "saeopjaDrno", "saeopjangMgtNo", "kscoCd", "baltCd", "jhBuwiCd"]
)
def test_an_optional_field_may_be_blank(records: Records, line: Any, name: str) -> None:
    assert "dataQuality" not in _facts(records, line(**{name: ""}))


@pytest.mark.parametrize(
    ("code", "region"), [("4211010100", "51110"), ("4511110100", "52111"), ("1168010100", "11680")]
)
def test_regions_are_those_of_the_base_date(records: Records, line: Any, code: str, region: str) -> None:
    assert _facts(records, line(stdgCd=code))["addrRegion"] == region


def test_a_decision_dated_after_the_night_is_no_reason(records: Records, line: Any) -> None:
    assert _facts(records, line(jhGrdCd=7, jhDcsnDt=date(2026, 12, 8)))["gradeDate"] == "2026-12-08"


def test_a_foreigner_without_hangul_name_is_known_by_the_latin_one(records: Records, line: Any) -> None:
    facts = _facts(records, line(korNm="", engNm="NGUYEN THI HOA", idTp="2", ntntyCd="VNM"))
    assert facts["nameFull"] == facts["nameRoman"] == "NGUYEN THI HOA"


def test_an_undecided_grade_is_pending(records: Records, line: Any) -> None:
    facts = _facts(records, line(jhGrdCd=99))
    assert "grade" not in facts
    assert case_record.merge(facts, None)["gradeStatus"] == "pending"


@pytest.mark.parametrize("change", ["D", "X"])
def test_a_deletion_needs_only_its_keys(records: Records, line: Any, change: str) -> None:
    found = _read(records, line(chgTp=change, korNm="", brthDt=b"00000000", wonjikPosCd=" "))
    assert isinstance(found, FactsRecord)
    assert found.change == change
    assert {"caseNo", "caseVersion", "provenance"} == found.facts.keys()
    harmless: tuple[dict[str, Any], ...] = (
        {"korNm": b"\xb1\xe8\xff\xfe"},
        {"pyImgm": b"12345678X"},
        {"telNo": b"\xff"},
    )
    for spoilt in harmless:
        found = _read(records, line(chgTp=change, **spoilt))
        assert isinstance(found, FactsRecord)
        assert {"caseNo", "caseVersion", "provenance"} == found.facts.keys()
    stopping: tuple[dict[str, Any], ...] = (
        {"addr": "880101-1234567"},
        {"wonbuNo": "1"},
        {"wonbuNo": b"2026000100000\xff"},
        {"wonbuVer": b"0X1"},
    )
    for spoilt in stopping:
        assert isinstance(_read(records, line(chgTp=change, **spoilt)), Problem)


def test_a_merge_names_the_case_it_takes_over(records: Records, line: Any) -> None:
    found = _read(records, line(chgTp="M", oldWonbuNo="20250001000009"))
    assert isinstance(found, FactsRecord)
    assert found.old_case_no == "20250001000009"
    assert found.facts["caseLinks"] == [{"kind": "subsidiary", "caseNo": "20250001000009"}]


def test_the_same_content_has_the_same_hash_in_every_file(records: Records, line: Any) -> None:
    one, two = _read(records, line(seq=1)), _read(records, line(seq=99, chgTp="U"))
    assert one.sha256 == two.sha256
    assert _read(records, line(telNo="01012345679")).sha256 != one.sha256


def test_site_characters_are_read_when_the_site_has_published_them(records: Records, line: Any) -> None:
    with_site = Records(records.layout, records.tables, {b"\xa2\xe8": "㉾"})
    assert isinstance(_read(records, line(addr=b"\xa2\xe8 1")), Problem)
    assert _facts(with_site, line(addr=b"\xa2\xe8 1"))["addrText"] == "㉾ 1"


def test_every_change_of_one_good_field_still_makes_a_valid_case(records: Records, line: Any) -> None:
    schemas = Schemas.load(SCHEMAS)
    for changes in (
        {},
        {"jhGrdCd": 14, "jhDcsnDt": date(2026, 9, 2)},
        {"yoyEdDt": date(2026, 8, 14)},
        {"dthDt": BASE},
        {"aprvDt": None},
        {"wonbuVer": 12},
        {"kcdCd": "S62"},
        {"kcdCd": "S62.6"},
        {"telNo": "x"},
        {"oldWonbuNo": "20250001000009"},
    ):
        schemas.require("urn:comwel:schema:case:1.0.0", case_record.merge(_facts(records, line(**changes)), None))
