"""Edge cases: what makes a plain invented case hard, and the verdict a gateway must then reach.

`EDGES` is the program: a label, the verdict on the record (ok, quarantined, no-referral), the reason, the change.
It refuses to hide a resident registration number that could have been issued: its tail 1234567 has a wrong check digit.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any, NamedTuple

from adapters.comwel import synthetic_people as people
from adapters.comwel.synthetic_cases import Invented, make_foreign

_RRN = "880101-1234567"


class Edge(NamedTuple):
    """An edge case: its label, the verdict on the record, the reason, and what it does to a plain case."""

    name: str
    record: str
    reason: str | None
    make: Callable[[Invented, Random, date], None]


def _set(**values: Any) -> Callable[[Invented, Random, date], None]:
    return lambda case, rng, base: case.values.update(values)


def _raw(name: str, data: bytes) -> Callable[[Invented, Random, date], None]:
    return lambda case, rng, base: case.raw.update({name: data})


def _entry(**values: Any) -> Callable[[Invented, Random, date], None]:
    return lambda case, rng, base: (case.entry or {}).update(values)


def _pick(name: str, options: tuple[Any, ...]) -> Callable[[Invented, Random, date], None]:
    return lambda case, rng, base: case.values.update({name: rng.choice(options)})


def _suffix(name: str, text: str) -> Callable[[Invented, Random, date], None]:
    return lambda case, rng, base: case.values.update({name: f"{case.values[name]} {text}"})


def _care(start: date, end: date) -> Callable[[Invented, Random, date], None]:
    def make(case: Invented, rng: Random, base: date) -> None:
        case.values.update(disstDt=start, yoyStDt=start, aprvDt=start + timedelta(9), yoyEdExpDt=end, yoyEdDt=None)
        case.values.update(jhGrdCd=0, jhDcsnDt=None, wonjikPosCd="N")

    return make


def _six_months(spare_days: int) -> Callable[[Invented, Random, date], None]:
    """Care from 31 August: six calendar months end on the last day of February, however short it is."""

    def make(case: Invented, rng: Random, base: date) -> None:
        year = base.year if base > date(base.year, 9, 15) else base.year - 1
        last = date(year + 1, 3, 1) - timedelta(1 + spare_days)
        _care(date(year, 8, 31), last)(case, rng, base)

    return make


def _dead(case: Invented, rng: Random, base: date) -> None:
    case.values["dthDt"] = base - timedelta(3)


def _no_consent(case: Invented, rng: Random, base: date) -> None:
    case.values["consYn"] = "N"
    if case.entry:
        case.entry["consent"] = []


def consent(**changes: Any) -> Callable[[Invented, Random, date], None]:
    def make(case: Invented, rng: Random, base: date) -> None:
        for consent in (case.entry or {}).get("consent", ()):
            consent.update({name: value(base) if callable(value) else value for name, value in changes.items()})

    return make


def _expired(case: Invented, rng: Random, base: date) -> None:
    case.values["consEdDt"] = base - timedelta(1)
    consent(until=lambda day: (day - timedelta(1)).isoformat())(case, rng, base)


def withdrawn_at(base: date) -> str:
    """A withdrawal on the morning before the night."""
    return f"{base - timedelta(1)}T09:00:00+09:00"


def _ward(case: Invented, rng: Random, base: date) -> None:
    if case.entry:
        since = (base - timedelta(200)).isoformat()
        name = rng.choice(people.SURNAMES) + rng.choice(people.GIVEN)
        case.entry["representative"] = [
            {"name": name, "relation": "성년후견인", "tel": "0226705001", "from": since, "mandateNo": "2026후견1"}
        ]
    consent(signer="legal-representative")(case, rng, base)


def _reopened(case: Invented, rng: Random, base: date) -> None:
    case.values["wonbuVer"] = 2
    if case.entry:
        case.entry["caseVersion"] = 2


def _pending(case: Invented, rng: Random, base: date) -> None:
    case.values.update(jhGrdCd=99, jhDcsnDt=None)


def _no_entry(case: Invented, rng: Random, base: date) -> None:
    case.entry = None


def _tomorrow(case: Invented, rng: Random, base: date) -> None:
    case.values["disstDt"] = base + timedelta(1)


def _short(case: Invented, rng: Random, base: date) -> None:
    case.cut = 3


def _no_approval(case: Invented, rng: Random, base: date) -> None:
    case.values["aprvDt"] = None


def _gig(case: Invented, rng: Random, base: date) -> None:
    case.values.update(wkrTpCd="04", saeopjaDrno=None, saeopjangMgtNo=None)
    if case.entry:
        case.entry["gigOccupation"] = "택배"


def _long_name(case: Invented, rng: Random, base: date) -> None:
    case.values["korNm"] = rng.choice(people.LONG_SURNAMES) + rng.choice(people.GIVEN)


_NFD = unicodedata.normalize("NFD", "용접기능사")
_HANGUL_RRN = "번호 팔팔공일공일 일이삼사오육칠"
EDGES = (
    #    label                       record         reason       what it does
    Edge("undecodable-name", "quarantined", "E-ENC", _raw("korNm", b"\xb1\xe8\xff\xfe")),
    Edge("half-syllable", "quarantined", "E-ENC", _raw("korNm", b"\xb1\xe8" * 24 + b"\xb1 ")),
    Edge("euc-kr-name", "quarantined", "E-ENC", _raw("korNm", people.EUC_KR_NAME)),
    Edge("wrong-length", "quarantined", "E-LEN", _short),
    Edge("rrn-in-address", "quarantined", "E-RRN", _suffix("addr", _RRN)),
    Edge("rrn-in-workplace", "quarantined", "E-RRN", _suffix("saeopjangNm", "８８０１０１１２３４５６７")),
    Edge("impossible-date", "quarantined", "E-DATE", _raw("brthDt", b"19810230")),
    Edge("unknown-birth", "quarantined", "E-DATE", _raw("brthDt", b"19000101")),
    Edge("future-accident", "quarantined", "E-DATE", _tomorrow),
    Edge("unknown-code", "quarantined", "E-CODE", _set(wonjikPosCd="Z")),
    Edge("bad-brn", "quarantined", "E-CODE", _set(saeopjaDrno="1234567890")),
    Edge("consent-no", "no-referral", "E-CONSENT", _no_consent),
    Edge("consent-expired", "no-referral", "E-CONSENT", _expired),
    Edge("consent-withdrawn", "no-referral", "E-CONSENT", consent(withdrawnAt=withdrawn_at)),
    Edge("not-yet-approved", "no-referral", "E-LB", _no_approval),
    Edge("no-entry", "no-referral", "E-NOENTRY", _no_entry),
    Edge("rrn-in-memo", "no-referral", "E-RRN", _entry(memo=f"주민번호 {_RRN.replace('-', '')} 확인")),
    Edge("fullwidth-rrn-in-memo", "no-referral", "E-RRN", _entry(memo="본인 ８８０１０１－１２３４５６７")),
    Edge("hangul-rrn-in-memo", "no-referral", "E-RRN", _entry(memo=_HANGUL_RRN)),
    Edge("rrn-in-licence", "no-referral", "E-RRN", _entry(licences=["용접기능사", f"자격번호 {_RRN}"])),
    Edge("no-sensitive-consent", "ok", None, consent(sensitive=False)),
    Edge("rare-syllable", "ok", None, _pick("korNm", people.RARE_NAMES)),
    Edge("compat-hanja", "ok", None, _pick("korNm", people.HANJA_NAMES)),
    Edge("two-syllable-surname", "ok", None, _long_name),
    Edge("foreigner", "ok", None, make_foreign),
    Edge("deceased", "ok", None, _dead),
    Edge("six-months-exact", "ok", None, _six_months(0)),
    Edge("six-months-minus-one-day", "ok", None, _six_months(1)),
    Edge("abolished-region", "ok", None, _pick("stdgCd", ("4211010100", "4511110100"))),
    Edge("unmapped-region", "ok", None, _pick("stdgCd", ("9911010100", "0000000000"))),
    Edge("day-labourer", "ok", None, _set(wkrTpCd="02")),
    Edge("gig-worker", "ok", None, _gig),
    Edge("no-phone", "ok", None, _set(telNo=None)),
    Edge("odd-phone", "ok", None, _set(telNo="12345")),
    Edge("landline", "ok", None, _set(telNo="0322705000")),
    Edge("grade-pending", "ok", None, _pending),
    Edge("reopened-care", "ok", None, _reopened),
    Edge("mind", "ok", None, _pick("kcdCd", people.MIND)),
    Edge("ward", "ok", None, _ward),
    Edge("phone-in-memo", "ok", None, _entry(memo="보호자 010-2345-6789, 2026-11-23 통화")),
    Edge("decomposed-text", "ok", None, _entry(licences=[_NFD])),
    Edge("impossible-entry-date", "ok", None, _entry(availableFrom="2026-02-30")),
    Edge("unknown-entry-code", "ok", None, _entry(education="99", disabType="알수없음")),
)
