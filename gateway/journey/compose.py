"""Compose: one message to the owner of a leg, mapped, checked and sealed.

Rules: a message is sealed once, so every attempt carries the same proof; it names the map it was made with, and the
fields that it discloses. Refuses what does not keep to the partner's schema, and to find out what may be disclosed: the
source is narrowed already (`gateway.journey.disclose`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from gateway.journey.disclose import profile_of
from gateway.journey.translate import Translated, translate
from gateway.journey.world import US, World, iso
from gateway.partners.profile import Profile
from gateway.partners.pseudonym import pairwise_case
from gateway.ports import LegRow, MessageRow
from gateway.sealing import manifest
from gateway.sealing.manifest import Manifest


def compose(
    world: World,
    leg: LegRow,
    map_name: str,
    kind: str,
    source: Mapping[str, Any],
    seq: int,
    now: datetime,
    **more: Any,
) -> MessageRow:
    """Map, check and seal one message to the owner of a leg. Raises MappingFailed, DocumentInvalid or PartnerEnded.

    `source` is a narrowed case record: its fields are what the message may disclose, and are kept with it.
    """
    profile = profile_of(world, leg)
    mid = world.ids()
    translated = _checked(world, profile, map_name, source, own_params(world, leg.partner, mid, now) | more)
    stated = Manifest(
        mid=mid,
        iss=US,
        aud=profile.iss,
        iat=int(now.timestamp()),
        type=kind,
        case=pairwise_case(world.secret(leg.partner), profile.code, leg.case_no),
        seq=seq,
        profile=translated.pin,
        parts=(manifest.digest_part("body", profile.content_type, translated.body),),
    )
    return MessageRow(
        partner=leg.partner,
        direction="out",
        mid=mid,
        type=kind,
        case_no=leg.case_no,
        ref_no=leg.ref_no,
        seq=seq,
        content_type=profile.content_type,
        body=translated.body,
        jws=manifest.seal(stated, world.signing_key),
        body_sha256=sha256(translated.body).digest(),
        map_pin=translated.pin,
        map_digest=translated.digest,
        fields=tuple(sorted(source)),
        fhir=None,
        at=now,
    )


def _checked(
    world: World, profile: Profile, map_name: str, source: Mapping[str, Any], params: Mapping[str, Any]
) -> Translated:
    """The document as one of a partner's maps makes it, held against its schema; a partner without one takes FHIR."""
    translated = translate(world, profile.mappings[map_name], source, **params)
    if "referral" in profile.schemas:
        world.know.schemas.require(profile.schemas["referral"], translated.document)
    else:
        world.know.fhir.require(translated.document)
    return translated


def own_params(world: World, partner: str, mid: str, at: datetime) -> dict[str, Any]:
    """What every message to a partner is told about itself, by the names of the maps' parameters."""
    receiver = world.know.profiles[partner].iss
    return {"now": iso(at), "mid": mid, "base": world.limits.base_url, "sender": US, "receiver": receiver}


def wake_all(world: World, messages: Iterable[MessageRow]) -> None:
    """Wake every partner's delivery that has something to do now."""
    for partner in sorted({message.partner for message in messages}):
        world.wake(partner)
