"""The manifest: a small signed statement of what a message is made of, and the durable proof of its origin.

Rules: a message is its parts (the body, perhaps a sealed part), exact octets, never canonicalised. The manifest names
each by length and SHA-256 and is sealed as a compact JWS of type `comwel-msg+jwt`, once: retries send the same text,
so the same message is the same evidence. Bodies may be erased later; origin, time, type and digests stay provable.

This module refuses members it does not know, parts it was not told of, bodies nobody signed, and to seal what it would
not open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from gateway.errors import DigestMismatch, ManifestInvalid, NotFresh, Place, WrongAudience
from gateway.sealing import base64url, claims, compact
from gateway.sealing.keys import KeyFinder, SigningKey, find
from gateway.sealing.step import Step

TYP = "comwel-msg+jwt"
OLDEST = timedelta(days=30)  # a message may be retried for seven days and replayed by a person after that
AHEAD = timedelta(seconds=60)  # a sender's clock may be this much ahead
MOST_SEQ = 2**31 - 1  # a FHIR positiveInt, and what the books have room for

_NAME = claims.text(r"[A-Za-z0-9._:/-]{1,64}")
_MEMBERS: Mapping[str, claims.Test] = {
    "v": claims.whole(1, 1),
    "mid": claims.UUID,
    "iss": claims.PARTY,
    "aud": claims.PARTY,
    "iat": claims.SECONDS,
    "type": claims.text(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*"),
    "case": claims.maybe(_NAME),
    "seq": claims.maybe(claims.whole(0, MOST_SEQ)),
    "reply_to": claims.maybe(claims.UUID),
    "profile": claims.text(r"[A-Za-z0-9._:/-]{1,128}(\|[A-Za-z0-9.+-]{1,32})?"),
    "parts": lambda value: isinstance(value, list) and 1 <= len(value) <= 16,
}
_PART_MEMBERS: Mapping[str, claims.Test] = {
    "name": claims.text(r"[a-z][a-z0-9-]{0,31}"),
    "cty": claims.text(r"[a-z0-9.+-]{1,64}/[A-Za-z0-9.+-]{1,64}(; ?[a-z0-9-]{1,32}=[A-Za-z0-9._-]{1,64}){0,4}"),
    "len": claims.whole(0),
    "s256": base64url.is_digest,
}


class Part(NamedTuple):
    """One part of a message: its name, content type, length in octets and SHA-256 in base64url (43 characters)."""

    name: str
    cty: str
    len: int
    s256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What the sender states about a message."""

    mid: str  # message id, a UUID in lower case; new for every message, the same in every retry
    iss: str  # sender
    aud: str  # the one receiver
    iat: int  # when it was sealed, seconds since 1970
    type: str  # referral.created, outcome.reported, …
    profile: str  # form of the body, name|version
    parts: tuple[Part, ...]
    case: str | None = None  # pairwise id of the case; null where a message is about no case
    seq: int | None = None  # place in the order of messages about this case, up to 2^31 - 1
    reply_to: str | None = None  # mid of the message that this one answers
    v: int = 1

    @property
    def made_at(self) -> datetime:
        """When it was sealed, as its sender says."""
        return datetime.fromtimestamp(self.iat, UTC)


def digest_part(name: str, cty: str, body: bytes) -> Part:
    """Return the part that stands for `body`."""
    return Part(name, cty, len(body), base64url.digest(body))


def digest_jws(jws: str) -> str:
    """Return the SHA-256 of a sealed manifest as it travels: the `mjws_s256` of receipts and of the log."""
    return base64url.encode(sha256(jws.encode()).digest())


def seal(manifest: Manifest, key: SigningKey) -> str:
    """Return `manifest` as a compact JWS. Raises ManifestInvalid for what `open_sealed` would refuse."""
    stated = {name: getattr(manifest, name) for name in _MEMBERS}
    stated["parts"] = [part._asdict() for part in manifest.parts]
    _manifest(stated)
    return compact.seal(orjson.dumps(stated), typ=TYP, key=key)


def open_sealed(
    jws: str,
    bodies: Mapping[str, bytes],
    *,
    keys: KeyFinder,
    audience: str,
    sender: str | None = None,
    received: datetime | None = None,
) -> Manifest:
    """Return the manifest of a message whose origin and integrity are proven.

    `bodies` are the parts as they came, by name. `audience` is who we are; `sender` is whom the door let in, None to
    believe any key of the finder. `received` is when the message came to hand: give it at every door. Without it (our
    own archive) revocation and age are judged by the sender's word alone.

    Raises ManifestInvalid, KeyRefused, SignatureInvalid, NotFresh, WrongAudience or DigestMismatch, naming the step.
    """
    # 1. It is a compact JWS of our kind, spelled the one way.
    # 2. It states what a manifest states, no more and no less.
    # 3. It is not from the future, nor older than any retry.
    # 4. Its key was valid when it was made, is not revoked since, and is registered for its algorithm.
    # 5. The signature holds.
    # 6. It is from the key's owner, whom the door let in, and for us.
    # 7. Every part is there, nothing else is, and each has the length and digest that were signed.

    with Step(1, "the compact form"):
        sealed = compact.read(jws, typ=TYP)
    with Step(2, "the manifest"):
        manifest = read(sealed.payload)
    with Step(3, "the time"):
        _must_be_of_its_time(manifest, received)
    with Step(4, "the key"):
        key = find(keys, sealed.kid, sealed.alg, made=manifest.made_at, received=received)
    with Step(5, "the signature"):
        compact.verify(sealed, key)
    with Step(6, "sender and receiver"):
        _must_be_between(manifest, key.owner, sender, audience)
    with Step(7, "the parts"):
        _must_be_whole(manifest.parts, bodies)
    return manifest


def read(payload: bytes) -> Manifest:
    """Return the manifest that `payload` spells, **unverified**. Raises ManifestInvalid."""
    return _manifest(claims.load(payload))


def read_sealed(jws: str) -> Manifest:
    """Return the manifest in `jws`, **unverified**: for one that we sealed or proved before. Raises ManifestInvalid."""
    return read(compact.read(jws, typ=TYP).payload)


def _manifest(stated: dict[str, Any]) -> Manifest:
    claims.require(stated, _MEMBERS)
    parts = tuple(Part(**part) for part in claims.parts(stated, _PART_MEMBERS))
    if len({part.name for part in parts}) != len(parts):
        raise ManifestInvalid("two parts have the same name", place=Place(field="/parts"))
    if (stated["case"] is None) != (stated["seq"] is None):
        raise ManifestInvalid("case and seq go together", place=Place(field="/seq"))
    return Manifest(**{**stated, "parts": parts})


def _must_be_of_its_time(manifest: Manifest, received: datetime | None) -> None:
    if received is None:
        return
    if manifest.made_at > received + AHEAD:
        raise NotFresh("sealed in the future")
    if manifest.made_at < received - OLDEST:
        raise NotFresh("sealed longer ago than any retry")


def _must_be_between(manifest: Manifest, owner: str, sender: str | None, audience: str) -> None:
    if manifest.iss != owner:
        raise WrongAudience("the sender does not own the key", place=Place(field="/iss"))
    if sender is not None and manifest.iss != sender:
        raise WrongAudience("the sender is not the one who came in", place=Place(field="/iss"))
    if manifest.aud != audience:
        raise WrongAudience("the message is for somebody else", place=Place(field="/aud"))


def _must_be_whole(parts: tuple[Part, ...], bodies: Mapping[str, bytes]) -> None:
    if bodies.keys() != {part.name for part in parts}:
        raise DigestMismatch("other parts came than were signed", place=Place(field="/parts"))
    for index, part in enumerate(parts):
        body = bodies[part.name]
        if len(body) != part.len or base64url.digest(body) != part.s256:
            raise DigestMismatch("a part is not the one that was signed", place=Place(field=f"/parts/{index}"))
