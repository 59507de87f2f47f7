"""The KEAD-like dialect: English keys with Korean values, ISO dates, and Korean keys in its answers.

`결과` says what happened, `수신증` carries the receipt. It knows the supported trial (지원고용훈련, not employment) and
the closing of a placement; it has no word for a plan, a course, asking back and confirming a cancellation.
Source: schemas/partners/kead. Refuses to say more than its schema knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from adapters.partners.pretend.dialects import Dialect, Purpose, Referral, Reply, Sheet, Verdict
from adapters.partners.pretend.scripts import Kind
from adapters.partners.pretend.story import Check, Event, Job

_PURPOSE = {
    "의뢰": Purpose.NEW,
    "변경": Purpose.UPDATE,
    "취소": Purpose.CANCEL,
    "동의철회": Purpose.WITHDRAW,
}

_RESULTS = {
    Verdict.OK: (200, "정상"),
    Verdict.DUPLICATE: (200, "중복"),
    Verdict.BAD_FORMAT: (422, "형식오류"),
    Verdict.WRONG_PERSON: (422, "본인확인불가"),
    Verdict.UNKNOWN_REFERRAL: (422, "본인확인불가"),
    Verdict.REUSED_ID: (422, "형식오류"),
    Verdict.NOT_PROVEN: (401, "서명오류"),
    Verdict.BUSY: (503, "점검중"),
}

_STAGE = {
    Kind.ACCEPT: "접수",
    Kind.DECLINE: "반려",
    Kind.START: "직업평가",
    Kind.SEARCH: "알선",
    Kind.TRIAL: "지원고용훈련",
    Kind.PLACED: "취업",
    Kind.RETENTION: "적응지도",
    Kind.CLOSE_PLACED: "종결",
    Kind.CLOSE_UNPLACED: "종결",
}
_DECLINE = {
    "identity-mismatch": "본인확인불가",
    "duplicate": "중복의뢰",
    "out-of-area": "관할아님",
    "no-consent": "동의없음",
    "not-eligible": "장애미등록",
}
_CLOSE = {
    "left-job": "미취업",
    "no-suitable-vacancy": "미취업",
    "capacity-insufficient": "미취업",
    "not-contactable": "연락두절",
    "worker-declined": "본인포기",
    "consent-withdrawn": "동의철회",
    "deceased": "사망",
    "reopened-care": "재요양",
}
_CONTRACT = {
    "INDEFINITE": "상용직",
    "FIXED": "계약직",
    "DISPATCH": "계약직",
    "INDEFINITE_PT": "시간제",
    "FIXED_PT": "시간제",
    "DAY": "일용직",
}
_WAGE = {"H": "시급", "D": "일급", "M": "월급", "Y": "연봉"}
_EVIDENCE = {"E1": "고용보험", "E2": "사업장확인", "E3": "재직증명", "E4": "본인진술"}
_LEFT = {
    "voluntary": "자진퇴사",
    "dismissed": "권고사직",
    "contract-end": "계약만료",
    "health": "건강악화",
    "employer-closed": "폐업",
}
_KEPT = {"not-employed": "퇴사", "unknown": "연락두절"}


def read(document: Mapping[str, Any]) -> Referral:
    """Take what is kept out of a referral that has passed the schema."""
    consent_no = document.get("consent", {}).get("no", "")
    purpose = _PURPOSE[document["msgType"]]
    return Referral(purpose, document["rno"], document["ptnrPsnId"], document["legalBasis"], consent_no)


def reply(verdict: Verdict, receipt: str | None, text: str) -> Reply:
    """Answer with 결과 and, where there is one, 수신증."""
    status, result = _RESULTS[verdict]
    answer = {"결과": result, "설명": text, "수신증": receipt}
    return Reply(status, "application/json; charset=utf-8", orjson.dumps({k: v for k, v in answer.items() if v}))


def write(event: Event, sheet: Sheet, seq: int, mid: str, at: datetime) -> dict[str, Any]:
    """Write one outcome."""
    told: dict[str, Any] = {
        "msgId": mid,
        "sentAt": at.isoformat(timespec="seconds"),
        "rno": sheet.ref_no,
        "ptnrPsnId": sheet.person_id,
        "seq": seq,
        "correctsSeq": event.corrects,
        "stage": _STAGE[event.kind],
        "stageDt": event.on.isoformat(),
        **_details(event),
    }
    return {k: v for k, v in told.items() if v is not None}


def _details(event: Event) -> dict[str, Any]:
    evidence = _EVIDENCE.get(event.evidence or "")
    match event.kind:
        case Kind.DECLINE:
            return {"rejectReason": _DECLINE.get(event.reason or "", "기타")}
        case Kind.START:
            return {"assess": {"date": event.on.isoformat(), "result": "일반고용"}}
        case Kind.PLACED if event.job:
            return {"emp": _job(event.job), "evidence": evidence}
        case Kind.RETENTION if event.check and event.job:
            return {"adapt": _check(event.check), "evidence": evidence, "emp": _left(event.job, event.check)}
        case Kind.CLOSE_PLACED if event.job and event.reason is None:
            return {"closeReason": "취업유지", "emp": _job(event.job)}
        case Kind.CLOSE_PLACED | Kind.CLOSE_UNPLACED:
            return {"closeReason": _CLOSE.get(event.reason or "", "기타")}
        case _:
            return {}


def _job(job: Job) -> dict[str, Any]:
    hours = float(job.hours)
    return {
        "busplaName": job.employer,
        "bizno": job.brn,
        "jobNm": job.occupation,
        "empType": _CONTRACT[job.contract],
        "salaryType": _WAGE[job.wage_type],
        "salary": job.wage,
        "weekHours": int(hours) if hours.is_integer() else hours,
        "startDt": job.start.isoformat(),
        "supportedYn": "Y" if job.setting == "SUPPORTED" else "N",
        "stdWorkplaceYn": "Y" if job.setting == "STANDARD_WORKPLACE" else "N",
        "sheltered": "N",
        "samePlaceYn": "N",
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        "point": check.milestone[1:],
        "visitDt": check.checked_on.isoformat(),
        "result": _KEPT.get(check.result, "유지"),
    }


def _left(job: Job, check: Check) -> dict[str, Any] | None:
    if check.last_day is None:
        return None
    return {
        "startDt": job.start.isoformat(),
        "empType": _CONTRACT[job.contract],
        "endDt": check.last_day.isoformat(),
        "endReason": _LEFT[check.leave_reason or "voluntary"],
    }


KEAD = Dialect(
    id="kead",
    name="KEAD",
    prefix="PKD-",
    content_type="application/json",
    speaks=frozenset(_STAGE),
    read=read,
    reply=reply,
    write=write,
)
