"""What partners report in the benches: that they accept a leg, in their own schema, sealed and signed now.

Rules: one message a leg, the first of its partner about it; a signature is good for five minutes.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

import psycopg

from adapters.partners.pretend.dialects import Sheet
from adapters.partners.pretend.keyring import own_key
from adapters.partners.pretend.scripts import Kind
from adapters.partners.pretend.server import DIALECTS
from adapters.partners.pretend.story import Event
from gateway.assembly.clocks import RealClock, uuid7
from gateway.documents.strict_json import dumps
from gateway.journey.prove import Inbound
from gateway.sealing import http, manifest
from gateway.sealing.keys import SigningKey
from gateway.sealing.manifest import Manifest
from tests.bench import stage
from tests.bench.engine import Site

PATH = "/partners/{}/v1/outcomes"


class Leg(NamedTuple):
    """A leg as its partner knows it."""

    partner: str
    ref_no: str
    person_id: str
    consent_no: str | None


def legs_of(site: Site, after: str = "") -> list[Leg]:
    """The legs of a site in the order of their numbers, from behind one of them."""
    with psycopg.connect(site.database) as connection:
        sql = "select partner, ref_no, person_id, consent_no from leg where ref_no > %s order by ref_no"
        return [Leg(*row) for row in connection.execute(sql, (after,))]


def keys_of(site: Site) -> dict[str, SigningKey]:
    """What each partner signs with."""
    return {p: own_key(site.takers / p, p.lower()) for p in stage.PARTNERS}


def report(base: str, leg: Leg, key: SigningKey) -> Inbound:
    """The request that brings one, signed now; `base` is our public URL."""
    dialect, now, mid = DIALECTS[leg.partner.lower()], RealClock().now(), uuid7()
    sheet = Sheet(leg.ref_no, leg.person_id, f"F-{leg.ref_no[-7:]}", "LB-04", leg.consent_no or "-")
    body = dumps(dialect.write(Event(Kind.ACCEPT, stage.BASE), sheet, 1, mid, now))
    part = manifest.digest_part("body", dialect.content_type, body)
    stated = Manifest(
        mid=mid,
        iss=dialect.id,
        aud="comwel",
        iat=int(now.timestamp()),
        type="outcome.reported",
        case=leg.ref_no,
        seq=1,
        profile=f"{dialect.id}-outcome|1.0.0",
        parts=(part,),
    )
    url = base + PATH.format(leg.partner)
    sealed = manifest.seal(stated, key)
    head = http.sign(
        "POST",
        url,
        dialect.content_type,
        body,
        mid,
        sealed,
        key=key,
        created=now,
        nonce=secrets.token_urlsafe(18),
    )
    return Inbound(leg.partner, "POST", url, head, body)
