"""The coordinator's entry, read field by field into canonical names.

`ENTRY` is the program: one row a field, with the name COMWEL's new systems use (hand-over A6), the canonical name and
what a good value is (`gateway.cases.reading`). A value that is not good spoils its field alone: the field is left out
and a data-quality note says which rule it broke, never what it was. `null`, "" and [] mean the field is absent.

It refuses to guess: no code is corrected, no date repaired, no half consent completed. A withdrawal that cannot be
read, or stands in a consent that cannot be read whole, takes all consents of the entry with it, because it may have
ended any of them (PIPA 37). A representative who cannot be read, or until when, takes all consents along that are not
withdrawn: perhaps the worker could not sign alone, or the mandate was over (PIPA 22-2).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from gateway.cases.reading import (
    At,
    FlawError,
    Note,
    Read,
    day,
    email,
    empty,
    form,
    kcd,
    many,
    moment,
    one_of,
    parts,
    phone,
    region,
    take,
    text,
    whole,
    yes_no,
)
from gateway.korea import KST


class Row(NamedTuple):
    """One field of the entry: its name there, its canonical name, and how it is read."""

    name: str
    canonical: str
    read: Read


_DISABILITIES = [
    "지체장애",
    "뇌병변장애",
    "시각장애",
    "청각장애",
    "언어장애",
    "안면장애",
    "신장장애",
    "심장장애",
    "간장애",
    "호흡기장애",
    "장루·요루장애",
    "뇌전증장애",
    "지적장애",
    "자폐성장애",
    "정신장애",
]
_FUNCTIONS = ("HANDS", "SIGHT", "FINE", "LIFT", "TALK", "STAND")
_PARTNER, _BRN = form(r"[A-Z]{2,8}"), form(r"[0-9]{10}")
_CONSENT = parts(
    {
        "no": text(30),
        "recipients": many(_PARTNER),
        "thirdParty": yes_no,
        "sensitive": yes_no,
        "uniqueId": yes_no,
        "purpose": text(100),
        "items": many(text(30)),
        "from": day,
        "until": day,
        "method": text(20),
        "textVersion": text(20),
        "signer": one_of("self", "legal-representative", "delegate"),
    },
    {"withdrawnAt": moment},
)
_PERIOD = {"from": day, "until": day}

ENTRY = (
    #   name there        canonical         what a good value is
    Row("language", "language", form(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")),
    Row("coordinator", "coordinator", parts({"jcNo": form(r"J[0-9]{6}")}, {"name": text(30), "tel": phone})),
    Row("disabReg", "disabReg", one_of("등록", "신청", "미등록", "상이", "불가")),
    Row("disabType", "disabType", one_of(*_DISABILITIES)),
    Row("disabDegree", "disabDegree", one_of("심한 장애", "심하지 않은 장애")),
    Row("occupationKeco", "occupationKeco", form(r"[0-9]{2,6}")),
    Row("education", "education", one_of("00", "01", "02", "03", "04", "05", "06", "07")),
    Row("careerMonths", "careerMonths", whole(0, 720)),
    Row("licences", "licences", many(text(60), 10)),
    Row("availableFrom", "availableFrom", day),
    Row(
        "counselling",
        "counselling",
        many(
            parts(
                {
                    "date": day,
                    "phase": one_of("before-acceptance", "after-acceptance"),
                    "domain": one_of("medical", "social", "vocational", "psychological"),
                },
                {"note": text(500)},
            )
        ),
    ),
    Row("memo", "memo", text(500)),
    # what only the new systems know; COMWEL hands it over under its canonical name
    Row("nameFamily", "nameFamily", text(30)),
    Row("nameGiven", "nameGiven", text(50)),
    Row("nameOld", "nameOld", many(text(60))),
    Row("stayStatus", "stayStatus", parts({"code": form(r"[A-Z]-[0-9]{1,2}(-[0-9A-Z]{1,2})?")}, {"until": day})),
    Row("phone", "phone", many(phone, 2)),
    Row("safePhone", "safePhone", yes_no),
    Row("email", "email", email),
    Row("noFixedAddress", "noFixedAddress", yes_no),
    Row(
        "representative",
        "representative",
        many(parts({"name": text(60), "relation": text(30)}, {"tel": phone, **_PERIOD, "mandateNo": text(30)})),
    ),
    Row("gigOccupation", "gigOccupation", text(30)),
    Row("employerSize", "employerSize", whole(0, 9_999_999)),
    Row("employerAlive", "employerAlive", one_of("active", "closed", "bankrupt")),
    Row(
        "multiEmployer",
        "multiEmployer",
        many(parts({"kind": one_of("main", "concurrent")}, {"brn": _BRN, "name": text(60)})),
    ),
    Row("thirdParty", "thirdParty", yes_no),
    Row(
        "diagnoses",
        "diagnoses",
        many(parts({"kcdVersion": one_of("8", "9"), "code": kcd, "role": one_of("sub", "additional")}, {})),
    ),
    Row("laterality", "laterality", one_of("L", "R", "B")),
    Row("hospital", "hospital", many(form(r"[0-9]{8}"))),
    Row("restrictions", "restrictions", many(text(200))),
    Row("rtwPlan", "rtwPlan", parts({"status": one_of("submitted", "accepted", "changed")}, {"id": text(40)})),
    Row("workCapEval", "workCapEval", one_of("적합", "조건부", "부적합")),
    Row("benefits", "benefits", many(parts({"code": form(r"BEN-[0-9]{2}P?")}, _PERIOD))),
    Row("subsidies", "subsidies", many(parts({"kind": text(40), "from": day}, {"until": day, "employerBrn": _BRN}))),
)


def canonical(entry: Mapping[str, Any]) -> tuple[dict[str, Any], list[Note]]:
    """The entry in canonical names, and notes about every field that had to be left out."""
    fields: dict[str, Any] = {}
    notes: list[Note] = []
    at = At(notes)
    for row in ENTRY:
        value = entry.get(row.name)
        if not empty(value):
            take(fields, row.canonical, row.read, value, at)
    for name, read in (("funcProfile", _functions), ("services", _services), ("consent", _consents)):
        if not empty(entry.get(name)):
            take(fields, name, read, entry[name], at)
    if not empty(entry.get("jobWish")):
        take(fields, "jobWish", _wish(entered_on(entry)), entry["jobWish"], at)
    if _is_unread(entry.get("representative"), fields.get("representative", [])) and "consent" in fields:
        notes.append({"code": "E-CODE", "field": "consent", "note": "a representative cannot be read: none is used"})
        take(fields, "consent", _withdrawn, fields.pop("consent"), at)
    return fields, notes


def _is_unread(told: object, read: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a representative, or the day until which one may act, is not among what was read."""
    if empty(told):
        return False
    if not isinstance(told, list) or len(told) != len(read):
        return True
    return any("until" not in kept and not empty(one.get("until")) for one, kept in zip(told, read, strict=True))


def _withdrawn(consents: list[dict[str, Any]], at: At) -> list[dict[str, Any]]:
    return [consent for consent in consents if "withdrawnAt" in consent]


def entered_on(entry: Mapping[str, Any]) -> date | None:
    """The day on which the entry was made, in Korea, or None when it does not say."""
    try:
        made = datetime.fromisoformat(str(entry.get("enteredAt")))
        return made.astimezone(KST).date() if made.tzinfo else made.date()
    except (ValueError, OverflowError):
        return None


_FUNCTION = many(parts({"function": one_of(*_FUNCTIONS), "level": one_of("1", "2", "3")}, {}))
_SERVICE = many(parts({"partner": _PARTNER, "codes": many(text(40))}, {}))
_ALL_CONSENTS = many(_CONSENT)


def _functions(value: Any, at: At) -> list[dict[str, Any]]:
    """{"HANDS": "2", …} → [{"function": "HANDS", "level": "2"}, …]"""
    found: list[dict[str, Any]] = _FUNCTION([{"function": f, "level": v} for f, v in _items(value)], at)
    return found


def _services(value: Any, at: At) -> list[dict[str, Any]]:
    """{"KEIS": ["01"], …} → [{"partner": "KEIS", "codes": ["01"]}, …]"""
    wanted = [{"partner": partner, "codes": codes} for partner, codes in _items(value) if not empty(codes)]
    return [service for service in _SERVICE(wanted, at) if service["codes"]]


def _items(value: Any) -> Collection[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise FlawError("E-CODE", "not an object")
    return value.items()


def _consents(value: Any, at: At) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise FlawError("E-CODE", "not a list")
    withdrawn = [one for one in value if isinstance(one, dict) and not empty(one.get("withdrawnAt"))]
    for consent in withdrawn:
        try:
            moment(consent["withdrawnAt"], at)
        except FlawError:
            raise FlawError("E-DATE", "a withdrawal cannot be read: no consent of this entry is used") from None
    kept = [consent for consent in _ALL_CONSENTS(value, at) if consent["recipients"] and consent["items"]]
    whole = [consent["recipients"] for consent in kept if "withdrawnAt" in consent]
    if whole != [consent.get("recipients") for consent in withdrawn]:  # one is left out, or whom it was given for
        raise FlawError("E-CODE", "a withdrawn consent cannot be read: no consent of this entry is used")
    return kept


@lru_cache(maxsize=64)
def _wish(on: date | None) -> Read:
    """salTp and minSal are wageType and minWage here."""
    return parts(
        {},
        {
            "keco": many(form(r"[0-9]{2,6}"), 3),
            "region": many(region(on or date.max), 3),
            "salTp": one_of("H", "D", "M", "Y"),
            "minSal": whole(0, 999_999_999),
            "contract": many(one_of("INDEFINITE", "INDEFINITE_PT", "FIXED", "FIXED_PT", "DISPATCH")),
        },
        {"salTp": "wageType", "minSal": "minWage"},
    )
