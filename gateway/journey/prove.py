"""Prove: a request comes from the partner that it names, is fresh, and brings the bytes that were sealed.

Rules: nothing is believed before; only keys of that partner count; what is proven is the attempt (RFC 9421) and the
message in it (the manifest), and that both say the same. What proves nothing is counted, and kept as an act now and
then (`gateway.journey.unproven`).
Refuses to look into the body: what it says is for later (`gateway.journey.receive`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from gateway.errors import ManifestInvalid, PartnerStopped, Place, Refused, WrongAudience
from gateway.exchange_log.audit import REQUESTS
from gateway.journey.unproven import ACT
from gateway.journey.world import US, World
from gateway.sealing import http, manifest
from gateway.sealing.heads import Head
from gateway.sealing.manifest import Manifest

PURPOSE = "outcome-return"
REPORT = "outcome.reported"
"""The type of every message that is taken in, as its manifest states it."""


class Inbound(NamedTuple):
    """A request as it came in: `partner` from the path, `target_uri` = our public base URL + raw path."""

    partner: str
    method: str
    target_uri: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """A proven message on its way through the steps, equal to no other; `place` among those it came with."""

    place: int
    partner: str
    manifest: Manifest
    jws: str
    nonce: str
    body: bytes
    content_type: str
    head: Head
    at: datetime

    @property
    def id(self) -> tuple[str, str]:
        """Partner and message id."""
        return self.partner, self.manifest.mid


def prove(world: World, inbound: Inbound, place: int) -> Letter:
    """The message of a request, proven. Raises WrongAudience, PartnerStopped or SealRefused."""
    # 1 the partner is known to us, and not stopped
    # 2 this attempt: digest, signature and freshness (RFC 9421), with keys of that partner only
    # 3 this message: manifest, signature, audience, digests of the exact bytes; that of the attempt, and a report
    must_be_ours(world, inbound.partner)  # 1
    if world.stopped(inbound.partner):
        raise PartnerStopped
    now, keys = world.clock.now(), world.keys(inbound.partner)
    attempt = http.verify(inbound.method, inbound.target_uri, inbound.headers, inbound.body, keys=keys, now=now)  # 2
    sender = world.know.profiles[inbound.partner].iss
    stated = manifest.open_sealed(  # 3
        attempt.jws, {"body": inbound.body}, keys=keys, audience=US, sender=sender, received=now
    )
    if stated.mid != attempt.mid or stated.iss != attempt.owner:
        raise WrongAudience("the attempt names another message or sender than the manifest")
    if stated.type != REPORT:
        raise ManifestInvalid("no message of this type is taken here", place=Place(field="/type"))
    content_type = stated.parts[0].cty
    if content_type != attempt.head.content_type:
        raise ManifestInvalid("another media type than that of the request", place=Place(field="/parts/0/cty"))
    said = attempt.jws, attempt.nonce, inbound.body, content_type, attempt.head
    return Letter(place, inbound.partner, stated, *said, now)


def must_be_ours(world: World, partner: str) -> None:
    """Raises WrongAudience for whom we do not know."""
    if partner not in world.know.profiles:
        raise WrongAudience("no such partner")


# ── what proves nothing ──────────────────────────────────────────────────────────────────────────────────────────────
def count_unproven(world: World, partner: str, refusal: Refused) -> bool:
    """Count what is refused unproven; whether an act is due (`keep_unproven`). Who is not ours counts as nobody."""
    world.unproven.count(partner if partner in world.know.profiles else None, refusal.code)
    return world.unproven.is_due(world.clock.now())


def keep_unproven(world: World, *, everything: bool = False) -> None:
    """Keep acts for what was counted: those that are due, or all. Raises StoreUnavailable; then they stay due."""

    def keep(partner: str | None, code: str, many: int) -> None:
        event = world.event(ACT, PURPOSE, partner=partner, counts={REQUESTS: many})
        world.store.keep_refusal(event.refused(code))

    world.unproven.keep(keep, world.clock.now(), everything=everything)
