"""Consent: whether the worker's permission can carry a message to one recipient at one moment (R-07 … R-11).

A consent is usable when every element the law asks for is there (PIPA 17②, 22①; decree 17②), it names the recipient
and third-party provision, the Korean calendar day lies in its period (the last day counts to 23:59:59 KST), whoever
signed could sign, and nobody has withdrawn it, also before it began. A withdrawal also ends every other consent to the
same recipient given up to that day: what was given on the day itself cannot be told apart, and is asked for again
(R-08). A guardian since no known day keeps a ward from signing alone, and cannot sign either.
COMWEL's own record of consent can only take away: an N, or a period that does not hold today, refuses.
It refuses to complete, to extend, or to infer a consent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from gateway.cases.facts import completed_years
from gateway.cases.legal_basis import ConsentTerms
from gateway.errors import ConsentMissing, Place
from gateway.korea import KST

_ELEMENTS = ("no", "recipients", "purpose", "items", "from", "until", "method", "textVersion", "signer")
_WITHDRAWN = "it has been withdrawn"


def find(
    record: Mapping[str, Any],
    partner: str,
    terms: ConsentTerms,
    at: datetime,
    comwel: Mapping[str, str] | None = None,
) -> Mapping[str, Any]:
    """The youngest usable consent of `record` to `partner` (its id, "KEIS") at the moment `at` (aware).

    `comwel` is COMWEL's own record {"yn": "Y" | "N", "from"?, "until"?} (ISO dates) when it handed one over.
    ConsentMissing says for each consent to this partner why it cannot be used, without naming the person.
    """
    day = at.astimezone(KST).date()
    if comwel and (why := _comwel_says_no(comwel, day)):
        raise ConsentMissing(why, place=Place(field="consYn"))
    named = [c for c in record.get("consent", ()) if partner in c.get("recipients", ())]
    if not named:
        raise ConsentMissing(f"none names {partner}", place=Place(field="consent"))
    withdrawn = _last_withdrawal(named, at)
    flaws = [_WITHDRAWN if _is_withdrawn(c, at) else flaw(c, record, terms, day, withdrawn) for c in named]
    usable = [c for c, why in zip(named, flaws, strict=True) if why is None]
    if not usable:
        raise ConsentMissing("; ".join(why for why in flaws if why), place=Place(field="consent"))
    return max(usable, key=lambda c: (c["from"], c["no"]))


def flaw(
    consent: Mapping[str, Any],
    record: Mapping[str, Any],
    terms: ConsentTerms,
    day: date,
    withdrawn: date | None = None,
) -> str | None:
    """Why this consent cannot be used on the Korean calendar day `day`, or None.

    `withdrawn` is the day of the last withdrawal; whether this very consent was withdrawn is asked before.
    """
    missing = [name for name in _ELEMENTS if not consent.get(name)]
    if missing:
        return f"it lacks {', '.join(missing)}"
    if consent.get("thirdParty") is not True:
        return "it does not permit provision to third parties"
    if consent["method"] not in terms.methods:
        return "it was not given in a way decree 17② knows"
    start, end = date.fromisoformat(consent["from"]), date.fromisoformat(consent["until"])
    if withdrawn and start <= withdrawn:
        return _WITHDRAWN
    if day < start:
        return "its period has not begun"
    if day > end:
        return "its period has passed"
    return _signer_flaw(consent["signer"], start, record, terms)


def _signer_flaw(signer: str, signed: date, record: Mapping[str, Any], terms: ConsentTerms) -> str | None:
    """Whether whoever signed could sign on the day `signed` (decree 45; PIPA 22-2)."""
    representatives = record.get("representative", ())
    mandated = [r for r in representatives if r.get("from") and _may_cover(r, signed)]
    if signer == "legal-representative":
        return None if mandated else "no representative with a mandate for that day is on record"
    if signer == "delegate":
        return (
            None if any(r.get("mandateNo") for r in mandated) else "no delegate with a 위임장 for that day is on record"
        )
    if signer != "self":
        return "nobody known signed it"
    if completed_years(date.fromisoformat(record["birthDate"]), signed) < terms.child_years:
        return "a child cannot sign alone"
    if any(r["relation"] in terms.wards and _may_cover(r, signed) for r in representatives):
        return "a ward cannot sign alone"
    return None


def _may_cover(representative: Mapping[str, Any], day: date) -> bool:
    """Whether the mandate holds on that day, as far as its beginning and its end are known."""
    start, end = representative.get("from"), representative.get("until")
    return not (start and day < date.fromisoformat(start)) and not (end and day > date.fromisoformat(end))


def withdrawn(consents: Iterable[Any], partner: str, at: datetime, comwel: Mapping[str, str] | None = None) -> bool:
    """Whether a consent to `partner` was taken back by the moment `at` and none was given since, or COMWEL says N.

    `consents` may be as they were handed over: a withdrawal that cannot be read counts, and so does one to recipients
    that cannot be read. Whether what was given since carries is for `find` to say.
    """
    if (comwel or {}).get("yn") == "N":
        return True
    named = [c for c in consents if isinstance(c, Mapping) and _may_name(c, partner)]
    ended = [day for c in named if (day := _withdrawn_on(c, at))]
    since = [day for c in named if not _withdrawn_on(c, at) and (day := _day(c.get("from")))]
    return bool(ended) and max(since, default=date.min) <= max(ended)


def _may_name(consent: Mapping[str, Any], partner: str) -> bool:
    recipients = consent.get("recipients")
    return not isinstance(recipients, list) or partner in recipients


def _withdrawn_on(consent: Mapping[str, Any], at: datetime) -> date | None:
    """The Korean day on which it was withdrawn, the last there is for one that cannot be read; None before that."""
    said = consent.get("withdrawnAt")
    if not said:
        return None
    try:
        moment = _moment(str(said))
    except ValueError:
        return date.max
    return moment.astimezone(KST).date() if moment <= at else None


def _day(said: object) -> date | None:
    try:
        return date.fromisoformat(str(said))
    except ValueError:
        return None


def turns(record: Mapping[str, Any], comwel: Mapping[str, str] | None = None) -> Iterator[datetime]:
    """The moments at which time alone begins or ends what `find` may use: periods, withdrawals, COMWEL's own record."""
    for one in (*record.get("consent", ()), comwel or {}):
        if start := one.get("from"):
            yield midnight(date.fromisoformat(start))
        if (until := one.get("until")) and (last := date.fromisoformat(until)) < date.max:
            yield midnight(last + timedelta(1))
        if withdrawn := one.get("withdrawnAt"):
            yield _moment(withdrawn)


def midnight(day: date) -> datetime:
    """When a day begins in Korea."""
    return datetime(day.year, day.month, day.day, tzinfo=KST)


def _comwel_says_no(comwel: Mapping[str, str], day: date) -> str | None:
    if comwel.get("yn") == "N":
        return "COMWEL's record says N"
    if (start := comwel.get("from")) and day < date.fromisoformat(start):
        return "the period in COMWEL's record has not begun"
    if (end := comwel.get("until")) and day > date.fromisoformat(end):
        return "the period in COMWEL's record has passed"
    return None


def _is_withdrawn(consent: Mapping[str, Any], at: datetime) -> bool:
    return bool(consent.get("withdrawnAt")) and _moment(consent["withdrawnAt"]) <= at


def _last_withdrawal(consents: Iterable[Mapping[str, Any]], at: datetime) -> date | None:
    ended = (_moment(c["withdrawnAt"]) for c in consents if _is_withdrawn(c, at))
    return max((moment.astimezone(KST).date() for moment in ended), default=None)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=KST)
