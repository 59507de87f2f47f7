"""Plain invented cases: one worker, one accident, one course of care, and what the coordinator wrote down.

Drawn so that a night has a rich funnel: two thirds of care is long, half of the workers cannot go back to the old job.
It refuses to know edge cases: those change a plain case afterwards (`synthetic_edges`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

from adapters.comwel import synthetic_people as people
from gateway.cases.record import calendar_months_fit


@dataclass(slots=True)
class Invented:
    """One invented case: values of the C record, bytes that replace packed fields, the entry, and the label."""

    values: dict[str, Any]
    entry: dict[str, Any] | None
    edge: str | None = None
    record: str | None = "ok"
    reason: str | None = None
    raw: dict[str, bytes] = field(default_factory=dict)
    cut: int = 0  # bytes the record is too short

    @property
    def case_no(self) -> str:
        return str(self.values["wonbuNo"])

    def label(self) -> dict[str, Any]:
        """What expected.json says about the case."""
        judged = self.record in ("ok", "no-referral")
        screening = gate(self.values) if judged else None
        return {"edge": self.edge, "record": self.record, "reason": self.reason, "screening": screening}


def gate(values: dict[str, Any]) -> str:
    """The screening gate before capacity (priority rule: six calendar months of care, original job impossible)."""
    if values.get("dthDt"):
        return "EXCLUDED"
    end = values["yoyEdExpDt"] or values["yoyEdDt"]
    long = calendar_months_fit(values["yoyStDt"], 6, end)
    if long and values["wonjikPosCd"] in ("N", "U"):
        return "CANDIDATE" if values["wonjikPosCd"] == "N" else "REVIEW"
    return "STATUTORY" if long or values["jhGrdExpCd"] not in (0, 99) else "GENERAL"


def invent(n: int, seed: int, base: date, rng: Random) -> Invented:
    """The plain case number `n` of a night."""
    home, (ksco, keco) = rng.choice(people.HOMES), rng.choice(people.OCCUPATIONS)
    values = _person(n, seed, base, rng, home) | _work(rng, ksco) | _course(base, rng)
    values["jcNo"] = f"J{rng.randrange(1, 97):06d}"
    case = Invented(values, _coordinators_entry(values, base, rng, home, keco))
    if rng.random() < 0.12:
        make_foreign(case, rng, base)
    return case


def make_foreign(case: Invented, rng: Random, base: date) -> None:
    """Turn the worker into a foreigner with a Latin name and another language."""
    who = rng.choice(people.FOREIGNERS)
    case.values.update(idTp="2", ntntyCd=who.nationality, korNm=who.hangul, engNm=who.latin)
    if case.entry:
        case.entry["language"] = who.language


def _person(n: int, seed: int, base: date, rng: Random, home: people.Home) -> dict[str, Any]:
    birth = date(base.year - rng.randrange(23, 68), rng.randrange(1, 13), rng.randrange(1, 29))
    return {
        "recTp": "C",
        "chgTp": "I",
        "wonbuNo": f"{base.year}{seed % 9999 + 1:04d}{n:06d}",
        "wonbuVer": 1,
        "psnMgtNo": f"P{seed % 999_999:06d}{n:06d}",
        "idTp": "1",
        "idTok": hashlib.sha256(f"token {seed} {n}".encode()).hexdigest(),
        "brthDt": birth,
        "sexCd": rng.choice("1112"),
        "ntntyCd": "KOR",
        "korNm": rng.choice(people.SURNAMES) + rng.choice(people.GIVEN),
        "telNo": f"010{rng.randrange(10**8):08d}",
        "zipCd": home.postal,
        "stdgCd": home.code,
        "addr": f"{home.street} {rng.randrange(1, 300)}",
        "jisaCd": home.branch,
    }


def _work(rng: Random, ksco: str) -> dict[str, Any]:
    brn = business_number(rng)
    return {
        "wkrTpCd": rng.choices(("01", "02", "03", "04", "09"), (72, 13, 6, 6, 3))[0],
        "saeopjaDrno": brn,
        "saeopjangMgtNo": brn + "0",
        "saeopjangNm": rng.choice(people.EMPLOYERS) + rng.choice(people.EMPLOYER_TAILS),
        "sjEopjongCd": rng.choice(people.INDUSTRIES),
        "kscoCd": ksco,
        "disstGbCd": rng.choices("123", (76, 18, 6))[0],
        "baltCd": rng.choice(("01", "02", "04", "05", "07", "08", "12", "17")),
        "kcdVer": "9",
        "kcdCd": rng.choice(people.DIAGNOSES),
        "pyImgm": rng.randrange(80_000, 250_000),
    }


def _course(base: date, rng: Random) -> dict[str, Any]:
    """Accident, approval, care, grade, the way back: two thirds of care is long, half cannot go back to the old job."""
    start = base - timedelta(rng.randrange(20, 480))
    end = months_later(start, rng.choices((2, 4, 6, 7, 8, 10, 12, 14), (12, 14, 12, 14, 16, 14, 12, 6))[0])
    over = end <= base
    graded = over and rng.random() < 0.5
    expected = 0 if graded or rng.random() < 0.5 else rng.randrange(3, 15)
    return {
        "disstDt": start,
        "aprvDt": min(start + timedelta(rng.randrange(5, 31)), base),
        "yoyStDt": start,
        "yoyEdExpDt": end,
        "yoyEdDt": end if over else None,
        "jhGrdCd": rng.randrange(2, 15) if graded else 0,
        "jhGrdExpCd": expected,
        "jhBuwiCd": f"{rng.randrange(1, 11):02d}" if graded or expected else None,
        "jhDcsnDt": end + timedelta(15) if graded else None,
        "wonjikPosCd": rng.choices("NYU", (55, 37, 8))[0],
        "consYn": "Y",
        "consDt": base - timedelta(10),
        "consEdDt": base + timedelta(730),
        "dthDt": None,
    }


def _coordinators_entry(
    values: dict[str, Any], base: date, rng: Random, home: people.Home, keco: str
) -> dict[str, Any]:
    number = int(values["jcNo"][1:])
    registered = rng.choice(("등록", "등록", "미등록", "미등록", "신청"))
    services: dict[str, list[str]] = {
        "KEIS": [rng.choice(("01", "02"))],
        "KEAD": list(rng.choice(people.KEAD_SERVICES)),
    }
    if (1 <= values["jhGrdCd"] <= 12 or 1 <= values["jhGrdExpCd"] <= 12) and rng.random() < 0.6:
        services["TRN"] = list(rng.choice(people.TRN_SERVICES))
    return {
        "caseNo": values["wonbuNo"],
        "caseVersion": 1,
        "enteredAt": f"{base - timedelta(1)}T14:00:00+09:00",
        "language": "ko",
        "coordinator": {
            "jcNo": values["jcNo"],
            "name": people.SURNAMES[number % len(people.SURNAMES)] + people.GIVEN[number % len(people.GIVEN)],
            "tel": "0226705000",
        },
        "disabReg": registered,
        "disabType": "지체장애" if registered == "등록" else None,
        "disabDegree": "심하지 않은 장애" if registered == "등록" else None,
        "funcProfile": {name: rng.choice("123") for name in ("HANDS", "SIGHT", "FINE", "LIFT", "TALK", "STAND")},
        "occupationKeco": keco,
        "jobWish": {
            "keco": [rng.choice(people.WISHES)],
            "region": [home.region],
            "salTp": "M",
            "minSal": rng.randrange(21, 36) * 100_000,
        },
        "education": rng.choice(("02", "03", "04", "05")),
        "careerMonths": rng.randrange(12, 340),
        "licences": rng.sample(people.LICENCES, rng.choice((0, 1, 1, 2))),
        "availableFrom": (base + timedelta(rng.randrange(7, 60))).isoformat(),
        "services": services,
        "consent": [
            {
                "no": f"C{values['wonbuNo']}",
                "recipients": ["KEIS", "KEAD", "TRN"],
                "thirdParty": True,
                "sensitive": rng.random() < 0.75,
                "uniqueId": False,
                "purpose": "직업복귀 지원 의뢰와 결과 회신",
                "items": ["identity", "contact", "jobWish", "function"],
                "from": values["consDt"].isoformat(),
                "until": values["consEdDt"].isoformat(),
                "method": "서면",
                "textVersion": "2026-1",
                "signer": "self",
                "withdrawnAt": None,
            }
        ],
        "counselling": [
            _talk(base - timedelta(40), "before-acceptance", "medical", "요양 절차 안내"),
            _talk(base - timedelta(5), "after-acceptance", "vocational", "직업복귀 상담"),
        ],
        "memo": "",
    }


def _talk(day: date, phase: str, domain: str, note: str) -> dict[str, str]:
    return {"date": day.isoformat(), "phase": phase, "domain": domain, "note": note}


def business_number(rng: Random) -> str:
    digits = [rng.randrange(1, 10), *(rng.randrange(10) for _ in range(8))]
    total = sum(d * w for d, w in zip(digits, (1, 3, 7, 1, 3, 7, 1, 3, 5), strict=True)) + digits[8] * 5 // 10
    return "".join(map(str, digits)) + str(-total % 10)


def months_later(start: date, months: int) -> date:
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    first = date(year, month + 1, 1)
    last = (first + timedelta(31)).replace(day=1) - timedelta(1)
    return last.replace(day=min(start.day, last.day))
