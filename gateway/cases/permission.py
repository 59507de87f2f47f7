"""Permission: what of one case may leave to one partner now, and why the rest may not (R-02).

1. The coordinator's entry is there and held no resident registration number.          E-RRN, E-NOENTRY
2. A usable consent names this partner (`consent.find`).                               E-CONSENT
3. The legal basis carries a message to this kind of partner, and the claim is approved. E-LB
4. Fields = the partner's allow-list ∩ the legal basis ∩ the consent: separate consent for health (C1) and unique
   identifiers (C2, off unless the agreement turns it on), the consent's items, and what stays back in delicate cases.
5. `narrow` copies those fields, in the narrow form the agreement names, into a new record of one leg.

Checked at SEND time with the moment of sending. It refuses to remember a permission: ask again for every message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from gateway.cases import consent as consents
from gateway.cases.decision import Decision, may_refer
from gateway.cases.forms import FORMS, copied
from gateway.cases.legal_basis import LegalBases, LegalBasis
from gateway.errors import (
    ConsentMissing,
    EntryHoldsResidentNumber,
    EntryMissing,
    LegalBasisMissing,
    PermissionRefused,
    Place,
)
from gateway.korea import KST

__all__ = [
    "Decision",
    "EntryState",
    "PartnerTerms",
    "Permission",
    "holds_until",
    "may_refer",
    "narrow",
    "permit",
    "verdict",
    "withheld",
]


class EntryState(StrEnum):
    """What became of the Job Coordinator's entry for a case."""

    PRESENT = "present"
    MISSING = "missing"  # there is none, or one that makes no valid record
    HELD_RRN = "held-rrn"  # refused: it held a resident registration number


class PartnerTerms(Protocol):
    """What permission needs to know of a partner; `gateway.partners` profiles fit.

    `id` as consents name it ("KEIS"), `kind` as legal bases name it, `allow` field → form ("Y", "C1", "Y(name,tel)" …),
    `withhold` field → the agreement's reason for keeping it back, `unique_ids` whether C2 is turned on.
    """

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def legal_basis_out(self) -> str: ...
    @property
    def allow(self) -> Mapping[str, str]: ...
    @property
    def withhold(self) -> Mapping[str, str]: ...
    @property
    def unique_ids(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Permission:
    """What may leave to `partner` now; why the rest may not says `withheld`."""

    partner: str
    legal_basis: str
    consent_no: str | None  # None: the legal basis needs no consent
    fields: frozenset[str]
    consent: Mapping[str, Any] | None  # the consent itself, for `narrow`
    forms: Mapping[str, str]  # field → the narrow form it leaves in


def permit(
    record: Mapping[str, Any],
    *,
    entry_state: str,
    partner: PartnerTerms,
    bases: LegalBases,
    at: datetime,
    a1_consent: Mapping[str, str] | None = None,
) -> Permission:
    """What of the canonical case record may leave to `partner` at the moment `at` (aware UTC).

    Raises EntryHoldsResidentNumber, EntryMissing, ConsentMissing or LegalBasisMissing, in this order.
    """
    rule = _field_rule(record, entry_state, partner, bases, at, a1_consent)
    fields = frozenset(name for name in partner.allow if rule.why_withheld(name) is None)
    return Permission(
        partner=partner.id,
        legal_basis=rule.basis.id,
        consent_no=rule.consent["no"] if rule.consent else None,
        fields=fields,
        consent=rule.consent,
        forms={name: partner.allow[name] for name in fields},
    )


def withheld(
    record: Mapping[str, Any],
    *,
    entry_state: str,
    partner: PartnerTerms,
    bases: LegalBases,
    at: datetime,
    a1_consent: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Each field the case has that may not leave to `partner` at the moment `at`, and why not.

    Raises as `permit`. It asks about every field again: for who wants to know why, not for sending.
    """
    rule = _field_rule(record, entry_state, partner, bases, at, a1_consent)
    return {name: reason for name in record if (reason := rule.why_withheld(name))}


def _field_rule(
    record: Mapping[str, Any],
    entry_state: str,
    partner: PartnerTerms,
    bases: LegalBases,
    at: datetime,
    a1_consent: Mapping[str, str] | None,
) -> _FieldRule:
    """What decides about each field. Raises as `permit`."""
    require_entry(entry_state)
    consent = None
    if _needs_consent(bases, partner):
        consent = consents.find(record, partner.id, bases.consent, at, a1_consent)
    basis = bases.ground(partner.legal_basis_out, partner.kind)
    day = at.astimezone(KST).date()
    if basis.needs_approval and not _approved(record, day):
        raise LegalBasisMissing("the claim is not approved", place=Place(field="approvalDate"))
    covered = bases.consent.covered(consent["items"]) if consent else None
    return _FieldRule(partner, basis, bases, consent, covered, bases.consent.delicate.concerns(record), day)


def require_entry(entry_state: str) -> None:
    """Refuse when the coordinator's entry is missing or held a resident registration number."""
    if entry_state == EntryState.HELD_RRN:
        raise EntryHoldsResidentNumber
    if entry_state != EntryState.PRESENT:
        raise EntryMissing


def verdict(
    record: Mapping[str, Any] | None,
    *,
    entry_state: str,
    partners: Iterable[PartnerTerms],
    bases: LegalBases,
    at: datetime,
    a1_consent: Mapping[str, str] | None = None,
) -> tuple[str, str | None]:
    """The permission verdict of a case: ("ok", None), or ("no-referral", first of E-RRN E-NOENTRY E-CONSENT E-LB).

    ok when it may go to at least one partner whose services are requested (of all `partners` when none is requested).
    """
    try:
        require_entry(entry_state)
    except PermissionRefused as refused:
        return "no-referral", refused.code
    known = tuple(partners)
    wanted = {s["partner"] for s in (record or {}).get("services", ())}
    asked = [p for p in known if p.id in wanted] or known
    refusals: list[PermissionRefused] = []
    for partner in asked:
        try:
            permit(record or {}, entry_state=entry_state, partner=partner, bases=bases, at=at, a1_consent=a1_consent)
        except PermissionRefused as refused:
            refusals.append(refused)
        else:
            return "ok", None
    # a consent that carries to one partner is a consent: only what is left to refuse there counts
    furthest = max(refusals, key=lambda r: _ORDER.index(type(r)), default=LegalBasisMissing())
    return "no-referral", furthest.code


_ORDER = (ConsentMissing, LegalBasisMissing)


def holds_until(
    record: Mapping[str, Any], at: datetime, a1_consent: Mapping[str, str] | None = None
) -> datetime | None:
    """The first moment after `at` at which time alone may permit or refuse another partner; None: there is none.

    Which fields of a delicate case leave may change on other days, too: that is asked at SEND time.
    """
    moments = [*consents.turns(record, a1_consent)]
    if approval := record.get("approvalDate"):
        moments.append(consents.midnight(date.fromisoformat(approval)))
    return min((m for m in moments if m > at and m.year < date.max.year), default=None)


def _needs_consent(bases: LegalBases, partner: PartnerTerms) -> bool:
    basis = bases.bases.get(partner.legal_basis_out)
    return basis is None or basis.needs_consent


def _approved(record: Mapping[str, Any], day: date) -> bool:
    approval = record.get("approvalDate")
    return approval is not None and date.fromisoformat(approval) <= day


# ── which fields ─────────────────────────────────────────────────────────────────────────────────────────────────────
class _FieldRule(NamedTuple):
    partner: PartnerTerms
    basis: LegalBasis
    bases: LegalBases
    consent: Mapping[str, Any] | None
    covered: frozenset[str] | None  # fields the consent's items name; None: no consent needed
    delicate: bool
    day: date

    def why_withheld(self, name: str) -> str | None:
        """Why this field may not leave, or None."""
        return self._agreement(name) or self._law(name) or self._words_of_consent(name)

    def _agreement(self, name: str) -> str | None:
        if name == "deceasedDate":
            return "a death ends the exchange; its date is told to nobody"
        form = self.partner.allow.get(name)
        if form is None:
            return self.partner.withhold.get(name, f"the agreement with {self.partner.id} does not name it")
        return None if form in FORMS else "the agreement names no form in which it may leave"

    def _law(self, name: str) -> str | None:
        form = self.partner.allow[name]
        if not self.basis.allows(name, self.bases.classes.get(name, "")):
            return f"{self.basis.id} does not cover it"
        if "C2" in form and not (self.partner.unique_ids and self._given("uniqueId")):
            return "unique identifiers need an agreement and a separate consent (PIPA 24①1)"
        if "C1" in form and not self._given("sensitive"):
            return "health needs a separate consent (PIPA 23①1)"
        return None

    def _words_of_consent(self, name: str) -> str | None:
        if self.covered is not None and name not in self.covered:
            return "the consent's items do not name it"
        if self.delicate and name in self.bases.consent.delicate.fields and not self._fresh():
            return "a delicate case needs a fresh consent for it"
        return None

    def _given(self, flag: str) -> bool:
        return bool(self.consent) and (self.consent or {}).get(flag) is True

    def _fresh(self) -> bool:
        if not self.consent:
            return False
        oldest = self.day - timedelta(self.bases.consent.delicate.fresh_days)
        return date.fromisoformat(self.consent["from"]) >= oldest


# ── in which form ────────────────────────────────────────────────────────────────────────────────────────────────────
_OF_THE_LEG = frozenset({"partnerPersonId", "referral", "referralStatus", "consent", "services"})


def narrow(record: Mapping[str, Any], permission: Permission, leg: Mapping[str, Any]) -> dict[str, Any]:
    """A new record that holds what may leave to one partner, and nothing of the other legs.

    `leg` is {"partnerPersonId": "PKE-…", "referral": the leg's `referral` entry, "referralStatus"?: its status}.
    `partnerPersonId`, `referral` and `consent` hold exactly one entry, `services` this partner's.
    What is empty is absent.
    """
    narrowed = {
        name: FORMS[permission.forms[name]](value)
        for name, value in record.items()
        if name in permission.fields and name not in _OF_THE_LEG
    }
    own = {
        "partnerPersonId": [{"partner": permission.partner, "id": leg["partnerPersonId"]}],
        "referral": [copied(dict(leg["referral"]))],
        "referralStatus": leg.get("referralStatus"),
        "consent": [FORMS["no,until"](permission.consent)] if permission.consent else [],
        "services": [copied(s) for s in record.get("services", ()) if s["partner"] == permission.partner],
    }
    narrowed |= {name: value for name, value in own.items() if name in permission.fields}
    return {name: value for name, value in narrowed.items() if value not in (None, [], {})}
