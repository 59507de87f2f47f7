"""Builders of nightly records and files, valid by default."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from adapters.comwel.a1_batch import A1Batch
from adapters.comwel.a1_record import Records
from adapters.comwel.layout import Layout

ROOT = Path(__file__).resolve().parents[4]
SCHEMAS = ROOT / "schemas"
BASE = date(2026, 11, 23)
PLAIN: dict[str, Any] = {
    "recTp": "C",
    "seq": 1,
    "chgTp": "I",
    "wonbuNo": "20260001000001",
    "wonbuVer": 1,
    "psnMgtNo": "P000001000001",
    "idTp": "1",
    "idTok": "33475e436fb9d3a13be9f3250e1ec611bc03fe82876ef99cec7e8fe6af39e9bc",
    "brthDt": date(1979, 8, 22),
    "sexCd": "1",
    "ntntyCd": "KOR",
    "korNm": "남궁민수",
    "telNo": "01012345678",
    "zipCd": "06234",
    "stdgCd": "1168010100",
    "addr": "서울특별시 강남구 테헤란로 143",
    "wkrTpCd": "01",
    "saeopjaDrno": "1248100998",
    "saeopjangMgtNo": "12481009980",
    "saeopjangNm": "한국전자(주)",
    "sjEopjongCd": "28519",
    "kscoCd": "7421",
    "disstDt": date(2026, 1, 5),
    "disstGbCd": "1",
    "baltCd": "07",
    "aprvDt": date(2026, 1, 20),
    "yoyStDt": date(2026, 1, 5),
    "yoyEdExpDt": date(2026, 12, 31),
    "kcdVer": "9",
    "kcdCd": "S626",
    "jhGrdCd": 0,
    "jhGrdExpCd": 9,
    "jhBuwiCd": "09",
    "pyImgm": 123456,
    "wonjikPosCd": "N",
    "jcNo": "J001234",
    "jisaCd": "1100",
    "consYn": "Y",
    "consDt": date(2026, 11, 13),
    "consEdDt": date(2028, 11, 23),
}
HEAD: dict[str, Any] = {
    "recTp": "H",
    "ifId": "RHB-CASE-01",
    "sndOrg": "B490001",
    "rcvOrg": "GATEWAY",
    "fileSeq": 1,
    "baseDt": BASE,
    "creDtm": "20261123050000",
    "mode": "D",
    "orgFileSeq": 0,
    "prvFileSeq": 0,
    "layVer": "0100",
    "charset": "CP949",
}

Line = Callable[..., bytes]
WriteNight = Callable[..., Path]


@pytest.fixture(scope="session")
def layout() -> Layout:
    return Layout.load(SCHEMAS / "comwel" / "a1" / "layout.json")


@pytest.fixture(scope="session")
def records() -> Records:
    return Records.load(SCHEMAS / "comwel" / "a1")


@pytest.fixture(scope="session")
def batch() -> A1Batch:
    return A1Batch(SCHEMAS)


@pytest.fixture(scope="session")
def line(layout: Layout) -> Line:
    """One C record with its CRLF; bytes replace the packed field as they are."""

    def build(**changes: Any) -> bytes:
        plain = {k: v for k, v in changes.items() if not isinstance(v, bytes)}
        record = bytearray(layout.pack("C", {**PLAIN, **plain}))
        for name, raw in changes.items():
            if isinstance(raw, bytes):
                field = layout.field("C", name)
                record[field.place] = raw.ljust(field.width)
        return bytes(record)

    return build


@pytest.fixture
def write_night(tmp_path: Path, layout: Layout, line: Line) -> WriteNight:
    """Write a nightly file; `head` and `tail` change fields, `data` replaces all bytes, `sums` the .sum."""

    def write(
        lines: Sequence[bytes] | None = None,
        *,
        head: dict[str, Any] | None = None,
        tail: dict[str, Any] | None = None,
        data: bytes | None = None,
        sums: str | None = None,
        done: bool = True,
        name: str = "RHB_CASE_20261123_00001.dat",
    ) -> Path:
        body = [line()] if lines is None else list(lines)
        totals = {
            "recTp": "T",
            "totCnt": len(body),
            "insCnt": len(body),
            "updCnt": 0,
            "delCnt": 0,
            "wageSum": PLAIN["pyImgm"] * len(body),
            "hashTot": int(PLAIN["wonbuNo"]) * len(body) % 10**15,
            "eof": "EOF",
        }
        content = data
        if content is None:
            first, last = layout.pack("H", HEAD | (head or {})), layout.pack("T", totals | (tail or {}))
            content = b"".join([first, *body, last])
        path = tmp_path / name
        path.write_bytes(content)
        path.with_suffix(".sum").write_text(
            sums or f"{hashlib.sha256(content).hexdigest()} {len(content)} {len(body)}\n"
        )
        if done:
            path.with_suffix(".done").write_bytes(b"")
        return path

    return write
