"""Disclose: what may leave to one partner at this moment, and how that partner sees it.

Rules: permission is asked of the case as it is now, every time anew (PIPA 17, 23; R-08); what may leave is narrowed to
what the agreement and the consent name, in the forms they allow; a partner knows a worker and a consent by names that
no other partner knows.
Refuses to remember a permission: whoever sends later asks later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.cases.permission import Permission, narrow, permit
from gateway.documents.strict_json import reread
from gateway.errors import PartnerEnded
from gateway.journey.world import World
from gateway.partners.profile import Profile
from gateway.partners.pseudonym import pairwise_consent
from gateway.ports import CaseRow, LegRow
from gateway.referrals.numbers import parse

NEEDS_PERMISSION = frozenset({"referral.created", "referral.changed"})
"""Message types that carry personal data beyond ids; a cancellation or withdrawal must leave even without consent."""


def permission_now(world: World, case: CaseRow, record: Mapping[str, Any], partner: str) -> Permission:
    """What may leave to a partner at this moment of business time. Raises PermissionRefused."""
    facts, at = reread(case.facts) if case.facts else {}, world.clock.business_now()
    return permit(
        record,
        entry_state=case.entry_state,
        partner=world.know.profiles[partner],
        bases=world.know.law(at),
        at=at,
        a1_consent=facts.get("a1Consent"),
    )


def disclosed(world: World, record: Mapping[str, Any], permission: Permission, leg: LegRow) -> dict[str, Any]:
    """The record as one partner may see it: narrowed, and under names that only this partner knows."""
    entry = partner_entry(world, leg)
    own = {"partnerPersonId": leg.person_id, "referral": entry, "referralStatus": "requested"}
    narrowed = narrow(record, permission, own)
    if "consent" in narrowed and leg.consent_no:
        narrowed["consent"] = [narrowed["consent"][0] | {"no": entry["consentNo"]}]
    return narrowed


def partner_entry(world: World, leg: LegRow) -> dict[str, Any]:
    """The `referral` entry of one leg for its partner, who knows the consent by a name of its own."""
    return referral_entry(leg) | ({"consentNo": consent_name(world, leg)} if leg.consent_no else {})


def consent_name(world: World, leg: LegRow) -> str:
    """The consent as this one partner knows it; COMWEL's own number would let two partners link the worker."""
    profile = profile_of(world, leg)
    return pairwise_consent(world.secret(leg.partner), profile.code, leg.consent_no or "")


def profile_of(world: World, leg: LegRow) -> Profile:
    """The profile of a leg's owner. Raises PartnerEnded when it was taken away while the leg was open."""
    try:
        return world.know.profiles[leg.partner]
    except KeyError:
        raise PartnerEnded from None


def referral_entry(leg: LegRow) -> dict[str, Any]:
    """What the case record says about one leg: an entry of its `referral` list."""
    entry = {
        "no": leg.ref_no,
        "requestNo": leg.request_no,
        "partner": leg.partner,
        "services": list(leg.services),
        "legalBasis": leg.legal_basis,
        "consentNo": leg.consent_no,
        "authoredOn": parse(leg.ref_no).day.isoformat() + "T00:00:00+09:00",
        "firstAnswerDue": leg.first_answer_due.isoformat(),
        "resultDue": leg.result_due.isoformat(),
        "urgency": "routine",
    }
    return {name: value for name, value in entry.items() if value is not None}
