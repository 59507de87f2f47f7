"""Facts of a nightly record in canonical names, once its values have passed the rules of `a1_record`.

A field that is optional and not in its form is left out with a data-quality note (E-CODE): telephone, region, postal
code, occupation, industry, workplace number, nationality, coordinator. Beside the case fields, `a1Consent` is COMWEL's
own record of consent, `asOf` the base date of the file, and `gradePending` says that the grade is 99 미정.
It refuses to guess, and to put a value into a note.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from gateway.cases import regions
from gateway.cases.reading import dotted
from gateway.documents import strict_json

CASE_NO = re.compile(r"[0-9]{14}")
TOKEN = re.compile(r"[0-9a-f]{64}")
DATES = {  # field -> canonical name; consDt and consEdDt go into a1Consent
    "brthDt": "birthDate",
    "disstDt": "accidentDate",
    "aprvDt": "approvalDate",
    "yoyStDt": "careStart",
    "yoyEdExpDt": "carePlannedEnd",
    "yoyEdDt": "careEnd",
    "jhDcsnDt": "gradeDate",
    "consDt": "",
    "consEdDt": "",
    "dthDt": "deceasedDate",
}
_CODES = {  # field -> canonical name, copied as the table says
    "idTp": "idType",
    "sexCd": "sex",
    "wkrTpCd": "workerType",
    "disstGbCd": "accidentCategory",
    "baltCd": "occurrenceType",
    "jhGrdCd": "grade",
    "jhGrdExpCd": "gradeExpected",
    "wonjikPosCd": "origJobPossible",
}
_SPOILS_ITSELF = (  # field, canonical name, form, whether the record keeps a list
    ("idTok", "matchToken", TOKEN, False),
    ("ntntyCd", "nationality", re.compile(r"[A-Z]{3}"), False),
    ("telNo", "phone", re.compile(r"0[0-9]{8,11}"), True),
    ("zipCd", "postalCode", re.compile(r"[0-9]{5}"), False),
    ("saeopjangMgtNo", "workplaceNo", re.compile(r"[0-9]{11}"), True),
    ("sjEopjongCd", "industrySj", re.compile(r"[0-9]{5}"), False),
    ("kscoCd", "occupationKsco", re.compile(r"[0-9A]{1,5}"), False),
    ("jcNo", "coordinator", re.compile(r"J[0-9]{6}"), False),
)
_PENDING = "99"


class Table(NamedTuple):
    """A code table: code to canonical value; `required` tables refuse a blank."""

    required: bool
    codes: Mapping[str, str | None]


def load_tables(path: Path) -> dict[str, Table]:
    """The code tables of `schemas/comwel/a1/codes.json`."""
    tables = strict_json.loads(path.read_bytes())["tables"]
    return {
        name: Table(table["required"], {code: row["is"] for code, row in table["codes"].items()})
        for name, table in tables.items()
    }


def facts_of(values: Mapping[str, str], tables: Mapping[str, Table], base: date) -> dict[str, Any]:
    """The facts of a record that broke no rule: every field by its canonical name, absent ones missing."""
    facts: dict[str, Any] = keys_of(values)
    notes: list[dict[str, str]] = []
    facts["personKey"] = values["psnMgtNo"]
    facts["nameFull"] = values["korNm"] or values["engNm"]
    _put(facts, "nameRoman", values["engNm"])
    for name, canonical in _CODES.items():
        _put(facts, canonical, tables[name].codes.get(values[name]) or "")
    for name, canonical in DATES.items():
        if canonical:
            _put(facts, canonical, values[name])
    for name, canonical, form, is_list in _SPOILS_ITSELF:
        value = values[name]
        if not value:
            continue
        if form.fullmatch(value):
            facts[canonical] = [value] if is_list else value
        else:
            notes.append(_note(canonical, "not in the required form"))
    if "coordinator" in facts:
        facts["coordinator"] = {"jcNo": facts["coordinator"]}
    _put(facts, "addrText", values["addr"])
    _region(facts, values["stdgCd"], base, notes)
    for name, canonical in (
        ("saeopjaDrno", "employerBrn"),
        ("saeopjangNm", "workplaceName"),
        ("jhBuwiCd", "bodyPart"),
    ):
        if values[name]:
            facts[canonical] = [values[name]]
    facts["diagnoses"] = [{"kcdVersion": values["kcdVer"], "code": dotted(values["kcdCd"]), "role": "main"}]
    facts["preWageDaily"] = int(values["pyImgm"])
    facts["branch"] = values["jisaCd"]
    _links(facts, values, notes)
    if values["jhGrdCd"] == _PENDING:
        facts["gradePending"] = True
    facts["a1Consent"] = _consent(values)
    facts["asOf"] = base.isoformat()
    if notes:
        facts["dataQuality"] = notes
    return facts


def keys_of(values: Mapping[str, str]) -> dict[str, Any]:
    """Only what names the case, for deletions and cancellations."""
    return {"caseNo": values["wonbuNo"], "caseVersion": int(values["wonbuVer"])}


def _put(facts: dict[str, Any], name: str, value: str) -> None:
    if value:
        facts[name] = value


def _region(facts: dict[str, Any], code: str, base: date, notes: list[dict[str, str]]) -> None:
    if not code:
        return
    region = regions.current(code, base) if len(code) == 10 else None
    if region is None:
        notes.append(_note("addrRegion", "no region has this code on the base date"))
    else:
        facts["addrRegion"] = region


def _links(facts: dict[str, Any], values: Mapping[str, str], notes: list[dict[str, str]]) -> None:
    old = values["oldWonbuNo"]
    if CASE_NO.fullmatch(old):
        facts["caseLinks"] = [{"kind": "subsidiary" if values["chgTp"] == "M" else "replaces", "caseNo": old}]
    elif old:
        notes.append(_note("caseLinks", "not a case number"))


def _consent(values: Mapping[str, str]) -> dict[str, str]:
    found = {"yn": values["consYn"], "from": values["consDt"], "until": values["consEdDt"]}
    return {name: value for name, value in found.items() if value}


def _note(field: str, sentence: str) -> dict[str, str]:
    return {"code": "E-CODE", "field": field, "note": sentence}
