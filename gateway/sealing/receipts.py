"""Receipts: the receiver's signed word that a message is with him, was with him already, or is refused.

Rules: a receipt is a compact JWS of type `comwel-receipt+jwt`. It repeats the message id, the digest of the sealed
manifest and the digest of every part, so that it can be about one message only. `accepted` is issued after COMMIT and
carries the place in the receiver's inbox; `rejected` carries a code. A receiver that keeps a public log promises in it
the leaf of the message, as a certificate's SCT does (RFC 6962 §3): with the hash, a proof of inclusion can be asked for
later. A receipt is no outcome: the loop closes only with a signed outcome message.

This module refuses receipts from anybody but the one the message was sent to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from gateway.errors import DigestMismatch, ManifestInvalid, NotFresh, Place, WrongAudience
from gateway.sealing import base64url, claims, compact
from gateway.sealing.keys import KeyFinder, SigningKey, find
from gateway.sealing.manifest import AHEAD, Manifest, digest_jws
from gateway.sealing.manifest import TYP as MESSAGE_TYP
from gateway.sealing.manifest import read as read_manifest
from gateway.sealing.step import Step

TYP = "comwel-receipt+jwt"


class Decision(StrEnum):
    """What the receiver did with the message."""

    ACCEPTED = "accepted"  # committed to the inbox
    DUPLICATE = "duplicate"  # the same bytes are in the inbox already
    REJECTED = "rejected"  # refused for the reason in `code`; sending it again changes nothing


_MEMBERS: Mapping[str, claims.Test] = {
    "mid": claims.UUID,
    "mjws_s256": base64url.is_digest,
    "parts": lambda value: isinstance(value, list) and 1 <= len(value) <= 16,
    "decision": claims.one_of(Decision),
    "code": claims.maybe(claims.text(r"[A-Za-z0-9._-]{1,64}")),
    "inbox_seq": claims.maybe(claims.whole(0)),
    "at": claims.SECONDS,
    "iss": claims.PARTY,
    "aud": claims.PARTY,
}
_MAY = frozenset({"promise"})
"""Not everybody keeps a log: without a promise the member is left out."""
_PROMISE_MEMBERS: Mapping[str, claims.Test] = {
    "log": claims.text(r"[!-*,-~]{1,200}"),  # the name of a signed note, with the year left out
    "leaf": base64url.is_digest,
    "stream": claims.text(r"[A-Za-z][A-Za-z0-9-]{0,31}"),
    "seq": claims.whole(1),
    "at": claims.text(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"),
}
_PART_MEMBERS: Mapping[str, claims.Test] = {
    "name": claims.text(r"[a-z][a-z0-9-]{0,31}"),
    "s256": base64url.is_digest,
}


class PartDigest(NamedTuple):
    """A part as the receiver found it: name and SHA-256 in base64url."""

    name: str
    s256: str


class Promise(NamedTuple):
    """The receiver's word that this leaf is in its log: `leaf` is the leaf's hash (RFC 6962 §2.1) in base64url.

    `log` is the name of the log without the year; `stream`, `seq` and `at` are as the leaf has them.
    """

    log: str
    leaf: str
    stream: str
    seq: int
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the receiver states. `iss` is the receiver of the message, `aud` its sender."""

    mid: str
    mjws_s256: str
    parts: tuple[PartDigest, ...]
    decision: Decision
    code: str | None = None  # why rejected; required then
    inbox_seq: int | None = None  # place in the receiver's inbox; required unless rejected
    at: int  # seconds since 1970
    iss: str
    aud: str
    promise: Promise | None = None

    @property
    def made_at(self) -> datetime:
        """When the receiver decided, as he says."""
        return datetime.fromtimestamp(self.at, UTC)


def acknowledge(
    manifest: Manifest,
    jws: str,
    decision: Decision,
    at: datetime,
    *,
    inbox_seq: int | None = None,
    code: str | None = None,
    promise: Promise | None = None,
) -> Receipt:
    """Return the receipt that answers the sealed manifest `jws`, opened as `manifest`."""
    return Receipt(
        mid=manifest.mid,
        mjws_s256=digest_jws(jws),
        parts=_digests(manifest),
        decision=decision,
        code=code,
        inbox_seq=inbox_seq,
        at=int(at.timestamp()),
        iss=manifest.aud,
        aud=manifest.iss,
        promise=promise,
    )


def make(receipt: Receipt, key: SigningKey) -> str:
    """Return `receipt` as a compact JWS. Raises ManifestInvalid for what `check` would refuse."""
    stated = {name: getattr(receipt, name) for name in _MEMBERS}
    stated["parts"] = [part._asdict() for part in receipt.parts]
    if receipt.promise:
        stated["promise"] = receipt.promise._asdict()
    _receipt(stated)
    return compact.seal(orjson.dumps(stated), typ=TYP, key=key)


def check(jws: str, *, keys: KeyFinder, expected_mid: str, sent_jws: str, received: datetime | None = None) -> Receipt:
    """Return a receipt that proves what the receiver of `sent_jws` did with it.

    `sent_jws` is our own sealed manifest, as sent. `received` is when the receipt came to hand; without it (our own
    archive) revocation is judged by the receiver's word alone.

    Raises ManifestInvalid, KeyRefused, SignatureInvalid, NotFresh, WrongAudience or DigestMismatch, naming the step.
    """
    # 1. It is a compact JWS of its kind, spelled the one way.
    # 2. It states what a receipt states, no more and no less.
    # 3. It is not from the future.
    # 4. Its key was valid when it was made, is not revoked since, and is registered for its algorithm.
    # 5. The signature holds.
    # 6. It is from the one we sent to, who owns the key, and for us.
    # 7. It is about this message: the id, the sealed manifest and every part.
    sent = read_manifest(compact.read(sent_jws, typ=MESSAGE_TYP).payload)

    with Step(1, "the compact form"):
        sealed = compact.read(jws, typ=TYP)
    with Step(2, "the receipt"):
        receipt = _receipt(claims.load(sealed.payload))
    with Step(3, "the time"):
        if received is not None and receipt.made_at > received + AHEAD:
            raise NotFresh("made in the future")
    with Step(4, "the key"):
        key = find(keys, sealed.kid, sealed.alg, made=receipt.made_at, received=received)
    with Step(5, "the signature"):
        compact.verify(sealed, key)
    with Step(6, "sender and receiver"):
        if not receipt.iss == key.owner == sent.aud or receipt.aud != sent.iss:
            raise WrongAudience("not from the one the message was sent to, or not for its sender")
    with Step(7, "the message"):
        if receipt.mid != expected_mid or receipt.mid != sent.mid:
            raise DigestMismatch("about another message", place=Place(field="/mid"))
        if receipt.mjws_s256 != digest_jws(sent_jws):
            raise DigestMismatch("about another manifest", place=Place(field="/mjws_s256"))
        if receipt.parts != _digests(sent):
            raise DigestMismatch("about other parts", place=Place(field="/parts"))
    return receipt


def promised(jws: str) -> Promise | None:
    """What a receipt of our own archive promises; its signature is not looked at. Raises ManifestInvalid."""
    return _receipt(claims.load(compact.read(jws, typ=TYP).payload)).promise


def _digests(manifest: Manifest) -> tuple[PartDigest, ...]:
    return tuple(PartDigest(part.name, part.s256) for part in manifest.parts)


def _receipt(stated: dict[str, Any]) -> Receipt:
    claims.require({name: value for name, value in stated.items() if name not in _MAY}, _MEMBERS)
    promise = _promise(stated["promise"]) if "promise" in stated else None
    parts = tuple(PartDigest(**part) for part in claims.parts(stated, _PART_MEMBERS))
    needed = "code" if stated["decision"] == Decision.REJECTED else "inbox_seq"
    if stated[needed] is None:
        raise ManifestInvalid("this decision needs it", place=Place(field=f"/{needed}"))
    return Receipt(**{**stated, "parts": parts, "decision": Decision(stated["decision"]), "promise": promise})


def _promise(stated: Any) -> Promise:
    if not isinstance(stated, dict):
        raise ManifestInvalid("a promise is an object", place=Place(field="/promise"))
    claims.require(stated, _PROMISE_MEMBERS, at="/promise")
    return Promise(**stated)
