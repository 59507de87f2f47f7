"""One C record of the nightly file: facts in canonical names, or the reasons why it is put aside.

1. Frame: exactly 640 bytes and CRLF (E-LEN); numeric fields hold digits (E-LEN).
2. Text: every field is CP949 to its last byte (E-ENC).
3. No field holds a resident registration number in any spelling (E-RRN).
4. Dates exist, required ones are there, nobody was born or hurt tomorrow (E-DATE). An unknown birth date
   (00000000, 19000101) is not guessed: E-DATE.
5. Codes are in `schemas/comwel/a1/codes.json`, business numbers have their check digit (E-CODE).
6. A merge names another case (E-MERGE).

All findings are collected; the first in this order is the reason. What spoils one optional field only (telephone,
region, postal code, occupation) leaves the field out with a data-quality note. A deletion (D) or cancellation (X) needs
only its keys: what else is wrong in it does not stop it, but for a resident number, which must not be kept.

The row hash covers the record from `wonbuNo` on (not its number, not its change type), so that the same content has the
same hash in every file. Bytes of a refused record are kept with resident numbers struck out, and hashed after that:
a hash over the digits would let them be guessed. It refuses to return text that failed a rule.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Self

from adapters.comwel import cp949
from adapters.comwel.a1_facts import CASE_NO, DATES, TOKEN, Table, facts_of, keys_of, load_tables
from adapters.comwel.layout import CRLF, Field, Layout, day_of
from gateway.cases import rrn
from gateway.cases.reading import dotted
from gateway.documents import strict_json
from gateway.korea import business_number
from gateway.ports import FactsRecord, Problem

ORDER = ("E-LEN", "E-ENC", "E-RRN", "E-DATE", "E-CODE", "E-MERGE")
_TEXT = ("korNm", "engNm", "addr", "saeopjangNm", "filler")
_NUMBERS = ("seq", "wonbuVer", "pyImgm")
_REQUIRED_DATES = ("brthDt", "disstDt", "yoyStDt")
_NOT_TOMORROW = ("brthDt", "disstDt", "dthDt")
_IN_ORDER = (("brthDt", "disstDt"), ("brthDt", "dthDt"), ("yoyStDt", "yoyEdExpDt"), ("yoyStDt", "yoyEdDt"))
_KEYS = (("psnMgtNo", re.compile(r"P[0-9]{12}")), ("oldWonbuNo", CASE_NO), ("wonbuNo", CASE_NO))
_BRANCH = re.compile(r"[0-9]{4}")
_UNKNOWN_BIRTH = "1900-01-01"


class Finding(NamedTuple):
    """One broken rule: its code and the field of the layout (None: the whole record)."""

    code: str
    field: str | None


class Records:
    """Reads C records of one layout with one set of code tables. Immutable; shared by all files."""

    def __init__(self, layout: Layout, tables: Mapping[str, Table], site: Mapping[bytes, str] | None = None) -> None:
        self.layout = layout
        self.tables = tables
        self._site = site
        fields = layout.kinds["C"]
        self._plain = [(f.name, f.place) for f in fields if f.name not in _TEXT]
        self._text = [(f.name, f.place) for f in fields if f.name in _TEXT]
        self._hashed = slice(layout.field("C", "wonbuNo").start, layout.record_bytes)

    @classmethod
    def load(cls, folder: Path, site_map: Path | None = None) -> Self:
        """From `schemas/comwel/a1` and, if the site has one, its map of own characters {"A2E8": "㉾", …}."""
        site = strict_json.loads(site_map.read_bytes()) if site_map else {}
        return cls(
            Layout.load(folder / "layout.json"),
            load_tables(folder / "codes.json"),
            {bytes.fromhex(code): char for code, char in site.items()},
        )

    def read(self, line: bytes, number: int, file: str, base: date) -> FactsRecord | Problem:
        """Facts or problem of one line; `number` counts C records from 1, `base` is the base date of the file."""
        values, findings = self.examine(line, base)
        stopping = [f for f in findings if _stops(f, values)]
        if stopping:
            return self._problem(line, number, values, stopping)
        facts = keys_of(values) if findings else facts_of(values, self.tables, base)
        sha256 = hashlib.sha256(line[self._hashed]).hexdigest()
        facts["provenance"] = [{"adapter": "A1", "file": file, "record": number, "sha256": sha256}]
        old = values["oldWonbuNo"]
        return FactsRecord(
            record_no=number,
            change=values["chgTp"],
            case_no=values["wonbuNo"],
            version=int(values["wonbuVer"]),
            old_case_no=old if CASE_NO.fullmatch(old) else None,
            facts=facts,
            sha256=sha256,
        )

    def examine(self, line: bytes, base: date) -> tuple[dict[str, str], list[Finding]]:
        """Every field of a line as text, dates as YYYY-MM-DD ('' when absent), and all findings in order of reason."""
        if len(line) != self.layout.record_bytes + len(CRLF) or not line.endswith(CRLF):
            return {}, [Finding("E-LEN", None)]
        values: dict[str, str] = {}
        findings: list[Finding] = []
        self._texts(line, values, findings)
        findings += [Finding("E-LEN", name) for name in _NUMBERS if not _is_number(values[name])]
        findings += [Finding("E-RRN", name) for name in _holding_rrn(values)]
        findings += _dates(values, base)
        findings += self._codes(values)
        if values["chgTp"] == "M" and (
            not CASE_NO.fullmatch(values["oldWonbuNo"]) or values["oldWonbuNo"] == values["wonbuNo"]
        ):
            findings.append(Finding("E-MERGE", "oldWonbuNo"))
        if len(findings) > 1:
            findings.sort(key=lambda f: ORDER.index(f.code))
        return values, findings

    def _texts(self, line: bytes, values: dict[str, str], findings: list[Finding]) -> None:
        one_byte = line.decode("latin-1")  # one character a byte: slicing it is slicing the bytes
        for name, place in self._plain:
            values[name] = one_byte[place].strip(" ")
        for name, place in self._text:
            raw = line[place]
            text = cp949.decode(raw, self._site)
            if text is None:
                findings.append(Finding("E-ENC", name))
                text = raw.decode("cp949", "replace")
            values[name] = text
        if not line.isascii():
            for name, place in self._plain:
                if not values[name].isascii() and cp949.decode(line[place]) is None:
                    findings.append(Finding("E-ENC", name))

    def _codes(self, values: dict[str, str]) -> list[Finding]:
        wrong = [
            name
            for name, table in self.tables.items()
            if values[name] not in table.codes and (values[name] or table.required)
        ]
        if not CASE_NO.fullmatch(values["wonbuNo"]):
            wrong.append("wonbuNo")
        if values["wonbuVer"] == "000":
            wrong.append("wonbuVer")
        if not _BRANCH.fullmatch(values["jisaCd"]):
            wrong.append("jisaCd")
        if values["saeopjaDrno"] and not business_number(values["saeopjaDrno"]):
            wrong.append("saeopjaDrno")
        if dotted(values["kcdCd"]) is None:
            wrong.append("kcdCd")
        wrong += [name for name in ("psnMgtNo",) if not values[name]]
        if not values["korNm"] and not values["engNm"]:
            wrong.append("korNm")
        return [Finding("E-CODE", name) for name in wrong]

    def _problem(self, line: bytes, number: int, values: Mapping[str, str], findings: list[Finding]) -> Problem:
        raw = self.masked(line)
        case_no = values.get("wonbuNo", "") if values else _case_of(line, self.layout.field("C", "wonbuNo"))
        return Problem(
            record_no=number,
            case_no=case_no if CASE_NO.fullmatch(case_no) else None,
            reason=findings[0].code,
            field=findings[0].field,
            raw=raw,
            sha256=hashlib.sha256(raw).hexdigest(),
        )

    def masked(self, line: bytes) -> bytes:
        """The line with resident registration numbers struck out, field by field: a number may touch the next field.

        Where the frame is broken, a field stands where it should, or as far from the end as it should.
        """
        astray = len(line) - self.layout.record_bytes - len(CRLF)
        if astray == 0:
            return self._struck_out(line, 0)
        return rrn.mask(self._struck_out(self._struck_out(line, 0), astray))

    def _struck_out(self, line: bytes, astray: int) -> bytes:
        pieces, at = [], 0
        for field in self.layout.kinds["C"]:
            start, end = max(field.start + astray, 0), max(field.end + astray, 0)
            pieces += [line[at:start], rrn.mask(line[start:end])]
            at = end
        return b"".join([*pieces, line[at:]])


def _stops(finding: Finding, values: Mapping[str, str]) -> bool:
    """Whether a finding puts the record aside: a deletion or cancellation needs only its keys."""
    if values.get("chgTp") not in ("D", "X") or finding.code == "E-RRN":
        return True
    return finding.field in (None, "wonbuNo", "wonbuVer")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _holding_rrn(values: Mapping[str, str]) -> list[str]:
    """Fields wide enough for a number that hold one; keys in their own form cannot."""
    suspects = [name for name in _TEXT if len(values[name]) >= 13]
    suspects += [name for name, form in _KEYS if len(values[name]) >= 13 and not form.fullmatch(values[name])]
    if len(values["idTok"]) >= 13 and not TOKEN.fullmatch(values["idTok"]):
        suspects.append("idTok")
    return [name for name in suspects if rrn.find(values[name])]


def _dates(values: dict[str, str], base: date) -> list[Finding]:
    """Rewrite every date field as YYYY-MM-DD or '' in place, and say which are impossible."""
    wrong = []
    for name in DATES:
        day = iso_day(values[name])
        if day is None:
            wrong.append(name)
        values[name] = day or ""
    if values["brthDt"] == _UNKNOWN_BIRTH:
        wrong.append("brthDt")
    wrong += [name for name in _REQUIRED_DATES if not values[name] and name not in wrong]
    today = base.isoformat()
    wrong += [name for name in _NOT_TOMORROW if values[name] > today]
    wrong += [late for early, late in _IN_ORDER if values[late] and values[late] < values[early]]
    return [Finding("E-DATE", name) for name in dict.fromkeys(wrong)]


@lru_cache(maxsize=65536)
def iso_day(text: str) -> str | None:
    """YYYYMMDD as YYYY-MM-DD, '' for 00000000, None for what is no day of 1900 or later."""
    if text == "00000000":
        return ""
    day = day_of(text)
    return day.isoformat() if day and day.year >= 1900 else None


def _case_of(line: bytes, field: Field) -> str:
    return line[field.place].decode("latin-1")
