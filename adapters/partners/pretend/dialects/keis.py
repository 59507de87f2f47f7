"""The KEIS/고용24-like dialect: abbreviated names, YYYYMMDD, codes as text, and HTTP 200 for nearly everything.

`header.rsltCd` says what happened: 0000 good, 1xxx format, 2xxx identity, 3xxx came before, 9xxx system. It has no word
for asking back, for a trial, for closing a placement and for confirming a cancellation.
Source: schemas/partners/keis. Refuses to say more than its schema knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import orjson

from adapters.partners.pretend.dialects import Dialect, Purpose, Referral, Reply, Sheet, Verdict
from adapters.partners.pretend.scripts import Kind
from adapters.partners.pretend.story import Check, Event, Job

_PURPOSE = {
    "REF_NEW": Purpose.NEW,
    "REF_UPD": Purpose.UPDATE,
    "REF_CNL": Purpose.CANCEL,
    "CNS_WDR": Purpose.WITHDRAW,
}


class _Code(NamedTuple):
    http: int
    code: str
    text: str


_CODES = {
    Verdict.OK: _Code(200, "0000", "정상"),
    Verdict.BAD_FORMAT: _Code(200, "1001", "전문 형식 오류"),
    Verdict.WRONG_PERSON: _Code(200, "2002", "개인식별자 오류"),
    Verdict.UNKNOWN_REFERRAL: _Code(200, "2003", "해당 의뢰 없음"),
    Verdict.NOT_PROVEN: _Code(401, "2001", "서명 확인 불가"),
    Verdict.DUPLICATE: _Code(200, "3001", "이미 수신한 전문"),
    Verdict.REUSED_ID: _Code(422, "1009", "같은 전문번호의 다른 전문"),
    Verdict.BUSY: _Code(503, "9001", "시스템 점검 중"),
}

_RESULT = {
    Kind.ACCEPT: "10",
    Kind.DECLINE: "15",
    Kind.START: "20",
    Kind.PLAN: "30",
    Kind.SEARCH: "40",
    Kind.TRAINING: "50",
    Kind.PLACED: "60",
    Kind.RETENTION: "70",
    Kind.CLOSE_UNPLACED: "80",
}
_DECLINE = {"identity-mismatch": "NM", "duplicate": "DP", "out-of-area": "AR", "no-consent": "CN"}
_END = {
    "no-suitable-vacancy": "NE",
    "not-contactable": "NC",
    "worker-declined": "WD",
    "consent-withdrawn": "WD",
    "moved-away": "MV",
    "deceased": "DT",
}
_CONTRACT = {"INDEFINITE": "10", "INDEFINITE_PT": "11", "FIXED": "20", "FIXED_PT": "21", "DISPATCH": "4"}
_EVIDENCE = {"E1": "E", "E2": "C", "E3": "P", "E4": "S"}
_LOSS = {"voluntary": "11", "employer-closed": "22", "dismissed": "23", "health": "12", "contract-end": "32"}
_KEPT = {"not-employed": "N", "unknown": "U"}


def read(document: Mapping[str, Any]) -> Referral:
    """Take what is kept out of a referral that has passed the schema."""
    header, body = document["header"], document["body"]
    ref_no = body.get("orgRefNo", body["refNo"])
    return Referral(_PURPOSE[header["trnsTpCd"]], ref_no, body["ptnrPsnId"], header["lglBssCd"], header["consNo"])


def reply(verdict: Verdict, receipt: str | None, text: str) -> Reply:
    """Answer with a result code, and the receipt where there is one."""
    row = _CODES[verdict]
    answer: dict[str, Any] = {"header": {"rsltCd": row.code, "rsltMsg": f"{row.text} {text}".strip()}}
    if receipt:
        answer["receipt"] = receipt
    return Reply(row.http, "application/json; charset=utf-8", orjson.dumps(answer))


def write(event: Event, sheet: Sheet, seq: int, mid: str, at: datetime) -> dict[str, Any]:
    """Write one RHB-RSLT-01 message."""
    header = {
        "ifId": "RHB-RSLT-01",
        "trnsNo": mid,
        "trnsDtm": f"{at:%Y%m%d%H%M%S}",
        "sndOrgCd": "KEIS",
        "rcvOrgCd": "COMWEL",
        "trnsTpCd": "OUT_COR" if event.corrects else "OUT_NEW",
        "lglBssCd": sheet.legal_basis,
        "consNo": sheet.consent_no,
        "schmVer": "1.0",
    }
    body = {
        "refNo": sheet.ref_no,
        "ptnrPsnId": sheet.person_id,
        "rsltSeq": seq,
        "orgRsltSeq": event.corrects,
        "rsltTpCd": _result(event),
        "rsltDt": _ymd(event.on),
        "jobSekRegNo": None if event.kind in (Kind.ACCEPT, Kind.DECLINE) else sheet.filler_no,
        "memo": event.text,
        **_details(event),
    }
    return {"header": header, "body": {k: v for k, v in body.items() if v is not None}}


def _result(event: Event) -> str:
    if event.corrects:
        return "90"
    own_business = event.kind is Kind.PLACED and event.job and event.job.setting == "SELF_EMPLOYED"
    return "65" if own_business else _RESULT[event.kind]


def _details(event: Event) -> dict[str, Any]:
    evidence = _EVIDENCE.get(event.evidence or "")
    match event.kind:
        case Kind.DECLINE:
            return {"rjctRsnCd": _DECLINE.get(event.reason or "", "ET")}
        case Kind.CLOSE_UNPLACED:
            return {"endRsnCd": _END.get(event.reason or "", "ET")}
        case Kind.PLACED if event.job:
            own_business = event.job.setting == "SELF_EMPLOYED"
            return {"empInfo": _job(event.job), "evdCd": "B" if own_business else evidence}
        case Kind.RETENTION if event.check and event.job:
            check = event.check
            return {
                "chkPntCd": f"{int(check.milestone[1:-1]):02d}",
                "chkRsltCd": _KEPT.get(check.result, "Y"),
                "evdCd": evidence,
                "empInfo": _loss(event.job, check),
            }
        case _:
            return {}


def _job(job: Job) -> dict[str, Any]:
    facts = {
        "busino": job.brn,
        "coNm": job.employer,
        "jobsCd": job.keco,
        "empTpCd": _CONTRACT.get(job.contract),
        "empTpGb": "2" if job.contract == "DAY" else "1",
        "salTpCd": job.wage_type,
        "sal": job.wage,
        "wkHr": float(job.hours),
        "wkDayCnt": job.days,
        "empDt": _ymd(job.start),
        "eiAcqYn": "Y" if job.insured_on else "U",
        "eiAcqDt": _ymd(job.insured_on) if job.insured_on else None,
        "workRgnCd": job.region,
        "samePlcYn": "N",
    }
    return {k: v for k, v in facts.items() if v is not None}


def _loss(job: Job, check: Check) -> dict[str, Any] | None:
    if check.last_day is None:
        return None
    return {
        "busino": job.brn,
        "coNm": job.employer,
        "empDt": _ymd(job.start),
        "lossDt": _ymd(check.last_day + timedelta(days=1)),  # 상실일: the day after
        "lossRsnCd": _LOSS[check.leave_reason or "voluntary"],
    }


def _ymd(day: date) -> str:
    return f"{day:%Y%m%d}"


KEIS = Dialect(
    id="keis",
    name="KEIS",
    prefix="PKE-",
    content_type="application/json",
    speaks=frozenset(_RESULT),
    read=read,
    reply=reply,
    write=write,
)
